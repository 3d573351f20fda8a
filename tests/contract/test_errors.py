"""Status errors: their codes, reasons, messages and details."""

from collections.abc import Callable
from typing import Any

import pytest

from kube.resources import CONFIGMAPS, DEPLOYMENTS, NAMESPACES, PODS
from testkit.contract.engine import JSON, Answer, Engine
from testkit.contract.objects import config_map, deployment, pod, widget

METHOD = "the server does not allow this method on the requested resource"
NONE = 'configmaps "none" not found'
STALE = "the object has been modified; please apply your changes to the latest version and try again"


@pytest.fixture
def path(engine: Engine, namespace: str) -> str:
    engine.create(CONFIGMAPS, config_map(namespace=namespace))
    return CONFIGMAPS.path(namespace)


def status(answer: Answer) -> tuple[int, str, str, dict[str, Any]]:
    """A refusal without the parts that are the same in all of them."""
    body = answer.body
    assert (body["kind"], body["apiVersion"], body["status"]) == ("Status", "v1", "Failure")
    assert body["code"] == answer.status
    return answer.status, body.get("reason"), body["message"], body.get("details") or {}


ROWS = [
    ("not there", "GET", "/none", None, 404, "NotFound", NONE, {"name": "none", "kind": "configmaps"}),
    ("replaced though not there", "PUT", "/none", config_map("none"), 404, "NotFound", NONE,
     {"name": "none", "kind": "configmaps"}),
    ("deleted though not there", "DELETE", "/none", None, 404, "NotFound", NONE,
     {"name": "none", "kind": "configmaps"}),
    ("there already", "POST", "", config_map(), 409, "AlreadyExists", 'configmaps "x" already exists',
     {"name": "x", "kind": "configmaps"}),
    ("an old version", "PUT", "/x", config_map(resourceVersion="1"), 409, "Conflict",
     f'Operation cannot be fulfilled on configmaps "x": {STALE}', {"name": "x", "kind": "configmaps"}),
    ("another name", "PUT", "/x", config_map("y"), 400, "BadRequest",
     "the name of the object (y) does not match the name on the URL (x)", {}),
    ("another namespace", "POST", "", config_map("y", namespace="other"), 400, "BadRequest",
     "the namespace of the provided object does not match the namespace sent on the request", {}),
    ("a collection replaced", "PUT", "", config_map(), 405, "MethodNotAllowed", METHOD, {}),
    ("an object created at its own path", "POST", "/x", config_map(), 405, "MethodNotAllowed", METHOD, {}),
]  # fmt: skip


