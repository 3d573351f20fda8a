"""What pods answer, byte by byte: what of it a client gets, and whether the connection to the pod goes on."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from testkit.proxy.harness import GET, HOST, Proxy, Request, hello, in_pieces, ok, on_uvloop, post
from testkit.proxy.malformed import REFUSED_ANSWERS, REFUSED_BODIES

HEAD = GET.replace(b"GET", b"HEAD")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HIDDEN = ok(b"hidden")

MALFORMED = {
    **REFUSED_ANSWERS,
    "no HTTP": b"what?\r\n\r\n",
    "an empty line first": b"\r\n" + ok(),
    "version 0.9": b"<html></html>\r\n\r\n",
    "version 1.2": b"HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n",
    "status 099": b"HTTP/1.1 099 No\r\nContent-Length: 0\r\n\r\n",
    "no space before the reason": b"HTTP/1.1 200OK\r\nContent-Length: 0\r\n\r\n",
    "listed lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx",
    "positive length": b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
    "empty length": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
    "huge length": b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n",
    "identity behind chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "no coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\n",
    "empty name": b"HTTP/1.1 200 OK\r\n: 1\r\n\r\n",
    "a line without a colon": b"HTTP/1.1 200 OK\r\nX\r\n\r\n",
    "lines that end with LF": b"HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 3\n\nok\n",
    "a line that ends with LF": b"HTTP/1.1 200 OK\r\nContent-Length: 3\nX: 1\r\n",
    "bytes that are no head": b"garbage without any line end",
    "a banner": b"SSH-2.0-server\r\n",
    "a first byte that is no head's": b"\x00",
    "a status of four digits": b"HTTP/1.1 2000",
    "a malformed field line": b"HTTP/1.1 200 OK\r\nX\r\n",
    "bytes that are no head behind a 103": b"HTTP/1.1 103 Hints\r\n\r\ngarbage",
    "bare LF in a 103": b"HTTP/1.1 103 Hints\nLink: x\r\n\r\n" + ok(),
    "malformed behind a 103": b"HTTP/1.1 103 Hints\r\n\r\nwhat?\r\n\r\n",
    "101 that nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "too many 1xx": b"HTTP/1.1 100 Continue\r\n\r\n" * 100 + ok(),
    "a head too large": b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 70_000,
}


@dataclass(frozen=True)
class Good:
    """`body` and `trailers` as the client gets them; `goes_on`: the pod's connection carries the next
    request; `closes`: the pod closes behind its answer; `lines`: headers that the client must see, `gone`
    those that it must not.
    """

    answer: bytes
    body: bytes = b"hello"
    trailers: bytes = b""
    request: bytes = GET
    status: int = 200
    goes_on: bool = True
    closes: bool = False
    lines: tuple[bytes, ...] = ()
    gone: tuple[bytes, ...] = ()


HELLO = b"Content-Length: 5\r\n\r\nhello"

UNDERSTOOD = {
    "length": Good(b"HTTP/1.1 200 OK\r\n" + HELLO, lines=(b"Content-Length: 5",)),
    "length 0": Good(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    "no reason": Good(b"HTTP/1.1 200\r\n" + HELLO),
    "an empty reason": Good(b"HTTP/1.1 200 \r\n" + HELLO),
    "a reason in other letters": Good(b"HTTP/1.1 200 d\xe4s geht\r\n" + HELLO),
    "order, case and repeats": Good(
        b"HTTP/1.1 200 OK\r\nsEt-cookie: b\r\nX-A:\r\nSet-Cookie: a\r\nX-A:  2\t\r\n" + HELLO,
        lines=(b"sEt-cookie: b", b"X-A:", b"Set-Cookie: a", b"X-A:  2\t", b"Content-Length: 5"),
    ),
    "hop by hop": Good(
        b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nConnection: x-a\r\nX-A: 1\r\nX-B: 1\r\n"
        b"Connection: X-C, keep-alive\r\nX-C: 1\r\nProxy-Connection: close\r\n" + HELLO,
        lines=(b"X-B: 1",),
        gone=(b"X-A", b"X-C", b"Connection", b"Keep-Alive", b"Proxy-Connection"),
    ),
    "Connection names the length": Good(b"HTTP/1.1 200 OK\r\nConnection: Content-Length\r\n" + HELLO),
    "chunked": Good(CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
    "chunked in capitals": Good(
        b"HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    ),
    "chunk extensions": Good(CHUNKED + b'5;a="b"\r\nhello\r\n0;c\r\n\r\n'),
    "trailers": Good(
        CHUNKED + b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\nZerogate-Reason: x\r\n\r\n",
        trailers=b"X-Sum: 1\r\n",
    ),
    "until the end": Good(b"HTTP/1.1 200 OK\r\n\r\nhello", closes=True, goes_on=False),
    "until the end, nothing": Good(b"HTTP/1.1 200 OK\r\n\r\n", b"", closes=True, goes_on=False),
    "1.0 until the end": Good(b"HTTP/1.0 200 OK\r\n\r\nhello", closes=True, goes_on=False),
    "1.0 with a length": Good(b"HTTP/1.0 200 OK\r\n" + HELLO, goes_on=False),
    "1.0 kept alive": Good(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + HELLO),
    "it closes": Good(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + HELLO, closes=True, goes_on=False),
    "it says that it closes": Good(b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\n" + HELLO, goes_on=False),
    "it closes and did not say so": Good(b"HTTP/1.1 200 OK\r\n" + HELLO, closes=True, goes_on=False),
    "103": Good(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n" + HELLO),
    "100 that nobody waits for": Good(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n" + HELLO),
    "HEAD with a length": Good(
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"",
        request=HEAD,
        lines=(b"Content-Length: 5",),
        goes_on=False,
    ),
    "HEAD with a coding": Good(CHUNKED, b"", request=HEAD, gone=(b"Content-Length",), goes_on=False),
    "HEAD and a body": Good(b"HTTP/1.1 200 OK\r\n" + HELLO, b"", request=HEAD, goes_on=False),
    "HEAD and another answer": Good(
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + HIDDEN, b"", request=HEAD, goes_on=False
    ),
    "204": Good(b"HTTP/1.1 204 No Content\r\n\r\n", b"", status=204, gone=(b"Content-Length",)),
    "204 with a length": Good(
        b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nX: 1\r\n\r\n",
        b"",
        status=204,
        lines=(b"X: 1",),
        gone=(b"Content-Length",),
        goes_on=False,
    ),
    "204 with a coding": Good(
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"",
        status=204,
        gone=(b"Transfer-Encoding",),
        goes_on=False,
    ),
    "204 and a body": Good(b"HTTP/1.1 204 No Content\r\n" + HELLO, b"", status=204, goes_on=False),
    "205": Good(b"HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n", b"", status=205),
    "304 with a length": Good(
        b"HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 5\r\n\r\n",
        b"",
        status=304,
        lines=(b"ETag: x", b"Content-Length: 5"),
        goes_on=False,
    ),
    "304 and a body": Good(b"HTTP/1.1 304 Not Modified\r\n" + HELLO, b"", status=304, goes_on=False),
    "another answer behind it": Good(b"HTTP/1.1 200 OK\r\n" + HELLO + HIDDEN, goes_on=False),
    "another answer behind the last chunk": Good(
        CHUNKED + b"5\r\nhello\r\n0\r\n\r\n" + HIDDEN, goes_on=False
    ),
    "299": Good(b"HTTP/1.1 299 Well\r\n" + HELLO, status=299),
    "599": Good(b"HTTP/1.1 599 Ill\r\n" + HELLO, status=599),
}


def rows(table: dict[str, Any]) -> list[Any]:
    return [pytest.param(row, id=name) for name, row in table.items()]


sizes = pytest.mark.parametrize("size", [1 << 20, 1], ids=["whole", "pieces"])


def says(data: bytes, size: int, *, closes: bool = False) -> Callable[..., Any]:
    """A pod that answers so, and goes on to read."""

    async def behave(request: Request) -> None:
        try:
            await in_pieces(request.writer, data, max(size, len(data) // 500))
        except ConnectionError:  # it was cut before it had said all
            return
        if closes:
            request.writer.close()

    return behave


@sizes
@pytest.mark.parametrize("request_", [GET, post(b"hello")], ids=["GET", "POST"])
@pytest.mark.parametrize("answer", rows(MALFORMED))
@on_uvloop
async def test_malformed_answers_are_502(answer: bytes, request_: bytes, size: int) -> None:
    """bad-answer; that connection is not used again; the client's is, and the next request is served."""
    async with Proxy() as proxy:
        pod = await proxy.ready(says(answer, size))
        client = await proxy.client()
        client.send(request_)
        while (got := await client.answer()).status < 200:
            assert b"103" in answer
        assert (got.status, got.reason) == (502, "bad-answer")
        pod.behave = hello
        assert (await client.ask(GET)).body == b"Hello World!\n"
        assert (len(pod.requests), pod.connections) == (2, 2)


