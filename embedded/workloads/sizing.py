"""How large each ReplicaSet of a Deployment is made next: the arithmetic of a rollout, on plain numbers.

Source of the rules: Kubernetes, pkg/controller/deployment (rolling.go, recreate.go, sync.go).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kube.objects import Obj


@dataclass(frozen=True, slots=True)
class Size:
    """One ReplicaSet as the rollout counts it.

    `replicas` is what its spec asks for, `available` how many of its pods serve, `share_of` the most pods
    that the Deployment might have had when this size was chosen (0 = not known).
    """

    name: str
    replicas: int
    available: int = 0
    share_of: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a rolling update may stray from the wanted number, in pods."""

    surge: int
    unavailable: int


def limits_of(strategy: Obj, desired: int) -> Limits:
    """Resolve maxSurge (rounded up) and maxUnavailable (rounded down); both 0 would never move, so 0/1."""
    rolling = strategy.get("rollingUpdate") or {}
    if strategy.get("type") == "Recreate":
        return Limits(0, 0)
    surge = _share(rolling.get("maxSurge", "25%"), desired, round_up=True)
    unavailable = _share(rolling.get("maxUnavailable", "25%"), desired, round_up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Limits(surge, min(unavailable, desired))


def _share(value: str | int, total: int, *, round_up: bool) -> int:
    if isinstance(value, str) and value.endswith("%"):
        part = int(value[:-1]) * total / 100
        return math.ceil(part) if round_up else math.floor(part)
    return int(value)


def roll(desired: int, limits: Limits, new: Size, old: Sequence[Size]) -> dict[str, int]:
    """The sizes that change in the next step of a rolling update; none when it has to wait or is through.

    `old` is ordered oldest first. First the new set grows as the surge allows, then old sets shrink: those
    pods that do not serve anyway, then as many as leave `desired - unavailable` serving.
    """
    grown = _grown(desired, limits, new, old)
    if grown != new.replicas:
        return {new.name: grown}
    return _shrunk(desired, limits, new, old)


def _grown(desired: int, limits: Limits, new: Size, old: Sequence[Size]) -> int:
    if new.replicas >= desired:
        return desired
    total = new.replicas + sum(size.replicas for size in old)
    room = desired + limits.surge - total
    return new.replicas + max(0, min(room, desired - new.replicas))


def _shrunk(desired: int, limits: Limits, new: Size, old: Sequence[Size]) -> dict[str, int]:
    total = new.replicas + sum(size.replicas for size in old)
    least = desired - limits.unavailable
    # New pods that do not serve yet may be lost as well: they do not count as a reason to go lower.
    budget = total - least - (new.replicas - new.available)
    sizes = {size.name: size.replicas for size in old}
    for size in old:
        lost = min(size.replicas - size.available, budget)
        if lost > 0:
            sizes[size.name] -= lost
            budget -= lost
    spare = new.available + sum(min(size.available, sizes[size.name]) for size in old) - least
    for size in old:
        lost = min(sizes[size.name], spare)
        if lost > 0:
            sizes[size.name] -= lost
            spare -= lost
    return {size.name: sizes[size.name] for size in old if sizes[size.name] != size.replicas}


def resize(desired: int, limits: Limits, new: Size | None, old: Sequence[Size]) -> dict[str, int]:
    """The sizes after `desired` itself changed, for every set that runs something or must start to.

    One running set takes all; a new set that is already whole sends the old ones to 0; amid a rolling update
    each set keeps its share, so that scaling never decides the rollout.
    """
    everyone = [*old, new] if new is not None else list(old)
    active = [size for size in everyone if size.replicas > 0]
    if len(active) <= 1:
        if not everyone:
            return {}
        return {(active or everyone)[-1].name: desired}
    if new is not None and new.replicas == desired and new.available == desired:
        return {size.name: desired if size is new else 0 for size in active}
    return _proportional(desired, limits, active)


def _proportional(desired: int, limits: Limits, active: Sequence[Size]) -> dict[str, int]:
    """Spread the change over the sets by their size; what rounding leaves is the largest ones' matter.

    `active` is ordered oldest first; of equally large sets the newer grows and the older shrinks first.
    """
    most = desired + limits.surge if desired > 0 else 0
    change = most - sum(size.replicas for size in active)
    newer_first = list(reversed(active))
    order = sorted(newer_first if change > 0 else active, key=lambda size: -size.replicas)
    sizes, left = {}, change
    for size in order:
        base = size.share_of or sum(each.replicas for each in active)
        share = math.floor(size.replicas * most / base + 0.5) - size.replicas
        part = min(max(share, 0), left) if change > 0 else max(min(share, 0), left)
        sizes[size.name] = size.replicas + part
        left -= part
    for name, chosen in sizes.items():
        sizes[name] = max(0, chosen + left)
        left += chosen - sizes[name]
    return sizes
