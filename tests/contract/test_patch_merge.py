"""JSON merge patch (RFC 7386), and what holds for every language: types, heads, media types."""

from collections.abc import Callable
from typing import Any

import pytest

from kube.resources import CONFIGMAPS, DEPLOYMENTS
from testkit.contract.engine import APPLY, JSON, JSON_PATCH, MERGE, STRATEGIC, Engine
from testkit.contract.objects import config_map, deployment, widget


@pytest.fixture
def path(engine: Engine, namespace: str) -> str:
    engine.create(CONFIGMAPS, config_map(namespace=namespace, data={"a": "1", "b": "2"}))
    return CONFIGMAPS.path(namespace, "x")


@pytest.mark.parametrize(
    ("patch", "data"),
    [
        ({}, {"a": "1", "b": "2"}),
        ({"data": {"c": "3"}}, {"a": "1", "b": "2", "c": "3"}),
        ({"data": {"a": "3"}}, {"a": "3", "b": "2"}),
        ({"data": {"a": None}}, {"b": "2"}),
        ({"data": {"z": None}}, {"a": "1", "b": "2"}),
        ({"data": {"a": None, "b": None}}, None),
        ({"data": None}, None),
        ({"data": {}}, {"a": "1", "b": "2"}),
    ],
)
def test_objects_merge_and_null_removes(
    engine: Engine, path: str, patch: dict[str, Any], data: dict[str, str] | None
) -> None:
    """A map that nothing is left of is gone."""
    answer = engine.patch(path, patch)
    assert (answer.status, answer.body.get("data")) == (200, data)


def test_lists_are_replaced_as_a_whole(engine: Engine, namespace: str) -> None:
    """The container that the patch does not name is gone, and so is what it says nothing of."""
    made = deployment(container={"env": [{"name": "A", "value": "1"}], "args": ["x", "y"]})
    engine.create(DEPLOYMENTS, {**made, "metadata": {"name": "d", "namespace": namespace}})
    path = DEPLOYMENTS.path(namespace, "d")
    wanted = [{"name": "other", "image": "contract/polite:2"}]
    answer = engine.patch(path, {"spec": {"template": {"spec": {"containers": wanted}}}})
    assert answer.status == 200
    (container,) = answer.body["spec"]["template"]["spec"]["containers"]
    assert (container["name"], container.get("env"), container.get("args")) == ("other", None, None)


@pytest.mark.parametrize("body", [[], "x", 1, b"{"], ids=["list", "text", "number", "no JSON"])
@pytest.mark.parametrize("kind", [MERGE, STRATEGIC])
def test_what_is_no_object_is_a_bad_request(engine: Engine, path: str, kind: str, body: Any) -> None:
    """400."""
    answer = engine.patch(path, body, kind)
    assert (answer.status, answer.reason) == (400, "BadRequest")


HEADS = [
    ("another name", {"metadata": {"name": "y"}}, 400, "BadRequest", "does not match the name on the URL"),
    ("another namespace", {"metadata": {"namespace": "y"}}, 400, "BadRequest", "namespace"),
    ("another UID", {"metadata": {"uid": "y"}}, 422, "Invalid", "metadata.uid: Invalid value"),
    ("an old version", {"metadata": {"resourceVersion": "1"}}, 409, "Conflict", "the object has been"),
    ("another kind", {"kind": "Pod"}, 422, "Invalid", "patch: Invalid value"),
    ("another version of it", {"apiVersion": "v2"}, 422, "Invalid", "patch: Invalid value"),
    ("a value of another type", {"data": {"a": 5}}, 422, "Invalid", "patch: Invalid value"),
    ("an end", {"metadata": {"deletionTimestamp": "2030-01-01T00:00:00Z"}}, 422, "Invalid", "immutable"),
]  # fmt: skip


@pytest.mark.parametrize("row", [row[1:] for row in HEADS], ids=[row[0] for row in HEADS])
def test_what_a_patch_may_not_change(
    engine: Engine, path: str, row: tuple[dict[str, Any], int, str, str]
) -> None:
    """Nothing is stored."""
    patch, status, reason, text = row
    before = engine.get(path)
    answer = engine.patch(path, patch)
    assert (answer.status, answer.reason) == (status, reason)
    assert text in answer.message
    assert engine.get(path) == before


def test_what_the_server_writes_stays_as_it_is(engine: Engine, path: str) -> None:
    """Whatever a patch says of it, without a word."""
    before = engine.get(path)
    patch = {"metadata": {"creationTimestamp": None, "generation": 5, "selfLink": "x", "resourceVersion": ""}}
    assert engine.patch(path, patch).status == 200
    assert engine.get(path) == before


@pytest.mark.parametrize("content_type", ["text/plain", JSON, "application/yaml", "multipart/form-data"])
def test_other_media_types_are_no_patch(engine: Engine, path: str, content_type: str) -> None:
    """415."""
    answer = engine.patch(path, {}, content_type)
    assert (answer.status, answer.reason) == (415, "UnsupportedMediaType")


def test_a_custom_resource_has_no_strategic_patch(
    engine: Engine, namespace: str, widgets: Callable[..., Any]
) -> None:
    """415, on which kubectl falls back; the other three languages are there."""
    path = widgets(namespace, "w")
    assert engine.request("POST", widgets(namespace), widget()).status == 201
    answer = engine.patch(path, {"spec": {"size": 2}}, STRATEGIC)
    assert (answer.status, answer.reason) == (415, "UnsupportedMediaType")
    for size, body, kind, query in (
        (2, {"spec": {"size": 2}}, MERGE, {}),
        (3, [{"op": "replace", "path": "/spec/size", "value": 3}], JSON_PATCH, {}),
        (4, widget(size=4), APPLY, {"force": "true"}),
    ):
        answer = engine.patch(path, body, kind, fieldManager="m", **query)
        assert (answer.status, answer.body["spec"]["size"]) == (200, size)
    answer = engine.patch(path, {"spec": {"tags": ["a"], "parts": [{"name": "p"}], "colour": None}})
    assert answer.body["spec"] == {"size": 4, "tags": ["a"], "parts": [{"name": "p"}], "colour": "red"}
    answer = engine.patch(path, {"spec": {"tags": [], "parts": [{"name": "q"}]}})
    assert answer.body["spec"] == {"size": 4, "tags": [], "parts": [{"name": "q"}], "colour": "red"}
