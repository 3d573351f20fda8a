"""The one timer of the data plane: it sweeps deadlines and lets queues move, instead of a timer per
request.
"""

import asyncio
from collections.abc import Callable

BUSY = 0.020
"""Seconds from one sweep to the next while something is due soon or waits: also the step in which windows
open. A sweep's own time is part of it: ten thousand that are due together are not to be late for each other.
"""
LEAST = 0.001
"""Seconds for everything else, between two sweeps that have much to do."""
CALM = 0.25


class Sweep:
    """Calls `sweep`, which returns whether to come again soon."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sweep: Callable[[], bool], clock: Callable[[], float]
    ) -> None:
        self._loop = loop
        self._sweep = sweep
        self._clock = clock
        self._is_calm = True
        self._timer = loop.call_later(CALM, self._run)

    def hurry(self) -> None:
        """Something began to wait: do not come as late as when there was nothing."""
        self._come_in(BUSY)

    def close(self) -> None:
        self._timer.cancel()

    def _run(self) -> None:
        self._is_calm = True
        self._timer = self._loop.call_later(CALM, self._run)
        began = self._clock()
        if self._sweep():
            self._come_in(max(BUSY - (self._clock() - began), LEAST))

    def _come_in(self, seconds: float) -> None:
        if self._is_calm:
            self._is_calm = False
            self._timer.cancel()
            self._timer = self._loop.call_later(seconds, self._run)
