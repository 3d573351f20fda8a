"""``config-domain`` and ``config-domain-claims``: the domains, and who may have a host outside them.

Knative, pkg/reconciler/route/config/domain.go; claims are our form of its ClusterDomainClaims.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

from kube.names import is_dns1123_label, is_dns1123_subdomain
from serving.config_autoscaler import ConfigError
from serving.routing import CLUSTER_DOMAIN

VISIBILITY_LABEL = "networking.knative.dev/visibility"
CLUSTER_LOCAL = "cluster-local"


@dataclass(frozen=True, slots=True)
class DomainConfig:
    """Domain → the labels that a Route must carry for it; no labels make a default domain."""

    domains: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    cluster_domain: str = CLUSTER_DOMAIN

    def domain_for(self, labels: Mapping[str, str]) -> str:
        """The matching domain with the most labels, the first by alphabet among equals."""
        if labels.get(VISIBILITY_LABEL) == CLUSTER_LOCAL:
            return f"svc.{self.cluster_domain}"
        fitting = [
            (-len(selector), domain)
            for domain, selector in self.domains.items()
            if all(labels.get(key) == value for key, value in selector.items())
        ]
        return min(fitting)[1] if fitting else f"svc.{self.cluster_domain}"


def parse(data: Mapping[str, str]) -> DomainConfig:
    """Raises ConfigError."""
    found = {}
    for domain, text in data.items():
        if domain.startswith("_"):
            continue
        if not is_dns1123_subdomain(domain):
            raise ConfigError(domain, "is no domain name")
        found[domain] = _selector(domain, text)
    return DomainConfig(found)


def _selector(domain: str, text: str) -> dict[str, str]:
    wanted = 'leave the value empty, or write "selector: {label: value}"'
    try:
        value = yaml.safe_load(text) or {}
    except yaml.YAMLError:
        raise ConfigError(domain, f"its value is no YAML; {wanted}") from None
    selector = (value.get("selector") or {}) if isinstance(value, dict) else None
    if not isinstance(selector, dict) or not all(isinstance(each, str) for each in selector.values()):
        raise ConfigError(domain, f"its value is not understood; {wanted}")
    return selector


def parse_claims(data: Mapping[str, str]) -> dict[str, str]:
    """Host → the namespace that may have it. Raises ConfigError."""
    found = {}
    for host, home in data.items():
        if host.startswith("_"):
            continue
        if not is_dns1123_subdomain(host.lower()):
            raise ConfigError(host, "is no host name")
        if not is_dns1123_label(home.strip()):
            raise ConfigError(
                host, f"{home!r} is no namespace; the value is the namespace that may have the host"
            )
        found[host.lower()] = home.strip()
    return found
