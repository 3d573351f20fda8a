"""An object's head: kind, names, labels, and what only the server writes there."""

import random
import uuid
from collections.abc import Iterator
from typing import Any

from embedded.api.call import Call
from embedded.api.refusals import ApiRefusal, Cause, bad_request, invalid, nameless
from embedded.api.registry import Served
from embedded.api.requests import Place
from embedded.schema import naming
from embedded.schema.limits import labels as label_problems
from embedded.store import encode
from kube import names
from kube.objects import Obj, format_time
from kube.resources import CORE_SERVICES, NAMESPACES

_MAX_ANNOTATIONS = 256 * 1024
_MAX_GENERATED = 58  # what of generateName fits before five random characters
_LEFT_OUT_WHERE_EMPTY = ("annotations", "labels", "finalizers", "ownerReferences")
_SERVERS_OWN = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")


def check_head(call: Call, obj: Any) -> Obj:
    """The body as an object of the kind and place that the path names; absent words are filled in."""
    served, place = call.served, call.place
    resource = served.resource
    if not isinstance(obj, dict) or not isinstance(obj.get("metadata"), dict | None):
        raise bad_request(f"the body is no {resource.kind}: an object with metadata is expected")
    _check_kind(call, obj)
    obj["apiVersion"], obj["kind"] = resource.api_version, resource.kind
    meta = obj["metadata"] = obj.get("metadata") or {}
    _check_text(call, meta)
    for part in _LEFT_OUT_WHERE_EMPTY:
        if part in meta and meta[part] in ({}, [], None):
            del meta[part]
    if meta.get("namespace") and not resource.namespaced:
        meta.pop("namespace")
    if resource.namespaced and meta.setdefault("namespace", place.namespace) != place.namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if place.name and place.subresource != "binding":
        check_name(place, meta)
    return obj


def check_name(place: Place, meta: Obj) -> None:
    """Refuse a change whose body is somebody else's, or nobody's."""
    if not meta.get("name"):
        raise nameless(place.name)
    if meta["name"] != place.name:
        raise bad_request(
            f"the name of the object ({meta['name']}) does not match the name on the URL ({place.name})"
        )


def _check_kind(call: Call, obj: Obj) -> None:
    """Refuse another kind's object; where none is told, a custom resource's as well."""
    resource, is_custom = call.served.resource, call.served.crd is not None
    version, kind = obj.get("apiVersion") or "", obj.get("kind") or ""
    if call.is_apply:
        # As for the real API server, a value that is not a string is an empty one.
        version, kind = (value if isinstance(value, str) else "" for value in (version, kind))
        if (version, kind) != (resource.api_version, resource.kind):
            group_version = version if "/" in version else f"/{version}"
            raise bad_request(f"invalid object type: {group_version}, Kind={kind}")
    elif is_custom and call.patch is None and not (version and kind):
        what = "apiVersion" if kind else "Kind"
        raise bad_request(
            f"the object provided is unrecognized (must be of type {resource.kind}): "
            f"Object '{what}' is missing"
        )
    elif is_custom:
        _check_words(call, obj, version or resource.api_version, kind or resource.kind)
    elif (version or resource.api_version, kind or resource.kind) != (resource.api_version, resource.kind):
        raise call.undecodable(f"it is a {kind} of {version}")


def _check_words(call: Call, obj: Obj, version: str, kind: str) -> None:
    resource = call.served.resource
    if version != resource.api_version and call.patch is None:
        raise bad_request(
            f"the API version in the data ({version}) does not match the expected API version "
            f"({resource.api_version})"
        )
    for field, found, wanted in (
        ("apiVersion", version, resource.api_version),
        ("kind", kind, resource.kind),
    ):
        if found != wanted:
            cause = Cause(field, f'Invalid value: "{found}": must be {wanted}')
            name = (obj.get("metadata") or {}).get("name") or ""
            raise invalid(f"{kind}.{resource.group}", name, [cause])


def _check_text(call: Call, meta: Obj) -> None:
    for field in ("name", "namespace", "generateName", "uid", "resourceVersion"):
        value = meta.get(field)
        if value is None:
            meta.pop(field, None)
        elif not isinstance(value, str):
            raise call.undecodable(f"metadata.{field} must be a string")


def stamp_new(served: Served, obj: Obj, now: float, rng: random.Random) -> None:
    """Give a new object its name, UID, time and generation, in place."""
    meta = obj["metadata"]
    if meta.pop("resourceVersion", ""):
        raise bad_request("resourceVersion should not be set on objects to be created")
    for field in _SERVERS_OWN:
        meta.pop(field, None)
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = meta["generateName"][:_MAX_GENERATED] + names.random_suffix(rng)
    meta["uid"] = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    meta["creationTimestamp"] = format_time(now)
    meta.pop("generation", None)
    if served.has_generation:
        meta["generation"] = 1


