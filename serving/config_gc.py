"""``config-gc``: which revisions are kept (Knative, pkg/gc/config.go)."""

from collections.abc import Mapping
from dataclasses import dataclass

from serving.config_autoscaler import ConfigError
from serving.config_values import Reader

DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class GcConfig:
    """Seconds and counts; None is "disabled"."""

    retain_since_create: float | None = 48 * 3600.0
    retain_since_last_active: float | None = 15 * 3600.0
    min_non_active: int = 20
    max_non_active: int | None = 1000


def parse(data: Mapping[str, str]) -> GcConfig:
    """Raises ConfigError."""
    reader = Reader(data)
    lowest = reader.whole("min-non-active-revisions", 20)
    key = "max-non-active-revisions"
    highest = None if reader.text(key, "") == DISABLED else reader.whole(key, 1000)
    if highest is not None and lowest > highest:
        raise ConfigError("min-non-active-revisions", f"{lowest} is more than {key}, {highest}")
    return GcConfig(
        retain_since_create=_span(reader, "retain-since-create-time", 48 * 3600.0),
        retain_since_last_active=_span(reader, "retain-since-last-active-time", 15 * 3600.0),
        min_non_active=lowest,
        max_non_active=highest,
    )


def _span(reader: Reader, key: str, default: float) -> float | None:
    if reader.text(key, "") == DISABLED:
        return None
    seconds = reader.duration(key, default)
    if seconds < 0:
        raise ConfigError(key, f'must be at least 0, or "{DISABLED}"')
    return seconds
