"""Deployment → ReplicaSet → Pods: the controllers of a laptop's cluster.

The decisions are `deployments`, `deployment_status` and `replicasets`; here they are fed from informers, and
what they want written goes to the `Writer`. A scale-up stands in the way of a waiting request: it costs
exactly two writes, made in the tasks that the informer's callback starts. All that can wait (statuses, what
follows from pods) waits a moment.
"""

import asyncio
import logging
import random
from collections.abc import Iterable

from embedded.edge.workloads.queue import KeyQueue
from embedded.edge.workloads.writer import Writer
from embedded.workloads.backlog import Backlog
from embedded.workloads.deployment_status import deployment_status
from embedded.workloads.deployments import sync_deployment
from embedded.workloads.pods import next_available
from embedded.workloads.replicasets import replicaset_status, sync_replicaset
from embedded.workloads.writes import Delete, Report
from kube.edge.client import ApiError, Client
from kube.edge.clock import unix_now
from kube.edge.events import EventRecorder
from kube.edge.informer import Change, Informer
from kube.objects import Key, Obj, controller_of, key, labels, namespace, uid
from kube.resources import DEPLOYMENTS, PODS, REPLICASETS, Resource
from kube.selectors import selector_of

log = logging.getLogger("zerogate.embedded")

CALM = 0.02
"""Seconds that statuses and reactions to pods are put off: they come in bursts, a cold start goes first."""
STALE_CHECK = 10.0


async def run(client: Client) -> None:
    """Run the controllers until cancelled; a defect in one of them ends all."""
    async with asyncio.TaskGroup() as group:
        controllers = Controllers(client, group)
        try:
            await controllers.run()
        finally:
            controllers.close()


