"""Draining: nobody in flight is lost, nobody new is refused before the delay is over, and it ends."""

import asyncio
import os
import socket
from typing import Any

import pytest

from activator.edge.http.kernel import take_no_more, unaccepted
from activator.edge.http.listener import Listener
from activator.edge.peers.door import Door
from activator.settings import ProxySettings
from testkit.proxy.clock import Clock, swept
from testkit.proxy.harness import GET, Client, Proxy, Request, hello, ok, on_uvloop, read_answer, until

QUICK = ProxySettings(drain_idle=0.1)


@on_uvloop
async def test_during_the_delay_everybody_is_served_and_sent_away() -> None:
    """Old connections and new ones get their answers with Connection: close."""
    async with Proxy(settings=QUICK) as proxy:
        await proxy.ready()
        old = await proxy.client()
        assert (await old.ask(GET)).value(b"Connection") is None
        proxy.listener.begin_drain(3.0)  # a client connects meanwhile, however slow the machine is
        new = await proxy.client()
        for client in (old, new):
            answer = await client.ask(GET)
            assert (answer.status, answer.value(b"Connection")) == (200, b"close")
            assert await client.ended()
        await proxy.listener.drained()


@on_uvloop
async def test_beyond_what_descriptors_allow_clients_wait_in_the_kernel() -> None:
    """Nobody is reset: accepting pauses, is counted, and goes on when others have left."""
    async with Proxy(settings=ProxySettings(max_connections=10)) as proxy:
        await proxy.ready()
        first = [await proxy.client() for _ in range(10)]
        for client in first:
            assert (await client.ask(GET)).status == 200
        gate = proxy.listener.gate
        late = [await proxy.client() for _ in range(5)]
        for client in late:
            client.send(GET)
        assert (len(gate.connections), gate.pauses) == (10, 1)
        for client in first[:6]:
            await client.close()
        for client in late:
            assert (await client.answer()).status == 200
        assert gate.accepted == 15


@on_uvloop
async def test_all_listeners_share_what_descriptors_allow() -> None:
    """Who waits at one of them comes in when somebody leaves another."""
    async with Proxy(settings=ProxySettings(max_connections=10)) as proxy:
        await proxy.ready()
        second = Listener()
        await second.start(("127.0.0.1", 0), proxy, proxy.dispatcher)
        here = [await proxy.client() for _ in range(9)]
        for client in here:
            assert (await client.ask(GET)).status == 200
        there = [await asyncio.open_connection(*second.address) for _ in range(3)]
        for _, writer in there:
            writer.write(GET)
        await until(lambda: second.gate.pauses == 1)
        assert proxy.dispatcher.clients.count <= 11
        for client in here[:6]:
            await client.close()
        for reader, writer in there:
            assert (await read_answer(reader)).status == 200
            writer.close()
        await until(lambda: not second.gate.connections)
        second.close()


@on_uvloop
async def test_what_is_in_flight_or_held_finishes() -> None:
    """The drain ends when the last answer was given, however long that takes; new connections are refused
    by then.
    """
    release = asyncio.Event()

    async def slow(request: Request) -> None:
        await release.wait()
        await request.reply(ok())

    async with Proxy(settings=QUICK) as proxy:
        held = await proxy.client()
        held.send(GET)
        await until(lambda: proxy.waiting == 1)
        address = proxy.listener.address
        proxy.listener.begin_drain(0)
        drained = asyncio.create_task(proxy.listener.drained())
        pod = await proxy.ready(slow)
        await until(lambda: pod.now == 1)
        await until(lambda: proxy.listener._is_closed)
        await swept(proxy)
        assert not drained.done()
        with pytest.raises(ConnectionError):
            await asyncio.open_connection(*address)
        release.set()
        assert (await held.answer()).status == 200
        await drained


@on_uvloop
async def test_idle_connections_end_soon_but_not_under_a_request() -> None:
    """One that is idle is closed; one that was busy a moment ago has that moment for its next request."""
    clock = Clock()
    async with Proxy(settings=ProxySettings(drain_idle=8.0), clock=clock) as proxy:
        await proxy.ready()
        idle, busy, silent = await proxy.client(), await proxy.client(), await proxy.client()
        for client in (idle, silent):
            await client.ask(GET)
        await clock.forward(8.0, proxy)
        await busy.ask(GET)
        clock.now -= 0.125
        await silent.ask(GET)
        clock.now += 0.125
        proxy.listener.begin_drain(0)
        assert await idle.ended()
        await clock.forward(7.875, proxy)
        assert await silent.ended()
        answer = await busy.ask(GET)
        assert (answer.status, answer.value(b"Connection")) == (200, b"close")
        await proxy.listener.drained()


