"""What a reconciliation leaves to do."""

from dataclasses import dataclass, field
from typing import Literal

from kube.objects import Obj
from kube.resources import Resource


@dataclass(frozen=True, slots=True)
class Create:
    resource: Resource
    obj: Obj


@dataclass(frozen=True, slots=True)
class Replace:
    """``obj`` carries the resourceVersion that was read, so that a stale view is refused."""

    resource: Resource
    obj: Obj


@dataclass(frozen=True, slots=True)
class SetStatus:
    """Replace of the status alone. `can_wait`: it says no more than how far the object has come."""

    resource: Resource
    obj: Obj
    can_wait: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    resource: Resource
    obj: Obj


@dataclass(frozen=True, slots=True)
class Note:
    """An Event on ``involved``, and a line in the log unless another line says as much.

    ``topic``: what it is the last word on. It is not told again before another one on the same topic was.
    """

    involved: Obj
    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    is_logged: bool = True
    topic: str = ""


Action = Create | Replace | SetStatus | Delete | Note


@dataclass(slots=True)
class Outcome:
    """Actions in order; with ``again_in`` seconds the object wants to be looked at once more by then."""

    actions: list[Action] = field(default_factory=list)
    again_in: float | None = None
