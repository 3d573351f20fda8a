"""Server-side apply: who owns what, conflicts, giving up, and what is written down of it."""

from collections.abc import Callable
from typing import Any

import pytest

from kube.objects import Obj
from kube.resources import CONFIGMAPS, DEPLOYMENTS
from testkit.contract.engine import JSON_PATCH, Answer, Engine
from testkit.contract.objects import config_map, deployment, pod, widget


@pytest.fixture
def path(namespace: str) -> str:
    return CONFIGMAPS.path(namespace, "x")


def owners(obj: Obj) -> dict[str, Any]:
    """manager → (operation, subresource, fields) of what is written down."""
    found = obj["metadata"].get("managedFields") or ()
    return {
        entry["manager"]: (entry["operation"], entry.get("subresource", ""), entry["fieldsV1"])
        for entry in found
    }


def data_of(*keys: str, own: bool = False) -> dict[str, Any]:
    return {"f:data": {**({".": {}} if own else {}), **{f"f:{key}": {} for key in keys}}}


def test_an_apply_creates_and_is_idempotent(engine: Engine, path: str) -> None:
    """201, then 200 with the same version."""
    first = engine.apply(path, config_map(data={"a": "1"}), "one")
    again = engine.apply(path, config_map(data={"a": "1"}), "one")
    assert (first.status, again.status) == (201, 200)
    assert again.body["metadata"] == first.body["metadata"]
    assert owners(first.body) == {"one": ("Apply", "", data_of("a"))}
    (entry,) = first.body["metadata"]["managedFields"]
    assert (entry["apiVersion"], entry["fieldsType"]) == ("v1", "FieldsV1")
    assert entry["time"] == first.body["metadata"]["creationTimestamp"]


def test_another_value_for_an_owned_field_is_a_conflict(engine: Engine, path: str) -> None:
    """409 that names owner and fields; `force` takes them."""
    engine.apply(path, config_map(data={"a": "1", "b": "1"}), "one")
    answer = engine.apply(path, config_map(data={"a": "2"}), "two")
    assert (answer.status, answer.reason, answer.causes) == (409, "Conflict", [".data.a"])
    assert answer.message == 'Apply failed with 1 conflict: conflict with "one": .data.a'
    (cause,) = answer.body["details"]["causes"]
    assert (cause["reason"], cause["message"]) == ("FieldManagerConflict", 'conflict with "one"')
    answer = engine.apply(path, config_map(data={"a": "2", "b": "2"}), "two")
    assert answer.message == 'Apply failed with 2 conflicts: conflicts with "one":\n- .data.a\n- .data.b'
    answer = engine.apply(path, config_map(data={"a": "2"}), "two", force="true")
    assert answer.body["data"] == {"a": "2", "b": "1"}
    assert owners(answer.body) == {
        "one": ("Apply", "", data_of("b")),
        "two": ("Apply", "", data_of("a")),
    }


def test_the_same_value_is_shared(engine: Engine, path: str) -> None:
    """Two owners, and the field goes with the second of them."""
    engine.apply(path, config_map(data={"a": "1", "b": "1"}), "one")
    answer = engine.apply(path, config_map(data={"a": "1"}), "two")
    assert {name: fields for name, (_, _, fields) in owners(answer.body).items()} == {
        "one": data_of("a", "b"),
        "two": data_of("a"),
    }
    answer = engine.apply(path, config_map(data={"c": "1"}), "one")
    assert answer.body["data"] == {"a": "1", "c": "1"}, "b went with its owner, a has another"
    answer = engine.apply(path, config_map(data={"z": "1"}), "two")
    assert answer.body["data"] == {"c": "1", "z": "1"}


def test_giving_up_the_last_field_leaves_no_empty_map(engine: Engine, path: str) -> None:
    """And no entry without fields."""
    engine.apply(path, config_map(data={"a": "1"}), "one")
    bare = {key: value for key, value in config_map().items() if key != "data"}
    answer = engine.apply(path, bare, "one")
    assert answer.status == 200
    assert "data" not in answer.body
    assert owners(answer.body) == {}


def test_ordinary_writes_own_what_they_change(engine: Engine, path: str) -> None:
    """A writer who does not apply is in conflict as well, named with its API version."""
    engine.apply(path, config_map(data={"a": "1"}), "one")
    engine.patch(
        path, {"data": {"a": "2", "b": "2"}, "metadata": {"labels": {"l": "1"}}}, fieldManager="editor"
    )
    answer = engine.apply(path, config_map(data={"a": "1"}), "one")
    assert answer.message == 'Apply failed with 1 conflict: conflict with "editor" using v1: .data.a'
    found = owners(engine.get(path))
    # Its own map of labels is the writer's too: that it is there is what it wrote.
    fields = {**data_of("a", "b"), "f:metadata": {"f:labels": {".": {}, "f:l": {}}}}
    assert found["editor"] == ("Update", "", fields)
    assert "one" not in found, "it has no field left"


