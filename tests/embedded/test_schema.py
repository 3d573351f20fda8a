"""Types of built-in kinds and custom resources: unknown fields, refusals, defaults, pruning."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.schema import ANY, Schemas, apply_defaults, copy_json, prune, type_errors, unknown_fields
from embedded.schema.defaults import pull_policy
from embedded.schema.merge_keys import LISTS, RETAIN_KEYS
from embedded.schema.types import TypeSchema
from kube.objects import Obj
from testkit.api.schemas import schema_of

ROOT = Path(__file__).parent.parent.parent
SCHEMAS = Schemas()
KINDS = [
    ("apps", "v1", "Deployment"),
    ("apps", "v1", "ReplicaSet"),
    ("", "v1", "Pod"),
    ("", "v1", "ConfigMap"),
    ("", "v1", "Secret"),
    ("", "v1", "Namespace"),
    ("", "v1", "Node"),
    ("", "v1", "Event"),
    ("events.k8s.io", "v1", "Event"),
    ("", "v1", "Service"),
    ("", "v1", "ServiceAccount"),
    ("coordination.k8s.io", "v1", "Lease"),
    ("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
    ("autoscaling", "v1", "Scale"),
    ("", "v1", "Status"),
    ("", "v1", "DeleteOptions"),
]
DEPLOYMENT, POD = schema_of(SCHEMAS, *KINDS[0]), schema_of(SCHEMAS, *KINDS[2])
SERVICE, SECRET, NAMESPACE = (
    schema_of(SCHEMAS, "", "v1", kind) for kind in ("Service", "Secret", "Namespace")
)


def deployment(container: dict[str, Any] | None = None, **spec: Any) -> Obj:
    template = {
        "metadata": {"labels": {"app": "x"}},
        "spec": {"containers": [container or {"name": "a", "image": "i"}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": {"app": "x"}}, "template": template, **spec},
    }


def pod(**spec: Any) -> Obj:
    spec.setdefault("containers", [{"name": "a", "image": "i"}])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


def crd(properties: dict[str, Any], **more: Any) -> Obj:
    openapi = {"type": "object", "properties": {"spec": {"type": "object", "properties": properties, **more}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": openapi}}
    old = {"name": "v1alpha1", "served": False, "schema": {}}
    spec = {"group": "g.example", "names": {"kind": "Thing", "plural": "things"}, "versions": [version, old]}
    return {"metadata": {"name": "things.g.example"}, "spec": spec}


def custom(properties: dict[str, Any], **more: Any) -> TypeSchema:
    schemas = Schemas()
    schemas.add_crd(crd(properties, **more))
    return schema_of(schemas, "g.example", "v1", "Thing")


def thing(**spec: Any) -> Obj:
    return {"apiVersion": "g.example/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": spec}


def problems(obj: dict[str, Any], schema: TypeSchema, old: Obj | None = None) -> list[tuple[str, str]]:
    return [(problem.path, problem.message) for problem in type_errors(obj, schema, old)]


# -- the kinds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gvk", KINDS)
def test_built_in_kinds_are_known(gvk: tuple[str, str, str]) -> None:
    """Each has the type of an object, built once."""
    schema = schema_of(SCHEMAS, *gvk)
    assert schema.gvk == gvk
    assert "apiVersion" in schema.fields
    assert SCHEMAS.for_kind(*gvk) is schema


def test_other_kinds_are_not() -> None:
    """None, not an empty type."""
    assert SCHEMAS.for_kind("apps", "v1", "DaemonSet") is None
    assert SCHEMAS.for_kind("apps", "v2", "Deployment") is None


def test_every_merge_rule_names_a_list_that_exists() -> None:
    """A misspelt entry of the table would merge nothing."""
    models = json.loads((ROOT / "embedded/schema/schemas.json").read_text())["models"]
    for model, fields in LISTS.items():
        for key, merge in fields.items():
            code = models[model].get(key) or models[model][key + "!"]
            assert code.startswith("["), (model, key)
            for name in merge.map_keys:
                assert {name, name + "!"} & models[code[1:]].keys(), (model, key, name)
    for place in RETAIN_KEYS:
        model, key = place.split(".")
        assert key in models[model]


def test_the_schema_file_is_what_its_tool_writes(tmp_path: Path) -> None:
    """schemas.json is generated, never edited."""
    committed = (ROOT / "embedded/schema/schemas.json").read_text()
    code = "import make_schemas, json; print(json.dumps(make_schemas.collect()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "tools",
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    assert json.loads(done.stdout) == json.loads(committed)["models"]


# -- unknown fields --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (deployment(), []),
        (deployment({"name": "a", "imagee": "i"}), ["spec.template.spec.containers[0].imagee"]),
        (deployment(replica=1), ["spec.replica"]),
        ({**deployment(), "foo": 1}, ["foo"]),
        ({**deployment(), "metadata": {"name": "d", "label": {}}}, ["metadata.label"]),
        (
            deployment({"name": "a", "env": [{"name": "x"}, {"name": "y", "val": 1}]}),
            ["spec.template.spec.containers[0].env[1].val"],
        ),
        (deployment({"name": "a", "resources": {"limits": {"any/thing": "1"}}}), []),
        (
            {
                **deployment(),
                "metadata": {"labels": {"any": "thing"}, "managedFields": [{"fieldsV1": {"f:x": {}}}]},
            },
            [],
        ),
        (deployment(replicas={"odd": 1}), []),  # of the wrong type: another refusal
    ],
)
def test_unknown_fields_of_built_in_kinds(obj: Obj, expected: list[str]) -> None:
    """Paths as Kubernetes' strict decoding writes them."""
    assert unknown_fields(obj, DEPLOYMENT) == expected


