"""Values that a type refuses: wrong JSON types, missing fields, and a custom resource's own constraints."""

import base64
import binascii
import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from embedded.schema.limits import built_in_problems
from embedded.schema.types import FieldProblem, Shape, TypeSchema, joined
from kube.objects import Obj
from kube.quantity import parse_quantity


def type_errors(obj: Obj, schema: TypeSchema, old: Obj | None = None) -> list[FieldProblem]:
    """All that is wrong with the object, in the order of its fields; empty when it may be stored.

    `old` is the stored object on an update: what did not change is not looked at again, and fields that may
    not change are compared with it.
    """
    problems = list(_problems(obj, schema, "", old))
    if not problems and schema.gvk is not None and not schema.is_custom:
        problems = list(built_in_problems(schema.gvk[2], obj, old))
    return problems


def _problems(value: Any, schema: TypeSchema, path: str, old: Any) -> Iterator[FieldProblem]:
    if value is None or value == old:
        return
    if not FITS[schema.shape](value):
        wanted = NAMES.get(schema.shape, schema.shape)
        yield FieldProblem(path, _wrong_type(path, wanted, value), is_type=True)
        return
    if schema.rules:
        yield from _broken_rules(value, schema, path)
    if isinstance(value, dict) and schema.shape in ("object", "map"):
        yield from _in_object(value, schema, path, old if isinstance(old, dict) else {})
    elif isinstance(value, list) and schema.shape == "list":
        yield from _in_list(value, schema, path)


def _in_object(value: Obj, schema: TypeSchema, path: str, old: Obj) -> Iterator[FieldProblem]:
    if schema.required and (schema.is_custom or path.startswith("spec")):
        for key in schema.required:
            if value.get(key) is None:
                yield FieldProblem(joined(path, key), "Required value")
    for key, entry in value.items():
        known = schema.fields.get(key) or schema.items
        if known is not None:
            yield from _problems(entry, known, joined(path, key), old.get(key))


def _in_list(value: list[Any], schema: TypeSchema, path: str) -> Iterator[FieldProblem]:
    element = schema.element()
    seen = set()
    for index, entry in enumerate(value):
        yield from _problems(entry, element, f"{path}[{index}]", None)
        if schema.is_custom and schema.list_type != "atomic":
            identity = _identity(entry, schema.map_keys)
            if identity in seen:
                yield FieldProblem(f"{path}[{index}]", f"Duplicate value: {identity}")
            seen.add(identity)


def _identity(entry: Any, keys: tuple[str, ...]) -> str:
    if keys and isinstance(entry, dict):
        entry = {key: entry.get(key) for key in keys}
    return json.dumps(entry, separators=(",", ":"))


# -- JSON types ------------------------------------------------------------------------------------------


