"""From averages to a number of pods (Knative pkg/autoscaler/scaling/autoscaler.go)."""

import math
from typing import NamedTuple

from autoscaler.kpa.maximum import SLOT, SlidingMaximum, delay_slots
from autoscaler.kpa.spec import Spec


class Averages(NamedTuple):
    """Load of the revision over its two windows."""

    stable: float
    panic: float


class Decision(NamedTuple):
    """`desired` pods and how it came to that."""

    desired: int
    excess_burst_capacity: int
    is_panicking: bool
    averages: Averages
    ready: int
    stable_pods: int
    """What the stable window asks for, before any limit."""
    panic_pods: int
    lowest: int
    """The limit of one step down."""
    highest: int
    """The limit of one step up."""
    undelayed: int
    """`desired` if there were no scale-down delay."""


class Decider:
    """One revision's decisions; what it remembers is the panic and the scale-down delay.

    `panic_since` is the last time that the load was over the threshold (None: no panic). While it panics the
    number of pods never falls. A revision that has several pods when it is first seen starts in panic: what
    was decided before (by another leader) shall not be undone by empty windows.
    """

    __slots__ = ("delay", "max_panic_pods", "panic_since")

    def __init__(self, spec: Spec, ready: int, now: float) -> None:
        self.panic_since: float | None = now if ready > 1 else None
        self.max_panic_pods = ready
        slots = delay_slots(spec.scale_down_delay)
        self.delay = SlidingMaximum(slots) if slots else None

    def __repr__(self) -> str:
        since = "calm" if self.panic_since is None else f"panics since {self.panic_since:g}"
        return f"<Decider {since}, at most {self.max_panic_pods} pods so far>"

    def decide(
        self, spec: Spec, averages: Averages, ready: int, *, is_reachable: bool, now: float
    ) -> Decision:
        """How many pods there should be. `ready` is how many there are."""
        pods = max(1, ready)
        highest = math.ceil(spec.max_up_rate * pods)
        lowest = math.floor(pods / spec.max_down_rate) if is_reachable else 0
        raw_stable = math.ceil(averages.stable / spec.target)
        raw_panic = math.ceil(averages.panic / spec.target)
        stable_pods = min(max(raw_stable, lowest), highest)
        panic_pods = min(max(raw_panic, lowest), highest)
        if spec.activation_scale > 1:
            if raw_stable > 0:
                stable_pods = max(stable_pods, spec.activation_scale)
            if raw_panic > 0:
                panic_pods = max(panic_pods, spec.activation_scale)
        self._judge(spec, now, is_over=raw_panic / pods >= spec.panic_threshold)
        desired = stable_pods
        if self.panic_since is not None:
            self.max_panic_pods = desired = max(stable_pods, panic_pods, self.max_panic_pods)
        undelayed = desired
        if is_reachable and self.delay is not None:
            desired = self.delay.record(int(now) // SLOT, desired)
        return Decision(
            desired=desired,
            excess_burst_capacity=excess_burst_capacity(spec, ready, averages.panic),
            is_panicking=self.panic_since is not None,
            averages=averages,
            ready=ready,
            stable_pods=raw_stable,
            panic_pods=raw_panic,
            lowest=lowest,
            highest=highest,
            undelayed=undelayed,
        )

    def _judge(self, spec: Spec, now: float, *, is_over: bool) -> None:
        if is_over:
            self.panic_since = now
        elif self.panic_since is not None and self.panic_since + spec.stable_window < now:
            self.panic_since = None
            self.max_panic_pods = 0


def excess_burst_capacity(spec: Spec, ready: int, panic: float) -> int:
    """Load that could come at once without a queue; where negative, Knative keeps its activator between.

    Here the activator always stays, so this is only told.
    """
    if spec.burst_capacity == 0:
        return 0
    if spec.burst_capacity < 0:
        return -1
    return math.floor(ready * spec.total - spec.burst_capacity - panic)
