"""The autoscaler's end of the link, over real sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from autoscaler.edge.doorkeeper import SharedSecret
from autoscaler.edge.link import GOODBYE, LinkServer
from autoscaler.messages import Bye, Hello, Message, Stats, Uncordon, Welcome, decode, encode
from testkit.scaling.link import HELLO, TOKEN, Listening


@contextlib.asynccontextmanager
async def serving(leader: Listening | None) -> AsyncIterator[tuple[LinkServer, str, aiohttp.ClientSession]]:
    server = LinkServer(SharedSecret(TOKEN))
    server.leader = leader
    async with server.listening("127.0.0.1", 0) as address, aiohttp.ClientSession() as session:
        yield server, f"http://{address}/link", session


def auth(token: str = TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_hello_is_answered_by_a_welcome_and_frames_reach_the_leader_in_order() -> None:
    leader = Listening()
    async with serving(leader) as (server, url, session):
        async with session.ws_connect(url, headers=auth()) as socket:
            await socket.send_bytes(encode(HELLO))
            assert decode(await socket.receive_bytes(timeout=60)) == Welcome(7, "me", names_owners=True)
            assert server.connections == 1
            frames: list[Message] = [Stats("a", 5, ()), Stats("a", 6, ()), Bye("a")]
            for frame in frames:
                await socket.send_bytes(encode(frame))
            assert await leader.hears(4) == [("opened", "a"), *(("a", frame) for frame in frames)]
            order = Uncordon("n", "r", "p", 8)
            leader.peers[0].send(order)
            assert decode(await socket.receive_bytes(timeout=60)) == order
        assert (await leader.hears(5))[-1] == ("closed", "a")
        assert server.connections == 0


@pytest.mark.parametrize("headers", [{}, auth("wrong"), {"Authorization": TOKEN}, auth("")])
async def test_without_the_token_nobody_comes_in(headers: dict[str, str]) -> None:
    leader = Listening()
    async with serving(leader) as (_, url, session):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(url, headers=headers)
        assert refused.value.status == 401
    assert leader.told == []


async def test_where_nobody_leads_activators_are_sent_away() -> None:
    async with serving(None) as (_, url, session):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(url, headers=auth())
        assert refused.value.status == 503


@pytest.mark.parametrize("first", [b"\xff", encode(Bye("a")), encode(Hello("", "", 1))])
async def test_who_does_not_say_hello_is_cut_off(first: bytes) -> None:
    leader = Listening()
    async with serving(leader) as (_, url, session), session.ws_connect(url, headers=auth()) as socket:
        await socket.send_bytes(first)
        assert (await socket.receive(timeout=60)).type is aiohttp.WSMsgType.CLOSE
    assert leader.told == []


async def test_a_malformed_frame_ends_the_link_and_nothing_else() -> None:
    leader = Listening()
    async with serving(leader) as (_, url, session):
        async with session.ws_connect(url, headers=auth()) as socket:
            await socket.send_bytes(encode(HELLO))
            await socket.receive(timeout=60)
            await socket.send_str("text")
            assert (await socket.receive(timeout=60)).type is aiohttp.WSMsgType.CLOSE
        assert (await leader.hears(2))[-1] == ("closed", "a")
        async with session.ws_connect(url, headers=auth()) as socket:
            await socket.send_bytes(encode(HELLO))
            assert decode(await socket.receive_bytes(timeout=60)) == Welcome(7, "me", names_owners=True)


async def test_a_second_link_of_one_activator_ends_the_first() -> None:
    """It came back faster than its old connection was missed."""
    leader = Listening()
    async with (
        serving(leader) as (server, url, session),
        session.ws_connect(url, headers=auth()) as first,
        session.ws_connect(url, headers=auth()) as second,
    ):
        for socket in (first, second):
            await socket.send_bytes(encode(HELLO))
            await socket.receive(timeout=60)
        assert (await first.receive(timeout=60)).type in {
            aiohttp.WSMsgType.CLOSED,
            aiohttp.WSMsgType.ERROR,
            aiohttp.WSMsgType.CLOSE,
        }
        assert await leader.hears(3) == [("opened", "a"), ("closed", "a"), ("opened", "a")]
        await second.send_bytes(encode(Stats("a", 5, ())))
        assert (await leader.hears(4))[-1] == ("a", Stats("a", 5, ()))
        assert server.connections == 1


async def test_a_leader_that_steps_down_sends_all_away() -> None:
    leader = Listening()
    async with serving(leader) as (server, url, session), session.ws_connect(url, headers=auth()) as socket:
        await socket.send_bytes(encode(HELLO))
        await socket.receive(timeout=60)
        server.leader = None
        closing = asyncio.create_task(server.drop_all())
        frame = await socket.receive(timeout=60)
        assert (frame.type, frame.data) == (aiohttp.WSMsgType.CLOSE, 1012)
        await closing
        assert (await leader.hears(2))[-1] == ("closed", "a")


async def test_who_says_hello_to_a_leader_that_has_stepped_down_meanwhile_is_sent_away() -> None:
    """Nobody stays linked to one that decides no more."""
    leader = Listening()
    async with serving(leader) as (server, url, session), session.ws_connect(url, headers=auth()) as socket:
        server.leader = None
        await server.drop_all()
        await socket.send_bytes(encode(HELLO))
        ended = await socket.receive(timeout=60)
        assert (ended.type, ended.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.SERVICE_RESTART)
        assert server.connections == 0
    assert leader.told == []


async def test_an_activator_that_reads_no_more_keeps_no_leader_from_ending() -> None:
    """It was stopped, its buffers are full; who steps down cuts it off and gives its Lease back."""
    leader = Listening()
    async with serving(leader) as (server, url, session), session.ws_connect(url, headers=auth()) as socket:
        await socket.send_bytes(encode(HELLO))
        await socket.receive(timeout=60)
        connection: Any = socket._conn.transport  # type: ignore[union-attr] # it is open
        connection.pause_reading()
        order = Uncordon("n", "r" * 10_000, "p", 8)
        async with asyncio.timeout(60):
            while "0 to send" in repr(leader.peers[0]):
                for _ in range(100):
                    leader.peers[0].send(order)
                await asyncio.sleep(0.1)
        async with asyncio.timeout(GOODBYE + 60):
            await server.drop_all()
        connection.resume_reading()
        assert (await leader.hears(2))[-1] == ("closed", "a")
