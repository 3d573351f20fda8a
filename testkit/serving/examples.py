"""What is refused, and what is taken: the examples of each rule, for the pure check and for both engines."""

import copy
from dataclasses import dataclass, field
from typing import Any

import yaml

from kube.resources import CONFIGMAPS, CONFIGURATIONS, REVISIONS, ROUTES, SERVICES, Resource

Obj = dict[str, Any]
MANIFEST = """
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: hello, namespace: default}
spec:
  template:
    metadata:
      annotations: {autoscaling.knative.dev/target: "10"}
    spec:
      containers:
      - image: registry.example.com/hello:v1
        ports: [{name: http1, containerPort: 8080}]
        env: [{name: TARGET, value: World}]
"""
POD = "spec.template.spec"
BOX = f"{POD}.containers[0]"
ANNOTATIONS = "spec.template.metadata.annotations"
NOTE = f"{ANNOTATIONS}.autoscaling.knative.dev/"
C0 = "spec__template__spec__containers__0__"
SPEC = "spec__template__spec__"
SYSTEM = "zerogate-system"


@dataclass(frozen=True)
class Example:
    """An object that is refused: `path` and a part of the message; `old` makes it an update of that."""

    obj: Obj
    path: str
    message: str
    resource: Resource = SERVICES
    old: Obj | None = None
    configs: dict[str, dict[str, str]] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def put(obj: Any, path: str, value: Any) -> None:
    *way, last = path.replace("__", ".").split(".")
    for step in way:
        obj = obj[int(step)] if isinstance(obj, list) else obj.setdefault(step, {})
    if value is None:
        obj.pop(last, None)
    elif isinstance(obj, list):
        obj[int(last)] = value
    else:
        obj[last] = value


def service(**changes: Any) -> Obj:
    """The manifest with values put at dotted paths; None removes the field."""
    obj = yaml.safe_load(MANIFEST)
    for path, value in changes.items():
        put(obj, path, copy.deepcopy(value))
    found: Obj = obj
    return found


def annotated(**values: str) -> Obj:
    obj = service()
    obj["spec"]["template"]["metadata"]["annotations"] = {
        "autoscaling.knative.dev/" + key.replace("_", "-"): value for key, value in values.items()
    }
    return obj


def noted(**notes: str) -> Obj:
    """With annotations of the template, "__" for the slash and "_" for dashes."""
    obj = service()
    obj["spec"]["template"]["metadata"]["annotations"] = dict(notes)
    return obj


def route(*traffic: Obj, name: str = "way") -> Obj:
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Route",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"traffic": list(traffic)} if traffic else {},
    }


def revision(**changes: Any) -> Obj:
    obj = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": {"name": "hello-00001", "namespace": "default"},
        "spec": service()["spec"]["template"]["spec"],
    }
    for path, value in changes.items():
        put(obj, path, copy.deepcopy(value))
    return obj


