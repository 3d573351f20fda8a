"""The verbs of the API, without sockets: what is stored, what is refused, and in which words."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedded.api import Api, ApiRequest
from embedded.api.bodies import decode
from embedded.api.protobuf import decode_object
from embedded.api.refusals import ApiRefusal
from embedded.store import Store
from serving.validation import FieldError, Refused
from testkit.api.world import (
    APPLY,
    CONFIGMAPS,
    CRDS,
    DEPLOYMENTS,
    JSON_PATCH,
    MERGE,
    NAMESPACES,
    PODS,
    STRATEGIC,
    WIDGETS,
    World,
    config_map,
    deployment,
    pod,
    widget,
    widget_crd,
)

Obj = dict[str, Any]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def widgets(world: World) -> World:
    world.ok("POST", CRDS, widget_crd())
    return world


# -- create and read -------------------------------------------------------------------------------------


def test_a_created_object_gets_what_only_the_server_gives(world: World) -> None:
    """UID, time, resourceVersion, generation; the namespace of the path; nothing of it from the client."""
    sent = deployment("d", uid="mine", creationTimestamp="2001-01-01T00:00:00Z", generation=7)
    made = world.ok("POST", DEPLOYMENTS, sent)
    meta = made["metadata"]
    assert meta["uid"] != "mine"
    assert meta["creationTimestamp"] == "2023-11-14T22:13:20Z"
    assert meta["generation"] == 1
    assert meta["namespace"] == "default"
    assert world.ok("GET", f"{DEPLOYMENTS}/d") == made
    assert sent["metadata"]["uid"] == "mine", "the caller's object is copied"


def test_generated_names_end_in_five_characters(world: World) -> None:
    """generateName is a prefix; a name wins over it."""
    first = world.ok("POST", CONFIGMAPS, config_map("", generateName="x-"))
    second = world.ok("POST", CONFIGMAPS, config_map("", generateName="x-"))
    assert len(first["metadata"]["name"]) == len("x-") + 5
    assert first["metadata"]["name"] != second["metadata"]["name"]
    assert world.ok("POST", CONFIGMAPS, config_map("n", generateName="x-"))["metadata"]["name"] == "n"


REFUSED_CREATIONS = [
    ("taken", CONFIGMAPS, config_map("taken"), 409, "AlreadyExists", 'configmaps "taken" already exists'),
    ("no name", CONFIGMAPS, config_map(""), 422, "Invalid", "metadata.name: Required value"),
    ("bad name", CONFIGMAPS, config_map("A_b"), 422, "Invalid", 'metadata.name: Invalid value: "A_b"'),
    ("bad label", CONFIGMAPS, config_map("x", labels={"-a/b": "c"}), 422, "Invalid", "metadata.labels"),
    ("label value", CONFIGMAPS, config_map("x", labels={"a": "b c"}), 422, "Invalid", "metadata.labels"),
    ("no namespace", "/api/v1/namespaces/no/configmaps", config_map("x"), 404, "NotFound", 'namespaces "no"'),
    ("other namespace", CONFIGMAPS, config_map("x", namespace="y"), 400, "BadRequest", "does not match"),
    ("other kind", CONFIGMAPS, pod("x"), 400, "BadRequest", "cannot be handled as a ConfigMap: it is a Pod"),
    ("versioned", CONFIGMAPS, config_map("x", resourceVersion="5"), 400, "BadRequest", "should not be set"),
    ("no object", CONFIGMAPS, ["x"], 400, "BadRequest", "an object with metadata"),
    ("name of a wrong type", CONFIGMAPS, config_map(5), 400, "BadRequest", "metadata.name must be a string"),
    ("wrong type", DEPLOYMENTS, deployment("x", replicas="3"), 400, "BadRequest", "spec.replicas"),
    ("negative", DEPLOYMENTS, deployment("x", replicas=-1), 422, "Invalid", "spec.replicas: Invalid"),
    ("no containers", PODS, {"metadata": {"name": "x"}, "spec": {}}, 422, "Invalid", "spec.containers"),
    ("all namespaces", "/api/v1/configmaps", config_map("x"), 405, "MethodNotAllowed", "does not allow"),
    ("a name in the path", f"{CONFIGMAPS}/x", config_map("x"), 405, "MethodNotAllowed", "does not allow"),
    ("unknown kind", "/api/v1/namespaces/default/gadgets", {}, 404, "NotFound", "could not find"),
    ("unknown owner", CONFIGMAPS, config_map("x", ownerReferences=[{"name": "a"}]), 422, "Invalid", "uid"),
]  # fmt: skip


@pytest.mark.parametrize(
    "row", [row[1:] for row in REFUSED_CREATIONS], ids=[row[0] for row in REFUSED_CREATIONS]
)
def test_refused_creations(world: World, row: tuple[Any, ...]) -> None:
    """Each with Kubernetes' code and reason; nothing is stored."""
    path, body, code, reason, text = row
    world.ok("POST", CONFIGMAPS, config_map("taken"))
    revision = world.store.revision
    answer = world.call("POST", path, body)
    assert (answer.status, answer.body["code"], answer.body["reason"]) == (code, code, reason)
    assert text in answer.body["message"]
    assert answer.body["kind"] == "Status"
    assert world.store.revision == revision


