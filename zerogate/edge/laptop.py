"""All of Zerogate on one machine: which parts there are, how they are joined, in which order they end."""

import argparse
import asyncio
import contextlib
import logging
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry

from activator.edge.http.kernel import take_no_more, unaccepted
from activator.edge.http.listener import HANDSHAKE
from activator.edge.program import Program
from autoscaler.edge.program import Autoscaler
from autoscaler.edge.settings import Settings as AutoscalerSettings
from embedded.api import Api
from embedded.edge.local import LocalTransport
from embedded.edge.lock import kubeconfig_text, make_lock
from embedded.edge.node import agent
from embedded.edge.server import ApiServer, maintain
from embedded.edge.workloads import controllers
from embedded.node.settings import NodeSettings
from embedded.store import Store
from kube.edge.client import Client
from kube.objects import Obj, key, name, namespace
from kube.resources import CONFIGMAPS, ROUTES, Resource
from serving.edge import controller
from zerogate import admission
from zerogate.addresses import Address
from zerogate.edge import cluster
from zerogate.edge.admin import Pages, Views
from zerogate.edge.folder import DataFolder
from zerogate.edge.gateway import Gateway, InThisProcess, ask
from zerogate.edge.process import prepare
from zerogate.edge.sockets import address_of
from zerogate.edge.worker import Told
from zerogate.edge.workers import Crew
from zerogate.shipped import programs_folder

log = logging.getLogger("zerogate.up")

ALONE = "gateway"
"""The gateway's name on the link where it is a part of this process."""
STOPPED_WITHIN = 0.2
"""Seconds for the gateway's processes to accept no more after they were asked to stop."""
LAST_LOOK = 0.01
ACCEPTED_WITHIN = 1.0
"""Seconds between looks whether all who came before the end were accepted, and for how long."""


@dataclass(frozen=True, slots=True)
class Doors:
    """The listening sockets of one `up`."""

    gateway: socket.socket
    api: socket.socket
    admin: socket.socket
    local: socket.socket | None = None

    @property
    def of_requests(self) -> list[socket.socket]:
        """Those that the gateway serves."""
        return [self.gateway, self.local] if self.local is not None else [self.gateway]

    def close(self) -> None:
        """Close all of them."""
        for door in (*self.of_requests, self.api, self.admin):
            door.close()


