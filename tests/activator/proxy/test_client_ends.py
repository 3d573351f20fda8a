"""Clients that leave while their request is with a pod: it is cancelled there, and its slot is free."""

import asyncio
import time
from collections.abc import Callable

import pytest

from testkit.proxy.harness import GET, Client, Pod, Proxy, ok, on_uvloop, post, read_request, reset, until
from tests.activator.proxy.test_peers import Pair

POST = post(b"x" * 100)
OLD = GET.replace(b"HTTP/1.1", b"HTTP/1.0")
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"
CHUNKED_EVENTS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"9\r\ndata: 1\n\n\r\n"
)
AT_ONCE = 0.5
"""Seconds that are "at once" on a busy machine; the promise is 0.1."""


class Cancellable(Pod):
    """A pod that sends `begin`, then waits for the connection's end; `cancelled` counts those ends."""

    def __init__(self, begin: bytes = b"") -> None:
        super().__init__(serve=self._wait)
        self.begin = begin
        self.started = 0
        self.cancelled = 0

    async def _wait(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader, writer)
        self.started += 1
        writer.write(self.begin)
        try:
            assert await reader.read() == b""
        finally:
            self.cancelled += 1


def by_close(client: Client) -> None:
    client.writer.close()


def by_reset(client: Client) -> None:
    reset(client.writer)


def by_half_close(client: Client) -> None:
    client.writer.write_eof()


leaving = pytest.mark.parametrize("leave", [by_close, by_reset, by_half_close])
Leave = Callable[[Client], None]


@leaving
@pytest.mark.parametrize("begin", [b"", EVENTS, CHUNKED_EVENTS], ids=["no response", "SSE", "chunked SSE"])
@pytest.mark.parametrize("request_", [GET, POST, OLD], ids=["GET", "POST", "HTTP 1.0"])
@on_uvloop
async def test_a_client_that_leaves_cancels_its_request_at_the_pod(
    request_: bytes, begin: bytes, leave: Leave
) -> None:
    """Before the response and within it. The request counts as hung up, not as a response."""
    async with Proxy(container_concurrency=1) as proxy:
        pod = Cancellable(begin)
        proxy.tell(await proxy.start(pod))
        client = await proxy.client()
        client.send(request_)
        await until(lambda: pod.started == 1)
        if begin:
            await client.reader.readuntil(b"data: 1\n\n")
        before = time.monotonic()
        leave(client)
        await until(lambda: pod.cancelled == 1 and proxy.revision.throttle.busy == 0)
        assert time.monotonic() - before < AT_ONCE
        counts = proxy.revision.counts
        assert (counts.hung_up, counts.cut, sum(counts.answers)) == (1, 0, 0)
        assert proxy.revision.load.in_flight == 0
        pod.serve = pod._serve
        assert (await (await proxy.client()).ask(GET)).status == 200


@leaving
@pytest.mark.parametrize("begin", [b"", CHUNKED_EVENTS], ids=["no response", "SSE"])
@on_uvloop
async def test_a_client_that_leaves_cancels_its_request_behind_the_owner(begin: bytes, leave: Leave) -> None:
    """If another activator owns the hard limit, the slot there is free, too."""
    async with Pair() as pair:
        pod = Cancellable(begin)
        pair.owner.tell(await pair.owner.start(pod))
        client, other = await pair.client(), await pair.client()
        client.send(GET)
        await until(lambda: pod.started == 1)
        if begin:
            await client.reader.readuntil(b"data: 1\n\n")
        other.send(GET)
        await until(lambda: pair.owner.waiting == 1)
        pod.serve = pod._serve
        before = time.monotonic()
        leave(client)
        assert (await other.answer()).status == 200
        assert time.monotonic() - before < AT_ONCE
        for proxy, answers in ((pair.front, 1), (pair.owner, 1)):
            assert (proxy.revision.counts.hung_up, sum(proxy.revision.counts.answers)) == (1, answers)


@on_uvloop
async def test_a_fin_right_behind_the_request_cancels_it() -> None:
    """The gateway cannot know that this client would still read; the annotation says so."""
    for keeps, ended in ((False, True), (True, False)):
        async with Proxy(half_close=keeps) as proxy:
            await proxy.ready()
            client = await proxy.client()
            client.send(GET)
            client.writer.write_eof()
            if ended:
                assert await client.ended()
                assert proxy.revision.counts.hung_up == 1
            else:
                assert (await client.answer()).status == 200


@on_uvloop
async def test_a_half_closed_client_never_takes_a_part_for_the_whole() -> None:
    """If a client half-closes within a response whose end is the connection's, it gets a reset, not a FIN."""
    async with Proxy() as proxy:
        pod = Cancellable(EVENTS)
        proxy.tell(await proxy.start(pod))
        client = await proxy.client()
        client.send(OLD)
        await client.reader.readuntil(b"data: 1\n\n")
        client.writer.write_eof()
        with pytest.raises(ConnectionResetError):
            await client.reader.read()


@on_uvloop
async def test_requests_behind_a_cancelled_one_are_not_sent() -> None:
    """A client that has left does not wait for its pipelined requests either."""
    async with Proxy() as proxy:
        pod = Cancellable()
        proxy.tell(await proxy.start(pod))
        client = await proxy.client()
        client.send(GET + GET)
        await until(lambda: pod.started == 1)
        client.writer.close()
        await until(lambda: pod.cancelled == 1)
        assert proxy.entered == 1


PIPELINED = GET + b"GET /" + b"x" * 200_000
UPLOAD = post(b"").replace(b"Content-Length: 0", b"Content-Length: 50000000") + b"x" * 10_000_000


@pytest.mark.parametrize(
    ("request_", "leave"),
    [(PIPELINED, by_close), (PIPELINED, by_reset), (UPLOAD, by_reset)],
    ids=["pipelined, FIN", "pipelined, reset", "upload, reset"],
)
@on_uvloop
async def test_a_client_that_is_not_read_from_is_noticed_when_it_leaves(
    request_: bytes, leave: Leave
) -> None:
    """The gateway does not read while the pod does not, or while much is pipelined. A FIN is noticed only if
    all that the client sent before it fits into the buffers of the sockets.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.Event().wait()

    async with Proxy() as proxy:
        pod = await proxy.ready(serve=serve)
        client = await proxy.client()
        client.send(request_)
        await until(lambda: pod.connections == 1)
        connection = next(iter(proxy.listener.gate.connections))
        await until(lambda: not connection.flow.is_reading)
        before = time.monotonic()
        leave(client)
        await until(lambda: proxy.revision.throttle.busy == 0)
        assert time.monotonic() - before < AT_ONCE
        assert proxy.revision.counts.hung_up == 1


@on_uvloop
async def test_an_upload_that_stands_still_for_a_moment_is_not_cancelled() -> None:
    """A pod that reads slowly gets all of it."""
    body = bytes(range(256)) * 40_000

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await go.wait()
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        request = await read_request(reader, writer)
        await request.reply(ok(b"%d" % (request.body == body)))

    go = asyncio.Event()
    async with Proxy() as proxy:
        await proxy.ready(serve=serve)
        client = await proxy.client()
        client.send(post(body))
        connection = next(iter(proxy.listener.gate.connections))
        await until(lambda: connection.watched >= 0)
        go.set()
        assert (await client.answer()).body == b"1"
        assert connection.watched < 0
