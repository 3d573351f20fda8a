"""The activator as a program: builds the parts, joins them, and runs them until it has drained."""

import asyncio
import logging
import os
import random
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_hex
from time import monotonic

from activator.edge import admin
from activator.edge.cluster.endpoints import Endpoints, Hooks
from activator.edge.cluster.waking import Waking
from activator.edge.cluster.watches import Watches
from activator.edge.coldstarts import ColdStarts
from activator.edge.http.dispatch import Dispatcher
from activator.edge.http.listener import Listener
from activator.edge.link.link import Identity, Link, Target
from activator.edge.link.orders import Obedience
from activator.edge.metrics import RevisionMetrics, exposition
from activator.edge.peers.owning import Owning
from activator.edge.refusals import Refusals
from activator.edge.requestlog import RequestLog
from activator.hold.throttle import Room
from activator.hosts import Hosts
from activator.link.orders import Orders
from activator.link.owners import Owners
from activator.link.reports import Reports
from activator.revision import Revision
from activator.routes import Router
from activator.settings import ProxySettings
from autoscaler.messages import Cordon, Owner, Uncordon
from kube.edge.client import Client
from kube.objects import Key
from serving.config_observability import ObservabilityConfig
from serving.targets import ScaleTarget

log = logging.getLogger("zerogate.activator")

ORDERS_LOOKED_AT = 0.5
"""Seconds between looks for orders that ran out."""
NAMED_WITHIN = 3.0
"""Seconds after the start in which an autoscaler is expected that names owners; no limit is ours before."""
GOODBYE = 3.0
"""Seconds that the last word on the link may take."""

Where = socket.socket | tuple[str, int]


@dataclass(frozen=True)
class Settings:
    """What the command line decides. `public` and `local` are bound sockets or (host, port) to listen on.
    `are_sockets_shared`: the sockets stay their opener's, so that a replacement can inherit them; otherwise
    the drain closes them.

    `admin` is "host:port", "unix:<path>" or "" for none; `token` guards its /debug. `link_token_file` holds
    the link's token and is read at each connect; "" means that it is `token`. `link_address` "" means that
    the autoscaler is found by its Lease. `peers` is (host, port) to listen on for requests of other
    activators, None where there is none; `peer_address` is how they reach it, "" for where it listens.
    `drain_delay`, seconds: how long a draining activator still accepts.
    """

    public: tuple[Where, ...] = (("127.0.0.1", 8080),)
    local: tuple[Where, ...] = ()
    are_sockets_shared: bool = True
    admin: str = "127.0.0.1:9090"
    token: str = ""
    link_token_file: str = ""
    link_address: str = ""
    peers: tuple[str, int] | None = None
    peer_address: str = ""
    system_namespace: str = "zerogate-system"
    identity: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}")
    pod_uid: str = ""
    localhost_alias: bool = False
    drain_delay: float = 0.0
    max_held_requests: int = 100_000
    max_held_bytes: int = 256 << 20
    proxy: ProxySettings = field(default_factory=ProxySettings)

    def link_token(self) -> str:
        """The link's token as of now. Raises OSError."""
        return Path(self.link_token_file).read_text().strip() if self.link_token_file else self.token


