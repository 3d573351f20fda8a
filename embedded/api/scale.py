"""The scale sub-resource: how many replicas are wanted and found, as a Scale of autoscaling/v1."""

from typing import Any

from embedded.api.admission import Call, admit_change
from embedded.api.bodies import OBJECT_TYPES, PATCH_TYPES, decode, media_type
from embedded.api.changes import patched, store_changed
from embedded.api.cluster import Cluster
from embedded.api.refusals import Cause, bad_request, invalid
from embedded.api.registry import BUILT_IN_SCALE, ScalePaths
from embedded.api.requests import ApiResponse
from embedded.schema import ANY
from kube.objects import Obj
from kube.selectors import selector_of


def read_scale(cluster: Cluster, call: Call) -> ApiResponse:
    """GET."""
    entry = cluster.get(call.served, (call.place.namespace, call.place.name))
    return ApiResponse(200, scale_of(entry.obj, _paths(call)))


def write_scale(cluster: Cluster, call: Call) -> ApiResponse:
    """PUT and PATCH: what of the Scale may change is spec.replicas."""
    old = cluster.get(call.served, (call.place.namespace, call.place.name)).obj
    before = scale_of(old, _paths(call))
    request = call.request
    if request.method == "PUT":
        wanted, call.repeated = decode(request.body, request.content_type, OBJECT_TYPES)
    else:
        body, call.repeated = decode(request.body, request.content_type, tuple(PATCH_TYPES))
        kind = PATCH_TYPES[media_type(request.content_type)]
        # A Scale has no lists, and one field of interest: these two languages say the same of it.
        wanted = patched("json" if kind == "json" else "merge", before, body, ANY)
    obj = _scaled(old, _paths(call), _replicas(call, wanted))
    for expected in ("resourceVersion", "uid"):
        obj["metadata"][expected] = (wanted.get("metadata") or {}).get(expected) or ""
    stored = store_changed(cluster, call, admit_change(cluster, call, obj, old), old)
    return ApiResponse(200, scale_of(stored.body, _paths(call)), warnings=call.warnings)


def _paths(call: Call) -> ScalePaths:
    return call.served.scale or BUILT_IN_SCALE


def _replicas(call: Call, scale: Any) -> int:
    """spec.replicas of the wanted Scale; a Scale without it wants none."""
    spec = (scale.get("spec") or {}) if isinstance(scale, dict) else None
    if not isinstance(spec, dict) or not isinstance(scale.get("metadata") or {}, dict):
        raise bad_request("the body is no Scale")
    found = spec.get("replicas") or 0
    if isinstance(found, bool) or not isinstance(found, int):
        raise bad_request(
            'Scale in version "v1" cannot be handled as a Scale: spec.replicas must be a whole number'
        )
    if found < 0:
        text = f"Invalid value: {found}: must be greater than or equal to 0"
        raise invalid("Scale.autoscaling", call.place.name, [Cause("spec.replicas", text)])
    return found


def _scaled(old: Obj, paths: ScalePaths, replicas: int) -> Obj:
    """A copy with that many wanted; shares with the old object what stays."""
    obj = {**old, "metadata": dict(old["metadata"])}
    inner = obj
    *parents, last = paths.spec_replicas.strip(".").split(".")
    for parent in parents:
        below = inner.get(parent)
        inner[parent] = dict(below) if isinstance(below, dict) else {}
        inner = inner[parent]
    inner[last] = replicas
    return obj


def scale_of(obj: Obj, paths: ScalePaths) -> Obj:
    """An object seen as a Scale; a zero is left out of its spec, as autoscaling/v1 does."""
    meta = obj["metadata"]
    wanted = _number(obj, paths.spec_replicas)
    head = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: Obj = {"replicas": _number(obj, paths.status_replicas)}
    selector = _selector(obj, paths)
    if selector:
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: meta[name] for name in head if name in meta},
        "spec": {"replicas": wanted} if wanted else {},
        "status": status,
    }


def _number(obj: Obj, path: str) -> int:
    found = _at(obj, path)
    return found if isinstance(found, int) else 0


def _at(obj: Obj, path: str) -> Any:
    value: Any = obj
    for part in path.strip(".").split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _selector(obj: Obj, paths: ScalePaths) -> str:
    """The pods that are counted, in the words of a label selector."""
    found = _at(obj, paths.selector)
    if not isinstance(found, dict):
        return found if isinstance(found, str) else ""
    terms = []
    for term in selector_of(found).requirements:
        values = ",".join(sorted(term.values))
        if term.operator == "In":
            terms.append(f"{term.key}={values}" if len(term.values) == 1 else f"{term.key} in ({values})")
        elif term.operator == "NotIn":
            terms.append(f"{term.key} notin ({values})")
        else:
            terms.append(term.key if term.operator == "Exists" else f"!{term.key}")
    return ",".join(terms)
