"""Our four kinds as an API server must know them; ``python -m serving.crds`` writes `config/crds.yaml`.

Schema and printer columns are compatible with Knative's (config/core/300-resources). The schema says what
fields there are, of which type, so that a misspelt one is refused; what may stand in them the `rules/` say.
"""

import sys
from typing import Any

import yaml

from kube.resources import CONFIGURATIONS, REVISIONS, ROUTES, SERVICES, Resource
from serving.config_features import EMPTY_DIR

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer"}
INT32: Schema = {"type": "integer", "format": "int32"}
INT64: Schema = {"type": "integer", "format": "int64"}
FLAG: Schema = {"type": "boolean"}
INT_OR_TEXT: Schema = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
QUANTITIES: Schema = {"type": "object", "additionalProperties": INT_OR_TEXT}

HEADER = """\
# The kinds of serving.knative.dev/v1 that Zerogate serves. Written by `python -m serving.crds`, not by hand.
"""


def said(description: str, schema: Schema) -> Schema:
    """The schema with a sentence for `kubectl explain`."""
    return {"description": description, **schema}


def record(**fields: Schema) -> Schema:
    """An object with these fields and no others."""
    return {"type": "object", "properties": fields}


def listed(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _key_ref() -> Schema:
    return record(name=TEXT, key=TEXT, optional=FLAG)


def _probe(description: str) -> Schema:
    header = record(name=TEXT, value=TEXT)
    fields = record(
        httpGet=record(path=TEXT, port=INT_OR_TEXT, host=TEXT, scheme=TEXT, httpHeaders=listed(header)),
        tcpSocket=record(port=INT_OR_TEXT, host=TEXT),
        exec=record(command=listed(TEXT)),
        grpc=record(port=INT32, service=TEXT),
        initialDelaySeconds=INT32,
        periodSeconds=INT32,
        timeoutSeconds=INT32,
        successThreshold=INT32,
        failureThreshold=INT32,
    )
    return said(description, fields)


def _handler() -> Schema:
    get = record(
        path=TEXT, port=INT_OR_TEXT, host=TEXT, scheme=TEXT, httpHeaders=listed(record(name=TEXT, value=TEXT))
    )
    return record(exec=record(command=listed(TEXT)), httpGet=get, sleep=record(seconds=INT64))


def _security() -> Schema:
    return record(
        runAsUser=INT64,
        runAsGroup=INT64,
        runAsNonRoot=FLAG,
        readOnlyRootFilesystem=FLAG,
        allowPrivilegeEscalation=FLAG,
        capabilities=record(add=listed(TEXT), drop=listed(TEXT)),
        seccompProfile=record(type=TEXT, localhostProfile=TEXT),
    )


def _container() -> Schema:
    source = record(configMapKeyRef=_key_ref(), secretKeyRef=_key_ref())
    reference = record(name=TEXT, optional=FLAG)
    return record(
        name=said("user-container unless given.", TEXT),
        image=said('What to run; "local" runs the command as a program of the machine.', TEXT),
        imagePullPolicy=TEXT,
        command=said("Runs instead of the image's entry point.", listed(TEXT)),
        args=listed(TEXT),
        workingDir=TEXT,
        ports=said(
            "At most one; 8080 unless given. Its name is the protocol: http1, or h2c for HTTP/2 without TLS.",
            listed(record(name=TEXT, containerPort=INT32, protocol=TEXT)),
        ),
        env=listed(record(name=TEXT, value=TEXT, valueFrom=source)),
        envFrom=listed(record(prefix=TEXT, configMapRef=reference, secretRef=reference)),
        resources=record(requests=QUANTITIES, limits=QUANTITIES),
        volumeMounts=listed(record(name=TEXT, mountPath=TEXT, subPath=TEXT, readOnly=FLAG)),
        readinessProbe=_probe("A TCP connect to the port unless given."),
        livenessProbe=_probe("The container is started anew when it fails."),
        startupProbe=_probe("The other probes wait for it."),
        lifecycle=record(preStop=_handler()),
        securityContext=_security(),
        terminationMessagePath=TEXT,
        terminationMessagePolicy=TEXT,
    )


def _volume() -> Schema:
    items = listed(record(key=TEXT, path=TEXT, mode=INT32))
    source = record(
        configMap=record(name=TEXT, items=items, optional=FLAG),
        secret=record(name=TEXT, items=items, optional=FLAG),
        serviceAccountToken=record(audience=TEXT, expirationSeconds=INT64, path=TEXT),
    )
    return record(
        name=TEXT,
        secret=record(secretName=TEXT, items=items, defaultMode=INT32, optional=FLAG),
        configMap=record(name=TEXT, items=items, defaultMode=INT32, optional=FLAG),
        projected=record(sources=listed(source), defaultMode=INT32),
        emptyDir=said(f"Switched by {EMPTY_DIR}.", record(medium=TEXT, sizeLimit=INT_OR_TEXT)),
    )


def _revision_spec() -> Schema:
    return record(
        containers=listed(_container()),
        volumes=listed(_volume()),
        serviceAccountName=TEXT,
        imagePullSecrets=listed(record(name=TEXT)),
        enableServiceLinks=FLAG,
        automountServiceAccountToken=FLAG,
        containerConcurrency=said("Requests in flight in one pod at most; 0 is no limit.", INT64),
        timeoutSeconds=said("How long a request may take in all.", INT64),
        responseStartTimeoutSeconds=said("How long until its first byte is answered.", INT64),
        idleTimeoutSeconds=said("How long nothing may be sent either way.", INT64),
    )


def _template() -> Schema:
    stamp = {"type": "string", "nullable": True}  # what generators leave behind: creationTimestamp: null
    meta = record(name=TEXT, labels=TEXTS, annotations=TEXTS, creationTimestamp=stamp)
    return said("What a revision is made from.", record(metadata=meta, spec=_revision_spec()))


def _traffic(*, has_url: bool) -> Schema:
    fields = {
        "tag": said("Gives the entry a host of its own.", TEXT),
        "revisionName": said("A certain revision.", TEXT),
        "configurationName": said("The latest ready revision of a Configuration.", TEXT),
        "latestRevision": said("Whether the latest ready revision is followed.", FLAG),
        "percent": said("The share of requests; all sum to 100.", INT64),
    }
    return listed(record(**fields, **({"url": TEXT} if has_url else {})))


def _status(**fields: Schema) -> Schema:
    condition = record(
        type=TEXT, status=TEXT, reason=TEXT, message=TEXT, severity=TEXT, lastTransitionTime=TEXT
    )
    return record(observedGeneration=INT64, annotations=TEXTS, conditions=listed(condition), **fields)


_ROUTED = {"url": TEXT, "address": record(url=TEXT), "traffic": _traffic(has_url=True)}
_MADE = {"latestCreatedRevisionName": TEXT, "latestReadyRevisionName": TEXT}
_STATUSES = listed(record(name=TEXT, imageDigest=TEXT))


def _column(name: str, path: str, type_: str = "string") -> Schema:
    return {"name": name, "type": type_, "jsonPath": path}


READY = _column("Ready", ".status.conditions[?(@.type=='Ready')].status")
REASON = _column("Reason", ".status.conditions[?(@.type=='Ready')].reason")
URL = _column("URL", ".status.url")
LATEST = (
    _column("LatestCreated", ".status.latestCreatedRevisionName"),
    _column("LatestReady", ".status.latestReadyRevisionName"),
)


def custom_resources() -> list[Schema]:
    """The four definitions."""
    return [
        _definition(
            CONFIGURATIONS,
            ["config", "cfg"],
            record(spec=record(template=_template()), status=_status(**_MADE)),
            [*LATEST, READY, REASON],
        ),
        _definition(
            REVISIONS,
            ["rev"],
            record(
                spec=_revision_spec(),
                status=_status(
                    actualReplicas=INT32, desiredReplicas=INT32, containerStatuses=_STATUSES, logUrl=TEXT
                ),
            ),
            [
                _column("Config Name", r".metadata.labels.serving\.knative\.dev/configuration"),
                _column("Generation", r".metadata.labels.serving\.knative\.dev/configurationGeneration"),
                READY,
                REASON,
                _column("Actual Replicas", ".status.actualReplicas", "integer"),
                _column("Desired Replicas", ".status.desiredReplicas", "integer"),
            ],
        ),
        _definition(
            ROUTES,
            ["rt"],
            record(spec=record(traffic=_traffic(has_url=False)), status=_status(**_ROUTED)),
            [URL, READY, REASON],
        ),
        _definition(
            SERVICES,
            ["kservice", "ksvc"],
            record(
                spec=record(template=_template(), traffic=_traffic(has_url=False)),
                status=_status(**_MADE, **_ROUTED),
            ),
            [URL, *LATEST, READY, REASON],
        ),
    ]


def _definition(resource: Resource, short: list[str], schema: Schema, columns: list[Schema]) -> Schema:
    categories = ["all", "knative", "serving"]
    names = {
        "kind": resource.kind,
        "plural": resource.plural,
        "singular": resource.kind.lower(),
        "categories": categories,
        "shortNames": short,
    }
    version = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{resource.plural}.{resource.group}",
            "labels": {"app.kubernetes.io/name": "zerogate"},
        },
        "spec": {"group": resource.group, "names": names, "scope": "Namespaced", "versions": [version]},
    }


class _Plain(yaml.SafeDumper):
    """Without anchors: kubectl and kustomize read them, people do not."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def manifest() -> str:
    """The text of `config/crds.yaml`."""
    documents = yaml.dump_all(custom_resources(), Dumper=_Plain, sort_keys=False, width=110)
    return f"{HEADER}---\n{documents}"


if __name__ == "__main__":
    sys.stdout.write(manifest())
