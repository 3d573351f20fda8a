"""Sets of field paths in the shape of `fieldsV1`, the form in which managedFields remembers who owns what.

A set is a trie of nested dicts. A key is a path element: `f:<field>`, `k:<JSON of a list element's keys>`,
`v:<JSON of a set's value>`. A path is a member where the trie ends (`{}`) or where `.` stands. Example, a
container's image and the container itself: `{"f:spec": {"f:containers": {'k:{"name":"x"}': {".": {},
"f:image": {}}}}}`.
"""

import json
from collections.abc import Iterator
from typing import Any

from embedded.schema.merge_keys import KEY_DEFAULTS
from embedded.schema.types import TypeSchema

FieldSet = dict[str, Any]
SELF = "."
LEAF: FieldSet = {SELF: {}}  # how a member without anything below looks inside


class BadList(Exception):  # noqa: N818  said of the list, not of us
    """A keyed list whose elements cannot be told apart; the text names the path."""


def element_key(entry: Any, schema: TypeSchema) -> str:
    """The path element of an entry of a set or a keyed list. Raises BadList when a key is missing."""
    if schema.list_type == "set":
        return "v:" + json.dumps(entry, separators=(",", ":"), ensure_ascii=False)
    if not isinstance(entry, dict):
        raise BadList("an associative list holds objects only")
    keys = {}
    for key in sorted(schema.map_keys):
        value = entry.get(key)
        if value is None:
            value = _default_of(key, schema)
        if value is None:
            raise BadList(f'an element omits key field "{key}" (and doesn\'t have default value)')
        keys[key] = value
    return "k:" + json.dumps(keys, separators=(",", ":"), ensure_ascii=False)


def _default_of(key: str, schema: TypeSchema) -> Any:
    if schema.is_custom:
        return schema.element().child(key).rules.get("default")
    found = KEY_DEFAULTS.get(key)
    return "" if found is None and schema.element().child(key).shape == "string" else found


def is_keyed(schema: TypeSchema) -> bool:
    """Whether a list's elements have owners of their own."""
    return schema.shape == "list" and schema.list_type in ("set", "map")


def of(value: Any, schema: TypeSchema, path: str = "", *, is_new: bool = False) -> FieldSet:
    """All that the value sets; of a new one the maps themselves as well. Raises BadList."""
    if isinstance(value, dict) and not schema.is_atomic:
        fields: FieldSet = {}
        for key, entry in value.items():
            known = schema.child(key)
            below = of(entry, known, f"{path}.{key}", is_new=is_new)
            if below and is_new and _is_map(entry, known):
                below = {SELF: {}, **below}
            if below or _is_leaf(entry, known):
                fields[f"f:{key}"] = below
        return fields
    if isinstance(value, list) and is_keyed(schema):
        try:
            keys = [element_key(entry, schema) for entry in value]
        except BadList as error:
            raise BadList(f"{path}: {error}") from None
        found: FieldSet = {}
        for key, entry in zip(keys, value, strict=True):
            if key in found:
                raise BadList(f"{path}: duplicate entries for key {shown(key)}")
            below = of(entry, schema.element(), path + shown(key), is_new=is_new)
            found[key] = {} if key[0] == "v" else {SELF: {}, **below}
        return found
    return {}


def _is_map(value: Any, schema: TypeSchema) -> bool:
    """Whether a value is there or not apart from what is in it: a map, any object of a custom resource."""
    return isinstance(value, dict) and (schema.shape == "map" or schema.is_custom)


def _is_leaf(value: Any, schema: TypeSchema) -> bool:
    """Whether a value without fields of its own is one: an empty keyed list sets nothing."""
    if isinstance(value, dict):
        return not value or schema.is_atomic
    return not (isinstance(value, list) and is_keyed(schema))


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of either. Neither argument is changed; what is unchanged is shared."""
    if left is right:
        return left
    merged = dict(left)
    for key, below in right.items():
        here = left.get(key)
        merged[key] = below if here is None else _union_below(here, below)
    return merged


def _union_below(left: FieldSet, right: FieldSet) -> FieldSet:
    if not left and not right:
        return {}
    both = union(left, right)
    return both if left and right else {SELF: {}, **both}


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of `left` that are not members of `right`."""
    if not right:
        return left
    kept: FieldSet = {}
    for key, below in left.items():
        other = right.get(key)
        if other is None:
            kept[key] = below
            continue
        rest = {} if key == SELF else difference(below or LEAF, other or LEAF)
        if rest:
            kept[key] = {} if rest == LEAF else rest
    return kept


