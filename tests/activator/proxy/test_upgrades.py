"""Connections that switch protocols: a real WebSocket client, a real server, and bytes where it matters."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Any, Self

import aiohttp
import pytest
from aiohttp import WSMsgType, web
from aiohttp.client_ws import ClientWebSocketResponse
from aiohttp.web_ws import WebSocketResponse
from hypothesis import given
from hypothesis import strategies as st

from activator.http.requests import read_request
from activator.http.upgrades import asked_for, switched_to
from activator.http.websocket import CLOSE_FROM_CLIENT, CLOSE_FROM_SERVER, Frames
from activator.settings import ProxySettings
from testkit.proxy.clock import Clock
from testkit.proxy.harness import HOST, Pod, Proxy, Request, on_uvloop, until

ASK = b"GET /ws HTTP/1.1\r\nHost: " + HOST + b"\r\nConnection: keep-alive, Upgrade\r\nUpgrade: %b\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n"


class EchoPod(Pod):
    """A WebSocket server that says everything twice; `closed` are the codes that its clients left with."""

    def __init__(self, uid: str = "pod-1") -> None:
        super().__init__(uid=uid)
        self.closed: list[int | None] = []
        self.open = 0
        self._runner: Any = None

    async def start(self) -> Self:
        app = web.Application()
        app.router.add_get("/", self._echo)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        server: Any = site._server
        self.port = server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _echo(self, request: web.Request) -> WebSocketResponse[Any]:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.open += 1
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(message.data * 2)
            else:
                await socket.send_bytes(message.data * 2)
        self.open -= 1
        self.closed.append(socket.close_code)
        return socket


@contextlib.asynccontextmanager
async def socket_to(proxy: Proxy) -> AsyncIterator[ClientWebSocketResponse[Any]]:
    """A WebSocket of aiohttp through the proxy."""
    host, port = proxy.listener.address
    async with aiohttp.ClientSession() as session:
        headers = {"Host": HOST.decode()}
        async with session.ws_connect(f"http://{host}:{port}/", headers=headers) as socket:
            yield socket


def up_of(proxy: Proxy) -> Any:
    """The one connection to a pod that a client's request goes over."""
    (down,) = proxy.listener.gate.connections
    assert down.exchange is not None
    return down.exchange.up


async def echo(proxy: Proxy) -> EchoPod:
    """A WebSocket server behind the proxy."""
    pod = EchoPod()
    await proxy.start(pod)
    proxy.tell(pod)
    return pod


@on_uvloop
async def test_a_websocket_from_zero_is_held_and_then_passed_both_ways() -> None:
    """It wakes the revision as any request; large messages and small ones come back twice."""
    async with Proxy() as proxy:
        through = socket_to(proxy)
        opening = asyncio.create_task(through.__aenter__())
        await until(lambda: proxy.waiting)
        assert proxy.first == [proxy.revision]
        pod = await echo(proxy)
        socket = await opening
        await socket.send_str("hello")
        assert (await socket.receive()).data == "hellohello"
        await socket.send_bytes(b"x" * 200_000)
        assert len((await socket.receive()).data) == 400_000
        await socket.close(code=4000)
        await until(lambda: pod.closed == [4000])
        await through.__aexit__(None, None, None)


@on_uvloop
async def test_an_open_websocket_counts_as_concurrency_until_it_closes() -> None:
    """In the load that is reported, and in its pod's slot."""
    async with Proxy() as proxy:
        await echo(proxy)
        async with socket_to(proxy) as socket:
            await socket.send_str("a")
            await socket.receive()
            pod = proxy.revision.throttle.pods["pod-1"]
            assert (proxy.revision.load.in_flight, pod.in_flight) == (1, 1)
        await until(lambda: not proxy.revision.load.in_flight and not pod.in_flight)


@on_uvloop
async def test_an_open_websocket_outlives_the_total_timeout() -> None:
    """The revision's timeouts end with the 101."""
    clock = Clock()
    async with Proxy(clock=clock, timeout=8.0, response_start_timeout=8.0, idle_timeout=8.0) as proxy:
        await echo(proxy)
        async with socket_to(proxy) as socket:
            await clock.forward(1000.0, proxy)
            await socket.send_str("a")
            assert (await socket.receive()).data == "aa"
        # Leaving closes it in good order: it was still open.
        assert socket.close_code == 1000


