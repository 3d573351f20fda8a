"""What is read off Kubernetes' objects here, beyond `serving.targets`."""

from collections.abc import Iterable, Mapping

from autoscaler.kpa.history import Setting
from autoscaler.kpa.spec import resolve
from autoscaler.revision import Seen
from autoscaler.scalein import Pod
from autoscaler.terminating import GRACE_PERIOD, Leaver
from kube.objects import Key, Obj, annotations, is_ready, labels, name, namespace, uid, was_complete
from serving.config_autoscaler import AutoscalerConfig
from serving.targets import (
    AUTOSCALING_PREFIX,
    REVISION_LABEL,
    ScaleTarget,
    scale_target,
    waits_for_requests,
)

COST_ANNOTATION = "controller.kubernetes.io/pod-deletion-cost"
OUR_MANAGERS = "zerogate"
"""How the names of our programs begin where they write."""
NAMELESS = "Somebody who left no name"
"""Whose a number is that belongs to nobody: the API server notes no name once it was patched to zero."""


def seen(deployment: Obj, config: AutoscalerConfig, data: Mapping[str, str]) -> Seen:
    """A scale target under a config map, whose text is `data`."""
    target = scale_target(deployment)
    return Seen(
        target,
        resolve(config, target.autoscaling, target.container_concurrency),
        Setting(
            data,
            {AUTOSCALING_PREFIX + key: text for key, text in target.autoscaling.items()},
            target.container_concurrency,
        ),
        was_complete(deployment) and not target.given_up,
        str(deployment["metadata"].get("resourceVersion") or ""),
        any(map(is_ours, writers_of_replicas(deployment))),
    )


def revision_of(pod: Obj, targets: Iterable[ScaleTarget]) -> Key | None:
    """The revision that a pod belongs to: by its label, or the one whose selector matches."""
    where, marks = namespace(pod), labels(pod)
    if REVISION_LABEL in marks:
        return where, marks[REVISION_LABEL]
    for target in targets:
        selector = target.pod_selector
        if target.namespace == where and target.is_plain and selector and selector.items() <= marks.items():
            return target.key
    return None


def live_pod(pod: Obj) -> Pod | None:
    """The pod, or None once it is being deleted or has ended."""
    if (pod.get("metadata") or {}).get("deletionTimestamp"):
        return None
    if (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}:
        return None
    created = str(pod["metadata"].get("creationTimestamp") or "")
    return Pod(uid(pod), name(pod), is_ready(pod), created, annotations(pod).get(COST_ANNOTATION, ""))


def leaver(pod: Obj) -> Leaver | None:
    """The pod, if it is being deleted, still runs, and waits for its in-flight requests; else None."""
    meta = pod.get("metadata") or {}
    if not meta.get("deletionTimestamp") or (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}:
        return None
    left = meta.get("deletionGracePeriodSeconds")
    if (left is not None and left <= GRACE_PERIOD) or not waits_for_requests(pod.get("spec") or {}):
        return None
    return Leaver(uid(pod), namespace(pod), name(pod))


def writers_of_replicas(deployment: Obj) -> set[str]:
    """The field managers whose `spec.replicas` stands."""
    return {
        str(entry.get("manager") or "")
        for entry in (deployment.get("metadata") or {}).get("managedFields") or ()
        if "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    }


def ready_pods(slices: Iterable[Obj]) -> set[str]:
    """The names of the pods that a Service's EndpointSlices call ready; one that says nothing is ready."""
    return {
        str(target["name"])
        for each in slices
        for endpoint in each.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
        and (target := endpoint.get("targetRef") or {}).get("kind") == "Pod"
    }


def is_ours(manager: str) -> bool:
    """Whether a field manager is one of our programs."""
    return manager.startswith(OUR_MANAGERS)


def foreign_writer(former: Obj | None, deployment: Obj | None, *, is_others: bool) -> str:
    """Who but us has just written another `spec.replicas`, "" for nobody.

    A number belongs to those who wrote it last, so whoever has one that changed has written it. The number
    that a Deployment was made with is nobody's second word. `is_others`: we know of no write of ours.
    """
    if former is None or deployment is None:
        return ""
    if former["spec"].get("replicas") == deployment["spec"].get("replicas"):
        return ""
    writers = writers_of_replicas(deployment)
    if not writers:
        return NAMELESS if is_others else ""
    return next((name for name in sorted(writers) if not is_ours(name)), "")


def told_of_writer(manager: str) -> str:
    """What an Event says of another writer, and how to end it."""
    who, remedy = manager, "let one of us do it"
    if manager == NAMELESS:
        remedy = "a HorizontalPodAutoscaler is to be deleted, a hand is to leave it alone"
    if manager == "kube-controller-manager":
        who = "A HorizontalPodAutoscaler (kube-controller-manager)"
        remedy = "delete the one whose scaleTargetRef is this Deployment"
    elif "apply" in manager or "argo" in manager or "flux" in manager or "kustomize" in manager:
        remedy = "take spec.replicas out of its manifest"
    elif manager.startswith("kubectl"):
        remedy = "set autoscaling.knative.dev/min-scale and max-scale instead"
    return f"{who} writes the replicas of this Deployment too; load, min-scale and max-scale decide: {remedy}"
