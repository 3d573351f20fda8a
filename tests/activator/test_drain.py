"""Draining: nobody in flight is lost, nobody new is refused before the delay is over, and it ends."""

import asyncio
import time

import pytest

from activator.settings import ProxySettings
from tests.activator.proxied import GET, Client, Proxy, ok, on_uvloop, until

QUICK = ProxySettings(drain_idle=0.1)


@on_uvloop
async def test_during_the_delay_everybody_is_served_and_sent_away():
    """Old connections and new ones get their answers with Connection: close."""
    async with Proxy(settings=QUICK) as proxy:
        await proxy.ready()
        old = await proxy.client()
        assert (await old.ask(GET)).value(b"Connection") is None
        proxy.listener.begin_drain(0.3)
        new = await proxy.client()
        for client in (old, new):
            answer = await client.ask(GET)
            assert (answer.status, answer.value(b"Connection")) == (200, b"close")
            assert await client.ended()
        await proxy.listener.drained()


@on_uvloop
async def test_beyond_what_descriptors_allow_clients_wait_in_the_kernel():
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
async def test_what_is_in_flight_or_held_finishes():
    """The drain ends when the last answer was given, however long that takes; new connections are refused
    by then.
    """
    release = asyncio.Event()

    async def slow(request):
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
        await asyncio.sleep(0.15)
        assert not drained.done()
        with pytest.raises(ConnectionError):
            await asyncio.open_connection(*address)
        release.set()
        assert (await held.answer()).status == 200
        await drained


@on_uvloop
async def test_idle_connections_end_soon_but_not_under_a_request():
    """One that is idle is closed; one that was busy a moment ago has that moment for its next request."""
    async with Proxy(settings=QUICK) as proxy:
        await proxy.ready()
        idle, busy = await proxy.client(), await proxy.client()
        await idle.ask(GET)
        await asyncio.sleep(0.15)
        await busy.ask(GET)
        before = time.monotonic()
        proxy.listener.begin_drain(0)
        assert await idle.ended()
        assert time.monotonic() - before < 0.09
        answer = await busy.ask(GET)
        assert (answer.status, answer.value(b"Connection")) == (200, b"close")
        await proxy.listener.drained()


@on_uvloop
async def test_an_empty_listener_drains_at_once():
    """There is nothing to wait for; asking twice is asking once."""
    async with Proxy() as proxy:
        proxy.listener.begin_drain(0)
        proxy.listener.begin_drain(0)
        await proxy.listener.drained()
        await proxy.listener.drained()


@on_uvloop
async def test_nothing_is_lost_under_load():
    """Clients that obey Connection: close and come back while there is a listener: every request is
    answered.
    """

    async def slow(request):
        await asyncio.sleep(0.002)
        await request.reply(ok())

    async def work(proxy, address):
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
