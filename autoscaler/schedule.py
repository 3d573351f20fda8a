"""When each revision is decided next: every two seconds, spread over them."""

import heapq

from kube.objects import Key

TICK = 2.0
"""Seconds (Knative pkg/autoscaler/scaling/multiscaler.go)."""
PHASES = 40
"""New revisions begin one after the other in so many parts of a tick, so that they stay spread."""


class Schedule:
    """Keys by their due time; each is due once until it is added again."""

    def __init__(self) -> None:
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, Key]] = []
        self._begun = 0

    def __repr__(self) -> str:
        return f"<Schedule of {len(self._due)}>"

    def __contains__(self, key: Key) -> bool:
        return key in self._due

    def begin(self, key: Key, now: float) -> None:
        """A new key; the first of many is due at once."""
        self.add(key, now + self._begun % PHASES * TICK / PHASES)
        self._begun += 1

    def add(self, key: Key, due: float) -> None:
        """Have the key due then, and not before."""
        self._due[key] = due
        heapq.heappush(self._heap, (due, key))

    def remove(self, key: Key) -> None:
        """It is due no more."""
        self._due.pop(key, None)

    def take(self, now: float) -> tuple[Key, float] | None:
        """The key that is due for the longest time, and since when; it is no longer in the schedule."""
        self._skip()
        if not self._heap or self._heap[0][0] > now:
            return None
        due, key = heapq.heappop(self._heap)
        del self._due[key]
        return key, due

    def next_due(self) -> float | None:
        """When `take` has something again."""
        self._skip()
        return self._heap[0][0] if self._heap else None

    def _skip(self) -> None:
        """Entries of keys that were removed or put off."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
