"""A hook that raises is logged, and the step that calls it has happened all the same."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import pytest

from activator.edge.http.dispatch import Dispatcher
from activator.edge.requestlog import RequestLog
from activator.settings import ProxySettings
from testkit.proxy.harness import GET, Client, Pod, Proxy, Request, hello, on_uvloop, post, reset, until

HOOKS = (
    "on_first", "on_waiting", "on_pod_empty", "on_slot_left", "on_cold_start", "on_refused", "on_turned_away",
    "on_cut", "on_over",
)  # fmt: skip
UPGRADE = GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
CLOSE = b"\x88\x02\x03\xe8"


class Raising:
    """All hooks of a dispatcher raise; `calls` counts them by name."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.calls: dict[str, int] = {}
        for name in HOOKS:
            setattr(dispatcher, name, self._hook(name))

    def _hook(self, name: str) -> Callable[..., None]:
        def hook(*_args: object, **_more: object) -> None:
            self.calls[name] = self.calls.get(name, 0) + 1
            raise RuntimeError(name)

        return hook


async def breaks_off(request: Request) -> None:
    if b"/break" in request.head:
        await request.reply(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        request.reset()
    elif b"/garbage" in request.head:
        await request.reply(b"nonsense\r\n\r\n")
    elif request.value(b"Upgrade"):
        await request.reply(SWITCH + CLOSE)
        request.writer.close()
    else:
        await hello(request)


@on_uvloop
async def test_whatever_raises_each_request_is_answered_and_each_count_is_zero() -> None:
    """Cold, warm, refused, cut, tunnelled, on one connection where it goes on."""
    async with Proxy(upgrades=frozenset((b"websocket",))) as proxy:
        raising = Raising(proxy.dispatcher)
        client = await proxy.client()
        client.send(GET)
        await until(lambda: proxy.waiting == 1)
        pod = await proxy.ready(breaks_off)
        assert (await client.answer()).status == 200
        assert (await client.ask(GET + GET)).status == 200
        assert (await client.answer()).status == 200
        assert (await client.ask(b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n")).status == 404
        assert (await client.ask(GET.replace(b"GET / ", b"GET /garbage "))).status == 502
        broken = await proxy.client()
        broken.send(GET.replace(b"GET / ", b"GET /break "))
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await broken.answer()
        tunnel = await proxy.client()
        assert (await tunnel.ask(UPGRADE)).status == 101
        assert await tunnel.reader.read() == CLOSE
        malformed = await proxy.client()
        assert (await malformed.ask(b"\x00")).status == 400
        assert await malformed.ended()
        last = await proxy.client()
        last.send(post(b"").replace(b"Content-Length: 0", b"Content-Length: 2"))
        await until(lambda: pod.connections > 3 and proxy.revision.throttle.busy == 1)
        proxy.gone(pod)
        proxy.dispatcher.bar(proxy.revision)
        last.send(b"ab")
        assert (await last.answer()).status == 200
        proxy.dispatcher.own(proxy.revision, {})
        assert set(raising.calls) == set(HOOKS)
        assert proxy.dispatcher.faults.count == sum(raising.calls.values())


@on_uvloop
async def test_a_hook_that_raises_is_logged_once_a_second_for_each_kind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With its trace; a flood of them fills no disk."""
    async with Proxy() as proxy:
        Raising(proxy.dispatcher)
        await proxy.ready()
        client = await proxy.client()
        began = time.monotonic()
        for _ in range(50):
            assert (await client.ask(GET)).status == 200
        for _ in range(20):
            assert (await client.ask(b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n")).status == 404
        seconds = time.monotonic() - began
    for kind in ("on_over", "on_turned_away"):
        lines = [line for line in caplog.records if line.message.startswith(f"{kind} raised RuntimeError")]
        assert 1 <= len(lines) <= 1 + seconds
        assert all(line.levelno == logging.ERROR and line.exc_info for line in lines)


@on_uvloop
async def test_a_deadline_that_raises_does_not_keep_the_others_from_theirs() -> None:
    """Nor what waits, nor itself: it is tried again."""

    class Bad:
        def __init__(self) -> None:
            self.due = 0.0
            self.calls = 0

        def expired(self, now: float) -> None:
            self.calls += 1
            raise RuntimeError

    async with Proxy(settings=ProxySettings(keep_alive_timeout=0.3), progress_deadline=0.5) as proxy:
        bad = [Bad() for _ in range(20)]
        for each in bad:
            proxy.dispatcher.deadlines.add(each)
        clients = [await proxy.client() for _ in range(20)]
        waiting = await proxy.client()
        began = time.monotonic()
        assert (await waiting.ask(GET)).status == 504
        for client in clients:
            assert await client.ended()
        await until(lambda: all(each.calls >= 2 for each in bad))
        assert max(each.calls for each in bad) <= 3 + (time.monotonic() - began)
        for each in bad:
            proxy.dispatcher.deadlines.discard(each)


async def closes(request: Request) -> None:
    await request.reply(SWITCH + CLOSE)
    request.writer.close()


async def aborts(request: Request) -> None:
    await request.reply(SWITCH)
    await asyncio.sleep(0.05)
    reset(request.writer)


async def waits(request: Request) -> None:
    await request.reply(SWITCH)
    await request.writer.drain()


async def by_the_client(client: Client) -> None:
    client.writer.write_eof()


async def by_the_pod(client: Client) -> None:
    assert client is not None


@pytest.mark.parametrize(
    ("behave", "end", "is_cut"),
    [(closes, by_the_pod, False), (aborts, by_the_pod, True), (waits, by_the_client, False)],
)
async def test_a_tunnel_is_a_line_in_the_request_log(
    behave: Callable[[Request], Awaitable[None]],
    end: Callable[[Client], Awaitable[None]],
    is_cut: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With method, host and path of its request, whichever side ends it; the connection ends as without."""
    caplog.set_level(logging.INFO, "zerogate.activator")
    async with Proxy(upgrades=frozenset((b"websocket",))) as proxy:
        proxy.dispatcher.on_over = RequestLog(proxy.dispatcher.clock).told
        await proxy.ready(behave)
        client = await proxy.client()
        answer = await client.ask(UPGRADE.replace(b"GET / ", b"GET /chat?a=b "))
        assert answer.status == 101
        await end(client)
        await until(lambda: not proxy.listener.gate.connections)
        assert proxy.dispatcher.faults.count == 0
    (line,) = [each.__dict__["data"] for each in caplog.records]
    assert (line["method"], line["path"], line["status"], line["cut"]) == ("GET", "/chat?a=b", 101, is_cut)
    assert line["host"] == "hello.default.example.com"


@on_uvloop
async def test_a_hook_sees_the_step_that_is_over() -> None:
    """Each is called last: the response is written, and the slot is free."""
    seen: list[tuple[str, int, bool]] = []

    async with Proxy() as proxy:
        pod: Pod = await proxy.ready()

        def over(exchange: object, status: int, *, is_cut: bool) -> None:
            (down,) = proxy.listener.gate.connections
            seen.append((f"{status}{is_cut}", proxy.revision.throttle.busy, down.exchange is None))

        proxy.dispatcher.on_over = over
        client = await proxy.client()
        await client.ask(GET)
        assert pod.requests
    assert seen == [("200False", 0, True)]