def test_a_creation_is_owned_by_its_manager(
    engine: Engine, namespace: str, widgets: Callable[..., Any]
) -> None:
    """Maps of built-in kinds, and all objects of custom ones, with themselves."""
    made = engine.create(CONFIGMAPS, config_map(namespace=namespace), fieldManager="maker")
    assert owners(made) == {"maker": ("Update", "", data_of("a", own=True))}
    answer = engine.request("POST", widgets(namespace), widget(), query={"fieldManager": "maker"})
    spec: dict[str, Any] = {".": {}, "f:colour": {}, "f:size": {}}
    assert owners(answer.body) == {"maker": ("Update", "", {"f:spec": spec})}


def test_lists_by_key_have_an_owner_for_each_element(engine: Engine, namespace: str) -> None:
    """Containers, environment: each applier brings and takes its own."""
    path = DEPLOYMENTS.path(namespace, "d")
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]
    assert engine.apply(path, deployment(container={"env": env}), "one").status == 201

    def by_two(*variables: str, **more: Any) -> Answer:
        container = {"name": "main", "env": [{"name": name, "value": "2"} for name in variables]}
        spec = {"containers": [container, *more.get("containers", ())]}
        head = {key: deployment()[key] for key in ("apiVersion", "kind", "metadata")}
        return engine.apply(path, {**head, "spec": {"template": {"spec": spec}}}, "two")

    def shown(answer: Answer) -> dict[str, Any]:
        assert answer.status == 200, answer
        containers = answer.body["spec"]["template"]["spec"]["containers"]
        return {each["name"]: [one["name"] for one in each.get("env", ())] for each in containers}

    sidecar = {"name": "side", "image": "contract/polite:1"}
    assert shown(by_two("C", containers=[sidecar])) == {"main": ["A", "B", "C"], "side": []}
    clash = by_two("A")
    element = '.spec.template.spec.containers[name="main"].env[name="A"].value'
    assert (clash.status, clash.causes) == (409, [element])
    answer = engine.apply(path, deployment(container={"env": env[:1]}), "one")
    assert shown(answer) == {"main": ["A", "C"], "side": []}
    assert shown(by_two("C")) == {"main": ["A", "C"]}, "the sidecar went with its owner"


def test_lists_of_custom_resources_follow_their_types(
    engine: Engine, namespace: str, widgets: Callable[..., Any]
) -> None:
    """Sets and keyed lists are shared, others belong to one."""
    path = widgets(namespace, "w")
    engine.apply(path, widget(tags=["a"], parts=[{"name": "p", "count": 1}], plain=[1]), "one")
    answer = engine.apply(path, widget(tags=["b"], parts=[{"name": "q"}]), "two")
    assert answer.body["spec"]["tags"] == ["a", "b"]
    assert answer.body["spec"]["parts"] == [{"name": "p", "count": 1}, {"name": "q"}]
    answer = engine.apply(path, widget(plain=[2]), "two")
    assert answer.causes == [".spec.plain"]
    answer = engine.apply(path, widget(), "two")
    assert answer.body["spec"]["tags"] == ["a"]


def test_sub_resources_are_written_down_apart(engine: Engine, namespace: str) -> None:
    """What /scale and /status wrote is told with their names, in conflicts too."""
    path = DEPLOYMENTS.path(namespace, "d")
    engine.apply(path, deployment(), "one")
    engine.patch(f"{path}/scale", {"spec": {"replicas": 2}}, fieldManager="scaler")
    replicas: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
    assert owners(engine.get(path))["scaler"] == ("Update", "scale", replicas)
    answer = engine.apply(path, deployment(), "one")
    told = 'conflict with "scaler" with subresource "scale" using apps/v1: .spec.replicas'
    assert (answer.status, answer.message) == (409, f"Apply failed with 1 conflict: {told}")
    scale = {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": "d"},
        "spec": {"replicas": 3},
    }
    answer = engine.apply(f"{path}/scale", scale, "applier")
    told = told.replace("apps/v1", "autoscaling/v1")
    assert (answer.status, answer.message) == (409, f"Apply failed with 1 conflict: {told}")
    answer = engine.apply(f"{path}/scale", scale, "applier", force="true")
    assert (answer.status, answer.body["spec"]) == (200, {"replicas": 3})
    assert owners(engine.get(path))["applier"] == ("Apply", "scale", replicas)
    status = {**deployment(), "status": {"conditions": [{"type": "Mine", "status": "True"}]}}
    answer = engine.apply(f"{path}/status", status, "teller")
    assert (answer.status, answer.body["spec"]["replicas"]) == (200, 3)
    assert owners(answer.body)["teller"][:2] == ("Apply", "status")


