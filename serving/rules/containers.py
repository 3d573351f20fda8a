"""One container of a revision (Knative, pkg/apis/serving/k8s_validation.go)."""

import re
from collections.abc import Mapping

from kube.names import is_dns1123_label
from kube.objects import Obj
from kube.quantity import parse_quantity
from serving.reading import is_whole, mapping, mappings
from serving.refusals import Errors, FieldError, under
from serving.rules.probes import check_probe

CONTAINER_FIELDS = frozenset(
    [
        *("name", "image", "imagePullPolicy", "command", "args", "workingDir"),
        *("ports", "env", "envFrom", "resources", "volumeMounts", "lifecycle", "securityContext"),
        *("livenessProbe", "readinessProbe", "startupProbe"),
        *("terminationMessagePath", "terminationMessagePolicy"),
    ]
)
PORT_NAMES = ("", "http1", "h2c")
RESERVED_PORTS: Mapping[int, str] = {
    8008: "profiling",
    8012: "the queue proxy",
    8013: "the queue proxy",
    8022: "administration",
    9090: "metrics",
    9091: "metrics",
}
"""Ports that Knative keeps for its sidecar; kept free here too, so that a manifest runs on both."""
RESERVED_ENV = ("PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION")
RESERVED_NAMES = ("queue-proxy",)
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]*")
_ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")


def check_container(container: Obj, volumes: Mapping[str, Obj], *, is_serving: bool) -> Errors:
    """A container by itself, paths relative to it. ``volumes`` are those of the pod by name."""
    for field in sorted(set(container) - CONTAINER_FIELDS):
        yield FieldError(field, "must not set the field: it is not part of a revision's container")
    yield from _name(container.get("name", ""))
    yield from _image(container.get("image"))
    yield from under("ports", check_ports(container.get("ports")))
    yield from under("env", _env(mappings(container.get("env")), is_serving=is_serving))
    yield from under("resources", _resources(mapping(container.get("resources"))))
    yield from under("volumeMounts", _mounts(mappings(container.get("volumeMounts")), volumes))
    for kind in ("readinessProbe", "livenessProbe", "startupProbe"):
        if not container.get(kind):
            continue
        if not is_serving:
            yield FieldError(kind, "must not set the field: only the container that serves may have probes")
            continue
        yield from under(kind, check_probe(mapping(container[kind]), is_readiness=kind == "readinessProbe"))


def _name(value: object) -> Errors:
    if not value:
        return
    if not isinstance(value, str) or not is_dns1123_label(value):
        yield FieldError("name", f"invalid value {value!r}: must be lower-case letters, digits and '-'")
    elif value in RESERVED_NAMES:
        yield FieldError("name", f"{value!r} is a reserved name; choose another")


def _image(value: object) -> Errors:
    if not value:
        remedy = 'name an image, or write "image: local" to run the command as a program of this machine'
        yield FieldError("image", f"missing field: {remedy}")
    elif not isinstance(value, str) or not _IMAGE.fullmatch(value):
        yield FieldError("image", f"failed to parse image reference {value!r}: write registry/name:tag")


def check_ports(value: object) -> Errors:
    """At most one port; paths like "[0].containerPort"."""
    ports = mappings(value)
    if len(ports) > 1:
        yield FieldError("", "more than one port: a container of a revision serves on one; remove the others")
    for index, port in enumerate(ports):
        yield from under(f"[{index}]", _port(port))


def _port(port: Obj) -> Errors:
    number = port.get("containerPort")
    if not is_whole(number) or not 1 <= mapping(port)["containerPort"] <= 65535:
        yield FieldError("containerPort", f"{number!r} is out of bounds: must be from 1 to 65535")
    elif number in RESERVED_PORTS:
        yield FieldError(
            "containerPort",
            f"{number} is reserved for {RESERVED_PORTS[port['containerPort']]}; choose another",
        )
    if port.get("name", "") not in PORT_NAMES:
        problem = f"{port['name']!r} is not allowed: must be empty, 'http1', or 'h2c' for HTTP/2 without TLS"
        yield FieldError("name", f"port name {problem}")
    if port.get("protocol", "TCP") not in {"", "TCP"}:
        yield FieldError("protocol", f"invalid value {port['protocol']!r}: must be TCP")
    for field in sorted(set(port) - {"containerPort", "name", "protocol"}):
        yield FieldError(field, "must not set the field")


def _env(entries: list[Obj], *, is_serving: bool) -> Errors:
    reserved = RESERVED_ENV if is_serving else RESERVED_ENV[1:]
    for index, entry in enumerate(entries):
        name = entry.get("name")
        if not name:
            yield FieldError(f"[{index}].name", "missing field")
        elif name in reserved:
            yield FieldError(
                f"[{index}].name", f"{name!r} is a reserved environment variable; it is set for you"
            )
        elif not isinstance(name, str) or not _ENV_NAME.fullmatch(name):
            yield FieldError(f"[{index}].name", f"invalid value {name!r}: no name of an environment variable")
        source = mapping(entry.get("valueFrom"))
        for field in sorted(set(source) - {"secretKeyRef", "configMapKeyRef"}):
            yield FieldError(f"[{index}].valueFrom.{field}", "must not set the field")
        if source and entry.get("value"):
            yield FieldError(f"[{index}].valueFrom", "may not be given together with value")


def _resources(resources: Obj) -> Errors:
    numbers: dict[tuple[str, str], float] = {}
    for bound in ("requests", "limits"):
        for resource, text in mapping(resources.get(bound)).items():
            try:
                numbers[bound, resource] = parse_quantity(text)
            except (ValueError, TypeError, AttributeError):
                yield FieldError(
                    f"{bound}.{resource}", f"invalid value {text!r}: must be a quantity like 100m or 64Mi"
                )
                continue
            if numbers[bound, resource] < 0:
                yield FieldError(f"{bound}.{resource}", f"invalid value {text!r}: must be at least 0")
    for (bound, resource), number in numbers.items():
        if bound == "requests" and number > numbers.get(("limits", resource), number):
            yield FieldError(f"requests.{resource}", f"must be less than or equal to the {resource} limit")


def _mounts(mounts: list[Obj], volumes: Mapping[str, Obj]) -> Errors:
    seen: set[str] = set()
    for index, mount in enumerate(mounts):
        name, path = mount.get("name"), mount.get("mountPath")
        if name not in volumes:
            yield FieldError(
                f"[{index}].name", f"volume with name {name!r} not found; declare it in spec.volumes"
            )
        if not isinstance(path, str) or not path.startswith("/"):
            yield FieldError(f"[{index}].mountPath", f"{path!r} must be an absolute path")
        elif path in seen:
            yield FieldError(f"[{index}].mountPath", f"{path!r} must be unique")
        else:
            seen.add(path)
        if name in volumes and "emptyDir" not in volumes[str(name)] and mount.get("readOnly") is False:
            yield FieldError(f"[{index}].readOnly", "must be true: only emptyDir volumes can be written")
