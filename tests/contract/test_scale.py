"""The sub-resources /scale and /status."""

from collections.abc import Callable
from typing import Any

import pytest

from kube.objects import Obj
from kube.resources import DEPLOYMENTS, REPLICASETS
from testkit.contract.engine import APPLY, JSON_PATCH, MERGE, STRATEGIC, Engine
from testkit.contract.objects import deployment, replica_set, widget

WAKE = [{"op": "test", "path": "/spec", "value": {}}, {"op": "add", "path": "/spec/replicas", "value": 1}]


def scale(name: str, replicas: int, **meta: Any) -> Obj:
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": name, **meta},
        "spec": {"replicas": replicas},
    }


@pytest.fixture(params=["Deployment", "ReplicaSet"])
def path(request: pytest.FixtureRequest, engine: Engine, namespace: str) -> str:
    """An object of no replicas, with a selector that no pod has."""
    resource, make = {"Deployment": (DEPLOYMENTS, deployment), "ReplicaSet": (REPLICASETS, replica_set)}[
        request.param
    ]
    made = make("x")
    made["metadata"]["namespace"] = namespace
    made["spec"] |= {"minReadySeconds": 0}
    engine.create(resource, made)
    return resource.path(namespace, "x")


def test_a_scale_shows_wanted_and_found(engine: Engine, path: str) -> None:
    """A zero is left out of the spec, never of the status."""
    found = engine.get(f"{path}/scale")
    obj = engine.get(path)
    head = {name: obj["metadata"][name] for name in ("name", "namespace", "uid", "creationTimestamp")}
    assert found["metadata"].items() >= head.items()
    assert (found["kind"], found["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert (found["spec"], found["status"]) == ({}, {"replicas": 0, "selector": "app=x"})


def test_a_wake_is_a_patch_that_tests(engine: Engine, path: str) -> None:
    """0 → 1 succeeds once; the spec's generation rises with it."""
    before = engine.get(path)["metadata"]["generation"]
    answer = engine.patch(f"{path}/scale", WAKE, JSON_PATCH)
    assert (answer.status, answer.body["kind"], answer.body["spec"]) == (200, "Scale", {"replicas": 1})
    assert (answer.status, engine.get(path)["metadata"]["generation"]) == (200, before + 1)
    again = engine.patch(f"{path}/scale", WAKE, JSON_PATCH)
    assert (again.status, again.reason) == (422, "Invalid")
    assert engine.get(path)["spec"]["replicas"] == 1


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (MERGE, {"spec": {"replicas": 2}}),
        (STRATEGIC, {"spec": {"replicas": 2}}),
        (JSON_PATCH, [{"op": "replace", "path": "/spec/replicas", "value": 2}]),
        (APPLY, scale("x", 2)),
    ],
)
def test_every_language_scales(
    engine: Engine, path: str, kind: str, body: list[dict[str, Any]] | dict[str, Any]
) -> None:
    """Up, and to zero again by a whole Scale."""
    force = {"force": "true"} if kind == APPLY else {}
    answer = engine.patch(f"{path}/scale", body, kind, fieldManager="m", **force)
    assert (answer.status, answer.body["spec"]) == (200, {"replicas": 2})
    answer = engine.request("PUT", f"{path}/scale", scale("x", 0))
    assert (answer.status, answer.body["spec"]) == (200, {})
    assert engine.get(path)["spec"]["replicas"] == 0


REFUSED = [
    ("negative", "PATCH", {"spec": {"replicas": -1}}, 422, "Invalid", "spec.replicas: Invalid value: -1"),
    ("a text", "PATCH", {"spec": {"replicas": "4"}}, 422, "Invalid", "patch: Invalid value"),
    ("half a pod", "PATCH", {"spec": {"replicas": 1.5}}, 422, "Invalid", "patch: Invalid value"),
    ("an old version", "PUT", scale("x", 1, resourceVersion="1"), 409, "Conflict", "has been modified"),
    ("no name", "PUT", {"spec": {"replicas": 1}}, 400, "BadRequest", "name must be provided"),
    ("another name", "PUT", scale("y", 1), 400, "BadRequest", "does not match the name on the URL"),
    ("another kind", "PUT", deployment("x"), 400, "BadRequest", "cannot be handled as a Scale"),
    ("deleting it", "DELETE", None, 405, "MethodNotAllowed", "does not allow this method"),
    ("creating it", "POST", scale("x", 1), 405, "MethodNotAllowed", "does not allow this method"),
]


