"""What Kubernetes refuses in a pod's spec, and in a template's."""

from collections.abc import Iterator
from typing import Any

from embedded.schema import naming
from embedded.schema.rules import at_least_zero, in_range, named, one_handler, one_of, port, unique
from embedded.schema.types import FieldProblem
from kube.objects import Obj
from kube.quantity import parse_quantity

_PROBES = ("readinessProbe", "livenessProbe", "startupProbe")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOKS = ("exec", "httpGet", "tcpSocket", "sleep")


def pod_spec(spec: Obj, path: str) -> Iterator[FieldProblem]:
    """The problems of a pod's or a template's spec found at `path`."""
    volumes = spec.get("volumes") or ()
    names = [volume.get("name") or "" for volume in volumes]
    yield from unique((f"{path}.volumes[{index}].name", name) for index, name in enumerate(names))
    for index, volume in enumerate(volumes):
        yield from _volume(volume, f"{path}.volumes[{index}]")
    if not spec.get("containers"):
        yield FieldProblem(f"{path}.containers", "Required value")
    grace = spec.get("terminationGracePeriodSeconds")
    seen = []
    for group in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(group) or ()):
            where = f"{path}.{group}[{index}]"
            yield from _container(container, where, set(names), 30 if grace is None else grace)
            seen.append((f"{where}.name", container.get("name") or ""))
    yield from unique(seen)
    policy = spec.get("restartPolicy", "Always")
    yield from one_of(policy, f"{path}.restartPolicy", "Always", "OnFailure", "Never")
    dns = spec.get("dnsPolicy", "ClusterFirst")
    known = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
    yield from one_of(dns, f"{path}.dnsPolicy", *known)
    yield from at_least_zero(spec, path, "terminationGracePeriodSeconds")


def _volume(volume: Obj, path: str) -> Iterator[FieldProblem]:
    name = volume.get("name") or ""
    if not name:
        yield FieldProblem(f"{path}.name", "Required value")
    else:
        yield from named(name, f"{path}.name", naming.label)
    kinds = sorted((key for key in volume if key != "name"), key=lambda kind: kind != "emptyDir")
    for extra in kinds[1:]:
        yield FieldProblem(f"{path}.{extra}", "Forbidden: may not specify more than 1 volume type")


def _container(container: Obj, path: str, volumes: set[str], grace: int) -> Iterator[FieldProblem]:
    name = container.get("name") or ""
    if not name:
        yield FieldProblem(f"{path}.name", "Required value")
    else:
        yield from named(name, f"{path}.name", naming.label)
    if not container.get("image"):
        yield FieldProblem(f"{path}.image", "Required value")
    policy = container.get("imagePullPolicy", "Always")
    yield from one_of(policy, f"{path}.imagePullPolicy", "Always", "IfNotPresent", "Never")
    yield from _ports(container, path)
    yield from _environment(container, path)
    yield from _mounts(container, path, volumes)
    yield from _resources(container.get("resources") or {}, f"{path}.resources")
    for key in _PROBES:
        if container.get(key) is not None:
            yield from _probe(container[key], f"{path}.{key}", is_readiness=key == "readinessProbe")
    for key, hook in (container.get("lifecycle") or {}).items():
        if key in ("preStop", "postStart") and hook is not None:
            yield from _hook(hook, f"{path}.lifecycle.{key}", grace)


def _ports(container: Obj, path: str) -> Iterator[FieldProblem]:
    ports = container.get("ports") or ()
    for index, each in enumerate(ports):
        where = f"{path}.ports[{index}]"
        if each.get("name"):
            yield from named(each["name"], f"{where}.name", naming.port)
        if not each.get("containerPort"):
            yield FieldProblem(f"{where}.containerPort", "Required value")
        else:
            yield from in_range(each["containerPort"], f"{where}.containerPort", 1, 65535)
        if each.get("hostPort"):
            yield from in_range(each["hostPort"], f"{where}.hostPort", 1, 65535)
        yield from one_of(each.get("protocol", "TCP"), f"{where}.protocol", "SCTP", "TCP", "UDP")
    yield from unique(
        (f"{path}.ports[{index}].name", each["name"]) for index, each in enumerate(ports) if each.get("name")
    )


def _environment(container: Obj, path: str) -> Iterator[FieldProblem]:
    for index, variable in enumerate(container.get("env") or ()):
        name, where = variable.get("name") or "", f"{path}.env[{index}]"
        if not name:
            yield FieldProblem(f"{where}.name", "Required value")
        else:
            yield from named(name, f"{where}.name", naming.variable)
        if variable.get("value") and variable.get("valueFrom"):
            text = 'Invalid value: "": may not be specified when `value` is not empty'
            yield FieldProblem(f"{where}.valueFrom", text)


def _mounts(container: Obj, path: str, volumes: set[str]) -> Iterator[FieldProblem]:
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        name, where = mount.get("name") or "", f"{path}.volumeMounts[{index}]"
        if name not in volumes:
            yield FieldProblem(f"{where}.name", f'Not found: "{name}"')
        if not mount.get("mountPath"):
            yield FieldProblem(f"{where}.mountPath", "Required value")


def _resources(resources: Obj, path: str) -> Iterator[FieldProblem]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for part, amounts in (("limits", limits), ("requests", {**limits, **requests})):
        for name, amount in amounts.items():
            if parse_quantity(amount) < 0:
                text = f'Invalid value: "{amount}": must be greater than or equal to 0'
                yield FieldProblem(f"{path}.{part}[{name}]", text)
    for name, amount in requests.items():
        if name in limits and parse_quantity(amount) > parse_quantity(limits[name]):
            text = f'Invalid value: "{amount}": must be less than or equal to {name} limit of {limits[name]}'
            yield FieldProblem(f"{path}.requests", text)


def _probe(probe: Obj, path: str, *, is_readiness: bool) -> Iterator[FieldProblem]:
    yield from one_handler(probe, path, _HANDLERS, "handler type")
    yield from _asked_ports(probe, path)
    yield from at_least_zero(
        probe, path, "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "failureThreshold"
    )
    successes = probe.get("successThreshold")
    if not is_readiness and successes not in (None, 0, 1):
        yield FieldProblem(f"{path}.successThreshold", f"Invalid value: {successes}: must be 1")


def _asked_ports(handler: Obj, path: str) -> Iterator[FieldProblem]:
    for key in ("httpGet", "tcpSocket"):
        asked: Any = handler.get(key)
        if asked is not None:
            yield from port(asked.get("port"), f"{path}.{key}.port")


def _hook(hook: Obj, path: str, grace: int) -> Iterator[FieldProblem]:
    yield from one_handler(hook, path, _HOOKS, "handler type")
    yield from _asked_ports(hook, path)
    seconds = (hook.get("sleep") or {}).get("seconds", 0)
    if not 0 <= seconds <= grace:
        words = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
        yield FieldProblem(f"{path}.sleep", f"Invalid value: {seconds}: {words}")
