"""The autoscaler's orders: which pods are not to be chosen, and until when.

An order names a pod and an epoch. While an order is in force, renewals and its end must carry the same epoch
or a higher one; a lower one comes from a leader that is no more and is ignored. An order that is not renewed
runs out by itself, so that a dead autoscaler leaves no pod unused.
"""

from dataclasses import dataclass

from kube.objects import Key


@dataclass(slots=True)
class Order:
    """A cordon in force. `expires` on the caller's clock."""

    revision: Key
    pod_uid: str
    epoch: int
    expires: float
    is_vetoed: bool = False


class Orders:
    """All cordons in force, by pod."""

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._pods_of: dict[Key, set[str]] = {}

    def __repr__(self) -> str:
        return f"<Orders {len(self._orders)} cordoned>"

    def __contains__(self, pod_uid: object) -> bool:
        return pod_uid in self._orders

    def has(self, revision: Key) -> bool:
        """Whether any pod of the revision is cordoned."""
        return revision in self._pods_of

    def cordon(self, revision: Key, pod_uid: str, epoch: int, expires: float) -> bool:
        """Begin or renew a cordon. False: the order is stale and changes nothing."""
        if self._is_stale(pod_uid, epoch):
            return False
        self._orders[pod_uid] = Order(revision, pod_uid, epoch, expires)
        self._pods_of.setdefault(revision, set()).add(pod_uid)
        return True

    def uncordon(self, pod_uid: str, epoch: int) -> bool:
        """End a cordon. False: the order is stale, or there was none."""
        if self._is_stale(pod_uid, epoch):
            return False
        return self._drop(pod_uid) is not None

    def forget(self, pod_uid: str) -> None:
        """The pod is gone; its order is void."""
        self._drop(pod_uid)

    def expire(self, now: float) -> list[Order]:
        """Take out the orders that nobody renewed in time."""
        expired = [order for order in self._orders.values() if order.expires <= now]
        for order in expired:
            self._drop(order.pod_uid)
        return expired

    def veto(self, revision: Key) -> bool:
        """A request waits although orders stand on the revision's pods: whether to tell the autoscaler now.

        Once for each order and each renewal, so that a thousand waiting requests make one report.
        """
        fresh = [
            order for uid in self._pods_of.get(revision, ()) if not (order := self._orders[uid]).is_vetoed
        ]
        for order in fresh:
            order.is_vetoed = True
        return bool(fresh)

    def get(self, pod_uid: str) -> Order | None:
        """The cordon of a pod."""
        return self._orders.get(pod_uid)

    def in_force(self) -> list[Order]:
        """All cordons, in the order they were given."""
        return list(self._orders.values())

    def _is_stale(self, pod_uid: str, epoch: int) -> bool:
        order = self._orders.get(pod_uid)
        return order is not None and epoch < order.epoch

    def _drop(self, pod_uid: str) -> Order | None:
        order = self._orders.pop(pod_uid, None)
        if order is not None:
            pods = self._pods_of[order.revision]
            pods.discard(pod_uid)
            if not pods:
                del self._pods_of[order.revision]
        return order
