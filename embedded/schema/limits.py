"""What Kubernetes refuses in its own kinds beyond JSON types; messages as its API server words them."""

import json
from collections.abc import Iterator
from typing import Any

from embedded.schema import naming
from embedded.schema.configs import config_map_problems, secret_problems
from embedded.schema.types import FieldProblem, joined
from kube.objects import Obj

_PROBES = ("readinessProbe", "livenessProbe", "startupProbe")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_CHANGEABLE = frozenset(
    {"activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates"}
)


def built_in_problems(kind: str, obj: Obj, old: Obj | None) -> Iterator[FieldProblem]:
    """The problems of a built-in kind's object whose JSON types are right."""
    metadata = obj.get("metadata") or {}
    if metadata.get("labels") and metadata.get("labels") != ((old or {}).get("metadata") or {}).get("labels"):
        yield from labels(metadata["labels"], "metadata.labels")
    if kind == "ConfigMap":
        yield from config_map_problems(obj, old)
    elif kind == "Secret":
        yield from secret_problems(obj, old)
    spec, before = obj.get("spec") or {}, (old or {}).get("spec") or {}
    if old is not None and spec == before:
        return
    if kind in ("Deployment", "ReplicaSet"):
        yield from _replicated(kind, spec, before)
    elif kind == "Pod":
        yield from pod_spec(spec, "spec") if old is None else _changed_pod(spec, before)
    elif kind == "Service":
        for index, port in enumerate(spec.get("ports") or ()):
            yield from _range(port.get("port"), f"spec.ports[{index}].port", 1, 65535)


def labels(found: dict[str, str], path: str) -> Iterator[FieldProblem]:
    """Label values that no selector could name."""
    for value in found.values():
        for words in naming.label_value(value):
            yield FieldProblem(path, f'Invalid value: "{value}": {words}')


def _replicated(kind: str, spec: Obj, before: Obj) -> Iterator[FieldProblem]:
    yield from _at_least_zero(spec, "spec", "replicas", "revisionHistoryLimit", "minReadySeconds")
    if all(spec.get(part) == before.get(part) for part in ("template", "selector", "strategy")):
        return
    yield from _selected(kind, spec)
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate" and strategy.get("rollingUpdate"):
        message = "Forbidden: may not be specified when strategy `type` is 'Recreate'"
        yield FieldProblem("spec.strategy.rollingUpdate", message)
    pod = (spec.get("template") or {}).get("spec") or {}
    yield from _one_of(pod.get("restartPolicy", "Always"), "spec.template.spec.restartPolicy", "Always")
    yield from pod_spec(pod, "spec.template.spec")
    selector = spec.get("selector")
    if before and selector != before.get("selector"):
        yield FieldProblem("spec.selector", f"Invalid value: {_shown(selector)}: field is immutable")


def _selected(kind: str, spec: Obj) -> Iterator[FieldProblem]:
    """The selector, and whether it finds the pods of the template."""
    selector = spec.get("selector") or {}
    if spec.get("selector") is None:
        yield FieldProblem("spec.selector", "Required value")
    elif not selector.get("matchLabels") and not selector.get("matchExpressions"):
        what = "deployment" if kind == "Deployment" else "replicaset"
        yield FieldProblem("spec.selector", f"Invalid value: {{}}: empty selector is invalid for {what}")
    template = spec.get("template") or {}
    found = (template.get("metadata") or {}).get("labels")
    yield from labels(found or {}, "spec.template.metadata.labels")
    wanted = selector.get("matchLabels") or {}
    if spec.get("selector") is None or not wanted.items() <= (found or {}).items():
        message = f"Invalid value: {_shown(found)}: `selector` does not match template `labels`"
        yield FieldProblem("spec.template.metadata.labels", message)


def _changed_pod(spec: Obj, before: Obj) -> Iterator[FieldProblem]:
    """A pod runs what it was made for: only images and limits of time may change, a node is given once."""

    def fixed(pod: Obj) -> Obj:
        kept = {key: value for key, value in pod.items() if key not in _CHANGEABLE}
        for group in ("containers", "initContainers"):
            kept[group] = [{**entry, "image": ""} for entry in pod.get(group) or ()]
        if not before.get("nodeName"):
            kept.pop("nodeName", None)
        return kept

    if fixed(spec) != fixed(before):
        yield FieldProblem(
            "spec",
            "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions "
            "to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it "
            "was previously negative)",
        )


