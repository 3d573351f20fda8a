"""What a table consists of: columns, each with a way to find its cell."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from embedded.tables.ages import age
from kube.objects import Obj

Cell = Callable[[Obj, float], Any]  # (object, now in Unix seconds) → what the cell shows
NONE = "<none>"


@dataclass(frozen=True, slots=True)
class Column:
    """A column as `meta.k8s.io/v1 Table` defines it. Priority 0 is always shown, 1 with `-o wide` alone."""

    name: str
    cell: Cell = field(repr=False)
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""

    def definition(self) -> Obj:
        """Its entry in `columnDefinitions`."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


def wide(name: str, cell: Cell, type_: str = "string") -> Column:
    """A column that `-o wide` adds."""
    return Column(name, cell, type_, priority=1)


def at(*path: str, default: Any = "") -> Cell:
    """The value at the end of plain fields; the default where one is missing."""

    def cell(obj: Obj, _now: float) -> Any:
        value: Any = obj
        for key in path:
            value = (value or {}).get(key)
        return default if value is None else value

    return cell


def _age(obj: Obj, now: float) -> str:
    return age(obj["metadata"].get("creationTimestamp"), now)


NAME = Column("Name", at("metadata", "name"), format="name", description="Unique within a namespace.")
AGE = Column("Age", _age, description="Time since the object was created.")
