"""What a controller knows of one kind: an informer's cache, indexed by owner, and ahead of it its own writes.

A watch lags behind one's own writes. Without the writes a controller would make a pod twice or choose two
victims for one. Each own write stands here until the cache has caught up, or for `PATIENCE` if it never does
(the object may have come and gone while the watch was broken).
"""

from dataclasses import dataclass, field

from kube.objects import Key, Obj, controller_of, key, namespace, uid

PATIENCE = 60.0
"""Seconds an own write is believed without being seen."""


@dataclass(slots=True)
class Backlog:
    """Objects by key and by owner. `objects` is what holds now: the cache, overlaid with own writes."""

    objects: dict[Key, Obj] = field(default_factory=dict)
    _children: dict[str, dict[Key, Obj]] = field(default_factory=dict)
    _unseen: dict[Key, float] = field(default_factory=dict)
    _doomed: dict[str, float] = field(default_factory=dict)

    def see(self, where: Key, obj: Obj | None) -> None:
        """The cache shows the object, or that it is gone. News older than an own write is passed over."""
        known = self.objects.get(where)
        if obj is None:
            if known is not None:
                self._doomed.pop(uid(known), None)
            self._unseen.pop(where, None)
            self._put(where, None)
            return
        if where in self._unseen and known is not None and _is_older(obj, known):
            return
        self._unseen.pop(where, None)
        self._put(where, obj)

    def wrote(self, obj: Obj, now: float) -> None:
        """The API answered a write of ours with this object."""
        where = key(obj)
        known = self.objects.get(where)
        if known is not None and not _is_older(known, obj):
            return
        self._unseen[where] = now
        self._put(where, obj)

    def deleted(self, uid_: str, now: float) -> None:
        """A deletion of ours was accepted; the object counts as being deleted from now on."""
        self._doomed[uid_] = now

    def children(self, owner: Obj) -> list[Obj]:
        """The owner's children, and the orphans of its namespace; doomed ones carry a deletionTimestamp."""
        mine = self._children.get(uid(owner), {}).values()
        orphans = self._children.get(f"/{namespace(owner)}", {}).values()
        return [self._as_known(obj) for obj in (*mine, *orphans)]

    def forget_stale(self, now: float) -> list[Key]:
        """Stop believing own writes that were never seen for too long.

        Returns the objects given up: they are unknown until the cache's view of them is seen again.
        """
        for uid_ in [uid_ for uid_, since in self._doomed.items() if since + PATIENCE <= now]:
            del self._doomed[uid_]
        stale = [where for where, since in self._unseen.items() if since + PATIENCE <= now]
        for where in stale:
            del self._unseen[where]
            self._put(where, None)
        return stale

    def _as_known(self, obj: Obj) -> Obj:
        meta = obj["metadata"]
        if uid(obj) not in self._doomed or meta.get("deletionTimestamp"):
            return obj
        return {**obj, "metadata": {**meta, "deletionTimestamp": "1970-01-01T00:00:00Z"}}

    def _put(self, where: Key, obj: Obj | None) -> None:
        before = self.objects.pop(where, None)
        if before is not None:
            family = self._children[_parent(before)]
            del family[where]
            if not family:
                del self._children[_parent(before)]
        if obj is not None:
            self.objects[where] = obj
            self._children.setdefault(_parent(obj), {})[where] = obj


def _parent(obj: Obj) -> str:
    """The controller's UID; orphans are filed under their namespace."""
    reference = controller_of(obj)
    return reference["uid"] if reference is not None else f"/{namespace(obj)}"


def _is_older(obj: Obj, than: Obj) -> bool:
    """Whether one object is an earlier state of the other, by resourceVersion (a rising number)."""
    if uid(obj) != uid(than):
        return False
    mine, theirs = (str(each["metadata"].get("resourceVersion") or "0") for each in (obj, than))
    return mine.isdecimal() and theirs.isdecimal() and int(mine) < int(theirs)
