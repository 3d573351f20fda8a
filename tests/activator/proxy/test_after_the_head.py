"""Once the head of a response was written, the only way out is a visible abort, with a line in the log."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from activator.edge.refusals import Refusals
from activator.http.replies import IDLE_TIMEOUT
from testkit.proxy.harness import GET, HOST, Client, Proxy, Request, on_uvloop, reset, until

CHUNKED = b"POST / HTTP/1.1\r\nHost: " + HOST + b"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"


async def rest(client: Client) -> tuple[bytes, bool]:
    """What comes until the end, and whether that is a reset."""
    found = b""
    try:
        while data := await client.reader.read(1 << 16):
            found += data
    except ConnectionError:
        return found, True
    return found, False


@pytest.mark.parametrize(
    "length", [b"Content-Length: 300", b"Content-Length: 220", b"Transfer-Encoding: chunked"]
)
@pytest.mark.parametrize("malformed", [b"zz\r\n", b"5;" + b"a" * 300, b"0\r\nX : 1\r\n\r\n", b"5\r\nhelloo"])
@on_uvloop
async def test_a_malformed_request_body_after_the_head_of_the_response_aborts_it(
    length: bytes, malformed: bytes
) -> None:
    """No byte of a local response gets into the body, and one response is counted."""
    first = b"a\r\n" + b"x" * 10 + b"\r\n" if b"chunked" in length else b"x" * 10

    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"hello\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n\r\n" + first)
        await reader.read()

    async with Proxy() as proxy:
        pod = await proxy.ready(serve=early)
        client = await proxy.client()
        client.send(CHUNKED)
        await client.reader.readuntil(b"\r\n\r\n")
        await client.reader.readexactly(len(first))
        client.send(malformed)
        found, is_reset = await rest(client)
        assert (found, is_reset) == (b"", True)
        counts = proxy.revision.counts
        assert (counts.requests, counts.answers, counts.cut) == (1, [0, 0, 1, 0, 0, 0], 1)
        assert counts.refused == {}
        assert pod.connections == 1


@on_uvloop
async def test_a_tunnel_is_never_answered_locally() -> None:
    """It is aborted, and counts as the 101 that it was."""

    async def switch(request: Request) -> None:
        await request.reply(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        await asyncio.sleep(10)

    async with Proxy(upgrades=frozenset((b"websocket",))) as proxy:
        await proxy.ready(switch)
        client = await proxy.client()
        answer = await client.ask(GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert answer.status == 101
        (down,) = proxy.listener.gate.connections
        assert down.exchange is not None
        proxy.dispatcher.refused(down.exchange, IDLE_TIMEOUT)
        assert await rest(client) == (b"", True)
        assert proxy.revision.counts.answers == [0, 1, 0, 0, 0, 0]
        assert (proxy.revision.counts.refused, proxy.revision.counts.cut) == ({}, 1)


FIRST = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"


async def breaks_off(request: Request) -> None:
    await request.reply(FIRST)
    request.writer.close()


async def resets(request: Request) -> None:
    await request.reply(FIRST)
    await asyncio.sleep(0.05)
    reset(request.writer)


async def is_silent(request: Request) -> None:
    await request.reply(FIRST)
    await asyncio.sleep(20)


async def goes_on(request: Request) -> None:
    await request.reply(FIRST)
    while True:
        await asyncio.sleep(0.05)
        await request.reply(b"1\r\na\r\n")


async def is_malformed(request: Request) -> None:
    await request.reply(FIRST + b"zz\r\n")


@pytest.mark.parametrize(
    ("behave", "cause"),
    [
        (breaks_off, "the pod closed the connection too early"),
        (resets, "the pod's connection broke"),
        (is_silent, "the pod sent nothing for idleTimeoutSeconds, 0.4 s"),
        (goes_on, "it took longer than timeoutSeconds, 1 s"),
        (is_malformed, "the pod sent a malformed body: malformed chunk size"),
    ],
)
async def test_a_response_that_is_cut_leaves_a_line_that_says_why(
    behave: Callable[[Request], Awaitable[None]], cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With its revision and how long it took, as those that are refused before the first byte."""
    caplog.set_level(logging.INFO, "zerogate.activator")
    # A timeout that is not the cause is too long to be met on a slow machine.
    timeout, idle_timeout = (1.0 if behave is goes_on else 60.0), (0.4 if behave is is_silent else 50.0)
    async with Proxy(timeout=timeout, idle_timeout=idle_timeout) as proxy:
        proxy.dispatcher.on_cut = Refusals(proxy.dispatcher.clock).of_cut
        await proxy.ready(behave)
        client = await proxy.client()
        client.send(GET)
        assert (await rest(client))[1]
        await until(lambda: proxy.revision.counts.cut == 1)
    (line,) = caplog.records
    assert line.levelname == "WARNING"
    assert line.message.startswith("hello: response cut after ")
    assert line.message.endswith(f" ms: {cause}")
