"""What a client can learn about the server: its version, groups and resources."""

from collections.abc import Iterable

from embedded.api.registry import Registry, Served
from embedded.api.reviews import REVIEWS
from kube.objects import Obj
from kube.resources import Resource

# The release of Kubernetes whose behaviour is reproduced.
VERSION = {
    "major": "1",
    "minor": "33",
    "gitVersion": "v1.33.0+zerogate",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "",
}
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
PATHS = ("/api", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version")


def wants_aggregated(accept: str) -> bool:
    """Whether the client reads all groups in one document."""
    clauses = (clause.replace(" ", "") for clause in accept.split(","))
    return any("as=APIGroupDiscoveryList" in clause and "v=v2" in clause.split(";") for clause in clauses)


def core_versions() -> Obj:
    """/api."""
    return {
        "kind": "APIVersions",
        "apiVersion": "v1",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [],
    }


def group_list(registry: Registry) -> Obj:
    """/apis."""
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [_group(name, registry) for name in _groups(registry) if name],
    }


def group(registry: Registry, name: str) -> Obj | None:
    """/apis/<group>; None when there is no such group."""
    if not name or name not in _groups(registry):
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, registry)}


def _groups(registry: Registry) -> list[str]:
    return list(dict.fromkeys([*registry.groups(), *(kind.group for kind in REVIEWS)]))


def _versions(registry: Registry, name: str) -> list[str]:
    kinds = [served.resource for served in registry] + list(REVIEWS)
    return list(dict.fromkeys(kind.version for kind in kinds if kind.group == name))


def _group(name: str, registry: Registry) -> Obj:
    versions = [
        {"groupVersion": f"{name}/{version}", "version": version} for version in _versions(registry, name)
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _in(registry: Registry, group_: str, version: str) -> Iterable[Served | Resource]:
    for served in registry:
        if (served.resource.group, served.resource.version) == (group_, version):
            yield served
    for kind in REVIEWS:
        if (kind.group, kind.version) == (group_, version):
            yield kind


def resource_list(registry: Registry, group_: str, version: str) -> Obj | None:
    """/api/v1 and /apis/<group>/<version>; None when there is no such version."""
    resources: list[Obj] = []
    for found in _in(registry, group_, version):
        if isinstance(found, Resource):
            resources.append(
                _plain(found.plural, found.kind, found.kind.lower(), ["create"], is_namespaced=False)
            )
        else:
            resources += _resources(found)
    if not resources:
        return None
    name = f"{group_}/{version}" if group_ else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": resources}


def _resources(served: Served) -> list[Obj]:
    resource = served.resource
    own = _plain(
        resource.plural, resource.kind, served.singular, list(served.verbs), is_namespaced=resource.namespaced
    )
    if served.short_names:
        own["shortNames"] = list(served.short_names)
    if served.categories:
        own["categories"] = list(served.categories)
    found = [own]
    for subresource in served.subresources:
        kind, extra = _kind_of(served, subresource)
        part = _plain(
            f"{resource.plural}/{subresource}",
            kind,
            "",
            _verbs(subresource),
            is_namespaced=resource.namespaced,
        )
        found.append({**part, **extra})
    return found


def _plain(name: str, kind: str, singular: str, verbs: list[str], *, is_namespaced: bool) -> Obj:
    return {
        "name": name,
        "singularName": singular,
        "namespaced": is_namespaced,
        "kind": kind,
        "verbs": verbs,
    }


def _kind_of(served: Served, subresource: str) -> tuple[str, Obj]:
    """The kind that a sub-resource speaks, and its group version where that is another one."""
    if subresource == "scale":
        return "Scale", {"group": "autoscaling", "version": "v1"}
    if subresource == "binding":
        return "Binding", {}
    if subresource == "eviction":
        return "Eviction", {"group": "policy", "version": "v1"}
    return served.resource.kind, {}


def _verbs(subresource: str) -> list[str]:
    return {"log": ["get"], "binding": ["create"], "eviction": ["create"]}.get(
        subresource, ["get", "patch", "update"]
    )


def aggregated(registry: Registry, *, core: bool) -> Obj:
    """/api (`core`) or /apis in one document: apidiscovery.k8s.io/v2."""
    items: list[Obj] = []
    for name in _groups(registry):
        if bool(name) == core:
            continue
        versions = [
            {
                "version": version,
                "freshness": "Current",
                "resources": [_aggregated(found) for found in _in(registry, name, version)],
            }
            for version in _versions(registry, name)
        ]
        items.append({"metadata": {"name": name} if name else {}, "versions": versions})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _aggregated(found: Served | Resource) -> Obj:
    resource = found if isinstance(found, Resource) else found.resource
    own: Obj = {
        "resource": resource.plural,
        "responseKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.kind.lower(),
        "verbs": ["create"],
    }
    if isinstance(found, Resource):
        return own
    own["singularResource"] = found.singular
    own["verbs"] = list(found.verbs)
    if found.short_names:
        own["shortNames"] = list(found.short_names)
    if found.categories:
        own["categories"] = list(found.categories)
    parts = []
    for subresource in found.subresources:
        kind, other = _kind_of(found, subresource)
        response: Obj = {"group": resource.group, "version": resource.version, **other, "kind": kind}
        parts.append({"subresource": subresource, "responseKind": response, "verbs": _verbs(subresource)})
    if parts:
        own["subresources"] = parts
    return own