class Program:
    """One activator. `run` returns when a drain that `stop` began is over; it fails when any part does."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._settings = settings
        self._stopping = asyncio.Event()
        self._is_filled = False
        self._process = Room(settings.max_held_requests, settings.max_held_bytes)
        self._listeners: list[Listener] = []
        self.revisions: dict[Key, Revision] = {}
        self.public = Router(self.revisions, is_local=False)
        self.local = Router(self.revisions, is_local=True)
        self.orders = Orders()
        self.reports = Reports(settings.identity)
        self.cold_starts = ColdStarts()
        self.admin_addresses: tuple[str, ...] = ()
        self._join(client)

    def _join(self, client: Client) -> None:
        """Tie the parts to each other."""
        settings = self._settings
        self.dispatcher = Dispatcher(
            on_first=self._on_first, on_waiting=self._on_waiting, clock=monotonic, settings=settings.proxy
        )
        self.link = Link(
            Identity(settings.identity, settings.pod_uid, settings.link_token),
            self.reports,
            on_order=self._on_order,
            on_change=self._on_link,
        )
        self.owning = Owning(
            Owners(settings.identity), self.revisions, self.dispatcher, self.reports, self.link.notify
        )
        self.owning.relink = self.link.renew
        self.waking = Waking(client, self.revisions, lambda: self.link.is_up)
        self.obedience = Obedience(
            self.orders, self.reports, self.revisions, self.dispatcher, self.link.notify
        )
        hosts = Hosts([self.public, self.local], localhost_alias=settings.localhost_alias)
        hooks = Hooks(make=self._make, on_target=self._on_target, on_gone=self._on_gone)
        self.endpoints = Endpoints(self.revisions, hosts, self.dispatcher, self.orders, hooks)
        self.obedience.on_lifted = self.endpoints.settle
        self.dispatcher.on_pod_empty = self.obedience.pod_empty
        self.dispatcher.on_cold_start = self.cold_starts.told
        refusals = Refusals(monotonic)
        self.dispatcher.on_refused = refusals.of_request
        self.dispatcher.on_turned_away = refusals.of_stranger
        self.dispatcher.on_cut = refusals.of_cut
        self.watches = Watches(client, self.endpoints, hosts, self.link, settings.system_namespace)
        self.watches.on_observability = self._observe
        self._metrics = RevisionMetrics(
            self.revisions,
            self.cold_starts.wakes,
            gates=lambda: [listener.gate for listener in self._listeners],
            is_linked=lambda: self.link.is_up,
        )
        if settings.link_address:
            self.link.aim(Target(settings.link_address))

    async def _open_door(self) -> None:
        """For requests of other activators. OSError."""
        settings = self._settings
        if settings.peers is None:
            return
        self.dispatcher.start()
        host, port = await self.owning.door.open(*settings.peers)
        address = settings.peer_address or (f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        process, secret = token_hex(8), self.owning.door.secret
        self.owning.linked(are_named=True)
        self.link.introduce = lambda hello: replace(
            hello, process=process, peer_address=address, peer_secret=secret,
            claims=self.owning.owners.claims(),
        )  # fmt: skip

    async def run(self) -> None:
        """Fill the caches, listen, and serve until `stop`; then drain. OSError: an address can't be had."""
        views = admin.Views(lambda: exposition(self._metrics), self.unready, self.state)
        settings = self._settings
        async with admin.serving(settings.admin, views, settings.token) as self.admin_addresses:
            try:
                await self._open_door()
                async with asyncio.TaskGroup() as group:
                    background = self._start(group)
                    await self._serve()
                    await self._goodbye(background["link"])
                    for task in background.values():
                        task.cancel()
            except BaseExceptionGroup as failed:
                raise _first(failed) from failed
            finally:
                await self._close()

    def stop(self) -> None:
        """Begin to drain; `run` returns when every request was answered."""
        self._stopping.set()
        self.link.drain()

    def unready(self) -> str:
        """Why no traffic should come here now, or ""; the link does not matter."""
        if self._stopping.is_set():
            return "draining"
        return "" if self._is_filled else "waiting for the first lists from the API server"

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where the listeners listen, the public ones first."""
        return [listener.address for listener in self._listeners]

    def state(self) -> dict[str, object]:
        """What /debug/state shows."""
        return {
            "identity": self._settings.identity,
            "unready": self.unready(),
            "link": repr(self.link),
            "reports": repr(self.reports),
            "orders": [
                {"revision": "/".join(each.revision), "pod": each.pod_uid, "epoch": each.epoch}
                for each in self.orders.in_force()
            ],
            "hosts": {
                host: {f"{split.namespace}/{split.revision}": split.percent for split in route.splits}
                for host, route in self.local.hosts().items()
            },
            "owners": self.owning.owners.state(),
            "revisions": self.endpoints.state(),
        }

    def _start(self, group: asyncio.TaskGroup) -> dict[str, asyncio.Task[None]]:
        parts = {
            "link": self.link.run(),
            "watches": self.watches.run(with_lease=not self._settings.link_address),
            "waking": self.waking.run(),
            "probes": self.endpoints.prober.run(),
            "orders": self._expire_orders(),
            "owners": self._expect_owners(),
        }
        return {name: group.create_task(part, name=f"activator {name}") for name, part in parts.items()}

    async def _serve(self) -> None:
        """Listen once the caches were filled, so that no known host is a 404; return when drained."""
        stopping = asyncio.ensure_future(self._stopping.wait())
        filled = asyncio.ensure_future(self.watches.filled.wait())
        try:
            await asyncio.wait([stopping, filled], return_when=asyncio.FIRST_COMPLETED)
            if not self._stopping.is_set():
                await self._listen(self._settings.public, self.public)
                await self._listen(self._settings.local, self.local)
                self._is_filled = True
                await stopping
        finally:
            stopping.cancel()
            filled.cancel()
        for listener in self._listeners:
            listener.begin_drain(self._settings.drain_delay)
        for listener in self._listeners:
            await listener.drained()
        self.owning.door.begin_drain()
        await self.owning.door.drained()

    async def _listen(self, places: Iterable[Where], router: Router) -> None:
        for where in places:
            listener = Listener()
            await listener.start(where, router, self.dispatcher, is_shared=self._settings.are_sockets_shared)
            self._listeners.append(listener)

    async def _close(self) -> None:
        """Let go of every connection, to clients and to pods."""
        for listener in self._listeners:
            listener.close()
        self.owning.door.close()
        for revision in self.revisions.values():
            self.dispatcher.revision_gone(revision)
        self.dispatcher.close()
        await asyncio.sleep(0)  # transports close in the loop's next turn

    async def _goodbye(self, link: asyncio.Task[None]) -> None:
        self.link.leave()
        await asyncio.wait([link], timeout=GOODBYE)

    async def _expire_orders(self) -> None:
        while True:
            await asyncio.sleep(ORDERS_LOOKED_AT)
            self.obedience.expire()

    async def _expect_owners(self) -> None:
        await asyncio.sleep(NAMED_WITHIN)
        self._on_link()
        await asyncio.Event().wait()

    def _make(self, target: ScaleTarget) -> Revision:
        return Revision(target, process=self._process, random=random.random)

    def _on_target(self, revision: Revision) -> None:
        self.owning.seen(revision)
        self.waking.look(revision)

    def _on_first(self, revision: Revision) -> None:
        self.reports.at_once(revision)
        self.link.notify()

    def _on_waiting(self, revision: Revision) -> None:
        for each in (self.endpoints.waiting, self.waking.waiting, self.obedience.object_to):
            self.dispatcher.faults.guard("on_waiting", each, revision)

    def _on_order(self, order: Cordon | Uncordon | Owner) -> None:
        if isinstance(order, Owner):
            self.owning.obey(order)
        else:
            self.obedience.obey(order)

    def _on_link(self) -> None:
        leader = self.link.leader
        is_named = leader is not None and leader.names_owners and self._settings.peers is not None
        self.owning.linked(are_named=is_named)
        self.waking.look_again()

    def _observe(self, config: ObservabilityConfig) -> None:
        self.dispatcher.on_over = RequestLog(monotonic).told if config.request_log else None

    def _on_gone(self, revision: Revision) -> None:
        self.reports.forget(revision.key)
        self.owning.forget(revision.key)
        self.cold_starts.forget(revision)
        self.waking.look(revision)


def _first(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure that the caller can name: what ended the first part, not the groups around it."""
    first = failed.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


async def run(client: Client, settings: Settings) -> None:
    """Run an activator; cancelling it leaves without draining, which is for `Program.stop`."""
    await Program(client, settings).run()
