"""Our four kinds as an API server must know them; ``python -m serving.crds`` writes `config/crds.yaml`.

Schema and printer columns are compatible with Knative's (config/core/300-resources). What fields there are,
of which type, and the rules that stand at each, come from `rules/kinds.py`; the status is added here.
"""

import sys

import yaml

from kube.resources import CONFIGURATIONS, REVISIONS, ROUTES, SERVICES, Resource
from serving.manifests import Plain
from serving.rules.kinds import SPECS
from serving.rules.shape import INT32, INT64, TEXT, TEXTS, Shape, listed, openapi, record
from serving.rules.traffic import traffic_told

HEADER = """\
# The kinds of serving.knative.dev/v1 that Zerogate serves. Written by `python -m serving.crds`, not by hand.
"""


def _status(**fields: Shape) -> Shape:
    condition = record(
        type=TEXT, status=TEXT, reason=TEXT, message=TEXT, severity=TEXT, lastTransitionTime=TEXT
    )
    return record(observedGeneration=INT64, annotations=TEXTS, conditions=listed(condition), **fields)


_ROUTED = {"url": TEXT, "address": record(url=TEXT), "traffic": traffic_told()}
_MADE = {"latestCreatedRevisionName": TEXT, "latestReadyRevisionName": TEXT}
_STATUSES = listed(record(name=TEXT, imageDigest=TEXT))


def _column(name: str, path: str, type_: str = "string") -> Shape:
    return {"name": name, "type": type_, "jsonPath": path}


_SAID = {
    SERVICES: "A program that answers HTTP: its template makes revisions, traffic says which of them answer.",
    CONFIGURATIONS: "A template of revisions: each change of it makes another one.",
    REVISIONS: "One state of a program and its settings: never changed, its pods come and go with requests.",
    ROUTES: "A host, and the revisions that its requests go to.",
}

READY = _column("Ready", ".status.conditions[?(@.type=='Ready')].status")
REASON = _column("Reason", ".status.conditions[?(@.type=='Ready')].reason")
URL = _column("URL", ".status.url")
LATEST = (
    _column("LatestCreated", ".status.latestCreatedRevisionName"),
    _column("LatestReady", ".status.latestReadyRevisionName"),
)


def custom_resources() -> list[Shape]:
    """The four definitions."""
    return [
        _definition(CONFIGURATIONS, ["config", "cfg"], _status(**_MADE), [*LATEST, READY, REASON]),
        _definition(
            REVISIONS,
            ["rev"],
            _status(actualReplicas=INT32, desiredReplicas=INT32, containerStatuses=_STATUSES, logUrl=TEXT),
            [
                _column("Config Name", r".metadata.labels.serving\.knative\.dev/configuration"),
                _column("Generation", r".metadata.labels.serving\.knative\.dev/configurationGeneration"),
                READY,
                REASON,
                _column("Actual Replicas", ".status.actualReplicas", "integer"),
                _column("Desired Replicas", ".status.desiredReplicas", "integer"),
            ],
        ),
        _definition(ROUTES, ["rt"], _status(**_ROUTED), [URL, READY, REASON]),
        _definition(
            SERVICES, ["kservice", "ksvc"], _status(**_MADE, **_ROUTED), [URL, *LATEST, READY, REASON]
        ),
    ]


def _schema(resource: Resource, status: Shape) -> Shape:
    """The whole object; its metadata is Kubernetes' own, the name stands here to be pointed at by rules."""
    root = SPECS[resource]
    properties = {
        "metadata": record(name=TEXT),
        "spec": {"description": "What is wanted.", **root["properties"]["spec"]},
        "status": {"description": "What is: written by the controller, not by users.", **status},
    }
    return openapi({"description": _SAID[resource], **root, "properties": properties})


def _definition(resource: Resource, short: list[str], status: Shape, columns: list[Shape]) -> Shape:
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
        "schema": {"openAPIV3Schema": _schema(resource, status)},
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


def manifest() -> str:
    """The text of `config/crds.yaml`."""
    documents = yaml.dump_all(custom_resources(), Dumper=Plain, sort_keys=False, width=110)
    return f"{HEADER}---\n{documents}"


if __name__ == "__main__":
    sys.stdout.write(manifest())
