"""Tells activators who owns which hard limit, and finds out at once when a lost one has died.

An activator whose link broke may serve on. Its process is known to be dead if the address at which it took
requests of other activators, and which answered us before, refuses connections. It is known to stand still if
its kernel accepts connections there and nothing is answered.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Mapping
from collections.abc import Set as AbstractSet

from autoscaler.edge.link import Peer
from autoscaler.fleet import Fleet
from autoscaler.messages import ARE_YOU_THERE, Hello, Occupied
from autoscaler.owners import Orders, Owners
from autoscaler.revision import Revision

log = logging.getLogger("zerogate.autoscaler")

ASKED_WITHIN = 1.0
"""Seconds for one connect."""
LOOKED_FOR_SILENT = 0.5
"""Seconds between looks for activators that do not report."""
UNANSWERED = 4.0
"""Seconds without an answer after which a process stands still. These are more than the three after which it
takes no slot of a limit by itself (activator.edge.http.dispatch.STOOD_STILL).
"""
ASKED_AGAIN = 0.2
"""Seconds between two connects to one that is lost."""


class Owning:
    """Between the owners and the links. `peers` are the linked activators by name, `silent` tells those that
    do not report.
    """

    def __init__(
        self,
        owners: Owners,
        fleet: Fleet,
        peers: Mapping[str, Peer],
        now: Callable[[], float],
        silent: Callable[[], Collection[str]],
    ) -> None:
        self._silent = silent
        self._asked: set[str] = set()
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
            group.create_task(self._find_the_stopped(group))

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

    async def _find_the_stopped(self, group: asyncio.TaskGroup) -> None:
        while True:
            await asyncio.sleep(LOOKED_FOR_SILENT)
            silent = self._silent()
            for name, address in self.owners.addresses():
                if name in silent and address in self._reached and name not in self._asked:
                    self._asked.add(name)
                    group.create_task(self._look_at(name, address))

    async def _look_at(self, name: str, address: str) -> None:
        """Replace a silent one if it stands still."""
        try:
            is_still = await _stands_still(address)
        finally:
            self._asked.discard(name)
        if is_still and name in self._silent() and (name, address) in self.owners.addresses():
            log.warning("activator %s stands still: it accepts connections and answers nothing", name)
            self._send(self.owners.is_stopped(name, self._now()))

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


async def _stands_still(address: str) -> bool:
    """Whether a process does nothing although its machine can be reached, before and after."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(ASKED_WITHIN):
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, TimeoutError, ValueError):
        return False
    try:
        writer.write(ARE_YOU_THERE)
        for _ in range(2):  # if we stood still ourselves, the answer is read in the second half
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(UNANSWERED / 2):
                    await reader.read(1)
                    return False
    except OSError:
        return False
    finally:
        writer.close()
    return await _asked(address) == "accepted"