@sizes
@pytest.mark.parametrize("body", rows(REFUSED_BODIES))
@on_uvloop
async def test_malformed_bodies_of_answers_are_cut(body: bytes, size: int) -> None:
    """By a reset; no answer of ours stands in the middle of the pod's, and the next request is served."""
    async with Proxy() as proxy:
        pod = await proxy.ready(says(CHUNKED + body + HIDDEN, size))
        client = await proxy.client()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.ask(GET)
        with pytest.raises(ConnectionError):
            await client.reader.read()
        pod.behave = hello
        assert (await (await proxy.client()).ask(GET)).body == b"Hello World!\n"
        assert (len(pod.requests), pod.connections, proxy.revision.counts.cut) == (2, 2, 1)


@sizes
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize("good", rows(UNDERSTOOD))
@on_uvloop
async def test_odd_answers_get_through(good: Good, version: bytes, size: int) -> None:
    """Whole, with their headers, to clients of both versions; the next request is served by that connection
    to the pod or by a new one, and never by what came behind the answer's end.
    """
    request = good.request.replace(b"HTTP/1.1\r\n", b"HTTP/" + version + b"\r\n")
    method = request.partition(b" ")[0]
    async with Proxy() as proxy:
        pod = await proxy.ready(says(good.answer, size, closes=good.closes))
        client = await proxy.client()
        answer = await client.ask(request, method)
        if b" 103 " in good.answer and version == b"1.1":
            assert (answer.status, answer.value(b"Link")) == (103, b"</a>")
            answer = await client.answer(method)
        assert (answer.status, answer.body) == (good.status, good.body)
        assert [each for each in answer.lines if each in good.lines] == list(good.lines)
        gone = good.gone if version == b"1.1" else [name for name in good.gone if name != b"Connection"]
        assert [name for name in gone if answer.value(name) is not None] == []
        if version == b"1.0":
            assert await client.ended()
            client = await proxy.client()
        else:
            assert answer.trailers == good.trailers
        pod.behave = hello
        assert (await client.ask(GET)).body == b"Hello World!\n"
        assert (len(pod.requests), pod.connections) == (2, 1 if good.goes_on else 2)


