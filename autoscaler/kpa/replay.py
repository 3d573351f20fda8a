"""A recorded history decided anew.

The first line sets up: `config` (keys of `config-autoscaler`), `annotations` (of the revision),
`containerConcurrency`, `ready` pods, `reachable`, and optionally `state` (of a scaler that is not new). Then
come events in the order of their `t` (seconds from any even second): `stat`, `ready`, `reachable`, `decide`.

The output is one line with the resolved settings and one a decision.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from autoscaler.kpa.decider import Decision
from autoscaler.kpa.scaler import Scaler
from autoscaler.kpa.spec import Spec, resolve
from serving.config_autoscaler import parse
from serving.targets import autoscaling_annotations

BASE = 2**30
"""Added to each `t`, so that sums of times round as they do with times of today."""


class BadHistory(ValueError):  # noqa: N818 - what is wrong is the history, not the program
    """A line of the history cannot be read; says which and why."""


def replay(lines: Iterable[str]) -> Iterator[str]:
    """Output lines for input lines. Raises BadHistory."""
    scaler: Scaler | None = None
    ready, is_reachable = 0, True
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            event = json.loads(line)
            now = BASE + float(event["t"])
            if scaler is None:
                ready, is_reachable = int(event["ready"]), bool(event["reachable"])
                scaler = set_up(event)
                yield told_settings(scaler.spec)
            elif "stat" in event:
                stat = event["stat"]
                scaler.record(now, _load(stat["concurrency"]), _load(stat["requests"]))
            elif "decide" in event:
                yield told_decision(event["t"], scaler.decide(now, ready, is_reachable=is_reachable))
            else:
                ready = int(event.get("ready", ready))
                is_reachable = bool(event.get("reachable", is_reachable))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            problem = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise BadHistory(f"line {number}: {problem}") from error


def set_up(event: Mapping[str, Any]) -> Scaler:
    """The scaler that a first line describes."""
    spec = resolve(
        parse(event["config"]), autoscaling_annotations(event["annotations"]), event["containerConcurrency"]
    )
    scaler = Scaler(spec, event["ready"], BASE + float(event["t"]))
    if "state" in event:
        scaler.restore(event["state"], BASE)
    return scaler


def told_settings(spec: Spec) -> str:
    """The first line of the output."""
    parts = {
        "target": go_number(round(spec.target, 6)),
        "total": go_number(round(spec.total, 6)),
        "stableWindow": str(spec.stable_window),
        "panicWindow": str(spec.panic_window),
        "panicThreshold": go_number(round(spec.panic_threshold, 6)),
        "initialScale": str(spec.initial_scale),
    }
    return _line(parts)


def told_decision(t: float, decision: Decision) -> str:
    """The line of one decision."""
    parts = {
        "t": go_number(t),
        "desired": str(decision.desired),
        "excessBurstCapacity": str(decision.excess_burst_capacity),
        "panicking": "true" if decision.is_panicking else "false",
        "stable": f"{decision.averages.stable:.6f}",
        "panic": f"{decision.averages.panic:.6f}",
    }
    return _line(parts)


def go_number(value: float) -> str:
    """A number as Go's encoding/json writes it: the shortest digits that read back, 1 and not 1.0."""
    if value == math.floor(value) and abs(value) < 1e21:
        return str(int(value))
    digits = repr(float(value))
    if "e" not in digits:
        return digits
    mantissa, exponent = digits.split("e")
    if -6 <= int(exponent) < 0:  # Go turns to exponents only below 1e-6
        return f"{value:.{len(mantissa.replace('.', '').lstrip('-')) - 1 - int(exponent)}f}"
    return f"{mantissa}e{exponent[0]}{exponent[1:].lstrip('0')}"


def _line(parts: Mapping[str, str]) -> str:
    return "{" + ",".join(f'"{name}":{text}' for name, text in parts.items()) + "}"


def _load(value: float) -> float:
    if not 0 <= value < math.inf:
        raise ValueError(f"{value} is no load")
    return float(value)
