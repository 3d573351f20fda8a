"""Heads are read strictly: what two parsers could read in two ways is refused."""

from ipaddress import ip_network
from typing import Any

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.http import requests
from activator.http.answers import read_answer
from activator.http.forwarded import Peer
from activator.http.http1 import (
    CHUNKED,
    MAX_REMEMBERED,
    UNTIL_CLOSE,
    BadAnswer,
    BadRequest,
    check_unfinished,
    is_host,
    trailers,
)
from activator.http.requests import read_request
from testkit.proxy.malformed import REFUSED_ANSWERS, REFUSED_REQUESTS


def rows(table: dict[str, Any]) -> list[Any]:
    return [pytest.param(head, id=name) for name, head in table.items()]


@pytest.mark.parametrize("head", rows(REFUSED_REQUESTS))
def test_requests_that_are_refused(head: bytes) -> None:
    """Each of these is a bad request, with words that name what is wrong."""
    with pytest.raises(BadRequest, match=r"\w{2}"):
        Peer("1.2.3.4", ()).lines(read_request(head).means)


@pytest.mark.parametrize("head", rows(REFUSED_ANSWERS))
def test_answers_that_are_refused(head: bytes) -> None:
    """Pods' heads are held to the same rules."""
    with pytest.raises(BadAnswer, match=r"\w{2}"):
        read_answer(head, b"GET")


@pytest.mark.parametrize(
    ("head", "body", "keeps_alive", "expects"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0, True, False),
        (b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", 0, False, False),
        (b"GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n", 0, True, False),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 0, False, False),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: Close\r\n\r\n",
            0,
            False,
            False,
        ),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x ,\tkeep-alive\r\n\r\n", 0, True, False),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0012 \r\n\r\n", 12, True, False),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: 7\r\n\r\n",
            7,
            True,
            False,
        ),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n", CHUNKED, True, False),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n", 1, True, True),
        (b"POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n", 1, False, False),
        (b"M-SEARCH /%C3%A4 HTTP/1.1\r\nHost: [::1]:80\r\nX:\r\nY: \xc3\xa4\t1\r\n\r\n", 0, True, False),
    ],
)
def test_requests_that_are_read(head: bytes, body: int, keeps_alive: bool, expects: bool) -> None:
    """What a head says about its body and its connection."""
    request = read_request(head)
    assert (request.body, request.means.keeps_alive, request.means.expects) == (body, keeps_alive, expects)


@pytest.mark.parametrize(
    ("lines", "tag"),
    [
        (b"", b""),
        (b"Knative-Serving-Tag: v1\r\n", b"v1"),
        (b"knative-serving-tag:\tV1 \r\n", b"v1"),
        (b"Knative-Serving-Tag:\r\n", b""),
        (b"Knative-Serving-Tags: v1\r\n", b""),
        (b"Knative-Serving-Tag: v1\r\nKnative-Serving-Tag: v2\r\n", b""),
    ],
)
@pytest.mark.parametrize("trusts_peer", [True, False])
def test_a_tag_is_named_by_one_header(lines: bytes, tag: bytes, trusts_peer: bool) -> None:
    """In any case; two of them name none. It is dropped like all that clients say of routing."""
    request = read_request(b"GET / HTTP/1.1\r\n" + lines + b"Host: a\r\n\r\n", trusts_peer=trusts_peer)
    assert request.means.tag == tag
    assert request.kept == b"GET / HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    ("head", "method", "body", "keeps_alive"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"GET", UNTIL_CLOSE, True),
        (b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n", b"GET", 5, True),
        (b"HTTP/1.1 200 \r\nConnection: close\r\nContent-Length: 5\r\n\r\n", b"GET", 5, False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", b"GET", 5, False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n", b"GET", 5, True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"GET", CHUNKED, True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"HEAD", 0, True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b"GET", 0, True),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", b"GET", 0, True),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", b"GET", 0, True),
    ],
)
def test_answers_that_are_read(head: bytes, method: bytes, body: int, keeps_alive: bool) -> None:
    """What an answer's head says about its body and its connection."""
    answer = read_answer(head, method)
    assert (answer.body, answer.keeps_alive) == (body, keeps_alive)


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\nHost", b"GET / HTTP/1.1\r\nHost: \x00", b"\x16\x03\x01\x02", b"{}", b"GET\r\r"]
)
def test_an_unfinished_head_that_cannot_become_one(data: bytes) -> None:
    """It is refused at once, however it would go on, and also when only its last bytes are new."""
    with pytest.raises(BadRequest):
        check_unfinished(data)


