"""Create, update and patch."""

from typing import Any

from embedded.api.admission import admit_change, admit_new, check_expected, completed, schema_of
from embedded.api.bodies import OBJECT_TYPES, PATCH_TYPES, decode, media_type
from embedded.api.call import Call
from embedded.api.cluster import DEFINITIONS, Cluster
from embedded.api.deletion import may_go
from embedded.api.metadata import check_head
from embedded.api.refusals import (
    ApiRefusal,
    Cause,
    already_exists,
    bad_request,
    conflict,
    invalid,
    not_found,
    success,
)
from embedded.api.registry import Served
from embedded.api.requests import ApiResponse
from embedded.apply import ApplyConflict, server_side_apply, untyped
from embedded.patch import PatchFailed, json_patch, merge_patch
from embedded.schema import TypeSchema, type_errors, unknown_fields
from embedded.strategic import strategic_patch
from kube.objects import Key, Obj, format_time, key


def read_object(call: Call) -> Obj:
    """The body as an object of the call's kind."""
    body, call.repeated = decode(call.request.body, call.request.content_type, OBJECT_TYPES)
    return check_head(call, body)


def create(cluster: Cluster, call: Call) -> ApiResponse:
    """POST on a collection."""
    obj = read_object(call)
    cluster.check_namespace(call.served, obj)
    return _store_new(cluster, call, admit_new(cluster, call, obj))


def _store_new(cluster: Cluster, call: Call, obj: Obj) -> ApiResponse:
    where = key(obj)
    _check_free(cluster, call.served, where)
    if call.options.dry_run:
        return ApiResponse(201, obj, warnings=call.warnings)
    entry = cluster.put(call.served, obj)
    return ApiResponse(201, entry.obj, text=entry.text, warnings=call.warnings)


def _check_free(cluster: Cluster, served: Served, where: Key) -> None:
    entry = cluster.store.get(served.id, where)
    if entry is not None:
        refusal = already_exists(served.id, where[1])
        if entry.obj["metadata"].get("deletionTimestamp"):
            refusal.message = f"object is being deleted: {refusal.message}"
        raise refusal
    definition = cluster.store.get(DEFINITIONS, ("", served.id)) if served.crd is not None else None
    if definition is not None and definition.obj["metadata"].get("deletionTimestamp"):
        text = "create not allowed while custom resource definition is terminating"
        raise ApiRefusal(405, "MethodNotAllowed", text)


def update(cluster: Cluster, call: Call) -> ApiResponse:
    """PUT on an object or its status."""
    obj = read_object(call)
    old = cluster.get(call.served, (call.place.namespace, call.place.name)).obj
    check_expected(call, obj, old)
    if call.served.crd is not None and not obj["metadata"].get("resourceVersion"):
        text = "Invalid value: 0: must be specified for an update"
        raise invalid(call.served.id, call.place.name, [Cause("metadata.resourceVersion", text)])
    return store_changed(cluster, call, admit_change(cluster, call, obj, old), old)


def store_changed(cluster: Cluster, call: Call, obj: Obj, old: Obj) -> ApiResponse:
    """Store what was admitted in place of `old`; an object whose last finalizer went is gone with it."""
    where = key(old)
    if call.options.dry_run:
        return ApiResponse(200, obj, warnings=call.warnings)
    if obj["metadata"].get("deletionTimestamp") and may_go(cluster, call.served, obj):
        entry = cluster.drop(call.served, where, obj)  # one change, and one event
    else:
        entry = cluster.get(call.served, where) if obj is old else cluster.put(call.served, obj)
    return ApiResponse(200, entry.obj, text=entry.text, warnings=call.warnings)


def patch(cluster: Cluster, call: Call) -> ApiResponse:
    """PATCH on an object or its status, in any of the four languages."""
    where = (call.place.namespace, call.place.name)
    body, call.repeated = decode(call.request.body, call.request.content_type, tuple(PATCH_TYPES))
    kind = PATCH_TYPES[media_type(call.request.content_type)]
    check_patch_options(call, kind)
    if kind == "apply":
        return _apply(cluster, call, body)
    old, call.patch = cluster.get(call.served, where).obj, body
    obj = patched(kind, old, body, schema_of(cluster, call.served))
    if isinstance(obj.get("metadata"), dict):
        obj["metadata"] = dict(obj["metadata"])
    check_head(call, obj)
    return store_changed(cluster, call, admit_change(cluster, call, obj, old), old)


