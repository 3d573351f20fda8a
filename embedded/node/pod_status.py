"""A pod's status as its node tells it, in the words of Kubernetes, pkg/kubelet."""

from collections.abc import Iterable, Sequence

from embedded.node.containers import Container, Terminated, Waiting
from kube.objects import Obj, condition, format_time

PORT_ANNOTATION = "zerogate.dev/port"
LOOPBACK = "127.0.0.1"


def phase(policy: str, containers: Sequence[Container]) -> str:
    """Pending until every container has run; Succeeded or Failed when none will run again."""
    ended = [each.state if isinstance(each.state, Terminated) else None for each in containers]
    if any(isinstance(each.state, Waiting) and each.last is None for each in containers):
        return "Pending"
    if policy == "Always" or any(end is None for end in ended):
        return "Running"
    if all(end is not None and end.exit_code == 0 for end in ended):
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def pod_status(pod: Obj, containers: Sequence[Container], before: Obj, now: float) -> Obj:
    """The status to store. `before` is the one told last: transition times are kept from it."""
    stage = phase(pod["spec"].get("restartPolicy") or "Always", containers)
    unready = [each for each in containers if not each.ready]
    is_over = stage in {"Succeeded", "Failed"}
    text = _unready_text(unready) if unready else ""
    reason = ("PodCompleted" if is_over else "ContainersNotReady") if unready else ""
    ready = (not unready and not is_over, reason, text)
    conditions = [
        entry(before, "Initialized", (True, "", ""), now),
        entry(before, "Ready", ready, now),
        entry(before, "ContainersReady", ready, now),
        entry(before, "PodScheduled", (True, "", ""), now),
    ]
    troubles = [f"container {each.name} {each.trouble}" for each in containers if each.trouble]
    status: Obj = {
        "phase": stage,
        "conditions": conditions,
        "hostIP": LOOPBACK,
        "hostIPs": [{"ip": LOOPBACK}],
        "podIP": LOOPBACK,
        "podIPs": [{"ip": LOOPBACK}],
        "startTime": before.get("startTime") or format_time(now),
        "containerStatuses": [each.status() for each in containers],
        "message": "; ".join(troubles) or None,
    }
    return status


def _unready_text(containers: Iterable[Container]) -> str:
    parts = [f"{each.name} {each.trouble}".rstrip() for each in containers]
    return f"containers with unready status: [{', '.join(parts)}]"


def unschedulable_status(before: Obj, shortages: Sequence[str], now: float) -> Obj:
    """The status of a pod that finds no room."""
    text = f"0/1 nodes are available: {', '.join(f'1 {each}' for each in shortages)}."
    return {
        "phase": "Pending",
        "conditions": [entry(before, "PodScheduled", (False, "Unschedulable", text), now)],
    }


def entry(before: Obj, type_: str, verdict: tuple[bool, str, str], now: float) -> Obj:
    """A condition; its transition time is kept while its truth stays. `verdict`: truth, reason, message."""
    truth, reason, message = verdict
    status = "True" if truth else "False"
    old = condition({"status": before}, type_) or {}
    stamp = old.get("lastTransitionTime") if old.get("status") == status else None
    made: Obj = {
        "type": type_,
        "status": status,
        "lastTransitionTime": stamp or format_time(now),
    }
    return made | ({"reason": reason} if reason else {}) | ({"message": message} if message else {})