class Controllers:
    """The two controllers, which share their view of ReplicaSets and pods."""

    def __init__(self, client: Client, group: asyncio.TaskGroup) -> None:
        self._recorder = EventRecorder(client, "zerogate-deployments")
        self._rng = random.Random()
        self._failures: dict[Key, str] = {}
        self._views = {resource: Backlog() for resource in (DEPLOYMENTS, REPLICASETS, PODS)}
        self._writer = Writer(client, self._recorder, self._views)
        self._informers = {
            resource: Informer(client, resource, on_change=on_change)
            for resource, on_change in (
                (DEPLOYMENTS, self._deployment_changed),
                (REPLICASETS, self._replicaset_changed),
                (PODS, self._pod_changed),
            )
        }
        self._deployments = KeyQueue(group, "Deployment", self._sync_deployment)
        self._deployment_status = KeyQueue(group, "Deployment", self._write_deployment_status)
        self._replicasets = KeyQueue(group, "ReplicaSet", self._sync_replicaset)
        self._replicaset_status = KeyQueue(group, "ReplicaSet", self._write_replicaset_status)

    async def run(self) -> None:
        """Follow the API until cancelled."""
        async with asyncio.TaskGroup() as group:
            for informer in self._informers.values():
                group.create_task(informer.run())
            group.create_task(self._recorder.run())
            group.create_task(self._forget_stale())

    def close(self) -> None:
        """Cancel what was put off."""
        for queue in (
            self._deployments,
            self._deployment_status,
            self._replicasets,
            self._replicaset_status,
        ):
            queue.close()

    # Called by the informers

    def _deployment_changed(self, change: Change) -> None:
        self._views[DEPLOYMENTS].see(change.key, change.new)
        if _is_urgent(change):
            self._deployments.add(change.key)
        else:
            self._deployments.add_later(change.key, CALM)

    def _replicaset_changed(self, change: Change) -> None:
        known = self._views[REPLICASETS].objects.get(change.key)
        self._views[REPLICASETS].see(change.key, change.new)
        if _is_urgent(change) and not _is_same(known, change.new):
            self._replicasets.add(change.key)
        for obj in (change.old, change.new):
            for parent in self._parents(obj, DEPLOYMENTS):
                self._deployments.add_later(parent, CALM)

    def _pod_changed(self, change: Change) -> None:
        self._views[PODS].see(change.key, change.new)
        for obj in (change.old, change.new):
            for parent in self._parents(obj, REPLICASETS):
                self._replicasets.add_later(parent, CALM)
                replicaset = self._views[REPLICASETS].objects.get(parent)
                for grandparent in self._parents(replicaset, DEPLOYMENTS):
                    self._deployments.add_later(grandparent, CALM)

    def _parents(self, obj: Obj | None, resource: Resource) -> Iterable[Key]:
        """The keys of the object's owner, or of all that may adopt it."""
        if obj is None:
            return []
        reference = controller_of(obj)
        if reference is not None:
            return [(namespace(obj), reference["name"])] if reference["kind"] == resource.kind else []
        return [
            where
            for where, owner in self._views[resource].objects.items()
            if where[0] == namespace(obj) and selector_of(owner["spec"].get("selector")).matches(labels(obj))
        ]

    # Called by the queues

    async def _sync_deployment(self, where: Key) -> None:
        family = await self._family(where)
        if family is None:
            return
        writes = sync_deployment(*family, unix_now())
        await self._writer.carry_out(writes, on_size=self._replicasets.add)
        if not writes:
            self._deployment_status.add(where)
        else:
            self._deployments.add_later(where, CALM)

    async def _write_deployment_status(self, where: Key) -> None:
        family = await self._family(where)
        if family is None:
            return
        standing = deployment_status(*family, unix_now())
        if standing.look_again is not None:
            self._deployments.add_later(where, standing.look_again)
        await self._writer.write_status(DEPLOYMENTS, family[0], standing.status)

    async def _family(self, where: Key) -> tuple[Obj, list[Obj], list[Obj]] | None:
        """A Deployment, what may be its ReplicaSets, and what may be their pods."""
        await self._synced()
        deployment = self._views[DEPLOYMENTS].objects.get(where)
        if deployment is None:
            return None
        replicasets = self._views[REPLICASETS].children(deployment)
        pods = self._views[PODS]
        found = {key(pod): pod for replicaset in replicasets for pod in pods.children(replicaset)}
        return deployment, replicasets, list(found.values())

    async def _sync_replicaset(self, where: Key) -> None:
        await self._synced()
        replicaset = self._views[REPLICASETS].objects.get(where)
        if replicaset is None:
            self._failures.pop(where, None)
            return
        writes = sync_replicaset(replicaset, self._views[PODS].children(replicaset), self._rng)
        if any(isinstance(write, Delete) for write in writes):
            # Whoever lowered the size may have priced the pods a moment ago: read them as they are now.
            await self._writer.read_pods(replicaset)
            writes = sync_replicaset(replicaset, self._views[PODS].children(replicaset), self._rng)
        try:
            await self._writer.carry_out(writes)
        except ApiError as error:
            self._failures[where] = error.message
            self._writer.report(
                Report(replicaset, "Warning", "FailedCreate", f"Error creating: {error.message}")
            )
            self._replicaset_status.add_later(where, CALM)
            raise
        self._failures.pop(where, None)
        self._replicaset_status.add_later(where, CALM if writes else 0)

    async def _write_replicaset_status(self, where: Key) -> None:
        replicaset = self._views[REPLICASETS].objects.get(where)
        if replicaset is None:
            return
        now = unix_now()
        pods = self._views[PODS].children(replicaset)
        status = replicaset_status(replicaset, pods, self._failures.get(where, ""), now)
        wait = next_available(pods, float(replicaset["spec"].get("minReadySeconds") or 0), now)
        if wait is not None:
            self._replicaset_status.add_later(where, wait)
        await self._writer.write_status(REPLICASETS, replicaset, status)

    async def _synced(self) -> None:
        for informer in self._informers.values():
            await informer.synced.wait()

    async def _forget_stale(self) -> None:
        """Own writes that never showed up in the cache are believed for a while only."""
        while True:
            await asyncio.sleep(STALE_CHECK)
            for resource, view in self._views.items():
                for where in view.forget_stale(unix_now()):
                    log.info("%s %s was never seen again; looking anew", resource.kind, "/".join(where))
                    view.see(where, self._informers[resource].objects.get(where))
                    self._sync_all()

    def _sync_all(self) -> None:
        for resource, queue in ((DEPLOYMENTS, self._deployments), (REPLICASETS, self._replicasets)):
            for where in self._views[resource].objects:
                queue.add(where)


def _is_urgent(change: Change) -> bool:
    """Whether somebody wants something else than before, rather than a status having changed."""
    if change.old is None or change.new is None or uid(change.old) != uid(change.new):
        return True
    old, new = change.old["metadata"], change.new["metadata"]
    return bool(
        old.get("generation") != new.get("generation")
        or old.get("deletionTimestamp") != new.get("deletionTimestamp")
    )


def _is_same(known: Obj | None, seen: Obj | None) -> bool:
    """Whether the cache only caught up with a write of ours."""
    if known is None or seen is None:
        return False
    return bool(known["metadata"].get("resourceVersion") == seen["metadata"].get("resourceVersion"))