def test_a_refusal_names_object_and_fields(world: World) -> None:
    """details: name, group, kind and one cause per field, as kubectl prints them."""
    answer = world.call("POST", DEPLOYMENTS, deployment("x", replicas=-1))
    assert answer.body["details"]["kind"] == "Deployment"
    assert answer.body["details"]["group"] == "apps"
    assert answer.body["details"]["name"] == "x"
    assert [cause["field"] for cause in answer.body["details"]["causes"]] == ["spec.replicas"]
    assert answer.body["message"].startswith('Deployment.apps "x" is invalid: spec.replicas: ')


def test_what_is_not_there_is_not_found(world: World) -> None:
    """404 with the resource's full name."""
    answer = world.call("GET", f"{DEPLOYMENTS}/d")
    assert answer.status == 404
    assert answer.body["message"] == 'deployments.apps "d" not found'
    assert answer.body["details"] == {"name": "d", "group": "apps", "kind": "deployments"}


def test_a_created_status_is_not_believed(world: World) -> None:
    """A status comes by /status; pods begin as Pending."""
    made = world.ok("POST", DEPLOYMENTS, {**deployment("d"), "status": {"replicas": 5}})
    assert "replicas" not in made.get("status", {})
    assert (
        world.ok("POST", PODS, {**pod("p"), "status": {"phase": "Running"}})["status"]["phase"] == "Pending"
    )


# -- update ----------------------------------------------------------------------------------------------


def test_an_update_of_an_old_version_is_a_conflict(world: World) -> None:
    """Optimistic concurrency: the first writer wins, the second has to read again."""
    read = world.ok("POST", CONFIGMAPS, config_map("a"))
    world.ok("PUT", f"{CONFIGMAPS}/a", {**read, "data": {"k": "2"}})
    answer = world.call("PUT", f"{CONFIGMAPS}/a", {**read, "data": {"k": "3"}})
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert "the object has been modified" in answer.body["message"]
    assert world.ok("GET", f"{CONFIGMAPS}/a")["data"] == {"k": "2"}


def test_an_update_of_a_namesake_is_a_conflict(world: World) -> None:
    """The UID is a precondition when it is sent."""
    read = world.ok("POST", CONFIGMAPS, config_map("a"))
    world.ok("DELETE", f"{CONFIGMAPS}/a")
    world.ok("POST", CONFIGMAPS, config_map("a"))
    unversioned = {**read, "metadata": {**read["metadata"], "resourceVersion": ""}}
    assert world.call("PUT", f"{CONFIGMAPS}/a", unversioned).status == 409


def test_a_write_that_changes_nothing_writes_nothing(world: World) -> None:
    """The same version stays, no watch hears of it."""
    made = world.ok("POST", DEPLOYMENTS, deployment("d"))
    for verb, path, body, content_type in (
        ("PUT", f"{DEPLOYMENTS}/d", made, "application/json"),
        ("PUT", f"{DEPLOYMENTS}/d", deployment("d"), "application/json"),
        ("PATCH", f"{DEPLOYMENTS}/d", {"spec": {"replicas": 1}}, MERGE),
        ("PATCH", f"{DEPLOYMENTS}/d/scale", {"spec": {"replicas": 1}}, MERGE),
        ("PATCH", f"{DEPLOYMENTS}/d/status", {"status": {}}, MERGE),
    ):
        world.now += 10
        world.ok(verb, path, body, content_type)
    assert world.ok("GET", f"{DEPLOYMENTS}/d") == made


def test_generation_counts_changes_of_the_spec_alone(world: World) -> None:
    """Labels and status leave it as it is."""
    world.ok("POST", DEPLOYMENTS, deployment("d"))
    for patch, path, generation in (
        ({"metadata": {"labels": {"a": "b"}}}, "", 1),
        ({"status": {"replicas": 1}}, "/status", 1),
        ({"spec": {"replicas": 2}}, "", 2),
        ({"spec": {"replicas": 3}}, "/scale", 3),
    ):
        world.ok("PATCH", f"{DEPLOYMENTS}/d{path}", patch, MERGE)
        assert world.ok("GET", f"{DEPLOYMENTS}/d")["metadata"]["generation"] == generation


