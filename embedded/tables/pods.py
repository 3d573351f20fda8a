"""The columns of pods: why a pod does not run yet, or any more, in one word."""

from typing import Any

from embedded.tables.ages import human
from embedded.tables.columns import AGE, NAME, NONE, Column, at, wide
from kube.objects import Obj, condition, is_true, parse_time


def reason(pod: Obj) -> str:
    """The STATUS column: the phase, or what its containers say more exactly."""
    status = pod.get("status") or {}
    found = status.get("reason") or status.get("phase") or ""
    scheduled = condition(pod, "PodScheduled")
    if scheduled is not None and scheduled.get("reason") == "SchedulingGated":
        found = "SchedulingGated"
    initializing = _initializing(pod)
    is_initialized = not initializing or is_true(pod, "Initialized")
    found = _running(pod, found) if is_initialized else initializing
    is_over = status.get("phase") in ("Succeeded", "Failed")
    if pod["metadata"].get("deletionTimestamp") and not is_over:
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return str(found)


def _initializing(pod: Obj) -> str:
    """Where the init containers stand; "" when all are through."""
    wanted = pod.get("spec", {}).get("initContainers") or ()
    sidecars = {entry["name"] for entry in wanted if entry.get("restartPolicy") == "Always"}
    statuses = (pod.get("status") or {}).get("initContainerStatuses") or ()
    for index, status in enumerate(statuses):
        state = status.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting") or {}
        if ended and not ended.get("exitCode"):
            continue
        if status.get("name") in sidecars and status.get("started"):
            continue
        if ended:
            return "Init:" + _ending(ended)
        if waiting.get("reason") not in (None, "", "PodInitializing"):
            return f"Init:{waiting['reason']}"
        return f"Init:{index}/{len(wanted)}"
    return ""


def _ending(ended: Obj) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    if ended.get("signal"):
        return f"Signal:{ended['signal']}"
    return f"ExitCode:{ended.get('exitCode', 0)}"


def _running(pod: Obj, found: str) -> str:
    """What the first container in trouble says; a pod whose others still run is no completed one."""
    has_running = False
    for status in reversed((pod.get("status") or {}).get("containerStatuses") or ()):
        state = status.get("state") or {}
        if (state.get("waiting") or {}).get("reason"):
            found = state["waiting"]["reason"]
        elif state.get("terminated"):
            found = _ending(state["terminated"])
        elif status.get("ready") and state.get("running") is not None:
            has_running = True
    if found == "Completed" and has_running:
        return "Running" if is_true(pod, "Ready") else "NotReady"
    return found


def _sidecar_statuses(pod: Obj) -> list[Obj]:
    wanted = pod.get("spec", {}).get("initContainers") or ()
    names = {entry["name"] for entry in wanted if entry.get("restartPolicy") == "Always"}
    statuses = (pod.get("status") or {}).get("initContainerStatuses") or ()
    return [status for status in statuses if status.get("name") in names]


def _counted(pod: Obj) -> list[Obj]:
    """The statuses of the containers that are to go on running."""
    return [*_sidecar_statuses(pod), *((pod.get("status") or {}).get("containerStatuses") or ())]


def _ready(pod: Obj, _now: float) -> str:
    spec = pod.get("spec", {})
    sidecars = [e for e in spec.get("initContainers") or () if e.get("restartPolicy") == "Always"]
    ready = sum(
        bool(status.get("ready")) and (status.get("state") or {}).get("running") is not None
        for status in _counted(pod)
    )
    return f"{ready}/{len(spec.get('containers') or ()) + len(sidecars)}"


def _restarts(pod: Obj, now: float) -> str:
    """How often, and how long ago the last time."""
    is_initializing = _initializing(pod) and not is_true(pod, "Initialized")
    statuses = (
        (pod.get("status") or {}).get("initContainerStatuses") or [] if is_initializing else _counted(pod)
    )
    count = sum(status.get("restartCount") or 0 for status in statuses)
    ends = [
        ((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt") for status in statuses
    ]
    last = max((parse_time(end) for end in ends if end), default=None)
    return f"{count} ({human(now - last)} ago)" if count and last is not None else str(count)


def _status(pod: Obj, _now: float) -> str:
    return reason(pod)


def _address(pod: Obj, _now: float) -> Any:
    status = pod.get("status") or {}
    addresses = status.get("podIPs") or [{}]
    return addresses[0].get("ip") or status.get("podIP") or NONE


def _gates(pod: Obj, _now: float) -> str:
    gates = pod.get("spec", {}).get("readinessGates") or ()
    if not gates:
        return NONE
    return f"{sum(is_true(pod, gate['conditionType']) for gate in gates)}/{len(gates)}"


PODS = (
    NAME,
    Column("Ready", _ready, description="Containers that are ready, of all."),
    Column("Status", _status, description="The pod's phase, or what keeps it from running."),
    Column("Restarts", _restarts, description="Restarts of its containers, and when the last was."),
    AGE,
    wide("IP", _address),
    wide("Node", at("spec", "nodeName", default=NONE)),
    wide("Nominated Node", at("status", "nominatedNodeName", default=NONE)),
    wide("Readiness Gates", _gates),
)
