"""The Deployment of a Revision (Knative, pkg/reconciler/revision/resources/deploy.go), without a sidecar.

What data plane and autoscaler must know stands on it as annotations. ``replicas`` is written once, at
creation; from then on it is the autoscaler's.
"""

import copy
import hashlib
import json

from kube.duration import parse_duration
from kube.names import child_name
from kube.objects import Obj, annotations, labels, name, namespace, owner_reference, uid
from kube.resources import DEPLOYMENTS
from serving.config_deployment import DeploymentConfig
from serving.configs import Configs
from serving.marks import (
    MODIFIED_ANNOTATION,
    NO_GC_ANNOTATION,
    RESERVE,
    ROUTE_LABEL,
    ROUTES_ANNOTATION,
    STATE_LABEL,
)
from serving.reading import mapping, mappings, whole
from serving.rules.pods import REVISION_FIELDS, serving_index
from serving.targets import (
    AUTOSCALING_PREFIX,
    CONFIGURATION_LABEL,
    CONTAINER_CONCURRENCY_ANNOTATION,
    DEFAULT_PORT,
    DEFAULT_TIMEOUT,
    IDLE_TIMEOUT_ANNOTATION,
    PORT_ANNOTATION,
    PROGRESS_DEADLINE_ANNOTATION,
    REACHABLE_ANNOTATION,
    RESPONSE_START_TIMEOUT_ANNOTATION,
    REVISION_LABEL,
    REVISION_UID_LABEL,
    SCALE_LABEL,
    SERVICE_LABEL,
    TIMEOUT_ANNOTATION,
    autoscaling_annotations,
)

HASH_LABEL = "serving.knative.dev/deployment-hash"
DEFAULT_CONTAINER_ANNOTATION = "kubectl.kubernetes.io/default-container"
NOT_INHERITED = (
    ROUTES_ANNOTATION,
    MODIFIED_ANNOTATION,
    NO_GC_ANNOTATION,
    "serving.knative.dev/lastPinned",
)
RESTARTING_PROBES = ("livenessProbe", "startupProbe")
PLAIN_PORT_NAME, H2C_PORT_NAME = "user-port", "h2c"


def deployment_name(revision: Obj) -> str:
    return child_name(name(revision), "-deployment")


def initial_scale(revision: Obj, configs: Configs) -> int:
    """How many pods a new revision begins with; 0 only where the cluster allows it."""
    config = configs.autoscaler
    text = autoscaling_annotations(annotations(revision)).get("initial-scale", "")
    scale = int(text) if text.isascii() and text.isdecimal() else config.initial_scale
    return scale if scale or config.allow_zero_initial_scale else 1


def make_deployment(revision: Obj, configs: Configs) -> Obj:
    """The whole Deployment as it is created, its hash among the labels."""
    inherited = {key: value for key, value in annotations(revision).items() if key not in NOT_INHERITED}
    marks = _labels(revision)
    spec = {
        "replicas": initial_scale(revision, configs),
        "selector": {"matchLabels": {REVISION_UID_LABEL: uid(revision)}},
        "progressDeadlineSeconds": _progress_deadline(revision, configs.deployment),
        "revisionHistoryLimit": 0,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
        "template": {
            "metadata": {"labels": marks, "annotations": _pod_annotations(revision, inherited)},
            "spec": _pod_spec(revision, configs.deployment),
        },
    }
    made: Obj = {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.kind,
        "metadata": {
            "name": deployment_name(revision),
            "namespace": namespace(revision),
            "labels": dict(marks),
            "annotations": {**inherited, **_contract(revision)},
            "ownerReferences": [owner_reference(revision)],
        },
        "spec": spec,
    }
    made["metadata"]["labels"][HASH_LABEL] = _hash(spec)
    return made


