"""Kubernetes' strategic merge patch: a merge patch that knows which lists merge, and by which key.

Directives: `$patch: replace|delete|merge` in an object or a list element, `$deleteFromPrimitiveList/<list>`,
`$setElementOrder/<list>`, `$retainKeys`. See "Update API objects in place using kubectl patch" in the
Kubernetes documentation, and the strategic merge patch page of its community repository.
"""

from collections.abc import Callable
from typing import Any

from embedded.patch import PatchFailed
from embedded.schema.types import TypeSchema, copy_json
from kube.objects import Obj

DIRECTIVE = "$patch"
RETAIN = "$retainKeys"
ORDER = "$setElementOrder/"
DELETE_FROM = "$deleteFromPrimitiveList/"
Identity = Callable[[Any], Any]  # what tells a list's elements apart


def strategic_patch(doc: Obj, patch: Any, schema: TypeSchema) -> Obj:
    """The document with the patch merged in by the lists' merge keys; the argument stays as it was.

    Raises PatchFailed: 415 for custom resources (which have no merge keys), 400 for a patch that breaks the
    directives' rules.
    """
    if schema.is_custom:
        message = "the body of the request was in an unknown format - accepted media types include: "
        accepted = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
        raise PatchFailed(415, "UnsupportedMediaType", message + accepted)
    if not isinstance(patch, dict):
        raise _bad("error decoding patch: a strategic merge patch is an object")
    return _merge_object(doc, patch, schema)


def _bad(message: str) -> PatchFailed:
    return PatchFailed(400, "BadRequest", message)


def _merge_object(doc: Obj, patch: Obj, schema: TypeSchema) -> Obj:
    directive = patch.get(DIRECTIVE)
    if directive == "replace":
        return _merge_object({}, {key: value for key, value in patch.items() if key != DIRECTIVE}, schema)
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise _bad(f"unknown patch directive: {directive!r}; write replace, delete or merge")
    merged = _retained(doc, patch)
    for key, value in patch.items():
        if key in (DIRECTIVE, RETAIN) or key.startswith((ORDER, DELETE_FROM)):
            continue
        if value is None or (_directive(value) == "delete" and key not in merged):
            merged.pop(key, None)
        else:
            merged[key] = _merge_value(merged.get(key), value, schema.child(key), patch.get(ORDER + key))
    for key, value in patch.items():
        if key.startswith(DELETE_FROM):
            _delete_from_list(merged, key.removeprefix(DELETE_FROM), value)
    _put_in_order(merged, patch, schema)
    return merged


def _put_in_order(merged: Obj, patch: Obj, schema: TypeSchema) -> None:
    """Lists that the patch orders without changing any of their elements."""
    for key, order in patch.items():
        field = key.removeprefix(ORDER)
        if key == field:
            continue
        _check_order(order)
        if field not in patch and isinstance(merged.get(field), list):
            merged[field] = _ordered(merged[field], order, merged[field], _identity(schema.child(field)))


def _retained(doc: Obj, patch: Obj) -> Obj:
    """The object's fields before the merge: all, or those that `$retainKeys` lists."""
    if RETAIN not in patch:
        return dict(doc)
    keep = patch[RETAIN]
    named = {key for key in patch if not key.startswith("$")}
    if not isinstance(keep, list) or not named <= set(keep):
        raise _bad("$retainKeys must be a list that names every field of the patch it stands in")
    return {key: value for key, value in doc.items() if key in keep}


def _delete_from_list(merged: Obj, field: str, gone: Any) -> None:
    if not isinstance(gone, list):
        raise _bad(f"$deleteFromPrimitiveList/{field} must be a list")
    if isinstance(merged.get(field), list):
        merged[field] = [entry for entry in merged[field] if entry not in gone]


def _merge_value(value: Any, patch: Any, schema: TypeSchema, order: Any) -> Any:
    if isinstance(patch, dict):
        return _merge_object(value if isinstance(value, dict) else {}, patch, schema)
    if isinstance(patch, list) and _is_merged(schema):
        return _merge_list(value if isinstance(value, list) else [], patch, schema, order)
    return copy_json(patch)


def _is_merged(schema: TypeSchema) -> bool:
    return bool(schema.merge_key) or schema.list_type == "set"


def _identity(schema: TypeSchema) -> Identity:
    if not schema.merge_key:
        return lambda entry: entry
    return lambda entry: entry.get(schema.merge_key) if isinstance(entry, dict) else None


def _merge_list(live: list[Any], patch: list[Any], schema: TypeSchema, order: Any) -> list[Any]:
    if not schema.merge_key:
        wanted = list(patch)
        merged = live + [entry for index, entry in enumerate(patch) if entry not in live + patch[:index]]
    else:
        wanted = [entry for entry in patch if not _directive(entry)]
        if any(_directive(entry) == "replace" and schema.merge_key not in entry for entry in patch):
            live, patch = [], wanted
        merged = _merge_elements(live, patch, schema)
    identity = _identity(schema)
    if order is not None:
        _check_order(order)
        places = [identity(entry) for entry in order]
        found = [places.index(place) for place in map(identity, wanted) if place in places]
        if len(found) < len(wanted) or found != sorted(found):
            raise _bad("The order in patch list doesn't match $setElementOrder list")
        wanted = order
    return _ordered(merged, wanted, live, identity)


def _check_order(order: Any) -> None:
    if not isinstance(order, list):
        raise _bad("$setElementOrder must be a list")


def _directive(entry: Any) -> Any:
    found = entry.get(DIRECTIVE) if isinstance(entry, dict) else None
    return None if found == "merge" else found


def _merge_elements(live: list[Any], patch: list[Any], schema: TypeSchema) -> list[Any]:
    """The elements of both, in no meaningful order yet."""
    key, merged = schema.merge_key, list(live)
    for entry in patch:
        if not isinstance(entry, dict) or entry.get(key) is None:
            raise _bad(f"map: {entry!r} does not contain declared merge key: {key}")
        at = next((index for index, old in enumerate(merged) if old.get(key) == entry[key]), None)
        if _directive(entry) == "delete":
            merged = [old for old in merged if old.get(key) != entry[key]]
        elif at is None:
            merged.append(_merge_object({}, entry, schema.element()))
        else:
            merged[at] = _merge_object(merged[at], entry, schema.element())
    return merged


def _ordered(merged: list[Any], wanted: list[Any], live: list[Any], identity: Identity) -> list[Any]:
    """The patch's elements in the patch's order, the others in the object's, woven by the object's order.

    Where the object's order says nothing, because an element is new, the patch's come first.
    """
    places = [identity(entry) for entry in wanted]
    server = [identity(entry) for entry in live]
    ours = [entry for entry in merged if identity(entry) in places]
    ours.sort(key=lambda entry: places.index(identity(entry)))
    theirs = [entry for entry in merged if identity(entry) not in places]
    woven: list[Any] = []
    while ours and theirs:
        mine, other = identity(ours[0]), identity(theirs[0])
        is_other_first = mine in server and other in server and server.index(other) < server.index(mine)
        woven.append((theirs if is_other_first else ours).pop(0))
    return woven + ours + theirs
