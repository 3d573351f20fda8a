"""The config map `config-autoscaler`: Knative's keys, defaults and rules (Knative pkg/autoscaler/config).

`parse(data)` reads the map's `data`; a missing key means the default below. A value that breaks a rule is a
`ConfigError` that names its key. Durations are seconds.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace

from kube.duration import parse_duration

NAME = "config-autoscaler"

KPA_CLASS = "kpa.autoscaling.knative.dev"
SMALLEST_TARGET = 0.01
SHORTEST_WINDOW = 6.0
LONGEST_WINDOW = 3600.0
LARGEST_SCALE = 2**31 - 1


class ConfigError(ValueError):
    """One key of a config map has a value that cannot be used."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key}: {message}")
        self.key = key
        self.message = message


@dataclass(frozen=True, slots=True)
class AutoscalerConfig:
    """The map as one value; the field `max_scale` is the key `max-scale`, and so on."""

    pod_autoscaler_class: str = KPA_CLASS
    enable_scale_to_zero: bool = True
    allow_zero_initial_scale: bool = False
    initial_scale: int = 1
    min_scale: int = 0
    max_scale: int = 0
    """0 = no limit."""
    max_scale_limit: int = 0
    """What revisions may ask for as their max-scale; 0 = anything."""
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    container_concurrency_target_percentage: float = 0.7
    """As a fraction, whichever way it was written."""
    container_concurrency_target_default: float = 100.0
    requests_per_second_target_default: float = 200.0
    target_burst_capacity: float = 211.0
    stable_window: float = 60.0
    panic_window_percentage: float = 10.0
    panic_threshold_percentage: float = 200.0
    scale_to_zero_grace_period: float = 30.0
    scale_to_zero_pod_retention_period: float = 0.0
    scale_down_delay: float = 0.0
    activator_capacity: float = 100.0


DEFAULTS = AutoscalerConfig()


def parse(data: Mapping[str, str]) -> AutoscalerConfig:
    """Defaults, then the map's values, then the rules. Unknown keys are left alone, as in Knative."""
    values: dict[str, str | bool | int | float] = {}
    for field in fields(AutoscalerConfig):
        key = field.name.replace("_", "-")
        if key in data:
            values[field.name] = _READERS.get(field.name, _READERS_BY_TYPE[field.type])(key, data[key])
    config = replace(DEFAULTS, **values)  # type: ignore[arg-type] # each reader gives its own field's type
    _validate(config)
    return config


def validate_scale_limit(max_scale: int, limit: int, key: str) -> None:
    """Under a limit "no maximum" (0) is not to be had."""
    if limit > 0 and not 1 <= max_scale <= limit:
        raise ConfigError(key, f"{max_scale} must be between 1 and max-scale-limit, {limit}")


def is_whole_seconds(seconds: float) -> bool:
    """Windows and delays are counted in buckets of a second."""
    return seconds == math.floor(seconds)


def read_float(key: str, text: str) -> float:
    """A finite decimal number."""
    if _NUMBER.fullmatch(text.strip()) is None or not math.isfinite(number := float(text)):
        raise ConfigError(key, f"{text!r} is no number")
    return number


def read_scale(key: str, text: str) -> int:
    """A number of pods, or another whole number that is not negative."""
    if re.fullmatch(r"[+-]?[0-9]+", text.strip()) is None:
        raise ConfigError(key, f"{text!r} is no whole number")
    number = int(text)
    if not 0 <= number <= LARGEST_SCALE:
        raise ConfigError(key, f"{number} must be at least 0 and at most {LARGEST_SCALE}")
    return number


def read_duration(key: str, text: str) -> float:
    """A Go duration in seconds."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError(key, str(error)) from error


def _read_bool(key: str, text: str) -> bool:
    if text in {"1", "t", "T", "true", "TRUE", "True"}:
        return True
    if text in {"0", "f", "F", "false", "FALSE", "False"}:
        return False
    raise ConfigError(key, f"{text!r} is neither true nor false")


def _read_fraction(key: str, text: str) -> float:
    """70 and 0.7 both mean seven tenths; so 1 means all, not a hundredth."""
    percentage = read_float(key, text)
    if not 0 < percentage <= 100:
        raise ConfigError(key, f"{text} must be above 0 and at most 100")
    return percentage / 100 if percentage > 1 else percentage


_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")

_READERS: Mapping[str, Callable[[str, str], str | bool | int | float]] = {
    "container_concurrency_target_percentage": _read_fraction,
    "stable_window": read_duration,
    "scale_to_zero_grace_period": read_duration,
    "scale_to_zero_pod_retention_period": read_duration,
    "scale_down_delay": read_duration,
}
_READERS_BY_TYPE: Mapping[object, Callable[[str, str], str | bool | int | float]] = {
    str: lambda _, text: text,
    bool: _read_bool,
    int: read_scale,
    float: read_float,
}


def _validate(config: AutoscalerConfig) -> None:
    _validate_scales(config)
    _validate_targets(config)
    _validate_times(config)


def _validate_scales(config: AutoscalerConfig) -> None:
    if config.initial_scale == 0 and not config.allow_zero_initial_scale:
        raise ConfigError("initial-scale", "0 needs allow-zero-initial-scale: true")
    if 0 < config.max_scale < config.min_scale:
        raise ConfigError("min-scale", f"{config.min_scale} is more than max-scale, {config.max_scale}")
    validate_scale_limit(config.max_scale, config.max_scale_limit, "max-scale")
    for key, rate in (
        ("max-scale-up-rate", config.max_scale_up_rate),
        ("max-scale-down-rate", config.max_scale_down_rate),
    ):
        if rate <= 1:
            raise ConfigError(key, f"{rate:g} must be more than 1")


def _validate_targets(config: AutoscalerConfig) -> None:
    fraction = config.container_concurrency_target_percentage
    target = config.container_concurrency_target_default
    if fraction * target < SMALLEST_TARGET:
        raise ConfigError(
            "container-concurrency-target-default",
            f"{target:g} x {fraction:g} (container-concurrency-target-percentage) must be at least 0.01",
        )
    if config.requests_per_second_target_default < SMALLEST_TARGET:
        raise ConfigError("requests-per-second-target-default", "must be at least 0.01")
    if config.target_burst_capacity < 0 and config.target_burst_capacity != -1:
        raise ConfigError("target-burst-capacity", "must be at least 0, or -1 for no limit")
    if config.activator_capacity < 1:
        raise ConfigError("activator-capacity", "must be at least 1")


def _validate_times(config: AutoscalerConfig) -> None:
    if not SHORTEST_WINDOW <= config.stable_window <= LONGEST_WINDOW:
        raise ConfigError("stable-window", "must be between 6s and 1h")
    for key, seconds in (
        ("stable-window", config.stable_window),
        ("scale-down-delay", config.scale_down_delay),
    ):
        if not is_whole_seconds(seconds):
            raise ConfigError(key, "must be whole seconds")
    if not 1 <= config.panic_window_percentage <= 100:
        raise ConfigError("panic-window-percentage", "must be between 1 and 100")
    if config.scale_to_zero_grace_period <= 0:
        raise ConfigError("scale-to-zero-grace-period", "must be more than 0")
    for key, seconds in (
        ("scale-to-zero-pod-retention-period", config.scale_to_zero_pod_retention_period),
        ("scale-down-delay", config.scale_down_delay),
    ):
        if seconds < 0:
            raise ConfigError(key, "must not be negative")
