"""What the activator watches at the API server, and in which order the first lists come."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from activator.edge.cluster.endpoints import Endpoints
from activator.edge.link.link import Link, Target
from activator.hosts import Hosts
from kube.edge.client import Client
from kube.edge.informer import Change, Informer
from kube.objects import Obj, annotations
from kube.resources import CONFIGMAPS, DEPLOYMENTS, LEASES, PODS, ROUTES
from serving.config_observability import ObservabilityConfig
from serving.configs import COMPILED, parse_configs
from serving.targets import SCALE_LABEL

log = logging.getLogger("zerogate.activator")

SCALED = f"{SCALE_LABEL}=true"
AUTOSCALER_LEASE = "zerogate-autoscaler"
ADDRESS_ANNOTATION = "zerogate.dev/address"
CERTIFICATE_ANNOTATION = "zerogate.dev/certificate"
CONFIGS = ("config-domain", "config-domain-claims", "config-features", "config-observability")


class Watches:
    """The informers. `filled` is set when each of them has had its first list; the Lease does not count.
    `on_observability` is called with what is to be told about requests.
    """

    def __init__(
        self, client: Client, endpoints: Endpoints, hosts: Hosts, link: Link, system_namespace: str
    ) -> None:
        self._endpoints = endpoints
        self._hosts = hosts
        self._link = link
        self._configs = COMPILED
        self.on_observability: Callable[[ObservabilityConfig], None] = lambda _config: None
        self.filled = asyncio.Event()
        self.targets = Informer(
            client, DEPLOYMENTS, label_selector=SCALED, on_change=endpoints.target_changed
        )
        self.routes = Informer(client, ROUTES, on_change=endpoints.route_changed)
        self.pods = Informer(client, PODS, label_selector=SCALED, on_change=endpoints.pod_changed)
        self.configs = Informer(
            client, CONFIGMAPS, namespace=system_namespace, on_change=self._config_changed
        )
        self.lease = Informer(
            client,
            LEASES,
            namespace=system_namespace,
            field_selector=f"metadata.name={AUTOSCALER_LEASE}",
            on_change=self._lease_changed,
        )

    async def run(self, *, with_lease: bool) -> None:
        """Keep all of them up. Pods come last: nearly each of them then finds its revision at once."""
        async with asyncio.TaskGroup() as group:
            first = (self.targets, self.routes, self.configs)
            for informer in (*first, self.lease) if with_lease else first:
                group.create_task(informer.run())
            for informer in first:
                await informer.synced.wait()
            group.create_task(self.pods.run())
            await self.pods.synced.wait()
            self.filled.set()

    def _config_changed(self, change: Change) -> None:
        if change.key[1] not in CONFIGS:
            return
        maps = {name: _data(obj) for (_, name), obj in self.configs.objects.items() if name in CONFIGS}
        self._configs = parse_configs(maps, self._configs)
        for name, problem in self._configs.broken.items():
            log.warning("Config map %s is not used: %s", name, problem)
        self._endpoints.reroute(self._hosts.rules_changed(self._configs.host_rules()))
        self.on_observability(self._configs.observability)

    def _lease_changed(self, change: Change) -> None:
        """The leader moved. A Lease without holder has no leader, whatever address still stands there."""
        if change.key[1] != AUTOSCALER_LEASE:
            return
        lease = change.new or {}
        holder = (lease.get("spec") or {}).get("holderIdentity")
        told = annotations(lease)
        target = Target(told.get(ADDRESS_ANNOTATION, ""), told.get(CERTIFICATE_ANNOTATION, ""))
        self._link.aim(target if holder and target.address else Target())


def _data(config_map: Obj) -> Mapping[str, str]:
    return config_map.get("data") or {}
