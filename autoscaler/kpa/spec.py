"""What one revision is scaled by: its annotations before the config map's values."""

from collections.abc import Mapping
from dataclasses import dataclass

from kube.duration import parse_duration
from serving.config_autoscaler import AutoscalerConfig
from serving.rules.autoscaling import CHECKS

RPS_UTILISATION = 0.7
"""Of requests per second only; it has no key in the config map (Knative pkg/autoscaler/config)."""
SMALLEST_TARGET = 0.01
WEIGHTED = {"weighted-exponential", "weightedExponential"}


@dataclass(frozen=True, slots=True)
class Spec:
    """Seconds, pods, and load per pod. 0 means "no limit" for `max_scale` and "none" for delays."""

    scaler_class: str
    metric: str
    """"concurrency" or "rps"."""
    target: float
    """Load that one pod shall have."""
    total: float
    """Load that one pod could have."""
    stable_window: int
    panic_window: int
    panic_threshold: float
    """A factor: needed pods by ready pods, from which on it is a panic."""
    max_up_rate: float
    max_down_rate: float
    burst_capacity: float
    scale_down_delay: float
    activation_scale: int
    initial_scale: int
    min_scale: int
    max_scale: int
    is_zero_allowed: bool
    grace: float
    retention: float
    is_weighted: bool


def resolve(config: AutoscalerConfig, annotations: Mapping[str, str], container_concurrency: int) -> Spec:
    """The spec of a revision; `annotations` are the autoscaling ones without their prefix.

    One that does not parse or is out of bounds counts as absent: admission refuses it on a revision, but a
    plain Deployment passes no admission of ours.
    """
    sound = {key: text for key, text in annotations.items() if key in CHECKS and not CHECKS[key](text)}
    target, total = _targets(config, sound, container_concurrency)
    stable = _seconds(sound, "window", config.stable_window)
    share = _number(sound, "panic-window-percentage", config.panic_window_percentage)
    return Spec(
        scaler_class=annotations.get("class", config.pod_autoscaler_class),
        metric=sound.get("metric", "concurrency"),
        target=target,
        total=total,
        stable_window=int(stable),
        panic_window=panic_window(stable, share),
        panic_threshold=_number(sound, "panic-threshold-percentage", config.panic_threshold_percentage) / 100,
        max_up_rate=config.max_scale_up_rate,
        max_down_rate=config.max_scale_down_rate,
        burst_capacity=_number(sound, "target-burst-capacity", config.target_burst_capacity),
        scale_down_delay=_seconds(sound, "scale-down-delay", config.scale_down_delay),
        activation_scale=int(sound.get("activation-scale", 0)),
        initial_scale=_initial_scale(config, sound),
        min_scale=int(sound.get("min-scale", config.min_scale)),
        max_scale=int(sound.get("max-scale", config.max_scale)),
        is_zero_allowed=config.enable_scale_to_zero,
        grace=config.scale_to_zero_grace_period,
        retention=_seconds(
            sound, "scale-to-zero-pod-retention-period", config.scale_to_zero_pod_retention_period
        ),
        is_weighted=sound.get("metric-aggregation-algorithm", "") in WEIGHTED,
    )


def panic_window(stable: float, percentage: float) -> int:
    """Whole seconds, halves rounded up, at least one (Knative pkg/reconciler/autoscaling/resources)."""
    nanoseconds = int(stable * 1e9 * percentage / 100)
    return max(1, (nanoseconds + 500_000_000) // 1_000_000_000)


def _targets(
    config: AutoscalerConfig, sound: Mapping[str, str], container_concurrency: int
) -> tuple[float, float]:
    """(target, total) of one pod (Knative pkg/reconciler/autoscaling/resources/target.go)."""
    own = float(sound["target"]) if "target" in sound else None
    if sound.get("metric") == "rps":
        utilisation = RPS_UTILISATION
        total = config.requests_per_second_target_default if own is None else own
    else:
        utilisation = config.container_concurrency_target_percentage
        total = container_concurrency or config.container_concurrency_target_default
        if own is not None:
            total = min(own, container_concurrency) if container_concurrency else own
    if "target-utilization-percentage" in sound:
        utilisation = float(sound["target-utilization-percentage"]) / 100
    return max(SMALLEST_TARGET, total * utilisation), float(total)


def _initial_scale(config: AutoscalerConfig, sound: Mapping[str, str]) -> int:
    own = int(sound.get("initial-scale", config.initial_scale))
    return own if own or config.allow_zero_initial_scale else config.initial_scale


def _number(sound: Mapping[str, str], key: str, default: float) -> float:
    return float(sound[key]) if key in sound else default


def _seconds(sound: Mapping[str, str], key: str, default: float) -> float:
    return parse_duration(sound[key]) if key in sound else default
