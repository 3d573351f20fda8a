"""Reports of load, each counted once and in its own second.

An activator names the second of each cut. A repeated frame (same sender, same cut) is dropped; a late one
goes into the second it speaks of. Clocks of two machines may differ: the smallest delay seen lately is taken
as that difference, what exceeds it as lateness.
"""

import math
from collections import deque

from autoscaler.messages import AT_ONCE, Stats

REMEMBERED = 60
"""Cuts a sender; more than the largest delay that still matters."""


class Sender:
    """One activator's cuts."""

    __slots__ = ("_cuts", "_delays")

    def __init__(self) -> None:
        self._cuts: deque[int] = deque(maxlen=REMEMBERED)
        self._delays: deque[int] = deque(maxlen=REMEMBERED)

    def second_of(self, cut: int, now: float) -> int | None:
        """The second that the cut's load belongs to, None when it was counted already."""
        if cut in self._cuts or (len(self._cuts) == REMEMBERED and cut < min(self._cuts)):
            return None
        second = math.floor(now)
        self._cuts.append(cut)
        self._delays.append(second - cut)
        return min(cut + min(self._delays), second)


class Collector:
    """All senders."""

    def __init__(self) -> None:
        self._senders: dict[str, Sender] = {}

    def __repr__(self) -> str:
        return f"<Collector {len(self._senders)} senders>"

    def second_of(self, stats: Stats, now: float) -> int | None:
        """The unix second into which the frame's stats are to be recorded; None: drop them."""
        if stats.cut == AT_ONCE:
            return math.floor(now)
        return self._senders.setdefault(stats.activator, Sender()).second_of(stats.cut, now)

    def forget(self, activator: str) -> None:
        """It is gone."""
        self._senders.pop(activator, None)
