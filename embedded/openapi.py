"""The documents in which an API describes itself: OpenAPI version 2 as one, version 3 by group and version.

kubectl looks into them for two things: whether PATCH of a kind takes the query parameters `fieldValidation`
and `dryRun` (then it leaves validation to the server), and how lists merge in client-side apply.
"""

from collections.abc import Iterable

from embedded.openapi_texts import told
from embedded.openapi_types import Types, Version, document_name
from embedded.schema import Schemas
from embedded.schema.builtin import built_in
from kube.objects import Obj
from kube.resources import Resource

_TITLE = {"title": "Zerogate", "version": "v1"}
_PATCHES = ("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml")
_STRATEGIC = "application/strategic-merge-patch+json"
_QUERY = ("dryRun", "fieldManager", "fieldValidation", "pretty")
_ACTIONS = {"get": "get", "put": "put", "patch": "patch", "delete": "delete"}
_COLLECTION_ACTIONS = {"get": "list", "post": "post"}
_WRITES = ("post", "put", "patch")


def openapi_v2(resources: Iterable[Resource], schemas: Schemas) -> Obj:
    """The whole API in one document (`/openapi/v2`), as JSON."""
    types, paths = _described(resources, schemas, 2)
    return {"swagger": "2.0", "info": _TITLE, "paths": paths, "definitions": types.named}


def openapi_v3_index(resources: Iterable[Resource], schemas: Schemas) -> Obj:
    """`/openapi/v3`: where each group and version is described; the hash in the URL names the content."""
    found = {(resource.group, resource.version): resource for resource in resources}
    paths = {}
    for (group, version), resource in sorted(found.items()):
        path = f"{'apis' if group else 'api'}/{resource.api_version}"
        digest = schemas.fingerprint(group, version)
        paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
    return {"paths": paths}


def openapi_v3(group_version: str, resources: Iterable[Resource], schemas: Schemas) -> Obj | None:
    """One group and version (`apps/v1`, `v1`); None when it is not served."""
    served = [resource for resource in resources if resource.api_version == group_version]
    if not served:
        return None
    types, paths = _described(served, schemas, 3)
    return {"openapi": "3.0.0", "info": _TITLE, "paths": paths, "components": {"schemas": types.named}}


def _described(resources: Iterable[Resource], schemas: Schemas, version: Version) -> tuple[Types, Obj]:
    types, paths = Types(version), {}
    for resource in resources:
        name = _add_type(types, resource, schemas)
        place = _template(resource)
        paths[place] = _operations(resource, _COLLECTION_ACTIONS, name, version)
        paths[place + "/{name}"] = _operations(resource, _ACTIONS, name, version)
    return types, paths


def _add_type(types: Types, resource: Resource, schemas: Schemas) -> str:
    """The kind's type, marked as such; returns its name in the document."""
    gvk = (resource.group, resource.version, resource.kind)
    schema = schemas.for_kind(*gvk)
    if schema is not None and schema.name:
        types.reference(schema)
        name = document_name(schema.name)
    else:
        name = ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind])
        if schema is None:
            types.named[name] = {"type": "object"}
        else:
            types.add_root(name, schema, schemas.openapi_of(gvk))
    if types.version == 3:
        is_custom = schema is None or schema.is_custom
        types.named[name] = told(types.named[name], resource.kind, is_custom=is_custom)
    types.named[name] = {**types.named[name], "x-kubernetes-group-version-kind": [_gvk(resource)]}
    return name


def _gvk(resource: Resource) -> Obj:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _template(resource: Resource) -> str:
    return resource.path("{namespace}" if resource.namespaced else "")


def _operations(resource: Resource, actions: dict[str, str], name: str, version: Version) -> Obj:
    return {verb: _operation(resource, verb, action, name, version) for verb, action in actions.items()}


def _operation(resource: Resource, verb: str, action: str, name: str, version: Version) -> Obj:
    is_write = verb in _WRITES
    operation: Obj = {
        "operationId": f"{action}{resource.version}{resource.kind}{resource.group.replace('.', '')}",
        "parameters": [_parameter(query, version) for query in _QUERY] if is_write else [],
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _gvk(resource),
    }
    if not is_write:
        return operation
    where = "#/definitions/" if version == 2 else "#/components/schemas/"
    schema = {"$ref": where + name} if verb != "patch" else {"type": "object"}
    accepted = _accepted(resource) if verb == "patch" else ("application/json", "application/yaml")
    if version == 2:
        operation["consumes"] = list(accepted)
        operation["parameters"].append({"name": "body", "in": "body", "required": True, "schema": schema})
    else:
        operation["requestBody"] = {
            "required": True,
            "content": {media: {"schema": schema} for media in accepted},
        }
    return operation


def _accepted(resource: Resource) -> tuple[str, ...]:
    """The patches a kind takes: custom resources have no merge keys."""
    is_built_in = built_in().kind(resource.group, resource.version, resource.kind) is not None
    return (*_PATCHES, _STRATEGIC) if is_built_in else _PATCHES


def _parameter(name: str, version: Version) -> Obj:
    kind = {"type": "string"}
    return {"name": name, "in": "query", **(kind if version == 2 else {"schema": kind})}
