"""What happened to one revision in the last ten minutes, in the format of `replay`.

Replaying it prints the same decisions: it begins with what the scaler remembered at that time, and times keep
whole milliseconds. It is kept in pieces of five minutes, of which the oldest is dropped.
"""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autoscaler.kpa.scaler import Scaler

PIECE = 300.0
KEPT = 600.0
_STAT, _READY, _REACHABLE, _DECIDE = range(4)
_WIDTH = 4
"""Numbers a row: time, kind, and two values."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a revision is scaled by, in the words of those who set it; annotations with their prefix."""

    config: Mapping[str, str]
    annotations: Mapping[str, str]
    container_concurrency: int


@dataclass(slots=True)
class _Piece:
    base: int
    start: float
    head: dict[str, Any]
    rows: "array[float]" = field(default_factory=lambda: array("d"))


class History:
    """Told of everything that reaches a scaler, in the order in which it does."""

    def __init__(self) -> None:
        self._pieces: list[_Piece] = []

    def __repr__(self) -> str:
        return f"<History {sum(len(piece.rows) for piece in self._pieces) // _WIDTH} events>"

    def is_due(self, now: float) -> bool:
        """Whether `begin` wants to be called before anything else is told."""
        return not self._pieces or now - self._pieces[-1].start >= PIECE

    def begin(self, setting: Setting, scaler: Scaler, ready: int, *, is_reachable: bool, now: float) -> None:
        """Begin a piece with what the scaler remembers now; drop those that are too old."""
        base = int(now) // 2 * 2
        head = {
            "t": round(now - base, 3),
            "config": dict(setting.config),
            "annotations": dict(setting.annotations),
            "containerConcurrency": setting.container_concurrency,
            "ready": ready,
            "reachable": is_reachable,
            "state": scaler.state(base),
        }
        while len(self._pieces) > 1 and self._pieces[1].start <= now - KEPT:
            del self._pieces[0]
        self._pieces.append(_Piece(base, now, head))

    def forget(self) -> None:
        """Another setting holds from now on: what was decided by the former one tells nothing any more."""
        self._pieces.clear()

    def stat(self, now: float, concurrency: float, requests: float) -> None:
        """A report."""
        self._add(now, _STAT, concurrency, requests)

    def ready(self, now: float, pods: int) -> None:
        """So many pods are ready from now on."""
        self._add(now, _READY, pods)

    def reachable(self, now: float, *, is_reachable: bool) -> None:
        """Routes lead to the revision from now on, or no more."""
        self._add(now, _REACHABLE, is_reachable)

    def decide(self, now: float) -> None:
        """A decision."""
        self._add(now, _DECIDE)

    def lines(self) -> list[dict[str, Any]]:
        """The history as `replay` reads it, one dict a line."""
        if not self._pieces:
            return []
        base = self._pieces[0].base
        events = [
            _event(round(piece.rows[at] - base, 3), *piece.rows[at + 1 : at + _WIDTH])
            for piece in self._pieces
            for at in range(0, len(piece.rows), _WIDTH)
        ]
        return [self._pieces[0].head, *events]

    def _add(self, now: float, kind: int, first: float = 0.0, second: float = 0.0) -> None:
        if self._pieces:
            self._pieces[-1].rows.extend((now, kind, first, second))


def _event(t: float, kind: float, first: float, second: float) -> dict[str, Any]:
    if kind == _STAT:
        return {"t": t, "stat": {"concurrency": first, "requests": second}}
    if kind == _READY:
        return {"t": t, "ready": int(first)}
    if kind == _REACHABLE:
        return {"t": t, "reachable": bool(first)}
    return {"t": t, "decide": True}
