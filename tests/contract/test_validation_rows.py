"""Each row of the table of rules, on both engines: the same path, and the same message in it."""

import json
from typing import Any

import pytest
import yaml

from kube.resources import CONFIGMAPS, REVISIONS, SERVICES, Resource
from testkit.contract.engine import Answer, Engine
from testkit.paths import CONFIG
from testkit.serving.examples import (
    BOX,
    BY_ITSELF,
    C0,
    CHANGES,
    GOOD,
    GOOD_MAPS,
    OF_MAPS,
    POD,
    SYSTEM,
    UNKNOWN,
    WITH_MAPS,
    Example,
    Obj,
    annotated,
    service,
)
from testkit.waiting import wait_for

DRY = {"dryRun": "All", "fieldValidation": "Strict"}
PLURALS = {
    "Service": "services",
    "Configuration": "configurations",
    "Revision": "revisions",
    "Route": "routes",
}


def resource_of(obj: Obj) -> Resource:
    return Resource("serving.knative.dev", "v1", PLURALS[obj["kind"]], obj["kind"])


def at_home(obj: Obj, namespace: str) -> Obj:
    return {**obj, "metadata": {**obj["metadata"], "namespace": namespace}}


def create(engine: Engine, namespace: str, obj: Obj, **query: str) -> Answer:
    path = resource_of(obj).path(namespace)
    asked = {name: value for name, value in {**DRY, **query}.items() if value}
    return engine.request("POST", path, at_home(obj, namespace), query=asked)


def change_map(engine: Engine, name: str, data: dict[str, str], **query: str) -> Answer:
    return engine.patch(CONFIGMAPS.path(SYSTEM, name), {"data": data}, **query)


def is_refused(answer: Answer, example: Example) -> bool:
    """By its path and its message, as far as an API server keeps values out of it."""
    return (
        answer.status in {400, 403, 422}
        and f"{example.path}: " in answer.message
        and example.message in answer.message
    )


@pytest.fixture(scope="module", autouse=True)
def shipped(engine: Engine) -> None:
    """The config maps as they are shipped; the policies are at work."""
    restore(engine)
    bad = service(spec__traffic=[{"percent": 50, "tag": "t"}, {"percent": 50, "tag": "t"}])
    wait_for("the policies", lambda: create(engine, "default", bad).status == 422)


def restore(engine: Engine) -> None:
    for file in sorted(CONFIG.glob("config-*.yaml")):
        wanted = yaml.safe_load(file.read_text())
        path = CONFIGMAPS.path(SYSTEM, wanted["metadata"]["name"])
        if wanted["metadata"]["name"] == "config-images":
            continue
        stored = engine.get(path)
        if (stored.get("data") or {}) != (wanted.get("data") or {}):
            engine.request("PUT", path, {**stored, "data": wanted.get("data") or {}})


def test_what_is_wrong_is_refused_at_apply_time(engine: Engine, namespace: str) -> None:
    """The path and the message of every rule that looks at an object by itself."""
    failed = {}
    for example in BY_ITSELF:
        answer = create(engine, namespace, example.obj)
        if not is_refused(answer, example):
            failed[str(example)] = (answer.status, answer.message)
    assert failed == {}


def test_what_is_right_is_taken(engine: Engine, namespace: str) -> None:
    failed = {}
    for obj in GOOD:
        answer = create(engine, namespace, obj)
        if answer.status != 201:
            failed[obj["metadata"]["name"]] = answer.message
    assert failed == {}


def test_a_field_that_a_revision_does_not_have_is_unknown(engine: Engine, namespace: str) -> None:
    """Those that Knative switches by feature flags among them; a lax client's are dropped, with a warning."""
    for path, value, field in UNKNOWN:
        answer = create(engine, namespace, service(**{path: value}))
        assert (answer.status, f'unknown field "{field}"' in answer.message) == (400, True), answer
    path, value, field = UNKNOWN[0]
    lax = create(engine, namespace, service(**{path: value}), fieldValidation="Warn")
    assert lax.status == 201
    assert "nodeSelector" not in lax.body["spec"]["template"]["spec"]
    assert f'unknown field \\"{field}\\"' in lax.headers["warning"]


def test_a_value_of_another_type_is_refused(engine: Engine, namespace: str) -> None:
    for path, value, field, wanted in (
        (C0 + "ports__0__containerPort", True, f"{BOX}.ports[0].containerPort", "integer"),
        (C0 + "image", 3, f"{BOX}.image", "string"),
        (C0 + "env", "A=b", f"{BOX}.env", "array"),
        ("spec__template__spec__timeoutSeconds", "long", f"{POD}.timeoutSeconds", "integer"),
        ("spec__template__spec__enableServiceLinks", "no", f"{POD}.enableServiceLinks", "boolean"),
        ("spec__template", [], "spec.template", "object"),
    ):
        answer = create(engine, namespace, service(**{path: value}))
        assert answer.status == 422
        assert f"{field}: Invalid value" in answer.message
        assert f"must be of type {wanted}" in answer.message


def test_what_may_not_change_is_refused(engine: Engine, namespace: str) -> None:
    for example in CHANGES:
        assert example.old
        path = resource_of(example.obj).path(namespace, example.obj["metadata"]["name"])
        stored = create(engine, namespace, example.old, dryRun="")
        assert stored.status == 201, stored
        answer = engine.patch(path, {"spec": example.obj["spec"]}, **DRY)
        assert is_refused(answer, example), answer
        same = engine.patch(path, {"spec": example.old["spec"]}, **DRY)
        assert same.status == 200, same


