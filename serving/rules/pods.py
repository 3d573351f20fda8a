"""A revision's pod: its fields, how its containers go together, its volumes."""

from typing import Any

from kube.objects import Obj
from kube.resources import CONFIGURATIONS, REVISIONS, SERVICES
from serving.config_features import EMPTY_DIR
from serving.reading import mappings
from serving.rules.containers import (
    container,
    dns_label,
    has_port,
    subdomain,
)
from serving.rules.probes import K8S
from serving.rules.rule import Rule, need
from serving.rules.shape import (
    FLAG,
    INT32,
    INT64,
    INT_OR_TEXT,
    TEXT,
    Shape,
    listed,
    record,
    ruled,
    said,
    short,
)

MADE = (SERVICES, CONFIGURATIONS, REVISIONS)
"""The kinds that describe a revision."""
REVISION_FIELDS = (
    "containerConcurrency",
    "timeoutSeconds",
    "responseStartTimeoutSeconds",
    "idleTimeoutSeconds",
)
VOLUME_SOURCES = ("secret", "configMap", "projected", "emptyDir")
MOST_CONTAINERS = 10
MOST_VOLUMES = 100
UNKNOWN_FIELD = "must not set the field: it is not part of a revision"
NEEDS_CONTAINER = "give one container with an image"


def revision_spec() -> Shape:
    """The spec of a revision, and of a template."""
    shape = record(
        containers=listed(container(), most=MOST_CONTAINERS),
        volumes=listed(_volume(), most=MOST_VOLUMES),
        serviceAccountName=ruled(short(253), subdomain("invalid value {}: no name of a ServiceAccount", K8S)),
        imagePullSecrets=listed(record(name=TEXT)),
        enableServiceLinks=FLAG,
        automountServiceAccountToken=FLAG,
        containerConcurrency=said("Requests in flight in one pod at most; 0 is no limit.", INT64),
        timeoutSeconds=said("How long a request may take in all.", INT64),
        responseStartTimeoutSeconds=said("How long until its first byte is answered.", INT64),
        idleTimeoutSeconds=said("How long nothing may be sent either way.", INT64),
    )
    one_serves = Rule(
        "containers",
        "exactly one of several containers must have a port: the one that serves",
        K8S,
        lambda spec: serving_index(mappings(spec.get("containers"))) >= 0 or not spec.get("containers"),
        "!has(self.containers) || size(self.containers) < 2 || "
        "self.containers.exists_one(one, has(one.ports) && size(one.ports) > 0)",
    )
    return ruled(shape, one_serves, unknown=UNKNOWN_FIELD)


def serving_index(containers: list[Obj]) -> int:
    """Which container serves: the only one, else the one with a port; -1 when that isn't clear."""
    with_ports = [index for index, each in enumerate(containers) if has_port(each)]
    if len(containers) == 1:
        return 0
    return with_ports[0] if len(with_ports) == 1 else -1


def _volume() -> Shape:
    items = listed(record(key=TEXT, path=TEXT, mode=INT32))
    source = record(
        configMap=record(name=TEXT, items=items, optional=FLAG),
        secret=record(name=TEXT, items=items, optional=FLAG),
        serviceAccountToken=record(audience=TEXT, expirationSeconds=INT64, path=TEXT),
    )
    shape = record(
        name=ruled(
            short(253), dns_label("invalid value {}: must be lower-case letters, digits and '-'", K8S)
        ),
        secret=record(secretName=TEXT, items=items, defaultMode=INT32, optional=FLAG),
        configMap=record(name=TEXT, items=items, defaultMode=INT32, optional=FLAG),
        projected=record(sources=listed(source), defaultMode=INT32),
        emptyDir=said(f"Switched by {EMPTY_DIR}.", record(medium=TEXT, sizeLimit=INT_OR_TEXT)),
    )
    known = ", ".join(VOLUME_SOURCES)
    count = f"[{', '.join(f'has(self.{each})' for each in VOLUME_SOURCES)}].filter(is, is).size()"
    one = Rule(
        "",
        f"needs exactly one of {known}",
        K8S,
        lambda volume: sum(each in volume for each in VOLUME_SOURCES) == 1 or _is_foreign(volume),
        f"{count} == 1",
    )
    return ruled(
        shape, need("name", "name the volume", K8S), one, unknown=f"must not set the field: use {known}"
    )


def _is_foreign(volume: Any) -> bool:
    """Whether it has another source, which is said of that field."""
    return bool(set(volume) - {*VOLUME_SOURCES, "name"})