def test_spec_and_status_are_written_apart(world: World) -> None:
    """What /status writes leaves the spec alone, and the other way round."""
    world.ok("POST", DEPLOYMENTS, deployment("d"))
    both = {"spec": {"replicas": 9}, "status": {"replicas": 9}, "metadata": {"labels": {"x": "y"}}}
    world.ok("PATCH", f"{DEPLOYMENTS}/d/status", both, MERGE)
    found = world.ok("GET", f"{DEPLOYMENTS}/d")
    assert (found["spec"]["replicas"], found["status"]["replicas"]) == (1, 9)
    assert "labels" not in found["metadata"]
    world.ok("PATCH", f"{DEPLOYMENTS}/d", {"spec": {"replicas": 2}, "status": {"replicas": 2}}, MERGE)
    found = world.ok("GET", f"{DEPLOYMENTS}/d")
    assert (found["spec"]["replicas"], found["status"]["replicas"]) == (2, 9)


def test_a_pods_annotations_may_go_with_its_status(world: World) -> None:
    """As in Kubernetes: one write tells address and port."""
    world.ok("POST", PODS, pod("p"))
    patch = {"metadata": {"annotations": {"zerogate.dev/port": "31000"}}, "status": {"podIP": "127.0.0.1"}}
    made = world.ok("PATCH", f"{PODS}/p/status", patch, MERGE)
    assert made["metadata"]["annotations"] == {"zerogate.dev/port": "31000"}
    assert made["status"]["podIP"] == "127.0.0.1"


REFUSED_UPDATES = [
    ("selector", f"{DEPLOYMENTS}/d", {"spec": {"selector": {"matchLabels": {"app": "e"}}}}, "spec.selector"),
    ("pod's spec", f"{PODS}/p", {"spec": {"hostNetwork": True}}, "pod updates may not change"),
    ("name", f"{DEPLOYMENTS}/d", {"metadata": {"name": "e"}}, "does not match the name on the URL"),
    ("container", f"{DEPLOYMENTS}/d", {"spec": {"template": {"spec": {"containers": None}}}}, "containers"),
    ("finalizer", f"{PODS}/p", {"metadata": {"labels": {"a/b/c": "x"}}}, "metadata.labels"),
    ("metadata", f"{DEPLOYMENTS}/d", {"metadata": []}, "metadata"),
]


@pytest.mark.parametrize(
    ("path", "patch", "text"), [row[1:] for row in REFUSED_UPDATES], ids=[row[0] for row in REFUSED_UPDATES]
)
def test_refused_updates(world: World, path: str, patch: Obj, text: str) -> None:
    """Nothing is stored."""
    world.ok("POST", DEPLOYMENTS, deployment("d"))
    world.ok("POST", PODS, pod("p"))
    revision = world.store.revision
    answer = world.call("PATCH", path, patch, MERGE)
    assert answer.status in {400, 422}
    assert text in answer.body["message"]
    assert world.store.revision == revision


def test_the_servers_own_fields_cannot_be_written(world: World) -> None:
    """Whatever a patch says of them, they stay; an end that was not asked for is refused."""
    made = world.ok("POST", DEPLOYMENTS, deployment("d"))
    patch: Obj = {"metadata": {"generation": 50, "creationTimestamp": None}}
    found = world.ok("PATCH", f"{DEPLOYMENTS}/d", patch, MERGE)
    assert found["metadata"]["generation"] == 1
    assert found["metadata"]["creationTimestamp"] == made["metadata"]["creationTimestamp"]
    patch = {"metadata": {"deletionTimestamp": "2030-01-01T00:00:00Z"}}
    assert world.call("PATCH", f"{DEPLOYMENTS}/d", patch, MERGE).status == 422


# -- patches ---------------------------------------------------------------------------------------------


