"""Carries out the autoscaler's orders and says so."""

import time
from collections.abc import Callable, Mapping

from activator.edge.http.dispatch import Dispatcher
from activator.link.orders import Orders
from activator.link.reports import Reports
from activator.revision import Revision
from autoscaler.messages import Cordon, Cordoned, Uncordon
from kube.objects import Key


class Obedience:
    """Between the link and the dispatcher. `notify` tells the link that the reports have something new."""

    def __init__(
        self,
        orders: Orders,
        reports: Reports,
        revisions: Mapping[Key, Revision],
        dispatcher: Dispatcher,
        notify: Callable[[], None],
    ) -> None:
        self._orders = orders
        self._reports = reports
        self._revisions = revisions
        self._dispatcher = dispatcher
        self._notify = notify
        self.on_lifted: Callable[[Key], None] = lambda _: None

    def obey(self, order: Cordon | Uncordon) -> None:
        """An order came in."""
        key = (order.namespace, order.revision)
        if isinstance(order, Uncordon):
            if self._orders.uncordon(order.pod_uid, order.epoch):
                self._lift(key, order.pod_uid)
            return
        if not self._orders.cordon(key, order.pod_uid, order.epoch, time.monotonic() + order.expires_in):
            return
        revision = self._revisions.get(key)
        if revision is not None:
            self._dispatcher.cordon(revision, order.pod_uid)
        in_flight = self._dispatcher.in_flight(revision, order.pod_uid)
        self._reports.acknowledge(Cordoned(order.pod_uid, order.epoch, in_flight))
        self._notify()
        if revision is not None and revision.throttle.waiting:
            self.object_to(revision)

    def object_to(self, revision: Revision) -> None:
        """A request waits: if all pods that could serve it are cordoned, that is a veto."""
        if (
            self._orders.has(revision.key)
            and not revision.throttle.has_pod
            and self._orders.veto(revision.key)
        ):
            self._reports.at_once(revision)
            self._notify()

    def pod_empty(self, revision: Revision, pod_uid: str) -> None:
        """The last request on a cordoned pod ended."""
        order = self._orders.get(pod_uid)
        if order is not None and order.revision == revision.key:
            self._reports.acknowledge(Cordoned(pod_uid, order.epoch, 0))
            self._notify()

    def expire(self) -> None:
        """Time passed: pods whose orders nobody renewed are used again."""
        for order in self._orders.expire(time.monotonic()):
            self._lift(order.revision, order.pod_uid)

    def _lift(self, key: Key, pod_uid: str) -> None:
        revision = self._revisions.get(key)
        if revision is not None:
            self._dispatcher.uncordon(revision, pod_uid)
        self.on_lifted(key)
