"""`config-autoscaler`: each key, each rule, and the map that we ship."""

import pytest
import yaml

from serving.config_autoscaler import DEFAULTS, AutoscalerConfig, ConfigError, parse
from testkit.paths import ROOT

SHIPPED = ROOT / "config" / "config-autoscaler.yaml"


def test_an_empty_map_means_knatives_defaults() -> None:
    assert parse({}) == AutoscalerConfig()
    assert DEFAULTS.container_concurrency_target_percentage == 0.7


def test_the_shipped_map_is_the_defaults_but_for_a_target_that_means_itself() -> None:
    """Every key stands in it, so that a reader of the file has seen them all."""
    data = yaml.safe_load(SHIPPED.read_text())["data"]
    assert data["container-concurrency-target-percentage"] == "100"
    assert parse({**data, "container-concurrency-target-percentage": "70"}) == AutoscalerConfig()
    assert set(data) == {field.replace("_", "-") for field in AutoscalerConfig.__slots__}


def test_keys_that_nobody_knows_are_left_alone() -> None:
    assert parse({"_example": "stable-window: 1s", "new-key": "x"}) == AutoscalerConfig()


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("pod-autoscaler-class", "mine", "mine"),
        ("enable-scale-to-zero", "false", False),
        ("enable-scale-to-zero", "T", True),
        ("initial-scale", "3", 3),
        ("min-scale", "2", 2),
        ("max-scale", "7", 7),
        ("max-scale-up-rate", "1.1", 1.1),
        ("max-scale-down-rate", "10", 10.0),
        ("container-concurrency-target-percentage", "70", 0.7),
        ("container-concurrency-target-percentage", "0.7", 0.7),
        ("container-concurrency-target-percentage", "1", 1.0),
        ("container-concurrency-target-percentage", "1.5", 0.015),
        ("container-concurrency-target-percentage", "100", 1.0),
        ("container-concurrency-target-default", "0.5", 0.5),
        ("requests-per-second-target-default", "0.01", 0.01),
        ("target-burst-capacity", "-1", -1.0),
        ("target-burst-capacity", "0", 0.0),
        ("stable-window", "1m30s", 90.0),
        ("stable-window", "1h", 3600.0),
        ("panic-window-percentage", "1", 1.0),
        ("panic-threshold-percentage", "12.5", 12.5),
        ("scale-to-zero-grace-period", "500ms", 0.5),
        ("scale-to-zero-pod-retention-period", "1.5s", 1.5),
        ("scale-down-delay", "1m", 60.0),
        ("activator-capacity", "1", 1.0),
    ],
)
def test_a_value_is_read(key: str, text: str, value: object) -> None:
    assert getattr(parse({key: text}), key.replace("-", "_")) == value


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("enable-scale-to-zero", "yes"),
        ("allow-zero-initial-scale", ""),
        ("initial-scale", "-1"),
        ("initial-scale", "0"),
        ("initial-scale", "1.5"),
        ("min-scale", "-1"),
        ("min-scale", "99999999999"),
        ("max-scale", "many"),
        ("max-scale-limit", "-2"),
        ("max-scale-up-rate", "1"),
        ("max-scale-down-rate", "0.5"),
        ("container-concurrency-target-percentage", "0"),
        ("container-concurrency-target-percentage", "101"),
        ("container-concurrency-target-percentage", "nan"),
        ("container-concurrency-target-default", "0.001"),
        ("requests-per-second-target-default", "0.009"),
        ("target-burst-capacity", "-2"),
        ("target-burst-capacity", "-0.5"),
        ("target-burst-capacity", "inf"),
        ("stable-window", "5s"),
        ("stable-window", "61m"),
        ("stable-window", "10.5s"),
        ("stable-window", "60"),
        ("panic-window-percentage", "0.5"),
        ("panic-window-percentage", "101"),
        ("panic-threshold-percentage", "a lot"),
        ("scale-to-zero-grace-period", "0s"),
        ("scale-to-zero-pod-retention-period", "-1s"),
        ("scale-down-delay", "-1s"),
        ("scale-down-delay", "1500ms"),
        ("activator-capacity", "0.9"),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused_by_the_name_of_its_key(key: str, text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse({key: text})
    assert refused.value.key == key
    assert str(refused.value).startswith(f"{key}: ")


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"min-scale": "3", "max-scale": "2"}, "min-scale"),
        ({"max-scale-limit": "5"}, "max-scale"),
        ({"max-scale-limit": "5", "max-scale": "6"}, "max-scale"),
        (
            {"container-concurrency-target-default": "1", "container-concurrency-target-percentage": "0.001"},
            "container-concurrency-target-default",
        ),
    ],
)
def test_keys_must_agree(data: dict[str, str], key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(data)
    assert refused.value.key == key


@pytest.mark.parametrize(
    "data",
    [
        {"initial-scale": "0", "allow-zero-initial-scale": "true"},
        {"min-scale": "3"},
        {"min-scale": "3", "max-scale": "3"},
        {"max-scale": "5", "max-scale-limit": "5"},
    ],
)
def test_keys_that_agree_are_taken(data: dict[str, str]) -> None:
    config = parse(data)
    assert all(str(getattr(config, key.replace("-", "_"))).lower() == text for key, text in data.items())
