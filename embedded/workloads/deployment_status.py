"""The status of a Deployment: counts, and the conditions Available, Progressing and ReplicaFailure.

Source of the behaviour: Kubernetes, pkg/controller/deployment/progress.go. The progress deadline counts from
the last progress of a rollout; a rollout that once completed never misses it, whatever it is scaled to later.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from embedded.workloads.owners import claim
from embedded.workloads.pods import active_pods, next_available
from embedded.workloads.rollout import Rollout, rollout_of
from kube.objects import COMPLETE, Obj, condition, format_time, is_ready, name, parse_time, uid
from kube.resources import REPLICASETS

TIMED_OUT = "ProgressDeadlineExceeded"
_NO_DEADLINE = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Standing:
    """A Deployment's status as it should be, and in how many seconds it may differ by time alone."""

    status: Obj
    look_again: float | None


def deployment_status(
    deployment: Obj, replicasets: Iterable[Obj], pods: Iterable[Obj], now: float
) -> Standing:
    """The status to store; equal to the stored one when nothing changed. Arguments as `sync_deployment`."""
    rollout = rollout_of(deployment, claim(deployment, REPLICASETS, replicasets).mine, pods, now)
    status = _counts(rollout)
    conditions = [_available(rollout, status)]
    progressing = _progressing(rollout, status)
    if progressing is not None:
        conditions.append(progressing)
    failure = _failure(rollout)
    if failure is not None:
        conditions.append(failure)
    status["conditions"] = conditions
    waits = [_deadline_wait(rollout, progressing), _availability_wait(rollout)]
    return Standing(status, min((wait for wait in waits if wait is not None), default=None))


def _counts(rollout: Rollout) -> Obj:
    deployment = rollout.deployment
    sizes = [rollout.size(each) for each in rollout.sets]
    active = {uid(each): active_pods(rollout.pods.get(uid(each), [])) for each in rollout.sets}
    available = sum(size.available for size in sizes)
    new = active.get(uid(rollout.new), []) if rollout.new is not None else []
    counts: Obj = {
        "observedGeneration": (deployment.get("metadata") or {}).get("generation", 0),
        "replicas": sum(len(pods) for pods in active.values()),
        "updatedReplicas": len(new),
        "readyReplicas": sum(is_ready(pod) for pods in active.values() for pod in pods),
        "availableReplicas": available,
        "unavailableReplicas": max(0, sum(size.replicas for size in sizes) - available),
    }
    return counts


def _entry(rollout: Rollout, type_: str, status: str, reason: str, message: str) -> Obj:
    """A condition whose times are kept while what it says stays the same."""
    before = condition(rollout.deployment, type_) or {}
    stamp = format_time(rollout.now)
    same_status = before.get("status") == status
    same = same_status and before.get("reason") == reason
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": before.get("message", message) if same else message,
        "lastUpdateTime": before.get("lastUpdateTime", stamp) if same else stamp,
        "lastTransitionTime": before.get("lastTransitionTime", stamp) if same_status else stamp,
    }


def _available(rollout: Rollout, status: Obj) -> Obj:
    if status["availableReplicas"] >= rollout.desired - rollout.limits.unavailable:
        text = "Deployment has minimum availability."
        return _entry(rollout, "Available", "True", "MinimumReplicasAvailable", text)
    text = "Deployment does not have minimum availability."
    return _entry(rollout, "Available", "False", "MinimumReplicasUnavailable", text)


def _progressing(rollout: Rollout, status: Obj) -> Obj | None:
    deployment = rollout.deployment
    before = condition(deployment, "Progressing")
    deadline = _deadline(rollout)
    if deadline is None:
        return None
    if deployment["spec"].get("paused"):
        return _entry(rollout, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")
    reason = (before or {}).get("reason")
    if reason == COMPLETE and status["replicas"] == status["updatedReplicas"] and _is_same_set(rollout):
        return before
    subject = f'ReplicaSet "{name(rollout.new)}"' if rollout.new is not None else "Deployment"
    if _is_complete(rollout, status):
        text = f"{subject} has successfully progressed."
        return _entry(rollout, "Progressing", "True", COMPLETE, text)
    if before is None or _moved(deployment, status) or not _is_same_set(rollout):
        entry = _entry(rollout, "Progressing", "True", "ReplicaSetUpdated", f"{subject} is progressing.")
        return {**entry, "message": f"{subject} is progressing.", "lastUpdateTime": format_time(rollout.now)}
    overdue = parse_time(before["lastUpdateTime"]) + deadline <= rollout.now
    if reason == TIMED_OUT or (overdue and reason not in {COMPLETE, "DeploymentPaused"}):
        text = f"{subject} has timed out progressing."
        return _entry(rollout, "Progressing", "False", TIMED_OUT, text)
    if reason == "DeploymentPaused":
        return _entry(rollout, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed")
    return before


def _is_same_set(rollout: Rollout) -> bool:
    """Whether the condition speaks of today's ReplicaSet: a new template begins a new rollout."""
    message = (condition(rollout.deployment, "Progressing") or {}).get("message", "")
    return rollout.new is None or name(rollout.new) in message or "ReplicaSet" not in message


def _is_complete(rollout: Rollout, status: Obj) -> bool:
    wanted = rollout.desired
    counts = (status["updatedReplicas"], status["replicas"], status["availableReplicas"])
    return rollout.new is not None and counts == (wanted, wanted, wanted)


def _moved(deployment: Obj, status: Obj) -> bool:
    """Whether more new, fewer old, more ready or more available pods exist than the stored status says."""
    stored = deployment.get("status") or {}
    before = {count: int(stored.get(count) or 0) for count in status if count != "conditions"}
    old_pods = status["replicas"] - status["updatedReplicas"]
    return bool(
        status["updatedReplicas"] > before["updatedReplicas"]
        or old_pods < before["replicas"] - before["updatedReplicas"]
        or status["readyReplicas"] > before["readyReplicas"]
        or status["availableReplicas"] > before["availableReplicas"]
    )


def _failure(rollout: Rollout) -> Obj | None:
    """What keeps a ReplicaSet from making its pods, in the new set's words or else an old one's."""
    for each in reversed(rollout.sets):
        found = condition(each, "ReplicaFailure")
        if found is not None:
            text = found.get("message", "")
            return {**_entry(rollout, "ReplicaFailure", "True", "FailedCreate", text), "message": text}
    return None


def _deadline(rollout: Rollout) -> float | None:
    deadline = rollout.deployment["spec"].get("progressDeadlineSeconds", 600)
    return None if deadline is None or deadline == _NO_DEADLINE else float(deadline)


def _deadline_wait(rollout: Rollout, progressing: Obj | None) -> float | None:
    deadline = _deadline(rollout)
    if progressing is None or deadline is None or progressing["reason"] in {COMPLETE, TIMED_OUT}:
        return None
    if progressing["status"] == "Unknown" and progressing["reason"] == "DeploymentPaused":
        return None
    return max(0.0, parse_time(progressing["lastUpdateTime"]) + deadline - rollout.now) + 0.01


def _availability_wait(rollout: Rollout) -> float | None:
    delay = float(rollout.deployment["spec"].get("minReadySeconds") or 0)
    pods = [pod for each in rollout.sets for pod in rollout.pods.get(uid(each), [])]
    return next_available(pods, delay, rollout.now) if delay else None
