"""From what a client sent to what is stored: checked, completed, without what the client may not write."""

from collections.abc import Iterator
from typing import Any

from embedded.api.call import Call
from embedded.api.cluster import DEFINITIONS, Cluster
from embedded.api.definitions import check_definition, established
from embedded.api.metadata import carry_over, check_metadata, refuse, stamp_new
from embedded.api.refusals import Cause, conflict
from embedded.api.registry import Served
from embedded.apply import track_update
from embedded.schema import TypeSchema, apply_defaults, copy_json, prune, type_errors, unknown_fields
from embedded.schema.types import ANY, joined
from kube.objects import Obj
from kube.resources import NODES, PODS
from serving.refusals import Refused

_KEEP_STATUS_ON_CREATE = (NODES,)
_OURS = "zerogate"  # how the names of our programs begin


def schema_of(cluster: Cluster, served: Served) -> TypeSchema:
    """The kind's type; a definition without a schema admits anything."""
    resource = served.resource
    return cluster.schemas.for_kind(resource.group, resource.version, resource.kind) or ANY


def admit_new(cluster: Cluster, call: Call, obj: Obj, *, is_tracked: bool = False) -> Obj:
    """The object to store for a creation. `obj` is ours to change; `is_tracked`: managedFields are right."""
    served = call.served
    if served.has_status and served.resource not in _KEEP_STATUS_ON_CREATE:
        obj.pop("status", None)
        if served.crd is None:
            obj["status"] = {}  # Kubernetes' own kinds always have one
    stamp_new(served, obj, cluster.clock(), cluster.rng)
    if not is_tracked:
        obj["metadata"].pop("managedFields", None)
    obj = _completed(cluster, call, obj, None)
    if served.id == DEFINITIONS:
        obj = established(obj, cluster.clock())
    return obj if is_tracked else _tracked(cluster, call, obj, None)