def _is_integer(value: Any) -> bool:
    return not isinstance(value, bool) and (
        isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


def _is_quantity(value: Any) -> bool:
    if not isinstance(value, str):
        return _is_number(value)
    try:
        parse_quantity(value)
    except ValueError:
        return False
    return True


def _is_time(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        dt.datetime.fromisoformat(value)
    except ValueError:
        return False
    return "T" in value


def _is_base64(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        base64.b64decode(value, validate=True)
    except binascii.Error:
        return False
    return True


FITS: dict[Shape, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "map": lambda value: isinstance(value, dict),
    "list": lambda value: isinstance(value, list),
    "string": _is_string,
    "integer": _is_integer,
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "int-or-string": lambda value: _is_string(value) or _is_integer(value),
    "quantity": _is_quantity,
    "time": _is_time,
    "bytes": _is_base64,
    "any": lambda _: True,
}
NAMES = {
    "map": "object",
    "list": "array",
    "int-or-string": "integer or string",
    "time": "string (RFC 3339 time)",
    "bytes": "string (base64)",
}

# Of a value that has a plain type, only its own type is told.
NAMELESS = ("string", "integer", "number", "boolean", "object", "array")


def _wrong_type(path: str, wanted: str, value: Any) -> str:
    is_shown = isinstance(value, str) and wanted not in NAMELESS
    actual = json.dumps(value) if is_shown else f'"{_type_name(value)}"'
    return f"Invalid value: {actual}: {path or 'the object'} in body must be of type {wanted}: {actual}"


def _type_name(value: Any) -> str:
    names = {str: "string", bool: "boolean", int: "integer", float: "number", dict: "object", list: "array"}
    return names.get(type(value), "null")


# -- a custom resource's constraints ---------------------------------------------------------------------

BOUNDS: tuple[tuple[str, Callable[[Any], Any], Callable[[Any, Any], bool], str], ...] = (
    ("minLength", len, lambda size, bound: size >= bound, "should be at least {} chars long"),
    ("maxLength", len, lambda size, bound: size <= bound, "Too long: may not be more than {0} bytes"),
    ("minItems", len, lambda size, bound: size >= bound, "should have at least {} items"),
    ("maxItems", len, lambda size, bound: size <= bound, "Too many: {1}: must have at most {0} items"),
    ("minProperties", len, lambda size, bound: size >= bound, "should have at least {} properties"),
    ("maxProperties", len, lambda size, bound: size <= bound, "should have at most {} properties"),
    ("multipleOf", float, lambda number, bound: number % bound == 0, "should be a multiple of {}"),
)
SIZED = {
    "minLength": str,
    "maxLength": str,
    "minItems": list,
    "maxItems": list,
    "minProperties": dict,
    "maxProperties": dict,
}


def _broken_rules(value: Any, schema: TypeSchema, path: str) -> Iterator[FieldProblem]:
    shown = json.dumps(value)
    for text in _broken(value, schema.rules):
        if text.startswith(("Unsupported", "Too ")):
            yield FieldProblem(path, text)
        else:
            yield FieldProblem(path, f"Invalid value: {shown}: {path} in body {text}")


def _broken(value: Any, rules: Any) -> Iterator[str]:
    if "enum" in rules and value not in rules["enum"]:
        allowed = ", ".join(json.dumps(entry) for entry in rules["enum"])
        yield f"Unsupported value: {json.dumps(value)}: supported values: {allowed}"
    if "pattern" in rules and isinstance(value, str) and not _matches(rules["pattern"], value):
        yield f"should match '{rules['pattern']}'"
    if _is_number(value):
        yield from _out_of_range(value, rules)
    for rule, measure, holds, text in BOUNDS:
        kind = SIZED.get(rule)
        applies = isinstance(value, kind) if kind else _is_number(value)
        if rule in rules and applies and not holds(measure(value), rules[rule]):
            yield text.format(rules[rule], measure(value))
    yield from _broken_combinations(value, rules)


def _out_of_range(value: float, rules: Any) -> Iterator[str]:
    low, high = rules.get("minimum"), rules.get("maximum")
    if low is not None and (value < low or (rules.get("exclusiveMinimum") and value == low)):
        yield f"should be greater than {'' if rules.get('exclusiveMinimum') else 'or equal to '}{low}"
    if high is not None and (value > high or (rules.get("exclusiveMaximum") and value == high)):
        yield f"should be less than {'' if rules.get('exclusiveMaximum') else 'or equal to '}{high}"


def _broken_combinations(value: Any, rules: Any) -> Iterator[str]:
    """`allOf`, `anyOf`, `oneOf`, `not`: in structural schemas they hold constraints only, never types."""
    for part in rules.get("allOf", ()):
        yield from _all_broken(value, part)
    if "anyOf" in rules and all(any(_all_broken(value, part)) for part in rules["anyOf"]):
        yield "must validate at least one schema (anyOf)"
    if "oneOf" in rules:
        fitting = sum(not any(_all_broken(value, part)) for part in rules["oneOf"])
        if fitting != 1:
            yield "must validate one and only one schema (oneOf)"
    if "not" in rules and not any(_all_broken(value, rules["not"])):
        yield "must not validate the schema (not)"


def _all_broken(value: Any, part: Any) -> Iterator[str]:
    """The constraints of a nested schema that the value breaks, in its fields too."""
    declared = part.get("type")
    if declared and not FITS[_DECLARED.get(declared, "any")](value):
        yield f"must be of type {declared}"
        return
    yield from _broken(value, part)
    if isinstance(value, dict):
        for key in part.get("required", ()):
            if key not in value:
                yield f"must have {key}"
        for key, below in part.get("properties", {}).items():
            if key in value:
                yield from _all_broken(value[key], below)


_DECLARED: dict[str, Shape] = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "object": "object",
    "array": "list",
}


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern)
    except re.error:  # a construct of Go's engine that Python lacks: not checked rather than refused
        return None


def _matches(pattern: str, value: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is None or compiled.search(value) is not None
