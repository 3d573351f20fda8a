"""Options of writes: what becomes of unknown and doubled fields, and writing for trial."""

from collections.abc import Callable
from typing import Any

import pytest

from kube.objects import Obj
from kube.resources import CONFIGMAPS, DEPLOYMENTS
from testkit.contract.engine import APPLY, JSON_PATCH, MERGE, STRATEGIC, Engine
from testkit.contract.objects import config_map, deployment, widget

TWICE = b'{"metadata":{"name":"x"},"data":{"a":"1","a":"2"}}'
DEEP = 'unknown field "spec.template.spec.containers[0].imagee"'


def misspelt() -> Obj:
    made = deployment(container={"imagee": "x"})
    return {**made, "foo": 1}


def test_strict_validation_refuses(engine: Engine, namespace: str, widgets: Callable[..., Any]) -> None:
    """400 with all that is wrong; nothing is stored."""
    strict = {"fieldValidation": "Strict"}
    path = DEPLOYMENTS.path(namespace)
    answer = engine.request("POST", path, misspelt(), query=strict)
    assert (answer.status, answer.reason) == (400, "BadRequest")
    start = 'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
    assert answer.message.startswith(start)
    told = sorted(answer.message.removeprefix(start).split(", "))
    assert told == sorted(['unknown field "foo"', DEEP])
    assert engine.request("GET", f"{path}/d").status == 404
    answer = engine.request("POST", CONFIGMAPS.path(namespace), TWICE, query=strict)
    assert 'strict decoding error: duplicate field "data.a"' in answer.message
    answer = engine.request("POST", widgets(namespace), widget(foo=1), query=strict)
    start = start.replace("Deployment", "Widget")
    assert (answer.status, answer.message) == (400, f'{start}unknown field "spec.foo"')
    assert (
        engine.request("POST", widgets(namespace), widget(free={"any": {"thing": 1}}), query=strict).status
        == 201
    )


def test_a_warning_is_the_rule(engine: Engine, namespace: str, widgets: Callable[..., Any]) -> None:
    """For each field; it is dropped, the last of two counts. `Ignore` says nothing."""
    path = DEPLOYMENTS.path(namespace)
    for query in ({}, {"fieldValidation": "Warn"}):
        answer = engine.request("POST", path, misspelt(), query={**query, "dryRun": "All"})
        assert (answer.status, sorted(answer.warnings)) == (201, ['unknown field "foo"', DEEP])
        assert "foo" not in answer.body
    answer = engine.request("POST", path, misspelt(), query={"fieldValidation": "Ignore"})
    assert (answer.status, answer.warnings) == (201, ())
    assert "imagee" not in answer.body["spec"]["template"]["spec"]["containers"][0]
    answer = engine.request("POST", CONFIGMAPS.path(namespace), TWICE)
    assert (answer.warnings, answer.body["data"]) == (('duplicate field "data.a"',), {"a": "2"})
    answer = engine.request("POST", widgets(namespace), widget(foo=1))
    assert (answer.warnings, answer.body["spec"]) == (
        ('unknown field "spec.foo"',),
        {"size": 1, "colour": "red"},
    )


PATCHES = [
    (MERGE, {"spec": {"foo": 1}}),
    (STRATEGIC, {"spec": {"foo": 1}}),
    (JSON_PATCH, [{"op": "add", "path": "/spec/foo", "value": 1}]),
]


@pytest.mark.parametrize(("kind", "patch"), PATCHES, ids=["merge", "strategic", "json"])
def test_what_a_patch_leads_to_is_validated_too(
    engine: Engine, namespace: str, kind: str, patch: dict[str, Any] | list[dict[str, Any]]
) -> None:
    """422 that names the patch, or a warning."""
    engine.create(DEPLOYMENTS, {**deployment(), "metadata": {"name": "d", "namespace": namespace}})
    path = DEPLOYMENTS.path(namespace, "d")
    answer = engine.patch(path, patch, kind, fieldValidation="Strict")
    assert (answer.status, answer.reason, answer.causes) == (422, "Invalid", ["patch"])
    assert answer.message.endswith('strict decoding error: unknown field "spec.foo"')
    answer = engine.patch(path, patch, kind)
    assert (answer.status, answer.warnings) == (200, ('unknown field "spec.foo"',))


