"""How busy one revision is, as the autoscaler wants to hear it: the time-weighted mean of requests in flight.

A request counts from its parsed head to its last answer byte, waiting included. The arithmetic is Knative's
(networking, pkg/http/stats/request.go; serving, pkg/activator/handler/concurrency_reporter.go): each change
adds `requests in flight x seconds` to an area, a cut divides the area by its seconds and begins anew.
"""

from enum import Enum
from typing import Final


class Phase(Enum):
    """Where a revision stands in the reports."""

    IDLE = "idle"
    """It is not reported; its next request is a first one."""
    FIRST = "first"
    """Its first request is not reported yet: that report was not written, or was lost with its link."""
    REPORTED = "reported"
    """It is part of every cut."""


_IDLE: Final = Phase.IDLE


class Load:
    """The load of one revision. Times are seconds of any monotonic clock.

    `enter` and `leave` are on the hot path: they make no object and call nothing.
    """

    __slots__ = ("_area", "_arrived", "_last", "_seconds", "_told", "in_flight", "phase")

    def __init__(self) -> None:
        self.in_flight = 0
        self.phase = Phase.IDLE
        self._last = 0.0
        self._area = 0.0
        self._seconds = 0.0
        self._arrived = 0
        self._told = 0

    def __repr__(self) -> str:
        return f"<Load {self.in_flight} in flight, {self.phase.value}>"

    def enter(self, now: float) -> bool:
        """A request arrived. True: it is the first one of an idle revision, to be reported at once."""
        if self.phase is _IDLE:
            self.phase = Phase.FIRST
            self._last = now
            self._arrived = self.in_flight = 1
            return True
        passed = now - self._last
        if passed > 0:
            self._area += self.in_flight * passed
            self._seconds += passed
            self._last = now
        self.in_flight += 1
        self._arrived += 1
        return False

    def leave(self, now: float) -> None:
        """A request ended."""
        passed = now - self._last
        if passed > 0:
            self._area += self.in_flight * passed
            self._seconds += passed
            self._last = now
        self.in_flight -= 1

    def told(self) -> None:
        """An at-once report of one request was really written: the next cut must not count it again."""
        self._told += 1
        if self.phase is Phase.FIRST:
            self.phase = Phase.REPORTED

    def untold(self) -> None:
        """An at-once report that `told` spoke of did not get through after all; it is to be made again."""
        self._told = max(self._told - 1, 0)
        if self.phase is Phase.REPORTED:
            self.phase = Phase.FIRST

    def cut(self, now: float) -> tuple[float, int, bool]:
        """End the cut: mean concurrency, requests arrived, and whether the revision is idle from now on.

        What at-once reports have told is subtracted from both. A revision becomes idle when nothing was in
        flight during the whole cut; this last report, of zeros, still counts.
        """
        passed = now - self._last
        if passed > 0:
            self._area += self.in_flight * passed
            self._seconds += passed
            self._last = now
        average = self._area / self._seconds if self._seconds > 0 else 0.0
        arrived, told = self._arrived, self._told
        self._area = self._seconds = 0.0
        self._arrived = self._told = 0
        is_idle = average == 0 and self.in_flight == 0
        if is_idle:
            self.phase = Phase.IDLE
        return max(average - told, 0.0), max(arrived - told, 0), is_idle
