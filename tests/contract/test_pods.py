"""Pods of processes: how long they may take to end, which of them go first, who may bind and evict them."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kube.objects import Obj, parse_time
from kube.resources import PODS, REPLICASETS
from testkit.contract.engine import Engine
from testkit.contract.objects import pod, replica_set
from testkit.waiting import wait_for

COST = "controller.kubernetes.io/pod-deletion-cost"


def options(**more: Any) -> Obj:
    return {"apiVersion": "v1", "kind": "DeleteOptions", **more}


def is_gone(engine: Engine, path: str) -> bool:
    return engine.request("GET", path).status == 404


def is_ready(obj: Obj) -> bool:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


@pytest.fixture
def running(engine: Engine, pods: str) -> Callable[..., Any]:
    """Makes a pod that is Ready; `stubborn` ones ignore SIGTERM. Its path."""

    def make(
        name: str = "p", image: str = "polite", *, container: dict[str, Any] | None = None, **spec: Any
    ) -> str:
        made = pod(name, **spec)
        made["metadata"]["namespace"] = pods
        made["spec"]["containers"][0] |= {"image": f"contract/{image}:1", **(container or {})}
        engine.create(PODS, made)
        path = PODS.path(pods, name)
        wait_for(f"{name} to be ready", lambda: is_ready(engine.get(path)), 60)
        # It is Ready as soon as it runs; what it does with signals is settled when it listens.
        wait_for(f"{name} to listen", lambda: "listening" in engine.output(pods, name), 30)
        return path

    return make


def seconds_to_end(engine: Engine, path: str, body: Any = None) -> float:
    """From the deletion to the pod's end."""
    begun = time.monotonic()
    answer = engine.request("DELETE", path, body)
    assert answer.status == 200, answer
    wait_for("the pod to go", lambda: is_gone(engine, path), 60)
    return time.monotonic() - begun


def test_a_running_pod_gets_time_to_end(engine: Engine, running: Callable[..., Any]) -> None:
    """Its grace period, told by the deletion's answer; a pod that minds SIGTERM goes before."""
    path = running()
    begun = time.time()
    meta = engine.request("DELETE", path).body["metadata"]
    assert meta["deletionGracePeriodSeconds"] == 30
    assert 25 < parse_time(meta["deletionTimestamp"]) - begun < 35
    wait_for("the pod to go", lambda: is_gone(engine, path), 20)
    assert time.time() - begun < 20


def test_after_the_grace_period_it_is_killed(engine: Engine, running: Callable[..., Any]) -> None:
    """A pod that ignores SIGTERM lives as long as it may."""
    path = running(image="stubborn", terminationGracePeriodSeconds=3)
    assert 2.5 < seconds_to_end(engine, path) < 15


def test_a_deletion_may_give_less_time(engine: Engine, running: Callable[..., Any]) -> None:
    """By its options, also when the pod is ending already; more than it has it does not get."""
    path = running(image="stubborn")
    assert engine.request("DELETE", path).body["metadata"]["deletionGracePeriodSeconds"] == 30
    later = engine.request("DELETE", path, options(gracePeriodSeconds=60))
    assert later.body["metadata"]["deletionGracePeriodSeconds"] == 30
    less = engine.request("DELETE", path, options(gracePeriodSeconds=2))
    assert less.body["metadata"]["deletionGracePeriodSeconds"] == 2
    wait_for("the pod to go", lambda: is_gone(engine, path), 15)


def test_without_any_time_the_object_is_gone_at_once(engine: Engine, running: Callable[..., Any]) -> None:
    """`kubectl delete --force --grace-period=0`: the name is free again, whatever the process does."""
    path = running(image="stubborn")
    answer = engine.request("DELETE", path, options(gracePeriodSeconds=0))
    assert answer.status == 200
    assert is_gone(engine, path)


def test_a_pre_stop_sleep_comes_before_the_signal(engine: Engine, running: Callable[..., Any]) -> None:
    """The pod serves on meanwhile; its time counts into the grace period."""
    hook = {"lifecycle": {"preStop": {"sleep": {"seconds": 3}}}}
    path = running(container=hook)
    assert 2.5 < seconds_to_end(engine, path) < 15
    path = running("q", "stubborn", container=hook, terminationGracePeriodSeconds=4)
    assert 3.5 < seconds_to_end(engine, path) < 15


def test_an_eviction_is_a_deletion_that_asks(engine: Engine, running: Callable[..., Any]) -> None:
    """As `kubectl drain` does it."""
    path = running()
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    answer = engine.request("POST", f"{path}/eviction", eviction)
    assert (answer.status, answer.body["status"]) == (201, "Success")
    wait_for("the pod to go", lambda: is_gone(engine, path), 20)
    assert engine.request("POST", f"{path}/eviction", eviction).status == 404


