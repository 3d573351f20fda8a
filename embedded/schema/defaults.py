"""Fields that the API fills in: a custom resource's declared defaults, and Kubernetes' own for its kinds.

Source of the numbers: the Kubernetes API reference (each field's "Defaults to …").
"""

from collections.abc import Callable
from typing import Any

from embedded.schema.configs import with_string_data
from embedded.schema.types import TypeSchema, copy_json
from kube.objects import Obj


def apply_defaults(obj: Obj, schema: TypeSchema) -> Obj:
    """A copy with every absent field set that has a default; what is there stays as it is."""
    filled: Obj = copy_json(obj)
    if schema.is_custom:
        _fill(filled, schema)
    elif schema.gvk is not None and schema.gvk[2] in BUILT_IN:
        BUILT_IN[schema.gvk[2]](filled)
    return filled


def _fill(value: Any, schema: TypeSchema) -> None:
    if isinstance(value, dict) and schema.is_custom:
        for key, known in schema.fields.items():
            if value.get(key) is None and "default" in known.rules and not _is_null_wanted(value, key, known):
                value[key] = copy_json(known.rules["default"])
        for key, entry in value.items():
            if isinstance(entry, dict | list):
                _fill(entry, schema.child(key))
    elif isinstance(value, list):
        for entry in value:
            if isinstance(entry, dict | list):
                _fill(entry, schema.element())


def _is_null_wanted(value: Obj, key: str, known: TypeSchema) -> bool:
    return key in value and bool(known.rules.get("nullable"))


def completed_pod_spec(spec: Obj) -> Obj:
    """A copy of a pod's spec with its defaults."""
    pod: Obj = {"spec": copy_json(spec)}
    _pod(pod)
    return dict(pod["spec"])


# -- pods ------------------------------------------------------------------------------------------------


def _set(obj: Obj, values: Obj) -> None:
    for key, value in values.items():
        if obj.get(key) is None:
            obj[key] = value


def _pod_spec(spec: Obj) -> None:
    _set(
        spec,
        {
            "restartPolicy": "Always",
            "dnsPolicy": "ClusterFirst",
            "terminationGracePeriodSeconds": 30,
            "schedulerName": "default-scheduler",
            "securityContext": {},
        },
    )
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        _set(spec, {"serviceAccountName": account, "serviceAccount": account})
    for group in ("initContainers", "containers"):
        for container in spec.get(group) or ():
            _container(container)
    for volume in spec.get("volumes") or ():
        _volume(volume)


def _container(container: Obj) -> None:
    _set(
        container,
        {
            "imagePullPolicy": pull_policy(container.get("image") or ""),
            "resources": {},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
        },
    )
    for port in container.get("ports") or ():
        _set(port, {"protocol": "TCP"})
    for variable in container.get("env") or ():
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference is not None:
            _set(reference, {"apiVersion": "v1"})
    for key in ("readinessProbe", "livenessProbe", "startupProbe"):
        if container.get(key) is not None:
            _probe(container[key])
    for handler in (container.get("lifecycle") or {}).values():
        if isinstance(handler, dict):
            _http_get(handler)


def pull_policy(image: str) -> str:
    """IfNotPresent, but Always for an image without tag or with the tag `latest`."""
    if "@" in image:
        return "IfNotPresent"
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if tag in ("", "latest") else "IfNotPresent"


def _probe(probe: Obj) -> None:
    _set(probe, {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3})
    _http_get(probe)
    if probe.get("grpc") is not None:
        _set(probe["grpc"], {"service": ""})


def _http_get(handler: Obj) -> None:
    if handler.get("httpGet") is not None:
        _set(handler["httpGet"], {"path": "/", "scheme": "HTTP"})


def _volume(volume: Obj) -> None:
    if not any(value is not None for key, value in volume.items() if key != "name"):
        volume["emptyDir"] = {}
    for source in ("secret", "configMap", "projected", "downwardAPI"):
        if volume.get(source) is not None:
            _set(volume[source], {"defaultMode": 0o644})
    if volume.get("hostPath") is not None:
        _set(volume["hostPath"], {"type": ""})
    for source in (volume.get("projected") or {}).get("sources") or ():
        if source.get("serviceAccountToken") is not None:
            _set(source["serviceAccountToken"], {"expirationSeconds": 3600})