@on_uvloop
async def test_a_silent_websocket_is_closed_by_its_own_idle_timeout() -> None:
    """With a close frame 1001 to both sides; a message in time puts it off."""
    clock = Clock()
    async with Proxy(clock=clock, upgrade_idle_timeout=8.0) as proxy:
        pod = await echo(proxy)
        async with socket_to(proxy) as socket:
            for _ in range(4):
                await clock.forward(7.875, proxy)
                await socket.send_str("a")
                assert (await socket.receive()).data == "aa"
            await clock.forward(8.0, proxy)
            assert (await socket.receive()).type is WSMsgType.CLOSE
            assert socket.close_code == 1001
        await until(lambda: pod.closed == [1001])


@on_uvloop
async def test_on_drain_a_websocket_gets_a_close_frame_and_time_to_leave() -> None:
    """The client hears 1001 between two messages, the pod too, and the drain is over when it has left."""
    async with Proxy() as proxy:
        pod = await echo(proxy)
        async with socket_to(proxy) as socket:
            await socket.send_str("a")
            assert (await socket.receive()).data == "aa"
            proxy.listener.begin_drain(0)
            assert (await socket.receive()).type is WSMsgType.CLOSE
            assert socket.close_code == 1001
        await proxy.listener.drained()
        await until(lambda: pod.closed == [1001])


@on_uvloop
async def test_a_pod_on_its_way_out_has_its_websockets_closed() -> None:
    """Clients hear 1001 and can come again: the next one goes to another pod."""
    async with Proxy() as proxy:
        pod = await echo(proxy)
        async with socket_to(proxy) as socket:
            await socket.send_str("a")
            await socket.receive()
            proxy.gone(pod)
            assert (await socket.receive()).type is WSMsgType.CLOSE
            assert socket.close_code == 1001


@on_uvloop
async def test_one_that_does_not_leave_is_cut_after_the_grace() -> None:
    """A client that ignores the close frame does not keep the gateway from ending."""
    clock = Clock()
    async with Proxy(settings=ProxySettings(upgrade_grace=8.0), clock=clock) as proxy:
        pod = await proxy.ready(lambda request: request.reply(SWITCH % b"websocket"))
        client = await proxy.client()
        answer = await client.ask(ASK % b"websocket")
        assert answer.status == 101
        assert answer.value(b"Upgrade") == b"websocket"
        assert answer.value(b"Connection") == b"Upgrade"
        proxy.listener.begin_drain(0)
        assert await client.reader.readexactly(4) == CLOSE_FROM_SERVER
        await clock.forward(7.875, proxy)
        assert proxy.revision.load.in_flight == 1
        await clock.forward(0.125, proxy)
        assert await client.ended()
        assert len(pod.requests) == 1


@on_uvloop
async def test_what_follows_a_switch_belongs_to_the_new_protocol() -> None:
    """Bytes behind the 101, and half a close: the pod hears the end and still finishes."""

    readers: dict[asyncio.StreamWriter, asyncio.StreamReader] = {}

    async def other(request: Request) -> None:
        assert request.value(b"Upgrade") == b"other/2"
        await request.reply(SWITCH % b"other/2" + b"welcome")
        reader = readers[request.writer]
        assert await reader.read() == b"bye"  # up to the client's end
        await request.reply(b"so long")
        request.writer.close()

    async with Proxy(upgrades=frozenset((b"websocket", b"other/2"))) as proxy:
        pod = await proxy.start(Pod(other))
        serve = pod._serve

        async def remembering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            readers[writer] = reader
            await serve(reader, writer)

        pod.serve = remembering
        proxy.tell(pod)
        client = await proxy.client()
        assert (await client.ask(ASK % b"other/2")).status == 101
        assert await client.reader.readexactly(7) == b"welcome"
        client.send(b"bye")
        client.writer.write_eof()
        assert await client.reader.read() == b"so long"


@pytest.mark.parametrize("protocol", [b"h2c", b"H2C", b"other/2", b"websocket, h2c", b"TLS/1.0"])
@on_uvloop
async def test_no_other_protocol_is_forwarded(protocol: bytes) -> None:
    """The request goes on without the wish, as any other; h2c never, whatever a revision lists."""
    async with Proxy(upgrades=frozenset((b"websocket", b"h2c", b"tls/1.0"))) as proxy:
        pod = await proxy.ready()
        answer = await (await proxy.client()).ask(ASK % protocol)
        assert answer.status == 200
        assert pod.requests[0].values(b"Upgrade") == []
        assert pod.requests[0].values(b"Connection") == []


