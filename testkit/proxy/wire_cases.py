"""What clients send, byte by byte, and what a server behind the gateway must have seen of it.

The host that has a route is `a`. `HIDDEN` is a request that hides in or behind another one: whoever reads the
bytes in a second way answers it.
"""

from dataclasses import dataclass

from testkit.proxy.malformed import REFUSED_BODIES, REFUSED_REQUESTS

Seen = tuple[str, str, bytes]
"""Method, target and body of a request."""

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
ROOT: Seen = ("GET", "/", b"")


@dataclass(frozen=True)
class Case:
    """`statuses`: of the answers, in their order; `seen`: by the server, whole; `is_last`: the gateway ends
    the connection then, else a further request is answered on it; `sends_no_more`: the client closes its
    side behind the data; `refused_by`: servers that answer 400 themselves, for a reason that is no framing.
    """

    data: bytes
    statuses: tuple[int, ...]
    seen: tuple[Seen, ...]
    is_last: bool = False
    sends_no_more: bool = False
    refused_by: tuple[str, ...] = ()


def get(*lines: bytes, target: bytes = b"/", version: bytes = b"1.1", method: bytes = b"GET") -> bytes:
    first = b"%b %b HTTP/%b\r\nHost: a\r\n" % (method, target, version)
    return first + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def chunked(body: bytes, *lines: bytes) -> bytes:
    return get(b"Transfer-Encoding: chunked", *lines, method=b"POST") + body


def length(value: bytes, body: bytes, *lines: bytes, method: bytes = b"POST") -> bytes:
    return get(b"Content-Length: " + value, *lines, method=method) + body


def passes(data: bytes, *seen: Seen, refused_by: tuple[str, ...] = ()) -> Case:
    """All of it is understood, and the connection goes on."""
    statuses = tuple({"/204": 204, "/304": 304}.get(target, 200) for _, target, _ in seen)
    return Case(data, statuses, seen, refused_by=refused_by)


def ends(data: bytes, *seen: Seen, statuses: tuple[int, ...] = ()) -> Case:
    """These are answered, and the connection ends."""
    return Case(data, statuses or (200,) * len(seen), seen, is_last=True)


def refused(data: bytes, *before: Seen) -> Case:
    """400 and the end, behind the answers to what came before."""
    return ends(data, *before, statuses=(200,) * len(before) + (400,))


def unfinished(data: bytes) -> Case:
    """The client leaves in the middle of a body: nobody answers, and no server takes it for whole."""
    return Case(data, (), (), is_last=True, sends_no_more=True)


def posted(body: bytes, target: str = "/", method: str = "POST") -> Seen:
    return (method, target, body)


HELLO = posted(b"hello")

