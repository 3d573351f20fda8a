"""The ReplicaSet controller's decisions: which pods are made, which go, and what the status says.

Source of the behaviour: Kubernetes, pkg/controller/replicaset and pkg/controller (ActivePodsWithRanks).
"""

import random
from collections.abc import Iterable, Sequence

from embedded.workloads.owners import claim, is_deleting
from embedded.workloads.writes import Create, Delete, Report, Write
from kube.names import random_suffix
from kube.objects import (
    Obj,
    annotations,
    condition,
    controller_of,
    format_time,
    is_ready,
    key,
    labels,
    name,
    namespace,
    owner_reference,
    parse_time,
    uid,
)
from kube.resources import PODS

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
BURST = 500
"""Pods made or deleted in one step, as Kubernetes bounds it."""
_NAME_BASE = 58
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def active_pods(pods: Iterable[Obj]) -> list[Obj]:
    """Those that have not ended and are not being deleted."""
    return [
        pod
        for pod in pods
        if not is_deleting(pod) and (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}
    ]


def available_pods(pods: Iterable[Obj], min_ready_seconds: float, now: float) -> list[Obj]:
    """Those that have been ready for `min_ready_seconds`."""
    return [pod for pod in pods if is_ready(pod) and ready_since(pod) + min_ready_seconds <= now]


def pods_by_owner(pods: Iterable[Obj]) -> dict[str, list[Obj]]:
    """Pods by the UID of their controller; those without one are left out."""
    found: dict[str, list[Obj]] = {}
    for pod in pods:
        reference = controller_of(pod)
        if reference is not None:
            found.setdefault(reference.get("uid", ""), []).append(pod)
    return found


def ready_since(pod: Obj) -> float:
    """Unix seconds at which the pod became ready; 0 when the pod does not say."""
    text = (condition(pod, "Ready") or {}).get("lastTransitionTime")
    return parse_time(text) if text else 0.0


def sync_replicaset(replicaset: Obj, pods: Iterable[Obj], rng: random.Random) -> list[Write]:
    """The pods to adopt, to make and to delete. `pods`: all that may be the set's, its own and orphans."""
    claimed = claim(replicaset, PODS, pods)
    if is_deleting(replicaset):
        return list(claimed.writes)
    active = active_pods(claimed.mine)
    wanted = replicaset["spec"].get("replicas")
    missing = (1 if wanted is None else int(wanted)) - len(active)
    writes: list[Write] = list(claimed.writes)
    if missing > 0:
        taken = {name(pod) for pod in claimed.mine}
        for _ in range(min(missing, BURST)):
            pod = new_pod(replicaset, taken, rng)
            taken.add(name(pod))
            writes.append(Create(PODS, pod))
            writes.append(Report(replicaset, "Normal", "SuccessfulCreate", f"Created pod: {name(pod)}"))
    for victim in victims(active, min(-missing, BURST)):
        writes.append(Delete(PODS, key(victim), uid(victim)))
        writes.append(Report(replicaset, "Normal", "SuccessfulDelete", f"Deleted pod: {name(victim)}"))
    return writes


def victims(pods: Sequence[Obj], count: int) -> list[Obj]:
    """The `count` pods that are missed least."""
    return sorted(pods, key=_worth)[: max(0, count)]


def _worth(pod: Obj) -> tuple[bool, int, bool, int, float, int, float]:
    """Lower goes first: unassigned, pending, not ready, cheap to delete, ready for a shorter time,
    restarted more often, younger.
    """
    status = pod.get("status") or {}
    ready = is_ready(pod)
    created = (pod.get("metadata") or {}).get("creationTimestamp")
    return (
        bool((pod.get("spec") or {}).get("nodeName")),
        _PHASES.get(status.get("phase") or "Pending", 1),
        ready,
        deletion_cost(pod),
        -ready_since(pod) if ready else 0.0,
        -restarts(pod),
        -parse_time(created) if created else 0.0,
    )


def restarts(pod: Obj) -> int:
    """The restarts of the container that restarted most."""
    containers = (pod.get("status") or {}).get("containerStatuses") or ()
    return max((int(each.get("restartCount") or 0) for each in containers), default=0)


def deletion_cost(pod: Obj) -> int:
    """The pod's deletion cost; one that is no number counts as none, 0."""
    try:
        return int(annotations(pod).get(DELETION_COST, "0"))
    except ValueError:
        return 0


def new_pod(replicaset: Obj, taken: set[str], rng: random.Random) -> Obj:
    """A pod from the set's template, named `<set>-` cut at 58 characters and five more; not as in `taken`."""
    base = f"{name(replicaset)}-"[:_NAME_BASE]
    chosen = base + random_suffix(rng)
    while chosen in taken:
        chosen = base + random_suffix(rng)
    template = replicaset["spec"]["template"]
    meta = template.get("metadata") or {}
    kept = {part: meta[part] for part in ("labels", "annotations", "finalizers") if meta.get(part)}
    return {
        "apiVersion": PODS.api_version,
        "kind": PODS.kind,
        "metadata": {
            **kept,
            "name": chosen,
            "generateName": f"{name(replicaset)}-",
            "namespace": namespace(replicaset),
            "ownerReferences": [owner_reference(replicaset)],
        },
        "spec": template.get("spec") or {},
    }


def replicaset_status(replicaset: Obj, pods: Iterable[Obj], failure: str, now: float) -> Obj:
    """The set's status; `failure`: why the last attempt to make a pod failed, "" when it did not."""
    mine = active_pods(claim(replicaset, PODS, pods).mine)
    template = labels(replicaset["spec"]["template"]).items()
    delay = float(replicaset["spec"].get("minReadySeconds") or 0)
    status: Obj = {
        "replicas": len(mine),
        "fullyLabeledReplicas": sum(labels(pod).items() >= template for pod in mine),
        "readyReplicas": sum(is_ready(pod) for pod in mine),
        "availableReplicas": len(available_pods(mine, delay, now)),
        "observedGeneration": (replicaset.get("metadata") or {}).get("generation", 0),
    }
    if failure:
        before = condition(replicaset, "ReplicaFailure")
        since = before["lastTransitionTime"] if before is not None else format_time(now)
        status["conditions"] = [
            {
                "type": "ReplicaFailure",
                "status": "True",
                "reason": "FailedCreate",
                "message": failure,
                "lastTransitionTime": since,
            }
        ]
    else:
        status["conditions"] = []
    return status


def next_available(pods: Iterable[Obj], min_ready_seconds: float, now: float) -> float | None:
    """Seconds until the next ready pod counts as available; None when none is on its way there."""
    waits = [ready_since(pod) + min_ready_seconds - now for pod in pods if is_ready(pod)]
    return min((wait for wait in waits if wait > 0), default=None)
