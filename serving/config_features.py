"""``config-features``: which parts of a pod's spec may be used (Knative, pkg/apis/config/features.go).

Only what the CRDs' schema holds can be switched. The other features of Knative are off: to switch one on is
refused here, rather than taken and forgotten.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from serving.config_autoscaler import ConfigError

ON = ("enabled", "allowed")
ALWAYS_OFF_PREFIXES = ("kubernetes.podspec-", "kubernetes.containerspec-")
ALWAYS_OFF = (
    "tag-header-based-routing",
    "autodetect-http2",
    "queueproxy.mount-podinfo",
    "queueproxy.resource-defaults",
    "multi-container-probing",
    "secure-pod-defaults",
)
EMPTY_DIR = "kubernetes.podspec-volumes-emptydir"


@dataclass(frozen=True, slots=True)
class FeaturesConfig:
    multi_container: bool = True
    empty_dir: bool = True


def parse(data: Mapping[str, str]) -> FeaturesConfig:
    """Raises ConfigError. As in Knative, text that is no known value leaves the default."""
    for key, text in data.items():
        is_off = key in ALWAYS_OFF or (key.startswith(ALWAYS_OFF_PREFIXES) and key != EMPTY_DIR)
        if is_off and text.strip().lower() in ON:
            raise ConfigError(key, "is not supported; leave it disabled")
    return FeaturesConfig(
        multi_container=_is_on(data.get("multi-container", "")), empty_dir=_is_on(data.get(EMPTY_DIR, ""))
    )


def _is_on(text: str) -> bool:
    return text.strip().lower() != "disabled"