def without_below(left: FieldSet, right: FieldSet) -> FieldSet:
    """`left` without the members of `right` and all that lies below them."""
    if not right:
        return left
    kept: FieldSet = {}
    for key, below in left.items():
        other = right.get(key)
        if other is None:
            kept[key] = below
        elif other and SELF not in other:
            rest = without_below(below, other)
            if rest or not below:
                kept[key] = rest
    return kept


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of both."""
    kept: FieldSet = {}
    for key, below in left.items():
        other = right.get(key)
        if other is None:
            continue
        rest = LEAF if key == SELF else intersection(below or LEAF, other or LEAF)
        if rest:
            kept[key] = {} if rest == LEAF else rest
    return kept


def paths(fields: FieldSet, above: str = "") -> Iterator[str]:
    """The members as Kubernetes prints them: `.spec.containers[name="x"].image`."""
    for key, below in fields.items():
        if key == SELF:
            yield above
            continue
        path = above + shown(key)
        if below:
            yield from paths(below, path)
        else:
            yield path


def shown(key: str) -> str:
    """One path element as Kubernetes prints it."""
    if key.startswith("f:"):
        return "." + key[2:]
    if key.startswith("v:"):
        return f"[={key[2:]}]"
    keys = ",".join(f"{name}={json.dumps(value)}" for name, value in json.loads(key[2:]).items())
    return f"[{keys}]"


# -- what a write changed --------------------------------------------------------------------------------


def changed(old: Any, new: Any, schema: TypeSchema) -> tuple[FieldSet, FieldSet]:
    """(set or altered by the write, gone with it), for two values that differ."""
    if isinstance(old, dict) and isinstance(new, dict) and not schema.is_atomic:
        return _changed_object(old, new, schema)
    if isinstance(old, list) and isinstance(new, list) and is_keyed(schema):
        try:
            return _changed_list(old, new, schema)
        except BadList:  # an ordinary update may leave such a list; it is owned as a whole then
            return dict(LEAF), {}
    return dict(LEAF), {}


def _changed_object(
    old: dict[str, Any], new: dict[str, Any], schema: TypeSchema
) -> tuple[FieldSet, FieldSet]:
    written: FieldSet = {}
    gone: FieldSet = {}
    for key, value in new.items():
        before = old.get(key)
        if before is value or before == value:
            continue
        if before is None:
            _put(written, f"f:{key}", added(value, schema.child(key)))
        else:
            below, lost = changed(before, value, schema.child(key))
            _put(written, f"f:{key}", below)
            _put(gone, f"f:{key}", lost)
    gone.update({f"f:{key}": {} for key in old if key not in new})
    return written, gone


def _changed_list(old: list[Any], new: list[Any], schema: TypeSchema) -> tuple[FieldSet, FieldSet]:
    written: FieldSet = {}
    gone: FieldSet = {}
    before = {element_key(entry, schema): entry for entry in old}
    after = {element_key(entry, schema): entry for entry in new}
    for key, entry in after.items():
        if key not in before:
            _put(written, key, added(entry, schema.element()))
        elif before[key] != entry:
            below, lost = changed(before[key], entry, schema.element())
            _put(written, key, below)
            _put(gone, key, lost)
    gone.update({key: {} for key in before if key not in after})
    return written, gone


def added(value: Any, schema: TypeSchema) -> FieldSet:
    """A new value's fields, itself among them."""
    try:
        return {SELF: {}, **of(value, schema, is_new=True)}
    except BadList:
        return dict(LEAF)


def _put(fields: FieldSet, key: str, below: FieldSet) -> None:
    if below:
        fields[key] = {} if below == LEAF else below
