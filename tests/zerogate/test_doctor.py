"""What the doctor says of which facts."""

import json
from typing import Any

import pytest

from kube.objects import Obj, format_micro_time
from zerogate import shipped
from zerogate.doctor.check import Facts, check, unreachable
from zerogate.doctor.cluster import KINDS, ClusterFacts
from zerogate.doctor.findings import Finding, has_problem
from zerogate.doctor.rights import Right
from zerogate.doctor.targets import Around

NOW = 1_800_000_000.0
CLUSTER = ClusterFacts({"major": "1", "minor": "34", "gitVersion": "v1.34.2"}, KINDS)
LAPTOP = ClusterFacts({"major": "1", "minor": "33", "gitVersion": "v1.33.0+zerogate"}, KINDS)
CRDS = shipped.custom_resources()
MAPS = {obj["metadata"]["name"]: obj.get("data") or {} for obj in shipped.config_maps()}
MARKS = {"app": "web", "zerogate.dev/scale": "true"}


def said(**facts: Any) -> list[Finding]:
    """All findings; where not told otherwise, of a cluster on which all is well."""
    given = {
        "now": NOW,
        "cluster": CLUSTER,
        "definitions": CRDS,
        "shipped": CRDS,
        "accounts": {"controller": [], "autoscaler": [], "activator": []},
        "leases": [lease("controller"), lease("autoscaler")],
        "is_reached": True,
        "maps": MAPS,
        "programs": [{"metadata": {"name": "zerogate-activator"}, "status": {"readyReplicas": 1}}],
        "deployments": [web()],
    }
    return list(check(Facts(**{**given, **facts})))


def lease(program: str, *, age: float = 1.0, holder: str = "pod-1", address: str = "10.0.0.1:8090") -> Obj:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": format_micro_time(NOW - age)}
    meta = {"name": f"zerogate-{program}", "annotations": {"zerogate.dev/address": address}}
    return {"metadata": meta, "spec": spec}


def web(**changes: Any) -> Obj:
    """A Deployment of which nothing is to be said; `changes`: annotations, marks, container, pod, fields."""
    container = {
        "name": "app",
        "ports": [{"containerPort": 8080}],
        "lifecycle": {"preStop": {"sleep": {"seconds": 30}}},
        **changes.get("container", {}),
    }
    pod = {"automountServiceAccountToken": False, "containers": [container], **changes.get("pod", {})}
    annotations = {"zerogate.dev/host": "web.shop.example.com", **changes.get("annotations", {})}
    return {
        "kind": "Deployment",
        "metadata": {
            "namespace": "shop",
            "name": changes.get("name", "web"),
            "uid": changes.get("name", "web"),
            "labels": MARKS,
            "annotations": {key: text for key, text in annotations.items() if text},
            "managedFields": changes.get("fields", []),
        },
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": changes.get("marks", MARKS)}, "spec": pod},
        },
    }


def owner(manager: str, **entry: Any) -> dict[str, Any]:
    return {"manager": manager, "fieldsV1": {"f:spec": {"f:replicas": {}}}, **entry}


def test_of_a_cluster_on_which_all_is_well_nothing_else_is_said() -> None:
    assert {finding.level for finding in said()} == {"ok"}
    assert not has_problem(said())


