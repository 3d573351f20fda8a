"""Autoscaling annotations of a revision template (Knative, pkg/apis/autoscaling/annotation_validation.go).

Beyond Knative: the class ``hpa.autoscaling.knative.dev`` is refused, since nothing here would scale by it.
"""

import math
from collections.abc import Callable, Mapping

from kube.duration import parse_duration
from serving.config_autoscaler import AutoscalerConfig
from serving.refusals import Errors, FieldError
from serving.targets import AUTOSCALING_PREFIX, OLD_SPELLINGS, autoscaling_annotations

KPA = "kpa.autoscaling.knative.dev"
MAX_INT32 = 2**31 - 1
HOUR = 3600.0
Check = Callable[[str], str]
"""From an annotation's text to what is wrong with it, "" when nothing is."""


def check(annotations: Mapping[str, str], config: AutoscalerConfig) -> Errors:
    """Every annotation by itself, then the scales against each other. Paths are annotation keys."""
    values = autoscaling_annotations(annotations)
    sound: dict[str, str] = {}
    for key, text in values.items():
        is_checked = key not in KPA_ONLY or values.get("class", KPA) == KPA
        problem = CHECKS[key](text) if key in CHECKS and is_checked else ""
        if problem:
            yield FieldError(_path(key, annotations), problem)
        else:
            sound[key] = text
    yield from _scales(sound, annotations, config)


def _path(key: str, annotations: Mapping[str, str]) -> str:
    """The key as the user spelled it."""
    if AUTOSCALING_PREFIX + key not in annotations:
        for old, new in OLD_SPELLINGS.items():
            if new == key and AUTOSCALING_PREFIX + old in annotations:
                return AUTOSCALING_PREFIX + old
    return AUTOSCALING_PREFIX + key


def _scales(sound: Mapping[str, str], annotations: Mapping[str, str], config: AutoscalerConfig) -> Errors:
    lowest, highest = int(sound.get("min-scale", 0)), int(sound.get("max-scale", 0))
    limit = config.max_scale_limit
    if highest and highest < lowest:
        problem = f"max-scale={highest} is less than min-scale={lowest}; raise it or lower min-scale"
        yield FieldError(_path("max-scale", annotations), problem)
    if limit and "max-scale" in sound and not 1 <= highest <= limit:
        shown = f"max-scale={highest}" + ("" if highest else " (unlimited)")
        problem = f"{shown}, must be from 1 to {limit}, the max-scale-limit of config-autoscaler"
        yield FieldError(_path("max-scale", annotations), problem)
    activation = int(sound.get("activation-scale", 0))
    if activation and activation < lowest:
        problem = f"activation-scale={activation} is less than min-scale={lowest}"
        yield FieldError(_path("activation-scale", annotations), problem)
    if activation and highest and activation > highest:
        problem = f"activation-scale={activation} is more than max-scale={highest}"
        yield FieldError(_path("activation-scale", annotations), problem)
    if sound.get("initial-scale") == "0" and not config.allow_zero_initial_scale:
        problem = "0 is not allowed by the cluster; set allow-zero-initial-scale in config-autoscaler"
        yield FieldError(_path("initial-scale", annotations), problem)


def _class(text: str) -> str:
    if text == KPA or not text.endswith(".knative.dev"):
        return ""
    return f"invalid value {text!r}: nothing here scales by it; leave the annotation out for {KPA}"


def _whole(lowest: int, highest: int = MAX_INT32) -> Check:
    def problem(text: str) -> str:
        digits = text.removeprefix("-")
        if not digits.isascii() or not digits.isdecimal():
            return f"invalid value {text!r}: must be a whole number"
        if not lowest <= int(text) <= highest:
            return f"{text} is out of bounds: must be from {lowest} to {highest}"
        return ""

    return problem


def _number(is_allowed: Callable[[float], bool], wanted: str) -> Check:
    def problem(text: str) -> str:
        try:
            number = float(text)
        except ValueError:
            return f"invalid value {text!r}: must be a number"
        if not math.isfinite(number) or not is_allowed(number):
            return f"invalid value {text!r}: {wanted}"
        return ""

    return problem


def _span(lowest: float, *, only_whole: bool) -> Check:
    def problem(text: str) -> str:
        try:
            seconds = parse_duration(text)
        except ValueError:
            return f'invalid value {text!r}: must be a duration like "60s"'
        if not lowest <= seconds <= HOUR:
            return f"{text} is out of bounds: must be from {lowest:g}s to 1h"
        if only_whole and seconds != int(seconds):
            return f"{text} is too precise: must be whole seconds"
        return ""

    return problem


def _one_of(*choices: str) -> Check:
    def problem(text: str) -> str:
        if text in choices:
            return ""
        return f"invalid value {text!r}: must be {' or '.join(each for each in choices if each)}"

    return problem


CHECKS: Mapping[str, Check] = {
    "class": _class,
    "metric": _one_of("concurrency", "rps"),
    "target": _number(lambda number: number >= 0.01, "should be at least 0.01"),
    "target-utilization-percentage": _number(lambda number: 1 <= number <= 100, "must be from 1 to 100"),
    "target-burst-capacity": _number(lambda number: number >= 0 or number == -1, "must be at least 0, or -1"),
    "window": _span(6.0, only_whole=True),
    "panic-window-percentage": _number(lambda number: 1 <= number <= 100, "must be from 1 to 100"),
    "panic-threshold-percentage": _number(lambda number: 110 <= number <= 1000, "must be from 110 to 1000"),
    "min-scale": _whole(0),
    "max-scale": _whole(0),
    "activation-scale": _whole(2),
    "initial-scale": _whole(0),
    "scale-down-delay": _span(0.0, only_whole=True),
    "scale-to-zero-pod-retention-period": _span(0.0, only_whole=False),
    "metric-aggregation-algorithm": _one_of("", "linear", "weighted-exponential", "weightedExponential"),
}
"""Each annotation by itself."""

KPA_ONLY = ("metric", "metric-aggregation-algorithm")
"""Annotations whose values another class may choose for itself."""
