"""The one autoscaler that decides: reports in, orders and writes out.

Nothing here waits but the tasks of `run`. A report for a revision at zero is decided before the next frame is
read; all others have their turn every two seconds, in slices of a few milliseconds.
"""

import asyncio
import itertools
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from time import perf_counter
from typing import Any

from autoscaler.collector import Collector
from autoscaler.edge.link import Peer
from autoscaler.edge.owning import Owning
from autoscaler.edge.releasing import Releasing
from autoscaler.edge.scale import Job, ScaleWriter, Written
from autoscaler.edge.settings import LEASE, Settings
from autoscaler.fleet import Fleet
from autoscaler.messages import Bye, Cordoned, Hello, Leaving, Message, Occupied, Pods, Stat, Stats
from autoscaler.owners import Owners
from autoscaler.replicas import Outcome, View
from autoscaler.revision import REQUEST_WAITING, Revision
from autoscaler.scalein import Order
from autoscaler.schedule import TICK, Schedule
from autoscaler.sight import Sight
from autoscaler.terminating import Terminating
from kube.edge.client import Client
from kube.edge.events import EventRecorder
from kube.objects import Key, Obj
from kube.resources import LEASES

log = logging.getLogger("zerogate.autoscaler")

SLICE = 0.005
"""Seconds of decisions before anything else gets its turn."""
ROWS_AT_ONCE = 500
"""Of one report, before anything else gets its turn."""
LOOK = 1.0
"""Seconds between looks for silent activators."""
ORDERS_A_LEADER = 1 << 24
EARLY = 1000
EARLY_FOR = 10.0
"""How many first reports of revisions that the watch has not told of yet are kept, and for how long."""


def _nobody_tells() -> AbstractSet[str] | None:
    return None


