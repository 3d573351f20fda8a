"""What clients learn of the API before they use it: versions, groups, kinds, schemas."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from testkit.contract.engine import Engine

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
SERVED = {
    "/api/v1": (
        "pods pods/binding pods/eviction pods/log pods/status configmaps secrets services serviceaccounts "
        "events namespaces namespaces/status nodes nodes/status"
    ),
    "/apis/apps/v1": (
        "deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status"
    ),
    "/apis/coordination.k8s.io/v1": "leases",
    "/apis/apiextensions.k8s.io/v1": "customresourcedefinitions customresourcedefinitions/status",
}
ALL = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
KINDS = {
    "pods": ("Pod", "pod", True, ["po"], ["all"], ALL),
    "pods/log": ("Pod", "", True, None, None, ["get"]),
    "pods/binding": ("Binding", "", True, None, None, ["create"]),
    "pods/eviction": ("Eviction", "", True, None, None, ["create"]),
    "configmaps": ("ConfigMap", "configmap", True, ["cm"], None, ALL),
    "namespaces": ("Namespace", "namespace", False, ["ns"], None, ALL[:2] + ALL[3:]),
    "nodes": ("Node", "node", False, ["no"], None, ALL),
    "deployments": ("Deployment", "deployment", True, ["deploy"], ["all"], ALL),
    "deployments/scale": ("Scale", "", True, None, None, ["get", "patch", "update"]),
    "deployments/status": ("Deployment", "", True, None, None, ["get", "patch", "update"]),
    "replicasets": ("ReplicaSet", "replicaset", True, ["rs"], ["all"], ALL),
}  # fmt: skip


@pytest.mark.parametrize("path", SERVED)
def test_the_kinds_of_a_group(engine: Engine, path: str) -> None:
    """Each with its verbs, short names and categories."""
    answer = engine.get(path)
    assert (answer["kind"], answer["groupVersion"]) == (
        "APIResourceList",
        path.removeprefix("/api/").removeprefix("/apis/"),
    )
    found = {each["name"]: each for each in answer["resources"]}
    wanted = SERVED[path].split()
    assert set(wanted) <= set(found)
    for name in set(wanted) & set(KINDS):
        each = found[name]
        shown = tuple(
            each.get(part) for part in ("kind", "singularName", "namespaced", "shortNames", "categories")
        )
        assert (name, *shown, sorted(each["verbs"])) == (name, *KINDS[name])


def test_groups_and_versions(engine: Engine, widgets: Callable[..., Any]) -> None:
    """The core's and all others, those of definitions too."""
    assert engine.get("/api")["versions"] == ["v1"]
    groups = {each["name"]: each for each in engine.get("/apis")["groups"]}
    assert {"apps", "coordination.k8s.io", "apiextensions.k8s.io", "contract.zerogate.dev"} <= set(groups)
    version = {"groupVersion": "apps/v1", "version": "v1"}
    assert groups["apps"] == {"name": "apps", "versions": [version], "preferredVersion": version}
    assert engine.get("/apis/apps")["name"] == "apps"
    assert engine.request("GET", "/apis/nowhere").status == 404
    (found,) = [
        each
        for each in engine.get("/apis/contract.zerogate.dev/v1")["resources"]
        if each["name"] == "widgets"
    ]
    assert (found["kind"], found["singularName"], found["shortNames"]) == ("Widget", "widget", ["wg"])


def test_all_of_it_in_two_documents(engine: Engine, widgets: Callable[..., Any]) -> None:
    """Aggregated discovery, as kubectl asks for it."""
    for path, group, resource in (
        ("/api", None, "pods"),
        ("/apis", "apps", "deployments"),
        ("/apis", "contract.zerogate.dev", "widgets"),
    ):
        answer = engine.request("GET", path, headers={"Accept": f"{AGGREGATED},application/json"})
        assert answer.headers["content-type"] == AGGREGATED
        assert answer.body["kind"] == "APIGroupDiscoveryList"
        assert answer.body["apiVersion"] == "apidiscovery.k8s.io/v2"
        (item,) = [each for each in answer.body["items"] if each["metadata"].get("name") == group]
        version = item["versions"][0]
        assert (version["version"], version["freshness"]) == ("v1", "Current")
        (served,) = [each for each in version["resources"] if each["resource"] == resource]
        assert (served["scope"], served["responseKind"]["kind"].lower()) == (
            "Namespaced",
            served["singularResource"],
        )
        assert {"status"} <= {each["subresource"] for each in served["subresources"]}


def test_version_health_and_schemas(engine: Engine, widgets: Callable[..., Any]) -> None:
    """What kubectl, probes and explain ask for."""
    version = engine.get("/version")
    assert version["major"] == "1"
    assert version["gitVersion"].startswith(f"v1.{version['minor']}")
    for path in ("/healthz", "/livez", "/readyz"):
        answer = engine.request("GET", path)
        assert (answer.status, answer.body) == (200, "ok")
    paths = document(engine, "/openapi/v3")["paths"]
    assert {"api/v1", "apis/apps/v1", "apis/contract.zerogate.dev/v1"} <= set(paths)
    schemas = document(engine, paths["apis/apps/v1"]["serverRelativeURL"])["components"]["schemas"]
    kinds = [kind for each in schemas.values() for kind in each.get("x-kubernetes-group-version-kind") or ()]
    assert {"group": "apps", "version": "v1", "kind": "Deployment"} in kinds


def document(engine: Engine, path: str) -> dict[str, Any]:
    """JSON, of whatever type a server says that it is."""
    found = engine.get(path)
    answer: dict[str, Any] = json.loads(found) if isinstance(found, str) else found
    return answer