def test_unknown_fields_of_custom_resources() -> None:
    """What the definition doesn't name, but where it keeps what it doesn't know."""
    schema = custom(
        {
            "known": {"type": "object", "properties": {"a": {"type": "string"}}},
            "free": {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": True,
                "properties": {"b": {"type": "object"}},
            },
            "map": {
                "type": "object",
                "additionalProperties": {"type": "object", "properties": {"c": {"type": "string"}}},
            },
            "list": {"type": "array", "items": {"type": "object", "properties": {"d": {"type": "string"}}}},
        }
    )
    obj = thing(
        known={"a": "", "z": 1},
        free={"q": {"r": 1}, "b": {"s": 1}},
        map={"k": {"c": "", "y": 1}},
        list=[{}, {"x": 1}],
    )
    assert unknown_fields(obj, schema) == [
        "spec.known.z",
        "spec.free.b.s",
        "spec.map.k.y",
        "spec.list[1].x",
    ]
    assert unknown_fields({**obj, "spec": {}, "metadata": {"nam": "x"}, "extra": 1}, schema) == [
        "metadata.nam",
        "extra",
    ]


def test_prune_drops_what_is_unknown_and_nulls_that_mean_nothing() -> None:
    """The rest is shared, the argument untouched; an object with nothing to drop comes back itself."""
    obj = deployment({"name": "a", "image": "i", "imagee": 1, "env": None}, replica=1, replicas=None)
    obj["metadata"]["creationTimestamp"] = None
    before = copy.deepcopy(obj)
    pruned = prune(obj, DEPLOYMENT)
    assert pruned == deployment({"name": "a", "image": "i"})
    assert obj == before
    assert prune(pruned, DEPLOYMENT) is pruned
    assert prune({"any": None}, ANY) == {"any": None}


def test_prune_keeps_null_where_a_definition_allows_it() -> None:
    """`nullable: true`."""
    schema = custom({"may": {"type": "string", "nullable": True}, "not": {"type": "string"}})
    assert prune(thing(may=None, **{"not": None}), schema) == thing(may=None)


