"""An object's head: kind, names, labels, and what only the server writes there."""

import random
import re
import uuid
from collections.abc import Iterator
from typing import Any

from embedded.api.refusals import ApiRefusal, Cause, bad_request, invalid
from embedded.api.registry import Served
from embedded.api.requests import Place
from embedded.schema.limits import labels as label_problems
from kube import names
from kube.objects import Obj, format_time
from kube.resources import CORE_SERVICES, NAMESPACES

_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character"
)
_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character"
)
_LABEL_1035 = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
    "start with an alphabetic character, and end with an alphanumeric character"
)
_KEY_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_MAX_ANNOTATIONS = 256 * 1024
_MAX_GENERATED = 58  # what of generateName fits before five random characters
_SERVERS_OWN = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")


def check_head(served: Served, place: Place, obj: Any) -> Obj:
    """The body as an object of the kind and place that the path names; absent words are filled in."""
    resource = served.resource
    if not isinstance(obj, dict) or not isinstance(obj.get("metadata"), dict | None):
        raise bad_request(f"the body is no {resource.kind}: an object with metadata is expected")
    for field, wanted in (("apiVersion", resource.api_version), ("kind", resource.kind)):
        found = obj.get(field) or wanted
        if found != wanted:
            what = "API version" if field == "apiVersion" else "kind"
            raise bad_request(f"the {what} in the data ({found}) does not match the expected one ({wanted})")
    obj["apiVersion"], obj["kind"] = resource.api_version, resource.kind
    meta = obj["metadata"] = obj.get("metadata") or {}
    _check_text(served, meta)
    if meta.get("namespace") and not resource.namespaced:
        meta.pop("namespace")
    if resource.namespaced and meta.setdefault("namespace", place.namespace) != place.namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if place.name and not place.subresource == "binding" and (meta.get("name") or place.name) != place.name:
        raise bad_request(
            f"the name of the object ({meta['name']}) does not match the name on the URL ({place.name})"
        )
    if place.name:
        meta["name"] = place.name
    return obj


def _check_text(served: Served, meta: Obj) -> None:
    for field in ("name", "namespace", "generateName", "uid", "resourceVersion"):
        value = meta.get(field)
        if value is None:
            meta.pop(field, None)
        elif not isinstance(value, str):
            raise bad_request(
                f'{served.resource.kind} in version "{served.resource.version}" cannot be handled as a '
                f"{served.resource.kind}: metadata.{field} must be a string"
            )


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


def carry_over(obj: Obj, old: Obj) -> None:
    """Give a changed object what only the server writes, from the stored one, in place."""
    meta, before = obj["metadata"], old["metadata"]
    for field in (*_SERVERS_OWN, "generation", "resourceVersion", "generateName"):
        if field in before:
            meta[field] = before[field]
        else:
            meta.pop(field, None)
    if "managedFields" not in meta and "managedFields" in before:
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
        causes += _key_problems(meta.get("annotations") or {}, "metadata.annotations")
        if (
            sum(len(name) + len(text) for name, text in (meta.get("annotations") or {}).items())
            > _MAX_ANNOTATIONS
        ):
            text = f"Too long: may not be more than {_MAX_ANNOTATIONS} bytes"
            causes.append(Cause("metadata.annotations", text, "FieldValueTooLong"))
    if meta.get("ownerReferences") != before.get("ownerReferences"):
        causes += _owner_problems(meta.get("ownerReferences") or [])
    if before.get("deletionTimestamp"):
        added = set(meta.get("finalizers") or ()) - set(before.get("finalizers") or ())
        if added:
            text = (
                "Forbidden: no new finalizers can be added if the object is being deleted, "
                f"found new finalizers {sorted(added)}"
            )
            causes.append(Cause("metadata.finalizers", text, "FieldValueForbidden"))
    return causes


def _name_problems(served: Served, meta: Obj) -> Iterator[Cause]:
    name = meta.get("name") or ""
    if not name:
        yield Cause("metadata.name", "Required value: name or generateName is required", "FieldValueRequired")
        return
    if served.resource == CORE_SERVICES:
        valid, text = names.is_dns1035_label(name), _LABEL_1035
    elif served.resource == NAMESPACES:
        valid, text = names.is_dns1123_label(name), _LABEL
    else:
        valid, text = names.is_dns1123_subdomain(name), _SUBDOMAIN
    if not valid:
        yield Cause("metadata.name", f'Invalid value: "{name}": {text}')


def _key_problems(entries: dict[str, Any], path: str) -> list[Cause]:
    found = []
    for name in entries:
        prefix, slash, last = name.rpartition("/")
        if (slash and not names.is_dns1123_subdomain(prefix)) or not _KEY_NAME.fullmatch(last):
            text = (
                f'Invalid value: "{name}": name part must consist of alphanumeric characters, '
                "'-', '_' or '.', after an optional DNS prefix and '/'"
            )
            found.append(Cause(path, text))
    return found


def _owner_problems(references: list[Obj]) -> Iterator[Cause]:
    for index, reference in enumerate(references):
        for field in ("apiVersion", "kind", "name", "uid"):
            if not reference.get(field):
                yield Cause(
                    f"metadata.ownerReferences[{index}].{field}",
                    "Required value: must not be empty",
                    "FieldValueRequired",
                )
    controllers = [reference.get("kind") for reference in references if reference.get("controller")]
    if len(controllers) > 1:
        yield Cause(
            "metadata.ownerReferences", "Invalid value: only one reference can have controller set to true"
        )


def refuse(served: Served, obj: Obj, causes: list[Cause]) -> ApiRefusal:
    """422 with all causes, in the kind's name."""
    meta = obj.get("metadata") or {}
    return invalid(served.group_kind, meta.get("name") or meta.get("generateName") or "", causes)
