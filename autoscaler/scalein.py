"""Taking pods away without breaking a request: first nobody chooses them, then they go.

The pods to go are those that Kubernetes takes first (not ready ones), then those with the fewest requests in
flight. Each is *cordoned* on the link; activators choose it no more and tell when nothing of theirs is in
flight there. Once all have told so, or the revision's longest request must have ended, it is *released*:
only now the number of pods is written. An order is renewed before it runs out; one that runs out because
nobody leads any more leaves the pod in use.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from autoscaler.messages import Cordon, Uncordon
from kube.objects import Key

EXPIRES_IN = 10.0
"""Seconds that an order holds without renewal."""
RENEWED_AFTER = 4.0
SETTLED_AFTER = 2.0
"""Seconds after which a released pod that still lives, while no pod is too many, is taken back."""

Order = Cordon | Uncordon


@dataclass(slots=True)
class Pod:
    """A pod of the revision that is not being deleted. `created` is its RFC 3339 time."""

    uid: str
    name: str
    is_ready: bool
    created: str
    cost: str = ""


@dataclass(slots=True)
class Victim:
    """A pod on its way out. `in_flight` has what each activator told since the order."""

    order: int
    since: float
    ordered: float
    in_flight: dict[str, int] = field(default_factory=dict)
    released: float | None = None

    def is_empty(self, activators: AbstractSet[str]) -> bool:
        """Whether each of them has told that nothing is in flight there."""
        return all(self.in_flight.get(name) == 0 for name in activators)


class ScaleIn:
    """The victims of one revision."""

    __slots__ = ("_number", "_revision", "victims")

    def __init__(self, revision: Key, number: Callable[[], int]) -> None:
        """`number` gives each order its own epoch, higher than any before, so that no late answer to a
        former order is taken for one to the present.
        """
        self._revision = revision
        self._number = number
        self.victims: dict[str, Victim] = {}

    def __repr__(self) -> str:
        released = sum(victim.released is not None for victim in self.victims.values())
        return f"<ScaleIn {len(self.victims)} cordoned, {released} of them released>"

    def aim(
        self, pods: Mapping[str, Pod], going: int, in_flight: Callable[[str], int], now: float
    ) -> list[Order]:
        """Have `going` pods on their way out: orders for new victims and for those taken back."""
        if going <= 0 and not self.victims:
            return []
        self.victims = {uid: victim for uid, victim in self.victims.items() if uid in pods}
        chosen = self._choose(list(pods.values()), going, in_flight)
        back = [uid for uid, victim in self.victims.items() if uid not in chosen and _may_return(victim, now)]
        orders: list[Order] = [self._uncordon(uid) for uid in back]
        for uid in chosen:
            if uid not in self.victims:
                self.victims[uid] = Victim(self._number(), now, now)
                orders.append(self._cordon(uid))
        return orders

    def renew(self, now: float) -> list[Order]:
        """Orders again whose time runs out otherwise."""
        due = [uid for uid, victim in self.victims.items() if now - victim.ordered >= RENEWED_AFTER]
        for uid in due:
            self.victims[uid].ordered = now
        return [self._cordon(uid) for uid in due]

    def standing(self) -> list[Order]:
        """All orders, for an activator that comes new."""
        return [self._cordon(uid) for uid in self.victims]

    def acknowledge(self, activator: str, pod_uid: str, order: int, in_flight: int) -> bool:
        """An activator's answer; whether it was one to a standing order."""
        victim = self.victims.get(pod_uid)
        if victim is None or victim.order != order:
            return False
        victim.in_flight[activator] = in_flight
        return True

    def are_empty(self, activators: AbstractSet[str]) -> bool:
        """Whether nothing is in flight at any victim."""
        return all(victim.is_empty(activators) for victim in self.victims.values())

    def release(self, activators: AbstractSet[str], patience: float, now: float) -> None:
        """Let those go that nothing is in flight at, or that had `patience` seconds to end it."""
        for victim in self.victims.values():
            is_due = victim.is_empty(activators) or now - victim.since >= patience
            if victim.released is None and is_due:
                victim.released = now

    def released(self) -> list[str]:
        """UIDs of those that may go, or are going."""
        return [uid for uid, victim in self.victims.items() if victim.released is not None]

    def staying(self) -> int:
        """How many victims are not released yet."""
        return sum(victim.released is None for victim in self.victims.values())

    def _choose(self, pods: Sequence[Pod], going: int, in_flight: Callable[[str], int]) -> list[str]:
        """Kubernetes takes pods that are not ready before all others, whatever they cost."""
        released = set(self.released())
        newest_first = sorted(pods, key=lambda pod: (pod.created, pod.uid), reverse=True)
        ranked = sorted(
            newest_first,
            key=lambda pod: (
                pod.uid not in released,
                pod.is_ready,
                pod.uid not in self.victims,
                in_flight(pod.uid),
            ),
        )
        return [pod.uid for pod in ranked[: max(going, 0)]]

    def _cordon(self, uid: str) -> Cordon:
        return Cordon(*self._revision, uid, self.victims[uid].order, EXPIRES_IN)

    def _uncordon(self, uid: str) -> Uncordon:
        return Uncordon(*self._revision, uid, self.victims.pop(uid).order)


def _may_return(victim: Victim, now: float) -> bool:
    """A released pod may be about to be deleted; only if it outlives that, it serves again."""
    return victim.released is None or now - victim.released >= SETTLED_AFTER