def test_the_four_patch_languages(world: World) -> None:
    """JSON, merge, strategic merge and apply, each on the same Deployment."""
    world.ok("POST", DEPLOYMENTS, deployment("d"))
    path = f"{DEPLOYMENTS}/d"
    world.ok("PATCH", path, [{"op": "replace", "path": "/spec/replicas", "value": 2}], JSON_PATCH)
    assert world.ok("GET", path)["spec"]["replicas"] == 2
    world.ok("PATCH", path, {"spec": {"replicas": 3}}, MERGE)
    assert world.ok("GET", path)["spec"]["replicas"] == 3
    container = {"name": "main", "env": [{"name": "A", "value": "1"}]}
    world.ok("PATCH", path, {"spec": {"template": {"spec": {"containers": [container]}}}}, STRATEGIC)
    found = world.ok("GET", path)["spec"]["template"]["spec"]["containers"]
    assert [(entry["name"], entry["image"], entry["env"]) for entry in found] == [
        ("main", "hello:1", [{"name": "A", "value": "1"}])
    ]
    applied = {**deployment("d"), "spec": {"minReadySeconds": 4}}
    assert world.ok("PATCH", f"{path}?fieldManager=me", applied, APPLY)["spec"]["minReadySeconds"] == 4


def test_a_json_patchs_test_guards_the_scale(world: World) -> None:
    """0 → 1 only if it still is 0; a patch that does not fit changes nothing. A Scale leaves a zero out."""
    world.ok("POST", DEPLOYMENTS, deployment("d", replicas=0))
    assert world.ok("GET", f"{DEPLOYMENTS}/d/scale")["spec"] == {}
    wake = [
        {"op": "test", "path": "/spec", "value": {}},
        {"op": "add", "path": "/spec/replicas", "value": 1},
    ]
    made = world.ok("PATCH", f"{DEPLOYMENTS}/d/scale", wake, JSON_PATCH)
    assert made["kind"] == "Scale"
    assert made["spec"]["replicas"] == 1
    assert made["status"]["selector"] == "app=d"
    answer = world.call("PATCH", f"{DEPLOYMENTS}/d/scale", wake, JSON_PATCH)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")


def test_the_scale_is_written_whole_as_well(world: World) -> None:
    """PUT, with its version as a precondition; other than whole numbers are refused."""
    world.ok("POST", DEPLOYMENTS, deployment("d"))
    path = f"{DEPLOYMENTS}/d/scale"
    scale = world.ok("GET", path)
    assert world.ok("PUT", path, {**scale, "spec": {"replicas": 4}})["spec"]["replicas"] == 4
    assert world.call("PUT", path, {**scale, "spec": {"replicas": 5}}).status == 409
    for replicas in (-1, "4", 1.5, True):
        assert world.call("PATCH", path, {"spec": {"replicas": replicas}}, MERGE).status == 422
    assert world.ok("GET", path)["spec"]["replicas"] == 4


def test_who_wrote_the_replicas_is_on_record(world: World) -> None:
    """managedFields name the last writer of a field, and the sub-resource it went through."""
    world.ok("POST", DEPLOYMENTS, deployment("d"))
    world.ok("PATCH", f"{DEPLOYMENTS}/d/scale?fieldManager=kpa", {"spec": {"replicas": 4}}, MERGE)
    entries = world.ok("GET", f"{DEPLOYMENTS}/d")["metadata"]["managedFields"]
    owners = [entry for entry in entries if "f:replicas" in entry["fieldsV1"].get("f:spec", {})]
    assert [(entry["manager"], entry["subresource"]) for entry in owners] == [("kpa", "scale")]


def test_apply_creates_owns_and_conflicts(world: World) -> None:
    """Server-side apply: creates, is idempotent, refuses to take a field unless forced."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "1"}}
    answer = world.call("PATCH", f"{CONFIGMAPS}/a?fieldManager=one", body, APPLY)
    assert answer.status == 201
    again = world.call("PATCH", f"{CONFIGMAPS}/a?fieldManager=one", body, APPLY)
    assert (again.status, again.body) == (200, answer.body)
    other = {**body, "data": {"k": "2"}}
    refused = world.call("PATCH", f"{CONFIGMAPS}/a?fieldManager=two", other, APPLY)
    assert (refused.status, refused.body["reason"]) == (409, "Conflict")
    assert refused.body["details"]["causes"][0]["field"] == ".data.k"
    forced = world.ok("PATCH", f"{CONFIGMAPS}/a?fieldManager=two&force=true", other, APPLY)
    assert forced["data"] == {"k": "2"}
    assert world.call("PATCH", f"{CONFIGMAPS}/a", body, APPLY).status == 422, "apply needs a field manager"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_other_body_types_are_refused(world: World, method: str, content_type: str) -> None:
    """415, which is what a web page's form would get."""
    world.ok("POST", CONFIGMAPS, config_map("a"))
    path = CONFIGMAPS if method == "POST" else f"{CONFIGMAPS}/a"
    answer = world.sent(method, path, {"data": {"x": "y"}}, content_type)
    assert (answer.status, answer.body["reason"]) == (415, "UnsupportedMediaType")


