"""Objects that went while their owners stayed, as far as the watches tell.

One watch may lag behind another: what was collected together with its owner may be heard of before the owner
is. Made again it would be collected again, and so on, as fast as both can. So whoever makes such a one again
asks for its owner first.
"""

from kube.objects import Obj, controller_of, key, uid
from kube.resources import Resource

Place = tuple[Resource, tuple[str, str]]


class Lost:
    """By the UIDs of their owners. An owner that went takes its own along."""

    def __init__(self) -> None:
        self._by_owner: dict[str, set[Place]] = {}

    def __repr__(self) -> str:
        return f"<Lost {sum(map(len, self._by_owner.values()))}>"

    def has(self, resource: Resource, obj: Obj) -> bool:
        """Whether an object of this name, of the same owner, went."""
        return (resource, key(obj)) in self._by_owner.get(_owner(obj), ())

    def went(self, resource: Resource, obj: Obj) -> None:
        """The object is gone; its owner is not known to be."""
        self._by_owner.setdefault(_owner(obj), set()).add((resource, key(obj)))

    def made(self, resource: Resource, obj: Obj) -> None:
        """It is there again."""
        places = self._by_owner.get(_owner(obj), set())
        places.discard((resource, key(obj)))
        if not places:
            self._by_owner.pop(_owner(obj), None)

    def forget(self, owner: Obj) -> None:
        """The owner is gone too."""
        self._by_owner.pop(uid(owner), None)


def _owner(obj: Obj) -> str:
    return str((controller_of(obj) or {}).get("uid") or "")
