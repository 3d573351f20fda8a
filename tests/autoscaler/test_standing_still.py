"""A process that was stopped is told from one that runs, and from one that cannot be reached."""

import asyncio
import socket

import pytest

from activator.edge.peers.door import Door
from autoscaler.edge import owning
from testkit.proxy.harness import Proxy


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owning, "UNANSWERED", 0.4)


async def test_a_kernel_that_accepts_and_a_process_that_answers_nothing_stand_still() -> None:
    with socket.create_server(("127.0.0.1", 0)) as stopped:
        assert await owning._stands_still(f"127.0.0.1:{stopped.getsockname()[1]}")


async def test_one_that_refuses_is_dead_and_does_not_stand_still() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert not await owning._stands_still(f"127.0.0.1:{port}")


async def test_one_whose_machine_is_lost_meanwhile_is_not_known_to_stand_still() -> None:
    """It may serve on where it is."""
    server = socket.create_server(("127.0.0.1", 0))
    asking = asyncio.create_task(owning._stands_still(f"127.0.0.1:{server.getsockname()[1]}"))
    await asyncio.sleep(0.2)
    server.close()
    assert not await asking


async def test_an_activator_that_runs_says_so_and_counts_no_stranger() -> None:
    async with Proxy() as proxy:
        door = Door(proxy.dispatcher, {}, lambda _: 0)
        host, port = await door.open("127.0.0.1", 0)
        assert not await owning._stands_still(f"{host}:{port}")
        assert door.refused == 0
        door.close()