def check_patch_options(call: Call, kind: str) -> None:
    """Refuse what only server-side apply may be told, and an apply that does not say who applies."""
    causes = []
    if kind == "apply":
        call.is_apply = True
        if not call.request.query.get("fieldManager"):
            causes.append(Cause("fieldManager", "Required value: is required for apply patch"))
    elif "force" in call.request.query:
        causes.append(Cause("force", "Forbidden: may not be specified for non-apply patch"))
    if causes:
        raise invalid("PatchOptions.meta.k8s.io", "", causes)


def patched(kind: str, old: Obj, body: Any, schema: TypeSchema) -> Obj:
    """The object after a patch; its top level is ours to change, the rest may be shared with the old one."""
    try:
        if kind == "json":
            return json_patch(old, body)
        if kind == "merge":
            return merge_patch(old, body)
        return dict(strategic_patch(old, body, schema))
    except PatchFailed as failure:
        raise ApiRefusal(failure.status, failure.reason, failure.message) from failure
    except RecursionError as error:
        raise bad_request("the patch is nested too deeply") from error


def _apply(cluster: Cluster, call: Call, body: Any) -> ApiResponse:
    """Server-side apply: the only patch that creates what is not there."""
    where = (call.place.namespace, call.place.name)
    if isinstance(body, dict) and not body.get("metadata") and cluster.store.get(call.served.id, where):
        body["metadata"] = {"name": call.place.name}  # whose fields these are the path says
    obj = check_head(call, body)
    if call.place.subresource:
        wanted = ("apiVersion", "kind", "metadata", call.place.subresource)
        obj = {part: value for part, value in obj.items() if part in wanted}
    return apply_object(cluster, call, obj)


def apply_object(cluster: Cluster, call: Call, obj: Obj) -> ApiResponse:
    """Apply an object whose head is right."""
    entry = cluster.store.get(call.served.id, key(obj))
    old = entry.obj if entry else None
    if old is not None:
        check_expected(call, obj, old)
    elif call.place.subresource:
        raise not_found(call.served.id, call.place.name)
    else:
        cluster.check_namespace(call.served, obj)
        _check_unborn(call, obj)
    _check_applied(cluster, call, obj)
    try:
        merged = server_side_apply(
            old,
            obj,
            completed=lambda merged: completed(cluster, call, merged, old),
            manager=call.options.manager,
            force=call.options.force,
            schema=schema_of(cluster, call.served),
            now=cluster.clock(),
            subresource=call.place.subresource,
        )
    except ApplyConflict as clash:
        raise ApiRefusal(409, "Conflict", clash.message, {"causes": clash.status_causes}) from clash
    except PatchFailed as failure:
        raise ApiRefusal(failure.status, failure.reason, failure.message) from failure
    if old is None:
        return _store_new(cluster, call, admit_new(cluster, call, merged, is_tracked=True))
    if merged is not old:
        merged = {**merged, "metadata": dict(merged["metadata"])}
        merged = admit_change(cluster, call, merged, old, is_tracked=True)
    return store_changed(cluster, call, merged, old)


def _check_unborn(call: Call, obj: Obj) -> None:
    """Refuse to create what the applier took for an object that it knows."""
    found = obj["metadata"].get("uid")
    if found:
        why = f"uid mismatch: the provided object specified uid {found}, and no existing object was found"
        raise conflict(call.served.id, call.place.name, why)


def _check_applied(cluster: Cluster, call: Call, obj: Obj) -> None:
    """Refuse fields that the kind has not, and values of a wrong type: nobody could own them."""
    schema = schema_of(cluster, call.served)
    told = [f".{path}: field not declared in schema" for path in unknown_fields(obj, schema)]
    told += [f".{each.path}: {each.message}" for each in type_errors(obj, schema) if each.is_type]
    if told:
        raise bad_request(untyped(obj, told[0]))


def bind(cluster: Cluster, call: Call) -> ApiResponse:
    """POST on pods/…/binding: give the pod its node."""
    body, _ = decode(call.request.body, call.request.content_type)
    target = body.get("target") if isinstance(body, dict) else None
    node = target.get("name") if isinstance(target, dict) else None
    if not isinstance(node, str) or not node:
        raise bad_request("a Binding names its node in target.name")
    old = cluster.get(call.served, (call.place.namespace, call.place.name)).obj
    if old["spec"].get("nodeName"):
        why = f'pod {call.place.name} is already assigned to node "{old["spec"]["nodeName"]}"'
        raise conflict(call.served.id, call.place.name, why)
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": format_time(cluster.clock())}
    status = old.get("status") or {}
    kept = [entry for entry in status.get("conditions") or () if entry.get("type") != "PodScheduled"]
    pod = {
        **old,
        "metadata": dict(old["metadata"]),
        "spec": {**old["spec"], "nodeName": node},
        "status": {**status, "conditions": [*kept, scheduled]},
    }
    store_changed(cluster, call, pod, old)
    return ApiResponse(201, success())
