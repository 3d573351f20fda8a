"""Requests that come to one activator while another one owns the hard limit: two proxies, real sockets."""

import asyncio
import contextlib
import socket
import time
from types import TracebackType
from typing import Any, Self

from activator.edge.peers.door import Door
from activator.http.greeting import greeting_line
from activator.link.reports import Reports
from autoscaler.messages import Stat, Stats
from testkit.proxy.clock import Clock
from testkit.proxy.harness import GET, HOST, Client, Proxy, Request, ok, on_uvloop, post, until

KEY = ("default", "hello")
EPOCH = 7


class Pair:
    """`front` gets requests, `owner` has the limit and a door; pods are the owner's."""

    def __init__(self, **fields: Any) -> None:
        fields = {"container_concurrency": 1, **fields}
        self.front = Proxy(**fields)
        self.owner = Proxy(**fields)
        self.known = EPOCH
        self.door = Door(self.owner.dispatcher, {KEY: self.owner.revision}, lambda _: self.known)

    async def __aenter__(self) -> Self:
        self._stack = contextlib.AsyncExitStack()
        await self._stack.__aenter__()
        await self._stack.enter_async_context(self.owner)
        self._stack.callback(self.door.close)
        await self._stack.enter_async_context(self.front)
        self.address = await self.door.open("127.0.0.1", 0)
        self.forward()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    def forward(self, epoch: int = EPOCH, address: tuple[str, int] | None = None) -> None:
        greeting = greeting_line(self.door.secret, epoch, KEY)
        uid = f"owner {epoch} {address}"
        self.front.dispatcher.forward(self.front.revision, uid, *(address or self.address), greeting)

    async def client(self) -> Client:
        return await self.front.client()


@on_uvloop
async def test_a_pod_gets_the_same_from_the_owner_as_from_who_was_asked() -> None:
    """Forwarded headers are told once; the hop leaves no trace in either direction."""
    asked = (
        b"GET /a?b HTTP/1.1\r\nHost: " + HOST + b"\r\nX-One: 1\r\nx-one: 2\r\nZerogate-Reason: mine\r\n"
        b"Forwarded: for=evil\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n"
    )

    async def behave(request: Request) -> None:
        await request.reply(
            ok(b"hi", b"X-Pod: 1", b"Zerogate-Reason: forged", b"Set-Cookie: a", b"Set-Cookie: b")
        )

    async with Pair() as pair:
        pod = await pair.owner.ready(behave)
        straight = await (await pair.owner.client()).ask(asked)
        through = await (await pair.client()).ask(asked)
        assert pod.requests[0].head == pod.requests[1].head
        assert (through.status, through.lines, through.body) == (200, straight.lines, b"hi")


@on_uvloop
async def test_bodies_heads_and_switches_pass_the_hop() -> None:
    async with Pair() as pair:
        pod = await pair.owner.ready()
        client = await pair.client()
        assert (await client.ask(post(b"x" * 100_000))).status == 200
        assert pod.requests[-1].body == b"x" * 100_000
        chunked = (
            b"POST / HTTP/1.1\r\nHost: %b\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"
        )
        assert (await client.ask(chunked % HOST)).status == 200
        assert (pod.requests[-1].body, pod.requests[-1].trailers) == (b"abc", b"X-T: 1\r\n")
        assert (await client.ask(GET.replace(b"GET", b"HEAD"), b"HEAD")).status == 200
        assert pair.front.revision.throttle.busy == 0


