"""The types of custom resources, from the structural schema in their definition (`openAPIV3Schema`)."""

from typing import Any

from embedded.schema.builtin import PLAIN, built_in
from embedded.schema.types import ANY, Shape, TypeSchema
from kube.objects import Obj

SCALARS: dict[str, Shape] = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
}
RULES = (
    "default",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "nullable",
    "pattern",
    "uniqueItems",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
)


def versions_of(crd: Obj) -> dict[tuple[str, str, str], TypeSchema]:
    """The root types of all served versions of a definition, by group, version and kind."""
    spec = crd.get("spec", {})
    group, kind = spec.get("group", ""), spec.get("names", {}).get("kind", "")
    found = {}
    for version in spec.get("versions", []):
        if version.get("served", True):
            gvk = (group, version.get("name", ""), kind)
            found[gvk] = root(version.get("schema", {}).get("openAPIV3Schema") or {}, gvk)
    return found


def root(openapi: Obj, gvk: tuple[str, str, str]) -> TypeSchema:
    """A kind's type; without a schema nothing is known and all is kept."""
    schema = from_openapi(openapi) if openapi else TypeSchema("object", is_custom=True, keeps_unknown=True)
    schema.gvk = gvk
    _embed(schema)
    return schema


def _embed(schema: TypeSchema) -> None:
    """What every object has, whether its schema says so or not."""
    schema.shape = "object"
    schema.fields = {
        **schema.fields,
        "apiVersion": PLAIN["s"],
        "kind": PLAIN["s"],
        "metadata": built_in().model("V1ObjectMeta"),
    }


def from_openapi(openapi: Obj) -> TypeSchema:
    """One node and all below it.

    A type that is not understood is ANY; the schema is one that the API took, so its parts are well formed.
    """
    schema = TypeSchema(_shape(openapi), is_custom=True)
    schema.keeps_unknown = bool(openapi.get("x-kubernetes-preserve-unknown-fields"))
    schema.rules = {key: openapi[key] for key in RULES if key in openapi}
    schema.required = tuple(openapi.get("required", ()))
    if schema.shape == "list":
        schema.items = from_openapi(openapi.get("items", {}))
        schema.list_type = openapi.get("x-kubernetes-list-type", "atomic")
        schema.map_keys = tuple(openapi.get("x-kubernetes-list-map-keys", ()))
    elif schema.shape in ("object", "map"):
        _fields(schema, openapi)
    return schema


def _fields(schema: TypeSchema, openapi: Obj) -> None:
    schema.is_atomic = openapi.get("x-kubernetes-map-type") == "atomic"
    schema.fields = {key: from_openapi(entry) for key, entry in openapi.get("properties", {}).items()}
    extra: Any = openapi.get("additionalProperties")
    if isinstance(extra, dict):
        schema.items = from_openapi(extra)
    elif extra is True:
        schema.items = ANY
    if openapi.get("x-kubernetes-embedded-resource"):
        _embed(schema)


def _shape(openapi: Obj) -> Shape:
    if openapi.get("x-kubernetes-int-or-string"):
        return "int-or-string"
    declared = openapi.get("type")
    if declared == "array":
        return "list"
    if declared == "object" or "properties" in openapi:
        return "map" if openapi.get("additionalProperties") else "object"
    return SCALARS.get(declared, "any") if isinstance(declared, str) else "any"
