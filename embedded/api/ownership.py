"""Who owns whom, and how much stands in each namespace: indexes kept beside the store."""

from collections import Counter

from kube.objects import Key, Obj, key, namespace, uid

Ref = tuple[str, Key]
"""(resource, key): one object of the store."""


class Ownership:
    """Counts equal a recount of the store after each `note`."""

    def __init__(self) -> None:
        self.alive: dict[str, Ref] = {}  # by UID
        self._dependents: dict[str, dict[Ref, None]] = {}  # by the owner's UID, in the order of creation
        self.contents: Counter[str] = Counter()  # objects in each namespace

    def note(self, resource: str, old: Obj | None, new: Obj | None) -> None:
        """An object was created (no old), changed, or removed (no new)."""
        if old is not None:
            ref = (resource, key(old))
            if new is None:
                self.alive.pop(uid(old), None)
                self.contents[namespace(old)] -= 1
            if new is None or references(old) != references(new):
                self._forget(ref, old)
        if new is not None:
            ref = (resource, key(new))
            if old is None:
                self.alive[uid(new)] = ref
                self.contents[namespace(new)] += 1
            for reference in references(new):
                self._dependents.setdefault(reference.get("uid", ""), {})[ref] = None

    def _forget(self, ref: Ref, old: Obj) -> None:
        for reference in references(old):
            dependents = self._dependents.get(reference.get("uid", ""))
            if dependents is not None:
                dependents.pop(ref, None)
                if not dependents:
                    del self._dependents[reference.get("uid", "")]

    def dependents(self, owner: str) -> list[Ref]:
        """The objects that name this UID as an owner."""
        return list(self._dependents.get(owner, ()))

    def __repr__(self) -> str:
        return f"<Ownership of {len(self.alive)} objects, {len(self._dependents)} owners>"


def references(obj: Obj) -> list[Obj]:
    """The object's owner references, never None."""
    return obj["metadata"].get("ownerReferences") or []
