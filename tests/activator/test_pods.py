"""What is read off a pod: where it is, whether it may be used, and why it can't start."""

from collections.abc import Sequence
from typing import Any

import pytest

from activator.cluster.members import may_probe
from activator.cluster.pods import (
    PodView,
    pause_of,
    pod_view,
    replica_failure,
    revision_of,
    trouble_of,
    worry_of,
)
from kube.objects import Obj
from serving.reconcile.pods import FAILED_WAITING
from serving.targets import ScaleTarget, scale_target


def pod(
    *,
    ip: str = "10.0.0.7",
    phase: str = "Running",
    ready: bool = False,
    deleting: bool = False,
    labels: dict[str, str] | None = None,
    port: str = "",
    statuses: Sequence[dict[str, Any]] = (),
) -> Obj:
    meta = {"namespace": "default", "name": "p", "uid": "u1", "labels": labels or {}}
    if port:
        meta["annotations"] = {"zerogate.dev/port": port}
    if deleting:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    status = {"phase": phase, "podIP": ip, "conditions": conditions, "containerStatuses": list(statuses)}
    return {"metadata": meta, "spec": {"nodeName": "n"}, "status": status}


def waiting(
    reason: str, *, restarts: int = 0, message: str = "", exit_code: int | None = None
) -> dict[str, Any]:
    status = {"restartCount": restarts, "state": {"waiting": {"reason": reason, "message": message}}}
    if exit_code is not None:
        status["lastState"] = {"terminated": {"exitCode": exit_code}}
    return status


def target(
    name: str = "hello",
    *,
    replicas: int = 1,
    given_up: str = "",
    selector: dict[str, Any] | None = None,
    revision: str = "",
) -> ScaleTarget:
    meta: dict[str, Any] = {"namespace": "default", "name": name, "labels": {}, "annotations": {}}
    if given_up:
        meta["annotations"]["zerogate.dev/given-up"] = given_up
    if revision:
        meta["labels"]["serving.knative.dev/revision"] = revision
    template = {"metadata": {"labels": {"zerogate.dev/scale": "true"}}}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": selector or {"app": name}},
        "template": template,
    }
    return scale_target({"metadata": meta, "spec": spec})


@pytest.mark.parametrize(
    ("given", "address", "port", "is_ready", "is_gone"),
    [
        (pod(ready=True), "10.0.0.7", 0, True, False),
        (pod(), "10.0.0.7", 0, False, False),
        (pod(ip=""), "", 0, False, False),
        (pod(ip="", ready=True), "", 0, False, False),
        (pod(ready=True, deleting=True), "10.0.0.7", 0, False, True),
        (pod(phase="Failed"), "10.0.0.7", 0, False, True),
        (pod(phase="Succeeded"), "10.0.0.7", 0, False, True),
        (pod(ip="127.0.0.1", port="20001", ready=True), "127.0.0.1", 20001, True, False),
        (pod(ip="127.0.0.1", ready=True), "", 0, False, False),
        (pod(ip="::1", port="20001"), "::1", 20001, False, False),
        (pod(port="20001"), "10.0.0.7", 0, False, False),
        ({"metadata": {"name": "bare"}}, "", 0, False, False),
    ],
)
def test_a_pod_is_read(given: Obj, address: str, port: int, is_ready: bool, is_gone: bool) -> None:
    """Address, port of its own on loopback alone, readiness, and whether it is leaving."""
    view = pod_view(given)
    assert (view.address, view.port, view.is_ready, view.is_gone) == (address, port, is_ready, is_gone)


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (waiting("ContainerCreating"), ""),
        (waiting("ErrImagePull", message="no such image"), "ErrImagePull: no such image"),
        (waiting("ImagePullBackOff"), "ImagePullBackOff"),
        (waiting("CrashLoopBackOff", restarts=2, exit_code=1), ""),
        (
            waiting("CrashLoopBackOff", restarts=3, message="back-off 40s", exit_code=7),
            "CrashLoopBackOff: back-off 40s; last exit code 7",
        ),
        ({"restartCount": 9, "state": {"running": {}}}, ""),
    ],
)
def test_why_a_pod_cannot_start(status: dict[str, Any], fault: str) -> None:
    """Image back-off at once, crashes from the third restart on; a container that runs may still come up."""
    assert pod_view(pod(statuses=[status])).fault == fault


def test_a_quota_is_a_fault_and_a_full_node_is_not() -> None:
    """A full cluster may grow; a quota does not."""
    for message, fault in [("exceeded quota: pods=5", "exceeded quota: pods=5"), ("0/3 nodes", "")]:
        pending = pod(ip="", phase="Pending")
        pending["status"]["conditions"] = [{"type": "PodScheduled", "status": "False", "message": message}]
        assert pod_view(pending).fault == fault


BROKEN = pod_view(pod(statuses=[waiting("ErrImagePull", message="no such image")]))
LEAVING = pod_view(pod(deleting=True, statuses=[waiting("ErrImagePull")]))
STARTING = pod_view(pod(statuses=[waiting("ContainerCreating")]))
READY = pod_view(pod(ready=True))