@given(st.binary(max_size=12), st.integers(0, 12))
def test_unfinished_heads_are_checked_alike_in_pieces(end: bytes, cut: int) -> None:
    """Whether a head is checked whole or as it grows makes no difference."""
    data = b"GET / HTTP/1.1\r\n" + end

    def refused(parts: list[bytes]) -> bool:
        checked = 0
        try:
            for part in parts:
                check_unfinished(part, checked)
                checked = len(part)
        except BadRequest:
            return True
        return False

    middle = 16 + min(cut, len(end))
    assert refused([data[:16], data]) == refused([data[:16], data[:middle], data])


names = st.sampled_from(
    [b"host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"K-Test", b"Zerogate-X", b"X-A",
     b"Accept", b"X-Forwarded-For", b"Keep-Alive", b"Expect", b"TE", b"Cookie", b"Upgrade"]
)  # fmt: skip
values = st.sampled_from(
    [b"a", b"1", b"0", b"5", b"chunked", b"keep-alive", b"close", b"x-a, close", b"", b"a b", b"100-continue",
     b"h2c", b" 5 "]
) | st.binary(max_size=4)  # fmt: skip
heads = st.builds(
    lambda line, host, fields: (
        line + host + b"".join(n + b":" + s + v + b"\r\n" for n, s, v in fields) + b"\r\n"
    ),
    st.sampled_from([b"GET / HTTP/1.1\r\n", b"POST /x?y HTTP/1.1\r\n", b"PUT / HTTP/1.0\r\n"]),
    st.sampled_from([b"Host: a\r\n", b"hOST:b\r\n", b""]),
    st.lists(st.tuples(names, st.sampled_from([b"", b" ", b"\t "]), values), max_size=6),
)


def slow_reading(head: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]] | None:
    """A head read line by line: (method, headers), or None when any rule of the grammar is broken."""
    lines = head[:-4].split(b"\r\n")
    headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not name or any((byte < 32 and byte != 9) or byte == 127 for byte in value):
            return None
        headers.append((name.lower(), value.strip(b" \t")))
    return lines[0].split(b" ")[0], headers


HOP = {b"connection", b"keep-alive", b"te", b"upgrade", b"proxy-connection"}


@given(heads)
def test_reading_agrees_with_a_slow_reader(head: bytes) -> None:
    """What is accepted is what a line-by-line reader finds, and all that stays is passed on in its order."""
    slow = slow_reading(head)
    try:
        request = read_request(head)
    except BadRequest:
        if slow is None:
            return
        headers = slow[1]
        hosts = [value for name, value in headers if name == b"host"]
        lengths = [value for name, value in headers if name == b"content-length"]
        codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
        is_fine = (
            len(hosts) == 1
            and (not lengths or (len(lengths) == 1 and lengths[0].isdigit()))
            and (not codings or (codings == [b"chunked"] and not lengths and b"HTTP/1.0" not in head))
        )
        assert not is_fine
        return
    assert slow is not None
    method, headers = slow
    assert request.method == method
    named = {
        token.strip().lower()
        for name, value in headers
        if name == b"connection"
        for token in value.split(b",")
    }
    named -= {b"host", b"content-length", b"transfer-encoding"}
    if not request.means.is_modern:
        named.add(b"expect")
    kept = [
        (name, value)
        for name, value in headers
        if name not in HOP | named and not name.startswith((b"k-", b"zerogate-", b"x-forwarded-"))
    ]
    passed_on = slow_reading(request.kept + b"\r\n")
    assert passed_on == (method, kept)


FOLDED = (
    b"X_Forwarded_For", b"X-Forwarded_For", b"x_forwarded-host", b"X_FORWARDED_PROTO", b"X_Forwarded_Prefix",
    b"K_Network_Probe", b"k_x", b"Knative_Serving_Tag", b"Knative-Serving_X", b"KNATIVE_SERVING-X",
    b"Zerogate_Hop", b"zerogate_x-y", b"Transfer_Encoding", b"content_length", b"Keep_Alive",
    b"Proxy_Connection", b"Proxy_Authorization", b"Proxy",
)  # fmt: skip
"""Names that a CGI or WSGI server reads as one that the proxy writes, reads or drops."""


@pytest.mark.parametrize("is_trusted", [False, True])
@pytest.mark.parametrize("name", FOLDED, ids=bytes.decode)
def test_a_name_that_a_server_folds_into_one_of_ours_is_dropped(name: bytes, is_trusted: bool) -> None:
    """`_` counts as `-`, also from a trusted proxy, which may pass on what its client said; other names with
    `_` stay, and none of them is read.
    """
    head = b"GET / HTTP/1.1\r\nX_Kept: 1\r\n" + name + b": chunked\r\nHost: a\r\nKept_: 2\r\n\r\n"
    request = read_request(head, trusts_peer=is_trusted)
    assert request.kept == b"GET / HTTP/1.1\r\nX_Kept: 1\r\nHost: a\r\nKept_: 2\r\n"
    assert (request.body, request.means.tag, request.means.keeps_alive) == (0, b"", True)
    assert b"6.6.6.6" not in Peer("192.0.2.1", ()).lines(request.means)


