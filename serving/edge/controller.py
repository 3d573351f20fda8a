"""The controller's program: it watches, asks `serving.reconcile` what is left to do, and does it."""

import asyncio
import logging
from dataclasses import dataclass
from functools import partial

from kube.edge.client import ApiError, Client
from kube.edge.clock import unix_now
from kube.edge.events import EventRecorder
from kube.edge.informer import Change, Informer
from kube.objects import Obj, controller_of, is_deleting, is_newer, key, name, namespace, uid
from kube.resources import (
    CONFIGMAPS,
    CONFIGURATIONS,
    DEPLOYMENTS,
    PODS,
    REVISIONS,
    ROUTES,
    SERVICES,
    Resource,
)
from serving.configs import COMPILED, PARSERS, parse_configs
from serving.edge.queue import WorkQueue
from serving.lost import Lost
from serving.reconcile.actions import Action, Create, Delete, Note, Replace, SetStatus
from serving.reconcile.plan import reconcile
from serving.reconcile.world import Work, World
from serving.targets import SCALE_LABEL
from serving.validation import SYSTEM_NAMESPACE

log = logging.getLogger("zerogate.controller")

WORKERS = 16
"""Objects reconciled at the same time; each waits for the API server most of its time."""
OWNERS = {resource.kind: resource for resource in (SERVICES, CONFIGURATIONS, REVISIONS)}
SELECTED = f"{SCALE_LABEL}=true"
WATCHED = (
    (SERVICES, ""),
    (CONFIGURATIONS, ""),
    (REVISIONS, ""),
    (ROUTES, ""),
    (DEPLOYMENTS, SELECTED),
    (PODS, SELECTED),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """``localhost_alias``: Routes answer also as ``<name>.<namespace>.localhost``, as in `up`."""

    system_namespace: str = SYSTEM_NAMESPACE
    localhost_alias: bool = False


async def run(client: Client, settings: Settings | None = None) -> None:
    """Reconcile until cancelled. The caller sees to it that only one runs (a Lease)."""
    await Controller(client, settings or Settings()).run()


class Controller:
    """One world, one queue, a few workers."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._world = World(COMPILED, localhost_alias=settings.localhost_alias)
        self._queue: WorkQueue[Work] = WorkQueue()
        self._learned: dict[Work, Obj] = {}
        self._lost = Lost()
        self._events = EventRecorder(client, client.manager)
        self._told: dict[str, dict[str, str]] = {}
        self._configs = Informer(
            client, CONFIGMAPS, namespace=settings.system_namespace, on_change=self._on_config
        )
        self._informers = [
            Informer(client, resource, label_selector=selector, on_change=partial(self._on_change, resource))
            for resource, selector in WATCHED
        ]

    def __repr__(self) -> str:
        return f"<Controller {self._world!r} {self._queue!r}>"

    async def run(self) -> None:
        """Workers begin once everything was listed: what is not yet known must not be taken for absent."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._events.run())
            for informer in [self._configs, *self._informers]:
                tasks.create_task(informer.run())
            for informer in [self._configs, *self._informers]:
                await informer.synced.wait()
            self._take_configs()
            for _ in range(WORKERS):
                tasks.create_task(self._work())

    # called by the informers

    def _on_change(self, resource: Resource, change: Change) -> None:
        if change.new is None:
            if change.old is not None:
                self._told.pop(uid(change.old), None)
                self._lost.forget(change.old)
                if self._owner_of(change.old) is not None:
                    self._lost.went(resource, change.old)
            self._learned.pop((resource, change.key), None)
            found = self._world.remove(resource, change.key)
        elif self._is_known(resource, change.new):
            return
        else:
            found = self._world.put(resource, change.new)
        for work in found:
            self._queue.add(work)

    def _learn(self, resource: Resource, obj: Obj) -> None:
        """What we wrote is known before the watch tells of it; else the next look would be at old news, and
        what is written by that refused.
        """
        present = self._world.get(resource, *key(obj))
        if present is not None and uid(present) == uid(obj) and is_newer(obj, present):
            self._learned[resource, key(obj)] = obj
            for work in self._world.put(resource, obj):
                self._queue.add(work)

    def _is_known(self, resource: Resource, obj: Obj) -> bool:
        """Whether the watch only now comes to what was learned, or is still before it."""
        learned = self._learned.get((resource, key(obj)))
        if learned is None:
            return False
        is_before = uid(obj) == uid(learned) and is_newer(learned, obj)
        if not is_before:
            del self._learned[resource, key(obj)]
        return is_before or obj["metadata"].get("resourceVersion") == learned["metadata"].get(
            "resourceVersion"
        )

    def _on_config(self, change: Change) -> None:
        if self._configs.synced.is_set() and change.key[1] in PARSERS:
            self._take_configs()

    def _take_configs(self) -> None:
        maps = {name(obj): obj.get("data") or {} for obj in self._configs.objects.values()}
        configs = parse_configs(maps, self._world.configs)
        for obj in self._configs.objects.values():
            problem = configs.broken.get(name(obj), "")
            if problem:
                log.error("%s is not read, what it said before holds: %s", name(obj), problem)
                self._tell_of_map(obj, problem)
        self._world.configure(configs)
        for work in self._world.all_work():
            self._queue.add(work)

    def _tell_of_map(self, obj: Obj, problem: str) -> None:
        """An Event, once for each change of the map: what its policy let pass it can't be."""
        last = self._told.setdefault(uid(obj), {})
        version = str(obj["metadata"].get("resourceVersion", ""))
        if last.get("NotRead") != version:
            last["NotRead"] = version
            said = f"It is not read, what it said before holds: {problem}"
            self._events.emit(obj, "Warning", "NotRead", said)

    # a worker

    async def _work(self) -> None:
        while True:
            work = await self._queue.take()
            try:
                outcome = reconcile(self._world, work, unix_now())
                is_rest_left = False
                for action in outcome.actions:
                    if isinstance(action, SetStatus) and action.can_wait and self._queue.can_wait(work):
                        is_rest_left = True
                    else:
                        await self._perform(action)
            except ApiError as error:
                self._put_off(work, error)
            else:
                self._queue.done(work, is_rest_left=is_rest_left)
                if outcome.again_in is not None:
                    self._queue.add_after(work, max(1.0, outcome.again_in))
            # An API in the same process never makes us wait: let the watches tell what was written.
            await asyncio.sleep(0)

    def _put_off(self, work: Work, error: ApiError) -> None:
        """Later again. A view that was overtaken is no news: the watch brings the new one."""
        delay = self._queue.failed(work)
        if error.is_conflict or error.is_already_exists or error.is_not_found:
            return
        resource, (home, which) = work
        found = self._world.get(resource, home, which)
        if found is not None and 400 <= error.status < 500:
            self._events.emit(found, "Warning", "ReconcileFailed", error.message)
        log.warning(
            "%s %s/%s can't be brought about (%s); trying again", resource.kind, home, which, error,
            extra={"data": {"status": error.status, "back_off": delay}},
        )  # fmt: skip

    async def _perform(self, action: Action) -> None:
        match action:
            case Note():
                self._tell(action)
            case Create(resource, obj):
                await self._create(resource, obj)
            case Replace(resource, obj):
                self._learn(resource, await self._client.replace(resource, obj))
            case SetStatus(resource, obj):
                self._learn(resource, await self._client.replace(resource, obj, subresource="status"))
            case Delete(resource, obj):
                await self._delete(resource, obj)

    async def _create(self, resource: Resource, obj: Obj) -> None:
        """Raises ApiError (404) for what went, where its owner, asked for anew, is gone too."""
        if self._lost.has(resource, obj) and not await self._is_owner_there(obj):
            raise ApiError(404, "NotFound", f"the owner of {resource.kind} {name(obj)} is gone")
        await self._client.create(resource, obj)
        self._lost.made(resource, obj)

    async def _is_owner_there(self, obj: Obj) -> bool:
        """Listed, as the rights to list and watch are all that is needed otherwise."""
        found = self._owner_of(obj)
        if found is None:
            return False
        resource, owner = found
        which = f"metadata.name={name(owner)}"
        listed = await self._client.list(resource, namespace(owner), field_selector=which)
        return any(uid(each) == uid(owner) and not is_deleting(each) for each in listed["items"])

    def _owner_of(self, obj: Obj) -> tuple[Resource, Obj] | None:
        """The owner of one of our objects, as far as we know."""
        reference = controller_of(obj) or {}
        resource = OWNERS.get(reference.get("kind", ""))
        owner = self._world.get(resource, namespace(obj), reference.get("name", "")) if resource else None
        return (resource, owner) if resource and owner and uid(owner) == reference.get("uid") else None

    async def _delete(self, resource: Resource, obj: Obj) -> None:
        log.info("%s %s/%s is old and not routed to: deleted", resource.kind, *key(obj))
        try:
            await self._client.delete(
                resource, namespace(obj), name(obj), uid=uid(obj), propagation="Background"
            )
        except ApiError as error:
            if not error.is_not_found:
                raise

    def _tell(self, note: Note) -> None:
        """An Event and a line, unless the last thing told about the object on that topic was the same."""
        last = self._told.setdefault(uid(note.involved), {})
        if last.get(note.topic) == note.message:
            return
        last[note.topic] = note.message
        self._events.emit(note.involved, note.type, note.reason, note.message)
        if not note.is_logged:
            return
        level = logging.INFO if note.type == "Normal" else logging.WARNING
        data = {
            "kind": note.involved.get("kind"),
            "namespace": namespace(note.involved),
            "reason": note.reason,
        }
        log.log(level, "%s", note.message, extra={"data": {**data, "name": name(note.involved)}})
