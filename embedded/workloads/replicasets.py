"""The ReplicaSet controller's decisions: which pods are made, which go, and what the status says.

Source of the behaviour: Kubernetes, pkg/controller/replicaset.
"""

import random
from collections.abc import Iterable

from embedded.workloads.owners import claim
from embedded.workloads.pods import active_pods, available_pods, victims
from embedded.workloads.writes import Create, Delete, Report, Write
from kube.names import random_suffix
from kube.objects import (
    Obj,
    condition,
    format_time,
    is_deleting,
    is_ready,
    key,
    labels,
    name,
    namespace,
    owner_reference,
    uid,
)
from kube.resources import PODS

BURST = 500
"""Pods made or deleted in one step, as Kubernetes bounds it."""
_NAME_BASE = 58


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