@pytest.mark.parametrize(
    ("given", "failure", "pods", "trouble"),
    [
        (target(), "", [], ""),
        (target(), "", [BROKEN], "ErrImagePull: no such image"),
        (target(), "", [BROKEN, STARTING], ""),
        (target(), "", [BROKEN, READY], ""),
        (target(), "", [LEAVING], ""),
        (target(), "exceeded quota", [], "exceeded quota"),
        (target(), "exceeded quota", [STARTING], ""),
        (target(replicas=0), "exceeded quota", [], ""),
        (target(replicas=0, given_up="no pod came up"), "", [], "no pod came up"),
    ],
)
def test_trouble_is_when_no_pod_can_come(
    given: ScaleTarget, failure: str, pods: list[PodView], trouble: str
) -> None:
    """One pod that runs or may still start is enough for hope; a target that was given up has none."""
    assert trouble_of(given, failure, pods) == trouble


def test_pods_that_do_not_carry_the_label_are_not_waited_for() -> None:
    """Who asks for such a plain Deployment is told what is missing, and does not hang."""
    marks = {"zerogate.dev/scale": "true"}
    made = {"metadata": {"name": "hello", "namespace": "default", "labels": marks}, "spec": {"template": {}}}
    assert "the pod template lacks the label" in trouble_of(scale_target(made), "", [])


def test_a_deployment_says_why_it_makes_no_pods() -> None:
    """ReplicaFailure counts while it is True."""
    for status, told in [("True", "exceeded quota"), ("False", "")]:
        condition = {"type": "ReplicaFailure", "status": status, "message": "exceeded quota"}
        assert replica_failure({"status": {"conditions": [condition]}}) == told
    assert replica_failure({}) == ""


@pytest.mark.parametrize(
    ("labels", "key"),
    [
        ({"serving.knative.dev/revision": "hello-00001", "app": "web"}, ("default", "hello-00001")),
        ({"app": "web", "tier": "x"}, ("default", "web")),
        ({"app": "other"}, None),
        ({}, None),
    ],
)
def test_whose_pod_it_is(labels: dict[str, str], key: tuple[str, str] | None) -> None:
    """The revision's label names it; a plain Deployment's pods are found by its selector."""
    assert revision_of(pod(labels=labels), [target("none", selector={}), target("web")]) == key


@pytest.mark.parametrize(
    ("reason", "is_fault"),
    [
        ("ErrImagePull", True), ("ImagePullBackOff", True), ("InvalidImageName", True),
        ("ErrImageNeverPull", True), ("ImageInspectError", True), ("RegistryUnavailable", True),
        ("CreateContainerConfigError", True), ("CreateContainerError", True), ("RunContainerError", True),
        ("ContainerCreating", False), ("PodInitializing", False),
    ],
)  # fmt: skip
def test_each_reason_that_makes_a_revision_not_ready_is_a_fault(reason: str, is_fault: bool) -> None:
    """Who waits is told what the controller says, and does not wait for the progress deadline."""
    assert bool(pod_view(pod(statuses=[waiting(reason, message="why")])).fault) is is_fault
    assert (reason in FAILED_WAITING) is is_fault


def test_a_command_that_cannot_be_started_is_a_fault_from_the_first_time_on() -> None:
    """It is in back-off like a crash, but no restart will help."""
    status = waiting("CrashLoopBackOff", restarts=1, message="back-off 10s restarting failed container=c")
    status["lastState"] = {"terminated": {"exitCode": 128, "reason": "StartError", "message": "no such file"}}
    assert "no such file" in pod_view(pod(statuses=[status])).fault


@pytest.mark.parametrize(
    "trouble",
    [
        "container c listens on 25077, not on $PORT (25391): let it read its port",
        "container c listens on ::1:25391, not on 127.0.0.1:25391: let it listen on all addresses",
    ],
)
def test_a_program_that_listens_elsewhere_is_a_fault_and_is_still_asked(trouble: str) -> None:
    """The node agent says where; as soon as the program answers where it should, it serves."""
    there = pod(ip="127.0.0.1", port="25391", statuses=[{"state": {"running": {}}}])
    there["status"]["message"] = trouble
    view = pod_view(there)
    assert view.fault == trouble
    assert trouble_of(target(), "", [view]) == trouble
    assert may_probe(view, target())
    there["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    assert pod_view(there).fault == ""


def test_what_keeps_a_pod_from_coming_up_is_known_for_those_that_wait_in_vain() -> None:
    """A full cluster, a crash that may pass: no reason to refuse, but one to name in the end."""
    full = pod(ip="", phase="Pending")
    scheduled = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}
    full["status"]["conditions"] = [scheduled]
    crashed = waiting("CrashLoopBackOff", restarts=1)
    crashed["lastState"] = {"terminated": {"exitCode": 3, "message": "no database\n"}}
    assert pod_view(full).fault == ""
    assert worry_of([pod_view(full)]) == "0/3 nodes are available"
    assert worry_of([STARTING, pod_view(pod(statuses=[crashed]))]) == (
        "the container ended with exit code 3: no database"
    )
    assert worry_of([STARTING, LEAVING]) == ""


@pytest.mark.parametrize(
    ("trouble", "seconds"),
    [
        ("CrashLoopBackOff: back-off 40s restarting failed container=c pod=p", 40),
        ("CrashLoopBackOff: back-off 5m0s restarting failed container=c pod=p", 300),
        ("CrashLoopBackOff: back-off 2.5s restarting failed container=c pod=p", 3),
        ("CrashLoopBackOff: back-off soon restarting failed container=c", 10),
        ("ErrImagePull: no such image", 10),
    ],
)
def test_a_refused_client_hears_when_the_next_start_is(trouble: str, seconds: int) -> None:
    assert pause_of(trouble) == seconds