@pytest.mark.parametrize("name", FOLDED, ids=bytes.decode)
def test_a_trailer_that_a_server_folds_into_one_of_ours_is_dropped(name: bytes) -> None:
    """Servers merge trailers into the headers."""
    assert trailers(name + b": 1\r\nX_Sum: 2\r\n") == b"X_Sum: 2\r\n"


def test_other_forwarded_headers_of_a_trusted_proxy_stay() -> None:
    """What an authenticating proxy says of its user."""
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-User: me\r\nX-Forwarded-Port: 443\r\n\r\n"
    assert read_request(head, trusts_peer=True).kept == head[:-2]


class Collected:
    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.strip(b" \t")))


@given(heads)
def test_what_is_passed_on_means_the_same_to_llhttp(head: bytes) -> None:
    """A second parser, the one of Node.js, accepts every head that we pass on and finds the same headers
    in it.
    """
    peer = Peer("1.2.3.4", ())
    try:
        request = read_request(head)
        wire = request.kept + peer.lines(request.means)
    except BadRequest:
        return
    found = Collected()
    parser = httptools.HttpRequestParser(found)
    parser.feed_data(wire)
    slow = slow_reading(wire)
    assert slow is not None
    assert found.headers == slow[1]


@pytest.mark.parametrize(
    "host", [b"a", b"a:", b"[::1]:", b"a.b", b"A-1.b:8080", b"[::1]", b"[::1]:80", b"1.2.3.4:1", b"a_b"]
)
def test_hosts(host: bytes) -> None:
    """Names and addresses, with or without a port."""
    assert is_host(host)