def test_who_wrote_can_be_forgotten(engine: Engine, path: str) -> None:
    """An empty list of managed fields; from then on the first apply finds all else before it."""
    engine.apply(path, config_map(data={"a": "1"}), "one")
    wipe = [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]
    assert owners(engine.patch(path, wipe, JSON_PATCH).body) == {}
    assert owners(engine.patch(path, {"data": {"b": "1"}}, fieldManager="editor").body) == {}
    answer = engine.apply(path, config_map(data={"c": "1"}), "two")
    assert answer.body["data"] == {"a": "1", "b": "1", "c": "1"}
    assert owners(answer.body) == {
        "before-first-apply": ("Update", "", data_of("a", "b", own=True)),
        "two": ("Apply", "", data_of("c")),
    }


NAMELESS = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"b": "1"}}
REFUSED = [
    ("no manager", config_map(), {"fieldManager": ""}, 422, "Invalid", "fieldManager: Required value"),
    ("managed fields", config_map(managedFields=[{"manager": "m"}]), {}, 400, "BadRequest", "must be nil"),
    ("another name", config_map("y"), {}, 400, "BadRequest", "does not match the name on the URL"),
    ("no kind", {**NAMELESS, "kind": ""}, {}, 400, "BadRequest", "invalid object type: /v1, Kind="),
    ("no version of it", {**NAMELESS, "apiVersion": ""}, {}, 400, "BadRequest", "invalid object type: /, "),
    ("another kind", pod("x"), {}, 400, "BadRequest", "invalid object type: /v1, Kind=Pod"),
    ("an old version", config_map(resourceVersion="1"), {}, 409, "Conflict", "the object has been modified"),
    ("another UID", config_map(uid="x"), {}, 422, "Invalid", "metadata.uid: Invalid value"),
    ("a list", [], {}, 400, "BadRequest", ""),
    ("no YAML", b"{a: [", {}, 400, "BadRequest", ""),
]  # fmt: skip


@pytest.mark.parametrize("row", [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused_applies(engine: Engine, path: str, row: tuple[Any, dict[str, str], int, str, str]) -> None:
    """Each with its code, and nothing is stored."""
    body, query, status, reason, text = row
    before = engine.apply(path, config_map(data={"a": "1"}), "one").body
    answer = engine.apply(path, body, query.get("fieldManager", "two"))
    assert (answer.status, answer.reason) == (status, reason)
    assert text in answer.message
    assert engine.get(path) == before


def test_a_name_is_needed_to_create_alone(engine: Engine, path: str) -> None:
    """What is there has one."""
    answer = engine.apply(path, NAMELESS, "one")
    assert (answer.status, answer.reason) == (400, "BadRequest")
    assert "name must be provided" in answer.message
    engine.apply(path, config_map(data={"a": "1"}), "one")
    assert engine.apply(path, NAMELESS, "two").body["data"] == {"a": "1", "b": "1"}


def test_force_is_for_applies_alone(engine: Engine, path: str) -> None:
    """422."""
    engine.apply(path, config_map(), "one")
    answer = engine.patch(path, {"data": {"a": "2"}}, force="true")
    assert (answer.status, answer.causes) == (422, ["force"])


def test_an_apply_with_a_uid_creates_nothing(engine: Engine, path: str) -> None:
    """409: who sends a UID knows an object, and that one is gone."""
    answer = engine.apply(path, config_map(uid="x"), "one")
    assert (answer.status, answer.reason) == (409, "Conflict")
    assert "uid mismatch" in answer.message
    assert engine.request("GET", path).status == 404


UNTYPED = [
    ("unknown field", {"foo": 1}, ".foo: field not declared in schema"),
    ("one key twice", {"spec": deployment(container={"env": [{"name": "A"}, {"name": "A"}]})["spec"]},
     '.spec.template.spec.containers[name="main"].env: duplicate entries for key [name="A"]'),
]  # fmt: skip


@pytest.mark.parametrize("validation", ["Strict", "Warn", "Ignore"])
@pytest.mark.parametrize(("more", "text"), [row[1:] for row in UNTYPED], ids=[row[0] for row in UNTYPED])
def test_what_nobody_could_own_is_refused(
    engine: Engine, namespace: str, more: dict[str, Any], text: str, validation: str
) -> None:
    """Whatever validation is asked for. Kubernetes answers 500 to this mistake, the embedded API 400."""
    path = DEPLOYMENTS.path(namespace, "d")
    answer = engine.apply(path, {**deployment(), **more}, "one", fieldValidation=validation)
    assert answer.status == (400 if engine.name == "embedded" else 500)
    assert "failed to create typed patch object (/d; apps/v1, Kind=Deployment)" in answer.message
    assert text in answer.message
    assert engine.request("GET", path).status == 404
