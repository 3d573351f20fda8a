"""What the controllers read off pods: which count, which serve and since when, which are missed least.

Source of the order: Kubernetes, pkg/controller (ActivePodsWithRanks).
"""

from collections.abc import Iterable, Sequence

from kube.objects import Obj, annotations, condition, controller_of, is_deleting, is_ready, parse_time

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
CLOCKS_DIFFER = 60.0
"""Seconds that the clocks of two programs may differ by."""
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def active_pods(pods: Iterable[Obj]) -> list[Obj]:
    """Those that have not ended and are not being deleted."""
    return [
        pod
        for pod in pods
        if not is_deleting(pod) and (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}
    ]


def available_pods(pods: Iterable[Obj], min_ready_seconds: float, now: float) -> list[Obj]:
    """Those that have been ready for `min_ready_seconds`; if that is 0, those that are ready, whatever the
    clock says.
    """
    return [pod for pod in pods if is_ready(pod) and _until_available(pod, min_ready_seconds, now) <= 0]


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


def next_available(pods: Iterable[Obj], min_ready_seconds: float, now: float) -> float | None:
    """Seconds until the next ready pod counts as available; None when none is on its way there."""
    waits = [_until_available(pod, min_ready_seconds, now) for pod in pods if is_ready(pod)]
    return min((wait for wait in waits if wait > 0), default=None)


def _until_available(pod: Obj, min_ready_seconds: float, now: float) -> float:
    """Seconds until a ready pod counts as available, 0 or less if it does.

    A date in the future is none that a clock like ours has given: since when the pod is ready is not known.
    """
    since = ready_since(pod)
    if not min_ready_seconds or since > now + CLOCKS_DIFFER:
        return 0.0
    return since + min_ready_seconds - now


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
