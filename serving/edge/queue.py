"""Keys of objects to look at: each at most once in line, never twice at a time, failures later and later."""

import asyncio
from typing import Generic, TypeVar

K = TypeVar("K")
FIRST_BACK_OFF = 0.01
MAX_BACK_OFF = 30.0


class WorkQueue(Generic[K]):
    """A key added while it is worked on comes again afterwards."""

    def __init__(self) -> None:
        self._line: dict[K, None] = {}
        self._busy: set[K] = set()
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._filled = asyncio.Event()

    def __repr__(self) -> str:
        return f"<WorkQueue {len(self._line)} in line, {len(self._busy)} busy, {len(self._timers)} later>"

    def add(self, key: K) -> None:
        if key in self._busy:
            self._again.add(key)
        else:
            self._line.setdefault(key)
            self._filled.set()

    def add_after(self, key: K, delay: float) -> None:
        """Add the key in ``delay`` seconds, or earlier when it already is to come earlier."""
        due = asyncio.get_running_loop().time() + delay
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= due:
                return
            timer.cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(delay, self._ripe, key)

    def _ripe(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    async def take(self) -> K:
        """The next key; call `done` or `failed` with it."""
        while not self._line:
            self._filled.clear()
            await self._filled.wait()
        key = next(iter(self._line))
        del self._line[key]
        self._busy.add(key)
        return key

    def done(self, key: K) -> None:
        self._failures.pop(key, None)
        self._finish(key)

    def failed(self, key: K) -> float:
        """The key comes again after a back-off; returns its seconds."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        delay = float(min(FIRST_BACK_OFF * 2**count, MAX_BACK_OFF)) if count < 20 else MAX_BACK_OFF
        self._finish(key)
        self.add_after(key, delay)
        return delay

    def _finish(self, key: K) -> None:
        self._busy.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)
