"""What the autoscaler writes: the number of replicas, deletion costs of pods, and that a target is given up.

One task a revision at most, and one write of it at a time; a later wish replaces one that has not begun. So a
slow or refused write keeps no other revision waiting.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from autoscaler.objects import COST_ANNOTATION
from autoscaler.replicas import Write
from kube.edge.client import ApiError, Client
from kube.objects import Key, Obj, name
from kube.resources import DEPLOYMENTS, PODS, Resource
from kube.retry import Pauses
from serving.targets import GIVEN_UP_ANNOTATION

log = logging.getLogger("zerogate.autoscaler")

ANSWER_WITHIN = 5.0
"""Seconds until a write without an answer counts as failed."""
CHANGED = frozenset({409, 422})
"""The test in the patch did not hold: another one was faster. Or something else was refused."""
TRIES = 4
FIRST_PAUSE = 0.02
"""Seconds, doubled with each further try."""
Where = tuple[Resource, str, str]


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be written of one revision. `given_up` None: nothing, "": take the annotation away."""

    revision: Key
    deployment: str
    write: Write | None
    given_up: str | None


@dataclass(frozen=True, slots=True)
class Written:
    """How a write of replicas ended. `replicas` is the number in the API now, None when that is not known;
    `is_last`: no other write of the revision waits.
    """

    job: Job
    replicas: int | None
    resource_version: str
    is_done: bool
    is_last: bool = True


class ScaleWriter:
    """`on_end` is told of each job that wrote replicas, or tried to."""

    def __init__(self, client: Client, group: asyncio.TaskGroup, on_end: Callable[[Written], None]) -> None:
        self._client = client
        self._group = group
        self._on_end = on_end
        self._next: dict[Key, Job] = {}
        self._busy: set[Key] = set()

    def __repr__(self) -> str:
        return f"<ScaleWriter {len(self._busy)} writing, {len(self._next)} waiting>"

    def put(self, job: Job) -> None:
        """Have it written, after what is under way for its revision."""
        waiting = self._next.get(job.revision)
        if waiting is not None:
            given_up = waiting.given_up if job.given_up is None else job.given_up
            job = replace(job, write=job.write or waiting.write, given_up=given_up)
        self._next[job.revision] = job
        if job.revision not in self._busy:
            self._busy.add(job.revision)
            self._group.create_task(self._work(job.revision))

    async def _work(self, revision: Key) -> None:
        try:
            while (job := self._next.pop(revision, None)) is not None:
                await self._do(job)
        finally:
            self._busy.discard(revision)

    async def _do(self, job: Job) -> None:
        if job.given_up is not None:
            where = (DEPLOYMENTS, job.revision[0], job.deployment)
            is_noted = await self._annotate(*where, GIVEN_UP_ANNOTATION, job.given_up or None)
            if job.write is not None and job.given_up and not is_noted:
                # At zero without that word it would count as one that was ready.
                self._on_end(Written(job, None, "", is_done=False, is_last=job.revision not in self._next))
                return
        if job.write is None:
            return
        for pod, cost in job.write.costs.items():
            await self._annotate(PODS, job.revision[0], pod, COST_ANNOTATION, cost)
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                written = await self._scale(job, job.write)
        except (ApiError, TimeoutError) as error:
            written = Written(job, None, "", is_done=False)
            if not (isinstance(error, ApiError) and error.is_not_found):
                told = str(error) or "no answer"
                log.warning("%s could not be scaled to %d: %s", job.revision[1], job.write.replicas, told)
        self._on_end(replace(written, is_last=job.revision not in self._next))

    async def _scale(self, job: Job, write: Write) -> Written:
        """Write the number; if another one changed it meanwhile, read what it is now.

        A refusal while the number stands as it was is about something else; a few more tries, then it counts.
        """
        where = (DEPLOYMENTS, job.revision[0], job.deployment)
        pauses = Pauses(first=FIRST_PAUSE)
        while True:
            try:
                scale = await (
                    self._raise_or_lower(where, write) if write.replicas else self._end(where, write)
                )
                return Written(job, write.replicas, _version(scale), is_done=True)
            except ApiError as error:
                if error.status not in CHANGED or pauses.failures + 1 == TRIES:
                    raise
            found = await self._client.get(*where)
            if _replicas(found) != write.was:
                return Written(job, _replicas(found), _version(found), is_done=False)
            await asyncio.sleep(pauses.ended(0.0, random.random()))

    async def _raise_or_lower(self, where: Where, write: Write) -> Obj:
        return await self._client.patch(*where, scale_patch(write), kind="json", subresource="scale")

    async def _end(self, where: Where, write: Write) -> Obj:
        """Zero is applied, not patched: a Scale of zero has no field that an update could own, and a number
        without an owner has none ever after, however often it changes; other writers could not be named.
        """
        found = await self._client.get(*where)
        if _replicas(found) != write.was:
            raise ApiError(409, "Conflict", f"{_replicas(found)} replicas, no longer {write.was}")
        patch = scale_to_apply(found, write.replicas)
        return await self._client.patch(*where, patch, kind="apply", force=True, subresource="scale")

    async def _annotate(
        self, resource: Resource, namespace: str, which: str, key: str, value: str | None
    ) -> bool:
        """Write an annotation; whether that was done."""
        patch = {"metadata": {"annotations": {key: value}}}
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await self._client.patch(resource, namespace, which, patch, kind="merge")
        except (ApiError, TimeoutError) as error:
            if not (isinstance(error, ApiError) and error.is_not_found):
                log.warning("%s of %s could not be written: %s", key, which, str(error) or "no answer")
            return False
        return True


def scale_patch(write: Write) -> list[Obj]:
    """JSON patch of a Scale that fails when the number is not the old one any more.

    A Scale of zero has an empty spec: autoscaling/v1 leaves a zero out ("omitempty"). What else changes of
    the Deployment meanwhile, its status above all, does not matter, as it would to a resourceVersion.
    """
    test: Obj = {"op": "test", "path": "/spec/replicas", "value": write.was}
    if write.was == 0:
        test = {"op": "test", "path": "/spec", "value": {}}
    return [test, {"op": "add", "path": "/spec/replicas", "value": write.replicas}]


def scale_to_apply(deployment: Obj, replicas: int) -> Obj:
    """The Scale to apply on a Deployment that must still be the one that was read."""
    meta = {"name": name(deployment), "resourceVersion": _version(deployment)}
    return {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": meta, "spec": {"replicas": replicas}}


def _replicas(deployment: Obj) -> int:
    found = (deployment.get("spec") or {}).get("replicas")
    return 1 if found is None else int(found)


def _version(obj: Obj) -> str:
    return str((obj.get("metadata") or {}).get("resourceVersion") or "")
