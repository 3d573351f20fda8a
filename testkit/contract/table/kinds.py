"""The kinds of the table: for each a sample, a change to it, and what kubectl shows of it."""

import copy
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kube import resources as known
from kube.objects import Obj
from kube.resources import Resource

IMAGE = "contract/talker:1"
AGE = r"\d+[smhd](\d+[smhd])?"
NOW = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
ANY = r"\S+"


@dataclass(frozen=True)
class Kind:
    """One row. `columns` and `wide` map a heading to a pattern of its cell.

    `change` is a merge patch that leaves `changed` at the path; `headings` are the words at the left margin
    of `kubectl describe`; `explained` is a field, and a word of what `kubectl explain` says of it. By engine:
    what a column shows elsewise (`differs`), which headings there are not (`undescribed`); README tells why.
    """

    name: str
    word: str
    told: str
    resource: Resource
    body: Obj
    change: Obj
    path: str
    changed: Any
    columns: Mapping[str, str]
    wide: Mapping[str, str]
    headings: tuple[str, ...]
    explained: tuple[str, str]
    condition: str = ""
    child: Resource | None = None
    differs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    undescribed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_custom(self) -> bool:
        """Whether a definition of ours made the kind."""
        return self.resource.group == "serving.knative.dev"

    def sample(self, name: str, namespace: str, **labels: str) -> Obj:
        """An object of the kind as a user writes it."""
        body = copy.deepcopy(self.body)
        meta = {"name": name, **body.pop("metadata", {})}
        if self.resource.namespaced:
            meta["namespace"] = namespace
        meta["labels"] = {"case": name, **labels}
        obj: Obj = {
            "apiVersion": self.resource.api_version,
            "kind": self.resource.kind,
            "metadata": meta,
            **body,
        }
        if "involvedObject" in body:  # it stands in the Event's own namespace
            obj["involvedObject"]["namespace"] = namespace
        if (
            "selector" in body.get("spec", {}) and "template" in body["spec"]
        ):  # or sets would adopt each other's pods
            obj["spec"]["selector"] = {"matchLabels": {"app": name}}
            obj["spec"]["template"]["metadata"] = {"labels": {"app": name}}
        return obj

    def changed_sample(self, name: str, namespace: str) -> Obj:
        """The same with the change."""
        found: Obj = merged(self.sample(name, namespace), self.change)
        return found


def merged(obj: Any, patch: Any) -> Any:
    """A merge patch without nulls."""
    if not isinstance(patch, dict) or not isinstance(obj, dict):
        return patch
    return {**obj, **{key: merged(obj.get(key), value) for key, value in patch.items()}}


def at(obj: Any, path: str) -> Any:
    """What stands at `a.b.0.c`; None where a step is missing."""
    for step in path.split("."):
        if obj is None:
            return None
        obj = obj[int(step)] if isinstance(obj, list) else obj.get(step)
    return obj


def _pod_spec(**more: Any) -> Obj:
    return {"terminationGracePeriodSeconds": 1, "containers": [{"name": "main", "image": IMAGE}], **more}


_IDLE = {"annotations": {"autoscaling.knative.dev/initial-scale": "0"}}
_KNATIVE_TEMPLATE = {"metadata": _IDLE, "spec": {"containers": [{"image": "dev.local/helloworld-go:1"}]}}
_KNATIVE_HEADINGS = (
    "Name", "Namespace", "Labels", "Annotations", "API Version", "Kind", "Metadata", "Spec", "Status",
    "Events",
)  # fmt: skip
_SELECTED = {"selector": {"matchLabels": {"app": "table"}}}
_WORKLOAD = {
    "spec": {
        "replicas": 0, **_SELECTED,
        "template": {"metadata": {"labels": {"app": "table"}}, "spec": _pod_spec()},
    }
}  # fmt: skip
_TEMPLATE_COLUMNS = {"CONTAINERS": "main", "IMAGES": IMAGE, "SELECTOR": ANY}
_SHARE = {"configurationName": "shared-configuration", "latestRevision": True, "percent": 100}
_TIMEOUT = {"spec": {"template": {"spec": {"timeoutSeconds": 120}}}}