@pytest.mark.parametrize("row", [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused_scales(
    engine: Engine, namespace: str, row: tuple[str, dict[str, Any] | None, int, str, str]
) -> None:
    """Nothing changes."""
    method, body, status, reason, text = row
    engine.create(DEPLOYMENTS, {**deployment("x"), "metadata": {"name": "x", "namespace": namespace}})
    path = DEPLOYMENTS.path(namespace, "x")
    answer = engine.request(
        method, f"{path}/scale", body, content_type=MERGE if method == "PATCH" else "application/json"
    )
    assert (answer.status, answer.reason) == (status, reason)
    assert text in answer.message
    assert engine.get(path)["spec"]["replicas"] == 0


def test_an_unknown_field_of_a_scale_is_warned_of(engine: Engine, path: str) -> None:
    """As of any object."""
    answer = engine.patch(f"{path}/scale", {"spec": {"foo": 1}})
    assert (answer.status, answer.warnings) == (200, ('unknown field "spec.foo"',))


def test_a_custom_resource_has_a_scale_where_its_definition_says_so(
    engine: Engine, namespace: str, widgets: Callable[..., Any]
) -> None:
    """By the paths it names."""
    path = widgets(namespace, "w")
    engine.request("POST", widgets(namespace), widget(replicas=2))
    engine.patch(f"{path}/status", {"status": {"replicas": 1, "selector": "a=b"}})
    found = engine.get(f"{path}/scale")
    assert (found["spec"], found["status"]) == ({"replicas": 2}, {"replicas": 1, "selector": "a=b"})
    assert engine.patch(f"{path}/scale", {"spec": {"replicas": 0}}).body["spec"] == {}
    assert engine.get(path)["spec"]["replicas"] == 0
    answer = engine.patch(f"{path}/scale", {"spec": {"replicas": -1}})
    assert (answer.status, answer.causes) == (422, [".spec.replicas"])


@pytest.mark.parametrize("suffix", ["/scale", "/status", "/frob"])
def test_a_part_of_nothing_is_not_found(engine: Engine, namespace: str, suffix: str) -> None:
    """Nor is a part that nothing has."""
    assert engine.request("GET", DEPLOYMENTS.path(namespace, "none") + suffix).status == 404


def test_spec_and_status_are_written_apart(
    engine: Engine, namespace: str, widgets: Callable[..., Any]
) -> None:
    """By whole objects and by patches; only a change of the spec is a generation."""
    engine.request("POST", widgets(namespace), {**widget(), "status": {"replicas": 7}})
    path = widgets(namespace, "w")
    stored = engine.get(path)
    assert "status" not in stored, "a status cannot be created"
    whole = {**stored, "spec": {"size": 2}, "status": {"replicas": 2}}
    whole["metadata"] = {**stored["metadata"], "labels": {"a": "1"}}
    found = engine.request("PUT", f"{path}/status", whole).body
    assert (found["spec"]["size"], found["status"]) == (1, {"replicas": 2})
    assert found["metadata"]["generation"] == 1
    assert "labels" not in found["metadata"]
    both = {"spec": {"size": 3}, "status": {"replicas": 3}}
    found = engine.patch(path, both).body
    assert (found["spec"]["size"], found["status"]) == (3, {"replicas": 2})
    assert found["metadata"]["generation"] == 2
    found = engine.patch(f"{path}/status", both).body
    assert (found["status"], found["metadata"]["generation"]) == ({"replicas": 3}, 2)
    assert engine.patch(path, {"metadata": {"labels": {"a": "1"}}}).body["metadata"]["generation"] == 2
    assert engine.get(f"{path}/status") == engine.get(path)