@pytest.mark.parametrize("row", [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_refusals_word_by_word(engine: Engine, path: str, row: tuple[Any, ...]) -> None:
    """As kubectl prints them."""
    method, name, body, *wanted = row
    assert status(engine.request(method, path + name, body)) == tuple(wanted)


def test_groups_are_told(engine: Engine, namespace: str) -> None:
    """In message and details."""
    answer = engine.request("GET", DEPLOYMENTS.path(namespace, "none"))
    details: dict[str, Any] = {"name": "none", "group": "apps", "kind": "deployments"}
    assert status(answer) == (404, "NotFound", 'deployments.apps "none" not found', details)
    answer = engine.request("POST", DEPLOYMENTS.path(namespace), deployment(replicas=-1))
    cause = {
        "reason": "FieldValueInvalid",
        "message": "Invalid value: -1: must be greater than or equal to 0",
        "field": "spec.replicas",
    }
    details = {"name": "d", "group": "apps", "kind": "Deployment", "causes": [cause]}
    message = f'Deployment.apps "d" is invalid: spec.replicas: {cause["message"]}'
    assert status(answer) == (422, "Invalid", message, details)


PLACES = [
    ("unknown kind", "GET", "/api/v1/namespaces/{}/gadgets", 404, "NotFound"),
    ("unknown part", "GET", "/api/v1/namespaces/{}/configmaps/x/frob", 404, "NotFound"),
    ("all namespaces at once", "POST", "/api/v1/configmaps", 405, "MethodNotAllowed"),
    ("all of them deleted", "DELETE", "/api/v1/configmaps", 405, "MethodNotAllowed"),
    ("all namespaces deleted", "DELETE", "/api/v1/namespaces", 405, "MethodNotAllowed"),
]


@pytest.mark.parametrize("row", [row[1:] for row in PLACES], ids=[row[0] for row in PLACES])
def test_places_where_nothing_is(engine: Engine, namespace: str, row: tuple[str, str, int, str]) -> None:
    """Before the body is looked at."""
    method, place, code, reason = row
    answer = engine.request(method, place.format(namespace), {} if method == "POST" else None)
    assert status(answer)[:2] == (code, reason)


BODIES = [
    ("nothing", b"", JSON, 400, "BadRequest"),
    ("no JSON", b"{", JSON, 400, "BadRequest"),
    ("a list", b"[]", JSON, 400, "BadRequest"),
    ("another kind", pod("x"), JSON, 400, "BadRequest"),
    ("a name of another type", {"metadata": {"name": 5}}, JSON, 400, "BadRequest"),
    ("a value of another type", {"metadata": {"name": "y"}, "data": {"a": 5}}, JSON, 400, "BadRequest"),
    ("a text", b"a", "text/plain", 415, "UnsupportedMediaType"),
    ("a form", b"a=b", "application/x-www-form-urlencoded", 415, "UnsupportedMediaType"),
    ("three megabytes", {"data": {"a": "x" * (3 * 1024 * 1024 + 1)}}, JSON, 413, "RequestEntityTooLarge"),
]


@pytest.mark.parametrize("row", [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
def test_bodies_that_are_no_object(engine: Engine, path: str, row: tuple[Any, str, int, str]) -> None:
    """Each with its code."""
    body, content_type, code, reason = row
    answer = engine.request("POST", path, body, content_type=content_type)
    assert status(answer)[:2] == (code, reason)


def test_wrong_types_cannot_be_handled(engine: Engine, namespace: str, widgets: Callable[..., Any]) -> None:
    """400 for Kubernetes' kinds, 422 with the field where a definition has the schema."""
    answer = engine.request("POST", DEPLOYMENTS.path(namespace), deployment(replicas="3"))
    assert (answer.status, answer.reason) == (400, "BadRequest")
    assert answer.message.startswith('Deployment in version "v1" cannot be handled as a Deployment: ')
    answer = engine.request("POST", widgets(namespace), widget(size="x", colour="green", tags=["a", "a"]))
    found = [
        (cause["field"], cause["reason"], cause["message"]) for cause in answer.body["details"]["causes"]
    ]
    size = 'Invalid value: "string": spec.size in body must be of type integer: "string"'
    assert sorted(found) == [
        (
            "spec.colour",
            "FieldValueNotSupported",
            'Unsupported value: "green": supported values: "red", "blue"',
        ),
        ("spec.size", "FieldValueTypeInvalid", size),
        ("spec.tags[1]", "FieldValueDuplicate", 'Duplicate value: "a"'),
    ]
    answer = engine.request("POST", widgets(namespace), widget(size=11))
    told = "Invalid value: 11: spec.size in body should be less than or equal to 10"
    assert answer.message == f'Widget.contract.zerogate.dev "w" is invalid: spec.size: {told}'
    bare = {"apiVersion": "contract.zerogate.dev/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {}}
    answer = engine.request("POST", widgets(namespace), bare)
    assert [(cause["field"], cause["reason"]) for cause in answer.body["details"]["causes"]] == [
        ("spec.size", "FieldValueRequired")
    ]


def test_a_custom_resource_says_what_it_is(
    engine: Engine, namespace: str, widgets: Callable[..., Any]
) -> None:
    """Without its kind, or with another one, nothing is taken."""
    path, body = widgets(namespace), widget()
    answer = engine.request("POST", path, {key: value for key, value in body.items() if key != "kind"})
    assert (answer.status, answer.reason) == (400, "BadRequest")
    assert "Object 'Kind' is missing" in answer.message
    answer = engine.request("POST", path, {**body, "kind": "Gadget"})
    assert (answer.status, answer.causes) == (422, ["kind"])
    answer = engine.request("POST", path, {**body, "apiVersion": "contract.zerogate.dev/v2"})
    assert answer.message == (
        "the API version in the data (contract.zerogate.dev/v2) does not match the expected API version "
        "(contract.zerogate.dev/v1)"
    )
    engine.request("POST", path, body)
    answer = engine.request("PUT", f"{path}/w", body)
    told = "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    assert (answer.status, answer.message) == (422, f'widgets.contract.zerogate.dev "w" is invalid: {told}')


def test_optimistic_concurrency(engine: Engine, path: str) -> None:
    """Of two writers who read the same version the second is refused; who sends none writes over."""
    read = engine.get(f"{path}/x")
    first = engine.request("PUT", f"{path}/x", {**read, "data": {"a": "2"}})
    second = engine.request("PUT", f"{path}/x", {**read, "data": {"a": "3"}})
    assert (first.status, second.status, second.reason) == (200, 409, "Conflict")
    assert engine.get(f"{path}/x")["data"] == {"a": "2"}
    assert engine.request("PUT", f"{path}/x", config_map(data={"a": "4"})).status == 200
    again = engine.request("PUT", f"{path}/x", config_map(data={"a": "4"}))
    assert again.body["metadata"]["resourceVersion"] == engine.get(f"{path}/x")["metadata"]["resourceVersion"]
    answer = engine.request("PUT", f"{path}/x", config_map(uid="other"))
    assert (answer.status, answer.reason) == (409, "Conflict")
    assert f"UID in object meta: {read['metadata']['uid']}" in answer.message


def test_what_can_be_answered(engine: Engine, path: str) -> None:
    """406 for other media types; without a wish, and with any, it is JSON."""
    answer = engine.request("GET", f"{path}/x", headers={"Accept": "text/plain"})
    assert status(answer)[:2] == (406, "NotAcceptable")
    for accept in ("", "*/*", "text/html,*/*", "text/plain,application/json;q=0.5"):
        answer = engine.request("GET", f"{path}/x", headers={"Accept": accept})
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")


def test_a_wrong_credential_is_unauthorized(engine: Engine, path: str) -> None:
    """401. Without any, Kubernetes has a name for who asks, "anonymous"; the embedded API has not."""
    answer = engine.request("GET", path, headers={"Authorization": "Bearer wrong"})
    assert status(answer) == (401, "Unauthorized", "Unauthorized", {})
    answer = engine.request("GET", path, headers={"Authorization": ""})
    assert answer.status == (401 if engine.name == "embedded" else 403)


def test_a_version_on_a_new_object_is_refused(engine: Engine, path: str) -> None:
    """Kubernetes answers 500 to this mistake of the client, the embedded API 400."""
    answer = engine.request("POST", path, config_map("y", resourceVersion="5"))
    assert answer.status == (400 if engine.name == "embedded" else 500)
    assert answer.message == "resourceVersion should not be set on objects to be created"


def test_nothing_is_made_where_there_is_no_namespace(engine: Engine) -> None:
    """404 that names the namespace."""
    answer = engine.request("POST", CONFIGMAPS.path("nowhere"), config_map())
    assert status(answer) == (
        404, "NotFound", 'namespaces "nowhere" not found', {"name": "nowhere", "kind": "namespaces"},
    )  # fmt: skip
    assert engine.get(CONFIGMAPS.path("nowhere"))["items"] == []
    assert engine.request("GET", PODS.path("nowhere", "x")).status == 404
    assert engine.request("GET", NAMESPACES.path(name="nowhere")).status == 404
