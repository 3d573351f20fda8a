"""Who owns each hard concurrency limit: one activator process for each revision, so that two never fill the
same slot of a pod.

An owner stays until it says that it drains, or is known dead. A new one gets slots only after all others
have told, under its epoch, which slots their requests still have; those stay reserved until they are reported
empty.

Known dead is who said good-bye, whose name another process has, whose address refuses connections
(`is_gone`), who is unlinked for `ABSENT` seconds and not expected any more, or unlinked for `LOST` seconds.
One that was stopped (`is_stopped`) is treated like that, too: when it goes on it takes no slot before it was
told on a new link who owns what. What follows is returned: (to whom, message).
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from autoscaler.messages import Claim, Hello, Occupied, Owner, PodSlots
from kube.objects import Key

GRACE = 3.0
"""Seconds of a term in which activators of the term before come and say what they hold."""
ABSENT = 10.0
LOST = 60.0
"""Seconds without a link, as long as silence is a veto (`sight`)."""

Orders = list[tuple[str, Owner]]


@dataclass(slots=True)
class _Activator:
    """`since`: when its link broke, or began to be waited for."""

    process: str = ""
    address: str = ""
    secret: str = ""
    is_linked: bool = False
    is_leaving: bool = False
    since: float = 0.0


@dataclass(slots=True)
class _Limit:
    """One revision's. `occupied`: by activator, what it reported under this epoch; `granted`: the slots that
    the owner was told to leave free, None before it was told to take any.

    `is_adopted`: it was named in a term before this one, and may have its slots from there.
    """

    owner: str = ""
    epoch: int = 0
    is_adopted: bool = False
    occupied: dict[str, tuple[PodSlots, ...]] = field(default_factory=dict)
    granted: tuple[PodSlots, ...] | None = None
    is_former_stopped: bool = False


class Owners:
    """The owners of one term. `number` gives epochs, each above all before; `now` is any clock's seconds."""

    def __init__(self, number: Callable[[], int], now: float) -> None:
        self._number = number
        self._began = now
        self._activators: dict[str, _Activator] = {}
        self._limits: dict[Key, _Limit] = {}
        self._claims: dict[Key, Claim] = {}
        self._pending: set[Key] = set()
        self._is_told = False

    def __repr__(self) -> str:
        linked = sum(each.is_linked for each in self._activators.values())
        return (
            f"<Owners of {len(self._limits)} limits, {linked} of {len(self._activators)} activators linked>"
        )

    # Activators come and go.

    def hello(self, hello: Hello, now: float) -> Orders:
        """An activator is linked: it tells what it knows, and hears who owns what."""
        name = hello.activator
        orders: Orders = []
        former = self._activators.get(name)
        if former is not None and former.process not in {"", hello.process}:
            orders += self.is_gone(name, now)
        if not hello.process:
            return orders
        self._activators[name] = _Activator(
            hello.process, hello.peer_address, hello.peer_secret, is_linked=True
        )
        orders += [(name, self._message(key, name)) for key, limit in self._limits.items() if limit.owner]
        for claim in hello.claims:
            orders += self._hear_of(claim, now)
        for key, limit in self._limits.items():
            if limit.owner == name:  # where it is reached may be news to the others
                orders += self._broadcast(key)
        for other in [other for other, each in self._activators.items() if each.is_leaving]:
            orders += self._replace(other, now)
        return orders + self._go_on(now)

    def leaving(self, name: str, now: float) -> Orders:
        """It begins to drain."""
        if name not in self._activators:
            return []
        self._activators[name].is_leaving = True
        return self._replace(name, now)

    def lost(self, name: str, now: float) -> None:
        """Its link broke; it may live and serve."""
        if name in self._activators:
            self._activators[name].is_linked = False
            self._activators[name].since = now

    def is_gone(self, name: str, now: float) -> Orders:
        """Its process is known to be dead, or to have nothing in flight any more."""
        return self._is_out(name, now, is_stopped=False)

    def _is_out(self, name: str, now: float, *, is_stopped: bool) -> Orders:
        if self._activators.pop(name, None) is None:
            return []
        orders = self._replace(name, now, is_stopped=is_stopped)
        for key, limit in self._limits.items():
            limit.occupied.pop(name, None)
            orders += self._grant(key, now)
        return orders

    def is_stopped(self, name: str, now: float) -> Orders:
        """Its process is known to stand still."""
        return self._is_out(name, now, is_stopped=True)

    def addresses(self) -> list[tuple[str, str]]:
        """Name and address of all that have one."""
        return [(name, each.address) for name, each in self._activators.items() if each.address]

    def missing(self) -> list[tuple[str, str]]:
        """Name and address of those whose link broke."""
        return [
            (name, each.address)
            for name, each in self._activators.items()
            if each.address and not each.is_linked
        ]

    def look(self, expected: AbstractSet[str] | None, now: float) -> Orders:
        """Time passed. `expected`: the activators that exist, None where nobody tells."""
        if expected is not None and not self._is_told:
            self._is_told = True
            if now - self._began < GRACE:
                for name in expected - self._activators.keys():
                    self._activators[name] = _Activator(since=now)
        orders: Orders = []
        for name, each in [*self._activators.items()]:
            absent = 0.0 if each.is_linked else now - each.since
            if absent >= LOST or (absent >= ABSENT and expected is not None and name not in expected):
                orders += self.is_gone(name, now)
        return orders + self._go_on(now)

    # Revisions come and go.

    def limited(self, keys: Iterable[Key], now: float) -> Orders:
        """Exactly these revisions have a hard limit."""
        wanted = set(keys)
        for key in self._limits.keys() - wanted:
            self._drop(key)
        for key in wanted - self._limits.keys():
            self._add(key, now)
        return self._go_on(now)

    def is_limited(self, key: Key, *, is_limited: bool, now: float) -> Orders:
        """Whether this revision has a hard limit."""
        if is_limited == (key in self._limits):
            return []
        if not is_limited:
            self._drop(key)
            return []
        self._add(key, now)
        return self._settle(key, now)

    def occupied(self, name: str, report: Occupied, now: float) -> Orders:
        """One that is not the owner told what its requests still have."""
        key = (report.namespace, report.revision)
        limit = self._limits.get(key)
        if limit is None or report.epoch != limit.epoch or name == limit.owner:
            return []
        limit.occupied[name] = report.pods
        return self._grant(key, now)

    def state(self) -> dict[Key, dict[str, Any]]:
        """For the debugging page."""
        return {
            key: {
                "owner": limit.owner,
                "epoch": limit.epoch,
                "isGranted": limit.granted is not None or limit.is_adopted,
                "reserved": sum(row.slots for row in limit.granted or ()),
            }
            for key, limit in self._limits.items()
        }

    # What follows.

    def _add(self, key: Key, now: float) -> None:
        self._limits[key] = _Limit()
        self._pending.add(key)
        claim = self._claims.pop(key, None)
        if claim is not None:
            self._adopt(claim, now)

    def _drop(self, key: Key) -> None:
        del self._limits[key]
        self._pending.discard(key)

    def _hear_of(self, claim: Claim, now: float) -> Orders:
        """Somebody was told of this owner in a term before; of two, the later one holds."""
        key = (claim.namespace, claim.revision)
        limit = self._limits.get(key)
        if limit is None:
            known = self._claims.get(key)
            if known is None or known.epoch < claim.epoch:
                self._claims[key] = claim
            return []
        if claim.epoch <= limit.epoch:
            return []
        self._adopt(claim, now)
        return self._broadcast(key)

    def _adopt(self, claim: Claim, now: float) -> None:
        key = (claim.namespace, claim.revision)
        self._limits[key] = _Limit(claim.activator, claim.epoch, is_adopted=True)
        self._activators.setdefault(claim.activator, _Activator(since=now))

    def _replace(self, name: str, now: float, *, is_stopped: bool = False) -> Orders:
        """Find other owners for what it owns."""
        orders: Orders = []
        for key, limit in self._limits.items():
            if limit.owner == name:
                orders += self._name(key, now, is_former_stopped=is_stopped)
        return orders

    def _go_on(self, now: float) -> Orders:
        orders: Orders = []
        for key in [*self._pending]:
            orders += self._settle(key, now)
        return orders

    def _settle(self, key: Key, now: float) -> Orders:
        """Name an owner where there is none, and give it what it may have."""
        limit = self._limits[key]
        if limit.owner:
            return self._grant(key, now)
        is_complete = all(each.is_linked for each in self._activators.values())
        return self._name(key, now) if is_complete or now - self._began >= GRACE else []

    def _name(self, key: Key, now: float, *, is_former_stopped: bool = False) -> Orders:
        """Another owner, of those that stay if there are any; nobody where nobody is linked."""
        limit = self._limits[key]
        linked = {name for name, each in self._activators.items() if each.is_linked}
        staying = {name for name in linked if not self._activators[name].is_leaving}
        owner = max(staying or linked, key=lambda name: _weight(key, name), default="")
        if owner == limit.owner and owner:
            return []
        self._pending.add(key)
        if not owner:
            self._limits[key] = _Limit(epoch=limit.epoch)
            return []
        self._limits[key] = _Limit(owner, self._number(), is_former_stopped=is_former_stopped)
        return self._broadcast(key) + self._grant(key, now)

    def _grant(self, key: Key, now: float) -> Orders:
        """Tell the owner what it may have, once all others have told what they still have."""
        limit = self._limits[key]
        others = self._activators.keys() - {limit.owner}
        is_early = limit.is_adopted and now - self._began < GRACE
        if limit.owner not in self._activators or is_early or not others <= limit.occupied.keys():
            return []
        total: Counter[str] = Counter()
        for name in others:
            total.update(dict(limit.occupied[name]))
        reserved = tuple(PodSlots(*row) for row in sorted(total.items()) if row[1])
        if reserved == limit.granted:
            return []
        limit.granted = reserved
        self._pending.discard(key)
        return [(limit.owner, self._message(key, limit.owner))] if self._is_linked(limit.owner) else []

    def _is_linked(self, name: str) -> bool:
        return name in self._activators and self._activators[name].is_linked

    def _broadcast(self, key: Key) -> Orders:
        return [(name, self._message(key, name)) for name in self._activators if self._is_linked(name)]

    def _message(self, key: Key, to: str) -> Owner:
        limit = self._limits[key]
        owner = self._activators.get(limit.owner, _Activator())
        if to == limit.owner and limit.granted is not None:
            return Owner(
                *key, limit.owner, limit.epoch,
                is_granted=True, reserved=limit.granted, is_former_stopped=limit.is_former_stopped,
            )  # fmt: skip
        return Owner(
            *key, limit.owner, limit.epoch, owner.address, owner.secret,
            is_former_stopped=limit.is_former_stopped,
        )  # fmt: skip


def _weight(key: Key, name: str) -> bytes:
    """Rendezvous hashing: the owner of a revision among any activators, spread evenly."""
    return hashlib.blake2b("/".join((*key, name)).encode(), digest_size=8).digest()
