"""What data plane and autoscaler read off a scale target.

A scale target is a Deployment that carries the label ``zerogate.dev/scale: "true"``. All they need stands
on it as labels and annotations, so a Deployment that the controller made and one that a user wrote are read
alike. Content is never an error here: an annotation that does not parse is listed in ``problems`` and its
default holds, as Knative does at run time (Knative, pkg/apis/autoscaling).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from kube.duration import parse_duration
from kube.objects import Key, Obj, annotations, labels, name, namespace, uid
from serving.reading import mapping, mappings, whole

SCALE_LABEL = "zerogate.dev/scale"
REVISION_LABEL = "serving.knative.dev/revision"
REVISION_UID_LABEL = "serving.knative.dev/revisionUID"
CONFIGURATION_LABEL = "serving.knative.dev/configuration"
SERVICE_LABEL = "serving.knative.dev/service"

AUTOSCALING_PREFIX = "autoscaling.knative.dev/"
CONTAINER_CONCURRENCY_ANNOTATION = "zerogate.dev/container-concurrency"
TIMEOUT_ANNOTATION = "zerogate.dev/timeout-seconds"
RESPONSE_START_TIMEOUT_ANNOTATION = "zerogate.dev/response-start-timeout-seconds"
IDLE_TIMEOUT_ANNOTATION = "zerogate.dev/idle-timeout-seconds"
MAX_HELD_REQUESTS_ANNOTATION = "zerogate.dev/max-held-requests"
MAX_HELD_BYTES_ANNOTATION = "zerogate.dev/max-held-bytes"
UPGRADES_ANNOTATION = "zerogate.dev/upgrades"
UPGRADE_IDLE_TIMEOUT_ANNOTATION = "zerogate.dev/upgrade-idle-timeout-seconds"
HALF_CLOSE_ANNOTATION = "zerogate.dev/half-close"
HOST_ANNOTATION = "zerogate.dev/host"
PORT_ANNOTATION = "zerogate.dev/port"
GIVEN_UP_ANNOTATION = "zerogate.dev/given-up"
REACHABLE_ANNOTATION = "zerogate.dev/reachable"
PROGRESS_DEADLINE_ANNOTATION = "serving.knative.dev/progress-deadline"

BLIND = f'the pod template lacks the label {SCALE_LABEL}: "true", so its pods are not seen here; add it'
"""What to say of a target that is blind."""

DEFAULT_PORT = 8080
DEFAULT_TIMEOUT = 300.0
DEFAULT_GRACE_PERIOD = 30
"""Seconds of a pod that names none (Kubernetes' DefaultTerminationGracePeriodSeconds)."""
DEFAULT_PROGRESS_DEADLINE = 600.0
DEFAULT_UPGRADE_IDLE_TIMEOUT = 3600.0
DEFAULT_MAX_HELD_REQUESTS = 10_000
DEFAULT_MAX_HELD_BYTES = 64 << 20
SERVING_PORT_NAMES = ("h2c", "http1", "user-port", "http")
"""Port names that mark the port which serves requests; the first port counts when none has such a name."""

OLD_SPELLINGS: Mapping[str, str] = {
    "targetUtilizationPercentage": "target-utilization-percentage",
    "targetBurstCapacity": "target-burst-capacity",
    "panicWindowPercentage": "panic-window-percentage",
    "panicThresholdPercentage": "panic-threshold-percentage",
    "minScale": "min-scale",
    "maxScale": "max-scale",
    "initialScale": "initial-scale",
    "scaleDownDelay": "scale-down-delay",
    "scaleToZeroPodRetentionPeriod": "scale-to-zero-pod-retention-period",
    "metricAggregationAlgorithm": "metric-aggregation-algorithm",
}
"""Autoscaling annotations that Knative once spelled otherwise → how they are spelled today."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Probe:
    """How to find out whether a pod answers.

    ``kind`` "none" means that no readiness probe is declared: a TCP connect to ``port`` has to do. With
    ``trusted_early`` False only Kubernetes' Ready counts, because nobody but the kubelet can run the probe.
    """

    kind: Literal["tcp", "http", "exec", "grpc", "none"]
    path: str
    headers: tuple[tuple[str, str], ...]
    port: int
    scheme: str
    trusted_early: bool


@dataclass(frozen=True, slots=True)
class ScaleTarget:
    """One revision as data plane and autoscaler see it. Durations are seconds; optional ones are off at 0."""

    namespace: str
    revision: str
    deployment: str
    uid: str
    replicas: int
    ready_replicas: int
    host: str
    port: int
    protocol: Literal["http1", "h2c"]
    container_concurrency: int
    timeout: float
    response_start_timeout: float
    idle_timeout: float
    progress_deadline: float
    given_up: str
    reachable: bool
    is_plain: bool
    service: str
    configuration: str
    autoscaling: Mapping[str, str]
    pod_selector: Mapping[str, str]
    probe: Probe
    problems: tuple[str, ...]
    created: str = ""
    is_blind: bool = False
    """A plain Deployment whose pod template lacks the label: its pods are seen by nobody here."""
    upgrades: frozenset[bytes] = frozenset((b"websocket",))
    """Protocols that a connection may switch to, in lower case."""
    upgrade_idle_timeout: float = DEFAULT_UPGRADE_IDLE_TIMEOUT
    half_close: bool = False
    """Whether a client that has sent its request and then closed its sending side still gets the response."""
    max_held_requests: int = DEFAULT_MAX_HELD_REQUESTS
    max_held_bytes: int = DEFAULT_MAX_HELD_BYTES
    """What may wait for its pods in one activator."""

    @property
    def key(self) -> Key:
        return (self.namespace, self.revision)


def scale_target(deployment: Obj) -> ScaleTarget:
    """Read a Deployment; whatever it contains, the result is usable."""
    reader = _Reader(annotations(deployment))
    spec = mapping(deployment.get("spec"))
    pod = mapping(mapping(spec.get("template")).get("spec"))
    containers = mappings(pod.get("containers"))
    container, port, protocol = _serving_port(containers, reader)
    marks = labels(deployment)
    revision = marks.get(REVISION_LABEL, "")
    return ScaleTarget(
        namespace=namespace(deployment),
        revision=revision or name(deployment),
        deployment=name(deployment),
        uid=uid(deployment),
        replicas=whole(spec.get("replicas"), 1),
        ready_replicas=whole(mapping(deployment.get("status")).get("readyReplicas"), 0),
        host=reader.values.get(HOST_ANNOTATION, "").strip().lower() if not revision else "",
        port=port,
        protocol=protocol,
        container_concurrency=reader.whole(CONTAINER_CONCURRENCY_ANNOTATION, 0, lowest=0),
        timeout=reader.seconds(TIMEOUT_ANNOTATION, DEFAULT_TIMEOUT, can_be_off=False),
        response_start_timeout=reader.seconds(RESPONSE_START_TIMEOUT_ANNOTATION, 0.0),
        idle_timeout=reader.seconds(IDLE_TIMEOUT_ANNOTATION, 0.0),
        progress_deadline=reader.duration(
            PROGRESS_DEADLINE_ANNOTATION,
            float(whole(spec.get("progressDeadlineSeconds"), int(DEFAULT_PROGRESS_DEADLINE))),
        ),
        given_up=reader.values.get(GIVEN_UP_ANNOTATION, ""),
        reachable=reader.values.get(REACHABLE_ANNOTATION, "true") != "false",
        is_plain=not revision,
        service=marks.get(SERVICE_LABEL, ""),
        configuration=marks.get(CONFIGURATION_LABEL, ""),
        autoscaling=autoscaling_annotations(reader.values),
        pod_selector=_pod_selector(spec, reader),
        probe=_probe(container, containers, pod, port),
        upgrades=_upgrades(reader),
        upgrade_idle_timeout=reader.seconds(UPGRADE_IDLE_TIMEOUT_ANNOTATION, DEFAULT_UPGRADE_IDLE_TIMEOUT),
        half_close=reader.flag(HALF_CLOSE_ANNOTATION, default=False),
        max_held_requests=reader.whole(MAX_HELD_REQUESTS_ANNOTATION, DEFAULT_MAX_HELD_REQUESTS, lowest=0),
        max_held_bytes=reader.whole(MAX_HELD_BYTES_ANNOTATION, DEFAULT_MAX_HELD_BYTES, lowest=0),
        problems=tuple(reader.problems),
        created=str(mapping(deployment.get("metadata")).get("creationTimestamp") or ""),
        is_blind=not revision and not _is_marked(mapping(spec.get("template"))),
    )


def waits_for_requests(pod: Obj) -> bool:
    """Whether a pod (its spec) waits with SIGTERM for its last request: a preStop sleeps for the whole grace
    period, so that a shorter one takes no time from a program that ends on SIGTERM.
    """
    grace = whole(pod.get("terminationGracePeriodSeconds"), DEFAULT_GRACE_PERIOD)
    sleeps = (
        mapping(mapping(mapping(each.get("lifecycle")).get("preStop")).get("sleep"))
        for each in mappings(pod.get("containers"))
    )
    return any(whole(each.get("seconds"), 0) >= grace for each in sleeps)


def _is_marked(template: Obj) -> bool:
    return mapping(mapping(template.get("metadata")).get("labels")).get(SCALE_LABEL) == "true"


def autoscaling_annotations(values: Mapping[str, str]) -> dict[str, str]:
    """Autoscaling annotations without their prefix, in today's spelling; that wins where both are given."""
    found = {
        key.removeprefix(AUTOSCALING_PREFIX): value
        for key, value in values.items()
        if key.startswith(AUTOSCALING_PREFIX)
    }
    renamed = {OLD_SPELLINGS[key]: value for key, value in found.items() if key in OLD_SPELLINGS}
    return renamed | {key: value for key, value in found.items() if key not in OLD_SPELLINGS}


class _Reader:
    """Annotations as numbers; what does not parse is noted and its default taken."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self.problems: list[str] = []

    def whole(self, key: str, default: int, *, lowest: int, highest: int | None = None) -> int:
        def parse(text: str) -> int:
            number = int(text)
            if number < lowest or (highest is not None and number > highest):
                raise ValueError
            return number

        limits = f"of at least {lowest}" if highest is None else f"from {lowest} to {highest}"
        return self._read(key, default, parse, f"a whole number {limits}")

    def seconds(self, key: str, default: float, *, can_be_off: bool = True) -> float:
        def parse(text: str) -> float:
            number = float(text)
            if not math.isfinite(number) or number < 0 or (number == 0 and not can_be_off):
                raise ValueError
            return number

        return self._read(key, default, parse, "a number of seconds")

    def flag(self, key: str, *, default: bool) -> bool:
        def parse(text: str) -> bool:
            if text not in {"true", "false"}:
                raise ValueError
            return text == "true"

        return self._read(key, default, parse, '"true" or "false"')

    def duration(self, key: str, default: float) -> float:
        def parse(text: str) -> float:
            number = parse_duration(text)
            if number < 0:
                raise ValueError
            return number

        return self._read(key, default, parse, 'a duration like "1m30s"')

    def _read(self, key: str, default: T, parse: Callable[[str], T], wanted: str) -> T:
        text = self.values.get(key)
        if text is None:
            return default
        try:
            return parse(text)
        except ValueError:
            used = str(default).lower() if isinstance(default, bool) else default
            self.problems.append(f"{key}: {text!r} is not {wanted}; {used} is used")
            return default


def _serving_port(containers: list[Obj], reader: _Reader) -> tuple[Obj, int, Literal["http1", "h2c"]]:
    """The container that serves requests, its port and the protocol that the port's name tells."""
    ports = [(each, port) for each in containers for port in mappings(each.get("ports")) if _is_tcp(port)]
    named = [(each, port) for each, port in ports if port.get("name") in SERVING_PORT_NAMES]
    container, port = (named or ports or [((containers or [{}])[0], {})])[0]
    number = reader.whole(
        PORT_ANNOTATION, whole(port.get("containerPort"), DEFAULT_PORT), lowest=1, highest=65535
    )
    for other, declared in ports:
        if declared.get("containerPort") == number:
            container, port = other, declared
            break
    return container, number, "h2c" if port.get("name") == "h2c" else "http1"


def _upgrades(reader: _Reader) -> frozenset[bytes]:
    """WebSocket, and the protocols that are listed."""
    listed = reader.values.get(UPGRADES_ANNOTATION, "").lower().encode().replace(b",", b" ").split()
    return frozenset((b"websocket", *listed))


def _is_tcp(port: Obj) -> bool:
    return bool(port.get("protocol", "TCP") == "TCP")


def _pod_selector(spec: Obj, reader: _Reader) -> dict[str, str]:
    selector = mapping(spec.get("selector"))
    if selector.get("matchExpressions"):
        reader.problems.append("spec.selector.matchExpressions is not read; only matchLabels counts")
    return {str(key): str(value) for key, value in mapping(selector.get("matchLabels")).items()}


def _probe(container: Obj, containers: list[Obj], pod: Obj, port: int) -> Probe:
    """The serving container's readiness probe, and whether anybody but the kubelet can run it.

    A pod is ready when all its containers are, so a start-up probe or a readiness probe of another container
    also leaves the word to Kubernetes (Knative, pkg/activator/net/revision_backends.go).
    """
    declared = mapping(container.get("readinessProbe"))
    helpers = mappings(pod.get("initContainers"))
    others = [each for each in containers if each is not container]
    early = not any(each.get("startupProbe") for each in [*containers, *helpers])
    early = early and not any(each.get("readinessProbe") for each in others)
    if "httpGet" in declared:
        get = mapping(declared["httpGet"])
        headers = tuple(
            (str(each.get("name", "")), str(each.get("value", "")))
            for each in mappings(get.get("httpHeaders"))
        )
        number = _port_number(get.get("port"), container, port)
        scheme = str(get.get("scheme") or "HTTP").lower()
        return Probe(
            "http", str(get.get("path") or "/"), headers, number, scheme, early and not get.get("host")
        )
    if "tcpSocket" in declared:
        socket = mapping(declared["tcpSocket"])
        number = _port_number(socket.get("port"), container, port)
        return Probe("tcp", "", (), number, "", early and not socket.get("host"))
    if "exec" in declared:
        return Probe("exec", "", (), port, "", trusted_early=False)
    if "grpc" in declared:
        number = _port_number(mapping(declared["grpc"]).get("port"), container, port)
        return Probe("grpc", "", (), number, "", trusted_early=False)
    return Probe("none", "", (), port, "", early)


def _port_number(value: Any, container: Obj, default: int) -> int:
    """A probe's port: a number, the name of one of the container's ports, or (0, absent) the serving port."""
    if isinstance(value, str):
        for port in mappings(container.get("ports")):
            if port.get("name") == value:
                return whole(port.get("containerPort"), default)
        value = int(value) if value.isdecimal() else 0
    return whole(value, 0) or default