def adapted(present: Obj, wanted: Obj) -> Obj | None:
    """The present Deployment as it should be, or None when it is.

    Replicas, selector, and labels and annotations of others stay. So does the whole spec while its hash does:
    what somebody else wrote into it (a restart, say) is no reason to roll the pods once more.
    """
    notes = {
        key: value
        for key, value in annotations(present).items()
        if not key.startswith(AUTOSCALING_PREFIX) or key in annotations(wanted)
    }
    notes |= annotations(wanted)
    marks = {**labels(present), **labels(wanted)}
    if marks == labels(present) and notes == annotations(present):
        return None
    spec = mapping(present.get("spec"))
    if labels(present).get(HASH_LABEL) != labels(wanted)[HASH_LABEL]:
        spec = {**wanted["spec"], "replicas": spec.get("replicas", 1), "selector": spec.get("selector")}
    return {
        **present,
        "metadata": {**present["metadata"], "labels": marks, "annotations": notes},
        "spec": spec,
    }


def _labels(revision: Obj) -> dict[str, str]:
    inherited = {
        key: value for key, value in labels(revision).items() if key not in {ROUTE_LABEL, STATE_LABEL}
    }
    own = {REVISION_LABEL: name(revision), REVISION_UID_LABEL: uid(revision), SCALE_LABEL: "true"}
    return {"app": name(revision), **inherited, **own}


def _contract(revision: Obj) -> dict[str, str]:
    """What data plane and autoscaler read; see `serving.targets`."""
    spec = revision["spec"]
    port = _port(mapping(_serving_container(revision)))
    found = {
        CONTAINER_CONCURRENCY_ANNOTATION: str(spec.get("containerConcurrency") or 0),
        TIMEOUT_ANNOTATION: str(spec.get("timeoutSeconds") or int(DEFAULT_TIMEOUT)),
        PORT_ANNOTATION: str(port),
        REACHABLE_ANNOTATION: "false" if labels(revision).get(STATE_LABEL) == RESERVE else "true",
    }
    for field, key in (
        ("responseStartTimeoutSeconds", RESPONSE_START_TIMEOUT_ANNOTATION),
        ("idleTimeoutSeconds", IDLE_TIMEOUT_ANNOTATION),
    ):
        if spec.get(field):
            found[key] = str(spec[field])
    return found


def _pod_annotations(revision: Obj, inherited: dict[str, str]) -> dict[str, str]:
    kept = {key: value for key, value in inherited.items() if not key.startswith(AUTOSCALING_PREFIX)}
    return {**kept, DEFAULT_CONTAINER_ANNOTATION: str(_serving_container(revision).get("name", ""))}


def _serving_container(revision: Obj) -> Obj:
    containers = mappings(revision["spec"].get("containers"))
    return containers[max(0, serving_index(containers))] if containers else {}


def _port(container: Obj) -> int:
    ports = mappings(container.get("ports"))
    return whole(ports[0].get("containerPort"), DEFAULT_PORT) if ports else DEFAULT_PORT


def _progress_deadline(revision: Obj, config: DeploymentConfig) -> int:
    text = annotations(revision).get(PROGRESS_DEADLINE_ANNOTATION, "")
    try:
        return int(parse_duration(text)) or config.progress_deadline
    except ValueError:
        return config.progress_deadline


def _pod_spec(revision: Obj, config: DeploymentConfig) -> Obj:
    given = revision["spec"]
    spec = {key: copy.deepcopy(value) for key, value in given.items() if key not in REVISION_FIELDS}
    serving = _serving_container(revision)
    grace = whole(given.get("timeoutSeconds"), 0) or int(DEFAULT_TIMEOUT)
    spec["containers"] = [
        _container(revision, each, is_serving=each is serving) for each in mappings(given.get("containers"))
    ]
    spec["terminationGracePeriodSeconds"] = grace
    _add_pre_stops(spec["containers"], serving.get("name"), grace, min(config.pre_stop_sleep, grace))
    spec.setdefault("enableServiceLinks", False)
    if not config.automount_service_account_token and not given.get("serviceAccountName"):
        spec.setdefault("automountServiceAccountToken", False)
    if config.spreads_over_nodes:
        spec["affinity"] = _spread(revision)
    return spec