def carry_over(obj: Obj, old: Obj, *, is_tracked: bool) -> None:
    """Give a changed object what only the server writes, from the stored one, in place.

    `is_tracked`: its managedFields are right, also when it has none.
    """
    meta, before = obj["metadata"], old["metadata"]
    for field in (*_SERVERS_OWN, "generation", "resourceVersion", "generateName"):
        if field in before:
            meta[field] = before[field]
        else:
            meta.pop(field, None)
    if not is_tracked and "managedFields" not in meta and "managedFields" in before:
        meta["managedFields"] = before["managedFields"]


def check_metadata(served: Served, obj: Obj, old: Obj | None) -> list[Cause]:
    """What is wrong with names, labels, annotations, finalizers and owners."""
    meta, before = obj["metadata"], (old or {}).get("metadata") or {}
    causes = [] if old else list(_name_problems(served, meta))
    if meta.get("labels") != before.get("labels"):
        causes += _key_problems(meta.get("labels") or {}, "metadata.labels")
        if served.crd is not None:
            causes += [
                Cause(problem.path, problem.message)
                for problem in label_problems(meta.get("labels") or {}, "metadata.labels")
            ]
    if meta.get("annotations") != before.get("annotations"):
        causes += _key_problems(meta.get("annotations") or {}, "metadata.annotations", is_lowered=True)
        if (
            sum(len(name) + len(text) for name, text in (meta.get("annotations") or {}).items())
            > _MAX_ANNOTATIONS
        ):
            text = f"Too long: may not be more than {_MAX_ANNOTATIONS} bytes"
            causes.append(Cause("metadata.annotations", text))
    if meta.get("ownerReferences") != before.get("ownerReferences"):
        causes += _owner_problems(meta.get("ownerReferences") or [])
    if meta.get("finalizers") != before.get("finalizers"):
        causes += _finalizer_problems(served, meta.get("finalizers") or [])
    if before.get("deletionTimestamp"):
        added = set(meta.get("finalizers") or ()) - set(before.get("finalizers") or ())
        if added:
            text = (
                "Forbidden: no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{', '.join(map(encode, sorted(added)))}}}"
            )
            causes.append(Cause("metadata.finalizers", text))
    return causes


def _name_problems(served: Served, meta: Obj) -> Iterator[Cause]:
    rule = _NAMES.get(served.id, naming.subdomain)
    prefix, name = meta.get("generateName") or "", meta.get("name") or ""
    if prefix:
        # A prefix may end where no name may: something is to come after it.
        for words in rule(f"{prefix[:-1]}a" if prefix.endswith("-") else prefix):
            yield Cause("metadata.generateName", f'Invalid value: "{prefix}": {words}')
    if not name:
        yield Cause("metadata.name", "Required value: name or generateName is required")
    for words in rule(name) if name else ():
        yield Cause("metadata.name", f'Invalid value: "{name}": {words}')


_NAMES = {CORE_SERVICES.plural: naming.label_1035, NAMESPACES.plural: naming.label}


def _key_problems(entries: dict[str, Any], path: str, *, is_lowered: bool = False) -> list[Cause]:
    """`is_lowered`: capitals are taken in a key's domain, as for annotations."""
    return [
        Cause(path, f'Invalid value: "{key}": {words}')
        for key in entries
        for words in naming.qualified(key.lower() if is_lowered else key)
    ]


def _finalizer_problems(served: Served, finalizers: list[str]) -> Iterator[Cause]:
    for index, name in enumerate(finalizers):
        complaints = naming.qualified(name)
        for words in complaints:
            yield Cause("metadata.finalizers", f'Invalid value: "{name}": {words}')
        if not complaints and served.crd is None and "/" not in name and name not in _FINALIZERS:
            words = "name is neither a standard finalizer name nor is it fully qualified"
            yield Cause(f"metadata.finalizers[{index}]", f'Invalid value: "{name}": {words}')


_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")


def _owner_problems(references: list[Obj]) -> Iterator[Cause]:
    for reference in references:
        if not reference.get("apiVersion"):
            yield Cause("metadata.ownerReferences.apiVersion", 'Invalid value: "": version must not be empty')
        for field in ("kind", "name", "uid"):
            if not reference.get(field):
                yield Cause(f"metadata.ownerReferences.{field}", 'Invalid value: "": must not be empty')
    controllers = [each for each in references if each.get("controller")]
    if len(controllers) > 1:
        first, second = (f"{each.get('kind')}/{each.get('name')}" for each in controllers[:2])
        words = (
            "Only one reference can have Controller set to true. "
            f'Found "true" in references for {first} and {second}'
        )
        yield Cause("metadata.ownerReferences", f"Invalid value: {encode(references)}: {words}")


def refuse(served: Served, obj: Obj, causes: list[Cause]) -> ApiRefusal:
    """422 with all causes, in the kind's name."""
    meta = obj.get("metadata") or {}
    return invalid(served.group_kind, meta.get("name") or meta.get("generateName") or "", causes)
