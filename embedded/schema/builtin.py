"""The types of Kubernetes' own kinds, read from schemas.json when first asked for.

tools/make_schemas.py writes that file and describes its format.
"""

import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import Any

from embedded.schema.merge_keys import ATOMIC_MAPS, ATOMIC_MODELS, LISTS, Merge
from embedded.schema.types import ANY, ListType, Shape, TypeSchema

# Types without any property of their own: one shared node each.
PLAIN: dict[str, TypeSchema] = {
    "s": TypeSchema("string"),
    "i": TypeSchema("integer"),
    "n": TypeSchema("number"),
    "b": TypeSchema("boolean"),
    "t": TypeSchema("time"),
    "y": TypeSchema("bytes"),
    "x": TypeSchema("int-or-string"),
    "q": TypeSchema("quantity"),
    "o": ANY,
}
REPLACED = Merge("atomic")


class BuiltIn:
    """Builds a kind's types on demand; types used by several kinds are one object."""

    def __init__(self, document: dict[str, Any], digest: str) -> None:
        self.digest = digest  # of the document: changes with it
        self._kinds: dict[str, str] = document["kinds"]
        self._models: dict[str, dict[str, str]] = document["models"]
        self._built: dict[str, TypeSchema] = {}

    def kind(self, group: str, version: str, kind: str) -> TypeSchema | None:
        """The root type of a kind, None for kinds that are not built in."""
        model = self._kinds.get(f"{group}/{version}/{kind}" if group else f"{version}/{kind}")
        if model is None:
            return None
        schema = self.model(model)
        schema.gvk = (group, version, kind)
        return schema

    def model(self, name: str) -> TypeSchema:
        built = self._built.get(name)
        if built is None:
            built = self._built[name] = TypeSchema("object", name=name, is_atomic=name in ATOMIC_MODELS)
            codes = self._models[name]
            built.required = tuple(key[:-1] for key in codes if key.endswith("!"))
            built.fields = {
                key.rstrip("!"): self._type(code, name, key.rstrip("!")) for key, code in codes.items()
            }
        return built

    def _type(self, code: str, model: str, key: str) -> TypeSchema:
        if code in PLAIN:
            return PLAIN[code]
        if code[0] == "[":
            merge = LISTS.get(model, {}).get(key, REPLACED)
            return _list(self._type(code[1:], model, key), merge.list_type, merge)
        if code[0] == "{":
            items = self._type(code[1:], model, key)
            return TypeSchema("map", items=items, is_atomic=f"{model}.{key}" in ATOMIC_MAPS)
        return self.model(code)


def _list(items: TypeSchema, list_type: ListType, merge: Merge) -> TypeSchema:
    shape: Shape = "list"
    return TypeSchema(
        shape, items=items, list_type=list_type, map_keys=merge.map_keys, merge_key=merge.merge_key
    )


@cache
def built_in() -> BuiltIn:
    """The types of schemas.json (27 KB)."""
    text = files(__package__).joinpath("schemas.json").read_text(encoding="utf-8")
    return BuiltIn(json.loads(text), hashlib.sha256(text.encode()).hexdigest())
