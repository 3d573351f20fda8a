"""How an applied object is laid over the stored one, and what is taken away with its last owner.

The results, order included, are those of Kubernetes' structured-merge-diff.
"""

import json
from typing import Any

from embedded.fieldsets import SELF, BadList, FieldSet, element_key, is_keyed
from embedded.schema.types import TypeSchema, copy_json


def merge(live: Any, applied: Any, schema: TypeSchema) -> Any:
    """The stored value with all that is applied; what stands there besides stays."""
    if isinstance(live, dict) and isinstance(applied, dict) and not schema.is_atomic:
        merged = dict(live)
        for key, value in applied.items():
            if value != [] or key in live or not is_keyed(schema.child(key)):  # such a list sets nothing
                merged[key] = merge(live.get(key), value, schema.child(key))
        return merged
    if isinstance(live, list) and isinstance(applied, list) and is_keyed(schema):
        return _merge_list(live, applied, schema)
    return copy_json(applied)


def _merge_list(live: list[Any], applied: list[Any], schema: TypeSchema) -> list[Any]:
    """The applier's elements in its order; the others stay before the element that they stood before."""
    try:
        here = {element_key(entry, schema): entry for entry in live}
    except BadList:
        return list(copy_json(applied))
    wanted = {element_key(entry, schema): entry for entry in applied}
    return [
        merge(here.get(key), wanted[key], schema.element()) if key in wanted else here[key]
        for key in _woven(list(here), list(wanted))
    ]


def _woven(live: list[str], applied: list[str]) -> list[str]:
    """The keys of both: the applier's in its order, each of the others before what it stood before."""
    shared = [key for key in applied if key in live]
    woven: list[str] = []
    for key in applied:
        following = shared[0] if shared else None
        while live and live[0] != following:
            if live[0] not in applied:
                woven.append(live[0])
            live = live[1:]
        woven.append(key)
        if key == following:
            shared = shared[1:]
            live = live[1:] if live[:1] == [key] else live
    return woven + live


def abandoned(before: FieldSet, keep: FieldSet) -> FieldSet:
    """What goes with its owner: fields of `before` that are not in `keep` and lead to nothing in it.

    An element of a list goes with its last owner, though others may own some of its fields.
    """
    gone: FieldSet = {}
    for key, below in before.items():
        if key == SELF:
            continue
        kept = keep.get(key)
        if kept is None or (key[0] != "f" and SELF in below and kept and SELF not in kept):
            gone[key] = {}
        else:
            rest = abandoned(below, {**kept, **{f"f:{name}": {} for name in _key_names(key)}})
            if rest:
                gone[key] = rest
    return gone


def remove(value: Any, gone: FieldSet, schema: TypeSchema) -> Any:
    """The value without the fields of `gone`."""
    if isinstance(value, dict) and not schema.is_atomic:
        left = dict(value)
        for element, below in gone.items():
            key = element[2:]
            if not below:
                left.pop(key, None)
            elif key in left:
                left[key] = remove(left[key], below, schema.child(key))
        return left
    if isinstance(value, list) and is_keyed(schema):
        return _remove_elements(value, gone, schema)
    return value


def _remove_elements(value: list[Any], gone: FieldSet, schema: TypeSchema) -> list[Any]:
    try:
        keys = [element_key(entry, schema) for entry in value]
    except BadList:
        return value
    return [
        remove(entry, gone[key], schema.element()) if gone.get(key) else entry
        for key, entry in zip(keys, value, strict=True)
        if gone.get(key) != {}
    ]


def _key_names(element: str) -> list[str]:
    """The fields that an element is known by; it keeps them as long as it stands."""
    return list(json.loads(element[2:])) if element.startswith("k:") else []
