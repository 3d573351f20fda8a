"""Averages over the last seconds (Knative pkg/autoscaler/aggregation/bucketing.go).

A window is a ring of buckets, one a second. A bucket is the *sum* of what was recorded in its second: reports
of several activators in one second add up to the load of the revision. Seconds are whole unix seconds.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

DECIMALS = 1e6
"""An average has six decimals: the dust of float sums would keep a pod alive for ever."""
NEWEST_SHARE = 0.9999
"""Of an exponential average: what the weights of a full window add up to."""
SMALLEST_WEIGHT = 0.2


class Recorded(NamedTuple):
    """A window's content, to be kept elsewhere: `buckets` end at second `last`, oldest first.

    `total` is told too: as a running sum it may differ from the buckets' by float dust.
    """

    first: int
    last: int
    total: float
    buckets: Sequence[float]


class Window:
    """The plain mean over the seconds that have data; a gap counts as 0 only once data came after it."""

    __slots__ = ("_buckets", "_first", "_last", "_total")

    def __init__(self, seconds: int) -> None:
        self._buckets = [0.0] * seconds
        self._total = 0.0
        self._first: int | None = None
        self._last: int | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._buckets)} s, total {self._total:g}>"

    @property
    def seconds(self) -> int:
        """How many buckets the ring has."""
        return len(self._buckets)

    def record(self, second: int, value: float) -> None:
        """Add `value` to its second's bucket; what is older than the window is ignored."""
        buckets, last = self._buckets, self._last
        size = len(buckets)
        if last is None or second != last:
            if last is not None and second <= last - size:
                return
            if self._first is None or second < self._first:
                self._first = second
            if last is None or second > last:
                self._open(second, last)
        buckets[second % size] += value
        self._total += value

    def average(self, second: int) -> float:
        """The mean as of `second`; 0 when nothing was recorded for a whole window."""
        if self._last is None or self._first is None:
            return 0.0
        size, silence = len(self._buckets), max(second - self._last, 0)
        if silence >= size:
            return 0.0
        total = self._total
        for aged in range(self._last + 1, self._last + 1 + silence):
            total -= self._buckets[aged % size]
        mean = total / min(self._last - self._first + 1, size - silence)
        return _rounded(mean)

    def is_empty(self, second: int) -> bool:
        """Whether nothing was recorded for longer than the window."""
        return self._last is None or second - self._last > len(self._buckets)

    def resize(self, seconds: int, now: int) -> None:
        """Have another length from now on and keep the newest seconds, unless they are out of date."""
        size, last = len(self._buckets), self._last
        if seconds == size:
            return
        old, self._buckets, self._total = self._buckets, [0.0] * seconds, 0.0
        if last is None or now - last > size:
            self._first = None
            return
        for second in range(last, last - min(size, seconds), -1):
            value = old[second % size]
            self._buckets[second % seconds] = value
            self._total += value
        self._first = last - (size - 1)

    def recorded(self) -> Recorded | None:
        """What `restore` makes this window of."""
        if self._last is None or self._first is None:
            return None
        size, last = len(self._buckets), self._last
        ring = tuple(self._buckets[second % size] for second in range(last - size + 1, last + 1))
        return Recorded(self._first, last, self._total, ring)

    def restore(self, recorded: Recorded) -> None:
        """Be the window, of the same length, that told this."""
        self._first, self._last, self._total, ring = recorded
        for second, value in zip(range(self._last - len(ring) + 1, self._last + 1), ring, strict=True):
            self._buckets[second % len(self._buckets)] = value

    def _open(self, second: int, last: int | None) -> None:
        """Make `second` the newest bucket; those between it and the last one are empty."""
        buckets = self._buckets
        size = len(buckets)
        if last is None or second - last >= size:
            self._buckets[:] = [0.0] * size
            self._total = 0.0
            self._first = second
        else:
            for passed in range(last + 1, second + 1):
                self._total -= buckets[passed % size]
                buckets[passed % size] = 0.0
        self._last = second


class WeightedWindow(Window):
    """The mean in which each second weighs less than the one after it; silence lets it fall at once."""

    __slots__ = ("_weight",)

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self._weight = weight(seconds)

    def average(self, second: int) -> float:
        if self._last is None:
            return 0.0
        size, silence = len(self._buckets), max(second - self._last, 0)
        share, rest = self._weight, 1 - self._weight
        factor = share * rest**silence
        mean = 0.0
        for recorded in range(self._last, self._last - size + silence, -1):
            mean += self._buckets[recorded % size] * factor
            factor *= rest
        return mean

    def resize(self, seconds: int, now: int) -> None:
        super().resize(seconds, now)
        self._weight = weight(seconds)


def weight(seconds: int) -> float:
    """The newest second's weight: a full window's weights add up to 0.9999, but never less than 0.2."""
    return float(max(1 - (1 - NEWEST_SHARE) ** (1 / seconds), SMALLEST_WEIGHT))


def _rounded(value: float) -> float:
    """To six decimals as Go rounds: halves away from zero, dust below it to minus zero."""
    scaled = abs(value) * DECIMALS
    whole = math.floor(scaled)
    if scaled - whole >= 0.5:
        whole += 1
    return math.copysign(whole / DECIMALS, value)