DRY = [
    ("create", "POST", "", config_map("b"), "application/json", 201),
    ("replace", "PUT", "/a", config_map("a", {"k": "new"}), "application/json", 200),
    ("merge patch", "PATCH", "/a", {"data": {"k": "new"}}, MERGE, 200),
    ("apply to create", "PATCH", "/b", config_map("b"), APPLY, 201),
    ("delete", "DELETE", "/a", None, "application/json", 200),
    ("delete all", "DELETE", "", None, "application/json", 200),
]


@pytest.mark.parametrize("row", [row[1:] for row in DRY], ids=[row[0] for row in DRY])
def test_a_dry_run_answers_and_changes_nothing(
    engine: Engine, namespace: str, row: tuple[str, str, dict[str, Any] | None, str, int]
) -> None:
    """The answer as if: name, UID and time are there."""
    method, name, body, kind, status = row
    engine.create(CONFIGMAPS, config_map("a", namespace=namespace))
    path = CONFIGMAPS.path(namespace)
    before = engine.get(path)["items"]
    query = {"dryRun": "All", "fieldManager": "m", "force": "true"}
    if kind != APPLY:
        del query["force"]
    answer = engine.request(method, path + name, body, content_type=kind, query=query)
    assert answer.status == status
    assert engine.get(path)["items"] == before
    if status == 201:
        meta = answer.body["metadata"]
        assert {"name", "uid", "creationTimestamp"} <= set(meta)
        assert "resourceVersion" not in meta


def test_a_dry_run_is_refused_as_the_real_one_is(engine: Engine, namespace: str) -> None:
    """And generates a name."""
    path = CONFIGMAPS.path(namespace)
    engine.create(CONFIGMAPS, config_map("a", namespace=namespace))
    assert engine.request("POST", path, config_map("a"), query={"dryRun": "All"}).reason == "AlreadyExists"
    answer = engine.request("POST", path, {"metadata": {"generateName": "g-"}}, query={"dryRun": "All"})
    assert (answer.status, len(answer.body["metadata"]["name"])) == (201, 7)


REFUSED = [
    ("POST", {"dryRun": "Some"}, "CreateOptions", 'dryRun: Unsupported value: ["Some"]'),
    ("POST", {"fieldValidation": "Some"}, "CreateOptions", 'fieldValidation: Unsupported value: "Some"'),
    ("PUT", {"dryRun": "Some"}, "UpdateOptions", 'dryRun: Unsupported value: ["Some"]'),
    ("PATCH", {"dryRun": "Some"}, "PatchOptions", 'dryRun: Unsupported value: ["Some"]'),
    ("POST", {"fieldManager": "m" * 129}, "CreateOptions", "fieldManager: Too long"),
    ("POST", {"fieldManager": "a\tb"}, "CreateOptions", "fieldManager: Invalid value"),
]


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: f"{row[0]}-{'-'.join(row[1])}")
def test_refused_options(engine: Engine, namespace: str, row: tuple[str, dict[str, str], str, str]) -> None:
    """422 in the name of the options."""
    method, query, kind, text = row
    engine.create(CONFIGMAPS, config_map("a", namespace=namespace))
    path = CONFIGMAPS.path(namespace, "" if method == "POST" else "a")
    media = MERGE if method == "PATCH" else "application/json"
    answer = engine.request(method, path, config_map("a"), content_type=media, query=query)
    assert (answer.status, answer.reason) == (422, "Invalid")
    assert answer.message.startswith(f'{kind}.meta.k8s.io "" is invalid: {text}')
