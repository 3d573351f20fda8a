"""The columns of the built-in kinds but pods."""

from typing import Any

from embedded.tables.ages import UNKNOWN, age
from embedded.tables.columns import AGE, NAME, NONE, Cell, Column, at, wide
from embedded.tables.pods import PODS
from kube.objects import Obj, condition, labels

# -- workloads -------------------------------------------------------------------------------------------


def _containers(key: str) -> Cell:
    def cell(obj: Obj, _now: float) -> str:
        spec = (obj.get("spec", {}).get("template") or {}).get("spec") or {}
        return ",".join(entry.get(key, "") for entry in spec.get("containers") or ())

    return cell


def format_selector(selector: Obj | None) -> str:
    """A selector in kubectl's own language: `app=x,tier in (a,b),!gone`."""
    if not selector:
        return NONE
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for rule in selector.get("matchExpressions") or ():
        key, values = rule.get("key", ""), ",".join(sorted(rule.get("values") or ()))
        forms = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}
        parts.append(forms.get(rule.get("operator", ""), f"!{key}"))
    return ",".join(parts) or NONE


def _selector(obj: Obj, _now: float) -> str:
    return format_selector(obj.get("spec", {}).get("selector"))


def _deployment_ready(obj: Obj, _now: float) -> str:
    ready = (obj.get("status") or {}).get("readyReplicas", 0)
    return f"{ready}/{obj.get('spec', {}).get('replicas', 0)}"


TEMPLATE = (
    wide("Containers", _containers("name")),
    wide("Images", _containers("image")),
    wide("Selector", _selector),
)
DEPLOYMENTS = (
    NAME,
    Column("Ready", _deployment_ready, description="Ready pods, of those wanted."),
    Column("Up-to-date", at("status", "updatedReplicas", default=0)),
    Column("Available", at("status", "availableReplicas", default=0)),
    AGE,
    *TEMPLATE,
)
REPLICASETS = (
    NAME,
    Column("Desired", at("spec", "replicas", default=0), "integer"),
    Column("Current", at("status", "replicas", default=0), "integer"),
    Column("Ready", at("status", "readyReplicas", default=0), "integer"),
    AGE,
    *TEMPLATE,
)

# -- configuration ---------------------------------------------------------------------------------------


def _count(*keys: str) -> Cell:
    def cell(obj: Obj, _now: float) -> int:
        return sum(len(obj.get(key) or ()) for key in keys)

    return cell


CONFIGMAPS = (NAME, Column("Data", _count("data", "binaryData")), AGE)
SECRETS = (NAME, Column("Type", at("type")), Column("Data", _count("data")), AGE)
SERVICEACCOUNTS = (NAME, Column("Secrets", _count("secrets")), AGE)
NAMESPACES = (NAME, Column("Status", at("status", "phase")), AGE)
LEASES = (NAME, Column("Holder", at("spec", "holderIdentity")), AGE)
DEFINITIONS = (NAME, Column("Created At", at("metadata", "creationTimestamp"), "date"))

# -- nodes -----------------------------------------------------------------------------------------------

_ROLE = "node-role.kubernetes.io/"


