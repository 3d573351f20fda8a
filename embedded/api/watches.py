"""Watches: who wants to hear of which changes, and what has not been fetched yet."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from embedded.store import Change, Entry, Store, encode, event_line
from kube.objects import Obj
from kube.resources import Resource

MAX_PENDING = 20_000  # events that a watcher may leave lying; then its watch ends and it lists again

EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]


@dataclass(slots=True)
class Event:
    """One event of a watch; `obj` is shared and read-only."""

    type: EventType
    obj: Obj
    change: Change | None = None
    text: str = ""

    def line(self) -> bytes:
        """The event as a line of JSON; the text of an object is encoded once for all watches."""
        if self.change is not None and self.change.type == self.type:
            return self.change.line()
        return event_line(self.type, self.text or encode(self.obj))


Matches = Callable[[Obj], bool]


class Watch:
    """A subscription to one resource.

    `take` hands over the events so far. `wake` is called when there are some after there were none; the
    transport sets it. After `stop`, or when too many lie pending, `is_over` is true and nothing more comes.
    """

    def __init__(
        self, store: Store, resource: Resource, id_: str, matches: Matches, *, wants_bookmarks: bool
    ) -> None:
        self._store = store
        self._resource = resource
        self._id = id_
        self._matches = matches
        self._pending: deque[Event] = deque()
        self.wants_bookmarks = wants_bookmarks
        self.is_over = False
        self.wake: Callable[[], None] = _nobody
        self.timeout: float | None = None  # seconds, as the client asked
        self.render: Callable[[Event], Obj] | None = None  # to another representation (tables)

    def begin(self, history: list[Change]) -> None:
        """Follow the resource after what is given as history."""
        for change in history:
            self.offer(change)
        self._store.follow(self._id, self.offer)

    def add(self, entries: list[Entry]) -> None:
        """Tell of objects that exist already."""
        self._pending.extend(Event("ADDED", entry.obj, text=entry.text) for entry in entries)

    def offer(self, change: Change) -> None:
        """A committed change: it matters if the object matches now or did before."""
        old, new = change.old, change.entry.obj
        if change.type == "DELETED":
            if self._matches(new):
                self._push(Event("DELETED", new, change))
            return
        was = old is not None and self._matches(old)
        if self._matches(new):
            self._push(Event("MODIFIED" if was else "ADDED", new, change, change.entry.text))
        elif was and old is not None:
            # It left the selection: the watcher loses it, in its last state that matched.
            version = new["metadata"]["resourceVersion"]
            left = {**old, "metadata": {**old["metadata"], "resourceVersion": version}}
            self._push(Event("DELETED", left))

    def bookmark(self, *, ends_initial: bool = False) -> None:
        """Tell how far the watch has come, so that it can be taken up there."""
        meta: Obj = {"resourceVersion": str(self._store.revision)}
        if ends_initial:
            meta["annotations"] = {"k8s.io/initial-events-end": "true"}
        obj = {"kind": self._resource.kind, "apiVersion": self._resource.api_version, "metadata": meta}
        self._push(Event("BOOKMARK", obj))

    def fail(self, status: Obj) -> None:
        """End the watch with a Status."""
        self._push(Event("ERROR", status))
        self.stop()

    def take(self) -> list[Event]:
        """The events since the last time, oldest first."""
        events = list(self._pending)
        self._pending.clear()
        return events

    def stop(self) -> None:
        """Hear no more; may be called again."""
        if not self.is_over:
            self.is_over = True
            self._store.unfollow(self._id, self.offer)
            self.wake()

    def _push(self, event: Event) -> None:
        self._pending.append(event)
        if len(self._pending) == 1:
            self.wake()
        elif len(self._pending) > MAX_PENDING:
            self._pending.clear()
            self.stop()

    def __repr__(self) -> str:
        return f"<Watch of {self._id}, {len(self._pending)} pending{', over' if self.is_over else ''}>"


def _nobody() -> None:
    """Stands for the transport until it set its own."""
