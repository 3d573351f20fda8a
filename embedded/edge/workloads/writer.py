"""Carrying out what the controllers want written, and remembering it until their caches show it."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

from embedded.workloads.backlog import Backlog
from embedded.workloads.writes import Create, Delete, Patch, Report, Write, patch_of
from kube.edge.client import ApiError, Client
from kube.edge.clock import unix_now
from kube.edge.events import EventRecorder
from kube.objects import Key, Obj, key, namespace
from kube.resources import PODS, REPLICASETS, Resource

REPORT_DELAY = 0.25
"""Seconds that Events are put off: a cold start's writes go first."""


class Writer:
    """The controllers' way to the API. All but `report` raise ApiError when a write is refused."""

    def __init__(self, client: Client, recorder: EventRecorder, views: Mapping[Resource, Backlog]) -> None:
        self._client = client
        self._recorder = recorder
        self._views = views

    async def carry_out(
        self, writes: Iterable[Write], on_size: Callable[[Key], None] = lambda _: None
    ) -> None:
        """Do the writes in order; the first refusal ends it. `on_size` hears at once of changed sizes."""
        for write in writes:
            if isinstance(write, Report):
                self.report(write)
            elif isinstance(write, Create):
                made = await self._client.create(write.resource, write.obj)
                self._views[write.resource].wrote(made, unix_now())
                on_size(key(made))
            elif isinstance(write, Delete):
                await self._delete(write)
            else:
                await self._patch(write)
                if write.resource is REPLICASETS and "spec" in write.body:
                    on_size(write.key)

    async def write_status(self, resource: Resource, obj: Obj, status: Obj) -> None:
        """Store the status, unless the object has it already."""
        stored = obj.get("status") or {}
        if any(stored.get(part) != value and (value or stored.get(part)) for part, value in status.items()):
            told = {part: value or _nothing(resource, part) for part, value in status.items()}
            await self._patch(patch_of(resource, obj, {"status": told}, subresource="status"))

    async def read_pods(self, replicaset: Obj) -> None:
        """Read the set's pods as they are now, ahead of the cache."""
        wanted = ",".join(
            f"{label}={value}"
            for label, value in replicaset["spec"]["selector"].get("matchLabels", {}).items()
        )
        found = await self._client.list(PODS, namespace(replicaset), label_selector=wanted)
        for pod in found.get("items") or ():
            if key(pod) in self._views[PODS].objects:
                self._views[PODS].wrote({"kind": "Pod", "apiVersion": "v1", **pod}, unix_now())

    def report(self, report: Report) -> None:
        """Tell of it in an Event, a moment later."""
        asyncio.get_running_loop().call_later(
            REPORT_DELAY, self._recorder.emit, report.involved, report.type, report.reason, report.message
        )

    async def _patch(self, write: Patch) -> None:
        body = {**write.body, "metadata": {"uid": write.uid, **write.body.get("metadata", {})}}
        answer = await self._client.patch(
            write.resource, *write.key, body, kind="merge", subresource=write.subresource
        )
        self._views[write.resource].wrote(answer, unix_now())

    async def _delete(self, write: Delete) -> None:
        try:
            await self._client.delete(write.resource, *write.key, propagation="Background", uid=write.uid)
        except ApiError as error:
            if not error.is_not_found:
                raise
        self._views[write.resource].deleted(write.uid, unix_now())


def _nothing(resource: Resource, part: str) -> int | None:
    """How nought is told: by leaving the field out, but where a ReplicaSet must say it."""
    return 0 if resource == REPLICASETS and part == "replicas" else None