# -- refusals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("obj", "path", "text"),
    [
        (
            deployment(replicas="3"),
            "spec.replicas",
            'Invalid value: "string": spec.replicas in body must be of type integer: "string"',
        ),
        (deployment(replicas=True), "spec.replicas", 'must be of type integer: "boolean"'),
        (deployment(replicas=1.5), "spec.replicas", 'must be of type integer: "number"'),
        (deployment(paused="yes"), "spec.paused", "must be of type boolean"),
        (deployment(template=[]), "spec.template", 'must be of type object: "array"'),
        (
            deployment({"name": "a", "image": "i", "args": "x"}),
            "spec.template.spec.containers[0].args",
            "must be of type array",
        ),
        (
            deployment({"name": "a", "image": "i", "args": [1]}),
            "spec.template.spec.containers[0].args[0]",
            'must be of type string: "integer"',
        ),
        (
            deployment({"name": "a", "image": "i", "env": [{"name": "A", "value": 1}]}),
            "spec.template.spec.containers[0].env[0].value",
            "must be of type string",
        ),
        (
            deployment({"name": "a", "image": "i", "resources": {"limits": {"cpu": "x"}}}),
            "spec.template.spec.containers[0].resources.limits.cpu",
            "must be of type quantity",
        ),
        (
            {**deployment(), "metadata": {"name": "d", "creationTimestamp": "yesterday"}},
            "metadata.creationTimestamp",
            "RFC 3339",
        ),
        (
            {**deployment(), "metadata": {"name": "d", "labels": {"a": 1}}},
            "metadata.labels.a",
            "must be of type string",
        ),
        (deployment({"image": "i"}), "spec.template.spec.containers[0].name", "Required value"),
        (
            {**deployment(), "spec": {"template": deployment()["spec"]["template"]}},
            "spec.selector",
            "Required value",
        ),
        # beyond types
        (deployment(replicas=-1), "spec.replicas", "Invalid value: -1: must be greater than or equal to 0"),
        (
            deployment(selector={"matchLabels": {"app": "y"}}),
            "spec.template.metadata.labels",
            'Invalid value: {"app":"x"}: `selector` does not match template `labels`',
        ),
        (deployment(selector={}), "spec.selector", "empty selector is invalid for deployment"),
        (deployment({"name": "A_b", "image": "i"}), "spec.template.spec.containers[0].name", "RFC 1123"),
        (deployment({"name": "a"}), "spec.template.spec.containers[0].image", "Required value"),
        (
            deployment({"name": "a", "image": "i", "imagePullPolicy": "Often"}),
            "spec.template.spec.containers[0].imagePullPolicy",
            'Unsupported value: "Often": supported values: "Always", "IfNotPresent", "Never"',
        ),
        (
            deployment({"name": "a", "image": "i", "ports": [{"containerPort": 70000}]}),
            "spec.template.spec.containers[0].ports[0].containerPort",
            "must be between 1 and 65535, inclusive",
        ),
        (
            deployment({"name": "a", "image": "i", "ports": [{"containerPort": 1, "protocol": "QUIC"}]}),
            "spec.template.spec.containers[0].ports[0].protocol",
            "Unsupported value",
        ),
        (
            deployment({"name": "a", "image": "i", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}),
            "spec.template.spec.containers[0].volumeMounts[0].name",
            'Not found: "v"',
        ),
        (
            deployment({"name": "a", "image": "i", "readinessProbe": {}}),
            "spec.template.spec.containers[0].readinessProbe",
            "must specify a handler type",
        ),
        (
            deployment({"name": "a", "image": "i", "readinessProbe": {"exec": {}, "tcpSocket": {"port": 1}}}),
            "spec.template.spec.containers[0].readinessProbe.tcpSocket",
            "more than 1 handler",
        ),
        (
            deployment({"name": "a", "image": "i", "readinessProbe": {"exec": {}, "periodSeconds": -1}}),
            "spec.template.spec.containers[0].readinessProbe.periodSeconds",
            "greater than or equal to 0",
        ),
        (
            deployment(strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
            "spec.strategy.rollingUpdate",
            "Forbidden",
        ),
        (
            {**deployment(), "metadata": {"name": "d", "labels": {"a": "no spaces"}}},
            "metadata.labels",
            "a valid label must be",
        ),
    ],
)
def test_refused_deployments(obj: Obj, path: str, text: str) -> None:
    """Where it is wrong, and how Kubernetes words it."""
    found = problems(obj, DEPLOYMENT)
    assert [message for at, message in found if at == path and text in message], found