def test_strategic_patches_are_not_for_custom_kinds(widgets: World) -> None:
    """415, as kubectl expects before it falls back."""
    widgets.ok("POST", WIDGETS, widget("w"))
    assert widgets.call("PATCH", f"{WIDGETS}/w", {"spec": {"size": 5}}, STRATEGIC).status == 415


# -- field validation and dry run ------------------------------------------------------------------------


def test_misspelt_and_doubled_fields(world: World) -> None:
    """Strict refuses, Warn (the default) warns and drops, Ignore drops."""
    wrong = deployment("d")
    wrong["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    answer = world.sent("POST", f"{DEPLOYMENTS}?fieldValidation=Strict", wrong)
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
    assert answer.body["message"] == (
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
        'unknown field "spec.template.spec.containers[0].imagee"'
    )
    assert not world.exists(f"{DEPLOYMENTS}/d")
    warned = world.sent("POST", f"{DEPLOYMENTS}?dryRun=All", wrong)
    assert list(warned.warnings) == ['unknown field "spec.template.spec.containers[0].imagee"']
    made = world.sent("POST", f"{DEPLOYMENTS}?fieldValidation=Ignore", wrong)
    assert not made.warnings
    assert "imagee" not in json.dumps(made.body["spec"])
    twice = b'{"metadata":{"name":"c"},"data":{"a":"1","a":"2"}}'
    answer = world.sent("POST", f"{CONFIGMAPS}?fieldValidation=Strict", twice)
    assert 'duplicate field "data.a"' in answer.body["message"]


def test_a_misspelt_field_in_a_patch_is_refused_too(widgets: World) -> None:
    """The result of a patch is looked at as a whole object is."""
    widgets.ok("POST", WIDGETS, widget("w"))
    answer = widgets.sent("PATCH", f"{WIDGETS}/w?fieldValidation=Strict", {"spec": {"colour": "red"}}, MERGE)
    assert answer.status == 422
    assert 'unknown field "spec.colour"' in answer.body["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "content_type"),
    [
        ("POST", CONFIGMAPS, config_map("b"), "application/json"),
        ("PUT", f"{CONFIGMAPS}/a", config_map("a", {"k": "new"}), "application/json"),
        ("PATCH", f"{CONFIGMAPS}/a", {"data": {"k": "new"}}, MERGE),
        ("PATCH", f"{CONFIGMAPS}/n", config_map("n"), APPLY),
        ("DELETE", f"{CONFIGMAPS}/a", None, "application/json"),
        ("DELETE", CONFIGMAPS, None, "application/json"),
    ],
)
def test_a_dry_run_answers_and_changes_nothing(
    world: World, method: str, path: str, body: Any, content_type: str
) -> None:
    """dryRun=All: the answer as if, the store as before."""
    world.ok("POST", CONFIGMAPS, config_map("a"))
    revision = world.store.revision
    answer = world.call(method, f"{path}?dryRun=All&fieldManager=m", body, content_type)
    assert answer.status < 300
    assert world.store.revision == revision
    assert world.names(CONFIGMAPS) == ["a"]


@pytest.mark.parametrize("query", ["dryRun=yes", "fieldValidation=Maybe"])
def test_unknown_options_are_refused(world: World, query: str) -> None:
    """422, naming the values there are."""
    answer = world.call("POST", f"{CONFIGMAPS}?{query}", config_map("a"))
    assert answer.status == 422
    assert "supported values" in answer.body["message"]


# -- admission -------------------------------------------------------------------------------------------


def test_admission_completes_and_refuses() -> None:
    """The hook sees resource, wanted and stored object; what it refuses is 422 with its field paths."""
    seen: list[tuple[str, bool]] = []

    def admit(resource: Any, obj: Obj, old: Obj | None) -> Obj:
        seen.append((resource.plural, old is not None))
        if obj.get("data", {}).get("k") == "bad":
            raise Refused([FieldError("data.k", "must be good"), FieldError("data", "hm")])
        return (
            {**obj, "data": {**obj.get("data", {}), "added": "yes"}}
            if resource.plural == "configmaps"
            else obj
        )

    world = World(admit=admit)
    assert world.ok("POST", CONFIGMAPS, config_map("a"))["data"]["added"] == "yes"
    answer = world.call("PATCH", f"{CONFIGMAPS}/a", {"data": {"k": "bad"}}, MERGE)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["message"] == 'ConfigMap "a" is invalid: [data.k: must be good, data: hm]'
    assert [(c["field"], c["message"]) for c in answer.body["details"]["causes"]] == [
        ("data.k", "must be good"),
        ("data", "hm"),
    ]
    assert world.ok("GET", f"{CONFIGMAPS}/a")["data"]["k"] == "v"
    assert seen[-2:] == [("configmaps", False), ("configmaps", True)]


# -- lists -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["a", "b", "c"]),
        ("labelSelector=app=x", ["a", "b"]),
        ("labelSelector=app!=x", ["c"]),
        ("labelSelector=app in (x,y),tier", ["b"]),
        ("fieldSelector=metadata.name=b", ["b"]),
        ("fieldSelector=metadata.name!=b", ["a", "c"]),
        ("fieldSelector=spec.nodeName=n1", ["a"]),
        ("fieldSelector=spec.nodeName=", ["b", "c"]),
        ("fieldSelector=status.phase=Pending,metadata.namespace=default&labelSelector=tier", ["b"]),
        ("fieldSelector=metadata.name=nobody", []),
    ],
)
def test_selectors(world: World, query: str, names: list[str]) -> None:
    """Labels and the fields that Kubernetes selects pods by."""
    world.ok("POST", PODS, pod("a", node="n1", labels={"app": "x"}))
    world.ok("POST", PODS, pod("b", labels={"app": "x", "tier": "t"}))
    world.ok("POST", PODS, pod("c", labels={"app": "y"}))
    assert world.names(f"{PODS}?{query}") == names


