"""A request for a sleeping revision waits, first in, first out, within bounds, and is lost only if its
client leaves.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from activator.settings import ProxySettings
from testkit.proxy.clock import Clock
from testkit.proxy.harness import GET, Client, Pod, Proxy, Request, hello, ok, on_uvloop, post, reset, until

SETTINGS = ProxySettings(error_details=True)


@on_uvloop
async def test_a_cold_request_is_held_and_answered() -> None:
    """It waits for a pod, is told where the time went, and ends the cold start."""
    clock = Clock()

    async def slow(request: Request) -> None:
        clock.now += 2.0
        await request.reply(ok())

    async with Proxy(clock=clock) as proxy:
        client = await proxy.client()
        client.send(GET)
        await until(lambda: proxy.waiting == 1)
        assert (proxy.first, proxy.waits) == ([proxy.revision], [proxy.revision])
        proxy.revision.phases.wake_requested = clock()
        await clock.forward(0.125, proxy)
        proxy.revision.phases.decided = clock()
        await clock.forward(1.0, proxy)
        proxy.revision.phases.connected = clock()
        await clock.forward(0.25, proxy)
        pod = await proxy.ready(slow)
        answer = await client.answer()
        assert answer.status == 200
        assert (answer.value(b"Server-Timing") or b"").split(b", ") == [
            b"queue;dur=250.0", b"decide;dur=125.0", b"start;dur=1000.0", b"connect;dur=2000.0",
        ]  # fmt: skip
        assert answer.value(b"Zerogate-Attempts") is None
        ((seconds, phases),) = proxy.cold_starts
        assert seconds == sum(phases.values()) == 3.375
        assert proxy.revision.start_seconds == seconds
        pod.behave = hello
        assert (await client.ask(GET)).value(b"Server-Timing") is None
        assert len(proxy.cold_starts) == 1


@on_uvloop
async def test_server_timing_joins_the_pods_own_or_is_off() -> None:
    """A pod's Server-Timing stays; with the setting off ours is not added."""

    async def timed(request: Request) -> None:
        await request.reply(ok(b"", b"Server-Timing: db;dur=5"))

    for is_on, count in [(True, 2), (False, 1)]:
        async with Proxy(settings=ProxySettings(server_timing=is_on)) as proxy:
            client = await proxy.client()
            client.send(GET)
            await until(lambda proxy=proxy: proxy.waiting)
            await proxy.ready(timed)
            assert len((await client.answer()).values(b"Server-Timing")) == count


@on_uvloop
async def test_a_thousand_are_held_and_released() -> None:
    """All are answered by the one pod that comes up."""
    count = 1000
    async with Proxy(container_concurrency=20) as proxy:
        clients = []
        for n in range(count):
            clients.append(await proxy.client())
            clients[-1].send(GET)
            if n % 50 == 49:
                await until(lambda n=n: proxy.waiting == n + 1)
        pod = await proxy.ready()
        answers = await asyncio.gather(*(client.answer() for client in clients))
        assert {answer.status for answer in answers} == {200}
        assert pod.most <= 20


@on_uvloop
async def test_first_in_first_out() -> None:
    """With one slot the pod sees the requests in the order in which they came."""
    async with Proxy(container_concurrency=1) as proxy:
        clients = [await proxy.client() for _ in range(50)]
        for n, client in enumerate(clients):
            client.send(GET.replace(b"/", b"/%d" % n, 1))
            await until(lambda n=n: proxy.waiting == n + 1)
        pod = await proxy.ready()
        for client in clients:
            assert (await client.answer()).status == 200
        assert [request.line for request in pod.requests] == [b"GET /%d HTTP/1.1" % n for n in range(50)]


@pytest.mark.parametrize("count", [2, 700])
@on_uvloop
async def test_release_is_paced_but_never_dependent(count: int) -> None:
    """Every answer depends on the arrival of the last request: all arrive, without one having been
    answered.
    """
    arrived = 0
    everybody = asyncio.Event()

    async def together(request: Request) -> None:
        nonlocal arrived
        arrived += 1
        if arrived == count:
            everybody.set()
        await everybody.wait()
        await request.reply(ok())

    async with Proxy() as proxy:
        clients = [await proxy.client() for _ in range(count)]
        for client in clients:
            client.send(GET)
        await until(lambda: proxy.waiting == count)
        await proxy.ready(together)
        answers = await asyncio.gather(*(client.answer() for client in clients))
        assert {answer.status for answer in answers} == {200}


def leave_by_fin(client: Client) -> None:
    client.writer.close()


def leave_by_reset(client: Client) -> None:
    reset(client.writer)


def leave_by_half_close(client: Client) -> None:
    client.writer.write_eof()


MID_BODY = post(b"").replace(b"Content-Length: 0", b"Content-Length: 5000000") + b"x" * 40_000


