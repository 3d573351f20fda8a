"""Which host leads where, and who owns it.

A host has one owner: Routes come before plain Deployments, then the oldest claimant wins; the others are
told by ``HostTaken`` and get no traffic on that host. Claims are read off ``Route.status`` (the controller's
word) and off scale targets with a host of their own. What another namespace could also want needs the
administrator's word: hosts outside ``*.<own namespace>.<domain>`` belong to nobody without an entry in
``config-domain-claims``.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kube.objects import Key, Obj, name, namespace
from serving.targets import ScaleTarget

OwnerKind = Literal["Route", "Deployment"]
CLUSTER_DOMAIN = "cluster.local"
LOCALHOST = "localhost"


@dataclass(frozen=True, slots=True)
class Split:
    """A share of a host's requests, in per cent of all of them."""

    namespace: str
    revision: str
    percent: int


@dataclass(frozen=True, slots=True)
class HostRoute:
    """Where the requests of one host go; ``tag`` is "" for a route's own host, ``splits`` sum to 100.

    ``tags`` of a Route's own host: each tag with its revision, for requests that name one in a header.
    """

    host: str
    namespace: str
    owner: str
    owner_kind: OwnerKind
    tag: str
    splits: tuple[Split, ...]
    cluster_local: bool
    tags: tuple[tuple[str, Split], ...] = ()


@dataclass(frozen=True, slots=True)
class HostTaken:
    """A claim that lost. ``owner`` is "" when nobody may have the host without the administrator's word."""

    host: str
    kind: OwnerKind
    namespace: str
    name: str
    owner_kind: OwnerKind | None
    owner_namespace: str
    owner: str

    @property
    def message(self) -> str:
        """One sentence for a condition or an Event: who has the host, or how to get it."""
        if self.owner_kind is not None:
            return f"{self.host} belongs to {self.owner_kind} {self.owner_namespace}/{self.owner}."
        if self.owner_namespace:
            return f"{self.host} is given to namespace {self.owner_namespace} in config-domain-claims."
        return (
            f"{self.host} is outside the hosts of namespace {self.namespace}; to allow it add "
            f'"{self.host}: {self.namespace}" to config-domain-claims.'
        )