@pytest.mark.parametrize(
    ("facts", "level", "about", "message"),
    [
        ({"cluster": ClusterFacts({"minor": "29"})}, "problem", "API server", "1.30"),
        ({"cluster": ClusterFacts(None, frozenset())}, "problem", "definitions", "kubectl apply -k"),
        (
            {"cluster": ClusterFacts(None, KINDS, [], [Right("create", "serving.knative.dev", "services")])},
            "advice", "your rights", "you may not create services.serving.knative.dev",
        ),
        (
            {"definitions": [{**CRDS[0], "spec": {"versions": [{"name": "v1"}]}}]},
            "problem", "CRD configurations.serving.knative.dev", "another version",
        ),
        (
            {"accounts": {"activator": [Right("list", "", "pods")]}},
            "problem", "ServiceAccount zerogate-activator", "may not list pods; `kubectl apply -k config/`",
        ),
        (
            {"accounts": {"activator": [Right("patch", "apps", "deployments")]}},
            "advice", "ServiceAccount zerogate-activator", "may not patch deployments.apps",
        ),
        ({"leases": []}, "problem", "Lease zerogate-autoscaler", "no autoscaler leads"),
        ({"leases": [lease("autoscaler", holder="")]}, "problem", "Lease zerogate-autoscaler", "leads"),
        ({"leases": [lease("autoscaler", age=60)]}, "problem", "Lease zerogate-autoscaler", "for 60 s"),
        ({"leases": [lease("autoscaler", address="")]}, "problem", "link", "no address"),
        ({"is_reached": False}, "advice", "link", "10.0.0.1:8090 can't be reached from here"),
        ({"is_reached": False, "is_near": True}, "problem", "link", "does not answer at 10.0.0.1:8090"),
        ({"is_reached": False, "cluster": LAPTOP}, "problem", "link", "does not answer"),
        ({"programs": []}, "advice", "Deployment zerogate-activator", "there is none"),
        (
            {"programs": [{"metadata": {"name": "zerogate-activator"}, "spec": {"replicas": 2}}]},
            "problem", "Deployment zerogate-activator", "no pod of 2 is ready",
        ),
        (
            {"programs": [{"metadata": {"name": "zerogate-activator"}, "spec": {"replicas": 2},
                           "status": {"readyReplicas": 1}}]},
            "advice", "Deployment zerogate-activator", "1 of 2",
        ),
        (
            {"maps": {**MAPS, "config-autoscaler": {"stable-window": "soon"}}},
            "problem", "ConfigMap config-autoscaler", "stable-window",
        ),
        ({"maps": {}}, "advice", "config maps", "Knative's defaults hold"),
        ({"unread": ["pods"]}, "advice", "your rights", "may not list pods"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_cluster_is_said_with_its_level_and_the_remedy(
    facts: dict[str, Any], level: str, about: str, message: str
) -> None:
    found = [finding for finding in said(**facts) if finding.about == about]
    assert [finding.level for finding in found if message in finding.message] == [level], found


HEADLESS = {"metadata": {"namespace": "shop", "name": "direct"}, "spec": {"selector": {"app": "web"}}}
ELSEWHERE = {"metadata": {"namespace": "other", "name": "direct"}, "spec": {"selector": {"app": "web"}}}
SCALER = {
    "metadata": {"namespace": "shop", "name": "cpu"},
    "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}},
}
APPLIED = json.dumps({"spec": {"replicas": 3}})


@pytest.mark.parametrize(
    ("target", "around", "level", "message"),
    [
        (web(marks={"app": "web"}), {}, "problem", 'lacks the label zerogate.dev/scale: "true"'),
        (web(annotations={"zerogate.dev/host": ""}), {}, "problem", "no annotation zerogate.dev/host"),
        (
            web(annotations={"zerogate.dev/host": "x.org"}),
            {},
            "problem",
            'add "x.org: shop" to config-domain-claims',
        ),
        (
            web(annotations={"autoscaling.knative.dev/target": "x"}),
            {},
            "problem",
            "autoscaling.knative.dev/target",
        ),
        (
            web(annotations={"zerogate.dev/given-up": "not ready after 630 s"}),
            {},
            "problem",
            "given up: not ready",
        ),
        (
            web(pod={"automountServiceAccountToken": None}),
            {},
            "advice",
            "automountServiceAccountToken: false",
        ),
        (web(container={"lifecycle": {}}), {}, "advice", "preStop: {sleep: {seconds: 30}}"),
        (
            web(container={"lifecycle": {}}, pod={"terminationGracePeriodSeconds": 60}),
            {},
            "advice",
            "preStop: {sleep: {seconds: 60}}",
        ),
        (
            web(container={"readinessProbe": {"exec": {"command": ["x"]}}}),
            {},
            "advice",
            "readinessProbe is one that only the kubelet runs, each 10 s",
        ),
        (
            web(container={"startupProbe": {"httpGet": {"port": 1}, "periodSeconds": 5}}),
            {},
            "advice",
            "startupProbe is one that only the kubelet runs, each 5 s",
        ),
        (
            web(annotations={"kubectl.kubernetes.io/last-applied-configuration": APPLIED}),
            {},
            "advice",
            "take it out",
        ),
        (web(fields=[owner("argocd", operation="Apply")]), {}, "advice", "argocd applies spec.replicas"),
        (
            web(fields=[owner("kubectl", operation="Update", subresource="scale")]),
            {},
            "advice",
            "kubectl has scaled it",
        ),
        (web(), {"scalers": [SCALER]}, "problem", "HorizontalPodAutoscaler cpu writes its replicas too"),
        (web(), {"services": [HEADLESS]}, "advice", "Service direct leads to its pods past the gateway"),
    ],
)
def test_what_is_wrong_with_a_scale_target_is_said_with_the_remedy(
    target: Obj, around: dict[str, Any], level: str, message: str
) -> None:
    found = [
        f for f in said(deployments=[target], around=Around(**around)) if f.about == "Deployment shop/web"
    ]
    assert [finding.level for finding in found] == [level], found
    assert message in found[0].message


@pytest.mark.parametrize(
    ("target", "around"),
    [
        (web(container={"readinessProbe": {"httpGet": {"port": 8080}, "periodSeconds": 10}}), {}),
        (web(container={"readinessProbe": {"exec": {"command": ["x"]}, "periodSeconds": 1}}), {}),
        (web(fields=[owner("kubectl-client-side-apply", operation="Update")]), {}),
        (web(fields=[owner("zerogate-autoscaler", operation="Apply", subresource="scale")]), {}),
        (web(annotations={"kubectl.kubernetes.io/last-applied-configuration": "{broken"}), {}),
        (web(), {"services": [ELSEWHERE, {"metadata": {"namespace": "shop", "name": "x"}, "spec": {}}]}),
        (web(), {"scalers": [{**SCALER, "metadata": {"namespace": "other", "name": "cpu"}}]}),
    ],
)
def test_what_is_as_it_should_be_is_no_finding(target: Obj, around: dict[str, Any]) -> None:
    """A probe that the gateway runs itself costs nothing; the number that it was made with is no writer."""
    assert {finding.level for finding in said(deployments=[target], around=Around(**around))} == {"ok"}


def test_a_deployment_with_a_host_and_without_the_label_is_told_so() -> None:
    """Others, that have neither, are nobody's business."""
    forgotten, other = web(name="forgotten"), web(name="other", annotations={"zerogate.dev/host": ""})
    forgotten["metadata"]["labels"] = other["metadata"]["labels"] = {"app": "web"}
    (found,) = [each for each in said(deployments=[forgotten, other]) if each.level != "ok"]
    assert (found.level, found.about) == ("problem", "Deployment shop/forgotten")
    assert 'lacks the label zerogate.dev/scale: "true"' in found.message


def test_a_host_that_is_taken_names_its_owner() -> None:
    younger = web(name="younger")
    younger["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    (found,) = [each for each in said(deployments=[web(), younger]) if each.level == "problem"]
    assert (found.about, found.message) == (
        "Deployment shop/younger",
        "web.shop.example.com belongs to Deployment shop/web.",
    )


def test_a_laptop_has_neither_accounts_nor_replicas_of_the_gateway() -> None:
    found = said(cluster=LAPTOP, accounts=None, programs=[], leases=[lease("autoscaler")])
    assert {finding.level for finding in found} == {"ok"}
    assert "the API of `zerogate up`" in {finding.message for finding in found}


def test_what_can_not_be_read_is_no_problem() -> None:
    """No right to list something, and nothing else that is wrong: advice."""
    unknown = dict.fromkeys(("definitions", "accounts", "leases", "maps", "programs", "deployments"))
    found = said(**unknown, unread=["leases"])
    assert [finding.level for finding in found if finding.level != "ok"] == ["advice"]


def test_a_finding_is_one_line() -> None:
    assert str(Finding("ok", "link", "a\n  b")) == "ok       link: a b"
    assert has_problem([unreachable("nobody there")])