def admit_change(cluster: Cluster, call: Call, obj: Obj, old: Obj, *, is_tracked: bool = False) -> Obj:
    """The object to store in place of `old`; `old` itself when nothing would change."""
    check_expected(call, obj, old)
    carry_over(obj, old, is_tracked=is_tracked)
    if call.place.subresource == "status":
        obj = _status_only(call, obj, old)
    elif call.served.has_status:
        _keep(obj, old, "status")
    if obj == old:
        return old
    managed = obj["metadata"].pop("managedFields", None)  # large, and nothing to be checked or completed
    if call.place.subresource == "status":
        obj = _completed_status(cluster, call, obj, old)
    elif call.place.subresource != "scale" or call.served.crd is not None:
        obj = _completed(cluster, call, obj, old)
    if call.served.has_generation and _wanted(call.served, obj) != _wanted(call.served, old):
        obj["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
    if call.served.id == DEFINITIONS:
        obj = established(obj, cluster.clock())
    if not is_tracked and obj == _unmanaged(old) and managed in (None, old["metadata"].get("managedFields")):
        return old
    if managed is not None:
        obj["metadata"]["managedFields"] = managed
    return obj if is_tracked else _tracked(cluster, call, obj, old)


def check_expected(call: Call, obj: Obj, old: Obj) -> None:
    """Refuse a change that was made for another version of the object, or for a namesake."""
    served, meta, stored = call.served, obj["metadata"], old["metadata"]
    version, uid = meta.get("resourceVersion"), meta.get("uid")
    if version and version != stored["resourceVersion"]:
        raise conflict(served.id, stored["name"])
    gone = meta.get("deletionTimestamp")
    if gone and gone != stored.get("deletionTimestamp"):
        text = f'Invalid value: "{gone}": field is immutable'
        raise refuse(served, old, [Cause("metadata.deletionTimestamp", text)])
    if uid and uid != stored["uid"] and call.request.method == "PATCH":
        raise refuse(served, old, [Cause("metadata.uid", f'Invalid value: "{uid}": field is immutable')])
    if uid and uid != stored["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {stored['uid']}"
        raise conflict(served.id, stored["name"], why)


def _keep(obj: Obj, old: Obj, part: str) -> None:
    if part in old:
        obj[part] = old[part]
    else:
        obj.pop(part, None)


def _status_only(call: Call, obj: Obj, old: Obj) -> Obj:
    """The old object with the new status. A pod's annotations may go with its status, as in Kubernetes."""
    meta = dict(old["metadata"])
    if "managedFields" in obj["metadata"]:
        meta["managedFields"] = obj["metadata"]["managedFields"]
    if call.served.resource == PODS:
        for part in ("annotations", "labels"):
            _keep(meta, obj["metadata"], part)
    changed = {**old, "metadata": meta}
    _keep(changed, obj, "status")
    return changed


def _wanted(served: Served, obj: Obj) -> Obj:
    """What the generation counts: Kubernetes' kinds' spec, of custom ones all but metadata and status."""
    if served.resource == PODS:  # where it runs is the scheduler's word, not its author's
        return {part: value for part, value in obj.get("spec", {}).items() if part != "nodeName"}
    if served.crd is None:
        return {"spec": obj.get("spec")}
    apart = {"metadata", "status"} if served.has_status else {"metadata"}
    return {part: value for part, value in obj.items() if part not in apart}


def _unmanaged(obj: Obj) -> Obj:
    meta = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    return {**obj, "metadata": meta}


def _completed(cluster: Cluster, call: Call, obj: Obj, old: Obj | None) -> Obj:
    """Without unknown fields, with defaults, checked by type and by the kind's own rules."""
    schema = schema_of(cluster, call.served)
    if old is not None and _differs_in_metadata_only(obj, old):
        return _completed_metadata(cluster, call, obj, old)
    check_fields(call, obj, schema)
    obj = prune(obj, schema)
    if not schema.is_custom and isinstance(call.request.body, bytes):
        _check_elements(call, obj)
    if schema.is_custom:
        obj = apply_defaults(obj, schema)
    causes = _type_problems(call, obj, schema, old) or check_metadata(call.served, obj, old)
    if not causes and call.served.id == DEFINITIONS:
        causes = check_definition(obj, old)
    if causes:
        raise refuse(call.served, obj, causes)
    obj = copy_json(obj) if schema.is_custom else apply_defaults(obj, schema)
    return _admitted(cluster, call, obj, old)


def _admitted(cluster: Cluster, call: Call, obj: Obj, old: Obj | None) -> Obj:
    try:
        return cluster.admit(call.served.resource, obj, old)
    except Refused as refusal:
        found = [Cause(error.path, error.message) for error in refusal.errors]
        raise refuse(call.served, obj, found) from refusal


def completed(cluster: Cluster, call: Call, obj: Obj, old: Obj | None) -> Obj:
    """The object with the defaults that it would be stored with; as it is where it would be refused."""
    schema = schema_of(cluster, call.served)
    filled = apply_defaults(obj, schema) if schema.is_custom else obj
    if type_errors(filled, schema, old):
        return obj
    if not schema.is_custom:
        filled = apply_defaults(obj, schema)
    try:
        return cluster.admit(call.served.resource, filled, old)
    except Refused:
        return obj


def _differs_in_metadata_only(obj: Obj, old: Obj) -> bool:
    return obj.keys() == old.keys() and all(
        value == old[part] for part, value in obj.items() if part != "metadata"
    )


def _completed_metadata(cluster: Cluster, call: Call, obj: Obj, old: Obj) -> Obj:
    """Labels and annotations, the most frequent change: what did not change needs no second look."""
    schema = schema_of(cluster, call.served)
    head: Obj = {"metadata": obj["metadata"]}
    check_fields(call, head, schema)
    head = prune(head, schema)
    if isinstance(call.request.body, bytes):
        _check_elements(call, head)
    obj = {**old, **head}
    causes = _type_problems(call, obj, schema, old) or check_metadata(call.served, obj, old)
    if causes:
        raise refuse(call.served, obj, causes)
    return _admitted(cluster, call, {**obj, "metadata": dict(obj["metadata"])}, old)


def _completed_status(cluster: Cluster, call: Call, obj: Obj, old: Obj) -> Obj:
    """A status checked by type; the rest of the object is the stored one and needs no second look."""
    schema = schema_of(cluster, call.served)
    status = {"status": obj["status"]} if "status" in obj else {}
    check_fields(call, status, schema)
    obj = {**obj, **prune(status, schema)}
    causes = _type_problems(call, obj, schema, old)
    if causes:
        raise refuse(call.served, obj, causes)
    return obj


def _type_problems(call: Call, obj: Obj, schema: TypeSchema, old: Obj | None) -> list[Cause]:
    """What the type refuses. JSON of a wrong type can't even be read, except where a definition checks it."""
    problems = type_errors(obj, schema, old)
    unread = [
        problem
        for problem in problems
        if problem.is_type and (not schema.is_custom or problem.path.startswith("metadata."))
    ]
    if unread:
        raise call.undecodable(", ".join(f"{problem.path}: {problem.message}" for problem in unread))
    return [
        Cause(problem.path, problem.message, "FieldValueTypeInvalid" if problem.is_type else "")
        for problem in problems
    ]


def check_fields(call: Call, obj: Obj, schema: TypeSchema) -> None:
    """Refuse, or warn of, fields that the kind does not have or that were given twice."""
    if call.options.validation == "Ignore":
        return
    found = [f'unknown field "{path}"' for path in unknown_fields(obj, schema)]
    found += [f'duplicate field "{path}"' for path in call.repeated]
    if found and call.options.validation == "Strict":
        raise call.undecodable(f"strict decoding error: {', '.join(found)}")
    call.warnings += found


def _check_elements(call: Call, obj: Obj) -> None:
    """Refuse nulls in lists: no list of Kubernetes' own kinds may hold one."""
    causes = [Cause(path, "Invalid value: null") for path in _null_elements(obj, "")]
    if causes:
        raise refuse(call.served, obj, causes)


def _null_elements(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, below in value.items():
            if isinstance(below, dict | list):
                yield from _null_elements(below, joined(path, name))
    else:
        for index, below in enumerate(value):
            if below is None:
                yield f"{path}[{index}]"
            elif isinstance(below, dict | list):
                yield from _null_elements(below, f"{path}[{index}]")


def _tracked(cluster: Cluster, call: Call, obj: Obj, old: Obj | None) -> Obj:
    """The object with this write noted in managedFields.

    Of kinds that programs of ours write all the time, only what others write is noted.
    """
    if not call.served.tracks_fields and call.options.manager.startswith(_OURS):
        return obj
    own = obj
    if old is None and call.served.has_status:  # what a kind begins with is nobody's
        own = {part: value for part, value in obj.items() if part != "status"}
    noted = track_update(
        old,
        own,
        manager=call.options.manager,
        subresource=call.place.subresource,
        schema=schema_of(cluster, call.served),
        now=cluster.clock(),
    )
    return {**obj, "metadata": noted["metadata"]} if own is not obj else noted