@pytest.mark.parametrize("request_", [GET, post(b"x" * 100), MID_BODY], ids=["get", "post", "mid-body"])
@pytest.mark.parametrize("leave", [leave_by_fin, leave_by_reset, leave_by_half_close])
@on_uvloop
async def test_who_hangs_up_leaves_the_queue_at_once(request_: bytes, leave: Callable[..., Any]) -> None:
    """Also one that waits in the middle of its body, where nobody reads from it.

    The proxy's clock stands still, so that no deadline can be what ends it.
    """
    async with Proxy(clock=Clock()) as proxy:
        client = await proxy.client()
        client.send(request_)
        await until(lambda: proxy.waiting == 1)
        if request_ is MID_BODY:
            connection = next(iter(proxy.listener.gate.connections))
            await until(lambda: not connection.flow.is_reading)
            client.send(b"x" * 40_000)
            await until(lambda: client.writer.transport.get_write_buffer_size() == 0)
        leave(client)
        await until(lambda: proxy.waiting == 0)
        assert proxy.revision.counts.hung_up == 1
        assert proxy.revision.load.in_flight == 0


@on_uvloop
async def test_little_of_a_held_body_is_read() -> None:
    """Reading stops soon, and goes on when the request has its pod: the body arrives whole."""
    body = bytes(range(256)) * 16_000
    async with Proxy() as proxy:
        client = await proxy.client()
        client.send(post(body, method=b"PUT"))
        await until(lambda: proxy.waiting == 1)
        (connection,) = proxy.listener.gate.connections
        await until(lambda: not connection.flow.is_reading)
        assert proxy.room.bytes < 300_000
        pod = await proxy.ready()
        assert (await client.answer()).status == 200
        assert pod.requests[0].body == body


@on_uvloop
async def test_a_full_queue_refuses_with_a_time_to_come_back() -> None:
    """503 queue-full with Retry-After; those inside are not disturbed."""
    async with Proxy(max_held_requests=2, max_held_bytes=4000) as proxy:
        clients = [await proxy.client() for _ in range(3)]
        for n, client in enumerate(clients[:2]):
            client.send(GET)
            await until(lambda n=n: proxy.waiting == n + 1)
        proxy.revision.start_seconds = 7.5
        answer = await clients[2].ask(GET)
        assert (answer.status, answer.reason) == (503, "queue-full")
        assert answer.value(b"Retry-After") == b"8"
        assert proxy.revision.counts.refused == {"queue-full": 1}
        await proxy.ready()
        assert [(await client.answer()).status for client in clients[:2]] == [200, 200]
        assert (await clients[2].ask(GET)).status == 200


@on_uvloop
async def test_held_bytes_are_bounded() -> None:
    """A body that grows beyond what may be held is refused; its connection ends."""
    async with Proxy(max_held_requests=10, max_held_bytes=4000) as proxy:
        client = await proxy.client()
        client.send(post(b"").replace(b"Content-Length: 0", b"Content-Length: 10000"))
        await until(lambda: proxy.waiting == 1)
        client.send(b"x" * 5000)
        answer = await client.answer()
        assert (answer.status, answer.reason) == (503, "queue-full")
        assert await client.ended()


@on_uvloop
async def test_patience_ends() -> None:
    """Who waits longer than the revision's patience gets 504 activation-timeout, in the next sweep."""
    clock = Clock()
    async with Proxy(clock=clock, progress_deadline=60.0) as proxy:
        client = await proxy.client()
        client.send(GET)
        await until(lambda: proxy.waiting == 1)
        await clock.forward(59.875, proxy)
        assert proxy.waiting == 1
        await clock.forward(0.25, proxy)
        assert proxy.waiting == 0
        answer = await client.answer()
        assert (answer.status, answer.reason) == (504, "activation-timeout")
        client.send(GET)  # the connection goes on
        await until(lambda: proxy.waiting)
        await proxy.ready()
        assert (await client.answer()).status == 200


@pytest.mark.parametrize(("settings", "shown"), [(SETTINGS, True), (ProxySettings(), False)])
@on_uvloop
async def test_what_cannot_start_is_said(settings: ProxySettings, shown: bool) -> None:
    """Waiters and newcomers get 503 cannot-start; the cause only where it may be shown."""
    async with Proxy(settings=settings) as proxy:
        client = await proxy.client()
        client.send(GET)
        await until(lambda: proxy.waiting == 1)
        proxy.revision.trouble = "the image is unknown"
        proxy.dispatcher.refuse(proxy.revision, "cannot-start", "the image is unknown")
        for answer in [await client.answer(), await client.ask(GET)]:
            assert (answer.status, answer.reason) == (503, "cannot-start")
            assert (b"image is unknown" in answer.body) == shown
        await proxy.ready()  # a pod that is there serves, whatever the trouble
        assert (await client.ask(GET)).status == 200


