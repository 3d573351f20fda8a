"""Which connections to pods are used again: those of which it is known that nothing else can come."""

import asyncio
import contextlib
import socket

import pytest

from testkit.fuzz.stage import Stage
from testkit.loop.fake_transport import Paper
from testkit.proxy.harness import (
    GET,
    HOST,
    Client,
    Pod,
    Proxy,
    Request,
    hello,
    ok,
    on_uvloop,
    post,
    read_request,
    until,
)
from tests.activator.proxy.test_peers import Pair

EVIL = ok(b"of somebody else")


def request(method: bytes, *lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([method + b" / HTTP/1.1", b"Host: " + HOST, *lines, b"", body])


def head(status: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 " + status, *lines, b"", b""])


CHUNKED = b"Transfer-Encoding: chunked"
FIVE = b"Content-Length: 5"
NONE = b"Content-Length: 0"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"

DOUBTFUL = {
    "HEAD": (request(b"HEAD"), head(b"200 OK", FIVE)),
    "HEAD without a length": (request(b"HEAD"), head(b"200 OK")),
    "HEAD of nothing": (request(b"HEAD"), head(b"200 OK", NONE)),
    "HEAD, chunked": (request(b"HEAD"), head(b"200 OK", CHUNKED)),
    "HEAD, 304": (request(b"HEAD"), head(b"304 Not Modified")),
    "204 with a length": (GET, head(b"204 No Content", FIVE)),
    "204, chunked": (GET, head(b"204 No Content", CHUNKED)),
    "304 with a length": (GET, head(b"304 Not Modified", FIVE)),
    "304, chunked": (GET, head(b"304 Not Modified", CHUNKED)),
    "204 to POST with a length": (post(b"x"), head(b"204 No Content", FIVE)),
    "205 with a body": (GET, head(b"205 Reset Content", FIVE) + b"hello"),
    "205 with chunks": (GET, head(b"205 Reset Content", CHUNKED) + CHUNKS),
    "103 with a length": (GET, head(b"103 Early Hints", FIVE) + ok()),
    "100 with chunks": (GET, head(b"100 Continue", CHUNKED) + ok()),
    "GET with a body": (request(b"GET", FIVE, body=b"hello"), ok()),
    "GET with chunks": (request(b"GET", CHUNKED, body=CHUNKS), ok()),
    "GET with no chunk": (request(b"GET", CHUNKED, body=b"0\r\n\r\n"), ok()),
    "HEAD with a body": (request(b"HEAD", FIVE, body=b"hello"), head(b"200 OK")),
    "DELETE with a body": (request(b"DELETE", FIVE, body=b"hello"), ok()),
    "OPTIONS with a body": (request(b"OPTIONS", FIVE, body=b"hello"), ok()),
    "TRACE with a body": (request(b"TRACE", FIVE, body=b"hello"), ok()),
}
"""Requests and responses after which more may come, or a part of the request may be unread at the pod."""

SETTLED = {
    "GET": (GET, ok()),
    "GET with no body": (request(b"GET", NONE), ok()),
    "DELETE with no body": (request(b"DELETE", NONE), ok()),
    "POST": (post(b"hello"), ok()),
    "PUT": (post(b"hello", method=b"PUT"), ok()),
    "PATCH with chunks": (request(b"PATCH", CHUNKED, body=CHUNKS), ok()),
    "chunks": (GET, head(b"200 OK", CHUNKED) + CHUNKS),
    "204": (GET, head(b"204 No Content")),
    "204 with length 0": (GET, head(b"204 No Content", NONE)),
    "304": (GET, head(b"304 Not Modified")),
    "304 with length 0": (GET, head(b"304 Not Modified", NONE)),
    "205": (GET, head(b"205 Reset Content", NONE)),
    "103": (GET, head(b"103 Early Hints", b"Link: </a>") + ok()),
}


async def final(client: Client, method: bytes) -> int:
    """The status of the next response that is no interim one."""
    while (answer := await client.answer(method)).status < 200:
        pass
    return int(answer.status)


@pytest.mark.parametrize("far", [False, True], ids=["straight", "through an owner"])
@pytest.mark.parametrize(
    ("request_", "answer", "connections"),
    [pytest.param(*row, 2, id=name) for name, row in DOUBTFUL.items()]
    + [pytest.param(*row, 1, id=name) for name, row in SETTLED.items()],
)
@on_uvloop
async def test_a_connection_is_used_again_only_if_nothing_else_can_come(
    request_: bytes, answer: bytes, connections: int, far: bool
) -> None:
    """The pod has not misbehaved in any of these cases: it could, later than the next request."""

    async def behave(request: Request) -> None:
        await request.reply(answer)

    method = request_.partition(b" ")[0]
    async with Pair() as pair:
        pod = await pair.owner.ready(behave)
        client = await (pair.client() if far else pair.owner.client())
        client.send(request_)
        assert await final(client, method) == int(answer.rpartition(b"HTTP/1.1 ")[2][:3])
        pod.behave = hello
        assert (await client.ask(GET)).body == b"Hello World!\n"
        assert (len(pod.requests), pod.connections) == (2, connections)


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        pytest.param(request(b"HEAD"), head(b"200 OK", FIVE), id="HEAD"),
        pytest.param(GET, head(b"204 No Content", b"Content-Length: %d" % len(EVIL)), id="204"),
        pytest.param(GET, ok(b"hello"), id="more than Content-Length"),
        pytest.param(post(b"x"), ok(b"hello"), id="more than Content-Length to POST"),
    ],
)
@pytest.mark.parametrize("next_", [GET, post(b"mine")], ids=["then GET", "then POST"])
@on_uvloop
async def test_bytes_that_a_pod_sends_behind_its_response_reach_nobody(
    request_: bytes, answer: bytes, next_: bytes
) -> None:
    """Also if the loop has not read them when the next request comes."""
    loop = asyncio.get_running_loop()
    async with Proxy() as proxy:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
            server.setblocking(False)
            client.setblocking(False)
            proxy.dispatcher.pod_ready(proxy.revision, "raw", *server.getsockname())
            await loop.sock_connect(client, proxy.listener.address)
            await loop.sock_sendall(client, request_)
            first, _ = await loop.sock_accept(server)
            await loop.sock_recv(first, 10_000)
            await loop.sock_sendall(first, answer)
            assert await loop.sock_recv(client, 10_000)
            client.send(next_)  # the loop learns of both at once, of the client first
            first.send(EVIL)
            with (await loop.sock_accept(server))[0] as second, first:
                assert next_[:4] in await loop.sock_recv(second, 10_000)
                await loop.sock_sendall(second, ok(b"mine"))
                assert (await loop.sock_recv(client, 10_000)).endswith(b"\r\n\r\nmine")
                with contextlib.suppress(ConnectionResetError):
                    assert await loop.sock_recv(first, 10_000) == b""