def _node_status(node: Obj, _now: float) -> str:
    ready = condition(node, "Ready")
    words = ["Unknown"] if ready is None else ["Ready" if ready.get("status") == "True" else "NotReady"]
    if node.get("spec", {}).get("unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def _roles(node: Obj, _now: float) -> str:
    found = {key.removeprefix(_ROLE) for key in labels(node) if key.startswith(_ROLE)} - {""}
    if labels(node).get("kubernetes.io/role"):
        found.add(labels(node)["kubernetes.io/role"])
    return ",".join(sorted(found)) or NONE


def _node_address(type_: str) -> Cell:
    def cell(node: Obj, _now: float) -> str:
        addresses = (node.get("status") or {}).get("addresses") or ()
        return next((str(entry.get("address")) for entry in addresses if entry.get("type") == type_), NONE)

    return cell


def _about(key: str) -> Cell:
    return at("status", "nodeInfo", key, default=UNKNOWN)


NODES = (
    NAME,
    Column("Status", _node_status),
    Column("Roles", _roles),
    AGE,
    Column("Version", at("status", "nodeInfo", "kubeletVersion")),
    wide("Internal-IP", _node_address("InternalIP")),
    wide("External-IP", _node_address("ExternalIP")),
    wide("OS-Image", _about("osImage")),
    wide("Kernel-Version", _about("kernelVersion")),
    wide("Container-Runtime", _about("containerRuntimeVersion")),
)

# -- services --------------------------------------------------------------------------------------------


def _external(service: Obj, _now: float) -> str:
    spec = service.get("spec", {})
    given = list(spec.get("externalIPs") or ())
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    if spec.get("type") != "LoadBalancer":
        return ",".join(given) or NONE
    balancers = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    found = [entry.get("ip") or entry.get("hostname") or "" for entry in balancers]
    return ",".join(found + given) or "<pending>"


def _ports(service: Obj, _now: float) -> str:
    shown = []
    for port in service.get("spec", {}).get("ports") or ():
        node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
        shown.append(f"{port.get('port')}{node_port}/{port.get('protocol', 'TCP')}")
    return ",".join(shown) or NONE


def _service_selector(service: Obj, _now: float) -> str:
    return format_selector({"matchLabels": service.get("spec", {}).get("selector") or {}})


SERVICES = (
    NAME,
    Column("Type", at("spec", "type")),
    Column("Cluster-IP", at("spec", "clusterIP", default=NONE)),
    Column("External-IP", _external),
    Column("Port(s)", _ports),
    AGE,
    wide("Selector", _service_selector),
)

# -- events ----------------------------------------------------------------------------------------------


def _first(obj: Obj, *keys: str) -> Any:
    return next((obj[key] for key in keys if obj.get(key)), None)


def _involved(event: Obj) -> Obj:
    return _first(event, "involvedObject", "regarding") or {}


def _first_seen(event: Obj, now: float) -> str:
    return age(_first(event, "firstTimestamp", "deprecatedFirstTimestamp", "eventTime"), now)


def _last_seen(event: Obj, now: float) -> str:
    series = event.get("series") or {}
    last = series.get("lastObservedTime") or _first(event, "lastTimestamp", "deprecatedLastTimestamp")
    return age(last, now) if last else _first_seen(event, now)


def _object(event: Obj, _now: float) -> str:
    involved = _involved(event)
    return f"{involved.get('kind', '').lower()}/{involved.get('name', '')}"


def _source(event: Obj, _now: float) -> str:
    source = _first(event, "source", "deprecatedSource") or {}
    component = source.get("component") or _first(event, "reportingComponent", "reportingController") or ""
    host = source.get("host") or event.get("reportingInstance") or ""
    return f"{component}, {host}" if host else str(component)


def _times(event: Obj, _now: float) -> int:
    return (event.get("series") or {}).get("count") or _first(event, "count", "deprecatedCount") or 1


def _message(event: Obj, _now: float) -> str:
    return str(_first(event, "message", "note") or "").strip()


def _part(event: Obj, _now: float) -> str:
    return str(_involved(event).get("fieldPath") or "")


EVENTS = (
    Column("Last Seen", _last_seen),
    Column("Type", at("type")),
    Column("Reason", at("reason")),
    Column("Object", _object),
    wide("Subobject", _part),
    wide("Source", _source),
    Column("Message", _message),
    wide("First Seen", _first_seen),
    wide("Count", _times),
    Column("Name", at("metadata", "name"), format="name", priority=1),
)

COLUMNS: dict[tuple[str, str], tuple[Column, ...]] = {
    ("", "Pod"): PODS,
    ("apps", "Deployment"): DEPLOYMENTS,
    ("apps", "ReplicaSet"): REPLICASETS,
    ("", "ConfigMap"): CONFIGMAPS,
    ("", "Secret"): SECRETS,
    ("", "ServiceAccount"): SERVICEACCOUNTS,
    ("", "Namespace"): NAMESPACES,
    ("", "Node"): NODES,
    ("", "Service"): SERVICES,
    ("", "Event"): EVENTS,
    ("events.k8s.io", "Event"): EVENTS,
    ("coordination.k8s.io", "Lease"): LEASES,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): DEFINITIONS,
}
