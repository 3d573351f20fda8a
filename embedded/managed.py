"""`metadata.managedFields`: who wrote which fields last."""

from dataclasses import dataclass
from typing import Any

from embedded import fieldsets
from embedded.fieldsets import SELF, FieldSet
from embedded.schema.types import TypeSchema
from kube.objects import Obj, format_time

MAX_UPDATERS = 10  # more become one entry, as in Kubernetes' API server
ANCIENT = "ancient-changes"
# What the API server itself sets belongs to nobody.
_SYSTEM = frozenset({"apiVersion", "kind"})
_SYSTEM_METADATA = frozenset(
    {
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "managedFields",
    }
)


@dataclass(frozen=True, slots=True)
class Entry:
    """What one manager owns through one kind of write."""

    manager: str
    operation: str  # "Apply" or "Update"
    api_version: str
    subresource: str
    time: str
    fields: FieldSet

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """Two writes with the same identity share an entry."""
        return self.manager, self.operation, self.api_version, self.subresource


def read(obj: Obj | None) -> list[Entry]:
    """The object's entries; those without fields are left out."""
    found = ((obj or {}).get("metadata") or {}).get("managedFields")
    if not isinstance(found, list):
        return []
    return [
        Entry(
            manager=entry.get("manager", ""),
            operation=entry.get("operation", "Update"),
            api_version=entry.get("apiVersion", ""),
            subresource=entry.get("subresource", ""),
            time=entry.get("time", ""),
            fields=entry["fieldsV1"],
        )
        for entry in found
        if isinstance(entry, dict) and isinstance(entry.get("fieldsV1"), dict)
    ]


def write(obj: Obj, entries: list[Entry], now: float) -> Obj:
    """A copy of the object (its metadata; the rest is shared) that carries the entries which own anything."""
    kept = _bounded([entry for entry in entries if entry.fields], now)
    kept.sort(key=lambda entry: (entry.operation, entry.time, entry.manager, entry.subresource))
    metadata = {key: value for key, value in (obj.get("metadata") or {}).items() if key != "managedFields"}
    if kept:
        metadata["managedFields"] = [_shown(entry) for entry in kept]
    return {**obj, "metadata": metadata}


def keep(obj: Obj, old: Obj) -> Obj:
    """A copy of the object (its metadata; the rest is shared) with the stored entries as they stand."""
    metadata = dict(obj.get("metadata") or {})
    stored = (old.get("metadata") or {}).get("managedFields")
    if stored:
        metadata["managedFields"] = stored
    return {**obj, "metadata": metadata}


def _shown(entry: Entry) -> Obj:
    shown = {
        "manager": entry.manager,
        "operation": entry.operation,
        "apiVersion": entry.api_version,
        "time": entry.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": entry.fields,
    }
    if entry.subresource:
        shown["subresource"] = entry.subresource
    return shown


def _bounded(entries: list[Entry], now: float) -> list[Entry]:
    """Not more than MAX_UPDATERS updaters: the oldest share one entry."""
    updaters = sorted(
        (entry for entry in entries if entry.operation == "Update"), key=lambda entry: entry.time
    )
    surplus = updaters[: len(updaters) - MAX_UPDATERS + 1] if len(updaters) > MAX_UPDATERS else []
    if not surplus:
        return entries
    fields: FieldSet = {}
    for entry in surplus:
        fields = fieldsets.union(fields, entry.fields)
    ancient = Entry(
        ANCIENT, "Update", surplus[-1].api_version, "", surplus[-1].time or format_time(now), fields
    )
    return [entry for entry in entries if entry not in surplus] + [ancient]


def own_part(obj: Obj) -> Obj:
    """The object without what nobody owns."""
    part: dict[str, Any] = {key: value for key, value in obj.items() if key not in _SYSTEM}
    metadata = obj.get("metadata") or {}
    part["metadata"] = {key: value for key, value in metadata.items() if key not in _SYSTEM_METADATA}
    return part


def all_fields(obj: Obj, schema: TypeSchema, *, is_new: bool = False) -> FieldSet:
    """What an object sets, less what nobody owns; of a new one the maps themselves too. Raises BadList."""
    fields = fieldsets.of(own_part(obj), schema, is_new=is_new)
    if SELF in fields.get("f:metadata", {}):
        fields["f:metadata"] = {key: below for key, below in fields["f:metadata"].items() if key != SELF}
    return {key: below for key, below in fields.items() if below or key != "f:metadata"}


def changes(old: Obj, new: Obj, schema: TypeSchema) -> tuple[FieldSet, FieldSet]:
    """(written, gone) between two states of an object, less what nobody owns."""
    return fieldsets.changed(own_part(old), own_part(new), schema)
