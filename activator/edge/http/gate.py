"""What all connections of one listener share."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from activator.http.replies import Refusal
from activator.routes import Picked
from activator.settings import ProxySettings

if TYPE_CHECKING:
    from activator.edge.http.dispatch import Dispatcher
    from activator.edge.http.downstream import Downstream


class Routes(Protocol):
    """Where a Host leads to (`activator.routes.Router`)."""

    def pick(self, host: bytes, random: float) -> Picked | None: ...


@dataclass(slots=True)
class Gate:
    """`refused` counts, by reason, replies to requests that belong to no revision; `accepted` connections."""

    router: Routes
    dispatcher: "Dispatcher"
    settings: ProxySettings
    clock: Callable[[], float]
    random: Callable[[], float] = random.random
    is_draining: bool = False
    connections: "set[Downstream]" = field(default_factory=set)
    accepted: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    on_empty: Callable[[], None] = lambda: None
    """Called when the last connection is gone."""

    def turned_away(self, refusal: Refusal, host: bytes = b"") -> None:
        """Count a reply to what belongs to no revision, and tell of it."""
        self.refused[refusal.reason] = self.refused.get(refusal.reason, 0) + 1
        self.dispatcher.on_turned_away(refusal, host)