@pytest.mark.parametrize(
    ("obj", "schema"),
    [
        (deployment(), DEPLOYMENT),
        (deployment(replicas=None), DEPLOYMENT),
        (deployment(replicas=2.0), DEPLOYMENT),
        (deployment(strategy={"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}}), DEPLOYMENT),
        (
            deployment({"name": "a", "image": "i", "resources": {"limits": {"cpu": 1, "memory": "64Mi"}}}),
            DEPLOYMENT,
        ),
        (
            deployment({"name": "a", "image": "i", "readinessProbe": {"httpGet": {"port": "http"}}}),
            DEPLOYMENT,
        ),
        (
            pod(
                volumes=[{"name": "v"}],
                containers=[{"name": "a", "image": "i", "volumeMounts": [{"name": "v", "mountPath": "/"}]}],
            ),
            POD,
        ),
        ({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "aGk="}}, SECRET),
    ],
)
def test_accepted(obj: Obj, schema: TypeSchema) -> None:
    """Numbers as quantities, integers written as 2.0, percentages, null for nothing."""
    assert problems(obj, schema) == []


def test_secret_data_is_base64() -> None:
    """Anything else is the client's mistake."""
    found = problems({"data": {"a": "no!"}}, SECRET)
    assert found[0][0] == "data.a"
    assert "base64" in found[0][1]


def test_a_pod_without_containers_or_with_two_of_one_name() -> None:
    """A pod has at least one container, and each its own name."""
    assert ("spec.containers", "Required value") in problems(pod(containers=[]), POD)
    twice = pod(containers=[{"name": "a", "image": "i"}, {"name": "a", "image": "j"}])
    assert problems(twice, POD) == [("spec.containers[1].name", 'Duplicate value: "a"')]


def test_a_service_port_is_in_range() -> None:
    """1 to 65535."""
    found = problems({"spec": {"ports": [{"port": 0}]}}, SERVICE)
    text = "Invalid value: 0: must be between 1 and 65535, inclusive"
    assert found == [("spec.ports[0].port", text), ("spec.ports[0].targetPort", text)]


def test_what_must_not_change() -> None:
    """A Deployment's selector, a pod's spec but its images and its node, which is given once."""
    changed = deployment(selector={"matchLabels": {"app": "y"}})
    changed["spec"]["template"]["metadata"]["labels"] = {"app": "y"}
    assert problems(changed, DEPLOYMENT, deployment()) == [
        ("spec.selector", 'Invalid value: {"matchLabels":{"app":"y"}}: field is immutable')
    ]
    assert problems(pod(containers=[{"name": "a", "image": "other"}]), POD, pod()) == []
    assert problems(pod(nodeName="n"), POD, pod()) == []
    assert problems(pod(), POD, apply_defaults(pod(), POD)) == [], "what goes is filled in again"
    assert problems(pod(nodeName="m"), POD, pod(nodeName="n"))[0][1].startswith("Forbidden: pod updates")
    assert problems(pod(hostNetwork=True), POD, pod())[0][0] == "spec"


def test_what_did_not_change_is_not_refused_again() -> None:
    """An object that was stored under older rules can still be scaled."""
    old = deployment({"name": "a", "image": "i", "args": [1]}, replicas=1)
    new = deployment({"name": "a", "image": "i", "args": [1]}, replicas=2)
    assert problems(new, DEPLOYMENT, old) == []
    assert problems(new, DEPLOYMENT) != []


@pytest.mark.parametrize(
    ("rule", "good", "bad", "text"),
    [
        ({"type": "integer", "minimum": 1}, 1, 0, "spec.x in body should be greater than or equal to 1"),
        ({"type": "integer", "minimum": 1, "exclusiveMinimum": True}, 2, 1, "should be greater than 1"),
        ({"type": "integer", "maximum": 5}, 5, 6, "should be less than or equal to 5"),
        ({"type": "number", "maximum": 5, "exclusiveMaximum": True}, 4.9, 5, "should be less than 5"),
        ({"type": "integer", "multipleOf": 3}, 6, 7, "should be a multiple of 3"),
        (
            {"type": "string", "enum": ["a", "b"]},
            "a",
            "c",
            'Unsupported value: "c": supported values: "a", "b"',
        ),
        ({"type": "string", "pattern": "^a+$"}, "aa", "b", "should match '^a+$'"),
        ({"type": "string", "pattern": "(?<odd"}, "aa", None, ""),  # unreadable here: not checked
        ({"type": "string", "minLength": 2}, "ab", "a", "should be at least 2 chars long"),
        ({"type": "string", "maxLength": 2}, "ab", "abc", "Too long: may not be more than 2 bytes"),
        (
            {"type": "array", "items": {"type": "string"}, "maxItems": 1},
            ["a"],
            ["a", "b"],
            "Too many: 2: must have at most 1 items",
        ),
        (
            {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ["a"],
            [],
            "should have at least 1 items",
        ),
        (
            {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 1},
            {"a": "b"},
            {"a": "b", "c": "d"},
            "should have at most 1 properties",
        ),
        (
            {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            ["a", "b"],
            ["a", "a"],
            'Duplicate value: "a"',
        ),
        (
            {
                "type": "array",
                "items": {"type": "object", "properties": {"k": {"type": "string"}}},
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
            },
            [{"k": "a"}],
            [{"k": "a"}, {"k": "a"}],
            "Duplicate value",
        ),
        ({"x-kubernetes-int-or-string": True}, "50%", 1.5, "must be of type integer or string"),
        (
            {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
            1,
            [],
            "must be of type",
        ),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"a": ""},
            {},
            "Required value",
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
            },
            {"a": ""},
            {"a": "", "b": ""},
            "one and only one",
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
            },
            {"b": ""},
            {},
            "at least one schema",
        ),
        ({"type": "integer", "allOf": [{"minimum": 1}, {"maximum": 3}]}, 2, 4, "less than or equal to 3"),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "not": {"properties": {"a": {"enum": ["x"]}}},
            },
            {"a": "y"},
            {"a": "x"},
            "must not validate",
        ),
        ({"type": "string"}, "a", 1, 'must be of type string: "integer"'),
    ],
)
def test_a_definitions_constraints(rule: dict[str, Any], good: Any, bad: Any, text: str) -> None:
    """Each keyword of a structural schema refuses what it should and lets the rest pass."""
    schema = custom({"x": rule})
    assert problems(thing(x=good), schema) == []
    if bad is not None:
        found = problems(thing(x=bad), schema)
        assert [message for path, message in found if path.startswith("spec.x") and text in message], found