def test_what_is_remembered_of_heads_is_bounded_in_number_and_size() -> None:
    """Ten thousand hosts are read as fast as one; what is long or has no end is read afresh."""
    requests._meanings.clear()
    heads = [b"GET / HTTP/1.1\r\nHost: h%d.example.com\r\n\r\n" % number for number in range(10_000)]
    first = [read_request(head).means for head in heads]
    assert all(read_request(head).means is means for head, means in zip(heads, first, strict=True))
    for number in range(MAX_REMEMBERED):
        read_request(b"GET / HTTP/1.1\r\nHost: again%d\r\n\r\n" % number)
    assert len(requests._meanings) <= MAX_REMEMBERED
    requests._meanings.clear()
    read_request(b"GET / HTTP/1.1\r\nHost: " + b"h" * 60_000 + b"\r\n\r\n")
    read_request(b"GET / HTTP/1.1\r\nHost: h\r\n" + b"K-X: 1\r\n" * 5_000 + b"\r\n")
    names = b",".join(b"n%d" % number for number in range(50))
    read_request(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: " + names + b"\r\n\r\n")
    assert not requests._meanings


def test_trailers_keep_what_is_harmless() -> None:
    """Framing, routing and our own names can't come in by the back door."""
    lines = (
        b"X-Sum: 1\r\nContent-Length: 5\r\nHost: evil\r\nX-Forwarded-For: 1\r\nK-X: 1\r\nGrpc-Status: 0\r\n"
    )
    assert trailers(lines) == b"X-Sum: 1\r\nGrpc-Status: 0\r\n"
    with pytest.raises(ValueError, match="trailers"):
        trailers(b"X : 1\r\n")


@pytest.mark.parametrize(
    ("address", "host", "lines"),
    [
        ("1.2.3.4", b"a", [b"X-Forwarded-For: 1.2.3.4", b"Forwarded: for=1.2.3.4;host=a;proto=http"]),
        ("::1", b"a:80", [b"X-Forwarded-For: ::1", b'Forwarded: for="[::1]";host="a:80";proto=http']),
        ("", b"a", [b"X-Forwarded-For: ", b"Forwarded: for=unknown;host=a;proto=http"]),
    ],
)
def test_forwarded_lines(address: str, host: bytes, lines: list[bytes]) -> None:
    """Addresses and hosts that contain a colon are quoted (RFC 7239 4, 6)."""
    request = read_request(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
    said = Peer(address, ()).lines(request.means).split(b"\r\n")
    assert said[0] == lines[0]
    assert said[3] == lines[1]
    assert said[4:] == [b"", b""]


@pytest.mark.parametrize(
    ("address", "network", "is_trusted", "said"),
    [
        ("10.1.2.3", "10.0.0.0/8", True, "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.0.0.0/8", True, "10.1.2.3"),
        ("::ffff:a01:203", "10.0.0.0/8", True, "10.1.2.3"),
        ("::ffff:11.1.2.3", "10.0.0.0/8", False, "11.1.2.3"),
        ("::ffff:10.1.2.3", "::ffff:10.0.0.0/104", True, "10.1.2.3"),
        ("10.1.2.3", "::ffff:10.0.0.0/104", True, "10.1.2.3"),
        ("::ffff:10.1.2.3", "::/0", True, "10.1.2.3"),
        ("::ffff:10.1.2.3", "2001:db8::/32", False, "10.1.2.3"),
        ("2001:db8::1", "2001:db8::/32", True, "2001:db8::1"),
        ("2001:db8::1", "10.0.0.0/8", False, "2001:db8::1"),
        ("fe80::1%eth0", "fe80::/10", True, "fe80::1"),
        ("::1", "::1/128", True, "::1"),
        ("", "0.0.0.0/0", False, ""),
    ],
)
def test_one_address_in_two_spellings_is_one_peer(
    address: str, network: str, is_trusted: bool, said: str
) -> None:
    """A peer of a dual-stack socket is found in IPv4 networks, and pods get the plain form of its address."""
    peer = Peer(address, (ip_network(network),))
    request = read_request(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    lines = peer.lines(request.means).split(b"\r\n")
    assert (peer.is_trusted, peer.address) == (is_trusted, said)
    assert lines[0] == b"X-Forwarded-For: " + said.encode()
    node = f'"[{said}]"' if ":" in said else said or "unknown"
    assert lines[3].startswith(f"Forwarded: for={node};".encode())


@pytest.mark.parametrize(
    ("target", "host", "line", "pod_host"),
    [
        (b"http://a/x", b"a", b"GET /x HTTP/1.1", b"a"),
        (b"http://A/x", b"a", b"GET /x HTTP/1.1", b"a"),
        (b"http://b/x", b"a", b"GET /x HTTP/1.1", b"b"),
        (b"HTTPS://B:8080", b"a", b"GET / HTTP/1.1", b"B:8080"),
        (b"http://b:?q", b"a:80", b"GET /?q HTTP/1.1", b"b:"),
        (b"http://[::1]:80/", b"a", b"GET / HTTP/1.1", b"[::1]:80"),
    ],
)
@pytest.mark.parametrize("trusts_peer", [True, False])
def test_the_host_of_an_absolute_target_counts(
    target: bytes, host: bytes, line: bytes, pod_host: bytes, trusts_peer: bool
) -> None:
    """Host is ignored, and written anew for the pod (RFC 9112 3.2.2); other headers stay where they are."""
    head = b"GET " + target + b" HTTP/1.1\r\nX: 1\r\nHost: " + host + b"\r\nY: host: 2\r\n\r\n"
    request = read_request(head, trusts_peer=trusts_peer)
    assert request.kept == line + b"\r\nX: 1\r\nHost: " + pod_host + b"\r\nY: host: 2\r\n"
    assert request.means.host == pod_host.lower()
    assert b"X-Forwarded-Host: " + pod_host.lower() in Peer("192.0.2.1", ()).lines(request.means)
    again = read_request(b"GET / HTTP/1.1\r\nX: 1\r\nHost: " + host + b"\r\nY: host: 2\r\n\r\n")
    assert again.means.host == host


@pytest.mark.parametrize(
    ("head", "cause"),
    [
        ("GET /?q=测试 HTTP/1.1", "percent-encode"),
        ("GET /\x7f HTTP/1.1", "request target"),
        ("GET /a b HTTP/1.1", "%20"),
        ("GET / HTTP/2.0", "version"),
        ("GET / http/1.1", "version"),
        ("GET /", "version"),
        ("GET HTTP/1.1", "target"),
        ("G(T / HTTP/1.1", "method"),
        ("GET / HTTP/1.1\r\nHost : a", "space before the colon"),
        ("GET / HTTP/1.1\r\nHost: a\r\n b", "folded"),
        ("GET / HTTP/1.1\r\nHost", "without a colon"),
        ("GET / HTTP/1.1\r\nHo(st: a", "name of a header"),
        ("GET / HTTP/1.1\r\nHost: \x01", "malformed header"),
        ("GET / HTTP/1.1\nHost: a", "line ends"),
        ("\x16\x03\x01\x02", "TLS"),
    ],
)
def test_the_text_of_a_400_names_the_cause(head: str, cause: str) -> None:
    """A person who reads it knows what to change."""
    with pytest.raises(BadRequest, match=cause):
        read_request(head.encode() + b"\r\n\r\n")
