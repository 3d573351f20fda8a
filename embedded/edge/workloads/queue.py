"""A controller's keys: each is handled at once, never twice at a time, again when it changed meanwhile."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from kube.edge.client import ApiError
from kube.objects import Key

log = logging.getLogger("zerogate.embedded")

FIRST_BACK_OFF = 0.01
MAX_BACK_OFF = 30.0


class KeyQueue:
    """Calls `handle(key)` in a task of `group`; a refusal of the API is tried again with a growing delay.

    Any other error ends the group: a controller with a defect must not look alive.
    """

    def __init__(self, group: asyncio.TaskGroup, what: str, handle: Callable[[Key], Awaitable[None]]) -> None:
        self._group = group
        self._what = what
        self._handle = handle
        self._running: set[Key] = set()
        self._again: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}

    def add(self, key: Key) -> None:
        """Handle the key now."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if key in self._running:
            self._again.add(key)
            return
        self._running.add(key)
        self._group.create_task(self._run(key))

    def add_later(self, key: Key, delay: float) -> None:
        """Handle the key in `delay` seconds, or when it is due anyway, whichever is first."""
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= loop.time() + delay:
                return
            timer.cancel()
        self._timers[key] = loop.call_later(delay, self.add, key)

    async def _run(self, key: Key) -> None:
        try:
            while True:
                self._again.discard(key)
                await self._try(key)
                if key not in self._again:
                    return
        finally:
            self._running.discard(key)

    async def _try(self, key: Key) -> None:
        try:
            await self._handle(key)
        except ApiError as error:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            delay = min(MAX_BACK_OFF, FIRST_BACK_OFF * 2 ** (failures - 1))
            # The first refusals are mostly a cache that lags; one that lasts is worth a line.
            level = logging.DEBUG if failures < 5 or error.is_conflict else logging.WARNING
            log.log(
                level,
                "%s %s can't be brought up to date (%s); trying again",
                self._what,
                "/".join(key),
                error,
                extra={"data": {"failures": failures, "back_off": delay}},
            )
            self.add_later(key, delay)
        else:
            self._failures.pop(key, None)

    def close(self) -> None:
        """Drop what was put off."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