@on_uvloop
async def test_an_upgrade_passes_the_hop() -> None:
    switched = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.lower().count(b"upgrade: websocket") == 1
        writer.write(switched)
        while data := await reader.read(100):
            writer.write(data)

    async with Pair(upgrades=frozenset((b"websocket",))) as pair:
        await pair.owner.ready(serve=echo)
        client = await pair.client()
        client.send(GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert (await client.answer()).status == 101
        client.send(b"\x81\x02hi")
        assert await client.reader.readexactly(4) == b"\x81\x02hi"
        assert pair.owner.revision.load.in_flight == 1
        client.hang_up()
        await until(lambda: pair.owner.revision.load.in_flight == 0)


@on_uvloop
async def test_the_limit_is_the_owners_whoever_is_asked() -> None:
    """Both queues are one, held where the slots are; each request waits its turn there."""
    go = asyncio.Event()

    async def behave(request: Request) -> None:
        await go.wait()
        await request.reply(ok())

    async with Pair(container_concurrency=2) as pair:
        pod = await pair.owner.ready(behave)
        clients = [await (pair.client() if n % 2 else pair.owner.client()) for n in range(12)]
        for client in clients:
            client.send(GET)
        await until(lambda: pair.owner.waiting == 10)
        assert (pod.now, pair.front.waiting) == (2, 0)
        go.set()
        assert [(await client.answer()).status for client in clients] == [200] * 12
        assert pod.most == 2


@on_uvloop
async def test_a_forwarded_request_is_counted_by_the_owner_alone() -> None:
    go = asyncio.Event()

    async def behave(request: Request) -> None:
        await go.wait()
        await request.reply(ok())

    def concurrency(proxy: Proxy, reports: Reports) -> list[Stat]:
        reports.at_once(proxy.revision)
        reports.cut(time.monotonic(), 1)
        return [row for message in reports.take() if isinstance(message, Stats) for row in message.stats]

    async with Pair() as pair:
        pod = await pair.owner.ready(behave)
        client = await pair.client()
        client.send(GET)
        await until(lambda: pod.now == 1)
        assert concurrency(pair.front, Reports("front")) == []
        assert [row.revision for row in concurrency(pair.owner, Reports("owner"))] == ["hello", "hello"]
        go.set()
        await client.answer()


@on_uvloop
async def test_what_the_owner_says_itself_is_told_as_it_is() -> None:
    """A full queue with its time to come back; a timeout, which begins with the pod and not with the wait."""
    clock = Clock()
    async with Pair(max_held_requests=1, response_start_timeout=8.0, clock=clock) as pair:
        first, second = await pair.client(), await pair.client()
        first.send(GET)
        await until(lambda: pair.owner.waiting == 1)
        refused = await second.ask(GET)
        assert (refused.status, refused.reason) == (503, "queue-full")
        assert refused.value(b"Retry-After") is not None
        await clock.forward(16.0, pair.owner, pair.front)  # the wait itself: longer than the timeout
        assert pair.owner.waiting == 1

        async def silent(request: Request) -> None:
            await asyncio.Event().wait()

        pod = await pair.owner.ready(silent)
        await until(lambda: pod.now == 1)
        await clock.forward(7.875, pair.owner, pair.front)
        assert pair.owner.revision.throttle.busy == 1
        await clock.forward(0.125, pair.owner)
        late = await first.answer()
        assert (late.status, late.reason) == (504, "response-start-timeout")
        assert late.value(b"Server-Timing") is None


@on_uvloop
async def test_a_client_that_leaves_leaves_the_owners_queue() -> None:
    async with Pair() as pair:
        client = await pair.client()
        client.send(GET)
        await until(lambda: pair.owner.waiting == 1)
        client.hang_up()
        await until(lambda: pair.owner.waiting == 0)
        assert pair.owner.revision.load.in_flight == 0


@on_uvloop
async def test_a_client_that_half_closes_gets_its_answer_over_the_hop() -> None:
    """If the revision has the annotation and the request has a pod. A request that waits is abandoned."""
    go = asyncio.Event()

    async def behave(request: Request) -> None:
        await go.wait()
        await request.reply(ok())

    async with Pair(half_close=True) as pair:
        pod = await pair.owner.ready(behave)
        client = await pair.client()
        client.send(GET)
        await until(lambda: pod.now == 1)
        client.writer.write_eof()
        waiting = await pair.client()
        waiting.send(GET)
        await until(lambda: pair.owner.waiting == 1)
        waiting.writer.write_eof()
        assert await waiting.ended()
        go.set()
        assert (await client.answer()).status == 200
        assert (await (await pair.client()).ask(GET)).status == 200


@on_uvloop
async def test_strangers_do_not_pass_the_door() -> None:
    """Without the secret there is nothing to be had, whatever is said first."""
    async with Pair() as pair:
        pod = await pair.owner.ready()
        for line in (
            GET,
            greeting_line("wrong", EPOCH, KEY) + GET,
            greeting_line(pair.door.secret, EPOCH, KEY).replace(b"ZEROGATE/1", b"ZEROGATE/2") + GET,
            b"x" * 3000,
        ):
            reader, writer = await asyncio.open_connection(*pair.address)
            writer.write(line)
            assert (await reader.read()).startswith(b"HTTP/1.1 403 ")
            writer.close()
        assert pod.requests == []
        assert pair.door.refused == 4
        assert not pair.door.strangers


@on_uvloop
async def test_who_comes_by_a_newer_word_waits_until_it_is_heard_here_too() -> None:
    """So that two who each take the other one for the owner do not send a request in circles."""
    async with Pair() as pair:
        pod = await pair.owner.ready()
        pair.forward(epoch=EPOCH + 1)
        client = await pair.client()
        client.send(GET)
        await until(lambda: pair.door.strangers)
        pair.door.settle(KEY)
        assert pod.requests == []
        pair.known = EPOCH + 1
        pair.door.settle(KEY)
        assert (await client.answer()).status == 200


@on_uvloop
async def test_an_owner_that_is_gone_is_waited_for_and_followed_by_another() -> None:
    """What had not been sent is held, even a POST, for longer than pods that refuse would be tried."""
    async with Pair() as pair:
        await pair.owner.ready()
        free = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        gone = free.sockets[0].getsockname()[:2]
        free.close()
        pair.front.dispatcher.settings = pair.front.settings
        pair.forward(EPOCH + 1, gone)
        clients = [await pair.client() for _ in range(3)]
        for client in clients:
            client.send(post(b"once"))
        await until(lambda: pair.front.revision.counts.repeated > 10)
        pair.known = EPOCH + 2
        pair.forward(EPOCH + 2)
        assert [(await client.answer()).status for client in clients] == [200] * 3


@on_uvloop
async def test_what_an_owner_had_when_it_died_is_treated_as_what_a_pod_had() -> None:
    """A GET goes to the next owner, a POST may have been carried out."""

    async def never(request: Request) -> None:
        await asyncio.Event().wait()

    async with Pair(container_concurrency=2) as pair:
        pod = await pair.owner.ready(never)
        getting, posting = await pair.client(), await pair.client()
        getting.send(GET)
        posting.send(post(b"once"))
        await until(lambda: pod.now == 2)
        pair.door.close()
        lost = await posting.answer()
        assert (lost.status, lost.reason) == (502, "maybe-sent")
        pod.behave = lambda request: request.reply(ok())
        again = await pair.door.open("127.0.0.1", 0)
        pair.known = EPOCH + 1
        pair.forward(EPOCH + 1, again)
        assert (await getting.answer()).status == 200


@on_uvloop
async def test_an_owner_of_old_sends_on_what_waits_there() -> None:
    """Its queue goes to the new one when that is named; nobody asks twice, and the client sees one answer."""
    async with Pair() as pair, Proxy(container_concurrency=1) as third:
        door = Door(third.dispatcher, {KEY: third.revision}, lambda _: EPOCH + 1)
        address = await door.open("127.0.0.1", 0)
        client, straight = await pair.client(), await pair.owner.client()
        client.send(post(b"far"))
        straight.send(post(b"near"))
        await until(lambda: pair.owner.waiting == 2)
        greeting = greeting_line(door.secret, EPOCH + 1, KEY)
        pair.owner.dispatcher.forward(pair.owner.revision, "third", *address, greeting)
        await until(lambda: third.waiting == 2)
        pod = await third.ready()
        assert {(await client.answer()).status, (await straight.answer()).status} == {200}
        assert sorted(request.body for request in pod.requests) == [b"far", b"near"]
        door.close()


@on_uvloop
async def test_the_door_ends_when_nobody_is_left() -> None:
    """A drain finishes what others sent, and tells them that their connection ends."""
    go = asyncio.Event()

    async def behave(request: Request) -> None:
        await go.wait()
        await request.reply(ok())

    async with Pair() as pair:
        pod = await pair.owner.ready(behave)
        client = await pair.client()
        client.send(GET)
        await until(lambda: pod.now == 1)
        pair.door.begin_drain()
        ending = asyncio.create_task(pair.door.drained())
        await asyncio.sleep(0)
        assert not ending.done()
        go.set()
        assert (await client.answer()).status == 200
        await ending


@on_uvloop
async def test_what_a_stopped_owner_has_is_taken_back_if_it_may_be_repeated() -> None:
    """A GET is answered by the pod of the next owner; a POST stays, as the former one may carry it out."""
    async with Pair() as pair:
        with socket.create_server(("127.0.0.1", 0)) as stopped:
            pair.forward(epoch=EPOCH, address=stopped.getsockname())
            get, posted = await pair.client(), await pair.client()
            get.send(GET)
            posted.send(post(b"abc"))
            await until(lambda: pair.front.revision.throttle.busy == 2)
            await asyncio.sleep(0.1)
            await pair.front.ready()
            pair.front.dispatcher.own(pair.front.revision, {})
            pair.front.dispatcher.take_back(pair.front.revision)
            assert (await get.answer()).status == 200
            assert pair.front.revision.throttle.busy == 1
        assert (await posted.answer()).status == 502, "its process has ended"
        assert pair.front.revision.throttle.busy == 0