def test_a_bad_value_in_a_config_map_is_refused_by_its_key(engine: Engine) -> None:
    failed = {}
    for example in OF_MAPS:
        answer = change_map(engine, example.obj["metadata"]["name"], example.obj["data"], dryRun="All")
        if not is_refused(answer, example):
            failed[f"{example} ({example.obj['data']})"] = (answer.status, answer.message)
    assert failed == {}


def test_a_good_config_map_is_taken(engine: Engine) -> None:
    failed = {}
    for name, data in GOOD_MAPS:
        answer = change_map(engine, name, data, dryRun="All")
        if answer.status != 200:
            failed[f"{name} {data}"] = answer.message
    assert failed == {}


def test_what_the_config_maps_exclude_is_refused(engine: Engine, namespace: str) -> None:
    """The maps as they are now count; what was taken before stays writable."""
    stored = create(engine, namespace, annotated(max_scale="6", initial_scale="1"), dryRun="")
    assert stored.status == 201, stored
    try:
        for example in WITH_MAPS:
            for name, data in example.configs.items():
                assert change_map(engine, name, data).status == 200
            wait_for(
                str(example),
                lambda example=example: is_refused(create(engine, namespace, example.obj), example),
            )
        path = SERVICES.path(namespace, stored.body["metadata"]["name"])
        meta = {"metadata": {"labels": {"team": "red"}, "finalizers": ["example.com/mine"]}}
        assert engine.patch(path, meta).status == 200
        changed = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "other:2"}]
        answer = engine.patch(path, changed, "application/json-patch+json")
        assert "max-scale-limit" in answer.message, answer
        engine.request("DELETE", path)
        assert engine.get(path)["metadata"]["deletionTimestamp"]
        assert engine.patch(path, {"metadata": {"finalizers": None}}).status == 200
    finally:
        restore(engine)


def test_without_a_config_map_knatives_limits_hold(engine: Engine, namespace: str) -> None:
    """A policy whose parameter is missing is not asked: then the controller makes nothing of the object."""
    gone = CONFIGMAPS.path(SYSTEM, "config-defaults")
    wanted = service(spec__template__spec__timeoutSeconds=601)
    told = f"{POD}.timeoutSeconds: 601 is out of bounds: must be from 0 to 600"
    kept = engine.get(gone)
    assert engine.request("DELETE", gone).status == 200
    try:
        if engine.name == "embedded":
            assert told in create(engine, namespace, wanted).message
            return
        wait_for("the policy to let it pass", lambda: create(engine, namespace, wanted).status == 201)
        assert create(engine, namespace, wanted, dryRun="").status == 201
        path = SERVICES.path(namespace, "hello")

        def message() -> str:
            conditions = engine.get(path).get("status", {}).get("conditions") or ()
            return next((each.get("message", "") for each in conditions if each["type"] == "Ready"), "")

        wait_for("the condition", lambda: told in message())
        assert engine.get(REVISIONS.path(namespace))["items"] == []
    finally:
        meta = {"name": "config-defaults", "namespace": SYSTEM}
        engine.create(CONFIGMAPS, {"metadata": meta, "data": kept["data"]})


def test_a_map_that_no_policy_understands_is_told_by_an_event(engine: Engine) -> None:
    """YAML within a value: the embedded API reads it, a policy cannot."""
    data = {"example.org": "selector: {app: [shop"}
    answer = change_map(engine, "config-domain", data)
    if engine.name == "embedded":
        assert answer.status == 422
        assert "data.example.org: its value is no YAML" in answer.message
        return
    assert answer.status == 200, answer
    try:

        def told() -> bool:
            events = engine.get(f"/api/v1/namespaces/{SYSTEM}/events")["items"]
            return any(
                each["involvedObject"]["name"] == "config-domain" and "example.org" in each["message"]
                for each in events
            )

        wait_for("the event", told)
    finally:
        restore(engine)


def test_the_same_defaults_are_filled_in(engine: Engine, namespace: str) -> None:
    """What the schema says, and nothing else: a Service keeps what its user wrote."""
    wanted = service(spec__traffic=[{"percent": 100}, {"tag": "next"}])
    spec = create(engine, namespace, wanted).body["spec"]
    assert spec["traffic"] == [{"percent": 100}, {"percent": 0, "tag": "next"}]
    assert spec["template"] == wanted["spec"]["template"]
    plain = create(engine, namespace, service()).body["spec"]
    assert plain["traffic"] == [{"latestRevision": True, "percent": 100}]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({C0 + "ports__0__containerPort": 0}, f"{BOX}.ports[0].containerPort: "),
        (
            {C0 + "volumeMounts": [{"name": "v", "mountPath": "/v"}]},
            f"{BOX}.volumeMounts[0].name: volume with",
        ),
        ({C0 + "imagee": "x"}, f"{BOX}.imagee"),
    ],
)
def test_kubectl_apply_shows_the_path(
    engine: Engine, namespace: str, change: dict[str, Any], told: str
) -> None:
    for how in ((), ("--server-side",)):
        obj = at_home(service(**change), namespace)
        done = engine.kubectl_result("apply", *how, "-f", "-", given=json.dumps(obj))
        assert done.returncode != 0
        assert told.replace("unknown field", "").strip() in done.stderr or told in done.stderr, done.stderr
    assert "NotFound" in engine.kubectl("get", "ksvc", "hello", "-n", namespace, check=False)
