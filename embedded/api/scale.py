"""The scale sub-resource: how many replicas are wanted and found, as a Scale of autoscaling/v1."""

from typing import Any

from embedded.api.admission import admit_change, check_fields
from embedded.api.bodies import OBJECT_TYPES, PATCH_TYPES, decode, media_type
from embedded.api.call import Call
from embedded.api.changes import apply_object, check_patch_options, patched, store_changed
from embedded.api.cluster import Cluster
from embedded.api.metadata import check_name
from embedded.api.refusals import ApiRefusal, Cause, bad_request, invalid
from embedded.api.registry import BUILT_IN_SCALE, ScalePaths
from embedded.api.requests import ApiResponse
from embedded.schema import ANY
from kube.objects import Obj
from kube.resources import Resource
from kube.selectors import selector_of

_SCALE = Resource("autoscaling", "v1", "", "Scale")


def read_scale(cluster: Cluster, call: Call) -> ApiResponse:
    """GET."""
    entry = cluster.get(call.served, (call.place.namespace, call.place.name))
    return ApiResponse(200, scale_of(entry.obj, _paths(call)))


def write_scale(cluster: Cluster, call: Call) -> ApiResponse:
    """PUT and PATCH: what of the Scale may change is spec.replicas."""
    old = cluster.get(call.served, (call.place.namespace, call.place.name)).obj
    before = scale_of(old, _paths(call))
    wanted = _wanted(cluster, call, before)
    if call.is_apply:
        return _apply(cluster, call, old, _replicas(call, wanted))
    obj = _scaled(old, _paths(call), _replicas(call, wanted))
    for expected in ("resourceVersion", "uid"):
        obj["metadata"][expected] = (wanted.get("metadata") or {}).get(expected) or ""
    stored = store_changed(cluster, call, admit_change(cluster, call, obj, old), old)
    return ApiResponse(200, scale_of(stored.body, _paths(call)), warnings=call.warnings)


def _wanted(cluster: Cluster, call: Call, before: Obj) -> Obj:
    """The Scale that a client wants in place of the present one; of an apply what it lists."""
    request = call.request
    if request.method == "PUT":
        wanted, call.repeated = decode(request.body, request.content_type, OBJECT_TYPES)
    else:
        body, call.repeated = decode(request.body, request.content_type, tuple(PATCH_TYPES))
        kind = PATCH_TYPES[media_type(request.content_type)]
        check_patch_options(call, kind)
        if call.is_apply:
            wanted = body
        else:
            call.patch = body
            # A Scale has no lists, and one field of interest: these two languages say the same of it.
            wanted = patched("json" if kind == "json" else "merge", before, body, ANY)
    if not isinstance(wanted, dict) or not isinstance(wanted.get("metadata") or {}, dict):
        raise bad_request("the body is no Scale")
    if (wanted.get("kind") or _SCALE.kind) != _SCALE.kind:
        raise call.undecodable(f"it is a {wanted['kind']}", _SCALE.kind)
    check_name(call.place, wanted.get("metadata") or {})
    schema = cluster.schemas.for_kind(_SCALE.group, _SCALE.version, _SCALE.kind) or ANY
    check_fields(call, wanted, schema)
    return wanted


def _apply(cluster: Cluster, call: Call, old: Obj, replicas: int) -> ApiResponse:
    """Server-side apply of a Scale is one of the object that it stands for."""
    resource, paths = call.served.resource, _paths(call)
    meta = {name: old["metadata"][name] for name in ("name", "namespace")}
    head: Obj = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta}
    try:
        stored = apply_object(cluster, call, _scaled(head, paths, replicas))
    except ApiRefusal as refusal:
        # The conflict is about a Scale's field, so the other's version is told as a Scale's.
        told, api_version = f"using {resource.api_version}", f"using {_SCALE.api_version}"
        refusal.message = refusal.message.replace(told, api_version)
        for cause in (refusal.details or {}).get("causes") or ():
            cause["message"] = cause["message"].replace(told, api_version)
        raise
    return ApiResponse(200, scale_of(stored.body, paths), warnings=call.warnings)


def _paths(call: Call) -> ScalePaths:
    return call.served.scale or BUILT_IN_SCALE


def _replicas(call: Call, scale: Any) -> int:
    """spec.replicas of the wanted Scale; a Scale without it wants none."""
    spec = scale.get("spec") or {}
    if not isinstance(spec, dict):
        raise bad_request("the body is no Scale")
    found = spec.get("replicas") or 0
    if isinstance(found, bool) or not isinstance(found, int):
        raise call.undecodable("spec.replicas must be a whole number", _SCALE.kind)
    if found < 0 and call.served.crd is not None:
        text = f"Invalid value: {found}: should be a non-negative integer"
        raise invalid(call.served.group_kind, call.place.name, [Cause(_paths(call).spec_replicas, text)])
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
