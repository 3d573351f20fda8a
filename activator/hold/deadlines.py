"""Deadlines of many things, swept instead of armed: one that is put off or kept costs an assignment.

Whatever has a deadline carries it as `due` and stands in one set. Once in `FAR` seconds all of them are
looked through for those due before the next time; the few found are looked at in every sweep.
"""

from collections.abc import Iterator
from typing import Protocol

FAR = 1.0
"""Seconds between two looks at everything."""
NEVER = float("inf")


class Dated(Protocol):
    """A thing with a deadline, in seconds of the clock that `sweep` is told; NEVER when it has none now."""

    due: float

    def expired(self, now: float) -> None:
        """The deadline is over."""


class Deadlines:
    """Things with deadlines. Whoever sets a `due` before `horizon` must call `hurry`."""

    __slots__ = ("_all", "_next", "_soon", "horizon")

    def __init__(self) -> None:
        self._all: set[Dated] = set()
        self._soon: set[Dated] = set()
        self._next = 0.0
        self.horizon = NEVER

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Dated]:
        return iter(self._all)

    def __repr__(self) -> str:
        return f"<Deadlines {len(self._all)}, {len(self._soon)} soon>"

    @property
    def is_any_soon(self) -> bool:
        """Whether something may be due before the next look at everything."""
        return bool(self._soon)

    def add(self, item: Dated) -> None:
        """Watch an item from now on."""
        self._all.add(item)
        if item.due < self.horizon:
            self._soon.add(item)

    def discard(self, item: Dated) -> None:
        """Watch an item no more."""
        self._all.discard(item)
        self._soon.discard(item)

    def hurry(self, item: Dated) -> None:
        """An item in the set got a deadline before `horizon`."""
        self._soon.add(item)

    def sweep(self, now: float) -> list[Dated]:
        """Those that are due. They stay in the set: give each another `due` or discard it."""
        if now >= self._next:
            self._next = now + FAR
            self.horizon = now + FAR * 1.5
            self._soon = {item for item in self._all if item.due < self.horizon}
        return [item for item in self._soon if item.due <= now]
