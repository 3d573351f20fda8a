"""What an API server's audit log says of our programs: who asked for what, when, with which result."""

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


class Line(NamedTuple):
    """One request. Unix seconds with microseconds: when it was received, when its answer was complete."""

    received: float
    done: float
    program: str
    verb: str
    resource: str
    namespace: str
    name: str
    status: int

    @property
    def is_write(self) -> bool:
        """Whether it changes something; Leases, by which leaders lead, are not counted among writes."""
        return self.verb in WRITES and self.resource != "leases"


class AuditLog:
    """Reads what was appended since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self.lines: list[Line] = []

    def look(self) -> list[Line]:
        """All lines so far."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        self.lines += [_line(json.loads(each)) for each in whole.splitlines()]
        return self.lines

    def between(self, first: float, last: float, programs: Iterable[str]) -> Iterator[Line]:
        """The requests of some programs that were received within that time."""
        wanted = frozenset(programs)
        return (line for line in self.lines if first <= line.received < last and line.program in wanted)


def counted(lines: Iterable[Line]) -> dict[str, int]:
    """How many of each kind: "autoscaler patch deployments/scale"."""
    found = Counter(f"{line.program} {line.verb} {line.resource}" for line in lines)
    return dict(found.most_common())


def _line(event: dict[str, Any]) -> Line:
    what = event.get("objectRef") or {}
    return Line(
        _seconds(event["requestReceivedTimestamp"]),
        _seconds(event["stageTimestamp"]),
        event["user"]["username"].rpartition(":")[2].removeprefix("zerogate-"),
        event["verb"],
        "/".join(filter(None, (what.get("resource"), what.get("subresource")))),
        what.get("namespace", ""),
        what.get("name", ""),
        int((event.get("responseStatus") or {}).get("code") or 0),
    )


def _seconds(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()
