"""Ends pods that are being deleted once they have served their last request.

What is written is a DELETE with a shorter grace period. One that fails is tried again when the pod is
released again.
"""

import asyncio
import logging
from collections.abc import Iterable

from autoscaler.messages import Cordon, Cordoned
from autoscaler.objects import leaver
from autoscaler.terminating import GRACE_PERIOD, Leaver, Terminating
from kube.edge.client import ApiError, Client
from kube.objects import Key, Obj, uid
from kube.resources import PODS

log = logging.getLogger("zerogate.autoscaler")

ANSWER_WITHIN = 5.0
"""Seconds until a write without an answer counts as failed."""


class Releasing:
    """Between the pods that are being deleted, the link and the API server."""

    def __init__(self, terminating: Terminating, client: Client) -> None:
        self.terminating = terminating
        self._client = client
        self._group: asyncio.TaskGroup | None = None

    def start(self, group: asyncio.TaskGroup) -> None:
        """Write from now on, in tasks of the group."""
        self._group = group

    def see(self, key: Key | None, former: Obj | None, pod: Obj | None, now: float) -> list[Cordon]:
        """A pod of a revision came, changed, or went (None). Returns the orders for the activators."""
        if former is not None and (pod is None or uid(pod) != uid(former)):
            self.terminating.forget(uid(former))
        if pod is None:
            return []
        found = leaver(pod)
        if found is None:
            self.terminating.forget(uid(pod))
        return [] if found is None or key is None else self.terminating.see(key, found, now)

    def acknowledged(self, activator: str, message: Cordoned, witnesses: set[str], now: float) -> bool:
        """An activator reports its requests in flight at a pod; whether that pod is being deleted."""
        uid_, epoch, in_flight = message.pod_uid, message.epoch, message.in_flight
        if not self.terminating.acknowledge(activator, uid_, epoch, in_flight):
            return False
        self._end(self.terminating.release(witnesses, now, [uid_]))
        return True

    def look(self, witnesses: set[str], now: float) -> list[Cordon]:
        """Time passed. Returns the orders that are to be renewed."""
        self._end(self.terminating.release(witnesses, now))
        return self.terminating.renew(now)

    def _end(self, pods: Iterable[Leaver]) -> None:
        if self._group is not None:
            for pod in pods:
                self._group.create_task(self._shorten(pod))

    async def _shorten(self, pod: Leaver) -> None:
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await self._client.delete(
                    PODS, pod.namespace, pod.name, grace_period=GRACE_PERIOD, uid=pod.uid
                )
        except (ApiError, TimeoutError) as error:
            if isinstance(error, ApiError) and (error.is_not_found or error.is_conflict):
                return
            text = str(error) or "no answer"
            log.warning("pod %s/%s has no requests and could not be ended: %s", pod.namespace, pod.name, text)
