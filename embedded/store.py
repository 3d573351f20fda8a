"""All objects of the embedded cluster: in memory for reading, in SQLite for the next start.

An object is kept as parsed JSON and as its text; neither is changed once stored, so both may be handed out.
Every write gets the next revision, the number that Kubernetes calls resourceVersion. Writes are visible to
readers at once; `commit` makes all of them durable in one transaction and then tells the listeners.
"""

import json
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from kube.objects import Key, Obj, key

HISTORY = 512  # changes remembered for each resource, for watches that begin in the past
_WAL_PAGES = (
    20_000  # a checkpoint in mid-request costs a disk flush: only if nobody calls `checkpoint` for 80 MB
)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (id INTEGER PRIMARY KEY, resource TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS revision (id INTEGER PRIMARY KEY CHECK (id = 0), value INTEGER NOT NULL);
INSERT OR IGNORE INTO revision VALUES (0, 1);
"""

ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]


@dataclass(slots=True, eq=False)
class Entry:
    """One stored object: its JSON, the same as text, the revision that wrote it, and its row on disk."""

    obj: Obj
    text: str
    revision: int
    row: int


@dataclass(slots=True, eq=False)
class Change:
    """What one write did. `entry` is the object after it (DELETED: its last state), `old` what was before."""

    type: ChangeType
    resource: str
    entry: Entry
    old: Obj | None
    _line: bytes = b""

    def line(self) -> bytes:
        """The change as a watch event of its own type: one line of JSON, encoded once for all watchers."""
        if not self._line:
            self._line = event_line(self.type, self.entry.text)
        return self._line


def event_line(type_: str, text: str) -> bytes:
    """A watch event around an object's text."""
    return f'{{"type":"{type_}","object":{text}}}\n'.encode()


# What comes from JSON has no circles: looking for them costs a quarter of the time.
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)


def encode(obj: Any) -> str:
    """The object as compact ASCII JSON. Raises ValueError for numbers that JSON does not have."""
    return _ENCODER.encode(obj)


Listener = Callable[[Change], None]


@dataclass(slots=True)
class _Collection:
    """The objects of one resource, in the order of their keys when `ordered`."""

    entries: dict[Key, Entry] = field(default_factory=dict)
    is_ordered: bool = True
    history: deque[Change] = field(default_factory=lambda: deque(maxlen=HISTORY))
    forgotten: int = 0  # the newest revision that the history does not hold any more
    listeners: list[Listener] = field(default_factory=list)