@pytest.mark.parametrize("size", [100, 20_000, 300_000, 3_000_000])
@pytest.mark.parametrize("method", [b"PUT", b"POST"])
@on_uvloop
async def test_a_pod_that_responds_before_it_has_received_the_body_gets_no_further_request(
    method: bytes, size: int
) -> None:
    """What it leaves unread would be its next request."""
    lines: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            lines.append((await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[0])
            writer.write(ok())
            await writer.drain()

    async with Proxy() as proxy:
        pod = await proxy.ready(serve=serve)
        client = await proxy.client()
        whole = post(b"G" * size, method=method)
        client.send(whole[:-10])
        assert (await client.answer()).status == 200
        client.send(whole[-10:])
        assert (await (await proxy.client()).ask(GET)).status == 200
        assert lines == [method + b" / HTTP/1.1", b"GET / HTTP/1.1"]
        assert pod.connections == 2


@on_uvloop
async def test_a_body_that_the_pod_has_not_received_is_unread() -> None:
    """Although the client has sent all of it: a part waits in the gateway's kernel."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await all_sent.wait()
        writer.write(ok())
        await asyncio.Event().wait()

    all_sent = asyncio.Event()
    async with Proxy() as proxy:
        pod = await proxy.ready(serve=serve)
        client = await proxy.client()
        client.send(post(b"x" * 1_000_000))
        await until(lambda: client.writer.transport.get_write_buffer_size() == 0)
        await asyncio.sleep(0.05)
        all_sent.set()
        assert (await client.answer()).status == 200
        pod.serve = pod._serve
        assert (await (await proxy.client()).ask(GET)).status == 200
        assert pod.connections == 2


@on_uvloop
async def test_a_pod_that_sends_before_a_request_loses_that_connection() -> None:
    """No connection is in the pool twice, so no two requests share one."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(b"early"))
        await writer.drain()
        while True:
            await (await read_request(reader, writer)).reply(ok())

    async with Proxy() as proxy:
        pod = await proxy.ready(serve=serve)
        known = proxy.revision.throttle.pods[pod.uid]
        known.pace.open()
        clients = [await proxy.client() for _ in range(60)]
        for client in clients:
            client.send(GET)
        await until(lambda: pod.connections >= 60)
        await asyncio.sleep(0.05)
        assert len(known.idle) == len(set(map(id, known.idle)))
        for client in clients:
            client.hang_up()


def test_bytes_that_come_with_the_connect_are_no_response() -> None:
    """The request is not sent on that connection, and is refused if all connections are like that."""
    wires: list[Paper] = []

    def serve(wire: Paper) -> None:
        wires.append(wire)
        wire.feed(EVIL)

    stage = Stage(serve=serve)
    try:
        stage.ready()
        client = stage.client()
        client.feed(GET)
        for _ in range(400):
            stage.loop.pass_time(0.03)
        assert client.sent.startswith(b"HTTP/1.1 502 ")
        assert b"upstream-unreachable" in client.sent
        assert len(wires) > 1
        assert not any(wire.sent for wire in wires)
        assert not any(pod.idle for pod in stage.revision.throttle.pods.values())
        stage.close()
    finally:
        stage.strike()


@on_uvloop
async def test_a_pod_that_closes_after_each_response_costs_no_post() -> None:
    """Once it has closed a connection soon after a response, requests that may not be repeated get new
    connections. Those that may be repeated do not need that.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader, writer)
        pod.requests.append(request)
        await request.reply(ok())
        await asyncio.sleep(0.02)

    async with Proxy() as proxy:
        pod = await proxy.ready(serve=serve)
        client = await proxy.client()
        assert (await client.ask(GET)).status == 200
        known = proxy.revision.throttle.pods[pod.uid]
        await until(lambda: not known.idle)
        for _ in range(30):
            assert (await client.ask(post(b"once"))).status == 200
        assert len(pod.requests) == pod.connections == 31
        assert proxy.revision.counts.repeated == 0


@on_uvloop
async def test_a_pod_that_closed_a_connection_is_trusted_again() -> None:
    """After a while without such an end, a POST takes a resting connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await (await read_request(reader, writer)).reply(ok())

    async with Proxy() as proxy:
        pod = await proxy.ready(serve=serve)
        client = await proxy.client()
        await client.ask(GET)
        known = proxy.revision.throttle.pods[pod.uid]
        await until(lambda: known.distrusted_until)
        pod.serve = pod._serve
        await client.ask(post(b"x"))
        await client.ask(post(b"x"))
        assert pod.connections == 3
        known.distrusted_until = 0.0  # as if that time were over
        await client.ask(post(b"x"))
        assert pod.connections == 3


@on_uvloop
async def test_a_client_that_leaves_while_its_pod_is_connected_leaves_a_usable_connection() -> None:
    """It rests once, and carries the next request."""
    async with Proxy() as proxy:
        pod = await proxy.start(Pod())
        proxy.tell(pod)
        known = proxy.revision.throttle.pods[pod.uid]
        client = await proxy.client()
        connection = next(iter(proxy.listener.gate.connections))
        connection.data_received(GET)
        connection.hung_up()
        await until(lambda: known.idle)
        assert len(known.idle) == 1
        client.hang_up()
        assert (await (await proxy.client()).ask(GET)).status == 200
        assert pod.connections == 1
