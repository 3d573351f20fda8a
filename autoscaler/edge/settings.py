"""What the command line decides for the autoscaler."""

import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

SYSTEM_NAMESPACE = "zerogate-system"
LEASE = "zerogate-autoscaler"
ADDRESS_ANNOTATION = "zerogate.dev/address"


def _steady_clock() -> Callable[[], float]:
    """Unix seconds that never jump: windows must not when somebody sets the clock."""
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()


@dataclass(frozen=True)
class Settings:
    """`identity` is the leader's name on the Lease. `link_address`, "host:port", is where activators find the
    link; "" means the address that it listens on. `expected_activators` names those that ought to report;
    None: those that said hello and no good-bye. `clock` tells unix seconds.
    """

    identity: str
    link_host: str = "127.0.0.1"
    link_port: int = 0
    link_address: str = ""
    token: str = ""
    system_namespace: str = SYSTEM_NAMESPACE
    expected_activators: Callable[[], AbstractSet[str]] | None = None
    clock: Callable[[], float] = field(default_factory=_steady_clock)