@on_uvloop
async def test_an_empty_listener_drains_at_once() -> None:
    """There is nothing to wait for; asking twice is asking once."""
    async with Proxy() as proxy:
        proxy.listener.begin_drain(0)
        proxy.listener.begin_drain(0)
        await proxy.listener.drained()
        await proxy.listener.drained()


@on_uvloop
async def test_nothing_is_lost_under_load() -> None:
    """Clients that obey Connection: close and come back while there is a listener: every request is
    answered.
    """

    async def slow(request: Request) -> None:
        await asyncio.sleep(0.002)
        await request.reply(ok())

    async def work(proxy: Proxy, address: tuple[str, int]) -> int:
        done = 0
        try:
            client = Client(*await asyncio.open_connection(*address))
            while True:
                answer = await client.ask(GET)
                assert answer.status == 200
                done += 1
                if answer.value(b"Connection") == b"close":
                    await client.close()
                    client = Client(*await asyncio.open_connection(*address))
        except ConnectionRefusedError:
            return done

    async with Proxy() as proxy:
        await proxy.ready(slow)
        workers = [asyncio.create_task(work(proxy, proxy.listener.address)) for _ in range(20)]
        await until(lambda: proxy.revision.counts.requests > 100)
        proxy.listener.begin_drain(0.2)
        await proxy.listener.drained()
        assert sum(await asyncio.gather(*workers)) == proxy.revision.counts.requests


@on_uvloop
async def test_an_answer_that_began_before_the_drain_leaves_its_client_another_request() -> None:
    """It did not say that it is the last one, so its connection is not closed behind it."""
    release = asyncio.Event()

    async def slow(request: Request) -> None:
        await request.reply(ok(b"halfhalf")[:-4])
        await release.wait()
        request.writer.write(b"half")

    async with Proxy(settings=ProxySettings(drain_idle=5.0)) as proxy:
        pod = await proxy.ready(slow)
        client = await proxy.client()
        client.send(GET)
        head = await client.reader.readuntil(b"\r\n\r\n")
        proxy.listener.begin_drain(0)
        await until(lambda: proxy.listener.gate.is_draining)
        release.set()
        assert b"close" not in head.lower()
        assert await client.reader.readexactly(8) == b"halfhalf"
        pod.behave = hello
        answer = await client.ask(GET)
        assert (answer.status, answer.value(b"Connection")) == (200, b"close")
        await proxy.listener.drained()


@on_uvloop
async def test_a_request_that_comes_at_the_moment_of_closing_is_answered() -> None:
    """The deadline of an idle connection passes while its next request is there, but not yet read."""
    async with Proxy(settings=QUICK) as proxy:
        await proxy.ready()
        with socket.create_connection(proxy.listener.address) as client:
            await until(lambda: proxy.listener.gate.connections)
            (connection,) = proxy.listener.gate.connections
            client.sendall(GET)
            connection.expired(proxy.dispatcher.clock())
            reader, writer = await asyncio.open_connection(sock=client.dup())
            assert (await read_answer(reader)).status == 200
            writer.close()


@on_uvloop
async def test_an_idle_client_hears_at_once_that_its_connection_ends() -> None:
    """Not a turn of the loop later, in which it could send another request."""
    async with Proxy(settings=QUICK) as proxy:
        await proxy.ready()
        with socket.create_connection(proxy.listener.address) as client:
            await until(lambda: proxy.listener.gate.connections)
            (connection,) = proxy.listener.gate.connections
            connection.expired(proxy.dispatcher.clock())
            client.setblocking(False)
            assert client.recv(1) == b""