class Laptop:
    """The API, its controllers, the node, the controller and the autoscaler in this process; the gateway."""

    def __init__(
        self, arguments: argparse.Namespace, environment: Mapping[str, str], folder: DataFolder, doors: Doors
    ) -> None:
        self._arguments = arguments
        self._environment = environment
        self._folder = folder
        self._doors = doors
        self._system_namespace = environment.get("SYSTEM_NAMESPACE", "zerogate-system")
        self._token = folder.token()
        self._registry = CollectorRegistry()
        # A Unix socket's path is short (107 bytes); a data folder's need not be.
        self._scratch = tempfile.TemporaryDirectory(prefix="zerogate-")
        self._gateway_socket = Path(self._scratch.name) / f"{ALONE}.sock"
        self._unready = "starting"
        self._store = Store(None if arguments.in_memory else folder.make_database())
        self._api = self._make_api()
        self._gateway = self._make_gateway()
        self._autoscaler = self._make_autoscaler()
        self._autoscaler.metrics(self._registry)

    # The parts

    def _make_api(self) -> Api:
        return Api(self._store, admit=self._admit, clock=time.time, log_folder=self._folder.path / "logs")

    def _admit(self, resource: Resource, obj: Obj, old: Obj | None) -> Obj:
        if not admission.is_ruled(resource):
            return obj
        configs = {
            name(entry.obj): entry.obj.get("data") or {}
            for entry in self._store.entries(CONFIGMAPS.plural, self._system_namespace)
        }
        return admission.admit(resource, obj, old, configs, self._system_namespace)

    def _client(self, program: str) -> Client:
        return Client(LocalTransport(self._api, program), manager=program)

    def _make_gateway(self) -> Gateway:
        arguments, local = self._arguments, self._doors.local
        told = Told(
            listener=self._doors.gateway.fileno(),
            local_listener=-1 if local is None else local.fileno(),
            parent=0,
            kubeconfig=str(self._folder.kubeconfig),
            token_file=str(self._folder.token_file),
            admin_socket=str(self._gateway_socket),
            system_namespace=self._system_namespace,
            identity=ALONE,
            log_level=arguments.log_level,
            drain_delay=0.0,  # `drain` waits that long itself, before any socket is closed
            error_details=arguments.error_details,
            trusted_proxies=tuple(str(network) for network in arguments.trusted_proxies),
            max_held_requests=arguments.max_held_requests,
            max_held_bytes=arguments.max_held_bytes,
        )
        if arguments.workers:
            return Crew(arguments.workers, told, self._environment)
        program = Program(self._client("zerogate-activator"), told.settings())
        return InThisProcess(program, ALONE, self._gateway_socket)

    def _make_autoscaler(self) -> Autoscaler:
        settings = AutoscalerSettings(
            identity="up",
            link_host="127.0.0.1",
            link_port=0,
            token=self._token,
            system_namespace=self._system_namespace,
            expected_activators=lambda: self._gateway.admin_sockets().keys(),
        )
        return Autoscaler(self._client("zerogate-autoscaler"), settings)

    def _node_settings(self) -> NodeSettings:
        return NodeSettings(
            folder=self._folder.path,
            working_folder=Path.cwd(),
            system_namespace=self._system_namespace,
            words={"samples": str(programs_folder())},
        )

    def _controller_settings(self) -> controller.Settings:
        return controller.Settings(self._system_namespace, localhost_alias=True)

    # Life

    async def run(self, wanted: list[tuple[Path, Obj]]) -> None:
        """Start everything, apply the manifests, say what runs where; then run until cancelled.

        Raises what the first part that died raised, Failed for what the user has to mend.
        """
        prepare()
        async with self._served(), asyncio.TaskGroup() as group:
            await cluster.install(self._client("zerogate"), self._system_namespace)
            for part in (
                maintain(self._api),
                controllers.run(self._client("zerogate-deployments")),
                agent.run(self._client("zerogate-node"), self._node_settings()),
                controller.run(self._client("zerogate-controller"), self._controller_settings()),
                self._autoscaler.run(),
                self._gateway.run(),
            ):
                group.create_task(part)
            await self._settle(wanted)

    @contextlib.asynccontextmanager
    async def _served(self) -> AsyncIterator[None]:
        """The API and the admin pages on their sockets while the body runs."""
        address = address_of(self._doors.api)
        lock = make_lock(self._folder.path / "pki", [address.host] if address.host else [])
        server, pages = ApiServer(self._api, lock), Pages(self._views())
        await server.start(self._doors.api)
        await pages.start(self._doors.admin)
        reached = Address(
            "127.0.0.1" if address.host in {"", "0.0.0.0", "::"} else address.host, address.port
        )
        self._folder.write_secret(
            self._folder.kubeconfig, kubeconfig_text(f"https://{reached}", lock.ca, lock.token)
        )
        try:
            yield
        finally:
            await pages.close()
            await server.close()
            self._store.close()

    async def _settle(self, wanted: list[tuple[Path, Obj]]) -> None:
        """Apply the manifests while the gateway starts; then tell."""
        applied = []
        for file, manifest in wanted:
            done = await cluster.apply(self._client("kubectl-client-side-apply"), file, manifest)
            group = manifest["apiVersion"].rpartition("/")[0]
            kind = manifest["kind"].lower() + (f".{group}" if group else "")
            applied.append(f"{kind}/{name(manifest)} {done}")
        while not await self._is_open():  # noqa: ASYNC110 - another process's state has no event
            await asyncio.sleep(0.02)
        self._unready = ""
        self._tell(applied, [manifest for _, manifest in wanted])

    def _tell(self, applied: list[str], manifests: list[Obj]) -> None:
        gateway, admin = address_of(self._doors.gateway), address_of(self._doors.admin)
        local = [f"local     {address_of(self._doors.local).url}"] if self._doors.local is not None else []
        lines = [
            *applied,
            f"gateway   {gateway.url}      requests, by Host header",
            *local,
            f"API       https://{address_of(self._doors.api)}     for kubectl",
            f"admin     {admin.url}      /metrics /healthz /readyz /debug/state",
            f"data      {self._folder.path}",
            "",
            "In another terminal:",
            f"  export KUBECONFIG={self._folder.kubeconfig}",
            "  kubectl get ksvc",
            f'  curl -H "Host: {self._host_to_try(manifests)}" {gateway.url}',
            "",
            "Ctrl-C ends everything. What happens from here on:",
        ]
        print("\n".join(lines), flush=True)

    def _host_to_try(self, manifests: list[Obj]) -> str:
        """The host of the first Service that was given, or else of any."""
        hosts = {
            key(entry.obj): urlsplit((entry.obj.get("status") or {}).get("url") or "").netloc
            for entry in self._store.entries(f"{ROUTES.plural}.{ROUTES.group}")
        }
        given = [hosts.get((namespace(obj) or "default", name(obj)), "") for obj in manifests]
        return next(filter(None, [*given, *hosts.values()]), "<name>.<namespace>.example.com")

    def renew_gateway(self) -> None:
        """Replace the gateway's processes one by one, without a request noticing."""
        self._gateway.anew()

    async def drain(self, *, is_handed_on: bool) -> None:
        """Let the gateway finish what is in flight and end. Unless its socket is handed on, whoever has
        connected is served first: a socket that closes resets those that nobody accepted.
        """
        self._unready = "stopping"
        if not is_handed_on:
            await asyncio.sleep(self._arguments.drain_delay)
            await self._take_no_more()
        self._gateway.stop()
        if not is_handed_on:
            await self._refuse()
        await self._gateway.ended()

    async def _take_no_more(self) -> None:
        doors, end = self._doors.of_requests, time.monotonic() + ACCEPTED_WITHIN
        for door in doors:
            take_no_more(door)
        await asyncio.sleep(HANDSHAKE)
        while any(map(unaccepted, doors)) and time.monotonic() < end:  # noqa: ASYNC110 - the kernel has no event
            await asyncio.sleep(LAST_LOOK)

    async def _refuse(self) -> None:
        """Refuse those that come while requests in flight finish. Closing would not do that: the gateway's
        processes have the sockets, too.
        """
        await asyncio.sleep(STOPPED_WITHIN)
        for door in self._doors.of_requests:
            with contextlib.suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)

    def kill(self) -> None:
        """End now what may still run."""
        self._gateway.kill()
        self._scratch.cleanup()

    # What the admin pages show

    def _views(self) -> Views:
        return Views(
            registry=self._registry,
            token=self._token,
            unready=lambda: self._unready,
            state=lambda: {"autoscaler": self._autoscaler.state(), "store": repr(self._store)},
            history=self._autoscaler.history,
            gateway=self._asked,
        )

    async def _asked(self, path: str) -> dict[str, bytes]:
        """An admin page of each of the gateway's processes that answers."""
        sockets = self._gateway.admin_sockets()
        answers = await asyncio.gather(*(ask(each, path, self._token) for each in sockets.values()))
        return {
            name: page
            for name, (status, page) in zip(sockets, answers, strict=True)
            if status == HTTPStatus.OK
        }

    async def _is_open(self) -> bool:
        wanted: int = max(self._arguments.workers, 1)
        return len(await self._asked("/readyz")) == wanted
