"""Controllers and node agent over the embedded API itself: what each expects of the other holds."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded.api import Api
from embedded.edge.local import LocalTransport
from embedded.edge.node import agent
from embedded.edge.workloads import controllers
from embedded.node.settings import NodeSettings
from embedded.store import Store
from kube.edge.client import Client
from kube.objects import Obj, annotations, is_ready, is_true
from kube.resources import DEPLOYMENTS, PODS
from testkit.node.world import SERVER, python
from testkit.waiting import until


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    made = Api(Store(), admit=lambda _resource, obj, _old: obj, clock=time.time, log_folder=tmp_path / "logs")
    yield made
    made.store.close()


@contextlib.asynccontextmanager
async def cluster(api: Api, folder: Path) -> AsyncIterator[Client]:
    settings = NodeSettings(folder=folder, working_folder=folder, stop_grace=1.0)
    tasks = [
        asyncio.create_task(controllers.run(Client(LocalTransport(api), manager="deployments"))),
        asyncio.create_task(agent.run(Client(LocalTransport(api), manager="node"), settings)),
    ]
    try:
        yield Client(LocalTransport(api), manager="test")
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(result, asyncio.CancelledError):
                assert result is not None, "it ended of itself"
                raise result


def deployment(replicas: int) -> Obj:
    container = {
        "name": "c",
        "image": "any",
        "command": python(SERVER),
        "ports": [{"name": "http1", "containerPort": 8080}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "hello", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "hello"}},
            "template": {"metadata": {"labels": {"app": "hello"}}, "spec": {"containers": [container]}},
        },
    }


async def pods(client: Client) -> list[Obj]:
    found: list[Obj] = (await client.list(PODS, "default"))["items"]
    return found


async def eventually(ask: Callable[..., Any], is_so: Callable[..., Any], what: str) -> Any:
    box: list[Any] = []

    async def look() -> None:
        while True:
            box[:] = [await ask()]
            await asyncio.sleep(0.01)

    task = asyncio.create_task(look())
    try:
        await until(lambda: box and is_so(box[0]), what)
    finally:
        task.cancel()
    return box[0]


async def test_a_deployment_becomes_processes_and_goes_to_zero(api: Api, tmp_path: Path) -> None:
    """0 → 2 → a new template → 0: pods answer on their ports, the status follows, nothing is left."""
    async with cluster(api, tmp_path) as client:
        await client.create(DEPLOYMENTS, deployment(0))

        async def standing() -> Obj:
            return await client.get(DEPLOYMENTS, "default", "hello")

        await client.patch(DEPLOYMENTS, "default", "hello", {"spec": {"replicas": 2}}, kind="merge")
        found = await eventually(
            lambda: pods(client), lambda each: len(each) == 2 and all(map(is_ready, each)), "two pods"
        )
        for pod in found:
            port = int(annotations(pod)["zerogate.dev/port"])
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            await writer.wait_closed()
        await eventually(standing, lambda each: is_true(each, "Available"), "Available")
        first = {pod["metadata"]["uid"] for pod in found}

        env = [{"name": "c", "env": [{"name": "A", "value": "b"}]}]
        patch = {"spec": {"template": {"spec": {"containers": env}}}}
        await client.patch(DEPLOYMENTS, "default", "hello", patch, kind="strategic")
        await eventually(
            lambda: pods(client),
            lambda each: (
                len(each) == 2
                and all(map(is_ready, each))
                and not first & {pod["metadata"]["uid"] for pod in each}
            ),
            "two pods of the new template",
        )
        await client.patch(DEPLOYMENTS, "default", "hello", {"spec": {"replicas": 0}}, kind="merge")
        await eventually(lambda: pods(client), lambda each: not each, "no pods")
        await eventually(
            standing,
            lambda each: (
                each["status"].get("replicas", 0) == 0
                and each["status"]["observedGeneration"] == each["metadata"]["generation"]
            ),
            "the status",
        )