def two(**changes: Any) -> Obj:
    """A Service with a second container that serves nothing."""
    obj = service()
    obj["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "side:1"})
    for path, value in changes.items():
        put(obj, path, copy.deepcopy(value))
    return obj


VOLUME = {"name": "v", "configMap": {"name": "c"}}
MOUNT = {"name": "v", "mountPath": "/v"}
LONG = "x" * 254
PORT = f"{BOX}.ports[0]"
PROBE = f"{BOX}.readinessProbe"
ALIVE = f"{BOX}.livenessProbe"

FIELDS: list[Any] = [
    ("spec__template", None, "spec.template", "missing field"),
    (f"{SPEC}containers", None, f"{POD}.containers", "missing field"),
    (f"{SPEC}containers", [], f"{POD}.containers", "missing field"),
    (f"{SPEC}containers", [{"image": "a:1"}] * 11, f"{POD}.containers", "at most 10 items"),
    (C0 + "image", None, f"{BOX}.image", "image: local"),
    (C0 + "image", "two words", f"{BOX}.image", "failed to parse image reference"),
    (C0 + "image", "x" * 4097, f"{BOX}.image", "may not be more than 4096 bytes"),
    (C0 + "name", "queue-proxy", f"{BOX}.name", "reserved"),
    (C0 + "name", "Web_1", f"{BOX}.name", "lower-case"),
    (C0 + "name", LONG, f"{BOX}.name", "may not be more than 253 bytes"),
    (C0 + "ports__0__containerPort", 0, f"{PORT}.containerPort", "from 1 to 65535"),
    (C0 + "ports__0__containerPort", 65536, f"{PORT}.containerPort", "from 1 to 65535"),
    (C0 + "ports__0__containerPort", None, f"{PORT}.containerPort", "missing field"),
    (C0 + "ports__0__containerPort", 8008, f"{PORT}.containerPort", "reserved for profiling"),
    (C0 + "ports__0__containerPort", 8012, f"{PORT}.containerPort", "reserved for the queue proxy"),
    (C0 + "ports__0__containerPort", 8013, f"{PORT}.containerPort", "reserved for the queue proxy"),
    (C0 + "ports__0__containerPort", 8022, f"{PORT}.containerPort", "reserved for administration"),
    (C0 + "ports__0__containerPort", 9090, f"{PORT}.containerPort", "reserved for metrics"),
    (C0 + "ports__0__containerPort", 9091, f"{PORT}.containerPort", "reserved for metrics"),
    (C0 + "ports__0__name", "grpc", f"{PORT}.name", "h2c"),
    (C0 + "ports__0__name", "x" * 64, f"{PORT}.name", "may not be more than 63 bytes"),
    (C0 + "ports__0__protocol", "UDP", f"{PORT}.protocol", "must be TCP"),
    (C0 + "ports__0__protocol", "x" * 64, f"{PORT}.protocol", "may not be more than 63 bytes"),
    (C0 + "ports", [{"containerPort": 1}, {"containerPort": 2}], f"{BOX}.ports", "more than one port"),
    (C0 + "ports", [{"containerPort": 1}] * 101, f"{BOX}.ports", "at most 100 items"),
    (C0 + "env", [{"name": "PORT", "value": "1"}], f"{BOX}.env[0].name", "reserved environment variable"),
    (C0 + "env", [{"name": "K_SERVICE"}], f"{BOX}.env[0].name", "reserved environment variable"),
    (C0 + "env", [{"value": "x"}], f"{BOX}.env[0].name", "missing"),
    (C0 + "env", [{"name": "1=2"}], f"{BOX}.env[0].name", "no name of an environment variable"),
    (C0 + "env", [{"name": LONG}], f"{BOX}.env[0].name", "may not be more than 253 bytes"),
    (C0 + "env", [{"name": "A"}] * 501, f"{BOX}.env", "at most 500 items"),
    (
        C0 + "env",
        [{"name": "A", "value": "x", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
        f"{BOX}.env[0].valueFrom",
        "may not be given together with value",
    ),
    (C0 + "resources", {"limits": {"cpu": "much"}}, f"{BOX}.resources.limits.cpu", "quantity"),
    (C0 + "resources", {"requests": {"cpu": "much"}}, f"{BOX}.resources.requests.cpu", "quantity"),
    (C0 + "resources", {"limits": {"cpu": "-1"}}, f"{BOX}.resources.limits.cpu", "at least 0"),
    (C0 + "resources", {"requests": {"memory": "-1"}}, f"{BOX}.resources.requests.memory", "at least 0"),
    (
        C0 + "resources",
        {"requests": {"cpu": "2"}, "limits": {"cpu": 1}},
        f"{BOX}.resources.requests.cpu",
        "less than or equal to the cpu limit",
    ),
    (C0 + "volumeMounts", [MOUNT], f"{BOX}.volumeMounts[0].name", "not found; declare it"),
    (C0 + "volumeMounts", [{"mountPath": "/v"}], f"{BOX}.volumeMounts[0].name", "not found; declare it"),
    (C0 + "volumeMounts", [{"name": "v"}], f"{BOX}.volumeMounts[0].mountPath", "must be an absolute path"),
    (
        C0 + "volumeMounts",
        [{"name": "v", "mountPath": "v"}],
        f"{BOX}.volumeMounts[0].mountPath",
        "must be an absolute path",
    ),
    (C0 + "volumeMounts", [MOUNT] * 101, f"{BOX}.volumeMounts", "at most 100 items"),
    (
        C0 + "volumeMounts",
        [{"name": LONG, "mountPath": "/v"}],
        f"{BOX}.volumeMounts[0].name",
        "may not be more than 253 bytes",
    ),
    (
        C0 + "volumeMounts",
        [{"name": "v", "mountPath": "/" * 4097}],
        f"{BOX}.volumeMounts[0].mountPath",
        "may not be more than 4096 bytes",
    ),
    (C0 + "readinessProbe", {"periodSeconds": 1, "httpGet": {}, "grpc": {}}, PROBE, "only one of"),
    (
        C0 + "readinessProbe",
        {"periodSeconds": 0, "failureThreshold": 2, "httpGet": {}},
        f"{PROBE}.failureThreshold",
        "periodSeconds is 0",
    ),
    (
        C0 + "readinessProbe",
        {"periodSeconds": 0, "timeoutSeconds": 2, "httpGet": {}},
        f"{PROBE}.timeoutSeconds",
        "periodSeconds is 0",
    ),
    (C0 + "readinessProbe", {"grpc": {"port": 65536}}, f"{PROBE}.grpc.port", "from 1 to 65535"),
    (
        C0 + "lifecycle",
        {"preStop": {"exec": {}}},
        f"{BOX}.lifecycle.preStop.exec.command",
        "name the program",
    ),
    (
        C0 + "lifecycle",
        {"preStop": {"httpGet": {"path": "x"}}},
        f"{BOX}.lifecycle.preStop.httpGet.path",
        "must begin with '/'",
    ),
    (
        C0 + "lifecycle",
        {"preStop": {"httpGet": {"scheme": "ftp"}}},
        f"{BOX}.lifecycle.preStop.httpGet.scheme",
        "must be HTTP or HTTPS",
    ),
    (
        C0 + "lifecycle",
        {"preStop": {"httpGet": {"port": 65536}}},
        f"{BOX}.lifecycle.preStop.httpGet.port",
        "from 1 to 65535",
    ),
    (
        C0 + "lifecycle",
        {"preStop": {"httpGet": {"port": "x" * 64}}},
        f"{BOX}.lifecycle.preStop.httpGet.port",
        "may not be more than 63 bytes",
    ),
    (
        C0 + "lifecycle",
        {"preStop": {"httpGet": {"path": "/" * 4097}}},
        f"{BOX}.lifecycle.preStop.httpGet.path",
        "may not be more than 4096 bytes",
    ),
    (
        C0 + "lifecycle",
        {"preStop": {"httpGet": {"httpHeaders": [{"name": "a", "value": "b"}] * 101}}},
        f"{BOX}.lifecycle.preStop.httpGet.httpHeaders",
        "at most 100 items",
    ),
    (f"{SPEC}volumes", [{"name": "v", "emptyDir": {}}], f"{POD}.volumes[0].name", "not mounted; mount it"),
    (f"{SPEC}volumes", [{"emptyDir": {}}], f"{POD}.volumes[0].name", "missing field"),
    (f"{SPEC}volumes", [{"name": "V", "emptyDir": {}}], f"{POD}.volumes[0].name", "lower-case letters"),
    (f"{SPEC}volumes", [{"name": LONG, "emptyDir": {}}], f"{POD}.volumes[0].name", "more than 253 bytes"),
    (f"{SPEC}volumes", [{"name": "v"}], f"{POD}.volumes[0]", "needs exactly one of secret"),
    (
        f"{SPEC}volumes",
        [{"name": "v", "secret": {}, "emptyDir": {}}],
        f"{POD}.volumes[0]",
        "needs exactly one of secret",
    ),
    (f"{SPEC}volumes", [VOLUME] * 101, f"{POD}.volumes", "at most 100 items"),
    (f"{SPEC}serviceAccountName", "No Name", f"{POD}.serviceAccountName", "no name of a ServiceAccount"),
    (f"{SPEC}serviceAccountName", LONG, f"{POD}.serviceAccountName", "may not be more than 253 bytes"),
    (f"{SPEC}timeoutSeconds", 601, f"{POD}.timeoutSeconds", "the max-revision-timeout-seconds of"),
    (f"{SPEC}timeoutSeconds", -1, f"{POD}.timeoutSeconds", "out of bounds: must be from 0 to 600"),
    (f"{SPEC}responseStartTimeoutSeconds", 301, f"{POD}.responseStartTimeoutSeconds", "from 0 to 300"),
    (f"{SPEC}idleTimeoutSeconds", -1, f"{POD}.idleTimeoutSeconds", "from 0 to 300, the timeoutSeconds"),
    (f"{SPEC}containerConcurrency", -1, f"{POD}.containerConcurrency", "from 0 to 1000"),
    (f"{SPEC}containerConcurrency", 1001, f"{POD}.containerConcurrency", "from 0 to 1000"),
    (
        "spec__template__metadata__name",
        "other-1",
        "spec.template.metadata.name",
        'must have the prefix "hello-"',
    ),
    ("spec__template__metadata__name", "hello_1", "spec.template.metadata.name", "DNS 1035"),
    ("spec__template__metadata__name", LONG, "spec.template.metadata.name", "more than 253 bytes"),
    ("metadata__name", "1hello", "metadata.name", "DNS 1035"),
    (
        "metadata__labels",
        {"networking.knative.dev/visibility": "private"},
        "metadata.labels.networking.knative.dev/visibility",
        "must be cluster-local",
    ),
    (
        "metadata__annotations",
        {"autoscaling.knative.dev/min-scale": "1"},
        "metadata.annotations.autoscaling.knative.dev/min-scale",
        'must be put under "spec.template.metadata.annotations"',
    ),
    *(
        (
            "metadata__annotations",
            {f"serving.knative.dev/{key}": text},
            f"metadata.annotations.serving.knative.dev/{key}",
            message,
        )
        for key, text, message in (
            ("rollout-duration", "1.5s", "too precise: must be whole seconds"),
            ("rolloutDuration", "-1s", "-1s must be at least 0s"),
            ("rollout-duration", "soon", "invalid value 'soon': must be a duration"),
        )
    ),
]

PROBES = [
    Example(service(**{C0 + kind: probe}), f"{BOX}.{kind}{below}", message)
    for kind in ("readinessProbe", "livenessProbe", "startupProbe")
    for probe, below, message in (
        ({"httpGet": {"path": "up"}}, ".httpGet.path", "must begin with '/'"),
        ({"httpGet": {"path": "/" * 4097}}, ".httpGet.path", "may not be more than 4096 bytes"),
        ({"httpGet": {"scheme": "ftp"}}, ".httpGet.scheme", "must be HTTP or HTTPS"),
        ({"httpGet": {"port": 65536}}, ".httpGet.port", "from 1 to 65535"),
        ({"httpGet": {"port": "x" * 64}}, ".httpGet.port", "may not be more than 63 bytes"),
        (
            {"httpGet": {"httpHeaders": [{"name": "a", "value": "b"}] * 101}},
            ".httpGet.httpHeaders",
            "at most 100 items",
        ),
        ({"tcpSocket": {"port": -1}}, ".tcpSocket.port", "from 1 to 65535"),
        ({"tcpSocket": {"port": "x" * 64}}, ".tcpSocket.port", "may not be more than 63 bytes"),
        ({"grpc": {"port": -1}}, ".grpc.port", "from 1 to 65535"),
        ({"exec": {}}, ".exec.command", "name the program to run"),
        ({"httpGet": {}, "grpc": {}}, "", "may have only one of"),
        *(
            ({"httpGet": {}, field_: -1}, f".{field_}", "a whole number of at least 0")
            for field_ in (
                "initialDelaySeconds",
                "periodSeconds",
                "timeoutSeconds",
                "successThreshold",
                "failureThreshold",
            )
        ),
        *(
            ()
            if kind == "readinessProbe"
            else (
                ({"timeoutSeconds": 1}, "", "needs one of"),
                ({"httpGet": {}, "successThreshold": 2}, ".successThreshold", "must be 1 for this kind"),
            )
        ),
    )
]

TRAFFIC = [
    (
        [{"percent": 80}, {"percent": 10, "revisionName": "hello-00001"}],
        "spec.traffic",
        "want 100",
    ),
    ([{"percent": 101}, {"percent": -1}], "spec.traffic[0].percent", "from 0 to 100"),
    ([{"percent": 100, "tag": "Not_A_Tag"}], "spec.traffic[0].tag", "DNS 1035"),
    ([{"percent": 100, "tag": LONG}], "spec.traffic[0].tag", "may not be more than 253 bytes"),
    ([{"percent": 100, "tag": "x" * 60}], "spec.traffic[0].tag", "63 characters at most"),
    ([{"percent": 100, "tag": "t"}, {"tag": "t"}], "spec.traffic[1].tag", "multiple definitions for 't'"),
    (
        [{"percent": 100, "revisionName": "hello-00001", "latestRevision": True}],
        "spec.traffic[0].latestRevision",
        "together with revisionName",
    ),
    ([{"percent": 100, "latestRevision": False}], "spec.traffic[0].latestRevision", "without a revisionName"),
    ([{"percent": 100, "revisionName": "No Name"}], "spec.traffic[0].revisionName", "no name of a revision"),
    ([{"percent": 100, "revisionName": LONG}], "spec.traffic[0].revisionName", "more than 253 bytes"),
    ([{"percent": 100, "configurationName": "hello"}], "spec.traffic[0].configurationName", "must not set"),
    ([{"percent": 100, "configurationName": LONG}], "spec.traffic[0].configurationName", "253 bytes"),
    ([{"percent": 1, "revisionName": "r"}] * 101, "spec.traffic", "at most 100 items"),
]

NOTES = [
    ({"class": "hpa.autoscaling.knative.dev"}, "class", "nothing here scales by it"),
    ({"metric": "cpu"}, "metric", "concurrency or rps"),
    ({"target": "0"}, "target", "at least 0.01"),
    ({"target": "many"}, "target", "must be a number"),
    ({"target": "nan"}, "target", "at least 0.01"),
    ({"target_utilization_percentage": "101"}, "target-utilization-percentage", "from 1 to 100"),
    ({"target_utilization_percentage": "x"}, "target-utilization-percentage", "must be a number"),
    ({"target_burst_capacity": "-2"}, "target-burst-capacity", "at least 0, or -1"),
    ({"target_burst_capacity": "x"}, "target-burst-capacity", "must be a number"),
    ({"window": "5s"}, "window", "from 6s to 1h"),
    ({"window": "61m"}, "window", "from 6s to 1h"),
    ({"window": "6500ms"}, "window", "whole seconds"),
    ({"window": "60"}, "window", "must be a duration"),
    ({"panic_window_percentage": "0.5"}, "panic-window-percentage", "from 1 to 100"),
    ({"panic_window_percentage": ""}, "panic-window-percentage", "must be a number"),
    ({"panic_threshold_percentage": "109"}, "panic-threshold-percentage", "from 110 to 1000"),
    ({"panic_threshold_percentage": "x"}, "panic-threshold-percentage", "must be a number"),
    ({"min_scale": "-1"}, "min-scale", "out of bounds"),
    ({"min_scale": "1.5"}, "min-scale", "whole number"),
    ({"min_scale": "5", "max_scale": "3"}, "max-scale", "max-scale=3 is less than min-scale=5"),
    ({"max_scale": "2147483648"}, "max-scale", "out of bounds"),
    ({"max_scale": "x"}, "max-scale", "whole number"),
    ({"activation_scale": "1"}, "activation-scale", "out of bounds"),
    ({"activation_scale": "x"}, "activation-scale", "whole number"),
    ({"activation_scale": "2", "min_scale": "3"}, "activation-scale", "less than min-scale=3"),
    ({"activation_scale": "4", "max_scale": "3"}, "activation-scale", "more than max-scale=3"),
    ({"initial_scale": "0"}, "initial-scale", "not allowed by the cluster"),
    ({"initial_scale": "-1"}, "initial-scale", "out of bounds"),
    ({"initial_scale": "x"}, "initial-scale", "whole number"),
    ({"scale_down_delay": "61m"}, "scale-down-delay", "out of bounds"),
    ({"scale_down_delay": "1.5s"}, "scale-down-delay", "whole seconds"),
    ({"scale_down_delay": "x"}, "scale-down-delay", "must be a duration"),
    ({"scale_to_zero_pod_retention_period": "-1s"}, "scale-to-zero-pod-retention-period", "out of bounds"),
    ({"scale_to_zero_pod_retention_period": "1"}, "scale-to-zero-pod-retention-period", "a duration"),
    ({"metric_aggregation_algorithm": "median"}, "metric-aggregation-algorithm", "weighted-exponential"),
    ({"minScale": "x"}, "minScale", "whole number"),
]

OTHER_NOTES = [
    ("networking.knative.dev/http-protocol", "x", "invalid key name"),
    ("serving.knative.dev/progress-deadline", "x", "must be a duration"),
    ("serving.knative.dev/progress-deadline", "-1s", "must be at least 0s"),
    ("serving.knative.dev/progress-deadline", "1.5s", "whole seconds"),
    ("queue.sidecar.serving.knative.dev/cpu-resource-limit", "x", "must be a quantity"),
    ("queue.sidecar.serving.knative.dev/resource-percentage", "x", "must be a quantity"),
    ("queue.sidecar.serving.knative.dev/resource-percentage", "0", "from 0.1 to 100"),
]

SEVERAL = [
    Example(
        service(**{f"{SPEC}containers": [{"image": "a:1"}, {"image": "b:1"}]}),
        f"{POD}.containers",
        "exactly one of several containers must have a port",
    ),
    Example(
        two(**{f"{SPEC}containers__1__name": "hello", C0 + "name": "hello"}),
        f"{POD}.containers[1].name",
        "'hello' is the name of another container too",
    ),
    *(
        Example(
            two(**{f"{SPEC}containers__1__{kind}": {"httpGet": {}}}),
            f"{POD}.containers[1].{kind}",
            "only the container that serves may have probes",
        )
        for kind in ("readinessProbe", "livenessProbe", "startupProbe")
    ),
    Example(
        service(**{f"{SPEC}volumes": [VOLUME, VOLUME], C0 + "volumeMounts": [MOUNT]}),
        f"{POD}.volumes[1].name",
        "duplicate volume name 'v'",
    ),
    Example(
        service(**{f"{SPEC}volumes": [VOLUME], C0 + "volumeMounts": [MOUNT, MOUNT]}),
        f"{BOX}.volumeMounts[1].mountPath",
        "'/v' must be unique",
    ),
    Example(
        service(**{f"{SPEC}volumes": [VOLUME], C0 + "volumeMounts": [{**MOUNT, "readOnly": False}]}),
        f"{BOX}.volumeMounts[0].readOnly",
        "only emptyDir volumes can be written",
    ),
]

OTHER_KINDS = [
    Example(route(), "spec.traffic", "missing field", ROUTES),
    Example(route({"percent": 100}), "spec.traffic[0]", "exactly one of configurationName", ROUTES),
    Example(
        route({"percent": 100, "revisionName": "r", "configurationName": "c"}),
        "spec.traffic[0]",
        "exactly one of configurationName",
        ROUTES,
    ),
    Example(
        {**route({"percent": 100, "revisionName": "r"}), "metadata": {"name": "1x", "namespace": "default"}},
        "metadata.name",
        "DNS 1035",
        ROUTES,
    ),
    Example(
        {**service(**{C0 + "image": None}), "kind": "Configuration"},
        f"{BOX}.image",
        "missing field",
        CONFIGURATIONS,
    ),
    Example(revision(spec__containers=None), "spec.containers", "missing field", REVISIONS),
    Example(revision(spec__timeoutSeconds=601), "spec.timeoutSeconds", "must be from 0 to 600", REVISIONS),
    Example(
        revision(metadata__annotations={"autoscaling.knative.dev/window": "x"}),
        "metadata.annotations.autoscaling.knative.dev/window",
        "must be a duration",
        REVISIONS,
    ),
]

CHANGES = [
    Example(
        revision(spec__containers=[{"image": "other:2"}]),
        "spec",
        "immutable fields changed",
        REVISIONS,
        old=revision(),
    ),
    Example(
        service(**{"spec__template__metadata__name": "hello-one", C0 + "image": "other:2"}),
        "spec.template.metadata.name",
        "saw changes without a name change",
        old=service(spec__template__metadata__name="hello-one"),
    ),
]
"""Updates."""

WITH_MAPS = [
    Example(
        annotated(max_scale="6"),
        f"{NOTE}max-scale",
        "must be from 1 to 5, the max-scale-limit of config-autoscaler",
        configs={"config-autoscaler": {"max-scale-limit": "5", "max-scale": "5"}},
    ),
    Example(
        annotated(max_scale="0"),
        f"{NOTE}max-scale",
        "max-scale=0 (unlimited), must be from 1 to 5",
        configs={"config-autoscaler": {"max-scale-limit": "5", "max-scale": "5"}},
    ),
    Example(
        two(),
        f"{POD}.containers",
        "multi-container is disabled in config-features",
        configs={"config-features": {"multi-container": "Disabled"}},
    ),
    Example(
        service(**{f"{SPEC}volumes": [{"name": "v", "emptyDir": {}}], C0 + "volumeMounts": [MOUNT]}),
        f"{POD}.volumes[0].emptyDir",
        "disabled in config-features",
        configs={"config-features": {"kubernetes.podspec-volumes-emptydir": "disabled"}},
    ),
    Example(
        service(**{f"{SPEC}containerConcurrency": 0}),
        f"{POD}.containerConcurrency",
        "must be from 1 to 50",
        configs={
            "config-defaults": {
                "container-concurrency-max-limit": "50",
                "container-concurrency": "1",
                "allow-container-concurrency-zero": "false",
            }
        },
    ),
    Example(
        service(spec__traffic=[{"percent": 100, "tag": "x" * 40}]),
        "spec.traffic[0].tag",
        "its host would begin with 'a-long-",
        configs={"config-network": {"tag-template": "a-long-prefix-for-tags-{{ .Tag }}-{{.Name}}"}},
    ),
]
"""What config maps exclude that are not as they are shipped."""

GATED = {
    "nodeSelector": {"a": "b"},
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [{"maxSkew": 1}],
    "hostAliases": [{"ip": "10.0.0.1"}],
    "runtimeClassName": "fast",
    "securityContext": {"fsGroup": 1},
    "shareProcessNamespace": True,
    "hostIPC": True,
    "hostPID": True,
    "hostNetwork": True,
    "priorityClassName": "high",
    "schedulerName": "mine",
    "tolerations": [{"key": "a"}],
    "dnsPolicy": "None",
    "dnsConfig": {"nameservers": ["10.0.0.1"]},
    "initContainers": [{"image": "a"}],
}
"""Fields of a pod that Knative has behind feature flags, off unless switched."""
GATED_VOLUMES = ("hostPath", "csi", "ephemeral", "image", "persistentVolumeClaim")
UNKNOWN = [
    *((f"spec__template__spec__{field_}", value, f"{POD}.{field_}") for field_, value in GATED.items()),
    *(
        (f"{SPEC}volumes", [{"name": "v", source: {}}], f"{POD}.volumes[0].{source}")
        for source in GATED_VOLUMES
    ),
    (
        C0 + "volumeMounts",
        [{"name": "v", "mountPath": "/v", "mountPropagation": "Bidirectional"}],
        f"{BOX}.volumeMounts[0].mountPropagation",
    ),
    (
        C0 + "securityContext",
        {"capabilities": {"add": ["NET_ADMIN"]}},
        f"{BOX}.securityContext.capabilities.add",
    ),
    (C0 + "imagee", "x", f"{BOX}.imagee"),
    (C0 + "nodePort", 3, f"{BOX}.nodePort"),
    (C0 + "ports__0__hostPort", 80, f"{PORT}.hostPort"),
    (
        C0 + "env",
        [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}],
        f"{BOX}.env[0].valueFrom.fieldRef",
    ),
    ("spec__traffic", [{"percent": 100, "url": "http://x"}], "spec.traffic[0].url"),
]
"""Fields that no schema has: an API server's strict check refuses them, a lax one drops them."""

MAPS = [
    ("config-autoscaler", {"enable-scale-to-zero": "maybe"}, "neither true nor false"),
    ("config-autoscaler", {"allow-zero-initial-scale": "maybe"}, "neither true nor false"),
    *(
        row
        for key in ("initial-scale", "min-scale", "max-scale", "max-scale-limit")
        for row in (
            ("config-autoscaler", {key: "x"}, "is no whole number"),
            ("config-autoscaler", {key: "-1"}, "-1 must be at least 0"),
        )
    ),
    *(
        ("config-autoscaler", {key: "x"}, "is no number")
        for key in (
            "max-scale-up-rate",
            "max-scale-down-rate",
            "container-concurrency-target-percentage",
            "container-concurrency-target-default",
            "requests-per-second-target-default",
            "target-burst-capacity",
            "panic-window-percentage",
            "panic-threshold-percentage",
            "activator-capacity",
        )
    ),
    *(
        ("config-autoscaler", {key: "x"}, "is no duration; write it like 60s")
        for key in (
            "stable-window",
            "scale-to-zero-grace-period",
            "scale-to-zero-pod-retention-period",
            "scale-down-delay",
        )
    ),
    ("config-autoscaler", {"container-concurrency-target-percentage": "0"}, "must be above 0"),
    ("config-autoscaler", {"initial-scale": "0"}, "0 needs allow-zero-initial-scale: true"),
    ("config-autoscaler", {"min-scale": "3", "max-scale": "2"}, "3 is more than max-scale, 2"),
    ("config-autoscaler", {"max-scale": "6", "max-scale-limit": "5"}, "between 1 and max-scale-limit, 5"),
    ("config-autoscaler", {"max-scale-up-rate": "1"}, "1 must be more than 1"),
    ("config-autoscaler", {"max-scale-down-rate": "1"}, "1 must be more than 1"),
    ("config-autoscaler", {"container-concurrency-target-default": "0"}, "must be at least 0.01"),
    ("config-autoscaler", {"requests-per-second-target-default": "0"}, "must be at least 0.01"),
    ("config-autoscaler", {"target-burst-capacity": "-2"}, "at least 0, or -1 for no limit"),
    ("config-autoscaler", {"activator-capacity": "0"}, "must be at least 1"),
    ("config-autoscaler", {"stable-window": "5s"}, "must be between 6s and 1h"),
    ("config-autoscaler", {"stable-window": "6.5s"}, "must be whole seconds"),
    ("config-autoscaler", {"scale-down-delay": "6.5s"}, "must be whole seconds"),
    ("config-autoscaler", {"scale-down-delay": "-1s"}, "must not be negative"),
    ("config-autoscaler", {"panic-window-percentage": "0.5"}, "must be between 1 and 100"),
    ("config-autoscaler", {"scale-to-zero-grace-period": "0s"}, "must be more than 0"),
    ("config-autoscaler", {"scale-to-zero-pod-retention-period": "-1s"}, "must not be negative"),
    *(
        row
        for key in (
            "revision-timeout-seconds",
            "max-revision-timeout-seconds",
            "revision-response-start-timeout-seconds",
            "revision-idle-timeout-seconds",
            "container-concurrency",
        )
        for row in (
            ("config-defaults", {key: "x"}, "is not a whole number"),
            ("config-defaults", {key: "-1"}, "-1 is less than 0"),
        )
    ),
    ("config-defaults", {"container-concurrency-max-limit": "x"}, "is not a whole number"),
    ("config-defaults", {"container-concurrency-max-limit": "0"}, "0 is less than 1"),
    ("config-defaults", {"allow-container-concurrency-zero": "maybe"}, "is not true or false"),
    *(
        ("config-defaults", {f"revision-{resource}-{bound}": "lots"}, "is not a quantity")
        for resource in ("cpu", "memory", "ephemeral-storage")
        for bound in ("request", "limit")
    ),
    ("config-defaults", {"container-name-template": "{{.Nmae}}"}, "is not understood; use {{.Name}}"),
    ("config-defaults", {"revision-timeout-seconds": "601"}, "more than max-revision-timeout-seconds, 600"),
    ("config-defaults", {"revision-idle-timeout-seconds": "301"}, "more than revision-timeout-seconds, 300"),
    ("config-defaults", {"revision-response-start-timeout-seconds": "301"}, "revision-timeout-seconds, 300"),
    ("config-defaults", {"container-concurrency": "1001"}, "more than container-concurrency-max-limit"),
    (
        "config-defaults",
        {"container-concurrency": "0", "allow-container-concurrency-zero": "false"},
        "0 is excluded by allow-container-concurrency-zero",
    ),
    ("config-deployment", {"progress-deadline": "0s"}, "must be more than 0"),
    ("config-deployment", {"progress-deadline": "1500ms"}, "must be whole seconds"),
    ("config-deployment", {"progress-deadline": "x"}, "is not a duration like"),
    ("config-deployment", {"runtime-class-name": "x"}, "runtime classes are not supported"),
    ("config-deployment", {"default-affinity-type": "spread"}, "is none of"),
    ("config-deployment", {"pod-is-always-schedulable": "maybe"}, "is not true or false"),
    ("config-deployment", {"automount-service-account-token": "maybe"}, "is not true or false"),
    ("config-deployment", {"pre-stop-sleep-seconds": "-1"}, "-1 is less than 0"),
    ("config-deployment", {"pre-stop-sleep-seconds": "x"}, "is not a whole number"),
    ("config-domain", {"-bad-": ""}, "is no domain name"),
    ("config-domain", {"example.com": "selector: [1]"}, "its value is not understood"),
    ("config-domain", {"example.com": "internal"}, "its value is not understood"),
    ("config-domain", {"example.org": "selector: internal"}, "its value is not understood"),
    ("config-domain-claims", {"www.shop.org": "two words"}, "is no namespace"),
    ("config-domain-claims", {"-www-": "shop"}, "is no host name"),
    ("config-features", {"kubernetes.podspec-nodeselector": "Enabled"}, "is not supported"),
    ("config-features", {"multi-container-probing": "allowed"}, "is not supported"),
    ("config-gc", {"retain-since-create-time": "-1h"}, "must be at least 0"),
    ("config-gc", {"retain-since-last-active-time": "-1h"}, "must be at least 0"),
    ("config-gc", {"retain-since-create-time": "x"}, "is not a duration like"),
    ("config-gc", {"retain-since-last-active-time": "x"}, "is not a duration like"),
    ("config-gc", {"min-non-active-revisions": "2000"}, "is more than max-non-active-revisions, 1000"),
    ("config-gc", {"min-non-active-revisions": "x"}, "is not a whole number"),
    ("config-gc", {"min-non-active-revisions": "-1"}, "-1 is less than 0"),
    ("config-gc", {"max-non-active-revisions": "x"}, "is not a whole number"),
    ("config-gc", {"max-non-active-revisions": "-1"}, "-1 is less than 0"),
    ("config-network", {"domain-template": "{{.Name}}.{{.Domain}}"}, "could give one host to two"),
    ("config-network", {"domain-template": "{{.Name}}.{{.Domain}}.{{.Namespace}}"}, "could give one host"),
    ("config-network", {"domain-template": "{{.Name}}-{{.Namespace}}.{{.Domain}}"}, "could give one host"),
    ("config-network", {"domain-template": "{{.Namespace}}.{{.Domain}}"}, "must contain {{.Name}}"),
    ("config-network", {"domain-template": "{{.Name}}.{{.Namespace}}.{{.Domain}}/x"}, "without a path"),
    ("config-network", {"domain-template": "{{.Title}}.{{.Namespace}}"}, "is not understood; use {{.Name}}"),
    ("config-network", {"tag-template": "{{.Name}}"}, "must contain {{.Tag}}"),
    ("config-network", {"tag-template": "{{.Tag}}.{{.Name}}"}, "may contain no dot"),
    ("config-network", {"tag-template": "{{.Tag}}-{{.Domain}}"}, "is not understood; use {{.Tag}}"),
    ("config-network", {"rollout-duration": "x"}, "is not a whole number"),
    ("config-network", {"rollout-duration": "-1"}, "-1 is less than 0"),
    ("config-network", {"default-external-scheme": "ftp"}, "is none of http, https"),
    *(
        ("config-network", {key: "redirected"}, "is supported; ")
        for key in (
            "external-domain-tls",
            "auto-tls",
            "cluster-local-domain-tls",
            "system-internal-tls",
            "http-protocol",
        )
    ),
    ("config-observability", {"logging.enable-request-log": "maybe"}, "is not true or false"),
]
"""Data of the system's config maps; the refused key is the first."""


def config_map(name: str, data: dict[str, str]) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": SYSTEM},
        "data": data,
    }


BY_ITSELF = [
    *(Example(service(**{path: value}), field_, message) for path, value, field_, message in FIELDS),
    *PROBES,
    *(Example(service(spec__traffic=entries), path, message) for entries, path, message in TRAFFIC),
    *(Example(annotated(**values), NOTE + key, message) for values, key, message in NOTES),
    *(Example(noted(**{key: text}), f"{ANNOTATIONS}.{key}", message) for key, text, message in OTHER_NOTES),
    *SEVERAL,
    *OTHER_KINDS,
]
"""Creations that the maps as shipped refuse."""
OF_MAPS = [
    Example(config_map(name, data), f"data.{next(iter(data))}", message, CONFIGMAPS)
    for name, data, message in MAPS
]

RICH = """
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: rich
  namespace: default
  labels: {networking.knative.dev/visibility: cluster-local}
  annotations: {serving.knative.dev/rollout-duration: 2m}
spec:
  template:
    metadata:
      name: rich-one
      creationTimestamp: null
      annotations:
        autoscaling.knative.dev/class: kpa.autoscaling.knative.dev
        autoscaling.knative.dev/metric: rps
        autoscaling.knative.dev/target: "0.01"
        autoscaling.knative.dev/targetUtilizationPercentage: "100"
        autoscaling.knative.dev/target-burst-capacity: "-1"
        autoscaling.knative.dev/window: 6s
        autoscaling.knative.dev/panic-window-percentage: "1.5"
        autoscaling.knative.dev/panic-threshold-percentage: "110"
        autoscaling.knative.dev/min-scale: "1"
        autoscaling.knative.dev/max-scale: "5"
        autoscaling.knative.dev/activation-scale: "2"
        autoscaling.knative.dev/initial-scale: "3"
        autoscaling.knative.dev/scale-down-delay: 1h
        autoscaling.knative.dev/scale-to-zero-pod-retention-period: 1.5s
        autoscaling.knative.dev/metric-aggregation-algorithm: weighted-exponential
        autoscaling.knative.dev/something-new: whatever
        serving.knative.dev/progress-deadline: 120s
        queue.sidecar.serving.knative.dev/cpu-resource-limit: 100m
        queue.sidecar.serving.knative.dev/resource-percentage: "0.1"
    spec:
      serviceAccountName: runner
      containerConcurrency: 1000
      timeoutSeconds: 600
      responseStartTimeoutSeconds: 600
      idleTimeoutSeconds: 0
      volumes:
      - {name: settings, configMap: {name: c}}
      - {name: scratch, emptyDir: {sizeLimit: 1Mi}}
      containers:
      - name: web
        image: registry.example.com/team/hello@sha256:0123456789abcdef
        command: [serve]
        ports: [{name: h2c, containerPort: 65535, protocol: TCP}]
        env:
        - {name: A.b-c_d, value: ""}
        - {name: FROM, valueFrom: {secretKeyRef: {name: s, key: k}}}
        resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {cpu: 1, memory: 64Mi}}
        volumeMounts:
        - {name: settings, mountPath: /settings, readOnly: true}
        - {name: scratch, mountPath: /scratch, readOnly: false}
        readinessProbe: {periodSeconds: 0, httpGet: {path: /up, port: 0, scheme: HTTP}}
        livenessProbe: {tcpSocket: {port: 65535}, periodSeconds: 5, failureThreshold: 2, successThreshold: 1}
        startupProbe: {exec: {command: ["true"]}}
        lifecycle: {preStop: {exec: {command: [sleep, "1"]}}}
      - name: side
        image: side
        env: [{name: PORT, value: "1"}]
        volumeMounts: [{name: scratch, mountPath: /scratch}]
  traffic:
  - {revisionName: rich-zero, percent: 80, tag: old}
  - {percent: 20, tag: new, latestRevision: true}
  - {tag: next}
"""
GOOD = [
    service(),
    yaml.safe_load(RICH),
    service(spec__traffic=[{"percent": 100, "revisionName": "gone-00009"}]),
    service(spec__traffic=[{"percent": 100}, {"tag": "next", "latestRevision": True}]),
    annotated(**{"class": "mine.example.com", "metric": "queue-length"}),
    annotated(min_scale="1", max_scale="0", initial_scale="3"),
    service(**{C0 + "readinessProbe": {"periodSeconds": 5}}),
    two(),
    route({"percent": 100, "configurationName": "c"}),
    revision(),
]
"""What is taken."""
GOOD_MAPS = [
    ("config-autoscaler", {"stable-window": "1m30s", "max-scale": "5", "max-scale-limit": "5"}),
    ("config-autoscaler", {"container-concurrency-target-percentage": "0.7", "target-burst-capacity": "-1"}),
    ("config-defaults", {"revision-timeout-seconds": "600", "container-name-template": "c-{{.Name}}"}),
    ("config-defaults", {"revision-cpu-request": "100m", "container-concurrency": "1000"}),
    ("config-deployment", {"progress-deadline": "5m", "default-affinity-type": "none"}),
    ("config-domain", {"example.org": "selector:\n  app: shop\n"}),
    ("config-domain", {"example.org": "{selector: {app: shop}}", "shop.example.com": "# all of them\n"}),
    ("config-domain-claims", {"www.shop.org": "shop"}),
    ("config-features", {"multi-container": "disabled", "kubernetes.podspec-nodeselector": "disabled"}),
    ("config-features", {"tag-header-based-routing": "Enabled"}),
    ("config-gc", {"max-non-active-revisions": "disabled", "retain-since-create-time": "disabled"}),
    (
        "config-network",
        {"domain-template": "{{.Name}}-x.{{.Namespace}}.{{.Domain}}"},
    ),
    ("config-network", {"domain-template": '{{.Name}}.{{.Namespace}}.{{index .Labels "zone"}}.{{.Domain}}'}),
    ("config-network", {"tag-template": "{{ .Name }}-{{ .Tag }}"}),
    ("config-observability", {"logging.enable-request-log": "true"}),
]
