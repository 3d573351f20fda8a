"""What a field may hold: one `TypeSchema` for each type of Kubernetes and of custom resources."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Shape = Literal[
    "object",  # named fields
    "map",  # free keys, values of one type (`items`)
    "list",
    "string",
    "integer",
    "number",
    "boolean",
    "int-or-string",
    "quantity",
    "time",
    "bytes",  # base64
    "any",
]
ListType = Literal["atomic", "set", "map"]


@dataclass(slots=True, eq=False)
class TypeSchema:
    """One node of a schema. Shared between all places that use a type; read-only once built.

    `fields` are those of shape `object`; `items` is the type of a list's elements or a map's values.
    `list_type` and `map_keys` say how server-side apply and `merge_key` how a strategic merge patch tells a
    list's elements apart (a merge key of "" on a `set` merges plain values). `is_atomic` maps and objects
    have one owner as a whole. `rules` are a custom resource's constraints in OpenAPI's own words (`enum` …).
    """

    shape: Shape
    name: str = ""  # of the model; only on named objects of built-in kinds
    gvk: tuple[str, str, str] | None = None  # group, version, kind; only at a kind's root
    fields: dict[str, "TypeSchema"] = field(default_factory=dict)
    items: "TypeSchema | None" = None
    required: tuple[str, ...] = ()
    list_type: ListType = "atomic"
    map_keys: tuple[str, ...] = ()
    merge_key: str = ""
    is_atomic: bool = False
    is_custom: bool = False  # of a custom resource: its own rules count, JSON null is a value where allowed
    keeps_unknown: bool = False
    rules: Mapping[str, Any] = field(default_factory=dict)

    def child(self, key: str) -> "TypeSchema":
        """The type below `key` of an object or a map; ANY where nothing is known."""
        if self.fields:
            found = self.fields.get(key)
            if found is not None:
                return found
        if self.items is not None and self.shape == "map":
            return self.items
        return ANY

    def element(self) -> "TypeSchema":
        """The type of a list's elements."""
        return self.items if self.items is not None and self.shape == "list" else ANY

    def __repr__(self) -> str:
        return f"<TypeSchema {self.name or self.shape} {len(self.fields)} fields>"


ANY = TypeSchema("any", keeps_unknown=True)


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """A field that the API refuses: its path (`spec.ports[0].port`) and why; `is_type`: by its JSON type."""

    path: str
    message: str
    is_type: bool = False


def copy_json(value: Any) -> Any:
    """A deep copy of JSON data, ten times as fast as copy.deepcopy."""
    if isinstance(value, dict):
        return {
            key: copy_json(entry) if isinstance(entry, dict | list) else entry for key, entry in value.items()
        }
    if isinstance(value, list):
        return [copy_json(entry) if isinstance(entry, dict | list) else entry for entry in value]
    return value


def joined(path: str, key: str) -> str:
    """`spec` and `replicas` → `spec.replicas`."""
    return f"{path}.{key}" if path else key
