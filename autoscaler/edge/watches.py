"""The caches of scale targets, their pods and the config map, kept in step with the fleet."""

import asyncio
import logging

from autoscaler.edge.leader import Leader
from autoscaler.fleet import foreign_writer
from kube.edge.client import Client
from kube.edge.informer import Change, Informer
from kube.resources import CONFIGMAPS, DEPLOYMENTS, PODS
from serving.config_autoscaler import NAME, ConfigError
from serving.targets import SCALE_LABEL

log = logging.getLogger("zerogate.autoscaler")

SELECTOR = f"{SCALE_LABEL}=true"


class Watches:
    """The leader is told of whatever changes."""

    def __init__(self, client: Client, system_namespace: str, leader: Leader) -> None:
        self._leader = leader
        self._told: set[tuple[str, str]] = set()
        self._config = Informer(
            client,
            CONFIGMAPS,
            namespace=system_namespace,
            field_selector=f"metadata.name={NAME}",
            on_change=self._on_config,
        )
        self._deployments = Informer(
            client, DEPLOYMENTS, label_selector=SELECTOR, on_change=self._on_deployment
        )
        self._pods = Informer(client, PODS, label_selector=SELECTOR, on_change=self._on_pod)

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Begin; returns when all that exists is known. Settings come first, then what they are for."""
        for informer in (self._config, self._deployments, self._pods):
            group.create_task(informer.run())
            await informer.synced.wait()

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
        writer = foreign_writer(change.old, change.new)
        if writer and (key := (str(change.key), writer)) not in self._told:
            self._told.add(key)
            told = (
                f"{writer} writes the replicas of this Deployment too; what load asks for is written over it"
            )
            leader.tell(revision, "Warning", "OtherWriter", told)

    def _on_pod(self, change: Change) -> None:
        revision = self._leader.fleet.see_pod(change.old, change.new)
        if revision is not None:
            self._leader.stirred(revision)
