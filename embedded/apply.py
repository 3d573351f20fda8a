"""Server-side apply, and the bookkeeping of ordinary writes that it depends on.

An applier owns the fields it lists. What it lists anew is set, what it lists no more is removed unless
somebody else owns it, and what it would change under another owner is a conflict. See "Server-Side Apply" in
the Kubernetes documentation.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from embedded import fieldsets, managed
from embedded.fieldsets import BadList, FieldSet
from embedded.managed import Entry
from embedded.merging import abandoned, merge, remove
from embedded.patch import PatchFailed
from embedded.schema.types import TypeSchema
from kube.objects import Obj, format_time

FIRST = "before-first-apply"  # owns what stood there before anybody was written down


class ApplyConflict(Exception):  # noqa: N818  a conflict is what Kubernetes calls it
    """Fields that belong to others: (manager, path) each. The API answers 409 with `status_causes`."""

    def __init__(self, causes: list[tuple[str, str]], details: list[str]) -> None:
        self.causes = causes
        self.status_causes = [
            {"reason": "FieldManagerConflict", "message": message, "field": path}
            for (_, path), message in zip(causes, details, strict=True)
        ]
        self.message = _summary(causes, details)
        super().__init__(self.message)


def _summary(causes: list[tuple[str, str]], details: list[str]) -> str:
    if len(causes) == 1:
        return f"Apply failed with 1 conflict: {details[0]}: {causes[0][1]}"
    by_owner: dict[str, list[str]] = {}
    for (_, path), owner in zip(causes, details, strict=True):
        by_owner.setdefault(owner, []).append(f"- {path}")
    listed = [
        "\n".join([owner.replace("conflict", "conflicts", 1) + ":", *found])
        for owner, found in by_owner.items()
    ]
    return f"Apply failed with {len(causes)} conflicts: " + "\n".join(listed)


@dataclass(frozen=True, slots=True)
class _Applier:
    manager: str
    api_version: str
    subresource: str

    @property
    def identity(self) -> tuple[str, str, str, str]:
        return self.manager, "Apply", self.api_version, self.subresource

    def entry(self, fields: FieldSet, now: float) -> Entry:
        return Entry(self.manager, "Apply", self.api_version, self.subresource, format_time(now), fields)


def server_side_apply(  # noqa: PLR0913  the request's parts, each named by its caller
    live: Obj | None,
    applied: Obj,
    *,
    completed: Callable[[Obj], Obj],
    manager: str,
    force: bool,
    schema: TypeSchema,
    now: float,
    subresource: str = "",
) -> Obj:
    """The object after the apply, managedFields included; `live` itself when that changes nothing.

    `completed` gives an object the defaults that it would be stored with: a list without them is the same as
    the stored list with them, so nobody is in conflict about it. Neither object is changed. Raises
    ApplyConflict, and PatchFailed (400) when `applied` has managedFields or a keyed list whose elements can't
    be told apart.
    """
    wanted = _readable(applied)
    who = _Applier(manager, applied.get("apiVersion", ""), subresource)
    try:
        fields = managed.all_fields(wanted, schema)
    except BadList as error:
        raise PatchFailed(400, "BadRequest", untyped(applied, str(error))) from error
    if live is None:
        return managed.write(wanted, [who.entry(fields, now)], now)
    entries = managed.read(live) or [_first(live, schema)]
    before = next((entry.fields for entry in entries if entry.identity == who.identity), {})
    others = [entry for entry in entries if entry.identity != who.identity]
    merged = {**merge(live, managed.own_part(wanted), schema), "kind": live.get("kind"), **_version(wanted)}
    written = managed.changes(live, merged, schema)[0]
    if written:
        written = fieldsets.intersection(written, managed.changes(live, completed(merged), schema)[0])
    others = _settle(others, written, force=force)
    keep = fieldsets.union(fields, {"f:metadata": {}})  # it holds what nobody owns, the name above all
    for entry in others:
        keep = fieldsets.union(keep, entry.fields)
    gone = abandoned(before, keep)
    merged = remove(merged, gone, schema)
    others = [replace(entry, fields=fieldsets.without_below(entry.fields, gone)) for entry in others]
    if merged == live and fields == before:
        return live
    return managed.write(merged, [*others, who.entry(fields, now)], now)


def _readable(applied: Obj) -> Obj:
    metadata = applied.get("metadata") or {}
    if metadata.get("managedFields"):
        raise PatchFailed(400, "BadRequest", "metadata.managedFields must be nil")
    wanted: Obj = _without_nulls(applied)
    if "managedFields" in metadata:
        wanted["metadata"] = {k: v for k, v in wanted["metadata"].items() if k != "managedFields"}
    return wanted


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(entry) for key, entry in value.items() if entry is not None}
    if isinstance(value, list):
        return [_without_nulls(entry) for entry in value]
    return value


def _version(wanted: Obj) -> Obj:
    return {"apiVersion": wanted["apiVersion"]} if "apiVersion" in wanted else {}


def untyped(applied: Obj, problem: str) -> str:
    """How Kubernetes words that what is applied does not fit the kind's schema."""
    name, version = (applied.get("metadata") or {}).get("name", ""), applied.get("apiVersion", "")
    kind = f"{version if '/' in version else f'/{version}'}, Kind={applied.get('kind', '')}"
    return f"failed to create typed patch object (/{name}; {kind}): {problem}"