@pytest.mark.parametrize(
    "query", ["labelSelector=a=b=c!", "fieldSelector=spec.image=x", "limit=x", "resourceVersion=x"]
)
def test_unreadable_list_options_are_refused(world: World, query: str) -> None:
    """400, not an empty list."""
    assert world.call("GET", f"{PODS}?{query}").status == 400


def test_pages_together_are_the_list(world: World) -> None:
    """limit and continue: each object once, in order, over all namespaces; one revision for all pages."""
    world.ok("POST", NAMESPACES, {"metadata": {"name": "other"}})
    for number in range(5):
        world.ok("POST", CONFIGMAPS, config_map(f"c{number}"))
        world.ok("POST", CONFIGMAPS.replace("default", "other"), config_map(f"o{number}"))
    whole = world.ok("GET", "/api/v1/configmaps")
    found, revisions, token, left = [], set(), "", []
    while True:
        page = world.ok("GET", f"/api/v1/configmaps?limit=3&continue={token}")
        found += page["items"]
        revisions.add(page["metadata"]["resourceVersion"])
        left.append(page["metadata"].get("remainingItemCount", 0))
        token = page["metadata"].get("continue", "")
        world.ok("POST", CONFIGMAPS, config_map("", generateName="a"))
        if not token:
            break
    names = [item["metadata"]["name"] for item in found if not item["metadata"]["name"].startswith("a")]
    assert names == [item["metadata"]["name"] for item in whole["items"]]
    assert revisions == {whole["metadata"]["resourceVersion"]}
    assert left[0] == 7
    assert world.call("GET", "/api/v1/configmaps?continue=nonsense").status == 400


def test_the_text_of_a_list_is_its_body(world: World) -> None:
    """The text that is glued from stored texts parses to the very list."""
    for name in ("a", "b"):
        world.ok("POST", CONFIGMAPS, config_map(name, {"k": 'ü\u2028"\\'}))
    answer = world.call("GET", f"{CONFIGMAPS}?limit=1")
    assert json.loads(answer.encoded()) == answer.body
    empty = world.call("GET", "/api/v1/secrets")
    assert json.loads(empty.encoded()) == empty.body


def test_a_list_from_the_future_is_not_answered(world: World) -> None:
    """504 Timeout, by which clients know to try again."""
    answer = world.call("GET", f"{CONFIGMAPS}?resourceVersion=99999")
    assert answer.status == 504
    assert answer.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


# -- pods ------------------------------------------------------------------------------------------------


def test_binding_gives_a_pod_its_node_once(world: World) -> None:
    """POST …/binding sets nodeName and the condition; the second is a conflict."""
    world.ok("POST", PODS, pod("p"))
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"name": "n1"}}
    assert world.ok("POST", f"{PODS}/p/binding", binding)["status"] == "Success"
    found = world.ok("GET", f"{PODS}/p")
    assert found["spec"]["nodeName"] == "n1"
    assert [(c["type"], c["status"]) for c in found["status"]["conditions"]] == [("PodScheduled", "True")]
    assert world.call("POST", f"{PODS}/p/binding", binding).status == 409


