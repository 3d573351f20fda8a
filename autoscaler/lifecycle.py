"""The way to zero and back, as a table (Knative pkg/reconciler/autoscaling/kpa).

A revision is *activating* (pods are wanted, too few are ready), *active*, or *inactive* (no load; its pods
stay for a grace period, then go). The activator is always between clients and pods, so nothing has to be
switched over or probed on the way.
"""

import math
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from autoscaler.kpa.spec import Spec

UNKNOWN = -1
"""A wish of nothing: leave the number of pods as it is."""
ACTIVATION_GRACE = 30.0
"""Seconds beyond the progress deadline until an activation has failed."""


class Activity(Enum):
    """What a revision does."""

    ACTIVATING = "activating"
    ACTIVE = "active"
    INACTIVE = "inactive"


class Wish(NamedTuple):
    """`pods` wanted and why, in words that follow "5 → 1: "; and whether that is to be written."""

    pods: int
    because: str
    is_written: bool = False
    has_failed: bool = False
    """The activation took too long and is given up."""
    again_in: float = math.inf
    """Seconds until the answer changes by itself."""


@dataclass(slots=True)
class Lifecycle:
    """What the revision does, and since when (unix seconds)."""

    activity: Activity
    since: float

    def without_load(self, spec: Spec, progress_deadline: float, now: float, *, is_reachable: bool) -> Wish:
        """What is wished for when the decision, within its bounds, is 0."""
        passed = round(now - self.since, 3)
        if not spec.is_zero_allowed:
            return Wish(1, "no load, and scale-to-zero is off", is_written=True)
        match self.activity:
            case Activity.ACTIVATING if passed > progress_deadline + ACTIVATION_GRACE:
                return Wish(0, f"not ready after {passed:.0f} s", is_written=True, has_failed=True)
            case Activity.ACTIVATING:
                return Wish(UNKNOWN, "no load, but pods are still starting")
            case Activity.ACTIVE if passed >= spec.stable_window:
                return Wish(0, "no load, the grace period begins")
            case Activity.ACTIVE:
                because = "no load, but active for less than a stable window"
                return Wish(1, because, is_written=True, again_in=spec.stable_window - passed)
        kept = max(spec.grace, spec.retention if is_reachable else 0.0)
        if passed >= kept:
            return Wish(0, f"no load, and idle for the grace period of {kept:g} s", is_written=True)
        return Wish(0, f"no load, {kept - passed:.0f} s of the grace period left", again_in=kept - passed)

    def settle(self, wished: int, ready: int, fewest: int, now: float) -> None:
        """Go on to what the revision does now, with `wished` and `ready` pods; `fewest` make it active."""
        activity = self._next(wished, ready, fewest)
        if activity is not self.activity:
            self.activity, self.since = activity, now

    def _next(self, wished: int, ready: int, fewest: int) -> Activity:
        if wished == 0 or fewest == 0:
            return Activity.INACTIVE
        if wished > 0:
            return Activity.ACTIVE if ready >= fewest else Activity.ACTIVATING
        if self.activity is Activity.INACTIVE:
            return Activity.INACTIVE
        return Activity.ACTIVE if ready >= fewest else Activity.ACTIVATING


def first_seen(replicas: int, ready: int, fewest: int, now: float) -> Lifecycle:
    """What a revision does that nobody has watched so far."""
    if replicas == 0:
        return Lifecycle(Activity.INACTIVE, now)
    return Lifecycle(Activity.ACTIVE if ready >= fewest else Activity.ACTIVATING, now)