def test_required_fields_of_custom_resources() -> None:
    """Missing or null, both are refused with the field's path."""
    schema = custom({"a": {"type": "string"}}, required=["a"])
    assert problems(thing(), schema) == [("spec.a", "Required value")]
    assert problems(thing(a=None), schema) == [("spec.a", "Required value")]


# -- defaults --------------------------------------------------------------------------------------------


def test_defaults_of_a_deployment() -> None:
    """What kubectl shows and controllers count on; the argument is left alone."""
    obj = deployment(
        {
            "name": "a",
            "image": "i:1",
            "ports": [{"containerPort": 80}],
            "readinessProbe": {"httpGet": {"port": 80}},
        }
    )
    before = copy.deepcopy(obj)
    spec = apply_defaults(obj, DEPLOYMENT)["spec"]
    assert obj == before
    template = spec.pop("template")["spec"]
    assert spec == {
        "selector": {"matchLabels": {"app": "x"}},
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
    }
    assert template.pop("containers") == [
        {
            "name": "a",
            "image": "i:1",
            "ports": [{"containerPort": 80, "protocol": "TCP"}],
            "readinessProbe": {
                "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
                "timeoutSeconds": 1,
                "periodSeconds": 10,
                "successThreshold": 1,
                "failureThreshold": 3,
            },
            "imagePullPolicy": "IfNotPresent",
            "resources": {},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
        }
    ]
    assert template == {
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "terminationGracePeriodSeconds": 30,
        "schedulerName": "default-scheduler",
        "securityContext": {},
    }


