"""From a wished number of pods to what is to be written and ordered, one revision.

Going up is written at once. Going down has two phases (see `scalein`): victims are cordoned, and the number
is written as far as they are empty.
"""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from autoscaler.scalein import Order, Pod, ScaleIn
from kube.objects import Key

FIRST_TO_GO = "-1000"
"""The deletion cost of a victim; that of any other pod is 0."""


@dataclass(frozen=True, slots=True)
class View:
    """What a revision needs to know of the rest of the world for one decision."""

    now: float
    activators: AbstractSet[str]
    """Those that are linked and not silent."""
    in_flight: Callable[[str], int]
    """Requests at a pod (UID), over all activators."""
    veto: Callable[[float], str]
    """From a stable window to the reason why nothing may be taken away, "" when it may."""


@dataclass(frozen=True, slots=True)
class Write:
    """`replicas` is to be written over `was`; before it these deletion costs, by pod name (None: none)."""

    replicas: int
    was: int
    because: str
    costs: Mapping[str, str | None]


@dataclass(slots=True)
class Outcome:
    """What is left to do. `given_up`: annotate with this reason, "" takes the annotation away."""

    orders: list[Order] = field(default_factory=list)
    write: Write | None = None
    given_up: str | None = None


class Replicas:
    """`stored` is the number in the API, `writing` the one under way to it."""

    __slots__ = ("_version", "aim", "scale_in", "stored", "writing")

    def __init__(self, revision: Key, stored: int, number: Callable[[], int]) -> None:
        self.stored = stored
        self.writing: int | None = None
        self._version = 0
        self.aim = stored
        self.scale_in = ScaleIn(revision, number)

    def __repr__(self) -> str:
        return f"<Replicas {self.stored}, aim {self.aim}, {self.scale_in!r}>"

    @property
    def current(self) -> int:
        """The number as it will be when what is under way has arrived."""
        return self.stored if self.writing is None else self.writing

    def found(self, replicas: int, version: str) -> bool:
        """The watch tells the number, as of a resourceVersion; news older than our last write is none.

        Returns whether it is a number that we have not written.
        """
        if version.isdecimal() and int(version) < self._version:
            return False
        is_others = replicas not in {self.stored, self.writing}
        self.stored = replicas
        return is_others

    def arrived(self, replicas: int | None, version: str, *, is_last: bool) -> None:
        """A write has ended; the number is now `replicas`, None when that is not known."""
        if replicas is not None:
            self.stored = replicas
            self._version = max(self._version, int(version) if version.isdecimal() else 0)
        if is_last:
            self.writing = None

    def steer(
        self, wanted: int | None, pods: Mapping[str, Pod], patience: float, view: View, because: str
    ) -> Outcome:
        """One step towards `wanted` (None: go on as before). Victims get `patience` seconds to be empty."""
        if wanted is None:
            wanted = self.aim if self.scale_in.victims else self.current
        self.aim = wanted
        outcome = Outcome(self._order(wanted, pods, view))
        if wanted > self.current:
            self._write(wanted, because, {}, outcome)
        elif wanted < self.current:
            self.scale_in.release(view.activators, patience, view.now)
            remaining = wanted + self.scale_in.staying()
            if remaining < self.current:
                self._write(remaining, because, self._costs(pods) if remaining else {}, outcome)
        return outcome

    def _order(self, wanted: int, pods: Mapping[str, Pod], view: View) -> list[Order]:
        """Cordon as many as shall go, besides those that are going.

        Pods beyond the stored number are the business of a rolling update, not ours.
        """
        going = max(self.current - wanted, 0) + sum(uid in pods for uid in self.scale_in.released())
        going = min(going, len(pods) - wanted)
        renewed = self.scale_in.renew(view.now)
        changed = self.scale_in.aim(pods, going, view.in_flight, view.now)
        gone = {order.pod_uid for order in changed}
        return [order for order in renewed if order.pod_uid not in gone and order.pod_uid in pods] + changed

    def _costs(self, pods: Mapping[str, Pod]) -> dict[str, str | None]:
        """Differences only; a cost that is not of our making stays."""
        released = set(self.scale_in.released())
        costs: dict[str, str | None] = {}
        for uid, pod in pods.items():
            if uid in released and pod.cost != FIRST_TO_GO:
                costs[pod.name] = FIRST_TO_GO
            elif uid not in released and pod.cost == FIRST_TO_GO:
                costs[pod.name] = None
        return costs

    def _write(self, replicas: int, because: str, costs: Mapping[str, str | None], outcome: Outcome) -> None:
        outcome.write = Write(replicas, self.current, because, costs)
        self.writing = replicas
