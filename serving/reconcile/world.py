"""What is there: the objects that the controller watches, and whom a change of one concerns."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from kube.objects import Key, Obj, annotations, controller_of, labels, name, namespace
from kube.resources import CONFIGURATIONS, DEPLOYMENTS, PODS, REVISIONS, ROUTES, SERVICES, Resource
from serving.configs import COMPILED, Configs
from serving.marks import ROUTES_ANNOTATION
from serving.reading import mapping, mappings
from serving.routing import HostClaims, route_claims, target_claims
from serving.targets import CONFIGURATION_LABEL, REVISION_LABEL, SERVICE_LABEL, scale_target

WATCHED = (SERVICES, CONFIGURATIONS, REVISIONS, ROUTES, DEPLOYMENTS, PODS)
Index = defaultdict[Any, set[Key]]
Work = tuple[Resource, Key]
"""An object to reconcile."""


class World:
    """All watched objects, read-only. `put` and `remove` return the objects to reconcile because of it."""

    def __init__(self, configs: Configs = COMPILED, *, localhost_alias: bool = False) -> None:
        self.configs = configs
        self.localhost_alias = localhost_alias
        self.hosts = HostClaims(configs.host_rules())
        self._objects: dict[Resource, dict[Key, Obj]] = {resource: {} for resource in WATCHED}
        self._owned: Index = defaultdict(set)
        self._pods: Index = defaultdict(set)
        self._mentions: Index = defaultdict(set)
        self._routed: Index = defaultdict(set)

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(found)} {resource.plural}" for resource, found in self._objects.items())
        return f"<World {counts}>"

    def get(self, resource: Resource, home: str, name_: str) -> Obj | None:
        return self._objects[resource].get((home, name_))

    def owned(self, resource: Resource, owner_uid: str) -> list[Obj]:
        """The objects whose controller has that UID, by name."""
        found = self._owned.get((resource, owner_uid), set())
        return [self._objects[resource][key] for key in sorted(found)]

    def pods_of(self, revision: Key) -> list[Obj]:
        return [self._objects[PODS][key] for key in sorted(self._pods.get(revision, set()))]

    def routed_by(self, home: str, route: str) -> list[Obj]:
        """The revisions that are marked as routed to by the route."""
        return [self._objects[REVISIONS][key] for key in sorted(self._routed.get((home, route), set()))]

    def all_work(self) -> Iterator[Work]:
        """Everything that can be reconciled, for when the config maps changed."""
        for resource in (SERVICES, CONFIGURATIONS, REVISIONS, ROUTES, DEPLOYMENTS):
            for key in self._objects[resource]:
                yield resource, key

    def configure(self, configs: Configs) -> None:
        """Config maps changed. Ask `all_work` afterwards."""
        self.configs = configs
        self.hosts.rules = configs.host_rules()

    def put(self, resource: Resource, obj: Obj) -> set[Work]:
        key = (namespace(obj), name(obj))
        concerned = self._forget(resource, key)
        self._objects[resource][key] = obj
        for index, entry in self._places(resource, obj):
            index[entry].add(key)
        return concerned | self._concerns(resource, obj) | self._claim(resource, key, obj)

    def remove(self, resource: Resource, key: Key) -> set[Work]:
        return self._forget(resource, key) | self._claim(resource, key, None)

    def _forget(self, resource: Resource, key: Key) -> set[Work]:
        old = self._objects[resource].pop(key, None)
        if old is None:
            return set()
        for index, entry in self._places(resource, old):
            index[entry].discard(key)
            if not index[entry]:
                del index[entry]
        return self._concerns(resource, old)

    def _places(self, resource: Resource, obj: Obj) -> Iterator[tuple[Index, Any]]:
        """Where the object is listed: (index, entry)."""
        owner = controller_of(obj)
        if owner is not None:
            yield self._owned, (resource, owner.get("uid", ""))
        if resource == PODS and REVISION_LABEL in labels(obj):
            yield self._pods, (namespace(obj), labels(obj)[REVISION_LABEL])
        if resource == REVISIONS:
            for route in _routes(obj):
                yield self._routed, (namespace(obj), route)
        if resource == ROUTES:
            for entry in mappings(mapping(obj.get("spec")).get("traffic")):
                for field in ("configurationName", "revisionName"):
                    if entry.get(field):
                        yield self._mentions, (namespace(obj), entry[field])

    def _concerns(self, resource: Resource, obj: Obj) -> set[Work]:
        """Whom it concerns that this object came, changed or went."""
        home, marks = namespace(obj), labels(obj)
        found: set[Work] = set() if resource == PODS else {(resource, (home, name(obj)))}
        if resource in {CONFIGURATIONS, ROUTES}:
            found.add((SERVICES, (home, marks.get(SERVICE_LABEL, name(obj)))))
        if resource == REVISIONS and CONFIGURATION_LABEL in marks:
            found.add((CONFIGURATIONS, (home, marks[CONFIGURATION_LABEL])))
        if resource == REVISIONS:
            found |= {(ROUTES, (home, route)) for route in _routes(obj)}
        if resource in {DEPLOYMENTS, PODS} and REVISION_LABEL in marks:
            found.add((REVISIONS, (home, marks[REVISION_LABEL])))
        if resource in {CONFIGURATIONS, REVISIONS}:
            for mentioned in (name(obj), marks.get(CONFIGURATION_LABEL, "")):
                found |= {(ROUTES, route) for route in self._mentions.get((home, mentioned), ())}
        return found

    def _claim(self, resource: Resource, key: Key, obj: Obj | None) -> set[Work]:
        """Keep the claims to hosts; returns everyone who wants one of the hosts that changed hands."""
        if resource == ROUTES:
            wanted = route_claims(obj, localhost_alias=self.localhost_alias) if obj else []
            hosts = self.hosts.replace("Route", key, wanted)
        elif resource == DEPLOYMENTS:
            target = scale_target(obj) if obj else None
            wanted = target_claims(target, localhost_alias=self.localhost_alias) if target else []
            hosts = self.hosts.replace("Deployment", key, wanted)
        else:
            return set()
        return {
            (ROUTES if kind == "Route" else DEPLOYMENTS, (home, claimant))
            for host in hosts
            for kind, home, claimant in self.hosts.claimants(host)
        }


def _routes(revision: Obj) -> list[str]:
    """The Routes that the revision is marked with."""
    return [each for each in annotations(revision).get(ROUTES_ANNOTATION, "").split(",") if each]
