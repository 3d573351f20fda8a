"""All config maps of the system namespace as one value, and the check of a single one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from serving import (
    config_autoscaler,
    config_defaults,
    config_deployment,
    config_domain,
    config_features,
    config_gc,
    config_network,
    config_observability,
)
from serving.config_autoscaler import AutoscalerConfig, ConfigError
from serving.config_defaults import DefaultsConfig
from serving.config_deployment import DeploymentConfig
from serving.config_domain import DomainConfig
from serving.config_features import FeaturesConfig
from serving.config_gc import GcConfig
from serving.config_network import NetworkConfig
from serving.config_observability import ObservabilityConfig
from serving.routing import Rules

T = TypeVar("T")
Data = Mapping[str, str]

PARSERS: Mapping[str, Callable[[Data], Any]] = {
    "config-autoscaler": config_autoscaler.parse,
    "config-defaults": config_defaults.parse,
    "config-deployment": config_deployment.parse,
    "config-domain": config_domain.parse,
    "config-domain-claims": config_domain.parse_claims,
    "config-features": config_features.parse,
    "config-gc": config_gc.parse,
    "config-network": config_network.parse,
    "config-observability": config_observability.parse,
}
"""The config maps with a form → how each is read; a parser raises ConfigError."""


@dataclass(frozen=True, slots=True)
class Configs:
    """Everything that the config maps say; ``broken`` names the maps that could not be read, and why."""

    autoscaler: AutoscalerConfig
    defaults: DefaultsConfig
    deployment: DeploymentConfig
    domain: DomainConfig
    claims: Mapping[str, str]
    features: FeaturesConfig
    gc: GcConfig
    network: NetworkConfig
    observability: ObservabilityConfig
    broken: Mapping[str, str]

    def host_rules(self) -> Rules:
        """Which hosts a namespace may have, and how they lead to revisions."""
        return Rules(
            tuple(self.domain.domains), self.claims, self.domain.cluster_domain, self.features.tag_header
        )


COMPILED = Configs(
    autoscaler=config_autoscaler.parse({}),
    defaults=config_defaults.parse({}),
    deployment=config_deployment.parse({}),
    domain=config_domain.parse({}),
    claims=config_domain.parse_claims({}),
    features=config_features.parse({}),
    gc=config_gc.parse({}),
    network=config_network.parse({}),
    observability=config_observability.parse({}),
    broken={},
)
"""What holds where no config map says otherwise."""


def parse_configs(maps: Mapping[str, Data], former: Configs = COMPILED) -> Configs:
    """Read them all. Of a map that cannot be read the former value stays."""
    broken: dict[str, str] = {}

    def read(name: str, parse: Callable[[Data], T], before: T) -> T:
        try:
            return parse(maps.get(name) or {})
        except ConfigError as error:
            broken[name] = f"{error.key}: {error.message}"
            return before

    return Configs(
        autoscaler=read("config-autoscaler", config_autoscaler.parse, former.autoscaler),
        defaults=read("config-defaults", config_defaults.parse, former.defaults),
        deployment=read("config-deployment", config_deployment.parse, former.deployment),
        domain=read("config-domain", config_domain.parse, former.domain),
        claims=read("config-domain-claims", config_domain.parse_claims, former.claims),
        features=read("config-features", config_features.parse, former.features),
        gc=read("config-gc", config_gc.parse, former.gc),
        network=read("config-network", config_network.parse, former.network),
        observability=read("config-observability", config_observability.parse, former.observability),
        broken=broken,
    )
