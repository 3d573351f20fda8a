"""What all connections of one listener share."""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from activator.http.replies import Refusal
from activator.routes import Picked
from activator.settings import ProxySettings

if TYPE_CHECKING:
    from activator.edge.http.dispatch import Dispatcher
    from activator.edge.http.downstream import Downstream


ROOM_AT = 0.9
"""Accepting goes on when no more than this part of the connections is left."""


class Routes(Protocol):
    """Where a Host leads to (`activator.routes.Router`)."""

    def pick(self, host: bytes, random: float) -> Picked | None: ...

    def pick_tagged(self, host: bytes, tag: bytes, random: float) -> Picked | None: ...

    def knows(self, host: bytes) -> bool: ...


class Clients:
    """The connections of clients that this process has, over all its listeners: `most` at once."""

    __slots__ = ("count", "most", "paused")

    def __init__(self) -> None:
        self.count = 0
        self.most = 1 << 30
        self.paused: set[Gate] = set()
        """Gates that wait for room."""

    def came(self, gate: "Gate") -> None:
        """One more."""
        self.count += 1
        if self.count >= self.most:
            self.paused.add(gate)
            gate.on_full()

    def went(self) -> None:
        """One less."""
        self.count -= 1
        if self.paused and self.count <= self.most * ROOM_AT:
            paused, self.paused = self.paused, set()
            for gate in paused:
                if gate.on_room is not None:
                    gate.on_room()


class Gate:
    """`refused` counts, by reason, replies to requests that belong to no revision; `accepted` connections;
    `pauses` how often accepting stopped because there were as many `clients` as there may be.

    `on_empty` is called when the last connection is gone, `on_full` when there are as many as there may be,
    `on_room` when there is room again (None: nobody waits for that).
    """

    __slots__ = (
        "accepted", "clients", "clock", "connections", "dispatcher", "is_between", "is_draining", "on_empty",
        "on_full", "on_room", "pauses", "random", "refused", "router", "settings",
    )  # fmt: skip

    def __init__(
        self,
        router: Routes,
        dispatcher: "Dispatcher",
        settings: ProxySettings,
        clock: Callable[[], float],
        random: Callable[[], float] = random.random,
    ) -> None:
        self.router = router
        self.dispatcher = dispatcher
        self.settings = settings
        self.clock = clock
        self.random = random
        self.is_between = False
        """Whether its clients are other activators, whose requests are written for the pod already."""
        self.is_draining = False
        self.connections: set[Downstream] = set()
        self.accepted = 0
        self.clients = dispatcher.clients
        self.pauses = 0
        self.refused: dict[str, int] = {}
        self.on_empty: Callable[[], None] = _nothing
        self.on_full: Callable[[], None] = _nothing
        self.on_room: Callable[[], None] | None = None

    def came(self, connection: "Downstream") -> None:
        """A client's connection was accepted."""
        self.accepted += 1
        self.connections.add(connection)
        self.clients.came(self)

    def went(self, connection: "Downstream") -> None:
        """It is closed."""
        self.connections.discard(connection)
        self.clients.went()
        if not self.connections:
            self.on_empty()

    def turned_away(self, refusal: Refusal, host: bytes = b"") -> None:
        """Count a local response to what belongs to no revision; call it when that was written."""
        self.refused[refusal.reason] = self.refused.get(refusal.reason, 0) + 1
        self.dispatcher.tell_turned_away(refusal, host)


def _nothing() -> None:
    """Nobody has to be told."""
