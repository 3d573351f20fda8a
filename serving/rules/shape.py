"""Which fields a part of an object has, of which type, and the rules that stand at each; pure.

A shape is a structural OpenAPI schema whose key `RULES` holds `Rule`s. `openapi` gives it to an API server,
`problems` reads it here.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from serving.reading import is_whole
from serving.refusals import Errors, FieldError
from serving.rules.rule import Rule

Shape = dict[str, Any]
RULES = "rules"
UNKNOWN = "unknown"
"""What is said of fields that the shape does not have."""

TEXT: Shape = {"type": "string"}
INT32: Shape = {"type": "integer", "format": "int32"}
INT64: Shape = {"type": "integer", "format": "int64"}
FLAG: Shape = {"type": "boolean"}
INT_OR_TEXT: Shape = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
TEXTS: Shape = {"type": "object", "additionalProperties": TEXT}
QUANTITIES: Shape = {"type": "object", "additionalProperties": INT_OR_TEXT}


def said(description: str, shape: Shape) -> Shape:
    """The shape with a sentence for `kubectl explain`."""
    return {"description": description, **shape}


def record(**fields: Shape) -> Shape:
    """An object with these fields and no others."""
    return {"type": "object", "properties": fields}


def listed(items: Shape, *, most: int = 0) -> Shape:
    """A list, of ``most`` elements; 0 is no limit. Rules need limits: they are what a check may cost."""
    return {"type": "array", "items": items, **({"maxItems": most} if most else {})}


def short(longest: int) -> Shape:
    """A text of so many characters at most."""
    return {"type": "string", "maxLength": longest}


def ruled(shape: Shape, *rules: Rule, unknown: str = "") -> Shape:
    """The shape with rules of its own, besides those it has."""
    more = {UNKNOWN: unknown} if unknown else {}
    return {**shape, RULES: (*shape.get(RULES, ()), *rules), **more}


def openapi(shape: Shape) -> Shape:
    """As a definition of custom resources has it."""
    out: Shape = {}
    for key, value in shape.items():
        if key == "properties":
            out[key] = {name: openapi(field) for name, field in value.items()}
        elif key in {"items", "additionalProperties"}:
            out[key] = openapi(value)
        elif key == RULES:
            is_text = shape.get("type") == "string" and "maxLength" in shape
            out["x-kubernetes-validations"] = [rule.rendered(is_text=is_text) for rule in value]
        elif key != UNKNOWN:
            out[key] = value
    return out


def problems(shape: Shape, value: Any, old: Any = None, path: str = "") -> Errors:
    """What an API server with this shape refuses; what is as it was in ``old`` is not looked at again."""
    if value is None or value == old:
        return
    if shape.get("type") in {"object", "array"} and not has_type(shape, value):
        yield FieldError(path, f"must be of type {shape['type']}")
        return
    yield from _own(shape, value, old, path)
    yield from _below(shape, value, old, path)


def _own(shape: Shape, value: Any, old: Any, path: str) -> Errors:
    """Of the part itself: its rules, its type, its size."""
    is_typed = has_type(shape, value)
    for rule in shape.get(RULES, ()):
        if rule.is_of_updates and old is None:
            continue
        if not _holds(rule, value, old):
            yield FieldError(_joined(path, rule.path), rule.told(value))
            if not is_typed:
                return
    if not is_typed:
        yield FieldError(path, f"must be of type {shape.get('type', 'integer or string')}")
    elif isinstance(value, list) and len(value) > shape.get("maxItems", len(value)):
        yield FieldError(path, f"must have at most {shape['maxItems']} items")
    elif isinstance(value, str) and len(value) > shape.get("maxLength", len(value)):
        yield FieldError(path, f"may not be more than {shape['maxLength']} bytes")


def _holds(rule: Rule, value: Any, old: Any) -> bool:
    return rule.holds(value, old) if rule.is_of_updates else rule.holds(value)


def _below(shape: Shape, value: Any, old: Any, path: str) -> Errors:
    if isinstance(value, list):
        for index, element in enumerate(value):
            yield from problems(shape.get("items", {}), element, None, f"{path}[{index}]")
    elif isinstance(value, dict) and "properties" in shape:
        former = old if isinstance(old, dict) else {}
        for field, known in _fields(shape, value):
            if known is None:
                yield FieldError(_joined(path, field), shape.get(UNKNOWN, "must not set the field"))
            else:
                yield from problems(known, value[field], former.get(field), _joined(path, field))
    elif isinstance(value, dict) and "additionalProperties" in shape:
        for key, element in value.items():
            yield from problems(shape["additionalProperties"], element, None, _joined(path, key))


def _fields(shape: Shape, value: Mapping[str, Any]) -> Iterator[tuple[str, Shape | None]]:
    """The value's fields with their shapes, unknown ones first."""
    known = shape["properties"]
    yield from ((field, None) for field in sorted(map(str, set(value) - set(known))))
    yield from ((field, known[field]) for field in known if field in value)


def completed(shape: Shape, value: Any) -> Any:
    """A copy with the defaults that stand in the shape, as an API server fills them in."""
    if isinstance(value, list):
        return [completed(shape.get("items", {}), element) for element in value]
    if not isinstance(value, dict):
        return value
    known = shape.get("properties", {})
    out = {field: completed(known.get(field, {}), element) for field, element in value.items()}
    for field, below in known.items():
        if "default" in below and out.get(field) is None:
            out[field] = copy.deepcopy(below["default"])
    return out


def has_type(shape: Shape, value: Any) -> bool:
    """Whether the JSON type is right."""
    match shape.get("type"):
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "integer":
            return is_whole(value)
        case "boolean":
            return isinstance(value, bool)
        case _:
            return is_whole(value) or isinstance(value, str)


def _joined(path: str, below: str) -> str:
    return f"{path}.{below}" if path and below and not below.startswith("[") else path + below
