"""The largest of the last numbers (Knative pkg/autoscaler/aggregation/max): a scale-down delay.

A lower number of pods is applied only when nothing higher was wanted for the whole delay.
"""

import math
from collections import deque

SLOT = 2
"""Seconds; one decision a slot."""


class SlidingMaximum:
    """The maximum over `slots` consecutive slots. Numbers of one slot keep the largest."""

    __slots__ = ("_kept", "slots")

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._kept: deque[tuple[int, int]] = deque()  # (slot, value), slots rising, values falling

    def __repr__(self) -> str:
        return f"<SlidingMaximum {self.slots} slots, {list(self._kept)}>"

    def record(self, slot: int, value: int) -> int:
        """Note `value` and return the maximum. A slot in the past counts as the newest one."""
        kept = self._kept
        if kept and slot < kept[-1][0]:
            slot = kept[-1][0]
        while kept and kept[-1][1] <= value:
            kept.pop()
        if not kept or kept[-1][0] != slot:
            kept.append((slot, value))
        while kept[0][0] <= slot - self.slots:
            kept.popleft()
        return kept[0][1]

    def recorded(self) -> tuple[tuple[int, int], ...]:
        """(slot, value) pairs; recording them in this order makes the same maximum."""
        return tuple(self._kept)


def delay_slots(seconds: float) -> int:
    """How many slots a delay has."""
    return math.ceil(seconds / SLOT)