UPLOAD = 4 << 20
ANNOUNCED = 1 << 30


@pytest.mark.parametrize("closes", [True, False], ids=["closes", "stays"])
@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"Content-Length: %d" % ANNOUNCED, b"x" * UPLOAD),
        (b"Transfer-Encoding: chunked", b"%x\r\n" % ANNOUNCED + b"x" * UPLOAD),
    ],
    ids=["length", "chunked"],
)
@on_uvloop
async def test_an_early_answer_reaches_a_client_that_still_sends(
    framing: bytes, body: bytes, closes: bool
) -> None:
    """The pod refuses after the head and reads no more, or even closes: the client gets its answer all the
    same.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nno\n")
        await writer.drain()
        if not closes:
            await asyncio.Event().wait()

    async with Proxy() as proxy:
        pod = await proxy.ready(serve=serve)
        for _ in range(10):
            client = await proxy.client()
            client.send(b"POST / HTTP/1.1\r\nHost: " + HOST + b"\r\n" + framing + b"\r\n\r\n" + body)
            answer = await client.answer()
            assert (answer.status, answer.body, answer.value(b"Connection")) == (413, b"no\n", b"close")
            assert await client.ended()
        assert pod.connections == 10


@on_uvloop
async def test_an_early_answer_is_not_lost_when_the_pod_leaves_with_it() -> None:
    """Its kernel resets the connection, as it had not read all: what comes from the client just then, and
    cannot be passed on any more, costs it nothing.
    """
    loop = asyncio.get_running_loop()
    early = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nno\n"
    async with Proxy() as proxy:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
            server.setblocking(False)
            client.setblocking(False)
            proxy.dispatcher.pod_ready(proxy.revision, "raw", *server.getsockname())
            await loop.sock_connect(client, proxy.listener.address)
            await loop.sock_sendall(client, post(b"").replace(b": 0", b": %d" % ANNOUNCED))
            pod, _ = await loop.sock_accept(server)
            await loop.sock_recv(pod, 20)  # some of it stays unread
            client.send(b"x" * 1000)  # the loop hears of both at once, of the client first
            pod.send(early)
            pod.close()
            assert (await loop.sock_recv(client, 10_000)).endswith(b"\r\n\r\nno\n")


@on_uvloop
async def test_an_early_answer_that_goes_on_with_the_upload() -> None:
    """The answer begins before the body's end, and ends after it: both are whole, and the pod is told all."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nread")
        await reader.readexactly(UPLOAD)
        writer.write(b" all")
        await reader.read()

    async with Proxy() as proxy:
        await proxy.ready(serve=serve)
        client = await proxy.client()
        client.send(post(b"x" * UPLOAD))
        answer = await client.answer()
        assert (answer.status, answer.body) == (200, b"read all")
        assert await client.ended()
