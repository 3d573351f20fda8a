"""One container of a revision (Knative, pkg/apis/serving/k8s_validation.go)."""

from collections.abc import Mapping
from typing import Any

from serving.rules.probes import K8S, http_get, other_probe, program, readiness_probe
from serving.rules.rule import Rule, need, none_of, one_of, text, within
from serving.rules.shape import (
    FLAG,
    INT32,
    INT64,
    QUANTITIES,
    TEXT,
    Shape,
    listed,
    record,
    ruled,
    said,
    short,
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
RESERVED_ENV = ("K_SERVICE", "K_CONFIGURATION", "K_REVISION")
RESERVED_WHERE_SERVED = "PORT"
"""Set by us in the container that serves; another one may have it."""
RESERVED_NAMES = ("queue-proxy",)
DNS_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
UNKNOWN_FIELD = "must not set the field: it is not part of a revision's container"


def dns_label(message: str, origin: str) -> Rule:
    """A label of the domain name system (RFC 1123) or nothing."""
    return text(DNS_LABEL, message, origin, longest=63)


def subdomain(message: str, origin: str) -> Rule:
    """Labels with dots between, or nothing."""
    return text(rf"{DNS_LABEL}(\.{DNS_LABEL})*", message, origin, longest=253)


def container() -> Shape:
    reference = record(name=TEXT, optional=FLAG)
    shape = record(
        name=said("user-container unless given.", _name()),
        image=said('What to run; "local" runs the command as a program of the machine.', _image()),
        imagePullPolicy=TEXT,
        command=said("Runs instead of the image's entry point.", listed(TEXT)),
        args=listed(TEXT),
        workingDir=TEXT,
        ports=said(
            "At most one; 8080 unless given. Its name is the protocol: http1, or h2c for HTTP/2 without TLS.",
            _ports(),
        ),
        env=listed(_variable(), most=500),
        envFrom=listed(record(prefix=TEXT, configMapRef=reference, secretRef=reference)),
        resources=record(requests=QUANTITIES, limits=QUANTITIES),
        volumeMounts=listed(_mount(), most=100),
        readinessProbe=readiness_probe(),
        livenessProbe=other_probe("The container is started anew when it fails."),
        startupProbe=other_probe("The other probes wait for it."),
        lifecycle=record(preStop=_handler()),
        securityContext=_security(),
        terminationMessagePath=TEXT,
        terminationMessagePolicy=TEXT,
    )
    remedy = 'name an image, or write "image: local" to run the command as a program of this machine'
    return ruled(shape, need("image", remedy, K8S), unknown=UNKNOWN_FIELD)


def _name() -> Shape:
    return ruled(
        short(253),
        dns_label("invalid value {}: must be lower-case letters, digits and '-'", K8S),
        none_of(RESERVED_NAMES, "{} is a reserved name; choose another", K8S),
    )


def _image() -> Shape:
    wanted = "[A-Za-z0-9][A-Za-z0-9._:/@+-]*"
    return ruled(
        short(4096), text(wanted, "failed to parse image reference {}: write registry/name:tag", K8S)
    )


def _ports() -> Shape:
    number = ruled(
        INT32,
        within(1, 65535, "{} is out of bounds: must be from 1 to 65535", K8S),
        *(
            none_of([port], f"{{}} is reserved for {user}; choose another", K8S)
            for port, user in RESERVED_PORTS.items()
        ),
    )
    names = "port name {} is not allowed: must be empty, 'http1', or 'h2c' for HTTP/2 without TLS"
    port = record(
        name=ruled(short(63), one_of(PORT_NAMES, names, K8S)),
        containerPort=number,
        protocol=ruled(short(63), one_of(("TCP", ""), "invalid value {}: must be TCP", K8S)),
    )
    there = Rule(
        "containerPort",
        "missing field: say on which port the container listens",
        K8S,
        lambda value: "containerPort" in value,
        "has(self.containerPort)",
    )
    one = "more than one port: a container of a revision serves on one; remove the others"
    return ruled(
        listed(ruled(port, there), most=100),
        Rule("", one, K8S, lambda ports: len(ports) < 2, "size(self) < 2"),
    )


def _variable() -> Shape:
    key = record(name=TEXT, key=TEXT, optional=FLAG)
    shape = record(
        name=ruled(
            short(253),
            none_of(RESERVED_ENV, "{} is a reserved environment variable; it is set for you", K8S),
            text("[-._a-zA-Z][-._a-zA-Z0-9]*", "invalid value {}: no name of an environment variable", K8S),
        ),
        value=TEXT,
        valueFrom=record(configMapKeyRef=key, secretKeyRef=key),
    )
    either = Rule(
        "valueFrom",
        "may not be given together with value",
        K8S,
        lambda entry: not entry.get("valueFrom") or not entry.get("value"),
        "!has(self.valueFrom) || !has(self.value) || self.value == ''",
    )
    return ruled(shape, need("name", "name the variable", K8S), either)


def _mount() -> Shape:
    absolute = Rule(
        "mountPath",
        "must be an absolute path",
        K8S,
        lambda mount: str(mount.get("mountPath") or "").startswith("/"),
        "has(self.mountPath) && self.mountPath.startsWith('/')",
    )
    return ruled(record(name=short(253), mountPath=short(4096), subPath=TEXT, readOnly=FLAG), absolute)


def _handler() -> Shape:
    return record(exec=program(), httpGet=http_get(), sleep=record(seconds=INT64))


def _security() -> Shape:
    return record(
        runAsUser=INT64,
        runAsGroup=INT64,
        runAsNonRoot=FLAG,
        readOnlyRootFilesystem=FLAG,
        allowPrivilegeEscalation=FLAG,
        capabilities=record(drop=listed(TEXT)),
        seccompProfile=record(type=TEXT, localhostProfile=TEXT),
    )


def has_port(container: Any) -> bool:
    """Whether the container says that it listens."""
    return bool(container.get("ports"))
