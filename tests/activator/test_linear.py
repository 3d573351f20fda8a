"""The cost of a head grows with its length, not with the square of it, whoever sends it."""

import contextlib
import gc
import time
from collections.abc import Callable

import pytest

from activator.edge.http.downstream import without_empty_lines
from activator.http.answers import our_lines, read_answer
from activator.http.bodies import BadBody, ChunkedBody
from activator.http.forwarded import Peer
from activator.http.greeting import read_greeting
from activator.http.http1 import Malformed, check_unfinished, is_host, trailers
from activator.http.replies import wants_json
from activator.http.requests import read_request
from activator.http.upgrades import switched_to

Make = Callable[[int], bytes]
Read = Callable[[bytes], object]

SMALL, LARGE = 16_000, 64_000
"""Bytes of the heads that are compared: four times as long is four times as dear if the cost is linear."""
STEEPEST = 9.0
"""Times as dear that the larger one may be; a quadratic reader has sixteen."""
NEGLIGIBLE = 0.002
"""Seconds of CPU that are not compared: they are less than a busy machine blurs."""
MOST = 0.25
"""Seconds of CPU that the larger head may take on the slowest machine; a quadratic reader took four."""

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\n"
SWITCH = b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\n"
SEPARATORS = (
    b" ", b"\t", b",", b":", b";", b"=", b'"', b"/", b"-", b"_", b".", b"\\", b"(", b"\r", b"\n", b"\x00",
    b"\r\n", b"a", b"\xff", b" \t", b" :", b": ", b"a ", b"a:", b", ", b"\t,", b"\r\n ", b"a\r\n", b"a b\r\n",
    b"a: b\r\n", b": \r\n", b"a :\r\n",
)  # fmt: skip
"""What is repeated: each separator alone, in pairs, and as many short lines."""
NAMES = (
    b"Host", b"Connection", b"Upgrade", b"Transfer-Encoding", b"Content-Length", b"Accept", b"TE", b"Expect",
    b"Keep-Alive", b"Zerogate-X", b"K-X", b"X-Forwarded-For", b"X-Forwarded-X", b"Forwarded", b"Proxy",
    b"Knative-Serving-Tag", b"Date", b"X_Forwarded_X", b"X",
)  # fmt: skip


