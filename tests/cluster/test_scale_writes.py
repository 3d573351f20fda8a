"""What our programs write of replicas, against a real API server: how often, over what, whose it is then."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activator.cluster.wake import WAKE_PATCH
from autoscaler.edge.scale import Job, ScaleWriter
from autoscaler.objects import foreign_writer, is_ours, writers_of_replicas
from autoscaler.replicas import Write
from kube.edge.client import ApiError, Client
from kube.edge.credentials import load_credentials
from kube.edge.http import HttpTransport
from kube.resources import DEPLOYMENTS
from testkit.kubernetes.control_plane import ControlPlane


class Counted(HttpTransport):
    """Notes the writes."""

    def __init__(self, credentials: Any, **settings: Any) -> None:
        super().__init__(credentials, **settings)
        self.writes: list[Any] = []

    async def request(self, method: Any, path: str, **rest: Any) -> Any:
        if method != "GET":
            self.writes.append((method, path.rsplit("/", 1)[1]))
        return await super().request(method, path, **rest)


@contextlib.asynccontextmanager
async def scene(control_plane: ControlPlane, name: str) -> AsyncIterator[Any]:
    """A Deployment at zero without a scheduler's interest, a client of ours, another one's, and a writer."""
    credentials = await load_credentials(str(control_plane.kubeconfig))
    transport = Counted(credentials, user_agent="zerogate-autoscaler")
    ours = Client(transport, manager="zerogate-autoscaler")
    other = Client(HttpTransport(credentials, user_agent="other"), manager="other")
    marks = {"app": name}
    made = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": marks},
            "template": {
                "metadata": {"labels": marks},
                "spec": {"containers": [{"name": "c", "image": "none"}], "nodeSelector": {"no": "node"}},
            },
        },
    }
    await other.create(DEPLOYMENTS, made)
    try:
        yield transport, ours, other
    finally:
        await ours.delete(DEPLOYMENTS, "default", name)
        await ours.close()
        await other.close()


async def write(client: Client, name: str, was: Any, replicas: Any) -> Any:
    """Have the writer write; how it ended."""
    ended = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        writer = ScaleWriter(client, group, ended.set_result)
        writer.put(Job(("default", name), name, Write(replicas, was, "test", {}), None))
    return await ended


async def settled(client: Client, name: str, replicas: Any) -> None:
    """Until the Deployment controller has nothing more to say."""
    async with asyncio.timeout(30):
        while True:
            found = await client.get(DEPLOYMENTS, "default", name)
            status = found.get("status") or {}
            is_seen = status.get("observedGeneration") == found["metadata"]["generation"]
            if is_seen and (status.get("unavailableReplicas") or 0) == replicas:
                return
            await asyncio.sleep(0.05)


async def test_each_decision_is_one_write_and_none_over_a_number_that_is_another_ones(
    control_plane: ControlPlane,
) -> None:
    """From zero, up, down and to zero; a Scale of zero has an empty spec, which is what is tested then."""
    async with scene(control_plane, "writes") as (transport, ours, other):
        for was, replicas in ((0, 1), (1, 5), (5, 2), (2, 0)):
            await settled(ours, "writes", was)
            transport.writes.clear()
            written = await write(ours, "writes", was, replicas)
            assert (written.is_done, written.replicas) == (True, replicas)
            assert written.resource_version.isdecimal()
            assert transport.writes == [("PATCH", "scale")]
        for stands, was, replicas in ((3, 0, 1), (3, 2, 5), (3, 1, 0), (0, 2, 0)):
            scale = {"spec": {"replicas": stands}}
            await other.patch(DEPLOYMENTS, "default", "writes", scale, kind="merge", subresource="scale")
            transport.writes.clear()
            written = await write(ours, "writes", was, replicas)
            assert (written.is_done, written.replicas) == (False, stands)
            assert len(transport.writes) <= 1
            found = await ours.get(DEPLOYMENTS, "default", "writes")
            assert found["spec"]["replicas"] == stands


async def test_another_writer_is_known_even_after_zero(control_plane: ControlPlane) -> None:
    """Kubernetes forgets who writes a number once that was patched to zero; ours is applied."""
    async with scene(control_plane, "owned") as (_, ours, other):
        for was, replicas in ((0, 1), (1, 0)):
            await settled(ours, "owned", was)
            await write(ours, "owned", was, replicas)
            before = await ours.get(DEPLOYMENTS, "default", "owned")
            assert writers_of_replicas(before)
            assert all(map(is_ours, writers_of_replicas(before)))
        scale = {"spec": {"replicas": 2}}
        await other.patch(DEPLOYMENTS, "default", "owned", scale, kind="merge", subresource="scale")
        after = await ours.get(DEPLOYMENTS, "default", "owned")
        assert foreign_writer(before, after, is_others=True) == "other"


async def test_the_activators_patch_wakes_from_zero_and_does_nothing_else(
    control_plane: ControlPlane,
) -> None:
    """One where another number stands, or one stands already, is refused and changes nothing."""
    async with scene(control_plane, "woken") as (_, ours, other):

        async def wake() -> Any:
            return await ours.patch(DEPLOYMENTS, "default", "woken", WAKE_PATCH, kind="json")

        assert (await wake())["spec"]["replicas"] == 1
        for stands in (1, 4):
            scale = {"spec": {"replicas": stands}}
            await other.patch(DEPLOYMENTS, "default", "woken", scale, kind="merge", subresource="scale")
            with pytest.raises(ApiError) as refused:
                await wake()
            assert refused.value.status == 422
            assert (await ours.get(DEPLOYMENTS, "default", "woken"))["spec"]["replicas"] == stands