@on_uvloop
async def test_container_concurrency_is_never_exceeded() -> None:
    """The pod counts for itself: with a limit of 3 it never has more than 3, and slots are not left idle."""

    full = asyncio.Event()

    async def slow(request: Request) -> None:
        await full.wait()
        await asyncio.sleep(0.005)
        await request.reply(ok())

    async with Proxy(container_concurrency=3) as proxy:
        pods = [await proxy.ready(slow, uid=f"pod-{n}") for n in range(2)]
        clients = [await proxy.client() for _ in range(30)]

        async def work(client: Client) -> None:
            for _ in range(5):
                assert (await client.ask(GET)).status == 200

        working = asyncio.gather(*map(work, clients))
        await until(lambda: proxy.waiting == 24)
        full.set()
        await working
        assert [pod.most for pod in pods] == [3, 3]
        assert proxy.revision.counts.held > 20


@on_uvloop
async def test_a_cordoned_pod_finishes_and_gets_nothing_new() -> None:
    """Its last request done, the hook is told; a request for a fully cordoned revision waits until it is
    lifted.
    """
    release = asyncio.Event()

    async def slow(request: Request) -> None:
        await release.wait()
        await request.reply(ok())

    async with Proxy() as proxy:
        pod = await proxy.ready(slow)
        clients = [await proxy.client() for _ in range(2)]
        clients[0].send(GET)
        await until(lambda: pod.now == 1)
        proxy.dispatcher.cordon(proxy.revision, pod.uid)
        assert proxy.dispatcher.in_flight(proxy.revision, pod.uid) == 1
        clients[1].send(GET)
        await until(lambda: proxy.waiting == 1)
        assert proxy.waits == [proxy.revision]
        release.set()
        assert (await clients[0].answer()).status == 200
        await until(lambda: proxy.empty == [pod.uid])
        assert proxy.waiting == 1
        proxy.dispatcher.uncordon(proxy.revision, pod.uid)
        assert (await clients[1].answer()).status == 200
        assert proxy.cold_starts == []


@on_uvloop
async def test_a_pod_that_is_gone_finishes_what_it_has() -> None:
    """Requests in flight end well; the next one waits for another pod."""
    release = asyncio.Event()

    async def slow(request: Request) -> None:
        await release.wait()
        await request.reply(ok())

    async with Proxy() as proxy:
        pod = await proxy.ready(slow)
        clients = [await proxy.client() for _ in range(2)]
        clients[0].send(GET)
        await until(lambda: pod.now == 1)
        proxy.gone(pod)
        clients[1].send(GET)
        await until(lambda: proxy.waiting == 1)
        release.set()
        assert (await clients[0].answer()).status == 200
        await until(lambda: proxy.empty == [pod.uid])
        await proxy.ready(uid="pod-2")
        assert (await clients[1].answer()).status == 200


@on_uvloop
async def test_a_revision_that_is_deleted_lets_its_waiters_go() -> None:
    """They are told that nothing answers here."""
    async with Proxy() as proxy:
        client = await proxy.client()
        client.send(GET)
        await until(lambda: proxy.waiting == 1)
        proxy.dispatcher.revision_gone(proxy.revision)
        assert (await client.answer()).reason == "no-route"


async def never(request: Request) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("annotations", "reason"),
    [
        ({"timeout": 8.0}, "total-timeout"),
        ({"response_start_timeout": 8.0}, "response-start-timeout"),
        ({"idle_timeout": 8.0}, "idle-timeout"),
    ],
)
@on_uvloop
async def test_timeouts_before_the_first_byte(annotations: dict[str, Any], reason: str) -> None:
    """They begin when the request has its slot, not while it waits; then 504, and the slot is free."""
    clock = Clock()
    async with Proxy(clock=clock, **annotations) as proxy:
        client = await proxy.client()
        client.send(GET)
        await until(lambda: proxy.waiting == 1)
        await clock.forward(16.0, proxy)
        assert proxy.waiting == 1
        pod = await proxy.ready(never)
        await until(lambda: pod.now == 1)
        await clock.forward(7.875, proxy)
        assert proxy.revision.throttle.busy == 1
        await clock.forward(0.125, proxy)
        assert proxy.revision.throttle.busy == 0
        answer = await client.answer()
        assert (answer.status, answer.reason) == (504, reason)
        pod.behave = hello
        assert (await client.ask(GET)).status == 200