class Store:
    """Objects by resource ("pods", "deployments.apps") and key; in memory alone when no file is given."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._disk = sqlite3.connect(str(file) if file else ":memory:", isolation_level=None)
        self._disk.execute("PRAGMA journal_mode=WAL")
        self._disk.execute("PRAGMA synchronous=NORMAL")
        self._disk.execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")
        self._disk.executescript(_SCHEMA)
        self._collections: dict[str, _Collection] = {}
        self._statements: list[tuple[str, tuple[object, ...]]] = []
        self._changes: list[Change] = []
        (self.revision,) = self._disk.execute("SELECT value FROM revision").fetchone()
        self._first = int(self.revision)
        self._rows = 0
        self._load()

    def _load(self) -> None:
        for row, resource, text in self._disk.execute("SELECT id, resource, body FROM objects"):
            obj = json.loads(text)
            collection = self._collection(resource)
            collection.entries[key(obj)] = Entry(obj, text, int(obj["metadata"]["resourceVersion"]), row)
            collection.is_ordered = False
            self._rows = max(self._rows, row)

    # Reading

    def get(self, resource: str, where: Key) -> Entry | None:
        """The object, or None."""
        collection = self._collections.get(resource)
        return collection.entries.get(where) if collection else None

    def entries(self, resource: str, namespace: str = "") -> list[Entry]:
        """The objects of a resource, of one namespace or of all, ordered by namespace and name."""
        collection = self._collections.get(resource)
        if collection is None:
            return []
        if not collection.is_ordered:
            collection.entries = dict(sorted(collection.entries.items()))
            collection.is_ordered = True
        if not namespace:
            return list(collection.entries.values())
        return [entry for where, entry in collection.entries.items() if where[0] == namespace]

    def everything(self) -> Iterator[tuple[str, Entry]]:
        """All objects with their resource."""
        for resource, collection in self._collections.items():
            for entry in list(collection.entries.values()):
                yield resource, entry

    def since(self, resource: str, revision: int) -> list[Change] | None:
        """The changes after a revision, oldest first; None when some of them are forgotten or yet to come."""
        collection = self._collection(resource)
        if revision < collection.forgotten or revision > self.revision:
            return None
        return [change for change in collection.history if change.entry.revision > revision]

    # Writing

    def put(self, resource: str, obj: Obj) -> Entry:
        """Store the object, which is the store's from now on, under the next revision."""
        collection, where = self._collection(resource), key(obj)
        old = collection.entries.get(where)
        obj["metadata"]["resourceVersion"] = str(self.revision + 1)
        text = encode(obj)
        self.revision += 1
        if old is None:
            self._rows += 1
            entry = Entry(obj, text, self.revision, self._rows)
            collection.is_ordered = False
            self._statements.append(("INSERT INTO objects VALUES (?, ?, ?)", (entry.row, resource, text)))
        else:
            entry = Entry(obj, text, self.revision, old.row)
            self._statements.append(("UPDATE objects SET body = ? WHERE id = ?", (text, entry.row)))
        collection.entries[where] = entry
        self._changes.append(
            Change("MODIFIED" if old else "ADDED", resource, entry, old.obj if old else None)
        )
        return entry

    def drop(self, resource: str, where: Key, last: Obj | None = None) -> Entry:
        """Remove the object; returns its last state, under the revision that removed it. Raises KeyError.

        `last` is that state, where the write that changed the object let it go as well.
        """
        old = self._collection(resource).entries.pop(where)
        self.revision += 1
        obj = last or old.obj
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.revision)}}
        entry = Entry(obj, encode(obj), self.revision, old.row)
        self._statements.append(("DELETE FROM objects WHERE id = ?", (entry.row,)))
        self._changes.append(Change("DELETED", resource, entry, old.obj))
        return entry

    def commit(self) -> None:
        """Make the writes so far durable, then tell the listeners, in order.

        When the disk refuses, sqlite3.Error is raised and the writes stay due for the next commit.
        """
        if not self._changes:
            return
        self._disk.execute("BEGIN")
        try:
            for statement, values in self._statements:
                self._disk.execute(statement, values)
            self._disk.execute("UPDATE revision SET value = ?", (self.revision,))
            self._disk.execute("COMMIT")
        except sqlite3.Error:
            if self._disk.in_transaction:
                self._disk.execute("ROLLBACK")
            raise
        self._statements.clear()
        changes, self._changes = self._changes, []
        for change in changes:
            self._tell(change)

    def _tell(self, change: Change) -> None:
        collection = self._collections[change.resource]
        if len(collection.history) == HISTORY:
            collection.forgotten = collection.history[0].entry.revision
        collection.history.append(change)
        for listener in list(collection.listeners):
            listener(change)

    # Following

    def follow(self, resource: str, listener: Listener) -> None:
        """Call the listener after each committed change of the resource; it must not wait or raise."""
        self._collection(resource).listeners.append(listener)

    def unfollow(self, resource: str, listener: Listener) -> None:
        """Stop calling the listener, if it was called at all."""
        listeners = self._collection(resource).listeners
        if listener in listeners:
            listeners.remove(listener)

    def _collection(self, resource: str) -> _Collection:
        collection = self._collections.get(resource)
        if collection is None:
            collection = self._collections[resource] = _Collection(forgotten=self._first)
        return collection

    # Household

    def checkpoint(self) -> None:
        """Move the write-ahead log into the database file; may wait for the disk, so call it off the loop.

        Uses a connection of its own: any thread may call it. Does nothing in memory.
        """
        if self._file is None:
            return
        disk = sqlite3.connect(str(self._file), isolation_level=None)
        try:
            disk.execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            disk.close()

    def close(self) -> None:
        """Commit and let go of the file."""
        self.commit()
        self._disk.close()

    def __repr__(self) -> str:
        count = sum(len(collection.entries) for collection in self._collections.values())
        return f"<Store revision {self.revision}, {count} objects, {len(self._collections)} resources>"