def test_old_events_are_swept(world: World) -> None:
    """An hour after they last happened; a repeated event stays."""
    event = {"involvedObject": {"kind": "Pod", "name": "p"}, "reason": "R", "type": "Normal"}
    events = "/api/v1/namespaces/default/events"
    for name in ("once", "again"):
        world.ok(
            "POST", events, {"metadata": {"name": name}, **event, "lastTimestamp": "2023-11-14T22:13:20Z"}
        )
    world.now += 3000
    world.ok("PATCH", f"{events}/again", {"lastTimestamp": "2023-11-14T23:03:20Z", "count": 2}, MERGE)
    world.now += 1000
    world.api.sweep()
    assert world.names(events) == ["again"]
    world.now += 3000
    world.api.sweep()
    assert world.names(events) == []


# -- restarts --------------------------------------------------------------------------------------------


def test_a_restart_brings_everything_back(tmp_path: Path) -> None:
    """Objects, definitions, owners; and generations go on."""
    world = World(tmp_path / "db")
    world.ok("POST", CRDS, widget_crd())
    world.ok("POST", WIDGETS, widget("w"))
    world.ok("POST", DEPLOYMENTS, deployment("d"))
    world.store.close()
    again = World(tmp_path / "db")
    assert again.ok("GET", f"{WIDGETS}/w")["spec"] == {"size": 3}
    again.ok("PATCH", f"{DEPLOYMENTS}/d", {"spec": {"replicas": 2}}, MERGE)
    assert again.ok("GET", f"{DEPLOYMENTS}/d")["metadata"]["generation"] == 2
    again.store.close()


def test_a_failure_of_the_server_is_raised_not_answered() -> None:
    """A defect must not look like a refusal."""

    def broken(_resource: Any, _obj: Obj, _old: Obj | None) -> Obj:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Api(Store(), admit=broken, clock=lambda: 0.0)


# -- bodies ----------------------------------------------------------------------------------------------


def test_yaml_bodies_are_read_as_kubernetes_reads_them(world: World) -> None:
    """Dates stay text, keys are text; YAML comes in by POST and by apply."""
    text = b"metadata: {name: a}\ndata:\n  day: '2024-01-01'\n  1: one\n"
    made = world.sent("POST", CONFIGMAPS, text, "application/yaml").body
    assert made["data"] == {"day": "2024-01-01", "1": "one"}
    assert decode(b"a: 2024-01-01", "application/yaml") == ({"a": "2024-01-01"}, [])
    text = b"{apiVersion: v1, kind: ConfigMap, metadata: {name: b}, data: {x: y}}"
    applied = world.sent("PATCH", f"{CONFIGMAPS}/b?fieldManager=m", text, APPLY)
    assert applied.status == 201


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"\xff", "application/json"),
        (b'{"a":NaN}', "application/json"),
        (b'{"a":1e999}', "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"a: [", "application/yaml"),
        (b"a: .inf", "application/yaml"),
        (b"{[a]: b}", "application/yaml"),
        (b"!!python/object:os.system {}", "application/yaml"),
        (b"k8s\x00\x0a\xff", "application/vnd.kubernetes.protobuf"),
        (b"{}", "application/vnd.kubernetes.protobuf"),
    ],
)
def test_unreadable_bodies_are_bad_requests(world: World, body: bytes, content_type: str) -> None:
    """400 and nothing else, however broken."""
    answer = world.sent("POST", CONFIGMAPS, body, content_type)
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")


@given(st.binary(max_size=200), st.sampled_from(["application/json", "application/yaml"]))
def test_any_bytes_are_read_or_refused(body: bytes, content_type: str) -> None:
    """No body makes the reader fail otherwise."""
    try:
        value, repeated = decode(body, content_type)
    except ApiRefusal as refusal:
        assert (refusal.code, refusal.reason) == (400, "BadRequest")  # noqa: PT017 - one of two good outcomes
    else:
        assert json.dumps(value, allow_nan=False)
        assert isinstance(repeated, list)


def _field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2, len(value)]) + value


def test_a_protobuf_body_of_kubectl() -> None:
    """The envelope and a ConfigMap, byte by byte: empty values that JSON leaves out are left out."""
    meta = _field(1, b"a") + _field(2, b"") + _field(8, b"")
    raw = _field(1, meta) + _field(2, _field(1, b"x") + _field(2, b"y")) + bytes([4 << 3, 1])
    body = (
        b"k8s\x00" + _field(1, _field(1, b"v1") + _field(2, b"ConfigMap")) + _field(2, raw) + _field(3, b"")
    )
    assert decode_object(body) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a"},
        "data": {"x": "y"},
        "immutable": True,
    }


