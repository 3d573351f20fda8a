"""All types that an API knows: the built-in kinds and the custom resources defined so far."""

import hashlib
import json

from embedded.schema.builtin import built_in
from embedded.schema.custom import versions_of
from embedded.schema.types import TypeSchema
from kube.objects import Obj

Gvk = tuple[str, str, str]


class Schemas:
    """Kind → type. A definition that comes again replaces what it defined before."""

    def __init__(self) -> None:
        self._custom: dict[Gvk, TypeSchema] = {}
        self._prints: dict[str, str] = {}  # definition's name → digest of its spec
        self._defined: dict[str, tuple[Gvk, ...]] = {}
        self._openapi: dict[Gvk, Obj] = {}

    def for_kind(self, group: str, version: str, kind: str) -> TypeSchema | None:
        """The type at the root of a kind's objects; None when the kind is unknown."""
        return built_in().kind(group, version, kind) or self._custom.get((group, version, kind))

    def openapi_of(self, gvk: Gvk) -> Obj:
        """The schema that a custom resource's definition gave, as it stands there; {} for other kinds."""
        return self._openapi.get(gvk, {})

    def add_crd(self, crd: Obj) -> None:
        """Take over the served versions of a CustomResourceDefinition."""
        self.remove_crd(crd)
        name = crd["metadata"]["name"]
        found = versions_of(crd)
        self._custom.update(found)
        self._defined[name] = tuple(found)
        self._prints[name] = hashlib.sha256(json.dumps(crd["spec"], sort_keys=True).encode()).hexdigest()
        spec = crd["spec"]
        for version in spec.get("versions", []):
            gvk = (spec["group"], version["name"], spec["names"]["kind"])
            if gvk in found:
                self._openapi[gvk] = (version.get("schema") or {}).get("openAPIV3Schema") or {}

    def remove_crd(self, crd: Obj) -> None:
        """Forget what a definition defined; nothing happens when it is unknown."""
        name = crd["metadata"]["name"]
        for gvk in self._defined.pop(name, ()):
            self._custom.pop(gvk, None)
            self._openapi.pop(gvk, None)
        self._prints.pop(name, None)

    def fingerprint(self, group: str | None = None, version: str = "") -> str:
        """Changes with the types, or with those of one group and version: for ETags and keys of caches."""
        parts = [built_in().digest, group or "", version]
        for name, digest in sorted(self._prints.items()):
            if group is None or any(gvk[:2] == (group, version) for gvk in self._defined[name]):
                parts.append(f"{name}={digest}")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest().upper()

    def __repr__(self) -> str:
        return f"<Schemas {len(self._custom)} custom kinds>"
