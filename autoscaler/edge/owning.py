"""Tells activators who owns which hard limit, and finds out at once when a lost one has died.

Whose link broke may serve on. Its process is known to be dead when the address at which it took requests of
other activators, and which answered us before, refuses connections.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from autoscaler.edge.link import Peer
from autoscaler.fleet import Fleet
from autoscaler.messages import Hello, Occupied
from autoscaler.owners import Orders, Owners
from autoscaler.revision import Revision

log = logging.getLogger("zerogate.autoscaler")

ASKED_WITHIN = 1.0
"""Seconds for one connect."""
ASKED_AGAIN = 0.2
"""Seconds between two connects to one that is lost."""


class Owning:
    """Between the owners and the links. `peers` are the linked activators by name."""

    def __init__(
        self, owners: Owners, fleet: Fleet, peers: Mapping[str, Peer], now: Callable[[], float]
    ) -> None:
        self.owners = owners
        self._fleet = fleet
        self._peers = peers
        self._now = now
        self._reached: set[str] = set()
        self._stirred = asyncio.Event()
        self._greeted: asyncio.Queue[str] = asyncio.Queue()

    def hello(self, hello: Hello) -> None:
        """An activator is linked."""
        self._send(self.owners.hello(hello, self._now()))
        if hello.peer_address:
            self._greeted.put_nowait(hello.peer_address)

    def lost(self, name: str) -> None:
        """Its link broke."""
        self.owners.lost(name, self._now())
        self._stirred.set()

    def leaving(self, name: str) -> None:
        """It drains."""
        self._send(self.owners.leaving(name, self._now()))

    def bye(self, name: str) -> None:
        """It has drained."""
        self._send(self.owners.is_gone(name, self._now()))

    def occupied(self, name: str, report: Occupied) -> None:
        """One that is not the owner told what it has at the pods."""
        self._send(self.owners.occupied(name, report, self._now()))

    def see(self, revision: Revision) -> None:
        """A revision is new or has changed."""
        is_limited = revision.target.container_concurrency > 0
        self._send(self.owners.is_limited(revision.target.key, is_limited=is_limited, now=self._now()))

    def look(self, expected: AbstractSet[str] | None) -> None:
        """Time passed; revisions may be gone."""
        limited = [
            key for key, each in self._fleet.revisions.items() if each.target.container_concurrency > 0
        ]
        self._send(self.owners.limited(limited, self._now()))
        self._send(self.owners.look(expected, self._now()))

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._get_to_know())
            group.create_task(self._find_the_dead())

    async def _get_to_know(self) -> None:
        """Only an address that answered once says something by refusing: others may be out of our reach."""
        while True:
            address = await self._greeted.get()
            if await _asked(address) == "accepted":
                self._reached.add(address)

    async def _find_the_dead(self) -> None:
        while True:
            self._stirred.clear()
            missing = [each for each in self.owners.missing() if each[1] in self._reached]
            for name, address in missing:
                if await _asked(address) == "refused" and (name, address) in self.owners.missing():
                    log.warning("Activator %s is dead: %s refuses connections", name, address)
                    self._reached.discard(address)
                    self._send(self.owners.is_gone(name, self._now()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ASKED_AGAIN if missing else None):
                    await self._stirred.wait()

    def _send(self, orders: Orders) -> None:
        for name, order in orders:
            peer = self._peers.get(name)
            if peer is not None:
                peer.send(order)


async def _asked(address: str) -> str:
    """What a connect comes to: "accepted", "refused" or "" for neither."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(ASKED_WITHIN):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except ConnectionRefusedError:
        return "refused"
    except (OSError, TimeoutError, ValueError):
        return ""
    writer.close()
    return "accepted"
