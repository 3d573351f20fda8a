"""The whole loop in virtual time: what scenes have in common.

Seconds are counted from the beginning of each scene; the leader leads from second 0.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from autoscaler.edge.leader import Leader
from testkit.loop.virtual_time import run
from testkit.scaling.world import FakeActivator, FakeApi, config, deployment, leading, reporting

HELLO = "/apis/apps/v1/namespaces/default/deployments/hello"
Scene = Callable[[FakeApi, Leader, FakeActivator], Awaitable[None]]


async def until(second: float) -> None:
    await asyncio.sleep(second - asyncio.get_running_loop().time())


def replicas(api: FakeApi) -> int:
    return int(api.objects[HELLO]["spec"]["replicas"])


def written(api: FakeApi) -> list[int]:
    return [number for _, _, number in api.writes]


def play(scene: Scene, *, settings: dict[str, str] | None = None, **target: Any) -> FakeApi:
    """One activator, one revision `hello`, a fresh leader."""

    async def scenario() -> FakeApi:
        api = FakeApi()
        api.put("configmaps", config(**(settings or {})))
        api.put("deployments", deployment(**({"target": "10"} | target)))
        async with leading(api) as leader:
            activator = FakeActivator("a", leader)
            async with reporting(activator):
                await scene(api, leader, activator)
        return api

    return run(scenario())


async def busy_then_silent(api: FakeApi, activator: FakeActivator) -> None:
    """50 in flight from second 100 to 200."""
    await until(100)
    activator.arrive(50)
    await until(200)
    assert replicas(api) == 5
    activator.arrive(0)
