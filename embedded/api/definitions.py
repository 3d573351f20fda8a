"""CustomResourceDefinitions: which can be served, and the status of those that are.

A definition is served the moment it is stored, so whatever could not be served has to be refused before.
"""

from collections.abc import Callable, Iterator
from typing import Any

from embedded.api.refusals import Cause
from embedded.api.registry import BUILT_IN
from kube.objects import Obj, format_time

_OUR_GROUPS = {served.resource.group for served in BUILT_IN}
_TYPES = ("array", "boolean", "integer", "number", "object", "string")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


# What a schema's keywords may hold; those that hold schemas are followed in `_schema_problems`.
_KEYWORDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "type": (lambda value: value in _TYPES, f"must be one of {', '.join(_TYPES)}"),
    "multipleOf": (lambda value: _is_number(value) and value > 0, "must be a number above 0"),
    "enum": (lambda value: isinstance(value, list), "must be a list"),
    **dict.fromkeys(("minimum", "maximum"), (_is_number, "must be a number")),
    **dict.fromkeys(("required", "x-kubernetes-list-map-keys"), (_is_words, "must be a list of strings")),
    **dict.fromkeys(
        ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
        (_is_size, "must be a whole number"),
    ),
    **dict.fromkeys(
        (
            "exclusiveMinimum",
            "exclusiveMaximum",
            "nullable",
            "uniqueItems",
            "x-kubernetes-embedded-resource",
            "x-kubernetes-int-or-string",
            "x-kubernetes-preserve-unknown-fields",
        ),
        (_is_flag, "must be true or false"),
    ),
    **dict.fromkeys(
        ("description", "format", "pattern", "title", "x-kubernetes-list-type", "x-kubernetes-map-type"),
        (_is_text, "must be a string"),
    ),
}


def check_definition(obj: Obj, old: Obj | None) -> list[Cause]:
    """What would make a definition, whose JSON types are right, unservable."""
    return list(_problems(obj, old))


def _problems(obj: Obj, old: Obj | None) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    names, group, scope = spec.get("names") or {}, spec.get("group"), spec.get("scope")
    if obj["metadata"].get("name") != f"{names.get('plural')}.{group}":
        yield Cause("metadata.name", 'Invalid value: must be spec.names.plural+"."+spec.group')
    if group in _OUR_GROUPS:
        yield Cause("spec.group", f'Invalid value: "{group}": the server itself serves this group')
    if scope not in {"Namespaced", "Cluster"}:
        yield Cause("spec.scope", 'Unsupported value: supported values: "Cluster", "Namespaced"')
    if old is not None and old["spec"]["scope"] != scope:
        yield Cause("spec.scope", f'Invalid value: "{scope}": field is immutable')
    if not names.get("kind"):
        yield Cause("spec.names.kind", "Required value")
    versions = spec.get("versions") or []
    stored = [version for version in versions if version.get("storage")]
    if len(stored) != 1 or not stored[0].get("served"):
        yield Cause("spec.versions", "Invalid value: exactly one version must be stored, and served")
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        if not version.get("name"):
            yield Cause(f"{path}.name", "Required value")
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is not None:
            yield from _schema_problems(schema, f"{path}.schema.openAPIV3Schema")


def _schema_problems(schema: Any, path: str) -> Iterator[Cause]:
    if not isinstance(schema, dict):
        yield Cause(path, "Invalid value: must be an object")
        return
    for keyword, value in schema.items():
        where = f"{path}.{keyword}"
        if keyword == "properties":
            if isinstance(value, dict):
                for name, below in value.items():
                    yield from _schema_problems(below, f"{where}[{name}]")
            else:
                yield Cause(where, "Invalid value: must be an object")
        elif keyword in {"allOf", "anyOf", "oneOf"}:
            for index, below in enumerate(value if isinstance(value, list) else [value]):
                yield from _schema_problems(below, f"{where}[{index}]")
        elif keyword in {"items", "not"} or (
            keyword == "additionalProperties" and not isinstance(value, bool)
        ):
            yield from _schema_problems(value, where)
        elif keyword in _KEYWORDS and not _KEYWORDS[keyword][0](value):
            yield Cause(where, f"Invalid value: {_KEYWORDS[keyword][1]}")


def established(crd: Obj, now: float) -> Obj:
    """The definition with the status of one that is served."""
    status = crd.get("status") or {}
    since = {entry["type"]: entry.get("lastTransitionTime") for entry in status.get("conditions") or ()}
    conditions = [
        {
            "type": type_,
            "status": "True",
            "lastTransitionTime": since.get(type_) or format_time(now),
            "reason": reason,
            "message": message,
        }
        for type_, reason, message in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
    ]
    stored = [version["name"] for version in crd["spec"]["versions"] if version.get("storage")]
    accepted = {"conditions": conditions, "acceptedNames": crd["spec"]["names"], "storedVersions": stored}
    return {**crd, "status": {**status, **accepted}}
