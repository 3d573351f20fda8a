"""What clients learn of the API before they use it."""

import json
from typing import Any

import pytest

from testkit.api.world import CONFIGMAPS, CRDS, WIDGETS, World, config_map, widget, widget_crd

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@pytest.fixture
def world() -> World:
    return World()


def resources_of(world: World, path: str) -> dict[str, Any]:
    return {entry["name"]: entry for entry in world.ok("GET", path)["resources"]}


def test_the_resources_of_the_core_and_of_apps(world: World) -> None:
    """Names, kinds, short names, verbs, sub-resources."""
    core = resources_of(world, "/api/v1")
    assert core["pods"]["shortNames"] == ["po"]
    assert core["pods"]["categories"] == ["all"]
    assert core["pods/log"]["verbs"] == ["get"]
    assert not core["namespaces"]["namespaced"]
    assert "deletecollection" not in core["namespaces"]["verbs"]
    apps = resources_of(world, "/apis/apps/v1")
    assert set(apps) == {
        "deployments", "deployments/scale", "deployments/status",
        "replicasets", "replicasets/scale", "replicasets/status",
    }  # fmt: skip
    assert (apps["deployments/scale"]["group"], apps["deployments/scale"]["kind"]) == ("autoscaling", "Scale")


def test_both_forms_of_discovery_tell_the_same(world: World) -> None:
    """The aggregated document and the plain ones list the same resources, for every group."""
    world.ok("POST", CRDS, widget_crd())
    plain = set()
    groups = [group["name"] for group in world.ok("GET", "/apis")["groups"]]
    for path in ("/api/v1", *(f"/apis/{group}/v1" for group in groups)):
        for entry in world.ok("GET", path)["resources"]:
            plain.add((path, entry["name"], tuple(entry["verbs"])))
    found = set()
    for root in ("/api", "/apis"):
        answer = world.call("GET", root, accept=AGGREGATED)
        assert answer.content_type.endswith("as=APIGroupDiscoveryList")
        for group in answer.body["items"]:
            name = group["metadata"].get("name", "")
            path = f"/apis/{name}/v1" if name else "/api/v1"
            for entry in group["versions"][0]["resources"]:
                found.add((path, entry["resource"], tuple(entry["verbs"])))
                for part in entry.get("subresources", []):
                    found.add((path, f"{entry['resource']}/{part['subresource']}", tuple(part["verbs"])))
    assert found == plain


def test_a_definition_is_served_at_once_and_no_longer_than_it_stands(world: World) -> None:
    """Verbs, status and scale, short names, condition Established; gone with the definition."""
    assert world.call("GET", WIDGETS).status == 404
    made = world.ok("POST", CRDS, widget_crd())
    assert {c["type"]: c["status"] for c in made["status"]["conditions"]}["Established"] == "True"
    served = resources_of(world, "/apis/example.com/v1")
    assert set(served) == {"widgets", "widgets/status", "widgets/scale"}
    assert served["widgets"]["shortNames"] == ["wd"]
    assert world.ok("GET", "/apis/example.com")["preferredVersion"]["version"] == "v1"
    assert world.ok("POST", WIDGETS, widget("w"))["spec"]["size"] == 3, "its default"
    assert world.ok("GET", f"{WIDGETS}/w/scale")["spec"]["replicas"] == 3
    answer = world.call("POST", WIDGETS, widget("v", size=0))
    assert (answer.status, answer.body["details"]["causes"][0]["field"]) == (422, "spec.size")
    world.ok("DELETE", f"{CRDS}/widgets.example.com")
    assert world.call("GET", WIDGETS).status == 404
    assert world.call("GET", "/apis/example.com").status == 404
    world.ok("POST", CRDS, widget_crd())
    assert world.names(WIDGETS) == [], "its objects went with it"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "other.example.com"),
        ("spec.scope", "Galaxy"),
        ("spec.versions", []),
    ],
)
def test_unservable_definitions_are_refused(world: World, path: str, value: Any) -> None:
    """422 with the field; nothing is served."""
    crd = widget_crd()
    *parents, last = path.split(".")
    inner = crd
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    answer = world.call("POST", CRDS, crd)
    assert answer.status == 422
    assert answer.body["details"]["causes"][0]["field"] == path
    assert world.call("GET", WIDGETS).status == 404


