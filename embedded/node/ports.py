"""Ports for pods: outside the range from which the system takes ports for outgoing connections.

There a connection could take a pod's port first, or connect to itself. A port is left alone for minutes after
its pod is gone, so that a client that still knows it meets nobody rather than another revision.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

QUARANTINE = 180.0
"""Seconds that a given-up port is not used again."""
_WANTED = (20000, 32767)
_ALLOWED = (10000, 65535)
_ENOUGH = 1000


def parse_port_range(text: str) -> tuple[int, int]:
    """Read /proc/sys/net/ipv4/ip_local_port_range: the first and the last ephemeral port."""
    first, last = text.split()
    return int(first), int(last)


def pod_port_range(ephemeral: tuple[int, int]) -> tuple[int, int]:
    """The first and last port that pods get: the widest part of the wanted range, or else of all
    unprivileged ports, that is not ephemeral. A system that leaves none shares them.
    """
    for first, last in (_WANTED, _ALLOWED):
        below = (first, min(last, ephemeral[0] - 1))
        above = (max(first, ephemeral[1] + 1), last)
        widest = max(below, above, key=lambda part: part[1] - part[0])
        if widest[1] - widest[0] >= _ENOUGH:
            return widest
    return _WANTED


@dataclass(slots=True)
class PortPool:
    """Goes round the range, so that a port comes back as late as possible.

    `start` is where to begin, best at random: two agents on one machine seldom meet then.
    """

    first: int
    last: int
    start: int
    _next: int = field(init=False)
    _taken: set[int] = field(default_factory=set)
    _released: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._next = self.first + (self.start - self.first) % (self.last - self.first + 1)

    def candidates(self, now: float, preferred: int = 0) -> Iterator[int]:
        """Ports to try, at most once round. `preferred` (a pod's former port) comes first if it is free."""
        if self.first <= preferred <= self.last and preferred not in self._taken:
            yield preferred
        for _ in range(self.last - self.first + 1):
            port = self._next
            self._next = self.first if port == self.last else port + 1
            released = self._released.get(port)
            if port not in self._taken and (released is None or released + QUARANTINE <= now):
                yield port

    def take(self, port: int) -> None:
        """The port belongs to a pod now."""
        self._taken.add(port)
        self._released.pop(port, None)

    def release(self, port: int, now: float) -> None:
        """The pod is gone."""
        self._taken.discard(port)
        self._released[port] = now
