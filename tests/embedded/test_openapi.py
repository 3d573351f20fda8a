"""The documents in which the embedded API describes itself."""

from collections.abc import Iterator
from typing import Any

import pytest

from embedded.openapi import openapi_v2, openapi_v3, openapi_v3_index
from embedded.openapi_types import document_name
from embedded.schema import Schemas
from kube import resources

CRD: dict[str, Any] = {
    "metadata": {"name": "services.serving.knative.dev"},
    "spec": {
        "group": "serving.knative.dev",
        "names": {"kind": "Service", "plural": "services"},
        "versions": [
            {
                "name": "v1",
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "description": "Text of the definition.",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["a"],
                                "properties": {"a": {"x-kubernetes-int-or-string": True, "nullable": True}},
                            }
                        },
                    }
                },
            }
        ],
    },
}
SERVED = [
    resources.DEPLOYMENTS,
    resources.PODS,
    resources.NAMESPACES,
    resources.CORE_SERVICES,
    resources.SERVICES,
    resources.CRDS,
]


@pytest.fixture(scope="module")
def schemas() -> Schemas:
    found = Schemas()
    found.add_crd(CRD)
    return found


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for below in value.values():
            yield from references(below)
    elif isinstance(value, list):
        for below in value:
            yield from references(below)


def described(version: str, schemas: Schemas) -> dict[str, Any]:
    document = openapi_v3(version, SERVED, schemas)
    assert document is not None
    return document


def marked(types: dict[str, Any], resource: resources.Resource) -> list[dict[str, Any]]:
    """The types marked as a resource's kind."""
    gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    return [made for made in types.values() if gvk in made.get("x-kubernetes-group-version-kind", [])]


@pytest.mark.parametrize("resource", SERVED)
def test_version_3_shows_what_kubectl_looks_for(schemas: Schemas, resource: resources.Resource) -> None:
    """PATCH of each kind takes fieldValidation and dryRun; its type is marked as that kind's."""
    document = described(resource.api_version, schemas)
    gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    found = [
        path["patch"]
        for path in document["paths"].values()
        if path.get("patch", {}).get("x-kubernetes-group-version-kind") == gvk
    ]
    assert len(found) == 1
    queries = {parameter["name"] for parameter in found[0]["parameters"] if parameter["in"] == "query"}
    assert {"fieldValidation", "dryRun", "fieldManager"} <= queries
    takes_strategic = "application/strategic-merge-patch+json" in found[0]["requestBody"]["content"]
    assert takes_strategic == (resource != resources.SERVICES)
    assert len(marked(document["components"]["schemas"], resource)) == 1


def test_every_reference_leads_somewhere(schemas: Schemas) -> None:
    """In version 2 and in each document of version 3."""
    for version in {resource.api_version for resource in SERVED}:
        document = described(version, schemas)
        known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
        assert set(references(document)) <= known
    whole = openapi_v2(SERVED, schemas)
    assert set(references(whole)) <= {f"#/definitions/{name}" for name in whole["definitions"]}


def test_version_2_describes_all_at_once(schemas: Schemas) -> None:
    """With the parameters in its own form."""
    document = openapi_v2(SERVED, schemas)
    assert document["swagger"] == "2.0"
    for resource in SERVED:
        assert len(marked(document["definitions"], resource)) == 1
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert {"name": "fieldValidation", "in": "query", "type": "string"} in patch["parameters"]


def test_the_index_names_documents_by_their_content(schemas: Schemas) -> None:
    """A definition changes the hash of its own group alone, so that clients keep the rest."""
    paths = openapi_v3_index(SERVED, schemas)["paths"]
    assert set(paths) == {
        "api/v1",
        "apis/apps/v1",
        "apis/serving.knative.dev/v1",
        "apis/apiextensions.k8s.io/v1",
    }
    url = paths["apis/apps/v1"]["serverRelativeURL"]
    assert url.startswith("/openapi/v3/apis/apps/v1?hash=")
    after = openapi_v3_index(SERVED, Schemas())["paths"]
    assert {path for path in paths if paths[path] != after[path]} == {"apis/serving.knative.dev/v1"}


def test_what_is_not_served_is_not_described(schemas: Schemas) -> None:
    """None, for a 404."""
    assert openapi_v3("batch/v1", SERVED, schemas) is None


def test_lists_tell_how_they_merge(schemas: Schemas) -> None:
    """kubectl computes strategic patches of client-side apply from these."""
    types = described("apps/v1", schemas)["components"]["schemas"]
    pod = types["v1.PodSpec"]["properties"]
    assert pod["containers"]["x-kubernetes-patch-merge-key"] == "name"
    assert pod["containers"]["x-kubernetes-patch-strategy"] == "merge"
    assert pod["containers"]["x-kubernetes-list-map-keys"] == ["name"]
    assert pod["volumes"]["x-kubernetes-patch-strategy"] == "merge,retainKeys"
    assert pod["tolerations"]["x-kubernetes-list-type"] == "atomic"
    assert "x-kubernetes-patch-strategy" not in pod["tolerations"]
    strategy = types["v1.DeploymentSpec"]["properties"]["strategy"]
    assert strategy["x-kubernetes-patch-strategy"] == "retainKeys"
    finalizers = types["v1.ObjectMeta"]["properties"]["finalizers"]
    assert (finalizers["x-kubernetes-list-type"], finalizers["x-kubernetes-patch-strategy"]) == (
        "set",
        "merge",
    )
    assert types["v1.LabelSelector"]["x-kubernetes-map-type"] == "atomic"


def test_a_definitions_schema_stands_as_it_was_written(schemas: Schemas) -> None:
    """In version 3 with its descriptions; in version 2 without what that cannot say."""
    types = described("serving.knative.dev/v1", schemas)["components"]["schemas"]
    (made,) = marked(types, resources.SERVICES)
    assert made["description"] == "Text of the definition."
    assert (
        made["properties"]["spec"]
        == CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    )
    assert made["properties"]["metadata"]["allOf"] == [{"$ref": "#/components/schemas/v1.ObjectMeta"}]
    assert made["properties"]["metadata"]["description"]
    (old,) = marked(openapi_v2(SERVED, schemas)["definitions"], resources.SERVICES)
    assert old["properties"]["spec"]["properties"]["a"] == {"type": "string", "format": "int-or-string"}


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("V1PodSpec", "v1.PodSpec"),
        ("CoreV1Event", "core.v1.Event"),
        ("ApiextensionsV1ServiceReference", "apiextensions.v1.ServiceReference"),
        ("Odd", "Odd"),
    ],
)
def test_names_of_types(model: str, name: str) -> None:
    """Clients show what follows the last dot."""
    assert document_name(model) == name
