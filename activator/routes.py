"""From the Host of a request to the revision that serves it.

The table of hosts is the serving package's (`serving.routing`); here it is made fast: a spelling that was
seen before costs one dictionary look-up. Whatever changes, of hosts or revisions, empties that cache, so it
can't disagree with the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from activator.revision import Revision
from kube.objects import Key
from serving.routing import HostRoute

SPARE_SPELLINGS = 4096
"""Spellings remembered beyond one for each host; clients may invent `HoSt:8080` at will, so there must be an
end.
"""
TAG_LINE = b"Knative-Serving-Tag: %b\r\n"
DEFAULT_LINE = b"Knative-Serving-Default-Route: true\r\n"


@dataclass(frozen=True, slots=True)
class Picked:
    """What a request was routed to; `route` and `tag` name the way it came, for metrics. `told`: a header
    line by which the pod learns that way.
    """

    revision: Revision
    route: str
    tag: str
    told: bytes = b""


@dataclass(frozen=True, slots=True)
class Way:
    """A host, resolved: one revision, or several with the upper ends of their shares of [0, 1). `tags` are
    those that a request may name in a header.
    """

    only: Picked | None
    shares: tuple[tuple[float, Picked], ...]
    tags: Mapping[bytes, Picked]

    def pick(self, random: float) -> Picked:
        """The revision whose share holds the random number."""
        if self.only is not None:
            return self.only
        for bound, picked in self.shares:
            if random < bound:
                return picked
        return self.shares[-1][1]


class Router:
    """Hosts of one listener. `is_local` tells whether cluster-local hosts are served on it."""

    def __init__(self, revisions: Mapping[Key, Revision], *, is_local: bool) -> None:
        """`revisions` is shared with whoever keeps it; that one calls `forget` when its members change."""
        self._revisions = revisions
        self._is_local = is_local
        self._by_tag_header = False
        self._hosts: dict[str, HostRoute] = {}
        self._spelled: dict[bytes, Way] = {}

    def __repr__(self) -> str:
        return f"<Router {len(self._hosts)} hosts, {len(self._spelled)} spellings known>"

    def pick(self, host: bytes, random: float) -> Picked | None:
        """The revision for a Host header as it came; `random` in [0, 1) chooses among weights. None: 404."""
        way = self._spelled.get(host)
        if way is None:
            way = self._find(host)
            if way is None:
                return None
        return way.only or way.pick(random)

    def pick_tagged(self, host: bytes, tag: bytes, random: float) -> Picked | None:
        """The same for a request that names a tag in a header: one that is unknown here changes nothing."""
        way = self._spelled.get(host) or self._find(host)
        if way is None:
            return None
        return way.tags.get(tag) or way.pick(random)

    def knows(self, host: bytes) -> bool:
        """Whether a Host is served, also if none of its revisions is known yet."""
        return normalised(host) in self._hosts

    def replace(self, hosts: Mapping[str, HostRoute], *, by_tag_header: bool = False) -> set[Key]:
        """Serve exactly these hosts. `by_tag_header`: requests may name a tag of a Route in a header. Returns
        the revisions that a host does not lead to any more.
        """
        former = self._hosts
        self._by_tag_header = by_tag_header
        self._hosts = {host: route for host, route in hosts.items() if self._serves(route)}
        self._spelled.clear()
        left: set[Key] = set()
        for host, route in former.items():
            left |= _led_to(route) - _led_to(self._hosts.get(host))
        return left

    def settle(self, host: str, route: HostRoute | None) -> set[Key]:
        """Serve this host so, or not at all. Returns the revisions that it does not lead to any more."""
        served = route if route is not None and self._serves(route) else None
        former = self._hosts.get(host)
        if served == former:
            return set()
        if served is None:
            del self._hosts[host]
        else:
            self._hosts[host] = served
        self._spelled.clear()
        return _led_to(former) - _led_to(served)

    def forget(self) -> None:
        """Revisions came or went: resolve every host afresh when it is asked for."""
        self._spelled.clear()

    def hosts(self) -> Mapping[str, HostRoute]:
        """What is served, for the debugging page."""
        return self._hosts

    def _serves(self, route: HostRoute) -> bool:
        return self._is_local or not route.cluster_local

    def _find(self, spelled: bytes) -> Way | None:
        route = self._hosts.get(normalised(spelled))
        way = None
        if route is not None:
            way = resolved(route, self._revisions, by_tag_header=self._by_tag_header)
        if way is not None:
            if len(self._spelled) >= len(self._hosts) + SPARE_SPELLINGS:
                self._spelled.clear()
            self._spelled[bytes(spelled)] = way
        return way


def _led_to(route: HostRoute | None) -> set[Key]:
    """The revisions that requests of a host may go to."""
    if route is None:
        return set()
    splits = [*(split for split in route.splits if split.percent > 0), *(split for _, split in route.tags)]
    return {(split.namespace, split.revision) for split in splits}


def resolved(
    route: HostRoute, revisions: Mapping[Key, Revision], *, by_tag_header: bool = False
) -> Way | None:
    """The way of a host. Revisions that are not known take no share; None when no share is left.

    `by_tag_header`: pods are told of the tag, or that it was the default route, as Knative's ingress does.
    """
    told, tags = b"", {}
    if by_tag_header and route.owner_kind == "Route":
        told = TAG_LINE % route.tag.encode() if route.tag else DEFAULT_LINE
        tags = {
            tag.encode(): Picked(revisions[key], route.owner, tag, TAG_LINE % tag.encode())
            for tag, split in route.tags
            if (key := (split.namespace, split.revision)) in revisions
        }
    found = [
        (split.percent, Picked(revisions[key], route.owner, route.tag, told))
        for split in route.splits
        if split.percent > 0 and (key := (split.namespace, split.revision)) in revisions
    ]
    if not found:
        return None
    if len(found) == 1:
        return Way(found[0][1], (), tags)
    total = sum(percent for percent, _ in found)
    shares, upto = [], 0
    for percent, picked in found:
        upto += percent
        shares.append((upto / total, picked))
    return Way(None, tuple(shares), tags)


def normalised(host: bytes) -> str:
    """A Host header as the table spells it: lower case, no port, no final dot. "" when it is no host."""
    try:
        text = host.decode("ascii").strip().lower()
    except UnicodeDecodeError:
        return ""
    if text.startswith("["):
        name, bracket, rest = text.partition("]")
        name += bracket
        port = rest.removeprefix(":")
        if not bracket or (rest and rest[0] != ":"):
            return ""
    else:
        name, _, port = text.partition(":")
        name = name.removesuffix(".")
    return name if not port or port.isdecimal() else ""