SCHEMAS = [
    ({"type": "text"}, "type"),
    ({"type": "object", "properties": []}, "properties"),
    ({"type": "object", "properties": {"a": None}}, "properties[a]"),
    ({"type": "array", "items": []}, "items"),
    ({"type": "integer", "minimum": "1"}, "minimum"),
    ({"anyOf": [{"required": "a"}]}, "anyOf[0].required"),
    ({"additionalProperties": 5}, "additionalProperties"),
]


@pytest.mark.parametrize(("schema", "path"), SCHEMAS)
def test_schemas_that_make_no_sense_are_refused(world: World, schema: Any, path: str) -> None:
    """Before they are stored: afterwards every object would meet them."""
    crd = widget_crd()
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = schema
    answer = world.call("POST", CRDS, crd)
    assert answer.status == 422
    field = answer.body["details"]["causes"][0]["field"]
    assert field == f"spec.versions[0].schema.openAPIV3Schema.properties[spec].{path}"


def test_the_servers_own_kinds_are_not_redefined(world: World) -> None:
    """A definition in a group that the server serves itself is refused."""
    crd = widget_crd()
    crd["metadata"]["name"] = "deployments.apps"
    crd["spec"]["group"] = "apps"
    crd["spec"]["names"]["plural"] = "deployments"
    assert world.call("POST", CRDS, crd).body["details"]["causes"][0]["field"] == "spec.group"


def test_health_and_version(world: World) -> None:
    """Text for probes, a version that kubectl compares with its own."""
    for path in ("/healthz", "/livez", "/readyz"):
        assert world.ok("GET", path) == "ok"
    version = world.ok("GET", "/version")
    assert version["gitVersion"].startswith(f"v{version['major']}.{version['minor']}.")
    assert world.call("GET", "/metrics").status == 404
    assert world.call("POST", "/version").status == 405


def test_the_description_of_the_api_follows_the_definitions(world: World) -> None:
    """OpenAPI v3 by group version with the patch parameter that kubectl looks for; new after a change."""
    index = json.loads(world.call("GET", "/openapi/v3").encoded())["paths"]
    assert {"api/v1", "apis/apps/v1"} <= set(index)
    apps = json.loads(world.call("GET", "/openapi/v3/apis/apps/v1").encoded())
    path = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
    assert "fieldValidation" in [p["name"] for p in apps["paths"][path]["patch"]["parameters"]]
    assert world.call("GET", "/openapi/v3/apis/example.com/v1").status == 404
    world.ok("POST", CRDS, widget_crd())
    assert "apis/example.com/v1" in json.loads(world.call("GET", "/openapi/v3").encoded())["paths"]
    assert world.call("GET", "/openapi/v3/apis/example.com/v1").status == 200
    assert json.loads(world.call("GET", "/openapi/v2").encoded())["swagger"] == "2.0"
    only_protobuf = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    assert world.call("GET", "/openapi/v2", accept=only_protobuf).status == 406


def test_tables_for_kubectl(world: World) -> None:
    """Lists, single objects and watches come as tables where these are preferred."""
    world.ok("POST", CRDS, widget_crd())
    world.ok("POST", WIDGETS, widget("w"))
    answer = world.call("GET", WIDGETS, accept=TABLE).body
    assert answer["kind"] == "Table"
    assert [column["name"] for column in answer["columnDefinitions"]] == ["Name", "Size"]
    assert answer["rows"][0]["cells"] == ["w", 3]
    assert answer["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    assert answer["metadata"]["resourceVersion"]
    assert len(world.call("GET", f"{WIDGETS}/w", accept=TABLE).body["rows"]) == 1
    watch = world.call("GET", f"{WIDGETS}?watch=true", accept=TABLE).watch
    assert watch is not None
    assert watch.render is not None
    (event,) = watch.take()
    assert watch.render(event)["rows"][0]["cells"] == ["w", 3]
    watch.stop()


def test_other_shapes(world: World) -> None:
    """Metadata alone; what can't be made is not acceptable."""
    world.ok("POST", CONFIGMAPS, config_map("a"))
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    (item,) = world.call("GET", CONFIGMAPS, accept=accept).body["items"]
    assert item["kind"] == "PartialObjectMetadata"
    assert "data" not in item
    assert world.call("GET", CONFIGMAPS, accept="text/html").status == 406
    assert world.call("GET", CONFIGMAPS, accept="application/vnd.kubernetes.protobuf, */*").status == 200


def test_whoever_holds_the_credential_may_do_everything(world: World) -> None:
    """kubectl auth can-i and whoami."""
    body = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    answer = world.ok("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
    assert answer["status"]["allowed"]
    answer = world.ok("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
    assert answer["status"]["userInfo"]["username"] == "zerogate-admin"
