"""What this activator has to tell the autoscaler, as levels: only the latest of each kind is kept.

The link takes what is due whenever it can write. What it could not write is told anew in the next cut, so no
queue can grow while the leader is away.
"""

from activator.link.load import Phase
from activator.revision import Revision
from autoscaler.messages import AT_ONCE, Cordoned, Message, Occupied, PodLoad, Pods, Stat, Stats
from kube.objects import Key


class Reports:
    """Loads of the busy revisions in, messages out."""

    def __init__(self, activator: str) -> None:
        """`activator` is this process' name among all reporters."""
        self._activator = activator
        self._busy: dict[Key, Revision] = {}
        self._urgent: dict[Key, Revision] = {}
        self._taken: dict[Key, Revision] = {}
        self._acks: dict[str, Cordoned] = {}
        self._occupied: dict[Key, Occupied] = {}
        self._cut: tuple[Stats, Pods] | None = None

    def __repr__(self) -> str:
        return f"<Reports of {len(self._busy)} busy revisions, {len(self._urgent)} at once>"

    @property
    def busy(self) -> int:
        """Revisions that are part of the cuts."""
        return len(self._busy)

    def at_once(self, revision: Revision) -> None:
        """A first request, or one that waits at cordoned pods: tell it before the next cut. What the owner of
        the limit gets is told by that one.
        """
        self._busy[revision.key] = revision
        if not revision.throttle.forwards:
            self._urgent[revision.key] = revision

    def acknowledge(self, order: Cordoned) -> None:
        """An order is known, or its pod is empty now."""
        self._acks[order.pod_uid] = order

    def occupied(self, report: Occupied) -> None:
        """What our requests still have of a limit that another one owns."""
        self._occupied[report.namespace, report.revision] = report

    def forget(self, key: Key) -> None:
        """The revision is gone."""
        for each in (self._busy, self._urgent, self._taken):
            each.pop(key, None)
        self._occupied.pop(key, None)

    def cut(self, now: float, number: int, second: int = 0) -> None:
        """End a cut of all busy revisions. It replaces an unwritten one. `second` is the Unix second that the
        wall clock shows, 0 if it is not known; nothing is decided by it.
        """
        stats, loads = [], []
        for key, revision in [*self._busy.items()]:
            concurrency, requests, is_idle = revision.load.cut(now)
            if not revision.throttle.forwards:
                stats.append(Stat(*key, concurrency, requests))
            loads += [
                PodLoad(*key, pod.uid, pod.in_flight)
                for pod in revision.throttle.pods.values()
                if pod.in_flight and not pod.greeting
            ]
            if is_idle:
                self._busy.pop(key)
                self._urgent.pop(key, None)
        self._cut = Stats(self._activator, number, tuple(stats), second), Pods(tuple(loads))

    def connected(self) -> None:
        """A new link: its leader may know nothing of what waits for a first pod; tell it at once."""
        for revision in self._busy.values():
            throttle = revision.throttle
            if throttle.forwards:
                continue
            if revision.load.phase is Phase.FIRST or (throttle.waiting and not throttle.has_pod):
                self._urgent[revision.key] = revision

    def take(self) -> list[Message]:
        """What is to be written now. Call `lost` if it was not."""
        due: list[Message] = []
        self._taken, self._urgent = self._urgent, {}
        if self._taken:
            due.append(Stats(self._activator, AT_ONCE, tuple(Stat(*key, 1, 1) for key in self._taken)))
            for revision in self._taken.values():
                revision.load.told()
        due += self._acks.values()
        self._acks.clear()
        due += self._occupied.values()
        self._occupied.clear()
        if self._cut is not None:
            due += self._cut
            self._cut = None
        return due

    def lost(self) -> None:
        """What was taken last was not written: first requests will be told again."""
        for revision in self._taken.values():
            revision.load.untold()
        self._urgent = {**self._taken, **self._urgent}
        self._taken = {}
