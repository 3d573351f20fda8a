"""``config-observability``: what is told about requests (Knative, its keys for exporters apart)."""

from collections.abc import Mapping
from dataclasses import dataclass

from serving.config_values import Reader


@dataclass(frozen=True, slots=True)
class ObservabilityConfig:
    request_log: bool = False
    """Whether each request gets a line in the activator's log."""


def parse(data: Mapping[str, str]) -> ObservabilityConfig:
    """Raises ConfigError."""
    return ObservabilityConfig(Reader(data).flag("logging.enable-request-log", default=False))