@dataclass(frozen=True)
class HostTable:
    """Every host that is served, by its lower-case name without a port."""

    hosts: Mapping[str, HostRoute]
    taken: tuple[HostTaken, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """A wish for a host. ``rank`` orders kinds of claims, then ``created`` (RFC 3339), then the name decides.

    ``quiet`` claims are conveniences that nobody asked for by name: to lose one is not worth a word.
    """

    route: HostRoute
    rank: int
    created: str
    quiet: bool = False

    @property
    def order(self) -> tuple[int, str, str, str]:
        return (self.rank, self.created, self.route.namespace, self.route.owner)


@dataclass(frozen=True)
class Rules:
    """What the config maps say of hosts: public domains, host → namespace, the cluster's own domain, and
    whether a header chooses among the tags of a Route's own host.
    """

    domains: Collection[str] = ("example.com",)
    claims: Mapping[str, str] | None = None
    cluster_domain: str = CLUSTER_DOMAIN
    tag_header: bool = False

    def forbids(self, claim: Claim) -> HostTaken | None:
        """Why the claimant's namespace may not have the host, or None when it may."""
        route = claim.route
        granted = (self.claims or {}).get(route.host, "")
        if granted == route.namespace or (not granted and self._is_own(route)):
            return None
        return HostTaken(route.host, route.owner_kind, route.namespace, route.owner, None, granted, "")

    def _is_own(self, route: HostRoute) -> bool:
        """A Route's host comes from a template that keeps namespaces apart; other hosts must show theirs."""
        if route.owner_kind == "Route" or route.cluster_local:
            return True
        label, _, rest = route.host.partition(".")
        domains = {*self.domains, LOCALHOST}
        return bool(label) and any(rest == f"{route.namespace}.{domain}" for domain in domains)


class HostClaims:
    """All claims, kept up to date claimant by claimant.

    A claimant is (kind, namespace, name). ``settle`` decides one host, ``table`` all of them.
    """

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self._by_host: dict[str, dict[tuple[str, str, str], Claim]] = {}
        self._hosts_of: dict[tuple[str, str, str], tuple[str, ...]] = {}

    def __repr__(self) -> str:
        return f"<HostClaims {len(self._by_host)} hosts, {len(self._hosts_of)} claimants>"

    def replace(self, kind: OwnerKind, key: Key, claims: Iterable[Claim]) -> set[str]:
        """Put a claimant's claims in place of its former ones; returns the hosts that either names."""
        claimant = (kind, *key)
        before = self._hosts_of.pop(claimant, ())
        for host in before:
            rivals = self._by_host[host]
            del rivals[claimant]
            if not rivals:
                del self._by_host[host]
        now: dict[str, Claim] = {}
        for claim in claims:
            now.setdefault(claim.route.host, claim)
        for host, claim in now.items():
            self._by_host.setdefault(host, {})[claimant] = claim
        if now:
            self._hosts_of[claimant] = tuple(now)
        return {*before, *now}

    def claimants(self, host: str) -> list[tuple[str, str, str]]:
        """Everyone who wants the host, as (kind, namespace, name)."""
        return list(self._by_host.get(host, ()))

    def lost(self, kind: OwnerKind, key: Key, wanted: Iterable[Claim]) -> list[HostTaken]:
        """What a claimant would not get of the claims it is about to make."""
        claimant = (kind, *key)
        found: list[HostTaken] = []
        for claim in wanted:
            if claim.quiet:
                continue
            rivals = self._by_host.get(claim.route.host, {}).items()
            _, taken = self._decide([claim, *(each for who, each in rivals if who != claimant)])
            found += [each for each in taken if (each.kind, each.namespace, each.name) == claimant]
        return found

    def settle(self, host: str) -> tuple[HostRoute | None, list[HostTaken]]:
        """The host's owner and the losers that are to be told."""
        return self._decide(self._by_host.get(host, {}).values())

    def _decide(self, claims: Iterable[Claim]) -> tuple[HostRoute | None, list[HostTaken]]:
        owner: HostRoute | None = None
        taken: list[HostTaken] = []
        for claim in sorted(claims, key=lambda each: each.order):
            lost = self.rules.forbids(claim)
            if lost is None and owner is None:
                owner = claim.route
                continue
            if owner is not None and lost is None:
                lost = _lost_to(claim.route, owner)
            if lost is not None and not claim.quiet:
                taken.append(lost)
        return owner, taken

    def table(self) -> HostTable:
        """All hosts. An owner without any traffic yet keeps its host, but the host is not served."""
        hosts: dict[str, HostRoute] = {}
        taken: list[HostTaken] = []
        for host in self._by_host:
            owner, lost = self.settle(host)
            taken += lost
            if owner is not None and owner.splits:
                hosts[host] = owner
        return HostTable(hosts, tuple(taken))


def host_table(
    routes: Iterable[Obj],
    targets: Iterable[ScaleTarget],
    *,
    localhost_alias: bool,
    rules: Rules | None = None,
) -> HostTable:
    """The hosts of all Routes and of the plain Deployments among the targets.

    With ``localhost_alias`` each public Route also answers as ``<name>.<namespace>.localhost``, each tag as
    ``<tag>-<name>.<namespace>.localhost``, so that it opens in a browser of the same machine.
    """
    claims = HostClaims(rules)
    domain = claims.rules.cluster_domain
    for route in routes:
        wanted = route_claims(route, localhost_alias=localhost_alias, cluster_domain=domain)
        claims.replace("Route", (namespace(route), name(route)), wanted)
    for target in targets:
        wanted = target_claims(target, localhost_alias=localhost_alias, cluster_domain=domain)
        claims.replace("Deployment", (target.namespace, target.deployment), wanted)
    return claims.table()


def route_claims(route: Obj, *, localhost_alias: bool, cluster_domain: str = CLUSTER_DOMAIN) -> list[Claim]:
    """The hosts that a Route's status asks for: its own, its tags', their aliases and cluster-local names."""
    status = route.get("status") or {}
    home, owner = namespace(route), name(route)
    traffic = [each for each in status.get("traffic") or [] if each.get("revisionName")]
    created = str(route["metadata"].get("creationTimestamp") or "")
    tags = {each["tag"]: Split(home, each["revisionName"], 100) for each in traffic if each.get("tag")}
    wanted = [(status.get("url"), "", _default_splits(home, traffic))]
    wanted += [(each.get("url"), each["tag"], (tags[each["tag"]],)) for each in traffic if each.get("tag")]
    found: list[Claim] = []
    for url, tag, splits in wanted:
        short = f"{tag}-{owner}.{home}" if tag else f"{owner}.{home}"
        for each in _names(host_of(url), short, cluster_domain):
            if localhost_alias or not each.is_alias:
                named = () if tag else tuple(tags.items())
                entry = HostRoute(each.host, home, owner, "Route", tag, splits, each.is_local, named)
                found.append(Claim(entry, 2 if each.is_inner else 0, created, each.is_alias or each.is_inner))
    return found


@dataclass(frozen=True, slots=True)
class _Name:
    host: str
    is_local: bool = False
    is_alias: bool = False
    is_inner: bool = False


def _names(url_host: str, short: str, cluster_domain: str) -> list[_Name]:
    """All the names of one address of a Route: as its URL says, on the own machine, inside the cluster."""
    if not url_host:
        return []
    is_local = url_host.endswith(f".svc.{cluster_domain}")
    alias = [] if is_local else [_Name(f"{short}.{LOCALHOST}", is_alias=True)]
    inner = (short, f"{short}.svc", f"{short}.svc.{cluster_domain}")
    return [
        _Name(url_host, is_local),
        *alias,
        *(_Name(each, is_local=True, is_inner=True) for each in inner if each != url_host),
    ]


def target_claims(
    target: ScaleTarget, *, localhost_alias: bool, cluster_domain: str = CLUSTER_DOMAIN
) -> list[Claim]:
    """The host that a plain Deployment asks for by its annotation; nothing for a revision's Deployment."""
    if not target.is_plain or not target.host:
        return []
    host = host_of(target.host)
    splits = (Split(target.namespace, target.revision, 100),)
    is_local = host.endswith(f".{target.namespace}.svc.{cluster_domain}")
    entry = HostRoute(host, target.namespace, target.deployment, "Deployment", "", splits, is_local)
    found = [Claim(entry, 1, target.created)]
    if localhost_alias and not is_local:
        alias = f"{target.deployment}.{target.namespace}.{LOCALHOST}"
        other = HostRoute(
            alias, target.namespace, target.deployment, "Deployment", "", splits, cluster_local=False
        )
        found.append(Claim(other, 3, target.created, quiet=True))
    return found


def host_of(url: object) -> str:
    """The host of a URL or of a bare ``host[:port]``, lower case, without port, path and final dot."""
    text = url if isinstance(url, str) else ""
    rest = text.partition("://")[2] or text
    return rest.partition("/")[0].partition(":")[0].strip().rstrip(".").lower()


def _default_splits(home: str, traffic: list[Any]) -> tuple[Split, ...]:
    """What the route's own host sends where: entries without a share are left out, equal revisions merged."""
    shares: dict[str, int] = {}
    for entry in traffic:
        percent = entry.get("percent") or 0
        if percent > 0:
            shares[entry["revisionName"]] = shares.get(entry["revisionName"], 0) + percent
    return tuple(Split(home, revision, percent) for revision, percent in shares.items())


def _lost_to(loser: HostRoute, owner: HostRoute) -> HostTaken:
    return HostTaken(
        loser.host,
        loser.owner_kind,
        loser.namespace,
        loser.owner,
        owner.owner_kind,
        owner.namespace,
        owner.owner,
    )
