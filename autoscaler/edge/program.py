"""The autoscaler as a program: listens for activators, leads while it holds the Lease."""

import asyncio
import logging
from typing import Any

from prometheus_client.registry import CollectorRegistry

from autoscaler.edge.certificate import make_certificate
from autoscaler.edge.doorkeeper import SharedSecret, TokenReviews
from autoscaler.edge.leader import Leader
from autoscaler.edge.link import LinkServer
from autoscaler.edge.metrics import LeaderMetrics
from autoscaler.edge.settings import ADDRESS_ANNOTATION, CERTIFICATE_ANNOTATION, LEASE, Settings
from autoscaler.edge.watches import Watches
from kube.edge.client import Client
from kube.edge.lease import Elector, Leadership

log = logging.getLogger("zerogate.autoscaler")


class Autoscaler:
    """One candidate. `leader` is None while another one leads, or nothing is known yet."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._fingerprint = ""
        self._server = self._make_server()
        self.leader: Leader | None = None
        self.address = ""

    def __repr__(self) -> str:
        return f"<Autoscaler at {self.address or 'no address'}: {self.leader!r}>"

    def _make_server(self) -> LinkServer:
        if self._settings.token:
            return LinkServer(SharedSecret(self._settings.token))
        certificate = make_certificate()
        self._fingerprint = certificate.fingerprint
        return LinkServer(TokenReviews(self._client, self._settings.system_namespace), certificate.tls)

    async def run(self) -> None:
        """Until cancelled. OSError: the link's address can't be had."""
        settings = self._settings
        async with self._server.listening(settings.link_host, settings.link_port) as bound:
            self.address = settings.link_address or bound
            elector = Elector(
                self._client,
                (settings.system_namespace, LEASE),
                settings.identity,
                annotations={ADDRESS_ANNOTATION: self.address, CERTIFICATE_ANNOTATION: self._fingerprint},
            )
            await elector.run(self._lead)

    def state(self) -> dict[str, Any]:
        """What `/debug/state` tells."""
        leader = self.leader
        return {"isLeader": leader is not None, **(leader.state() if leader else {})}

    def history(self, namespace: str, revision: str) -> list[dict[str, Any]] | None:
        """Ten minutes of a revision, each dict a line for `zerogate replay`; None where it is not known."""
        found = self.leader.revisions.get((namespace, revision)) if self.leader else None
        return found.history.lines() if found and found.history else None

    def metrics(self, registry: CollectorRegistry) -> None:
        """Have the registry show what happens here."""
        registry.register(LeaderMetrics(lambda: self.leader))

    async def _lead(self, leadership: Leadership) -> None:
        leader = Leader(leadership.client, self._settings, leadership.epoch)
        log.info("Leading, epoch %d; activators connect to %s", leadership.epoch, self.address)
        watches = Watches(leadership.client, self._settings, leader)
        opening = asyncio.create_task(self._open(leader))
        try:
            await leader.run(watches.start)
        finally:
            opening.cancel()
            self.leader = self._server.leader = None
            await self._server.drop_all()

    async def _open(self, leader: Leader) -> None:
        """Let activators in once the leader knows what they speak of."""
        await leader.is_settled.wait()
        self.leader = self._server.leader = leader


async def run(client: Client, settings: Settings) -> None:
    """The program, until cancelled."""
    await Autoscaler(client, settings).run()
