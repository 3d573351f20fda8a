"""What a revision is scaled by: Knative's table of targets (target_test.go), windows, annotations."""

import pytest

from autoscaler.kpa.spec import panic_window, resolve
from serving.config_autoscaler import DEFAULTS, parse

Row = tuple[int, str, str | None, str, str | None, str, float, float]
"""containerConcurrency, metric, target annotation, config fraction, utilisation annotation, default target;
then the target and the total.
"""


@pytest.mark.parametrize(
    "row",
    [
        (0, "concurrency", None, "1.0", None, "100", 100, 100),
        (0, "concurrency", None, "0.8", None, "100", 80, 100),
        (0, "concurrency", None, "0.3", None, "2", 0.6, 2),
        (12, "concurrency", None, "0.8", "75", "100", 9, 12),
        (10, "concurrency", None, "0.8", None, "100", 8, 10),
        (1, "concurrency", None, "0.8", None, "100", 0.8, 1),
        (1, "concurrency", None, "1.0", None, "100", 1, 1),
        (0, "concurrency", "1", "1.0", None, "100", 1, 1),
        (0, "concurrency", "1", "0.001", None, "100", 0.01, 1),
        (0, "concurrency", "1", "0.75", None, "100", 0.75, 1),
        (0, "concurrency", "10", "0.75", None, "100", 7.5, 10),
        (10, "concurrency", "1", "1.0", None, "100", 1, 1),
        (0, "concurrency", "500", "1.0", None, "100", 500, 500),
        (1, "concurrency", "10", "1.0", None, "100", 1, 1),
        (1, "rps", None, "1.0", None, "100", 140, 200),
        (0, "rps", "1", "1.0", None, "100", 0.7, 1),
        (0, "rps", None, "1.0", "75", "100", 150, 200),
        (0, "rps", "300", "1.0", None, "100", 210, 300),
    ],
)
def test_target_and_total(row: Row) -> None:
    limit, metric, own, fraction, utilisation, default, target, total = row
    config = parse(
        {
            "container-concurrency-target-percentage": fraction,
            "container-concurrency-target-default": default,
        }
    )
    given = {"metric": metric, "target": own, "target-utilization-percentage": utilisation}
    spec = resolve(config, {key: text for key, text in given.items() if text}, limit)
    assert spec.target == pytest.approx(target)
    assert spec.total == total


@pytest.mark.parametrize(
    ("stable", "percentage", "seconds"),
    [
        (60, 10, 6),
        (10, 10, 1),
        (600, 10, 60),
        (60, 50, 30),
        (60, 51, 31),
        (15, 10, 2),
        (60, 1, 1),
        (90, 5, 5),
    ],
)
def test_the_panic_window_is_whole_seconds(stable: float, percentage: float, seconds: int) -> None:
    assert panic_window(stable, percentage) == seconds


def test_an_annotation_comes_before_the_config_map() -> None:
    config = parse({"min-scale": "1", "max-scale": "9", "stable-window": "30s", "scale-down-delay": "4s"})
    annotations = {
        "min-scale": "2",
        "max-scale": "5",
        "window": "12s",
        "scale-down-delay": "1m",
        "panic-threshold-percentage": "300",
        "activation-scale": "3",
        "target-burst-capacity": "-1",
        "scale-to-zero-pod-retention-period": "90s",
        "metric-aggregation-algorithm": "weightedExponential",
        "panic-window-percentage": "50",
    }
    spec = resolve(config, annotations, 0)
    assert (spec.min_scale, spec.max_scale, spec.stable_window, spec.panic_window) == (2, 5, 12, 6)
    assert (spec.scale_down_delay, spec.panic_threshold, spec.retention) == (60, 3, 90)
    assert (spec.activation_scale, spec.burst_capacity, spec.is_weighted) == (3, -1, True)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("min-scale", "-1"),
        ("min-scale", "two"),
        ("max-scale", "1.5"),
        ("target", "0"),
        ("target", "nan"),
        ("metric", "cpu"),
        ("window", "5s"),
        ("window", "60"),
        ("panic-window-percentage", "101"),
        ("panic-threshold-percentage", "100"),
        ("target-utilization-percentage", "0"),
        ("activation-scale", "1"),
        ("scale-down-delay", "2h"),
        ("metric-aggregation-algorithm", "median"),
        ("no-such-key", "1"),
    ],
)
def test_an_annotation_that_makes_no_sense_counts_as_absent(key: str, text: str) -> None:
    """A plain Deployment passes no admission of ours."""
    assert resolve(DEFAULTS, {key: text}, 0) == resolve(DEFAULTS, {}, 0)


@pytest.mark.parametrize(
    ("config", "own", "expected"),
    [
        ({}, None, 1),
        ({}, "3", 3),
        ({}, "0", 1),
        ({"initial-scale": "2"}, "0", 2),
        ({"allow-zero-initial-scale": "true"}, "0", 0),
        ({"allow-zero-initial-scale": "true", "initial-scale": "0"}, None, 0),
    ],
)
def test_an_initial_scale_of_zero_needs_the_config_maps_leave(
    config: dict[str, str], own: str | None, expected: int
) -> None:
    assert resolve(parse(config), {"initial-scale": own} if own else {}, 0).initial_scale == expected