class Leader:
    """One term of leadership; `epoch` grows with each. Plain attributes are for metrics to read.

    `expected_activators` tells who ought to report, None when that is not known.
    """

    def __init__(self, client: Client, settings: Settings, epoch: int) -> None:
        self.epoch = epoch
        self.identity = settings.identity
        self.is_settled = asyncio.Event()
        self.expected_activators = settings.expected_activators or _nobody_tells
        self._settings = settings
        self.sight = Sight(self.now())
        self.events = EventRecorder(client, "zerogate-autoscaler")
        self._number = itertools.count(epoch * ORDERS_A_LEADER).__next__
        self.fleet = Fleet(self._number)
        self.revisions = self.fleet.revisions
        self.writes = 0
        self.late = 0
        self._client = client
        self._collector = Collector()
        self._schedule = Schedule()
        self._stirred = asyncio.Event()
        self._peers: dict[str, Peer] = {}
        self._owning = Owning(
            Owners(self._number, self.now()), self.fleet, self._peers, self.now,
            lambda: self.sight.silent(self.now()).keys(),
        )  # fmt: skip
        self._releasing = Releasing(Terminating(self._number, self.now()), client)
        self._loads: dict[str, dict[str, int]] = {}
        self._early: dict[Key, tuple[float, Stat]] = {}
        self._writer: ScaleWriter | None = None

    def __repr__(self) -> str:
        return f"<Leader {self.identity}, epoch {self.epoch}, {self.fleet!r}, {self.sight!r}>"

    def now(self) -> float:
        """Unix seconds with whole milliseconds."""
        return math.floor(self._settings.clock() * 1000) / 1000

    async def run(self, watch: Callable[[asyncio.TaskGroup], Awaitable[None]]) -> None:
        """Lead until cancelled. `watch` begins to tell what exists, and returns when all is told; then
        `is_settled` is set.
        """
        async with asyncio.TaskGroup() as group:
            self._writer = ScaleWriter(self._client, group, self._written)
            self._releasing.start(group)
            group.create_task(self.events.run())
            await watch(group)
            group.create_task(self._owning.run())
            self._owning.look(self.expected_activators())
            group.create_task(self._tick())
            group.create_task(self._look_around())
            self.is_settled.set()

    # Called by the link.

    def opened(self, peer: Peer, hello: Hello) -> None:
        """An activator is linked: it hears the orders that stand, and who owns the hard limits."""
        self._peers[peer.name] = peer
        self.sight.link(peer.name, self.now())
        self._collector.linked(hello.activator, hello.process)
        log.info("Activator %s is linked", peer.name)
        for revision in self.revisions.values():
            for order in revision.replicas.scale_in.standing():
                peer.send(order)
        for order in self._releasing.terminating.standing():
            peer.send(order)
        self._owning.hello(hello)

    def closed(self, peer: Peer) -> None:
        """A link broke, or ended after a good-bye."""
        if self._peers.get(peer.name) is peer:
            del self._peers[peer.name]
            self._loads.pop(peer.name, None)
            self.sight.lose(peer.name)
            self._owning.lost(peer.name)

    def received(self, peer: Peer, message: Message) -> None:
        """A frame. Reports alone say that the load is seen."""
        match message:
            case Stats():
                self.sight.hear(peer.name, self.now())
                self._reported(message)
            case Pods():
                self._loads[peer.name] = {load.pod_uid: load.in_flight for load in message.in_flight}
            case Cordoned():
                self._acknowledged(peer.name, message)
            case Occupied():
                self._owning.occupied(peer.name, message)
            case Leaving():
                log.info("Activator %s drains", peer.name)
                self._owning.leaving(peer.name)
            case Bye():
                log.info("Activator %s has drained", peer.name)
                self._owning.bye(peer.name)
                self.sight.bye(peer.name)
                self._collector.forget(peer.name)
                self._loads.pop(peer.name, None)
            case _:
                log.debug("%s from %s has no meaning here", type(message).__name__, peer.name)

    # Called by the watches.

    def stirred(self, revision: Revision) -> None:
        """Something of the revision changed: it takes its turns from now on."""
        self._owning.see(revision)
        key = revision.target.key
        if key in self._schedule:
            if revision.is_mended:
                self._schedule.add(key, self.now())
                self._stirred.set()
            return
        self.fleet.remember(revision)
        self._schedule.begin(key, self.now())
        self._stirred.set()
        waiting = self._early.pop(key, None)
        if waiting is not None and self.now() - waiting[0] < EARLY_FOR:
            self._record([waiting[1]], self.now(), self._view())

    def pod_changed(self, former: Obj | None, pod: Obj | None) -> None:
        """A pod came, changed, or went (None)."""
        any_ = pod or former
        if any_ is None:
            return
        self._send(self._releasing.see(self.fleet.key_of_pod(any_), former, pod, self.now()))
        revision = self.fleet.see_pod(former, pod)
        if revision is not None:
            self.stirred(revision)

    def tell(self, revision: Revision, type_: str, reason: str, message: str) -> None:
        """An Event on the scale target."""
        target = revision.target
        deployment = self.fleet.deployments.get((target.namespace, target.deployment))
        if deployment is not None:
            self.events.emit(deployment, type_, reason, message)

    # Reports.

    def _reported(self, stats: Stats) -> None:
        now = self.now()
        second = self._collector.second_of(stats, now)
        if second is not None:
            when = now if math.floor(now) == second else float(second)
            self._record_slice(stats.stats, when)

    def _record_slice(self, rows: Sequence[Stat], when: float) -> None:
        self._record(rows[:ROWS_AT_ONCE], when, self._view())
        if len(rows) > ROWS_AT_ONCE:
            asyncio.get_running_loop().call_soon(self._record_slice, rows[ROWS_AT_ONCE:], when)

    def _record(self, rows: Sequence[Stat], when: float, view: View) -> None:
        for row in rows:
            key = (row.namespace, row.revision)
            revision = self.revisions.get(key)
            if revision is None:
                if row.concurrency > 0 and len(self._early) < EARLY:
                    self._early[key] = (when, row)
                continue
            self.fleet.remember(revision)
            revision.record(when, row.concurrency, row.requests)
            if row.concurrency > 0 and revision.is_asleep:
                self._decide(revision, view)

    def _acknowledged(self, activator: str, message: Cordoned) -> None:
        now = self.now()
        if self._releasing.acknowledged(activator, message, self.sight.witnesses(now), now):
            return
        revision = self.fleet.of_pod(message.pod_uid)
        if revision is None:
            return
        view, scale_in = self._view(), revision.replicas.scale_in
        is_news = scale_in.acknowledge(activator, message.pod_uid, message.epoch, message.in_flight)
        if is_news and scale_in.are_empty(view.activators):
            self._carry_out(revision, revision.settle(view))

    # Decisions.

    def _view(self) -> View:
        now = self.now()
        loads = self._loads.values()
        return View(
            now=now,
            activators=self.sight.responsive(now),
            in_flight=lambda pod_uid: sum(load.get(pod_uid, 0) for load in loads),
            veto=lambda stable_window: self.sight.veto(stable_window, now),
        )

    def _decide(self, revision: Revision, view: View) -> None:
        self._carry_out(revision, revision.decide(view))
        key, again_in = revision.target.key, revision.wish.again_in
        if again_in < TICK:
            self._schedule.add(key, view.now + again_in)
            self._stirred.set()
        elif key not in self._schedule and not revision.can_sleep(view.now):
            self._schedule.add(key, view.now + TICK)
            self._stirred.set()

    def _carry_out(self, revision: Revision, outcome: Outcome) -> None:
        self._send(outcome.orders)
        if self._writer and (outcome.write is not None or outcome.given_up is not None):
            target = revision.target
            self._writer.put(Job(target.key, target.deployment, outcome.write, outcome.given_up))
        if outcome.given_up:
            log.warning("%s is given up: %s", revision.target.revision, outcome.given_up)
            self.tell(revision, "Warning", "ActivationFailed", f"given up: {outcome.given_up}")

    def _send(self, orders: Sequence[Order]) -> None:
        """Send orders to all activators."""
        for order in orders:
            for peer in self._peers.values():
                peer.send(order)

    def _written(self, written: Written) -> None:
        write, revision = written.job.write, self.revisions.get(written.job.revision)
        if write is None or revision is None:
            return
        revision.replicas.arrived(written.replicas, written.resource_version, is_last=written.is_last)
        if written.is_done:
            self.writes += 1
            told = f"{write.was} → {write.replicas}: {write.because}"
            namespace, name = revision.target.key
            data = {"namespace": namespace, "revision": name, "from": write.was, "to": write.replicas}
            log.info("%s %s", name, told, extra={"data": data})
            if write.because != REQUEST_WAITING or revision.target.is_plain:
                # A Revision that wakes says so in its status; an Event too would be a third write each time.
                self.tell(revision, "Normal", "Scaled", told)
        elif written.replicas is not None:
            self._decide(revision, self._view())

    async def _tick(self) -> None:
        """Decide what is due, a slice at a time."""
        while True:
            self._stirred.clear()
            self._work_off()
            due = self._schedule.next_due()
            pause = None if due is None else max(due - self.now(), 0.0)
            if pause == 0.0:
                await asyncio.sleep(0)
                continue
            try:
                async with asyncio.timeout(pause if pause is None else max(pause, SLICE)):
                    await self._stirred.wait()
            except TimeoutError:
                continue

    def _work_off(self) -> None:
        view, ends = self._view(), perf_counter() + SLICE
        while perf_counter() < ends and (taken := self._schedule.take(view.now)) is not None:
            key, due = taken
            revision = self.revisions.get(key)
            if revision is None:
                continue
            self.late += view.now - due > TICK
            self._schedule.add(key, max(due + TICK, view.now + TICK / 2))
            self._decide(revision, view)
            if revision.can_sleep(view.now):
                self._schedule.remove(key)

    # Silence.

    async def _look_around(self) -> None:
        while True:
            expected = self.expected_activators()
            if expected is not None:
                self.sight.expect(expected, self.now())
            self._owning.look(expected)
            now = self.now()
            self._send(self._releasing.look(self.sight.witnesses(now), now))
            linked = self.sight.linked()
            for name in self.sight.overdue(self.now()):
                told = f"activator {name} has sent no report for more than a minute, " + (
                    "although it is linked: nothing is scaled down until it reports or its link ends"
                    if name in linked
                    else "and it is not linked: decisions are made without its load"
                )
                log.warning("%s", told)
                self.events.emit(self._lease(), "Warning", "ActivatorSilent", told)
            await asyncio.sleep(LOOK)

    def _lease(self) -> Obj:
        where = {"namespace": self._settings.system_namespace, "name": LEASE}
        return {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": where}

    def state(self) -> dict[str, Any]:
        """What `/debug/state` tells."""
        now = self.now()
        silent = self.sight.silent(now)
        linked = self.sight.linked()
        return {
            "epoch": self.epoch,
            "veto": self.sight.veto(0.0, now),
            "activators": {
                name: {"isLinked": name in linked, "silentFor": round(silent.get(name, 0.0), 1)}
                for name in sorted(linked | silent.keys())
            },
            "terminating": self._releasing.terminating.state(),
            "owners": {"/".join(key): told for key, told in self._owning.owners.state().items()},
            "revisions": {
                f"{namespace}/{name}": revision.state(now)
                for (namespace, name), revision in self.revisions.items()
            },
        }
