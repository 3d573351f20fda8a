"""When a pod that is being deleted has served its last request.

A pod that waits for its requests (`serving.targets.waits_for_requests`) sleeps in preStop for its whole grace
period. It is cordoned on the link like a victim of scale-in, with an order number of its own: activators
acknowledge the order with the requests they have in flight there, and again when the last one has ended. If
all activators have acknowledged zero, the pod is *released*: the grace period is shortened.

A pod that is never released, since no autoscaler leads or an activator does not report, ends with its grace
period.
"""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from autoscaler.messages import Cordon
from autoscaler.scalein import EXPIRES_IN, RENEWED_AFTER, Victim
from kube.objects import Key

GRACE_PERIOD = 1
"""Seconds that a released pod has until SIGTERM. A DELETE with 0 would remove the object at once, without the
node; and the kubelet makes it 1.
"""
RETRIED_AFTER = 5.0
"""Seconds after which a released pod that is still there is released again: the write may have failed."""
GATHERED_AFTER = 5.0
"""Seconds of leadership before a pod is released: activators try to link every 2.5 s at least, and one that
is not linked yet may have requests in flight.
"""


@dataclass(frozen=True, slots=True)
class Leaver:
    """A pod that is being deleted and waits for its in-flight requests."""

    uid: str
    namespace: str
    name: str


class Terminating:
    """The pods that are being deleted, of all revisions. Times are seconds of one clock; the leader leads
    since `now`.
    """

    def __init__(self, number: Callable[[], int], now: float) -> None:
        """`number` gives each order an epoch that is higher than any before."""
        self._number = number
        self._led_since = now
        self._pods: dict[str, tuple[Key, Leaver, Victim]] = {}

    def __repr__(self) -> str:
        released = sum(victim.released is not None for _, _, victim in self._pods.values())
        return f"<Terminating {len(self._pods)} pods, {released} of them released>"

    def __contains__(self, pod_uid: object) -> bool:
        return pod_uid in self._pods

    def see(self, revision: Key, pod: Leaver, now: float) -> list[Cordon]:
        """The pod is being deleted; returns the order for the activators if that is news."""
        if pod.uid in self._pods:
            return []
        self._pods[pod.uid] = (revision, pod, Victim(self._number(), now, now))
        return [self._cordon(pod.uid)]

    def forget(self, pod_uid: str) -> None:
        """The pod has ended or is gone."""
        self._pods.pop(pod_uid, None)

    def standing(self) -> list[Cordon]:
        """All orders, for an activator whose link is new."""
        return [self._cordon(uid) for uid in self._pods]

    def renew(self, now: float) -> list[Cordon]:
        """The orders that would expire; each makes the activators report again."""
        due = [uid for uid, (_, _, victim) in self._pods.items() if now - victim.ordered >= RENEWED_AFTER]
        for uid in due:
            self._pods[uid][2].ordered = now
        return [self._cordon(uid) for uid in due]

    def acknowledge(self, activator: str, pod_uid: str, order: int, in_flight: int) -> bool:
        """Note the requests in flight that an activator reports; whether the order is one of these."""
        found = self._pods.get(pod_uid)
        if found is None or found[2].order != order:
            return False
        found[2].in_flight[activator] = in_flight
        return True

    def release(
        self, activators: AbstractSet[str], now: float, pod_uids: Iterable[str] | None = None
    ) -> list[Leaver]:
        """Return the pods (of `pod_uids`, or of all) whose grace period is to be shortened now.

        `activators` have to say that a pod is empty. Without any of them nothing is known, and no pod is
        released.
        """
        if not activators or now - self._led_since < GATHERED_AFTER:
            return []
        chosen = []
        for uid in [*self._pods] if pod_uids is None else pod_uids:
            found = self._pods.get(uid)
            if found is None:
                continue
            _, pod, victim = found
            is_due = victim.released is None or now - victim.released >= RETRIED_AFTER
            if is_due and victim.is_empty(activators):
                victim.released = now
                chosen.append(pod)
        return chosen

    def state(self) -> dict[str, str]:
        """For the debugging page, by namespace and name."""
        return {
            f"{pod.namespace}/{pod.name}": "released" if victim.released else "emptying"
            for _, pod, victim in self._pods.values()
        }

    def _cordon(self, uid: str) -> Cordon:
        revision, _, victim = self._pods[uid]
        return Cordon(*revision, uid, victim.order, EXPIRES_IN)