def test_a_pod_is_bound_once(engine: Engine, namespace: str) -> None:
    """Where another scheduler is to do it; POST …/binding gives it its node."""
    made = pod(schedulerName="nobody")
    engine.create(PODS, {**made, "metadata": {"name": "p", "namespace": namespace}})
    path = PODS.path(namespace, "p")
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "p"},
        "target": {"name": "nowhere"},
    }
    answer = engine.request("POST", f"{path}/binding", binding)
    assert (answer.status, answer.body["status"]) == (201, "Success")
    bound = engine.get(path)
    assert bound["spec"]["nodeName"] == "nowhere"
    scheduled = [each for each in bound["status"]["conditions"] if each["type"] == "PodScheduled"]
    assert [each["status"] for each in scheduled] == ["True"]
    answer = engine.request("POST", f"{path}/binding", binding)
    assert (answer.status, answer.reason) == (409, "Conflict")
    assert 'is already assigned to node "nowhere"' in answer.message
    engine.request("DELETE", path, options(gracePeriodSeconds=0))


def test_a_pod_that_no_node_suits_waits(engine: Engine, namespace: str) -> None:
    """Pending, with the reason in a condition."""
    made = pod(nodeSelector={"contract.test/there": "no"})
    engine.create(PODS, {**made, "metadata": {"name": "p", "namespace": namespace}})
    path = PODS.path(namespace, "p")

    def verdict() -> list[dict[str, str]]:
        conditions = engine.get(path)["status"].get("conditions") or ()
        return [each for each in conditions if each["type"] == "PodScheduled"]

    (found,) = wait_for("a verdict", verdict)
    assert (found["status"], found["reason"]) == ("False", "Unschedulable")
    if engine.logs is not None:
        assert "didn't match Pod's node affinity/selector" in found["message"]
    assert engine.get(path)["status"]["phase"] == "Pending"


def test_which_pods_of_a_replica_set_go_first(engine: Engine, pods: str, tmp_path: Path) -> None:
    """Those that are not ready, then those that cost less to lose."""
    made = replica_set(replicas=4, namespace=pods)
    container = made["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "SICK", "value": f"{tmp_path}/$(NAME)"},
    ]
    container["readinessProbe"] = {
        "httpGet": {"port": 8080, "path": "/"},
        "periodSeconds": 1,
        "failureThreshold": 1,
    }
    container["ports"] = [{"containerPort": 8080}]
    engine.create(REPLICASETS, made)
    path = PODS.path(pods)

    def living() -> list[Obj]:
        return [each for each in engine.get(path)["items"] if not each["metadata"].get("deletionTimestamp")]

    def names() -> set[str]:
        return {each["metadata"]["name"] for each in living()}

    wait_for("four ready pods", lambda: sum(map(is_ready, living())) == 4, 60)
    sick, cheap, dear, dearest = sorted(names())
    for name, cost in ((sick, 1000), (cheap, -10), (dear, 10), (dearest, 100)):
        patch = {"metadata": {"annotations": {COST: str(cost)}}}
        assert engine.patch(f"{path}/{name}", patch).status == 200
    (tmp_path / sick).touch()
    wait_for("one that is not ready", lambda: not is_ready(engine.get(f"{path}/{sick}")), 30)
    for size, left in ((3, {cheap, dear, dearest}), (2, {dear, dearest}), (1, {dearest})):
        engine.patch(REPLICASETS.path(pods, "r", "scale"), {"spec": {"replicas": size}})
        wait_for(f"{size} pods", lambda size=size: len(names()) == size, 30)
        assert names() == left
    status = wait_for(
        "its status",
        lambda: (
            (found := engine.get(REPLICASETS.path(pods, "r"))["status"]).get("readyReplicas") == 1 and found
        ),
    )
    assert (status["replicas"], status["availableReplicas"]) == (1, 1)
    engine.patch(REPLICASETS.path(pods, "r", "scale"), {"spec": {"replicas": 0}})
    wait_for("no pod", lambda: not engine.get(path)["items"], 30)
    found = wait_for(
        "an empty status",
        lambda: (found := engine.get(REPLICASETS.path(pods, "r")))["status"]["replicas"] == 0 and found,
    )
    wait_for(
        "what was observed",
        lambda: (
            engine.get(REPLICASETS.path(pods, "r"))["status"]
            == {"replicas": 0, "observedGeneration": found["metadata"]["generation"]}
        ),
    )
