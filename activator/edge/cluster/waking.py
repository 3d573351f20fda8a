"""The wake guard at work: it watches revisions that have waiters and no replicas, and patches them itself."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from activator.cluster.wake import WAKE_PATCH, WakeGuard
from activator.revision import Revision
from kube.edge.client import ApiError, Client
from kube.objects import Key
from kube.resources import DEPLOYMENTS

log = logging.getLogger("zerogate.activator")

PATCH_TIMEOUT = 5.0
"""Seconds after which a patch without an answer counts as failed."""
TEST_FAILED = frozenset({409, 422})
"""The patch's test did not hold: another one was faster, and the watch will show it."""


class Waking:
    """One guard for each revision that has waiters. `is_linked`: whether an autoscaler listens."""

    def __init__(
        self, client: Client, revisions: Mapping[Key, Revision], is_linked: Callable[[], bool]
    ) -> None:
        self._client = client
        self._revisions = revisions
        self._is_linked = is_linked
        self._guards: dict[Key, WakeGuard] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._patching: set[Key] = set()
        self._group: asyncio.TaskGroup | None = None

    def __repr__(self) -> str:
        return f"<Waking of {len(self._guards)} revisions>"

    async def run(self) -> None:
        """Patch what is due; ends by cancellation, or by a defect."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                self.look_again()
                await asyncio.Event().wait()
            finally:
                self._group = None

    def waiting(self, revision: Revision) -> None:
        """A request waits."""
        if revision.target.replicas == 0 and revision.key not in self._timers:
            self.look(revision)

    def look_again(self) -> None:
        """The link came up or went down: how long is waited for the autoscaler has changed."""
        for key in [*self._guards]:
            revision = self._revisions.get(key)
            if revision is not None:
                self.look(revision)

    def look(self, revision: Revision) -> None:
        """Something changed: act now, or when it is time, or not at all."""
        key = revision.key
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if not revision.throttle.waiting or self._revisions.get(key) is not revision:
            self._guards.pop(key, None)
            return
        if key in self._patching:
            return
        now = time.monotonic()
        guard = self._guards.setdefault(key, WakeGuard())
        due = guard.due(revision.target, now, is_linked=self._is_linked())
        if due is None:
            del self._guards[key]
        elif due > now:
            later = asyncio.get_running_loop().call_later
            self._timers[key] = later(due - now, self.look, revision)
        elif self._group is not None:
            guard.tried(now)
            self._patching.add(key)
            self._group.create_task(self._wake(revision))

    async def _wake(self, revision: Revision) -> None:
        target = revision.target
        try:
            async with asyncio.timeout(PATCH_TIMEOUT):
                await self._client.patch(
                    DEPLOYMENTS, target.namespace, target.deployment, WAKE_PATCH, kind="json"
                )
            log.info("%s woken by the activator: the autoscaler did not", target.revision)
        except (ApiError, TimeoutError) as error:
            was_slower = isinstance(error, ApiError) and error.status in TEST_FAILED
            level = logging.DEBUG if was_slower else logging.WARNING
            told = str(error) or "no answer"
            log.log(level, "%s could not be woken by the activator: %s", target.revision, told)
        finally:
            self._patching.discard(revision.key)
        self.look(revision)
