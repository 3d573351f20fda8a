"""``config-features``: which parts of a pod's spec may be used (Knative, pkg/apis/config/features.go).

Of a pod only what the schema holds can be switched, of routing whether a header of a request chooses a tag.
The other features of Knative are off: to switch one on is refused here, rather than taken and forgotten.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from serving.config_autoscaler import ConfigError

ON = ("enabled", "allowed")
ALWAYS_OFF_PREFIXES = ("kubernetes.podspec-", "kubernetes.containerspec-")
ALWAYS_OFF = (
    "autodetect-http2",
    "queueproxy.mount-podinfo",
    "queueproxy.resource-defaults",
    "multi-container-probing",
    "secure-pod-defaults",
)
TAG_HEADER = "tag-header-based-routing"
EMPTY_DIR = "kubernetes.podspec-volumes-emptydir"


@dataclass(frozen=True, slots=True)
class FeaturesConfig:
    multi_container: bool = True
    empty_dir: bool = True
    tag_header: bool = False
    """Whether `Knative-Serving-Tag` chooses a revision. As in Knative, "allowed" is not enough."""


def parse(data: Mapping[str, str]) -> FeaturesConfig:
    """Raises ConfigError. As in Knative, text that is no known value leaves the default."""
    for key, text in data.items():
        is_off = key in ALWAYS_OFF or (key.startswith(ALWAYS_OFF_PREFIXES) and key != EMPTY_DIR)
        if is_off and text.strip().lower() in ON:
            raise ConfigError(key, "is not supported; leave it disabled")
    return FeaturesConfig(
        multi_container=_is_on(data.get("multi-container", "")),
        empty_dir=_is_on(data.get(EMPTY_DIR, "")),
        tag_header=data.get(TAG_HEADER, "").strip().lower() == "enabled",
    )


def _is_on(text: str) -> bool:
    return text.strip().lower() != "disabled"