def repeated(before: bytes, part: bytes, behind: bytes) -> Make:
    """`part` as often as it fits, between the others."""
    return lambda size: before + part * (size // len(part)) + behind


def shapes() -> dict[str, Make]:
    """Lines behind the first one of a head, by what is repeated, and where."""
    made: dict[str, Make] = {}
    for part in SEPARATORS:
        made[f"lines of {part!r}"] = repeated(b"", part, b"")
        made[f"name of {part!r}"] = repeated(b"x", part, b"y: 1")
        made[f"name of {part!r}, no colon"] = repeated(b"x", part, b"y")
        for name in NAMES:
            made[f"{name.decode()} of {part!r}"] = repeated(name + b": a", part, b"b")
    for name in NAMES:
        made[f"many {name.decode()}"] = repeated(b"", name + b": x\r\n", b"")
        made[f"many {name.decode()}-"] = repeated(b"", name + b"-\r\n", b"")
    return made


def heads(first: bytes) -> dict[str, Make]:
    """All shapes behind a first line (and more), each a whole head."""

    def whole(make: Make) -> Make:
        return lambda size: first + make(size) + b"\r\n\r\n"

    return {name: whole(make) for name, make in shapes().items()}


def first_lines() -> dict[str, Make]:
    """Whole heads, by what is repeated in their first line."""
    places = {
        "method": (b"G", b" / HTTP/1.1"),
        "target": (b"GET /", b" HTTP/1.1"),
        "authority": (b"GET http://a", b"#x HTTP/1.1"),
        "authority and path": (b"GET http://a", b"/#x HTTP/1.1"),
        "version": (b"GET / HTTP/1.1", b""),
        "reason": (b"HTTP/1.1 200 a", b"\x01"),
        "status": (b"HTTP/1.1 2", b" OK"),
    }
    return {
        f"{name} of {part!r}": repeated(before, part, behind + b"\r\nHost: a\r\n\r\n")
        for part in SEPARATORS
        for name, (before, behind) in places.items()
    }


def read_as_request(head: bytes) -> None:
    request = read_request(head)
    Peer("192.0.2.1", ()).lines(request.means)
    wants_json(head)


def read_by_trusted(head: bytes) -> None:
    request = read_request(head, trusts_peer=True)
    Peer("192.0.2.1", ()).lines(request.means)


def read_as_answer(head: bytes) -> None:
    read_answer(head, b"GET")
    our_lines(head)


def read_as_switch(head: bytes) -> None:
    read_answer(head, b"GET")
    switched_to(head)


def read_in_pieces(head: bytes) -> None:
    """A head that has no end yet, in a thousand pieces."""
    step = len(head) // 1000
    for end in range(step, len(head), step):
        check_unfinished(head[:end], max(end - step, 0))


def read_chunks(body: bytes) -> None:
    reader = ChunkedBody()
    reader.feed(body)


def cost(read: Read, data: bytes) -> float:
    """The least CPU seconds of some attempts; what is refused has been read as well."""
    least = 1e9
    for _ in range(3):
        began = time.process_time()
        with contextlib.suppress(Malformed, BadBody, ValueError):
            read(data)
        least = min(least, time.process_time() - began)
        if not NEGLIGIBLE < least < MOST:
            break
    return least


def steep(read: Read, shapes: dict[str, Make]) -> list[str]:
    """The shapes whose cost is not linear."""
    found = []
    gc.disable()
    try:
        for name, make in shapes.items():
            large = cost(read, make(LARGE))
            if large < NEGLIGIBLE:
                continue
            small = cost(read, make(SMALL))
            if large > MOST or large / max(small, NEGLIGIBLE / 16) > STEEPEST:
                found.append(f"{name}: {small * 1000:.1f} ms, four times as long {large * 1000:.1f} ms")
    finally:
        gc.enable()
    return found


@pytest.mark.parametrize("read", [read_as_request, read_by_trusted])
def test_a_request_head_of_any_shape_costs_linear_time(read: Read) -> None:
    """Runs of each separator, many short lines, one long line, long names, long values; accepted or not."""
    assert steep(read, heads(REQUEST)) == []


def test_a_first_line_of_any_shape_costs_linear_time() -> None:
    """Method, target, authority and version of a request, status and reason of a response."""
    assert steep(read_as_request, first_lines()) == []
    assert steep(read_as_answer, first_lines()) == []


@pytest.mark.parametrize("first", [ANSWER, SWITCH], ids=["200", "101"])
def test_a_response_head_of_any_shape_costs_linear_time(first: bytes) -> None:
    """The same of pods, a 101 with its Upgrade included."""
    assert steep(read_as_switch if first is SWITCH else read_as_answer, heads(first)) == []


@pytest.mark.parametrize(
    "read", [switched_to, our_lines, wants_json, trailers, is_host, read_greeting, without_empty_lines]
)
def test_each_expression_alone_costs_linear_time(read: Read) -> None:
    """Whatever it is given, also what no grammar has looked at before."""
    alone = {f"alone: {part!r}": repeated(b"", part, b"") for part in SEPARATORS}
    assert steep(read, heads(b"\n") | alone) == []


def test_a_head_that_comes_in_pieces_costs_what_it_costs_whole() -> None:
    """What was found good before is not searched again: one long method, one long target, many lines."""
    growing = {
        "method": repeated(b"", b"G", b""),
        "target": repeated(b"GET /", b"a", b""),
        "lines": repeated(REQUEST, b"a: b\r\n", b""),
        "value": repeated(REQUEST + b"a: ", b" ", b""),
    }
    assert steep(read_in_pieces, growing) == []


def test_a_chunked_body_of_any_shape_costs_linear_time() -> None:
    """Chunk sizes, extensions and trailers."""
    bodies = {"small chunks": repeated(b"", b"1\r\na\r\n", b"")}
    for part in SEPARATORS:
        bodies[f"size of {part!r}"] = repeated(b"5", part, b"\r\n")
        bodies[f"extension of {part!r}"] = repeated(b"5;", part, b"\r\n")
        bodies[f"trailers of {part!r}"] = repeated(b"0\r\nx", part, b"\r\n\r\n")
    assert steep(read_chunks, bodies) == []
