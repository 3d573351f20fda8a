"""Which pods are made and which go; adoption; names."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.workloads.pods import victims
from embedded.workloads.replicasets import new_pod, replicaset_status, sync_replicaset
from embedded.workloads.writes import Create, Delete, Patch
from kube.objects import Obj, controller_of, format_time

RNG = random.Random(1)


def pod(
    name: str,
    *,
    node: str = "n",
    phase: str = "Running",
    ready: float = 0.0,
    cost: str | None = None,
    restarts: int = 0,
    created: float = 1000.0,
    **meta: Any,
) -> Obj:
    conditions = [
        {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": format_time(ready)}
    ]
    notes = {} if cost is None else {"controller.kubernetes.io/pod-deletion-cost": cost}
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "namespace": "d",
            "labels": {"app": "a"},
            "annotations": notes,
            "creationTimestamp": format_time(created),
            "resourceVersion": "1",
            **meta,
        },
        "spec": {"nodeName": node} if node else {},
        "status": {
            "phase": phase,
            "conditions": conditions,
            "containerStatuses": [{"restartCount": restarts}],
        },
    }


def replicaset(replicas: int = 1, **meta: Any) -> Obj:
    return {
        "kind": "ReplicaSet",
        "apiVersion": "apps/v1",
        "metadata": {"name": "rs", "namespace": "d", "uid": "uid-rs", "generation": 4, **meta},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "a"}},
            "template": {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": []}},
        },
    }


OWNED: dict[str, Any] = {
    "ownerReferences": [{"uid": "uid-rs", "kind": "ReplicaSet", "name": "rs", "controller": True}]
}
LADDER = [
    pod("unassigned", node="", phase="Pending"),
    pod("pending", phase="Pending"),
    pod("not-ready", cost="1000"),
    pod("cheap", ready=100.0, cost="-5"),
    pod("ready-for-shorter", ready=900.0),
    pod("often-restarted", ready=500.0, restarts=7),
    pod("younger", ready=500.0, created=3000.0),
    pod("settled", ready=500.0),
    pod("dear", ready=100.0, cost="10"),
]


@given(st.permutations(LADDER), st.integers(-1, 12))
def test_the_pods_that_are_missed_least_go_first(pods: list[Obj], count: int) -> None:
    """Kubernetes' order: unassigned, pending, not ready, cheap, ready for shorter, restarted, younger."""
    names = [each["metadata"]["name"] for each in victims(pods, count)]
    assert names == [each["metadata"]["name"] for each in LADDER][: max(0, count)]


def test_a_cost_that_is_no_number_counts_as_none() -> None:
    """A mistake in an annotation decides nothing."""
    pods = [pod("a", ready=100.0, cost="cheap"), pod("b", ready=100.0, cost="-1")]
    assert [each["metadata"]["name"] for each in victims(pods, 1)] == ["b"]


@pytest.mark.parametrize(
    ("wanted", "standing", "created", "deleted"),
    [
        (3, [], 3, []),
        (2, [pod("a", **OWNED)], 1, []),
        (1, [pod("a", ready=1.0, **OWNED), pod("b", **OWNED)], 0, ["b"]),
        (0, [pod("a", **OWNED)], 0, ["a"]),
        # being deleted or ended: they do not count, so another is made
        (1, [pod("a", deletionTimestamp="2026-01-01T00:00:00Z", **OWNED)], 1, []),
        (1, [pod("a", phase="Failed", **OWNED)], 1, []),
        # strangers are left alone
        (1, [pod("x", ownerReferences=[{"uid": "other", "kind": "ReplicaSet", "controller": True}])], 1, []),
    ],
)
def test_the_number_is_kept(wanted: int, standing: list[Obj], created: int, deleted: list[str]) -> None:
    """As many pods are made or deleted as lack or are too many."""
    writes = sync_replicaset(replicaset(wanted), standing, RNG)
    assert sum(isinstance(each, Create) for each in writes) == created
    assert [each.key[1] for each in writes if isinstance(each, Delete)] == deleted


def test_an_orphan_is_adopted_instead_of_making_another() -> None:
    """A pod that matches and belongs to nobody gets a controller reference."""
    (write,) = sync_replicaset(replicaset(1), [pod("orphan")], RNG)
    assert isinstance(write, Patch)
    assert write.body["metadata"]["ownerReferences"][0]["uid"] == "uid-rs"


def test_a_pod_whose_labels_no_longer_match_is_released() -> None:
    """Relabel a pod to take it aside: it loses its owner and is replaced."""
    stray = pod("stray", **OWNED)
    stray["metadata"]["labels"] = {"app": "debug"}
    release, create, _report = sync_replicaset(replicaset(1), [stray], RNG)
    assert isinstance(release, Patch)
    assert release.body["metadata"]["ownerReferences"] == []
    assert isinstance(create, Create)


def test_a_set_that_is_being_deleted_makes_no_pods() -> None:
    """Otherwise the garbage collector would race with it."""
    assert sync_replicaset(replicaset(3, deletionTimestamp="2026-01-01T00:00:00Z"), [], RNG) == []


def test_long_names_are_cut_as_kubernetes_cuts_them() -> None:
    """The base is cut at 58 characters, so that five more make a label."""
    wide = replicaset(1)
    wide["metadata"]["name"] = "x" * 70
    made = new_pod(wide, set(), RNG)
    assert len(made["metadata"]["name"]) == 63
    assert made["metadata"]["name"].startswith("x" * 58)
    assert (controller_of(made) or {})["uid"] == "uid-rs"


def test_the_status_counts_and_tells_of_failures() -> None:
    """ready, available, observedGeneration; ReplicaFailure keeps its time while it lasts."""
    pods = [pod("a", ready=100.0, **OWNED), pod("b", **OWNED)]
    status = replicaset_status(replicaset(2), pods, "quota", 1000.0)
    counts = {part: status[part] for part in ("replicas", "readyReplicas", "availableReplicas")}
    assert counts == {"replicas": 2, "readyReplicas": 1, "availableReplicas": 1}
    assert status["observedGeneration"] == 4
    again = replicaset_status({**replicaset(2), "status": status}, pods, "quota", 2000.0)
    assert again["conditions"][0]["lastTransitionTime"] == status["conditions"][0]["lastTransitionTime"]
    assert replicaset_status(replicaset(2), pods, "", 2000.0)["conditions"] == []
