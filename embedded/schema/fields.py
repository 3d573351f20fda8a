"""Fields that a type does not know: naming them, and dropping them."""

from collections.abc import Iterator
from typing import Any

from embedded.schema.types import TypeSchema, joined
from kube.objects import Obj

_TYPED = ("object", "map")


def unknown_fields(obj: Obj, schema: TypeSchema) -> list[str]:
    """Paths of all fields that the type has no place for, as `spec.template.spec.containers[0].imagee`.

    Kubernetes' strict decoding writes each as `unknown field "<path>"`.
    """
    return list(_unknown(obj, schema, ""))


def _unknown(value: Any, schema: TypeSchema, path: str) -> Iterator[str]:
    if isinstance(value, dict) and schema.shape in _TYPED:
        for key, entry in value.items():
            known = schema.fields.get(key) or schema.items
            if known is None:
                if not schema.keeps_unknown:
                    yield joined(path, key)
            elif isinstance(entry, dict | list):
                yield from _unknown(entry, known, joined(path, key))
    elif isinstance(value, list) and schema.shape == "list":
        element = schema.element()
        for index, entry in enumerate(value):
            if isinstance(entry, dict | list):
                yield from _unknown(entry, element, f"{path}[{index}]")


def prune(obj: Obj, schema: TypeSchema) -> Obj:
    """The object without what its type has no place for, and without what means "not set": nulls, and in
    Kubernetes' own kinds empty lists and maps.

    The very same object comes back when nothing had to go; the argument is never changed.
    """
    pruned: Obj = _pruned(obj, schema)
    return pruned


def _pruned(value: Any, schema: TypeSchema) -> Any:
    if isinstance(value, dict) and schema.shape in _TYPED:
        return _pruned_object(value, schema)
    if isinstance(value, list) and schema.shape == "list":
        element = schema.element()
        kept = [_pruned(entry, element) if isinstance(entry, dict | list) else entry for entry in value]
        return value if all(map(_same, kept, value)) else kept
    return value


def _pruned_object(value: Obj, schema: TypeSchema) -> Obj:
    kept, is_same = {}, True
    for key, entry in value.items():
        known = schema.fields.get(key) or schema.items
        if _is_dropped(entry, known, schema):
            is_same = False
        elif known is not None and isinstance(entry, dict | list):
            below = _pruned(entry, known)
            if not below and _is_unset(key, known, schema):
                is_same = False
            else:
                kept[key] = below
                is_same = is_same and below is entry
        else:
            kept[key] = entry
    return value if is_same else kept


def _is_dropped(entry: Any, known: TypeSchema | None, schema: TypeSchema) -> bool:
    if known is None:
        return not schema.keeps_unknown
    return entry is None and not _keeps_null(known)


def _is_unset(key: str, known: TypeSchema, schema: TypeSchema) -> bool:
    """Whether an empty value means that there is none."""
    return not schema.is_custom and known.shape in ("map", "list") and key not in schema.required


def _same(left: object, right: object) -> bool:
    return left is right


def _keeps_null(schema: TypeSchema) -> bool:
    return schema.shape == "any" or bool(schema.rules.get("nullable"))
