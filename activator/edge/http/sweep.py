"""The one timer of the data plane: it sweeps deadlines and lets queues move, instead of a timer per
request.
"""

import asyncio
from collections.abc import Callable

BUSY = 0.020
"""Seconds between sweeps while something is due soon or waits: also the step in which windows open."""
CALM = 0.25


class Sweep:
    """Calls `sweep`, which returns whether to come again soon."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sweep: Callable[[], bool]) -> None:
        self._loop = loop
        self._sweep = sweep
        self._is_calm = True
        self._timer = loop.call_later(CALM, self._run)

    def hurry(self) -> None:
        """Something began to wait: do not come as late as when there was nothing."""
        if self._is_calm:
            self._is_calm = False
            self._timer.cancel()
            self._timer = self._loop.call_later(BUSY, self._run)

    def close(self) -> None:
        self._timer.cancel()

    def _run(self) -> None:
        self._is_calm = True
        self._timer = self._loop.call_later(CALM, self._run)
        if self._sweep():
            self.hurry()