def pod_spec(spec: Obj, path: str) -> Iterator[FieldProblem]:
    """The problems of a pod's or a template's spec found at `path`."""
    if not spec.get("containers"):
        yield FieldProblem(f"{path}.containers", "Required value")
    yield from _one_of(
        spec.get("restartPolicy", "Always"), f"{path}.restartPolicy", "Always", "OnFailure", "Never"
    )
    yield from _at_least_zero(spec, path, "terminationGracePeriodSeconds")
    volumes = {volume.get("name") for volume in spec.get("volumes") or ()}
    seen: set[str] = set()
    for group in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(group) or ()):
            where = f"{path}.{group}[{index}]"
            yield from _container(container, where, volumes)
            if container.get("name") in seen:
                yield FieldProblem(f"{where}.name", f'Duplicate value: "{container["name"]}"')
            seen.add(container.get("name", ""))


def _container(container: Obj, path: str, volumes: set[Any]) -> Iterator[FieldProblem]:
    name = container.get("name") or ""
    if not name:
        yield FieldProblem(f"{path}.name", "Required value")
    for words in naming.label(name) if name else ():
        yield FieldProblem(f"{path}.name", f'Invalid value: "{name}": {words}')
    if not container.get("image"):
        yield FieldProblem(f"{path}.image", "Required value")
    policy = container.get("imagePullPolicy", "Always")
    yield from _one_of(policy, f"{path}.imagePullPolicy", "Always", "IfNotPresent", "Never")
    yield from _container_lists(container, path, volumes)
    for key in _PROBES:
        if container.get(key) is not None:
            yield from _probe(container[key], joined(path, key))


def _container_lists(container: Obj, path: str, volumes: set[Any]) -> Iterator[FieldProblem]:
    for index, port in enumerate(container.get("ports") or ()):
        yield from _range(port.get("containerPort"), f"{path}.ports[{index}].containerPort", 1, 65535)
        yield from _one_of(
            port.get("protocol", "TCP"), f"{path}.ports[{index}].protocol", "SCTP", "TCP", "UDP"
        )
    for index, variable in enumerate(container.get("env") or ()):
        if not variable.get("name"):
            yield FieldProblem(f"{path}.env[{index}].name", "Required value")
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        if mount.get("name") not in volumes:
            yield FieldProblem(f"{path}.volumeMounts[{index}].name", f'Not found: "{mount.get("name", "")}"')


def _probe(probe: Obj, path: str) -> Iterator[FieldProblem]:
    handlers = [key for key in _HANDLERS if probe.get(key) is not None]
    if not handlers:
        yield FieldProblem(path, "Required value: must specify a handler type")
    for extra in handlers[1:]:
        yield FieldProblem(joined(path, extra), "Forbidden: may not specify more than 1 handler type")
    yield from _at_least_zero(
        probe, path, "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "failureThreshold"
    )


def _at_least_zero(obj: Obj, path: str, *keys: str) -> Iterator[FieldProblem]:
    for key in keys:
        value = obj.get(key)
        if value is not None and value < 0:
            yield FieldProblem(f"{path}.{key}", f"Invalid value: {value}: must be greater than or equal to 0")


def _range(value: Any, path: str, low: int, high: int) -> Iterator[FieldProblem]:
    if value is None:
        yield FieldProblem(path, "Required value")
    elif not low <= value <= high:
        yield FieldProblem(path, f"Invalid value: {value}: must be between {low} and {high}, inclusive")


def _one_of(value: str, path: str, *allowed: str) -> Iterator[FieldProblem]:
    if value not in allowed:
        names = ", ".join(f'"{entry}"' for entry in allowed)
        yield FieldProblem(path, f'Unsupported value: "{value}": supported values: {names}')


def _shown(value: dict[str, Any] | None) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
