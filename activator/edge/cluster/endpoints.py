"""Turns what the API says of scale targets and pods into revisions and the pods that serve them.

All of it is synchronous: a change of an object goes through to the waiting requests in one call. Informers,
which wait, call in here; what waits for pods to answer is the prober.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from activator.cluster.members import Join, Members, Step
from activator.cluster.pods import (
    PodView,
    pause_of,
    pod_view,
    replica_failure,
    revision_of,
    trouble_of,
    worry_of,
)
from activator.edge.cluster.probe import Prober, aim_at
from activator.edge.http.dispatch import Dispatcher
from activator.hold.timing import Phases
from activator.hosts import Hosts
from activator.link.orders import Orders
from activator.revision import Revision
from kube.edge.informer import Change
from kube.objects import Key, Obj, key, uid
from serving.targets import ScaleTarget, scale_target

log = logging.getLogger("zerogate.activator")

CANNOT_START = "cannot-start"


@dataclass(slots=True)
class _Entry:
    """A revision and what stands behind it. `candidates`: pods that a probe of ours may let in."""

    revision: Revision
    deployment: Key
    members: Members = field(default_factory=Members)
    failure: str = ""
    candidates: list[PodView] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Hooks:
    """Who wants to know. `make` builds a revision, `on_target` hears of each change of one's target."""

    make: Callable[[ScaleTarget], Revision]
    on_target: Callable[[Revision], None]
    on_gone: Callable[[Revision], None]


