"""Why no pod of a revision starts, read off its pods at once and not only after the progress deadline."""

from typing import Literal, NamedTuple

from kube.objects import Obj, condition
from serving.reading import mapping, mappings
from serving.reconcile.conditions import Aspect

FAILED_WAITING = (
    "ImagePullBackOff",
    "ErrImagePull",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
)
"""A container's waiting reasons that do not pass by themselves."""
UNSEEN_ENDS = ("ContainerStatusUnknown", "Unknown")
"""Reasons of ends that came with the node's or its container runtime's: no word about the program."""
NOT_ANSWERING = "WrongPort"


class Failure(NamedTuple):
    """The condition that is False because of it, and what that says."""

    type: Literal["ResourcesAvailable", "ContainerHealthy"]
    aspect: Aspect


def failure(pods: list[Obj], container: str, *, ignores_unschedulable: bool = False) -> Failure | None:
    """What keeps the pods from getting ready, as the first in trouble has it; None while they may start."""
    for pod in pods:
        if mapping(pod.get("metadata")).get("deletionTimestamp"):
            continue
        found = None if ignores_unschedulable else _unschedulable(pod)
        found = found or _container_failure(pod, container) or _not_answering(pod)
        if found is not None:
            return found
    return None


def _unschedulable(pod: Obj) -> Failure | None:
    scheduled = condition(pod, "PodScheduled") or {}
    if scheduled.get("status") != "False" or scheduled.get("reason") != "Unschedulable":
        return None
    return Failure("ResourcesAvailable", Aspect("False", "Unschedulable", scheduled.get("message", "")))


def _container_failure(pod: Obj, container: str) -> Failure | None:
    for status in mappings(mapping(pod.get("status")).get("containerStatuses")):
        if status.get("name") != container:
            continue
        waiting = mapping(mapping(status.get("state")).get("waiting"))
        if waiting.get("reason") in FAILED_WAITING:
            said = Aspect("False", waiting["reason"], waiting.get("message", ""))
            return Failure("ResourcesAvailable", said)
        ended = _end(status)
        if ended and not status.get("ready"):
            return Failure("ContainerHealthy", _exit(ended, str(waiting.get("reason") or "")))
    return None


def _end(status: Obj) -> Obj:
    """How the container ended that has not been started since; empty when it runs, or nobody saw the end.

    Unlike in Knative, one that runs again gets its chance: its former end says nothing about the present run.
    """
    state = mapping(status.get("state"))
    if "running" in state:
        return {}
    ended = mapping(state.get("terminated")) or mapping(mapping(status.get("lastState")).get("terminated"))
    return {} if ended.get("reason") in UNSEEN_ENDS else ended


def _exit(ended: Obj, waiting: str) -> Aspect:
    code = ended.get("exitCode", 0)
    how = f"exit code {code}" + (f", {waiting}" if waiting else "")
    text = str(ended.get("message") or "").strip() or str(ended.get("reason") or "")
    return Aspect("False", f"ExitCode{code}", f"Container failed with: {how}: {text}".removesuffix(": "))


def _not_answering(pod: Obj) -> Failure | None:
    """A program runs but isn't ready, and the node agent of ours found out why: it listens elsewhere, say.

    It says so in the pod's message; the kubelet has none for a pod that runs.
    """
    status = mapping(pod.get("status"))
    ready = condition(pod, "Ready") or {}
    if status.get("phase") != "Running" or ready.get("status") != "False" or not status.get("message"):
        return None
    return Failure("ContainerHealthy", Aspect("False", NOT_ANSWERING, status["message"]))