UNDERSTOOD = {
    "plain": passes(get(), ROOT),
    "query, escapes and colons": passes(
        get(target=b"/a%20b/c:d;e?f=g&h=%2f"), ("GET", "/a%20b/c:d;e?f=g&h=%2f", b"")
    ),
    "two slashes": passes(get(target=b"//b/c"), ("GET", "//b/c", b"")),
    "dots": passes(get(target=b"/../x/./y"), ("GET", "/../x/./y", b"")),
    "other methods": passes(
        b"".join(get(method=method) for method in (b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE")),
        *(posted(b"", method=method) for method in ("PUT", "DELETE", "OPTIONS", "PATCH", "TRACE")),
    ),
    "method in lower case": passes(get(method=b"get"), ("get", "/", b""), refused_by=("node", "python")),
    "HEAD": passes(get(method=b"HEAD") + NEXT, ("HEAD", "/", b""), ("GET", "/next", b"")),
    "204": passes(get(target=b"/204") + NEXT, ("GET", "/204", b""), ("GET", "/next", b"")),
    "304": passes(get(target=b"/304") + NEXT, ("GET", "/304", b""), ("GET", "/next", b"")),
    "asterisk": passes(get(target=b"*", method=b"OPTIONS"), ("OPTIONS", "*", b"")),
    "absolute target": passes(get(target=b"http://a/b?c"), ("GET", "/b?c", b"")),
    "absolute target in capitals": passes(get(target=b"HTTP://A/b"), ("GET", "/b", b"")),
    "absolute target without a path": passes(get(target=b"http://a"), ROOT),
    "absolute target with a query alone": passes(get(target=b"http://a?b"), ("GET", "/?b", b"")),
    "absolute asterisk": passes(get(target=b"http://a", method=b"OPTIONS"), ("OPTIONS", "*", b"")),
    "empty lines before": passes(b"\r\n\r\n" + get(), ROOT),
    "empty line between": passes(length(b"5", b"hello\r\n") + get(), HELLO, ROOT),
    "pipelined": passes(
        get() + length(b"5", b"hello") + chunked(b"5\r\nhello\r\n0\r\n\r\n") + get(), ROOT, HELLO, HELLO, ROOT
    ),
    "absolute target, Host with another port": passes(
        get(target=b"http://a:81/") + NEXT, ROOT, ("GET", "/next", b"")
    ),
    "absolute target, another Host": passes(
        b"GET http://a/ HTTP/1.1\r\nX: 1\r\nHost: nobody\r\n\r\n" + NEXT, ROOT, ("GET", "/next", b"")
    ),
    "Host with an empty port": passes(
        b"GET / HTTP/1.1\r\nHost: a:\r\n\r\n" + NEXT, ROOT, ("GET", "/next", b"")
    ),
    "coding in a name with an underscore": passes(
        get(b"Transfer_Encoding: chunked") + NEXT, ROOT, ("GET", "/next", b"")
    ),
    "no length": passes(get(method=b"POST") + NEXT, posted(b""), ("GET", "/next", b"")),
    "length": passes(length(b"5", b"hello") + NEXT, HELLO, ("GET", "/next", b"")),
    "length 0": passes(length(b"0", NEXT), posted(b""), ("GET", "/next", b"")),
    "length with zeros before": passes(length(b"0005", b"hello"), HELLO),
    "length with spaces around": passes(length(b" \t 5  ", b"hello"), HELLO),
    "length in a name with underscores": passes(
        get(b"Content_Length: 5") + NEXT, ROOT, ("GET", "/next", b"")
    ),
    "length of a GET": passes(length(b"%d" % len(HIDDEN), HIDDEN, method=b"GET"), ("GET", "/", HIDDEN)),
    "a request in a body of known length": passes(length(b"%d" % len(HIDDEN), HIDDEN), posted(HIDDEN)),
    "a request in a chunk": passes(
        chunked(b"%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n0\r\n\r\n"), posted(HIDDEN)
    ),
    "chunked": passes(chunked(b"5\r\nhello\r\n0\r\n\r\n") + NEXT, HELLO, ("GET", "/next", b"")),
    "chunked GET": passes(
        get(b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n", posted(b"hello", method="GET")
    ),
    "chunked in capitals": passes(
        get(b"TRANSFER-ENCODING:CHUNKED", method=b"POST") + b"5\r\nhello\r\n0\r\n\r\n", HELLO
    ),
    "chunked behind a tab": passes(
        get(b"Transfer-Encoding:\tchunked", method=b"POST") + b"5\r\nhello\r\n0\r\n\r\n" + NEXT,
        HELLO,
        ("GET", "/next", b""),
    ),
    "chunked before spaces": passes(
        get(b"Transfer-Encoding: chunked  ", method=b"POST") + b"5\r\nhello\r\n0\r\n\r\n" + NEXT,
        HELLO,
        ("GET", "/next", b""),
    ),
    "chunk extensions": passes(chunked(b'5;a=b;c="d;e"\r\nhello\r\n0;x\r\n\r\n'), HELLO),
    "chunk sizes with zeros and capitals": passes(
        chunked(b"00A\r\nhellohello\r\n000\r\n\r\n"), posted(b"hello" * 2)
    ),
    "trailers": passes(chunked(b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n") + NEXT, HELLO, ("GET", "/next", b"")),
    "trailers about framing": passes(
        chunked(b"5\r\nhello\r\n0\r\nContent-Length: 99\r\nTransfer-Encoding: x\r\nHost: b\r\n\r\n") + NEXT,
        HELLO,
        ("GET", "/next", b""),
    ),
    "100-continue": Case(length(b"5", b"hello", b"Expect: 100-continue"), (100, 200), (HELLO,)),
    "100-continue, chunked": Case(
        chunked(b"5\r\nhello\r\n0\r\n\r\n", b"Expect: 100-Continue"), (100, 200), (HELLO,)
    ),
    "Connection names Content-Length": passes(
        length(b"%d" % len(HIDDEN), HIDDEN, b"Connection: content-length"), posted(HIDDEN)
    ),
    "Connection names Transfer-Encoding": passes(
        chunked(b"5\r\nhello\r\n0\r\n\r\n", b"Connection: Transfer-Encoding") + NEXT,
        HELLO,
        ("GET", "/next", b""),
    ),
    "Connection names Host": passes(get(b"Connection: host"), ROOT),
    "Connection names another": passes(get(b"Connection: x-a", b"X-A: 1"), ROOT),
    "TE": passes(get(b"TE: trailers, chunked", b"Connection: TE"), ROOT),
    "h2c": passes(
        get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk") + NEXT,
        ROOT,
        ("GET", "/next", b""),
    ),
    "an upgrade that the server doesn't take": passes(
        get(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13") + NEXT,
        ROOT,
        ("GET", "/next", b""),
    ),
    "an upgrade with a body": passes(
        length(b"5", b"hello", b"Connection: Upgrade", b"Upgrade: websocket") + NEXT,
        HELLO,
        ("GET", "/next", b""),
    ),
    "1.0": ends(get(version=b"1.0") + HIDDEN, ROOT),
    "1.0 kept alive": passes(
        get(b"Connection: keep-alive", version=b"1.0") * 2 + NEXT, ROOT, ROOT, ("GET", "/next", b"")
    ),
    "1.0 with a body": ends(b"POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + HIDDEN, HELLO),
    "1.0 expects": ends(
        b"POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello", HELLO
    ),
    "the client closes": ends(get(b"Connection: close") + HIDDEN, ROOT),
    "the client closes, by one of several": ends(get(b"Connection: x, Close") + HIDDEN, ROOT),
    "it sends no more": Case(get(), (200,), (ROOT,), is_last=True, sends_no_more=True),
}

NOT_WHOLE = {
    "half a head": unfinished(b"GET / HTTP/1.1\r\nHost: a\r\n"),
    "half a body": unfinished(length(b"10", b"hello")),
    "half a chunk": unfinished(chunked(b"a\r\nhello")),
    "no last chunk": unfinished(chunked(b"5\r\nhello\r\n")),
    "half a last chunk": unfinished(chunked(b"5\r\nhello\r\n0\r\n")),
    "half of the trailers": unfinished(chunked(b"5\r\nhello\r\n0\r\nX: 1\r\n")),
}

SMUGGLED = {
    "CL.TE": refused(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG"
        + HIDDEN
    ),
    "TE.CL": refused(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"
        b"%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n0\r\n\r\n"
    ),
    **{
        f"TE.TE: {coding!r}": refused(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
            + coding
            + b"\r\n\r\n0\r\n\r\n"
            + HIDDEN
        )
        for coding in (
            b"Transfer-Encoding: x",
            b"Transfer-encoding: identity",
            b"Transfer-Encoding : chunked",
            b" Transfer-Encoding: chunked",
            b"X: x\nTransfer-Encoding: chunked",
            b"X: x\rTransfer-Encoding: chunked",
            b"Transfer-Encoding\n: chunked",
        )
    },
    "CL.0 of two lengths": refused(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN)
        + HIDDEN
    ),
    "length of many zeros": refused(length(b"0" * 18 + b"5", b"hello" + HIDDEN)),
    "length with an underscore": refused(length(b"1_0", b"hellohello" + HIDDEN)),
    "length in other digits": refused(length("\u0665".encode(), b"hello" + HIDDEN)),
    "length as a fraction": refused(length(b"5.0", b"hello" + HIDDEN)),
    "length with a comma at its end": refused(length(b"5,", b"hello" + HIDDEN)),
    "length of 2**64 + 5": refused(length(b"18446744073709551621", b"hello" + HIDDEN)),
    "coding with a comma before": refused(
        get(b"Transfer-Encoding: , chunked", method=b"POST") + b"0\r\n\r\n" + HIDDEN
    ),
    "coding with identity behind": refused(
        get(b"Transfer-Encoding: chunked, identity", method=b"POST") + b"0\r\n\r\n" + HIDDEN
    ),
    "coding in quotes": refused(get(b'Transfer-Encoding: "chunked"', method=b"POST") + b"0\r\n\r\n" + HIDDEN),
    "an empty coding": refused(get(b"Transfer-Encoding:", method=b"POST") + b"0\r\n\r\n" + HIDDEN),
    "space at the end of the first line": refused(b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n" + HIDDEN),
    "version 3.0": refused(b"GET / HTTP/3.0\r\nHost: a\r\n\r\n" + HIDDEN),
    "version 1": refused(b"GET / HTTP/1\r\nHost: a\r\n\r\n" + HIDDEN),
    "1.0 without Host": refused(b"GET / HTTP/1.0\r\n\r\n" + HIDDEN),
    "absolute target without Host": refused(b"GET http://a/ HTTP/1.1\r\n\r\n" + HIDDEN),
    "the next one begins within a body": refused(length(b"5", b"hello(" + HIDDEN), HELLO),
    "the next one begins behind a NUL": refused(get() + b"\x00" + HIDDEN, ROOT),
    "a bare LF ends a head": refused(b"GET / HTTP/1.1\r\nHost: a\r\n\n" + HIDDEN),
    "a bare CR ends a head": refused(b"GET / HTTP/1.1\r\nHost: a\r\n\r" + HIDDEN),
    "the first of two is good": refused(get() + b"GET / HTTP/1.1\r\nHost : a\r\n\r\n" + HIDDEN, ROOT),
    "chunk ends in the next request": refused(chunked(b"5\r\nhello" + HIDDEN)),
    "last chunk ends in the next request": refused(chunked(b"0\r\n" + HIDDEN)),
    "bare LF in an extension": refused(chunked(b"5;a\nhello\r\n0\r\n\r\n" + HIDDEN)),
    "bare CR in an extension": refused(chunked(b"5;a\rb\r\nhello\r\n0\r\n\r\n" + HIDDEN)),
    "chunk size of 17 digits": refused(chunked(b"00000000000000005\r\nhello\r\n0\r\n\r\n" + HIDDEN)),
    "chunk size with an underscore": refused(chunked(b"1_0\r\nhellohellohelloh\r\n0\r\n\r\n" + HIDDEN)),
    "chunk with a space behind it": refused(chunked(b"5\r\nhello \r\n0\r\n\r\n" + HIDDEN)),
    "bare LF behind the last chunk": refused(chunked(b"0\n\n" + HIDDEN)),
    "bare LF in the trailers": refused(chunked(b"0\r\nX: 1\nY: 2\r\n\r\n" + HIDDEN)),
}

CASES = {
    **UNDERSTOOD,
    **NOT_WHOLE,
    **SMUGGLED,
    **{
        f"head: {name}": refused(head + b"5\r\nhello\r\n0\r\n\r\n" + HIDDEN)
        for name, head in REFUSED_REQUESTS.items()
    },
    **{f"body: {name}": refused(chunked(body + HIDDEN)) for name, body in REFUSED_BODIES.items()},
}
