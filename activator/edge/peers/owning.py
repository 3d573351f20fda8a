"""Carries out who owns which hard limit, and says what we still have of those that are another one's."""

import logging
from collections.abc import Callable, Mapping

from activator.edge.http.dispatch import Dispatcher
from activator.edge.peers.door import Door
from activator.http.greeting import greeting_line
from activator.link.owners import Owners, Standing
from activator.link.reports import Reports
from activator.revision import Revision
from autoscaler.messages import Occupied, Owner, PodSlots
from kube.objects import Key

log = logging.getLogger("zerogate.activator")


class Owning:
    """Between the link, the dispatcher and the door for others' requests. `notify` tells the link that the
    reports have something new, `relink` has it connect anew.
    """

    def __init__(
        self,
        owners: Owners,
        revisions: Mapping[Key, Revision],
        dispatcher: Dispatcher,
        reports: Reports,
        notify: Callable[[], None],
    ) -> None:
        self.owners = owners
        self.door = Door(dispatcher, revisions, owners.epoch)
        self._revisions = revisions
        self._dispatcher = dispatcher
        self._reports = reports
        self._notify = notify
        self.relink: Callable[[], None] = lambda: None
        dispatcher.on_stood_still = self._stood_still
        dispatcher.on_slot_left = self._tell

    def obey(self, owner: Owner) -> None:
        """The autoscaler says who owns a limit."""
        if not self.owners.hear(owner):
            return
        key = (owner.namespace, owner.revision)
        revision = self._revisions.get(key)
        if revision is not None:
            self.settle(revision)
            if owner.is_former_stopped:
                self._dispatcher.take_back(revision)
        if not self.owners.is_ours(key):
            self._tell_of(key, revision)
        self.door.settle(key)

    def linked(self, *, are_named: bool) -> None:
        """There is, or is no longer, an autoscaler that says who owns what."""
        if are_named != self.owners.are_named:
            self.owners.are_named = are_named
            for revision in self._revisions.values():
                if self.owners.get(revision.key) is None:
                    self.settle(revision)

    def settle(self, revision: Revision) -> None:
        """Do with a revision what our standing demands; it may be new, or its limit."""
        key, dispatcher = revision.key, self._dispatcher
        if not revision.throttle.limit:
            if revision.throttle.is_barred:
                dispatcher.own(revision, {})
            return
        standing = self.owners.standing(key)
        did_forward = revision.throttle.forwards
        if standing is Standing.FORWARD:
            self._forward(revision)
        elif standing is Standing.HOLD:
            dispatcher.bar(revision)
        else:
            dispatcher.own(revision, self.owners.reserved(key))
        if did_forward and not revision.throttle.forwards and revision.load.in_flight:
            self._reports.at_once(revision)
            self._notify()

    def seen(self, revision: Revision) -> None:
        """A revision is new, and others may have spoken of it before; or its target changed."""
        self.settle(revision)
        self.door.settle(revision.key)

    def forget(self, key: Key) -> None:
        """The revision is gone."""
        self.owners.forget(key)

    def _stood_still(self, seconds: float) -> None:
        """Take no slot before the autoscaler has said on a new link who owns what: an order that waits in the
        old one may be outdated.
        """
        if self.owners.suspend():
            log.warning(
                "this process stood still for %.1f s: it holds to no limit until the autoscaler confirms it",
                seconds,
            )
            for revision in self._revisions.values():
                if self.owners.is_ours(revision.key):
                    self.settle(revision)
        self.relink()

    def _forward(self, revision: Revision) -> None:
        owner = self.owners.get(revision.key)
        if owner is not None:
            host, _, port = owner.address.rpartition(":")
            greeting = greeting_line(owner.secret, owner.epoch, revision.key)
            uid = f"{owner.activator} {owner.epoch}"
            self._dispatcher.forward(revision, uid, host.strip("[]"), int(port), greeting)

    def _tell(self, revision: Revision) -> None:
        if not self.owners.is_ours(revision.key):
            self._tell_of(revision.key, revision)

    def _tell_of(self, key: Key, revision: Revision | None) -> None:
        """What our requests still have of a limit that is another one's."""
        pods = revision.throttle.pods.values() if revision is not None else ()
        taken = [PodSlots(pod.uid, pod.in_flight) for pod in pods if pod.in_flight and not pod.greeting]
        self._reports.occupied(Occupied(*key, self.owners.epoch(key), tuple(taken)))
        self._notify()