def _first(live: Obj, schema: TypeSchema) -> Entry:
    try:
        fields = managed.all_fields(live, schema, is_new=True)
    except BadList:
        fields = {}
    created = (live.get("metadata") or {}).get("creationTimestamp") or ""
    return Entry(FIRST, "Update", live.get("apiVersion", ""), "", created, fields)


def _settle(others: list[Entry], written: FieldSet, *, force: bool) -> list[Entry]:
    """The other managers after the write: they lose what it changes, or it is refused."""
    causes: list[tuple[str, str]] = []
    details: list[str] = []
    settled = []
    for entry in others:
        taken = fieldsets.intersection(entry.fields, written)
        for path in fieldsets.paths(taken):
            causes.append((entry.manager, path))
            details.append(_owner(entry))
        settled.append(replace(entry, fields=fieldsets.difference(entry.fields, taken)))
    if causes and not force:
        raise ApplyConflict(causes, details)
    return settled


def _owner(entry: Entry) -> str:
    text = f'conflict with "{entry.manager}"'
    if entry.subresource:
        text += f' with subresource "{entry.subresource}"'
    return f"{text} using {entry.api_version}" if entry.operation == "Update" else text


# -- other writes ----------------------------------------------------------------------------------------


def track_update(  # noqa: PLR0913  the request's parts, each named by its caller
    old: Obj | None,
    new: Obj,
    *,
    manager: str,
    operation: str = "Update",
    subresource: str = "",
    schema: TypeSchema,
    now: float,
) -> Obj:
    """The new object with managedFields saying that `manager` wrote what differs from `old`.

    Neither argument is changed. A request that sends `managedFields: []` wipes the old entries.
    """
    entries: list[Entry] = []
    gone: FieldSet = {}
    if old is None:
        written = _everything(new, schema)
    else:
        written, gone = managed.changes(old, new, schema)
        if not written and not gone and _sent(new) in (None, _sent(old)):
            return managed.keep(new, old)
        entries = _standing(old, new)
        if not entries:
            return managed.write(new, [], now)  # whom nobody was written down for stays so until an apply
    mine = Entry(manager, operation, new.get("apiVersion", ""), subresource, format_time(now), {})
    after = []
    for entry in entries:
        left = fieldsets.without_below(entry.fields, gone)
        if entry.identity == mine.identity:
            mine = replace(mine, fields=left, time=mine.time if written else entry.time)
        else:
            after.append(replace(entry, fields=fieldsets.difference(left, written)))
    after.append(replace(mine, fields=fieldsets.union(mine.fields, written)))
    return managed.write(new, after, now)


def _everything(new: Obj, schema: TypeSchema) -> FieldSet:
    try:
        return managed.all_fields(new, schema, is_new=True)
    except BadList:
        return managed.changes({}, new, schema)[0]


def _standing(old: Obj, new: Obj) -> list[Entry]:
    """The entries to go on from: those the request sends, else those stored."""
    if _sent(new) in ([], [{}]):
        return []
    return managed.read(new) or managed.read(old)


def _sent(obj: Obj) -> Any:
    return (obj.get("metadata") or {}).get("managedFields")
