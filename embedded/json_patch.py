"""The operations of a JSON patch (RFC 6902), as Kubernetes' API server carries them out.

It departs from the RFC: `replace` sets a member that is not there, `test` finds null where nothing is, and a
negative index counts from a list's end.
"""

from typing import Any

from embedded.schema.types import copy_json
from kube.objects import Obj


class Misfit(Exception):  # noqa: N818  said of the operation, no program failed
    """An operation that does not fit the document; the text says why and quotes nothing of the document."""


def operate(doc: Any, operation: Obj) -> Any:
    """The document after one operation; it is changed in place. Raises Misfit."""
    op, path = operation.get("op"), _pointer(operation, "path")
    if op == "remove":
        parent, key = _parent(doc, path)
        _remove(parent, key)
    elif op == "move":
        parent, key = _parent(doc, _pointer(operation, "from"))
        value = _get(parent, key)
        _remove(parent, key)
        _add(*_parent(doc, path), value)
    elif op == "copy":
        value = _get(*_parent(doc, _pointer(operation, "from")))
        _add(*_parent(doc, path), copy_json(value))
    elif op not in ("add", "replace", "test"):
        raise Misfit(f"there is no operation {op!r}")
    elif "value" not in operation:
        raise Misfit("value is missing")
    else:
        return _with_value(doc, op, path, operation["value"])
    return doc


def _with_value(doc: Any, op: str, path: str, value: Any) -> Any:
    if op == "replace" and not path:
        return copy_json(value)
    parent, key = _parent(doc, path)
    if op == "add":
        _add(parent, key, copy_json(value))
    elif op == "replace":
        _replace(parent, key, copy_json(value))
    elif not _is_same(_get(parent, key), value):
        raise Misfit("testing value failed")
    return doc


def _pointer(operation: Obj, name: str) -> str:
    found = operation.get(name)
    if not isinstance(found, str):
        raise Misfit(f"{name} is missing")
    return found


def _parent(doc: Any, path: str) -> tuple[Any, str]:
    """The object or list that holds what the path names, and the key there."""
    _, *steps = [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")]
    if not steps:
        raise Misfit("the path does not fit")
    parent = doc
    for step in steps[:-1]:
        parent = _get(parent, step)
    if not isinstance(parent, dict | list):
        raise Misfit("the path does not fit")
    return parent, steps[-1]


def _get(parent: Any, key: str) -> Any:
    """The value at a key; None where an object has none."""
    if isinstance(parent, dict):
        return parent.get(key)
    if isinstance(parent, list):
        return parent[_index(key, len(parent))]
    raise Misfit("the path does not fit")


def _add(parent: Any, key: str, value: Any) -> None:
    if isinstance(parent, dict):
        parent[key] = value
    elif key == "-":
        parent.append(value)
    else:
        parent.insert(_index(key, len(parent) + 1), value)


def _replace(parent: Any, key: str, value: Any) -> None:
    if isinstance(parent, dict):
        parent[key] = value
    else:
        parent[_index(key, len(parent))] = value


def _remove(parent: Any, key: str) -> None:
    if isinstance(parent, list):
        del parent[_index(key, len(parent))]
    elif key in parent:
        del parent[key]
    else:
        raise Misfit("the path does not fit")


def _index(key: str, length: int) -> int:
    """A place in a list of that many places."""
    digits = key.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 9:
        raise Misfit("the path does not fit")
    index = int(key)
    if not -length <= index < length:
        raise Misfit("the path does not fit")
    return index % length


def _is_same(left: Any, right: Any) -> bool:
    """Whether two values are the same JSON: true is not 1, and 1 is not 1.0."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_is_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_is_same, left, right))
    return type(left) is type(right) and bool(left == right)