class Endpoints:
    """Revisions by key, each with its pods. `revisions` is shared with the routers."""

    def __init__(
        self,
        revisions: dict[Key, Revision],
        hosts: Hosts,
        dispatcher: Dispatcher,
        orders: Orders,
        hooks: Hooks,
    ) -> None:
        self.revisions = revisions
        self.prober = Prober(self._answered)
        self._hosts = hosts
        self._dispatcher = dispatcher
        self._orders = orders
        self._hooks = hooks
        self._entries: dict[Key, _Entry] = {}
        self._revision_of: dict[Key, Key] = {}
        self._plain: dict[str, dict[Key, ScaleTarget]] = {}
        self._home: dict[str, Key] = {}
        self._pods: dict[str, Obj] = {}
        self._strays: dict[str, set[str]] = {}

    def __repr__(self) -> str:
        return f"<Endpoints {len(self._entries)} revisions, {len(self._home)} pods, {self.prober}>"

    # -- the informers call --

    def route_changed(self, change: Change) -> None:
        """A Route is new, changed or gone."""
        self.reroute(self._hosts.route_changed(change.key, change.new))

    def reroute(self, revisions: Iterable[Key]) -> None:
        """Hosts do not lead to these revisions any more: requests that wait for them follow their Route."""
        for each in revisions:
            revision = self.revisions.get(each)
            if revision is not None and revision.throttle.waiting:
                self._dispatcher.reroute(revision)

    def target_changed(self, change: Change) -> None:
        """A Deployment is new, changed or gone."""
        target = scale_target(change.new) if change.new is not None else None
        former = self._revision_of.get(change.key)
        if former is not None and (target is None or target.key != former):
            self._remove(change.key, former)
        if target is None or change.new is None:
            self.reroute(self._hosts.target_changed(change.key, None))
            return
        entry = self._entries.get(target.key)
        if entry is None:
            entry = self._add(change.key, target)
        elif entry.deployment != change.key:
            log.warning(
                "Deployment %s/%s is left out: revision %s has one already", *change.key, target.revision
            )
            return
        entry.failure = replica_failure(change.new)
        self._update(entry, target)
        self.reroute(self._hosts.target_changed(change.key, target))
        if former is None:
            self._adopt_strays(target.namespace)

    def pod_changed(self, change: Change) -> None:
        """A pod is new, changed or gone."""
        if change.old is not None and (change.new is None or uid(change.new) != uid(change.old)):
            self._drop(uid(change.old), change.key[0])
        if change.new is not None:
            self._place(change.new)

    # -- the dispatcher and the orders call --

    def waiting(self, revision: Revision) -> None:
        """A request waits: its revision's pods are asked now, and often."""
        self._begin_phases(revision)
        if revision.throttle.waiting > 1:
            return
        entry = self._entries.get(revision.key)
        if entry is None or not entry.candidates:
            return
        self._ask(entry)
        for view in entry.candidates:
            self.prober.hurry(view.uid)

    def settle(self, revision: Key) -> None:
        """An order on one of its pods is off: weigh its pods again."""
        entry = self._entries.get(revision)
        if entry is not None:
            self._apply(entry, entry.members.settle(entry.revision.target, self._orders))

    def state(self) -> Mapping[str, object]:
        """For the debugging page: each revision with its pods."""
        return {
            "/".join(each): {
                "throttle": repr(entry.revision.throttle),
                "load": repr(entry.revision.load),
                "replicas": entry.revision.target.replicas,
                "trouble": entry.revision.trouble,
                "pods": {pod.uid: repr(pod) for pod in entry.revision.throttle.pods.values()},
                "known": sorted("/".join(view.key) for view in entry.members.views.values()),
                "asked": [view.uid for view in entry.candidates if view.uid in self.prober],
            }
            for each, entry in self._entries.items()
        }

    def _begin_phases(self, revision: Revision) -> None:
        """A wake begins with its first waiter, whatever became of those who waited before it."""
        if revision.cold_since is None:
            return
        throttle = revision.throttle
        first = throttle.oldest
        if first is not None and throttle.waiting == 1 and throttle.is_cold:
            revision.cold_since = first.since
        if revision.phases.wake_requested != revision.cold_since:
            revision.phases = Phases(wake_requested=revision.cold_since)

    # -- targets --

    def _add(self, deployment: Key, target: ScaleTarget) -> _Entry:
        entry = self._entries[target.key] = _Entry(self._hooks.make(target), deployment)
        self._revision_of[deployment] = target.key
        self.revisions[target.key] = entry.revision
        self._hosts.revisions_changed()
        return entry

    def _update(self, entry: _Entry, target: ScaleTarget) -> None:
        revision = entry.revision
        plain = self._plain.setdefault(target.namespace, {})
        if target.is_plain:
            plain[entry.deployment] = target
        self._dispatcher.retarget(revision, target)
        if target.replicas > 0 and revision.cold_since is not None and revision.phases.decided is None:
            revision.phases.decided = time.monotonic()
        self._apply(entry, entry.members.settle(target, self._orders))
        self._hooks.on_target(revision)

    def _remove(self, deployment: Key, revision: Key) -> None:
        del self._revision_of[deployment]
        entry = self._entries.pop(revision)
        del self.revisions[revision]
        self._plain.get(deployment[0], {}).pop(deployment, None)
        for pod_uid in entry.members.views:
            self.prober.forget(pod_uid)
            del self._home[pod_uid]
            self._strays.setdefault(deployment[0], set()).add(pod_uid)
        self._hosts.revisions_changed()
        self._dispatcher.revision_gone(entry.revision)
        self._hooks.on_gone(entry.revision)

    # -- pods --

    def _place(self, pod: Obj) -> None:
        """Give the pod to its revision; one whose revision is not known (yet) is a stray."""
        namespace, pod_uid = key(pod)[0], uid(pod)
        where = revision_of(pod, self._plain.get(namespace, {}).values())
        entry = self._entries.get(where) if where is not None else None
        if self._home.get(pod_uid, where) != where:
            self._drop(pod_uid, namespace)
        self._pods[pod_uid] = pod
        if entry is None or where is None:
            self._strays.setdefault(namespace, set()).add(pod_uid)
            return
        self._strays.get(namespace, set()).discard(pod_uid)
        self._home[pod_uid] = where
        view = pod_view(pod)
        if view.is_gone:
            self.prober.forget(pod_uid)  # an order stands until the object is gone, for its last requests
        self._note_progress(entry.revision, view)
        self._apply(entry, entry.members.put(view, entry.revision.target, self._orders))

    def _drop(self, pod_uid: str, namespace: str) -> None:
        self._pods.pop(pod_uid, None)
        self._strays.get(namespace, set()).discard(pod_uid)
        entry = self._entries.get(self._home.pop(pod_uid, ("", "")))
        self.prober.forget(pod_uid)
        self._orders.forget(pod_uid)
        if entry is not None:
            self._apply(entry, entry.members.drop(pod_uid))

    def _adopt_strays(self, namespace: str) -> None:
        for pod_uid in [*self._strays.get(namespace, ())]:
            self._place(self._pods[pod_uid])

    def _note_progress(self, revision: Revision, view: PodView) -> None:
        if revision.cold_since is None or view.is_gone:
            return
        phases, now = revision.phases, time.monotonic()
        if view.is_scheduled and phases.scheduled is None:
            phases.scheduled = now
        if view.address and phases.address_known is None:
            phases.address_known = now

    # -- what follows --

    def _answered(self, pod_uid: str) -> None:
        """A probe of ours succeeded."""
        entry = self._entries.get(self._home.get(pod_uid, ("", "")))
        if entry is not None:
            self._apply(entry, entry.members.answered(pod_uid, entry.revision.target, self._orders))

    def _apply(self, entry: _Entry, steps: Iterable[Step]) -> None:
        """Pass the steps on; then who is asked and whether there is hope is decided anew."""
        revision = entry.revision
        for step in steps:
            if isinstance(step, Join):
                if revision.cold_since is not None and revision.phases.connected is None:
                    revision.phases.connected = time.monotonic()
                self._dispatcher.pod_ready(revision, step.uid, step.address, step.port)
            else:
                self._dispatcher.pod_gone(revision, step.uid)
        entry.candidates = [
            view for view in entry.members.candidates(revision.target) if view.uid not in self._orders
        ]
        self._ask(entry)
        self._judge(entry)

    def _ask(self, entry: _Entry) -> None:
        revision, members = entry.revision, entry.members
        asked = {view.uid for view in entry.candidates}
        for pod_uid in members.views:
            if pod_uid not in asked:
                self.prober.forget(pod_uid)
        for view in entry.candidates:
            if not members.serving or revision.load.in_flight or view.uid in members.demoted:
                aim = aim_at(view.address, view.port or revision.target.port, revision.target)
                self.prober.ask(view.uid, aim, lambda: revision.throttle.waiting > 0)

    def _judge(self, entry: _Entry) -> None:
        revision = entry.revision
        trouble = (
            "" if entry.members.serving
            else trouble_of(revision.target, entry.failure, entry.members.views.values())
        )  # fmt: skip
        revision.worry = "" if entry.members.serving else worry_of(entry.members.views.values())
        if trouble == revision.trouble:
            return
        revision.trouble, revision.pause = trouble, pause_of(trouble)
        if trouble:
            log.warning("%s can't start: %s", revision.key[1], trouble, extra={"data": {"key": revision.key}})
            self._dispatcher.refuse(revision, CANNOT_START, trouble)
