"""Keys of objects to look at: each at most once in line, never twice at a time, failures later and later.

What is left of a key that can wait comes when all is calm: while thousands are brought about, what is only on
its way is overtaken by what became of it, and never written.
"""

import asyncio
import contextlib
from typing import Generic, TypeVar

K = TypeVar("K")
FIRST_BACK_OFF = 0.01
MAX_BACK_OFF = 30.0
CALM = 0.05
"""Seconds without news after which the rest has its turn."""
PATIENCE = 20.0
"""Seconds after which the rest of a key waits no longer."""


class WorkQueue(Generic[K]):
    """A key added while it is worked on comes again afterwards."""

    def __init__(self) -> None:
        self._line: dict[K, None] = {}
        self._rest: dict[K, None] = {}
        self._waits_since: dict[K, float] = {}
        self._last_news = 0.0
        self._busy: set[K] = set()
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._filled = asyncio.Event()

    def __repr__(self) -> str:
        counts = f"{len(self._line)} in line, {len(self._rest)} behind it, {len(self._busy)} busy"
        return f"<WorkQueue {counts}, {len(self._timers)} later>"

    def add(self, key: K) -> None:
        self._last_news = asyncio.get_running_loop().time()
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
        while not self._line and not (self._rest and self._is_calm()):
            self._filled.clear()
            calm = self._last_news + CALM if self._rest else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(calm):
                    await self._filled.wait()
        key = next(iter(self._rest if self._is_rest_due() else self._line))
        self._line.pop(key, None)
        self._rest.pop(key, None)
        self._busy.add(key)
        return key

    def _is_calm(self) -> bool:
        return not self._line and asyncio.get_running_loop().time() >= self._last_news + CALM

    def _is_rest_due(self) -> bool:
        return not self._line or (bool(self._rest) and self._has_waited(next(iter(self._rest))))

    def _has_waited(self, key: K) -> bool:
        now = asyncio.get_running_loop().time()
        return now - self._waits_since.get(key, now) >= PATIENCE

    def can_wait(self, key: K) -> bool:
        """Whether there is more to do before what is left of the key; not for ever."""
        return not self._is_calm() and not self._has_waited(key)

    def done(self, key: K, *, is_rest_left: bool = False) -> None:
        """With `is_rest_left` the key comes again when all is calm, or after a while."""
        self._failures.pop(key, None)
        self._finish(key)
        if not is_rest_left:
            self._waits_since.pop(key, None)
            return
        self._waits_since.setdefault(key, asyncio.get_running_loop().time())
        if key not in self._line:
            self._rest.setdefault(key)
            self._filled.set()

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
