"""The fewest and the most pods of a revision (Knative pkg/reconciler/autoscaling/kpa/scaler.go)."""

from typing import NamedTuple

from autoscaler.kpa.spec import Spec


class Bounds(NamedTuple):
    """`highest` 0 = no limit."""

    lowest: int
    highest: int


def bounds(spec: Spec, *, is_reachable: bool, is_initialised: bool) -> Bounds:
    """The limits now. A revision that no route leads to needs no pods; a new one needs its initial scale."""
    if not is_reachable:
        return Bounds(0, spec.max_scale)
    lowest = spec.min_scale
    if spec.initial_scale > 1 and not is_initialised:
        lowest = max(lowest, spec.initial_scale)
    return Bounds(lowest, spec.max_scale)


def clamp(pods: int, limits: Bounds) -> int:
    """A number of pods within the limits.

    A number below the lowest becomes the lowest even where that is above the highest: a new revision gets its
    initial scale.
    """
    if pods < limits.lowest:
        return limits.lowest
    return min(pods, limits.highest) if limits.highest else pods


def fewest_active(spec: Spec, *, is_reachable: bool, is_initialised: bool) -> int:
    """How many ready pods make the revision active (Knative kpa.go, computeActiveCondition)."""
    lowest = spec.min_scale if is_reachable else 0
    return max(lowest, 1) if is_initialised else max(lowest, spec.initial_scale)