def _pod(pod: Obj) -> None:
    spec = pod.setdefault("spec", {})
    _pod_spec(spec)
    _set(spec, {"enableServiceLinks": True})
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        limits = container["resources"].get("limits")
        if limits:
            container["resources"]["requests"] = {**limits, **(container["resources"].get("requests") or {})}
    status = pod.setdefault("status", {})
    _set(status, {"phase": "Pending", "qosClass": _quality(spec)})


def _quality(spec: Obj) -> str:
    """The class by which a node evicts: Guaranteed, Burstable or BestEffort."""
    resources = [entry["resources"] for entry in spec.get("containers") or ()]
    if not any(entry.get("limits") or entry.get("requests") for entry in resources):
        return "BestEffort"
    for entry in resources:
        limits, requests = entry.get("limits") or {}, entry.get("requests") or {}
        if not {"cpu", "memory"} <= limits.keys() or any(requests.get(key) != limits[key] for key in limits):
            return "Burstable"
    return "Guaranteed"


# -- the other kinds -------------------------------------------------------------------------------------


def _deployment(deployment: Obj) -> None:
    spec = deployment.setdefault("spec", {})
    _set(spec, {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600, "strategy": {}})
    _set(spec["strategy"], {"type": "RollingUpdate"})
    if spec["strategy"]["type"] == "RollingUpdate":
        _set(spec["strategy"], {"rollingUpdate": {}})
        _set(spec["strategy"]["rollingUpdate"], {"maxUnavailable": "25%", "maxSurge": "25%"})
    _template(spec)


def _replica_set(replica_set: Obj) -> None:
    spec = replica_set.setdefault("spec", {})
    _set(spec, {"replicas": 1})
    _template(spec)
    _set(replica_set, {"status": {}})
    _set(replica_set["status"], {"replicas": 0})


def _template(spec: Obj) -> None:
    template = spec.get("template")
    if template:
        _pod_spec(template.setdefault("spec", {}))


def _service(service: Obj) -> None:
    spec = service.setdefault("spec", {})
    _set(spec, {"type": "ClusterIP", "sessionAffinity": "None"})
    if spec["type"] != "ExternalName":
        _set(spec, {"internalTrafficPolicy": "Cluster"})
    for port in spec.get("ports") or ():
        _set(port, {"protocol": "TCP"})
        if port.get("port") is not None:
            _set(port, {"targetPort": port["port"]})
    _set(service, {"status": {}})
    _set(service["status"], {"loadBalancer": {}})


def _secret(secret: Obj) -> None:
    """`stringData` is a way of writing `data`, and never stored."""
    _set(secret, {"type": "Opaque"})
    stored = with_string_data(secret)
    secret.pop("stringData", None)
    secret.update(stored)


def _namespace(namespace: Obj) -> None:
    metadata = namespace.setdefault("metadata", {})
    if metadata.get("name"):
        _set(metadata, {"labels": {}})
        metadata["labels"]["kubernetes.io/metadata.name"] = metadata["name"]
    _set(namespace, {"spec": {}})
    _set(namespace["spec"], {"finalizers": ["kubernetes"]})
    _set(namespace, {"status": {}})
    _set(namespace["status"], {"phase": "Active"})


def _definition(crd: Obj) -> None:
    spec = crd.setdefault("spec", {})
    names = spec.setdefault("names", {})
    if names.get("kind"):
        _set(names, {"singular": names["kind"].lower(), "listKind": names["kind"] + "List"})
    _set(spec, {"conversion": {"strategy": "None"}})


def _event(event: Obj) -> None:
    for field, value in (("eventTime", None), ("reportingComponent", ""), ("reportingInstance", "")):
        if "regarding" not in event:
            event.setdefault(field, value)


BUILT_IN: dict[str, Callable[[Obj], None]] = {
    "Pod": _pod,
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "Service": _service,
    "Secret": _secret,
    "Namespace": _namespace,
    "CustomResourceDefinition": _definition,
    "Event": _event,
}
