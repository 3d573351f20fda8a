"""What is read off Kubernetes' objects here, beyond `serving.targets`."""

from collections.abc import Iterable, Mapping

from autoscaler.kpa.history import Setting
from autoscaler.kpa.spec import resolve
from autoscaler.revision import Seen
from autoscaler.scalein import Pod
from kube.objects import Key, Obj, annotations, condition, is_ready, labels, name, namespace, uid
from serving.config_autoscaler import AutoscalerConfig
from serving.targets import AUTOSCALING_PREFIX, REVISION_LABEL, ScaleTarget, scale_target

COST_ANNOTATION = "controller.kubernetes.io/pod-deletion-cost"
COMPLETE = "NewReplicaSetAvailable"
"""The reason of a Deployment's condition Progressing from the moment that all its pods were ready once."""


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
        was_ever_ready(deployment) and not target.given_up,
        str(deployment["metadata"].get("resourceVersion") or ""),
    )


def was_ever_ready(deployment: Obj) -> bool:
    """Whether it had all its pods ready at one time. It stays told so when it stands at zero."""
    progress = condition(deployment, "Progressing")
    return progress is not None and progress.get("reason") == COMPLETE


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
