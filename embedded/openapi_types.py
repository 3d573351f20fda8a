"""Types in OpenAPI's words, as clients of Kubernetes expect them in the documents of version 2 and 3."""

import re
from dataclasses import dataclass, field
from typing import Literal

from embedded.schema import TypeSchema
from embedded.schema.merge_keys import RETAIN_KEYS
from kube.objects import Obj

Version = Literal[2, 3]
_MODEL = re.compile(r"([A-Za-z]*?)(V\d+(?:alpha\d+|beta\d+)?)([A-Z].*)")
_PLAIN: dict[str, Obj] = {
    "string": {"type": "string"},
    "integer": {"type": "integer", "format": "int64"},
    "number": {"type": "number", "format": "double"},
    "boolean": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time"},
    "bytes": {"type": "string", "format": "byte"},
    "any": {"x-kubernetes-preserve-unknown-fields": True},  # kubectl explain fails at an empty type
}
_EITHER = {"int-or-string": ("integer", "string"), "quantity": ("string", "number")}
# Types that have a name and no fields; clients show what follows the last dot.
_NAMED = {"int-or-string": "intstr.IntOrString", "quantity": "resource.Quantity"}
_OWNED_FIELDS = "V1ManagedFieldsEntry.fieldsV1"


@dataclass(slots=True)
class Types:
    """Gathers the named types that a document refers to."""

    version: Version
    named: dict[str, Obj] = field(default_factory=dict)

    def reference(self, schema: TypeSchema) -> Obj:
        """A reference to a named type, which is added to the document with all that it refers to."""
        name = document_name(schema.name)
        if name not in self.named:
            self.named[name] = {}  # known before it is complete: types may contain each other
            self.named[name] = self._object(schema)
        where = "#/definitions/" if self.version == 2 else "#/components/schemas/"
        return {"$ref": where + name}

    def add_root(self, name: str, schema: TypeSchema, openapi: Obj) -> None:
        """A custom resource's type: as its definition wrote it, where the document can hold that."""
        if self.version == 2 or not openapi:
            self.named[name] = self._object(schema)
            return
        properties = {
            **openapi.get("properties", {}),
            "apiVersion": _PLAIN["string"],
            "kind": _PLAIN["string"],
            "metadata": self._typed(schema.fields["metadata"]),
        }
        self.named[name] = {**openapi, "properties": properties, "type": "object"}

    def _typed(self, schema: TypeSchema, owner: str = "") -> Obj:
        """One field's type; `owner` is `<model>.<field>` of a built-in one."""
        if schema.name:
            reference = self.reference(schema)
            if owner not in RETAIN_KEYS:
                return reference
            wrapped = reference if self.version == 2 else {"allOf": [reference]}
            return {**wrapped, "x-kubernetes-patch-strategy": "retainKeys"}
        if owner == _OWNED_FIELDS:
            return self._scalar("v1.FieldsV1", {"type": "object"})
        if schema.shape in _PLAIN:
            return dict(_PLAIN[schema.shape])
        if schema.shape in _EITHER:
            return self._scalar(_NAMED[schema.shape], self._either(schema.shape))
        if schema.shape == "list":
            return {"type": "array", "items": self._typed(schema.element()), **_merging(schema, owner)}
        return self._object(schema)

    def _scalar(self, name: str, made: Obj) -> Obj:
        """A type that version 3 knows by a name."""
        if self.version == 2:
            return made
        self.named[name] = made
        return {"$ref": f"#/components/schemas/{name}"}

    def _either(self, shape: str) -> Obj:
        if self.version == 2:
            return {"type": "string", **({"format": shape} if shape == "int-or-string" else {})}
        return {"oneOf": [{"type": kind} for kind in _EITHER[shape]]}

    def _object(self, schema: TypeSchema) -> Obj:
        made: Obj = {"type": "object"}
        if schema.fields:
            made["properties"] = {
                key: self._typed(below, f"{schema.name}.{key}") for key, below in schema.fields.items()
            }
        if schema.required:
            made["required"] = list(schema.required)
        if schema.items is not None:
            made["additionalProperties"] = self._typed(schema.items)
        if schema.is_atomic:
            made["x-kubernetes-map-type"] = "atomic"
        if schema.keeps_unknown:
            made["x-kubernetes-preserve-unknown-fields"] = True
        return made


def _merging(schema: TypeSchema, owner: str) -> Obj:
    made: Obj = {"x-kubernetes-list-type": schema.list_type}
    if schema.map_keys:
        made["x-kubernetes-list-map-keys"] = list(schema.map_keys)
    strategy = []
    if schema.merge_key:
        made["x-kubernetes-patch-merge-key"] = schema.merge_key
    if not schema.is_custom and (schema.merge_key or schema.list_type == "set"):
        strategy.append("merge")
    if owner in RETAIN_KEYS:
        strategy.append("retainKeys")
    if strategy:
        made["x-kubernetes-patch-strategy"] = ",".join(strategy)
    return made


def document_name(model: str) -> str:
    """`V1PodSpec` → `v1.PodSpec`, `CoreV1Event` → `core.v1.Event`: clients show what follows the last dot."""
    match = _MODEL.fullmatch(model)
    if match is None:
        return model
    return ".".join(part for part in (match[1].lower(), match[2].lower(), match[3]) if part)