@on_uvloop
async def test_clients_that_come_while_one_of_two_gateways_leaves_are_all_answered() -> None:
    """Two processes share a listening socket, which neither closes: who accepted a connection answers it."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as door:
        door.setblocking(False)
        async with Proxy(settings=QUICK) as proxy:
            await proxy.ready()
            both = Listener(), Listener()
            for listener in both:
                await listener.start(door, proxy, proxy.dispatcher)

            async def once() -> int:
                client = Client(*await asyncio.open_connection(*door.getsockname()))
                status = (await client.ask(GET)).status
                await client.close()
                return status

            try:
                asked = [asyncio.create_task(once()) for _ in range(100)]
                await until(lambda: any(listener.gate.accepted for listener in both))
                busy = max(both, key=lambda listener: listener.gate.accepted)
                busy.begin_drain(0)
                for _ in range(200):
                    asked.append(asyncio.create_task(once()))
                    await asyncio.sleep(0)
                assert set(await asyncio.gather(*asked)) == {200}
                assert sum(listener.gate.accepted for listener in both) == 300
                assert 0 < busy.gate.accepted < 300
                await busy.drained()
            finally:
                for listener in both:
                    listener.close()


@on_uvloop
async def test_a_socket_that_is_about_to_close_takes_no_more_and_keeps_whom_it_has() -> None:
    """Who waits to be accepted still is; who comes now does not get in."""
    with (
        socket.create_server(("127.0.0.1", 0)) as door,
        socket.create_connection(door.getsockname()) as early,
    ):
        assert unaccepted(door) == 1
        take_no_more(door)
        with socket.socket() as late:
            late.settimeout(0.2)
            with pytest.raises(TimeoutError):
                late.connect(door.getsockname())
        accepted, where = door.accept()
        assert where == early.getsockname()
        assert unaccepted(door) == 0
        with accepted:
            early.sendall(b"x")
            assert accepted.recv(1) == b"x"


@on_uvloop
@pytest.mark.parametrize("opened", ["by the caller", "by the listener"])
async def test_after_its_drain_began_a_listener_refuses_whoever_connects(opened: str) -> None:
    """While a request that takes long is still in flight: a client that is refused tries another gateway.
    Clients that connected before are answered, also if nobody had accepted them.
    """
    go = asyncio.Event()

    async def behave(request: Any) -> None:
        await go.wait()
        await request.reply(ok())

    # Idle connections are not closed before their requests come, however slow the machine is.
    async with Proxy(settings=ProxySettings(drain_idle=60.0)) as proxy:
        await proxy.ready(behave)
        listener, where = Listener(), ("127.0.0.1", 0)
        door = socket.create_server(where)
        door.setblocking(False)
        if opened == "by the caller":
            await listener.start(door, proxy, proxy.dispatcher, is_shared=False)
        else:
            door.close()
            await listener.start(where, proxy, proxy.dispatcher)
        address = listener.address
        early = Client(*await asyncio.open_connection(*address))
        early.send(GET)
        await until(lambda: proxy.revision.throttle.busy == 1)
        queued = [socket.create_connection(address) for _ in range(3)]
        listener.begin_drain(0)
        await until(lambda: listener._listening is not None and listener._listening.fileno() == -1)
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(*address)
        late = [Client(*await asyncio.open_connection(sock=each)) for each in queued]
        for each in late:
            each.send(GET)
        go.set()
        assert [(await each.answer()).status for each in (early, *late)] == [200] * 4
        for each in (early, *late):
            await each.close()
        await listener.drained()


@on_uvloop
async def test_a_peer_that_vanishes_is_noticed_on_every_connection() -> None:
    """The kernel probes connections of clients, to pods, and between activators, when they are idle."""

    def probes(number: int) -> tuple[int, ...]:
        with socket.socket(fileno=os.dup(number)) as known:
            tcp = socket.IPPROTO_TCP
            return (
                known.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                known.getsockopt(tcp, socket.TCP_KEEPIDLE),
                known.getsockopt(tcp, socket.TCP_KEEPINTVL),
                known.getsockopt(tcp, socket.TCP_KEEPCNT),
            )

    def number_of(transport: Any) -> int:
        return int(transport.get_extra_info("socket").fileno())

    async with Proxy() as proxy:
        await proxy.ready()
        client = await proxy.client()
        assert (await client.ask(GET)).status == 200
        (down,) = proxy.listener.gate.connections
        (pod,) = proxy.revision.throttle.pods.values()
        found = [probes(number_of(down.transport)), probes(number_of(pod.idle[0].transport))]
        door = Door(proxy.dispatcher, {}, lambda _: 0)
        _, writer = await asyncio.open_connection(*await door.open("127.0.0.1", 0))
        await until(lambda: bool(door.strangers))
        (greeted,) = door.strangers
        found.append(probes(number_of(greeted._transport)))
        writer.close()
        await writer.wait_closed()
        door.close()
    assert found == [(1, 60, 20, 3)] * 3
