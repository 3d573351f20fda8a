"""All that Knative's autoscaler knows of one revision: its windows and its decider."""

import math
from typing import Any

from autoscaler.kpa.decider import Averages, Decider, Decision
from autoscaler.kpa.maximum import SLOT, SlidingMaximum
from autoscaler.kpa.spec import Spec
from autoscaler.kpa.windows import Recorded, WeightedWindow, Window


class Scaler:
    """`record` load as it is reported, `decide` as often as it shall be. Times are unix seconds.

    Nobody but the activators is asked for load, and they see all of it: seconds without data mean no load.
    """

    __slots__ = ("_decider", "_panic", "_stable", "spec")

    def __init__(self, spec: Spec, ready: int, now: float) -> None:
        kind = WeightedWindow if spec.is_weighted else Window
        self.spec = spec
        self._stable = kind(spec.stable_window)
        self._panic = kind(spec.panic_window)
        self._decider = Decider(spec, ready, now)

    def __repr__(self) -> str:
        return f"<Scaler target {self.spec.target:g}, {self._stable!r}, {self._decider!r}>"

    def record(self, now: float, concurrency: float, requests: float) -> None:
        """Add a report: mean requests in flight, and requests arrived, over one second."""
        value = requests if self.spec.metric == "rps" else concurrency
        second = math.floor(now)
        self._stable.record(second, value)
        self._panic.record(second, value)

    def averages(self, now: float) -> Averages:
        """Load over both windows."""
        second = math.floor(now)
        return Averages(self._stable.average(second), self._panic.average(second))

    def decide(self, now: float, ready: int, *, is_reachable: bool) -> Decision:
        """The number of pods wanted now."""
        return self._decider.decide(self.spec, self.averages(now), ready, is_reachable=is_reachable, now=now)

    def is_quiet(self, now: float) -> bool:
        """Whether deciding again could only give 0 again until load is reported."""
        return (
            self._decider.panic_since is None
            and self._decider.delay is None
            and self._stable.is_empty(math.floor(now))
        )

    def change(self, spec: Spec, now: float) -> None:
        """Go by another spec. Windows keep their newest seconds; the delay keeps its length, as in Knative.

        Another metric means another quantity: windows start empty.
        """
        second = math.floor(now)
        if (spec.metric, spec.is_weighted) != (self.spec.metric, self.spec.is_weighted):
            kind = WeightedWindow if spec.is_weighted else Window
            self._stable, self._panic = kind(spec.stable_window), kind(spec.panic_window)
        self._stable.resize(spec.stable_window, second)
        self._panic.resize(spec.panic_window, second)
        self.spec = spec

    def state(self, base: int) -> dict[str, Any]:
        """What it remembers, as JSON. Times are relative to `base`, an even second (slots stay slots)."""
        decider = self._decider
        since, delay = decider.panic_since, decider.delay
        return {
            "panicSince": None if since is None else round(since - base, 6),
            "maxPanicPods": decider.max_panic_pods,
            "delaySlots": delay.slots if delay else 0,
            "delay": [[slot - base // SLOT, value] for slot, value in delay.recorded()] if delay else [],
            "stable": _told(self._stable, base),
            "panic": _told(self._panic, base),
        }

    def restore(self, state: dict[str, Any], base: int) -> None:
        """Remember what `state` told of a scaler with the same spec."""
        decider = self._decider
        since = state["panicSince"]
        decider.panic_since = None if since is None else base + since
        decider.max_panic_pods = state["maxPanicPods"]
        decider.delay = SlidingMaximum(state["delaySlots"]) if state["delaySlots"] else None
        if decider.delay is not None:
            for slot, value in state["delay"]:
                decider.delay.record(slot + base // SLOT, value)
        for window, told in ((self._stable, state["stable"]), (self._panic, state["panic"])):
            if told is not None:
                first, last, total, buckets = told
                window.restore(Recorded(first + base, last + base, total, buckets))


def _told(window: Window, base: int) -> list[Any] | None:
    recorded = window.recorded()
    if recorded is None:
        return None
    return [recorded.first - base, recorded.last - base, recorded.total, list(recorded.buckets)]