@pytest.mark.parametrize("annotations", [{"timeout": 8.0}, {"idle_timeout": 8.0}])
@on_uvloop
async def test_timeouts_after_the_first_byte_cut(annotations: dict[str, Any]) -> None:
    """The answer is visibly broken off, never completed."""

    async def stall(request: Request) -> None:
        await request.reply(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await never(request)

    clock = Clock()
    async with Proxy(clock=clock, **annotations) as proxy:
        await proxy.ready(stall)
        client = await proxy.client()
        client.send(GET)
        await client.reader.readuntil(b"hello\r\n")
        await clock.forward(7.875, proxy)
        assert proxy.revision.counts.cut == 0
        await clock.forward(0.125, proxy)
        assert proxy.revision.counts.cut == 1
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.reader.readuntil(b"0\r\n\r\n")


@on_uvloop
async def test_activity_puts_off_the_idle_timeout_only() -> None:
    """A stream that goes on outlives the idle timeout, and ends with the total one."""

    more = asyncio.Event()

    async def drip(request: Request) -> None:
        await request.reply(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await more.wait()
            more.clear()
            await request.reply(b"1\r\nx\r\n")

    clock = Clock()
    async with Proxy(clock=clock, timeout=20.0, idle_timeout=8.0) as proxy:
        await proxy.ready(drip)
        client = await proxy.client()
        client.send(GET)
        await client.reader.readuntil(b"\r\n\r\n")
        for _ in range(3):
            await clock.forward(6.0, proxy)
            more.set()
            assert await client.reader.readuntil(b"x\r\n") == b"1\r\nx\r\n"
        await clock.forward(1.875, proxy)
        assert proxy.revision.counts.cut == 0
        await clock.forward(0.125, proxy)
        assert proxy.revision.counts.cut == 1
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.reader.readuntil(b"x\r\n")


@pytest.mark.parametrize("is_answering", [False, True])
@on_uvloop
async def test_bytes_of_the_client_do_not_put_off_the_idle_timeout(is_answering: bool) -> None:
    """It is about the silence of the pod, before its response and within it."""
    received = bytearray()
    has_head = asyncio.Event()

    async def only_reads(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        has_head.set()
        if is_answering:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")
        while data := await reader.read(1000):
            received.extend(data)

    clock = Clock()
    async with Proxy(clock=clock, timeout=20.0, idle_timeout=8.0) as proxy:
        await proxy.ready(serve=only_reads)
        client = await proxy.client()
        client.send(post(b"").replace(b"Content-Length: 0", b"Content-Length: 1000"))
        await has_head.wait()
        if is_answering:
            await client.reader.readuntil(b"hello")
        for number in range(1, 4):
            await clock.forward(2.5, proxy)
            client.send(b"x")
            await until(lambda number=number: len(received) == number)
        assert proxy.revision.load.in_flight == 1
        await clock.forward(0.5, proxy)
        if is_answering:
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await client.reader.readexactly(1)
        else:
            answer = await client.answer()
            assert (answer.status, answer.reason) == (504, "idle-timeout")


@on_uvloop
async def test_an_interim_response_puts_off_the_idle_timeout() -> None:
    """It comes from the pod."""

    more = asyncio.Event()

    async def processing(request: Request) -> None:
        for _ in range(3):
            await request.reply(b"HTTP/1.1 102 Processing\r\n\r\n")
            await more.wait()
            more.clear()
        await request.reply(ok())

    clock = Clock()
    async with Proxy(clock=clock, timeout=30.0, idle_timeout=8.0) as proxy:
        await proxy.ready(processing)
        client = await proxy.client()
        client.send(GET)
        for _ in range(3):
            assert (await client.answer()).status == 102
            await clock.forward(6.0, proxy)
            more.set()
        assert (await client.answer()).status == 200


@on_uvloop
async def test_only_the_time_of_waiting_counts_towards_the_activation_timeout() -> None:
    """A request that had a pod and lost it is not late because of the time that it had it."""

    ends = asyncio.Event()

    async def lost(request: Request) -> None:
        await ends.wait()
        request.reset()

    clock = Clock()
    async with Proxy(clock=clock, progress_deadline=10.0) as proxy:
        client = await proxy.client()
        client.send(GET)
        await until(lambda: proxy.waiting == 1)
        await clock.forward(2.0, proxy)
        pod = await proxy.ready(lost)
        await until(lambda: pod.now == 1)
        await clock.forward(17.0, proxy)
        proxy.gone(pod)
        ends.set()
        await until(lambda: proxy.waiting == 1)
        await clock.forward(7.0, proxy)
        assert proxy.waiting == 1
        await clock.forward(1.0, proxy)
        assert (await client.answer()).reason == "activation-timeout"


@on_uvloop
async def test_a_pod_may_be_told_of_twice() -> None:
    """A probe and Kubernetes both say that it is ready: it is one pod."""
    async with Proxy() as proxy:
        pod = await proxy.start(Pod())
        proxy.tell(pod)
        proxy.tell(pod)
        assert len(proxy.revision.throttle.pods) == 1
