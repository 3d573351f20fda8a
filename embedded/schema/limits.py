"""What Kubernetes refuses in its own kinds beyond JSON types; messages as its API server words them."""

import json
import re
from collections.abc import Iterator
from typing import Any

from embedded.schema import naming
from embedded.schema.configs import config_map_problems, secret_problems
from embedded.schema.defaults import completed_pod_spec
from embedded.schema.pods import pod_spec
from embedded.schema.rules import at_least_zero, one_of
from embedded.schema.services import service_spec
from embedded.schema.types import FieldProblem
from kube.objects import Obj

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
        yield from service_spec(spec)
    elif kind == "Lease":
        yield from _lease(spec)


def labels(found: dict[str, str], path: str) -> Iterator[FieldProblem]:
    """Label values that no selector could name."""
    for value in found.values():
        for words in naming.label_value(value or ""):  # null is empty, as Go reads it
            yield FieldProblem(path, f'Invalid value: "{value}": {words}')


def _replicated(kind: str, spec: Obj, before: Obj) -> Iterator[FieldProblem]:
    yield from at_least_zero(spec, "spec", "replicas", "revisionHistoryLimit", "minReadySeconds")
    if kind == "Deployment":
        yield from _deadline(spec)
    if all(spec.get(part) == before.get(part) for part in ("template", "selector", "strategy")):
        return
    yield from _selected(kind, spec)
    yield from _strategy(spec.get("strategy") or {})
    pod = (spec.get("template") or {}).get("spec") or {}
    yield from one_of(pod.get("restartPolicy", "Always"), "spec.template.spec.restartPolicy", "Always")
    yield from pod_spec(pod, "spec.template.spec")
    selector = spec.get("selector")
    if before and selector != before.get("selector"):
        yield FieldProblem("spec.selector", f"Invalid value: {_shown(selector)}: field is immutable")


def _deadline(spec: Obj) -> Iterator[FieldProblem]:
    yield from at_least_zero(spec, "spec", "progressDeadlineSeconds")
    seconds = spec.get("progressDeadlineSeconds", 600)
    if seconds is not None and seconds <= (spec.get("minReadySeconds") or 0):
        text = f"Invalid value: {seconds}: must be greater than minReadySeconds"
        yield FieldProblem("spec.progressDeadlineSeconds", text)


def _strategy(strategy: Obj) -> Iterator[FieldProblem]:
    kind, rolling = strategy.get("type", "RollingUpdate"), strategy.get("rollingUpdate")
    if kind not in ("Recreate", "RollingUpdate"):
        text = f'Unsupported value: {_shown(strategy)}: supported values: "Recreate", "RollingUpdate"'
        yield FieldProblem("spec.strategy", text)
    elif kind == "Recreate" and rolling:
        message = "Forbidden: may not be specified when strategy `type` is 'Recreate'"
        yield FieldProblem("spec.strategy.rollingUpdate", message)
    surge, lost = (rolling or {}).get("maxSurge", "25%"), (rolling or {}).get("maxUnavailable", "25%")
    for key, value in (("maxUnavailable", lost), ("maxSurge", surge)):
        path = f"spec.strategy.rollingUpdate.{key}"
        if isinstance(value, str) and not _PERCENT.fullmatch(value):
            words = "a valid percent string must be a numeric string followed by an ending '%'"
            hint = f"(e.g. '1%',  or '93%', regex used for validation is '{_PERCENT.pattern}')"
            yield FieldProblem(path, f'Invalid value: "{value}": {words} {hint}')
        elif isinstance(value, int) and value < 0:
            yield FieldProblem(path, f"Invalid value: {value}: must be greater than or equal to 0")
        elif key == "maxUnavailable" and isinstance(value, str) and int(value[:-1]) > _WHOLE:
            yield FieldProblem(path, f'Invalid value: "{value}": must not be greater than 100%')
    if lost in (0, "0%") and surge in (0, "0%"):
        text = "Invalid value: 0: may not be 0 when `maxSurge` is 0"
        yield FieldProblem("spec.strategy.rollingUpdate.maxUnavailable", text)


_PERCENT = re.compile(r"[0-9]+%")
_WHOLE = 100


def _lease(spec: Obj) -> Iterator[FieldProblem]:
    seconds = spec.get("leaseDurationSeconds")
    if seconds is not None and seconds <= 0:
        text = f"Invalid value: {seconds}: must be greater than 0"
        yield FieldProblem("spec.leaseDurationSeconds", text)
    yield from at_least_zero(spec, "spec", "leaseTransitions")


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
        full = completed_pod_spec(pod)  # what goes is filled in again
        kept = {key: value for key, value in full.items() if key not in _CHANGEABLE}
        for group in ("containers", "initContainers"):
            kept[group] = [{**entry, "image": ""} for entry in full.get(group) or ()]
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


def _shown(value: dict[str, Any] | None) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
