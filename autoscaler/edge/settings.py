"""What the command line decides for the autoscaler."""

import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

SYSTEM_NAMESPACE = "zerogate-system"
LEASE = "zerogate-autoscaler"
ADDRESS_ANNOTATION = "zerogate.dev/address"
CERTIFICATE_ANNOTATION = "zerogate.dev/certificate"


def _steady_clock() -> Callable[[], float]:
    """Unix seconds that never jump: windows must not when somebody sets the clock."""
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()


@dataclass(frozen=True)
class Settings:
    """`identity` is the leader's name on the Lease. `link_address`, "host:port", is where activators find the
    link; "" means the address that it listens on. `token` is the secret of the link; "" means that activators
    show ServiceAccount tokens, over TLS. `expected_activators` names those that ought to report; None: the
    ready pods of the Service `activators_service` in the system namespace; where that is "" too, those that
    said hello and no good-bye. `clock` tells unix seconds.
    """

    identity: str
    link_host: str = "127.0.0.1"
    link_port: int = 0
    link_address: str = ""
    token: str = ""
    system_namespace: str = SYSTEM_NAMESPACE
    activators_service: str = ""
    expected_activators: Callable[[], AbstractSet[str] | None] | None = None
    clock: Callable[[], float] = field(default_factory=_steady_clock)
