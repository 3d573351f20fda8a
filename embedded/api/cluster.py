"""What all verbs share: the stored objects and what is derived from them, written through one door."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from embedded.api.ownership import Ownership, Ref, references
from embedded.api.refusals import Cause, forbidden, not_found
from embedded.api.registry import Registry, Served
from embedded.schema import Schemas
from embedded.store import Entry, Store
from kube.objects import Key, Obj, key, namespace
from kube.resources import CRDS, NAMESPACES, Resource

Admit = Callable[[Resource, Obj, Obj | None], Obj]
"""(resource, wanted, stored or None) → the object with defaults, or raises serving's Refused."""

DEFINITIONS = f"{CRDS.plural}.{CRDS.group}"


@dataclass(slots=True)
class Cluster:
    """`due` are objects that the garbage collector has to look at before the request is answered."""

    store: Store
    admit: Admit
    clock: Callable[[], float]
    rng: random.Random
    registry: Registry = field(default_factory=Registry)
    schemas: Schemas = field(default_factory=Schemas)
    ownership: Ownership = field(default_factory=Ownership)
    due: deque[Ref] = field(default_factory=deque)

    def restore(self) -> None:
        """Derive everything from the store as it was found; all objects are looked at once."""
        for entry in self.store.entries(DEFINITIONS):
            self._define(entry.obj)
        for resource, entry in self.store.everything():
            self.ownership.note(resource, None, entry.obj)
            self.due.append((resource, key(entry.obj)))

    def get(self, served: Served, where: Key) -> Entry:
        """The stored object; refuses with 404."""
        entry = self.store.get(served.id, where)
        if entry is None:
            raise not_found(served.id, where[1])
        return entry

    def put(self, served: Served, obj: Obj) -> Entry:
        """Store a new or changed object."""
        known = self.store.get(served.id, key(obj))
        old = known.obj if known else None
        entry = self.store.put(served.id, obj)
        self.ownership.note(served.id, old, obj)
        if references(obj) and (old is None or references(old) != references(obj)):
            self.due.append((served.id, key(obj)))
        if served.id == DEFINITIONS:
            self._define(obj)
        return entry

    def drop(self, served: Served, where: Key, last: Obj | None = None) -> Entry:
        """Remove an object for good, in its last state; those that it held back or alive become due."""
        entry = self.store.drop(served.id, where, last)
        obj = entry.obj
        self.ownership.note(served.id, obj, None)
        self.due.extend(self.ownership.dependents(obj["metadata"]["uid"]))
        for reference in references(obj):
            owner = self.ownership.alive.get(reference.get("uid", ""))
            if owner is not None:
                self.due.append(owner)
        if where[0]:
            self.due.append((NAMESPACES.plural, ("", where[0])))
        if served.crd is not None:
            self.due.append((DEFINITIONS, ("", served.id)))
        if served.id == DEFINITIONS:
            self.registry.withdraw(obj)
            self.schemas.remove_crd(obj)
        return entry

    def _define(self, crd: Obj) -> None:
        known = self.registry.get(crd["metadata"]["name"])
        if known is None or known.crd is None or known.crd["spec"] != crd["spec"]:
            self.registry.define(crd)
            self.schemas.add_crd(crd)

    def check_namespace(self, served: Served, obj: Obj) -> None:
        """Refuse new objects where there is no namespace, or one that is being deleted."""
        if not served.resource.namespaced:
            return
        home = self.store.get(NAMESPACES.plural, ("", namespace(obj)))
        if home is None:
            raise not_found(NAMESPACES.plural, namespace(obj))
        if home.obj["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {namespace(obj)} because it is being terminated"
            cause = Cause(
                "metadata.namespace",
                f"namespace {namespace(obj)} is being terminated",
                "NamespaceTerminating",
            )
            raise forbidden(served.id, key(obj)[1], why, [cause])
