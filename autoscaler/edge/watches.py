"""The caches of scale targets, their pods, the config map and the gateway's endpoints, kept in step with the
fleet.
"""

import asyncio
import logging
from collections.abc import Set as AbstractSet

from autoscaler.edge.leader import Leader
from autoscaler.edge.settings import Settings
from autoscaler.objects import foreign_writer, ready_pods, told_of_writer
from kube.edge.client import Client
from kube.edge.informer import Change, Informer
from kube.resources import CONFIGMAPS, DEPLOYMENTS, ENDPOINTSLICES, PODS
from serving.config_autoscaler import NAME, ConfigError
from serving.targets import SCALE_LABEL

log = logging.getLogger("zerogate.autoscaler")

SELECTOR = f"{SCALE_LABEL}=true"
SERVICE_LABEL = "kubernetes.io/service-name"


class Watches:
    """The leader is told of whatever changes."""

    def __init__(self, client: Client, settings: Settings, leader: Leader) -> None:
        self._leader = leader
        self._told: set[tuple[str, str]] = set()
        self._config = Informer(
            client,
            CONFIGMAPS,
            namespace=settings.system_namespace,
            field_selector=f"metadata.name={NAME}",
            on_change=self._on_config,
        )
        self._deployments = Informer(
            client, DEPLOYMENTS, label_selector=SELECTOR, on_change=self._on_deployment
        )
        self._pods = Informer(client, PODS, label_selector=SELECTOR, on_change=self._on_pod)
        self._endpoints = Informer(
            client,
            ENDPOINTSLICES,
            namespace=settings.system_namespace,
            label_selector=f"{SERVICE_LABEL}={settings.activators_service}",
        )
        self._has_endpoints = bool(settings.activators_service)
        if self._has_endpoints:
            leader.expected_activators = self._ready_activators

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Begin; returns when all that exists is known. Settings come first, then what they are for.

        Endpoints are not waited for: who leads takes nothing away for a stable window anyway.
        """
        if self._has_endpoints:
            group.create_task(self._endpoints.run())
        for informer in (self._config, self._deployments, self._pods):
            group.create_task(informer.run())
            await informer.synced.wait()

    def _ready_activators(self) -> AbstractSet[str] | None:
        """Each Service has an EndpointSlice, if only an empty one; where there is none, nothing is known."""
        slices = self._endpoints.objects.values()
        return ready_pods(slices) if slices else None

    def _on_config(self, change: Change) -> None:
        leader = self._leader
        try:
            leader.fleet.configure((change.new or {}).get("data") or {}, leader.now())
        except ConfigError as error:
            log.warning("%s is not taken over, the former one holds: %s", NAME, error)
            if change.new is not None:
                told = f"not taken over, the former values hold: {error}"
                leader.events.emit(change.new, "Warning", "BadValue", told)
            return
        for revision in leader.revisions.values():
            leader.stirred(revision)

    def _on_deployment(self, change: Change) -> None:
        leader = self._leader
        revision = leader.fleet.see_deployment(change.key, change.new, leader.now())
        if revision is None:
            return
        leader.stirred(revision)
        writer = foreign_writer(change.old, change.new, is_others=revision.is_overwritten)
        if writer and (key := (str(change.key), writer)) not in self._told:
            self._told.add(key)
            leader.tell(revision, "Warning", "OtherWriter", told_of_writer(writer))

    def _on_pod(self, change: Change) -> None:
        self._leader.pod_changed(change.old, change.new)
