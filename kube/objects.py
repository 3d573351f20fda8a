"""A Kubernetes object is its JSON; these are the parts that everybody reads."""

import datetime as dt
from typing import Any

Obj = dict[str, Any]
Key = tuple[str, str]
"""(namespace, name); the namespace of a cluster-scoped object is ""."""
COMPLETE = "NewReplicaSetAvailable"
"""The reason of a Deployment's condition Progressing once it has all that it wants."""


def key(obj: Obj) -> Key:
    """Where the object stands: (namespace, name)."""
    meta = obj.get("metadata") or {}
    return meta.get("namespace") or "", meta.get("name") or ""


def name(obj: Obj) -> str:
    """The object's name, "" when it has none yet."""
    return key(obj)[1]


def namespace(obj: Obj) -> str:
    """The object's namespace, "" for cluster-scoped kinds."""
    return key(obj)[0]


def uid(obj: Obj) -> str:
    """The object's UID, "" before it was created."""
    return (obj.get("metadata") or {}).get("uid") or ""


def is_newer(obj: Obj, than: Obj) -> bool:
    """Whether it is a later version of the same object. Versions that are no numbers are told from each other
    only: the one that is asked about counts as the later one.
    """
    one, other = ((each.get("metadata") or {}).get("resourceVersion") for each in (obj, than))
    try:
        return int(one or "") > int(other or "")
    except ValueError:
        return bool(one != other)


def labels(obj: Obj) -> dict[str, str]:
    """The object's labels, never None."""
    return (obj.get("metadata") or {}).get("labels") or {}


def annotations(obj: Obj) -> dict[str, str]:
    """The object's annotations, never None."""
    return (obj.get("metadata") or {}).get("annotations") or {}


def condition(obj: Obj, type_: str) -> Obj | None:
    """The entry of status.conditions with that type."""
    for entry in (obj.get("status") or {}).get("conditions") or ():
        if entry.get("type") == type_:
            return dict(entry)
    return None


def is_true(obj: Obj, type_: str) -> bool:
    """Whether the condition stands and says True."""
    found = condition(obj, type_)
    return found is not None and found.get("status") == "True"


def is_deleting(obj: Obj) -> bool:
    """Whether the object was deleted and only lingers (grace period, finalizers)."""
    return bool((obj.get("metadata") or {}).get("deletionTimestamp"))


def is_ready(pod: Obj) -> bool:
    """Whether a pod counts as ready: Running, not being deleted, condition Ready True."""
    if is_deleting(pod):
        return False
    return (pod.get("status") or {}).get("phase") == "Running" and is_true(pod, "Ready")


def was_complete(deployment: Obj) -> bool:
    """Whether a Deployment had all its pods available at one time. It stays told so when it stands at zero;
    one that was taken there before any pod was ready is told so too (Kubernetes, pkg/controller/deployment).
    """
    progress = condition(deployment, "Progressing")
    return progress is not None and progress.get("reason") == COMPLETE


def owner_reference(owner: Obj) -> Obj:
    """A controller reference to `owner`, as its children carry it in metadata.ownerReferences."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name(owner),
        "uid": uid(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_of(obj: Obj) -> Obj | None:
    """The owner reference with `controller: true`; an object has at most one."""
    for reference in (obj.get("metadata") or {}).get("ownerReferences") or ():
        if reference.get("controller"):
            return dict(reference)
    return None


def parse_time(text: str) -> float:
    """Unix seconds of an RFC 3339 time. Raises ValueError."""
    return dt.datetime.fromisoformat(text).timestamp()


def format_time(seconds: float) -> str:
    """RFC 3339 in UTC with whole seconds, as metav1.Time is written."""
    moment = dt.datetime.fromtimestamp(int(seconds), dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def format_micro_time(seconds: float) -> str:
    """RFC 3339 in UTC with microseconds, as metav1.MicroTime is written (Leases, event series)."""
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
