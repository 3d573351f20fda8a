"""What of the proxy can be set, and to what it is set when nobody says otherwise."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """Durations are seconds, sizes bytes."""

    max_head: int = 64 << 10
    """A longer request head is refused with 431, a longer answer head with 502."""
    head_timeout: float = 10.0
    """From the first byte of a head to its last; slower: 408."""
    max_connections: int = 0
    """Clients' connections at once; beyond, further ones wait in the kernel. 0: as many as file descriptors
    allow, each with one for a pod.
    """
    keep_alive_timeout: float = 75.0
    """A client's connection without a request is closed after this."""
    held_body: int = 16 << 10
    """Of the body of a request that waits, no more is read than this."""
    replayed_body: int = 64 << 10
    """A body up to this size is kept until the answer begins, so that the request can be repeated."""
    connect_timeout: float = 2.5
    """A pod that has not accepted a connection by then is tried again, or another one."""
    pod_idle: float = 4.0
    """A connection to a pod that was idle for longer is closed, because the pod may be about to close it."""
    checked_idle: float = 1.0
    """The same for requests that must not be repeated."""
    max_attempts: int = 2
    """How often the bytes of one request are sent to a pod, at most (RFC 9110 9.2.2: no retry of a retry)."""
    unreachable_after: float = 5.0
    """A request is given up when every pod tried has refused it for this long."""
    linger: float = 2.0
    """After an answer that came before its request's end, what the client still sends is read for so long."""
    drain_idle: float = 0.5
    """While draining, a client's connection is closed when it was idle for this long."""
    upgrade_grace: float = 5.0
    """A connection that switched protocols and must end is cut after this."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """Peers whose Forwarded and X-Forwarded-* headers are believed."""
    server_timing: bool = True
    """Whether answers to requests that waited tell where the time went."""
    error_details: bool = False
    """Whether a 503 cannot-start names its cause."""
