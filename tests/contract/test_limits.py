"""What the kinds that we use refuse beyond their types, and what they fill in."""

from typing import Any

import pytest

from kube.objects import Obj
from kube.resources import (
    CONFIGMAPS,
    CORE_SERVICES,
    DEPLOYMENTS,
    LEASES,
    PODS,
    REPLICASETS,
    SECRETS,
    Resource,
)
from testkit.contract.engine import Engine
from testkit.contract.objects import deployment, pod_spec, replica_set

DRY = {"dryRun": "All"}
RANGE = "must be between 1 and 65535, inclusive"
TWO_PROBES = {"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}}
TWO_VOLUMES = {"name": "v", "emptyDir": {}, "configMap": {"name": "c"}}
SLEEP = "must be non-negative and less than terminationGracePeriodSeconds (30)"

# Of a pod: fields of its container, of its spec, the field refused below `spec`, the message's beginning.
PODS_REFUSED = [
    ({"name": ""}, {}, "containers[0].name", "Required value"),
    ({"name": "A_b"}, {}, "containers[0].name", 'Invalid value: "A_b": a lowercase RFC 1123 label'),
    ({"image": ""}, {}, "containers[0].image", "Required value"),
    (
        {"imagePullPolicy": "X"},
        {},
        "containers[0].imagePullPolicy",
        'Unsupported value: "X": supported values: "Always", ',
    ),
    ({"ports": [{"containerPort": 0}]}, {}, "containers[0].ports[0].containerPort", "Required value"),
    (
        {"ports": [{"containerPort": 70000}]},
        {},
        "containers[0].ports[0].containerPort",
        f"Invalid value: 70000: {RANGE}",
    ),
    (
        {"ports": [{"containerPort": 1, "protocol": "X"}]},
        {},
        "containers[0].ports[0].protocol",
        'Unsupported value: "X"',
    ),
    (
        {"ports": [{"containerPort": 1, "name": "A_b"}]},
        {},
        "containers[0].ports[0].name",
        'Invalid value: "A_b": must contain only',
    ),
    (
        {"ports": [{"containerPort": 1, "name": "1"}]},
        {},
        "containers[0].ports[0].name",
        'Invalid value: "1": must contain at least',
    ),
    (
        {"ports": [{"containerPort": 1, "name": "a" * 16}]},
        {},
        "containers[0].ports[0].name",
        f'Invalid value: "{"a" * 16}": must be no more',
    ),
    (
        {"ports": [{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}]},
        {},
        "containers[0].ports[1].name",
        'Duplicate value: "a"',
    ),
    ({"env": [{"value": "1"}]}, {}, "containers[0].env[0].name", "Required value"),
    (
        {"env": [{"name": "a=b"}]},
        {},
        "containers[0].env[0].name",
        'Invalid value: "a=b": a valid environment variable',
    ),
    (
        {"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
        {},
        "containers[0].volumeMounts[0].name",
        'Not found: "v"',
    ),
    (
        {"readinessProbe": {}},
        {},
        "containers[0].readinessProbe",
        "Required value: must specify a handler type",
    ),
    (
        {"readinessProbe": TWO_PROBES},
        {},
        "containers[0].readinessProbe.tcpSocket",
        "Forbidden: may not specify more than 1",
    ),
    (
        {"readinessProbe": {"httpGet": {"port": 0}}},
        {},
        "containers[0].readinessProbe.httpGet.port",
        f"Invalid value: 0: {RANGE}",
    ),
    (
        {"readinessProbe": {"httpGet": {"port": 1}, "periodSeconds": -1}},
        {},
        "containers[0].readinessProbe.periodSeconds",
        "Invalid value: -1: must be greater",
    ),
    (
        {"livenessProbe": {"tcpSocket": {"port": 1}, "successThreshold": 2}},
        {},
        "containers[0].livenessProbe.successThreshold",
        "Invalid value: 2: must be 1",
    ),
    (
        {"lifecycle": {"preStop": {}}},
        {},
        "containers[0].lifecycle.preStop",
        "Required value: must specify a handler type",
    ),
    (
        {"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}},
        {},
        "containers[0].lifecycle.preStop.sleep",
        f"Invalid value: 31: {SLEEP}",
    ),
    (
        {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}},
        {},
        "containers[0].resources.requests",
        'Invalid value: "2": must be less than or equal to cpu limit of 1',
    ),
    ({}, {"containers": []}, "containers", "Required value"),
    (
        {},
        {"restartPolicy": "X"},
        "restartPolicy",
        'Unsupported value: "X": supported values: "Always", "OnFailure", "Never"',
    ),
    ({}, {"dnsPolicy": "X"}, "dnsPolicy", 'Unsupported value: "X"'),
    (
        {},
        {"volumes": [TWO_VOLUMES]},
        "volumes[0].configMap",
        "Forbidden: may not specify more than 1 volume type",
    ),
    ({}, {"volumes": [{"name": "v"}, {"name": "v"}]}, "volumes[1].name", 'Duplicate value: "v"'),
]


@pytest.mark.parametrize("row", PODS_REFUSED, ids=[row[2] for row in PODS_REFUSED])
def test_pods_that_are_refused(
    engine: Engine, namespace: str, row: tuple[dict[str, Any], dict[str, Any], str, str]
) -> None:
    """By themselves and as a Deployment's template, at its path."""
    container, more, field, message = row
    spec = pod_spec()
    spec["containers"][0].update(container)
    spec.update(more)
    answer = engine.request(
        "POST", PODS.path(namespace), {"metadata": {"name": "p"}, "spec": spec}, query=DRY
    )
    assert (answer.status, answer.causes) == (422, [f"spec.{field}"])
    assert answer.body["details"]["causes"][0]["message"].startswith(message)
    made = deployment()
    made["spec"]["template"]["spec"] = spec
    answer = engine.request("POST", DEPLOYMENTS.path(namespace), made, query=DRY)
    assert f"spec.template.spec.{field}" in answer.causes


DEPLOYMENTS_REFUSED = [
    ({"replicas": -1}, "spec.replicas"),
    ({"minReadySeconds": -1}, "spec.minReadySeconds"),
    ({"minReadySeconds": 700}, "spec.progressDeadlineSeconds"),
    ({"revisionHistoryLimit": -1}, "spec.revisionHistoryLimit"),
    ({"progressDeadlineSeconds": 0}, "spec.progressDeadlineSeconds"),
    ({"strategy": {"type": "X"}}, "spec.strategy"),
    ({"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}}, "spec.strategy.rollingUpdate"),
    (
        {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}},
        "spec.strategy.rollingUpdate.maxUnavailable",
    ),
    ({"strategy": {"rollingUpdate": {"maxSurge": "x"}}}, "spec.strategy.rollingUpdate.maxSurge"),
    (
        {"strategy": {"rollingUpdate": {"maxUnavailable": "101%"}}},
        "spec.strategy.rollingUpdate.maxUnavailable",
    ),
    ({"selector": {}}, "spec.selector"),
    ({"selector": {"matchLabels": {"app": "other"}}}, "spec.template.metadata.labels"),
]


@pytest.mark.parametrize("row", DEPLOYMENTS_REFUSED, ids=[str(row[0]) for row in DEPLOYMENTS_REFUSED])
def test_deployments_that_are_refused(
    engine: Engine, namespace: str, row: tuple[dict[str, Any], str]
) -> None:
    """With the field."""
    more, field = row
    answer = engine.request("POST", DEPLOYMENTS.path(namespace), deployment(**more), query=DRY)
    assert (answer.status, answer.causes) == (422, [field])


SERVICES_REFUSED = [
    ({"selector": {"a": "b"}}, ["spec.ports"]),
    ({"ports": [{"port": 0}]}, ["spec.ports[0].port", "spec.ports[0].targetPort"]),
    ({"ports": [{"port": 1}, {"port": 2}]}, ["spec.ports[0].name", "spec.ports[1].name"]),
    ({"ports": [{"port": 1, "name": "a"}, {"port": 2, "name": "a"}]}, ["spec.ports[1].name"]),
    ({"ports": [{"port": 1, "targetPort": "A_b"}]}, ["spec.ports[0].targetPort"]),
    ({"ports": [{"port": 1, "protocol": "X"}]}, ["spec.ports[0].protocol"]),
    ({"ports": [{"port": 1}], "type": "X"}, ["spec.type"]),
    ({"ports": [{"port": 1}], "selector": {"a b": "c"}}, ["spec.selector"]),
    ({"type": "ExternalName"}, ["spec.externalName"]),
]


@pytest.mark.parametrize("row", SERVICES_REFUSED, ids=[str(row[0]) for row in SERVICES_REFUSED])
def test_services_that_are_refused(
    engine: Engine, namespace: str, row: tuple[dict[str, Any], list[str]]
) -> None:
    """With their fields."""
    spec, fields = row
    body = {"metadata": {"name": "s"}, "spec": spec}
    answer = engine.request("POST", CORE_SERVICES.path(namespace), body, query=DRY)
    assert (answer.status, answer.causes) == (422, fields)


def test_leases_that_are_refused(engine: Engine, namespace: str) -> None:
    """Durations and counts."""
    for spec, field in (
        ({"leaseDurationSeconds": 0}, "leaseDurationSeconds"),
        ({"leaseTransitions": -1}, "leaseTransitions"),
    ):
        answer = engine.request(
            "POST", LEASES.path(namespace), {"metadata": {"name": "l"}, "spec": spec}, query=DRY
        )
        assert (answer.status, answer.causes) == (422, [f"spec.{field}"])


def test_what_may_not_change_later(engine: Engine, namespace: str) -> None:
    """A Deployment's selector, what a pod runs."""
    engine.create(DEPLOYMENTS, {**deployment(), "metadata": {"name": "d", "namespace": namespace}})
    path = DEPLOYMENTS.path(namespace, "d")
    both = {"selector": {"matchLabels": {"app": "x"}}, "template": {"metadata": {"labels": {"app": "x"}}}}
    answer = engine.patch(path, {"spec": both})
    assert (answer.status, answer.causes) == (422, ["spec.selector"])
    assert "field is immutable" in answer.message
    spec = pod_spec(nodeSelector={"nowhere": "true"})
    engine.create(PODS, {"metadata": {"name": "p", "namespace": namespace}, "spec": spec})
    path = PODS.path(namespace, "p")
    answer = engine.patch(path, {"spec": {"hostNetwork": True}})
    assert (answer.status, answer.causes) == (422, ["spec"])
    assert "pod updates may not change fields other than `spec.containers[*].image`" in answer.message
    (container,) = engine.get(path)["spec"]["containers"]
    answer = engine.patch(path, {"spec": {"containers": [{**container, "image": "contract/polite:2"}]}})
    assert answer.status == 200


def made(engine: Engine, resource: Resource, namespace: str, body: Obj) -> Obj:
    """As it would be stored."""
    answer = engine.request("POST", resource.path(namespace), body, query=DRY)
    assert answer.status == 201, answer
    found: Obj = answer.body
    return found


def test_what_a_pod_is_filled_in_with(engine: Engine, namespace: str) -> None:
    """Field by field; a real API server adds the account and its mount."""
    container = {
        "name": "main",
        "image": "a/b",
        "ports": [{"containerPort": 80}],
        "readinessProbe": {"httpGet": {"port": 80}},
        "resources": {"limits": {"cpu": "1"}},
        "env": [{"name": "P", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    }
    volumes = [
        {"name": "c", "configMap": {"name": "x"}},
        {"name": "s", "secret": {"secretName": "x"}},
        {"name": "n"},
    ]
    body = {"metadata": {"name": "p", "labels": {}}, "spec": {"containers": [container], "volumes": volumes}}
    found = made(engine, PODS, namespace, body)
    assert "labels" not in found["metadata"]
    spec = found["spec"]
    assert (
        spec.items()
        >= {
            "restartPolicy": "Always",
            "dnsPolicy": "ClusterFirst",
            "terminationGracePeriodSeconds": 30,
            "schedulerName": "default-scheduler",
            "securityContext": {},
        }.items()
    )
    (filled,) = spec["containers"]
    filled.pop("volumeMounts", None)
    assert filled == {
        "name": "main",
        "image": "a/b",
        "imagePullPolicy": "Always",
        "ports": [{"containerPort": 80, "protocol": "TCP"}],
        "readinessProbe": {
            "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
            "timeoutSeconds": 1,
            "periodSeconds": 10,
            "successThreshold": 1,
            "failureThreshold": 3,
        },
        "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}},
        "env": [{"name": "P", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }
    assert spec["volumes"][:3] == [
        {"name": "c", "configMap": {"name": "x", "defaultMode": 420}},
        {"name": "s", "secret": {"secretName": "x", "defaultMode": 420}},
        {"name": "n", "emptyDir": {}},
    ]
    assert (found["status"]["phase"], found["status"]["qosClass"]) == ("Pending", "Burstable")


def test_what_other_kinds_are_filled_in_with(engine: Engine, namespace: str) -> None:
    """Deployment, ReplicaSet, Service, Secret, and nothing empty."""
    template = {"metadata": {"labels": {"app": "d"}}, "spec": pod_spec()}
    selector = {"matchLabels": {"app": "d"}}
    found = made(
        engine,
        DEPLOYMENTS,
        namespace,
        {"metadata": {"name": "d"}, "spec": {"selector": selector, "template": template}},
    )
    assert (found["metadata"]["generation"], found["status"]) == (1, {})
    assert {key: value for key, value in found["spec"].items() if key not in ("selector", "template")} == {
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
    }
    found = made(engine, REPLICASETS, namespace, replica_set())
    assert (found["spec"]["replicas"], found["status"]) == (0, {"replicas": 0})
    ports = {"ports": [{"port": 80}], "selector": {"a": "b"}}
    found = made(engine, CORE_SERVICES, namespace, {"metadata": {"name": "s"}, "spec": ports})
    assert found["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert (
        found["spec"].items()
        >= {
            "type": "ClusterIP",
            "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster",
        }.items()
    )
    assert found["status"] == {"loadBalancer": {}}
    found = made(
        engine,
        SECRETS,
        namespace,
        {"metadata": {"name": "s"}, "stringData": {"a": "b"}, "data": {"c": "ZA=="}},
    )
    assert (found["type"], found["data"], "stringData" in found) == (
        "Opaque",
        {"a": "Yg==", "c": "ZA=="},
        False,
    )
    empty = {"metadata": {"name": "c", "labels": {}, "annotations": {}, "finalizers": []}, "data": {}}
    found = made(engine, CONFIGMAPS, namespace, empty)
    assert set(found) == {"kind", "apiVersion", "metadata"}
    assert {"labels", "annotations", "finalizers"}.isdisjoint(found["metadata"])