def test_defaults_never_overwrite() -> None:
    """What the user wrote stays, zero and false included."""
    wanted = deployment(replicas=0, strategy={"type": "Recreate"}, revisionHistoryLimit=0)
    spec = apply_defaults(wanted, DEPLOYMENT)["spec"]
    assert (spec["replicas"], spec["strategy"], spec["revisionHistoryLimit"]) == (0, {"type": "Recreate"}, 0)


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("a", "Always"),
        ("a:latest", "Always"),
        ("a:1", "IfNotPresent"),
        ("host:5000/a", "Always"),
        ("host:5000/a:1", "IfNotPresent"),
        ("a@sha256:00", "IfNotPresent"),
        ("", "Always"),
    ],
)
def test_the_pull_policy_follows_the_tag(image: str, policy: str) -> None:
    """A port is no tag, a digest never changes."""
    assert pull_policy(image) == policy


def test_defaults_of_a_pod() -> None:
    """Phase, quality of service, requests from limits, sources of volumes."""
    limits = {"cpu": "1", "memory": "64Mi"}
    made = apply_defaults(
        pod(
            containers=[{"name": "a", "image": "i", "resources": {"limits": limits}}],
            volumes=[
                {"name": "e"},
                {"name": "c", "configMap": {"name": "x"}},
                {"name": "h", "hostPath": {"path": "/"}},
            ],
            serviceAccountName="sa",
        ),
        POD,
    )
    assert made["status"] == {"phase": "Pending", "qosClass": "Guaranteed"}
    assert made["spec"]["containers"][0]["resources"] == {"limits": limits, "requests": limits}
    assert made["spec"]["serviceAccount"] == "sa"
    assert made["spec"]["enableServiceLinks"] is True
    assert made["spec"]["volumes"] == [
        {"name": "e", "emptyDir": {}},
        {"name": "c", "configMap": {"name": "x", "defaultMode": 420}},
        {"name": "h", "hostPath": {"path": "/", "type": ""}},
    ]


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1"}, "requests": {"cpu": "500m"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1"}}, "Guaranteed"),
    ],
)
def test_quality_of_service(resources: dict[str, Any], quality: str) -> None:
    """By requests and limits of cpu and memory."""
    made = apply_defaults(pod(containers=[{"name": "a", "image": "i", "resources": resources}]), POD)
    assert made["status"]["qosClass"] == quality


