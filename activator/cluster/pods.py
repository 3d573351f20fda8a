"""What the data plane reads off a pod: where it is, whether it may be used, and why it can't start.

Kubernetes' words for pods stop here.
"""

import ipaddress
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from kube.duration import parse_duration
from kube.objects import Key, Obj, annotations, condition, is_ready, key, labels, uid
from serving.reconcile.pods import FAILED_WAITING
from serving.targets import BLIND, PORT_ANNOTATION, REVISION_LABEL, ScaleTarget

NEVER_STARTED = "StartError"
"""The reason of the end of a container whose command could not be started."""
MAX_CRASHES = 3
"""Restarts after which a container in back-off counts as one that can't start."""
RETRY_AFTER = 10
"""Seconds after which a refused client may ask again if nothing tells when the next start is: the first
back-off of a container, and of an activation that failed.
"""
_BACK_OFF = re.compile(r"\bback-off (\S+) restarting\b")


@dataclass(frozen=True, slots=True)
class PodView:
    """A pod as the data plane sees it. `port` 0: the target's port; `address` "": not reachable yet.

    `fault` says why it can't start or be reached, "" if it can; `restarts` grows with each restart of a
    container. `is_elsewhere`: a program runs and listens elsewhere, which it may still put right. `worry`
    says why it is not ready yet, although it may come up, "" if that is not known.
    """

    uid: str
    key: Key
    address: str
    port: int
    is_ready: bool
    is_gone: bool
    is_scheduled: bool
    fault: str
    restarts: int
    is_elsewhere: bool = False
    worry: str = ""


def pod_view(pod: Obj) -> PodView:
    """Read a pod; whatever it contains, the result is usable."""
    status = pod.get("status") or {}
    address, port = _where(pod, str(status.get("podIP") or ""))
    elsewhere = _elsewhere(pod)
    statuses = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return PodView(
        uid=uid(pod),
        key=key(pod),
        address=address,
        port=port,
        is_ready=is_ready(pod) and bool(address),
        is_gone=bool(pod["metadata"].get("deletionTimestamp"))
        or status.get("phase") in {"Failed", "Succeeded"},
        is_scheduled=bool((pod.get("spec") or {}).get("nodeName")),
        fault=next(filter(None, map(_container_fault, statuses)), "") or _quota_fault(pod) or elsewhere,
        restarts=sum(each.get("restartCount") or 0 for each in statuses),
        is_elsewhere=bool(elsewhere),
        worry=_unscheduled(pod) or next(filter(None, map(_last_end, statuses)), ""),
    )


def revision_of(pod: Obj, plain_targets: Iterable[ScaleTarget]) -> Key | None:
    """The revision that a pod belongs to: its label's, or the plain target whose selector matches it."""
    namespace = key(pod)[0]
    marks = labels(pod)
    named = marks.get(REVISION_LABEL)
    if named:
        return namespace, named
    for target in plain_targets:
        selector = target.pod_selector
        if target.namespace == namespace and selector and selector.items() <= marks.items():
            return target.key
    return None


def trouble_of(target: ScaleTarget, failure: str, pods: Iterable[PodView]) -> str:
    """Why the revision can't get a pod, or "" as long as one is there or may still come.

    `failure` is the Deployment's own word (`replica_failure`).
    """
    if target.given_up:
        return target.given_up
    if target.is_blind:
        return BLIND
    living = [pod for pod in pods if not pod.is_gone]
    if any(pod.is_ready or not pod.fault for pod in living):
        return ""
    return living[0].fault if living else failure if target.replicas > 0 else ""


def worry_of(pods: Iterable[PodView]) -> str:
    """Why no pod is ready yet, as far as is known: for requests that waited for too long."""
    return next((pod.fault or pod.worry for pod in pods if not pod.is_gone and (pod.fault or pod.worry)), "")


def pause_of(trouble: str) -> int:
    """The whole seconds after which what is in trouble may be up: the back-off that the trouble tells of."""
    found = _BACK_OFF.search(trouble)
    try:
        return max(math.ceil(parse_duration(found[1])), 1) if found else RETRY_AFTER
    except ValueError:
        return RETRY_AFTER


def replica_failure(deployment: Obj) -> str:
    """Why pods can't even be created (a quota, mostly), or ""."""
    found = condition(deployment, "ReplicaFailure")
    if found is None or found.get("status") != "True":
        return ""
    return str(found.get("message") or found.get("reason") or "pods can't be created")


def _where(pod: Obj, address: str) -> tuple[str, int]:
    """Address and port. Pods on loopback are processes of our own node agent, with a port each."""
    if not address or not _is_loopback(address):
        return address, 0
    port = annotations(pod).get(PORT_ANNOTATION, "")
    return (address, int(port)) if port.isdecimal() else ("", 0)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _container_fault(status: Obj) -> str:
    waiting = (status.get("state") or {}).get("waiting") or {}
    reason = waiting.get("reason") or ""
    ended = (status.get("lastState") or {}).get("terminated") or {}
    is_crash = reason == "CrashLoopBackOff" and (
        (status.get("restartCount") or 0) >= MAX_CRASHES or ended.get("reason") == NEVER_STARTED
    )
    if reason not in FAILED_WAITING and not is_crash:  # each of those does not pass by itself
        return ""
    parts = [str(waiting.get("message") or "")]
    if is_crash and "exitCode" in ended:
        parts.append(f"last exit code {ended['exitCode']}")
        parts.append(str(ended.get("message") or "").strip())
    told = "; ".join(part for part in parts if part)
    return f"{reason}: {told}" if told else reason


def _last_end(status: Obj) -> str:
    """How a container ended that does not run now."""
    state = status.get("state") or {}
    ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
    if "running" in state or not ended.get("exitCode"):
        return ""
    message = str(ended.get("message") or "").strip()
    return f"the container ended with exit code {ended['exitCode']}" + (f": {message}" if message else "")


def _elsewhere(pod: Obj) -> str:
    """Where the program listens instead, as our node agent found out; the kubelet has no message for a pod
    that runs.
    """
    status = pod.get("status") or {}
    ready = condition(pod, "Ready") or {}
    is_told = status.get("phase") == "Running" and ready.get("status") == "False"
    return str(status.get("message") or "") if is_told else ""


def _unscheduled(pod: Obj) -> str:
    found = condition(pod, "PodScheduled")
    if found is None or found.get("status") != "False":
        return ""
    return str(found.get("message") or "")


def _quota_fault(pod: Obj) -> str:
    message = _unscheduled(pod)
    return message if "quota" in message.lower() else ""