@given(st.binary(max_size=120))
def test_any_protobuf_is_read_or_refused(data: bytes) -> None:
    """ValueError is the only way out for broken bytes."""
    head = b"k8s\x00" + _field(1, _field(1, b"apps/v1") + _field(2, b"Deployment"))
    with contextlib.suppress(ValueError):
        assert decode_object(head + _field(2, data))["kind"] == "Deployment"


@given(st.text(max_size=60), st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "BREW"]))
def test_any_path_gets_an_answer(path: str, method: str) -> None:
    """Whatever the path, the answer has a status; nothing is raised."""
    answer = WORLD.api.handle(ApiRequest(method, "/" + path, body=b"{}"))
    assert 200 <= answer.status < 600


WORLD = World()


# -- nonsense --------------------------------------------------------------------------------------------

WORDS = st.sampled_from(["metadata", "spec", "name", "labels", "uid", "containers", "a"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from(["", "a", "1", "A b"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
OPTIONS = {
    "gracePeriodSeconds": 1,
    "propagationPolicy": "Orphan",
    "preconditions": {"uid": "x"},
    "dryRun": ["All"],
}
OPERATIONS = [
    {"op": "add", "path": "/spec/x", "value": 1},
    {"op": "test", "path": "/metadata/name", "value": "x"},
]
HEAD: Obj = {
    "labels": {"a": "b"},
    "annotations": {"a": "b"},
    "finalizers": ["a/b"],
    "ownerReferences": [{"uid": "u"}],
}
BODIES = [
    (CONFIGMAPS, "x", config_map("x", **HEAD)),
    (PODS, "x", {**pod("x", **HEAD), "status": {"phase": "Running", "conditions": [{"type": "Ready"}]}}),
    (DEPLOYMENTS, "x", deployment("x", **HEAD)),
    (WIDGETS, "x", {**widget("x", size=2), "status": {"found": 1}}),
    (CRDS, "widgets.example.com", widget_crd()),
]


def places_in(value: Any) -> list[tuple[Any, Any]]:
    """All (container, key) pairs below a JSON value."""
    keys = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [pair for key, below in keys for pair in ((value, key), *places_in(below))]


@settings(deadline=None, max_examples=400)
@given(
    st.sampled_from(["POST", "PUT", "PATCH", "DELETE"]),
    st.sampled_from(BODIES),
    st.sampled_from(["", "/status", "/scale"]),
    st.sampled_from([MERGE, JSON_PATCH, STRATEGIC, APPLY]),
    st.lists(st.tuples(st.integers(0, 200), VALUES), min_size=1, max_size=3),
)
def test_nearly_right_bodies_are_taken_or_refused(
    method: str, target: tuple[str, str, Obj], part: str, patch_type: str, wrong: list[tuple[int, Any]]
) -> None:
    """Whatever stands where in an object, the server does not fail, and stores nothing that it refuses."""
    path, name, body = target
    content: Any = body
    if method == "DELETE" or (method == "PATCH" and patch_type == JSON_PATCH):
        content = OPTIONS if method == "DELETE" else OPERATIONS
    content = json.loads(json.dumps(content))
    for number, value in wrong:
        places = places_in(content)
        if places:
            container, key = places[number % len(places)]
            container[key] = value
    world = _busy()
    revision = world.store.revision
    where = path if method == "POST" else f"{path}/{name}{part if method != 'DELETE' else ''}"
    content_type = patch_type if method == "PATCH" else "application/json"
    answer = world.sent(method, f"{where}?fieldManager=m&force=true", content, content_type)
    assert 200 <= answer.status < 500
    if answer.status >= 400:
        assert world.store.revision == revision


@pytest.mark.parametrize("field", ["finalizers", "ownerReferences"])
@pytest.mark.parametrize(("path", "body"), [(CONFIGMAPS, config_map("x")), (WIDGETS, widget("x"))])
def test_a_null_in_a_list_of_metadata_is_refused_also_where_nothing_else_changes(
    path: str, body: Obj, field: str
) -> None:
    changed = {**body, "metadata": {**body["metadata"], field: [None]}}
    answer = _busy().sent("PUT", f"{path}/x", changed, "application/json")
    assert answer.status in {400, 422}


def _busy() -> World:
    world = World()
    world.ok("POST", CRDS, widget_crd())
    standing = {
        CONFIGMAPS: config_map("x"),
        PODS: pod("x"),
        DEPLOYMENTS: deployment("x"),
        WIDGETS: widget("x"),
    }
    for path, obj in standing.items():
        world.ok("POST", path, obj)
    return world