def test_defaults_of_the_other_kinds() -> None:
    """Service ports, secret data, the namespace's own label, a definition's names."""
    service = apply_defaults({"spec": {"ports": [{"port": 80}]}}, SERVICE)["spec"]
    assert service["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert (service["type"], service["sessionAffinity"]) == ("ClusterIP", "None")
    secret = apply_defaults({"data": {"a": "eA=="}, "stringData": {"b": "hi"}}, SECRET)
    assert secret == {"data": {"a": "eA==", "b": "aGk="}, "type": "Opaque"}
    namespace = apply_defaults({"metadata": {"name": "n"}}, NAMESPACE)
    assert namespace["metadata"]["labels"] == {"kubernetes.io/metadata.name": "n"}
    assert namespace["status"] == {"phase": "Active"}
    definition = apply_defaults({"spec": {"names": {"kind": "FooBar"}}}, schema_of(SCHEMAS, *KINDS[12]))
    assert definition["spec"]["names"] == {"kind": "FooBar", "singular": "foobar", "listKind": "FooBarList"}


def test_defaults_of_custom_resources() -> None:
    """Declared defaults, in what exists and in what they made; the definition's own value is never shared."""
    schema = custom(
        {
            "n": {"type": "integer", "default": 5},
            "may": {"type": "string", "nullable": True, "default": "d"},
            "o": {
                "type": "object",
                "default": {},
                "properties": {"deep": {"type": "array", "default": ["x"], "items": {"type": "string"}}},
            },
            "absent": {"type": "object", "properties": {"q": {"type": "string", "default": "r"}}},
            "list": {
                "type": "array",
                "items": {"type": "object", "properties": {"z": {"type": "boolean", "default": True}}},
            },
        }
    )
    made = apply_defaults(thing(n=None, may=None, list=[{}, {"z": False}]), schema)["spec"]
    assert made == {"n": 5, "may": None, "o": {"deep": ["x"]}, "list": [{"z": True}, {"z": False}]}
    made["o"]["deep"].append("y")
    assert apply_defaults(thing(), schema)["spec"]["o"] == {"deep": ["x"]}


@given(st.integers(0, 3), st.sampled_from(["Recreate", "RollingUpdate", None]), st.booleans())
def test_defaults_are_idempotent(replicas: int, strategy: str | None, has_probe: bool) -> None:
    """Filling in twice is filling in once, and what is filled in is accepted."""
    container: dict[str, Any] = {"name": "a", "image": "i"}
    if has_probe:
        container["livenessProbe"] = {"grpc": {"port": 1}}
    obj = deployment(container, replicas=replicas, **({"strategy": {"type": strategy}} if strategy else {}))
    once = apply_defaults(obj, DEPLOYMENT)
    assert apply_defaults(once, DEPLOYMENT) == once
    assert problems(once, DEPLOYMENT) == []
    assert unknown_fields(once, DEPLOYMENT) == []


# -- definitions come and go -----------------------------------------------------------------------------


def test_a_definition_defines_its_served_versions_until_it_goes() -> None:
    """Added, replaced, removed; the fingerprint tells each state from the others."""
    schemas = Schemas()
    gvk = ("g.example", "v1", "Thing")
    prints = [schemas.fingerprint()]
    schemas.add_crd(crd({"a": {"type": "string"}}))
    prints.append(schemas.fingerprint())
    assert "a" in schema_of(schemas, *gvk).fields["spec"].fields
    assert schemas.for_kind("g.example", "v1alpha1", "Thing") is None
    schemas.add_crd(crd({"b": {"type": "string"}}))
    prints.append(schemas.fingerprint())
    assert list(schema_of(schemas, *gvk).fields["spec"].fields) == ["b"]
    assert schemas.openapi_of(gvk)["properties"]["spec"]["properties"] == {"b": {"type": "string"}}
    assert len(set(prints)) == 3
    core = schemas.fingerprint("", "v1")
    schemas.remove_crd(crd({}))
    schemas.remove_crd(crd({}))
    assert schemas.for_kind(*gvk) is None
    assert schemas.openapi_of(gvk) == {}
    assert schemas.fingerprint() == prints[0]
    assert schemas.fingerprint("", "v1") == core


def test_a_definition_without_a_schema_keeps_everything() -> None:
    """But object metadata is typed all the same."""
    schemas = Schemas()
    bare = crd({})
    bare["spec"]["versions"] = [{"name": "v1"}]
    schemas.add_crd(bare)
    schema = schema_of(schemas, "g.example", "v1", "Thing")
    obj = {**thing(any={"thing": 1}), "more": [1]}
    assert unknown_fields(obj, schema) == []
    assert prune(obj, schema) is obj
    assert problems({**obj, "metadata": {"name": 1}}, schema)[0][0] == "metadata.name"


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=2),
        lambda below: st.lists(below, max_size=2) | st.dictionaries(st.text(max_size=2), below, max_size=2),
        max_leaves=8,
    )
)
def test_a_copy_is_equal_and_shares_nothing(value: Any) -> None:
    """For any JSON, and no pass over it ever raises, however odd it is."""
    copied = copy_json(value)
    assert copied == value
    if isinstance(value, dict | list) and value:
        assert copied is not value
    odd = {"spec": value, "metadata": value if isinstance(value, dict) else {}}
    assert isinstance(unknown_fields(odd, DEPLOYMENT), list)
    assert isinstance(type_errors(odd, DEPLOYMENT), list)
    assert isinstance(prune(odd, DEPLOYMENT), dict)
