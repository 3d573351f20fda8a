"""What a controller wants done: its decisions are lists of these, the edge carries them out in order."""

from dataclasses import dataclass
from typing import Literal

from kube.objects import Key, Obj, key, uid
from kube.resources import Resource


@dataclass(frozen=True, slots=True)
class Create:
    """Create the object."""

    resource: Resource
    obj: Obj


@dataclass(frozen=True, slots=True)
class Patch:
    """Merge-patch the object (or its sub-resource) if it still is the one with that UID."""

    resource: Resource
    key: Key
    uid: str
    body: Obj
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the object if it still is the one with that UID; pods get their own grace period."""

    resource: Resource
    key: Key
    uid: str


@dataclass(frozen=True, slots=True)
class Report:
    """Tell of it in an Event; never stands in the way of the other writes."""

    involved: Obj
    type: Literal["Normal", "Warning"]
    reason: str
    message: str


Write = Create | Patch | Delete | Report


def patch_of(resource: Resource, obj: Obj, body: Obj, *, subresource: str = "") -> Patch:
    """The patch of an object that was read: it names the UID, so that a namesake is never changed."""
    return Patch(resource, key(obj), uid(obj), body, subresource)
