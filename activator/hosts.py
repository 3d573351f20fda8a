"""Keeps the routers of all listeners at what Routes and plain Deployments ask for.

A claimant is settled as a whole, host by host, so that one changed Route among ten thousand costs no more
than its own few hosts. A lost event costs nothing: the next one, or the next list, brings the claimant's
whole state.
"""

from collections.abc import Iterable

from activator.routes import Router
from kube.objects import Key, Obj
from serving.routing import Claim, HostClaims, OwnerKind, Rules, route_claims, target_claims
from serving.targets import ScaleTarget


class Hosts:
    """Claims in, routers up to date. A change of hosts returns the revisions that one of them does not lead
    to any more: requests that wait for such a revision may have to go elsewhere.
    """

    def __init__(self, routers: Iterable[Router], *, localhost_alias: bool) -> None:
        self._routers = tuple(routers)
        self._alias = localhost_alias
        self._claims = HostClaims()

    def route_changed(self, key: Key, route: Obj | None) -> set[Key]:
        """A Route is new, changed or gone (None)."""
        domain = self._claims.rules.cluster_domain
        wanted = (
            route_claims(route, localhost_alias=self._alias, cluster_domain=domain)
            if route is not None
            else []
        )
        return self._settle("Route", key, wanted)

    def target_changed(self, key: Key, target: ScaleTarget | None) -> set[Key]:
        """A scale target is new, changed or gone (None); `key` is the Deployment's."""
        domain = self._claims.rules.cluster_domain
        wanted = (
            target_claims(target, localhost_alias=self._alias, cluster_domain=domain)
            if target is not None
            else []
        )
        return self._settle("Deployment", key, wanted)

    def rules_changed(self, rules: Rules) -> set[Key]:
        """The config maps say otherwise who may have which host."""
        left: set[Key] = set()
        if rules != self._claims.rules:
            self._claims.rules = rules
            served = self._claims.table().hosts
            for router in self._routers:
                left |= router.replace(served, by_tag_header=rules.tag_header)
        return left

    def revisions_changed(self) -> None:
        """Revisions came or went."""
        for router in self._routers:
            router.forget()

    def _settle(self, kind: OwnerKind, key: Key, wanted: list[Claim]) -> set[Key]:
        left: set[Key] = set()
        for host in self._claims.replace(kind, key, wanted):
            owner, _ = self._claims.settle(host)
            served = owner if owner is not None and owner.splits else None
            for router in self._routers:
                left |= router.settle(host, served)
        return left