def _spread(revision: Obj) -> Obj:
    term = {
        "labelSelector": {"matchLabels": {REVISION_LABEL: name(revision)}},
        "topologyKey": "kubernetes.io/hostname",
    }
    weighted = {"weight": 100, "podAffinityTerm": term}
    return {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [weighted]}}


def _add_pre_stops(containers: list[Obj], serving: object, grace: int, pause: int) -> None:
    """Have the pod wait for its in-flight requests before SIGTERM ends a program that exits on it.

    preStop sleeps for the whole grace period; the autoscaler ends it once the pod is empty
    (`serving.targets.waits_for_requests`). All containers wait, since a request may need each of them. The
    autoscaler's shorter grace period would cut a preStop of the user's as well, so a pod that has one gets
    `pause` seconds in its serving container and is not ended early.
    """
    if not pause:
        return
    if any(_has_pre_stop(each) for each in containers):
        for each in containers:
            if each.get("name") == serving and not _has_pre_stop(each):
                _sleep(each, pause)
        return
    for each in containers:
        _sleep(each, grace)
        for kind in RESTARTING_PROBES:
            if each.get(kind):
                # Kubernetes runs preStop before it restarts a container, too, for as long as this allows.
                each[kind].setdefault("terminationGracePeriodSeconds", pause)


def _sleep(container: Obj, seconds: int) -> None:
    hook = {"sleep": {"seconds": seconds}}
    container["lifecycle"] = {**mapping(container.get("lifecycle")), "preStop": hook}


def _has_pre_stop(container: Obj) -> bool:
    return bool(mapping(container.get("lifecycle")).get("preStop"))


def _container(revision: Obj, given: Obj, *, is_serving: bool) -> Obj:
    container = copy.deepcopy(given)
    known = {
        "K_REVISION": name(revision),
        "K_CONFIGURATION": labels(revision).get(CONFIGURATION_LABEL, ""),
        "K_SERVICE": labels(revision).get(SERVICE_LABEL, ""),
    }
    port = _port(given)
    if is_serving:
        known = {"PORT": str(port), **known}
        is_h2c = any(each.get("name") == H2C_PORT_NAME for each in mappings(given.get("ports")))
        port_name = H2C_PORT_NAME if is_h2c else PLAIN_PORT_NAME
        container["ports"] = [{"name": port_name, "containerPort": port, "protocol": "TCP"}]
        container["readinessProbe"] = _probe(mapping(given.get("readinessProbe")) or {"tcpSocket": {}}, port)
    container["env"] = [
        *mappings(given.get("env")),
        *({"name": key, "value": value} for key, value in known.items()),
    ]
    for kind in RESTARTING_PROBES:
        if container.get(kind):
            container[kind] = _probe(container[kind], port)
    container.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    container.pop("stdin", None)
    return container


def _probe(given: Obj, port: int) -> Obj:
    """A probe for the kubelet: the serving port where none is named, each second where no period is."""
    probe = copy.deepcopy(given)
    for handler in ("httpGet", "tcpSocket", "grpc"):
        if handler in probe:
            probe[handler] = {**mapping(probe[handler]), "port": mapping(probe[handler]).get("port") or port}
    probe["periodSeconds"] = probe.get("periodSeconds") or 1
    probe["successThreshold"] = probe.get("successThreshold") or 1
    probe["failureThreshold"] = probe.get("failureThreshold") or 3
    probe["timeoutSeconds"] = probe.get("timeoutSeconds") or 1
    return probe


def _hash(spec: Obj) -> str:
    """A label's worth of digest over all that is wanted; replicas are the autoscaler's."""
    wanted = {key: value for key, value in spec.items() if key != "replicas"}
    text = json.dumps(wanted, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