KINDS = (
    Kind(
        "ksvc", "ksvc", "service.serving.knative.dev", known.SERVICES,
        {"spec": {"template": _KNATIVE_TEMPLATE}}, _TIMEOUT, "spec.template.spec.timeoutSeconds", 120,
        {"URL": r"http://\S+", "LATESTCREATED": ANY, "LATESTREADY": ANY, "READY": "True", "REASON": ""}, {},
        _KNATIVE_HEADINGS, ("spec.template", "revision"), "Ready", known.CONFIGURATIONS,
    ),
    Kind(
        "configuration", "configuration", "configuration.serving.knative.dev", known.CONFIGURATIONS,
        {"spec": {"template": _KNATIVE_TEMPLATE}}, _TIMEOUT, "spec.template.spec.timeoutSeconds", 120,
        {"LATESTCREATED": ANY, "LATESTREADY": ANY, "READY": "True", "REASON": ""}, {},
        _KNATIVE_HEADINGS, ("spec.template", "revision"), "Ready", known.REVISIONS,
    ),
    Kind(
        "revision", "revision", "revision.serving.knative.dev", known.REVISIONS,
        {"metadata": _IDLE, "spec": _KNATIVE_TEMPLATE["spec"]},
        {"metadata": {"annotations": {"changed": "yes"}}}, "metadata.annotations.changed", "yes",
        {
            "CONFIG NAME": "", "GENERATION": "", "READY": "True", "REASON": "", "ACTUAL REPLICAS": "0",
            "DESIRED REPLICAS": "0",
        },
        {}, _KNATIVE_HEADINGS, ("spec.containerConcurrency", "Requests"), "Ready", known.DEPLOYMENTS,
    ),
    Kind(
        "route", "route", "route.serving.knative.dev", known.ROUTES,
        {"spec": {"traffic": [_SHARE]}}, {"spec": {"traffic": [{**_SHARE, "tag": "now"}]}},
        "spec.traffic.0.tag", "now",
        {"URL": r"http://\S+", "READY": "True", "REASON": ""}, {},
        _KNATIVE_HEADINGS, ("spec.traffic.percent", "percent"), "Ready",
    ),
    Kind(
        "Deployment", "deployment", "deployment.apps", known.DEPLOYMENTS,
        _WORKLOAD, {"spec": {"revisionHistoryLimit": 3}}, "spec.revisionHistoryLimit", 3,
        {"READY": "0/0", "UP-TO-DATE": "0", "AVAILABLE": "0", "AGE": AGE}, _TEMPLATE_COLUMNS,
        (
            "Name", "Namespace", "CreationTimestamp", "Labels", "Annotations", "Selector", "Replicas",
            "StrategyType", "MinReadySeconds", "RollingUpdateStrategy", "Pod Template", "Conditions",
            "OldReplicaSets", "NewReplicaSet", "Events",
        ),
        ("spec.replicas", ""), "Available", known.REPLICASETS,
    ),
    Kind(
        "ReplicaSet", "replicaset", "replicaset.apps", known.REPLICASETS,
        _WORKLOAD,
        {"spec": {"minReadySeconds": 5}}, "spec.minReadySeconds", 5,
        {"DESIRED": "0", "CURRENT": "0", "READY": "0", "AGE": AGE}, _TEMPLATE_COLUMNS,
        (
            "Name", "Namespace", "Selector", "Labels", "Annotations", "Replicas", "Pods Status",
            "Pod Template",
            "Events",
        ),
        ("spec.replicas", ""), child=known.PODS,
    ),
    Kind(
        "Pod", "pod", "pod", known.PODS,
        {"spec": _pod_spec()}, {"spec": {"activeDeadlineSeconds": 3600}}, "spec.activeDeadlineSeconds", 3600,
        {"READY": "1/1", "STATUS": "Running", "RESTARTS": "0", "AGE": AGE},
        {"IP": r"127\.0\.0\.1", "NODE": ANY, "NOMINATED NODE": "<none>", "READINESS GATES": "<none>"},
        (
            "Name", "Namespace", "Priority", "Service Account", "Node", "Start Time", "Labels", "Annotations",
            "Status", "IP", "IPs", "Containers", "Conditions", "Volumes", "QoS Class", "Node-Selectors",
            "Tolerations", "Events",
        ),
        ("spec.containers.image", ""), "Ready", undescribed={"embedded": ("Priority", "Service Account")},
    ),
    Kind(
        "ConfigMap", "configmap", "configmap", known.CONFIGMAPS,
        {"data": {"k": "v"}}, {"data": {"k": "other"}}, "data.k", "other", {"DATA": "1", "AGE": AGE}, {},
        (
            "Name", "Namespace", "Labels", "Annotations", "Data", "====", "k", "----", "v", "BinaryData",
            "====",
            "Events",
        ),
        ("data", ""),
    ),
    Kind(
        "Secret", "secret", "secret", known.SECRETS,
        {"data": {"k": "dg=="}}, {"data": {"k": "dw=="}}, "data.k", "dw==",
        {"TYPE": "Opaque", "DATA": "1", "AGE": AGE}, {},
        ("Name", "Namespace", "Labels", "Annotations", "Type", "Data", "====", "k"), ("type", ""),
    ),
    Kind(
        "Namespace", "namespace", "namespace", known.NAMESPACES,
        {}, {"metadata": {"labels": {"team": "one"}}}, "metadata.labels.team", "one",
        {"STATUS": "Active", "AGE": AGE}, {},
        ("Name", "Labels", "Annotations", "Status", "No resource quota.", "No LimitRange resource."),
        ("status.phase", ""),
        undescribed={"embedded": ("No resource quota.", "No LimitRange resource.")},
    ),
    Kind(
        "Node", "node", "node", known.NODES,
        {}, {"spec": {"unschedulable": True}}, "spec.unschedulable", True,
        {"STATUS": "Ready", "ROLES": "<none>", "AGE": AGE, "VERSION": ANY},
        {
            "INTERNAL-IP": ANY, "EXTERNAL-IP": "<none>", "OS-IMAGE": ".+", "KERNEL-VERSION": ANY,
            "CONTAINER-RUNTIME": ANY,
        },
        (
            "Name", "Roles", "Labels", "Annotations", "CreationTimestamp", "Taints", "Unschedulable", "Lease",
            "Conditions", "Addresses", "Capacity", "Allocatable", "System Info", "Non-terminated Pods",
            "Allocated resources", "Events",
        ),
        ("spec.unschedulable", ""), "Ready",
    ),
    Kind(
        "Event", "event", "event", known.EVENTS,
        {
            "involvedObject": {"kind": "Pod", "name": "x"}, "reason": "Tested", "message": "it is tested",
            "type": "Normal", "source": {"component": "table"}, "firstTimestamp": NOW, "lastTimestamp": NOW,
            "count": 1,
        },
        {"message": "it is another"}, "message", "it is another",
        {"LAST SEEN": AGE, "TYPE": "Normal", "REASON": "Tested", "OBJECT": "pod/x",
        "MESSAGE": "it is tested"},
        {
            "LAST SEEN": AGE, "TYPE": "Normal", "REASON": "Tested", "OBJECT": "pod/x", "SUBOBJECT": "",
            "SOURCE": "table", "MESSAGE": "it is tested", "FIRST SEEN": AGE, "COUNT": "1",
            "NAME": "shared-event",
        },
        (
            "Name", "Namespace", "Labels", "Annotations", "API Version", "Count", "Event Time",
            "First Timestamp",
            "Involved Object", "Kind", "Last Timestamp", "Message", "Metadata", "Reason",
            "Reporting Component",
            "Reporting Instance", "Source", "Type", "Events",
        ),
        ("involvedObject", ""),
    ),
    Kind(
        "Service", "service", "service", known.CORE_SERVICES,
        {"spec": {"selector": {"app": "table"}, "ports": [{"port": 80, "targetPort": 8080}]}},
        {"spec": {"sessionAffinity": "ClientIP"}}, "spec.sessionAffinity", "ClientIP",
        {"TYPE": "ClusterIP", "CLUSTER-IP": r"10\.\S+", "EXTERNAL-IP": "<none>", "PORT(S)": "80/TCP",
        "AGE": AGE},
        {"SELECTOR": "app=table"},
        (
            "Name", "Namespace", "Labels", "Annotations", "Selector", "Type", "IP Family Policy",
            "IP Families",
            "IP", "IPs", "Port", "TargetPort", "Endpoints", "Session Affinity", "Internal Traffic Policy",
            "Events",
        ),
        ("spec.ports.port", ""),
        differs={"embedded": {"CLUSTER-IP": "<none>"}}, undescribed={"embedded": ("IP Family Policy",)},
    ),
)  # fmt: skip
BY_NAME = {kind.name: kind for kind in KINDS}
