"""Reports of load, each counted once and in its own second.

An activator numbers its cuts, one a second by its monotonic clock. A repeated frame (same sender, same cut)
is dropped; a late one goes into the second that its number stands for. Where a sender's numbers begin is not
known: the smallest difference between second and number seen lately is taken for that, and a larger one for
lateness.
"""

import math
from collections import deque

from autoscaler.messages import AT_ONCE, Stats

REMEMBERED = 60
"""Cuts a sender; more than the largest delay that still matters."""


class Sender:
    """The cuts of one activator process."""

    __slots__ = ("_cuts", "_delays", "process")

    def __init__(self, process: str) -> None:
        self.process = process
        self._cuts: deque[int] = deque(maxlen=REMEMBERED)
        self._delays: deque[int] = deque(maxlen=REMEMBERED)

    def second_of(self, cut: int, now: float) -> int | None:
        """The second that the cut's load belongs to, None if it was counted already."""
        if self._cuts and cut < min(self._cuts) - REMEMBERED:
            self._cuts.clear()  # no frame is a minute late: another process numbers under this name
            self._delays.clear()
        if cut in self._cuts or (len(self._cuts) == REMEMBERED and cut < min(self._cuts)):
            return None
        second = math.floor(now)
        self._cuts.append(cut)
        self._delays.append(second - cut)
        return min(cut + min(self._delays), second)

    def relinked(self) -> None:
        """A new link of the same process: one of the two machines may have slept meanwhile."""
        self._delays.clear()


class Collector:
    """All senders."""

    def __init__(self) -> None:
        self._senders: dict[str, Sender] = {}

    def __repr__(self) -> str:
        return f"<Collector {len(self._senders)} senders>"

    def linked(self, activator: str, process: str) -> None:
        """An activator is linked. `process` is "" if it does not tell; then each link counts as a new one."""
        sender = self._senders.get(activator)
        if sender is not None and process and sender.process == process:
            sender.relinked()
        else:
            self._senders[activator] = Sender(process)

    def second_of(self, stats: Stats, now: float) -> int | None:
        """The unix second into which the frame's stats are to be recorded; None: drop them."""
        if stats.cut == AT_ONCE:
            return math.floor(now)
        sender = self._senders.setdefault(stats.activator, Sender(""))
        return sender.second_of(stats.cut, now)

    def forget(self, activator: str) -> None:
        """It is gone."""
        self._senders.pop(activator, None)