@pytest.mark.parametrize(
    ("asked", "answered"), [(b"nothing", b"websocket"), (b"websocket", b"other"), (b"websocket", b"h2c")]
)
@on_uvloop
async def test_a_pod_that_switches_unasked_is_502(asked: bytes, answered: bytes) -> None:
    async with Proxy() as proxy:
        await proxy.ready(lambda request: request.reply(SWITCH % answered))
        answer = await (await proxy.client()).ask(ASK % asked)
        assert (answer.status, answer.reason) == (502, "bad-answer")


@on_uvloop
async def test_a_refused_handshake_is_an_answer_like_any_other() -> None:
    """The pod may say no; the connection is used again."""
    async with Proxy() as proxy:
        await proxy.ready()
        client = await proxy.client()
        for _ in range(2):
            assert (await client.ask(ASK % b"websocket")).status == 200


@on_uvloop
async def test_a_slow_reader_stops_a_fast_sender_in_a_tunnel() -> None:
    """No more than the sockets hold is taken from the pod."""
    sent = 0

    async def flood(request: Request) -> None:
        nonlocal sent
        await request.reply(SWITCH % b"websocket")
        while sent < 64 << 20:
            await request.reply(b"\x82\x7e\xff\xff" + b"x" * 65535)
            sent += 65539

    async with Proxy() as proxy:
        await proxy.ready(flood)
        client = await proxy.client()
        assert (await client.ask(ASK % b"websocket")).status == 101
        await until(lambda: not up_of(proxy).flow.is_reading)
        assert sent < 32 << 20


# -- frames --


def frame(opcode: int, payload: bytes, *, mask: bytes = b"") -> bytes:
    size = len(payload)
    head = bytes([0x80 | opcode])
    flag = 0x80 if mask else 0
    if size < 126:
        head += bytes([flag | size])
    elif size < 1 << 16:
        head += bytes([flag | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([flag | 127]) + size.to_bytes(8, "big")
    return head + mask + payload


FRAMES = st.builds(
    frame,
    st.sampled_from([0, 1, 2, 9, 10]),
    st.one_of(st.binary(max_size=140), st.integers(65530, 65545).map(bytes)),
    mask=st.sampled_from([b"", b"mask"]),
)


@given(frames=st.lists(FRAMES, min_size=1, max_size=4), cuts=st.lists(st.integers(0, 70_000), max_size=6))
def test_ends_of_frames_are_found_however_the_bytes_come(frames: list[bytes], cuts: list[int]) -> None:
    """Between frames exactly where one ends, for any split."""
    stream = b"".join(frames)
    ends, at = {0}, 0
    for each in frames:
        at += len(each)
        ends.add(at)
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    follower = Frames()
    for start, end in itertools.pairwise(places):
        piece = stream[start:end]
        rest = follower.rest_of_frame(piece)
        expected = min((place for place in ends if place >= start), default=end)
        assert rest == min(expected, end) - start
        follower.feed(piece[rest:])
        assert follower.is_between == (end in ends)
    assert not follower.has_closed


@pytest.mark.parametrize("close", [CLOSE_FROM_SERVER, CLOSE_FROM_CLIENT])
def test_close_frames_of_ours_are_whole_frames(close: bytes) -> None:
    follower = Frames()
    for byte in close:
        assert not follower.has_closed
        follower.feed(bytes([byte]))
    assert follower.has_closed
    assert follower.is_between


@pytest.mark.parametrize(
    ("lines", "protocol"),
    [
        (b"Connection: Upgrade\r\nUpgrade: WebSocket\r\n", b"websocket"),
        (b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n", b"websocket"),
        (b"Upgrade: websocket\r\n", b""),
        (b"Connection: Upgrade\r\n", b""),
        (b"Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: other\r\n", b""),
        (b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n", b""),
        (b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n", b""),
    ],
)
def test_which_wish_to_switch_counts(lines: bytes, protocol: bytes) -> None:
    request = read_request(b"GET / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n")
    assert asked_for(request, frozenset((b"websocket", b"h2c"))) == protocol


def test_a_post_switches_nothing() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert asked_for(read_request(head), frozenset((b"websocket",))) == b""


def test_a_101_must_name_one_protocol() -> None:
    assert switched_to(SWITCH % b"WebSocket") == b"websocket"
    assert switched_to(b"HTTP/1.1 101 X\r\n\r\n") == b""
    assert switched_to(b"HTTP/1.1 101 X\r\nUpgrade: a\r\nUpgrade: b\r\n\r\n") == b""
