"""Deleting: at once, after a grace period, after finalizers, with or without what the object owns."""

from dataclasses import dataclass
from typing import Any, Literal

from embedded.api.cluster import DEFINITIONS, Cluster
from embedded.api.ownership import references
from embedded.api.refusals import ApiRefusal, Cause, bad_request, conflict, forbidden, invalid
from embedded.api.registry import Served
from kube.objects import Obj, format_time, key, parse_time, uid
from kube.resources import CORE_SERVICES, NAMESPACES, PODS, SERVICEACCOUNTS

FOREGROUND = "foregroundDeletion"  # the finalizer of an owner that goes after its dependents
_PROTECTED = ("default", "kube-system", "kube-public", "kube-node-lease")

Policy = Literal["Background", "Foreground", "Orphan"]


@dataclass(frozen=True, slots=True)
class Deletion:
    """How to delete. No grace period means the object's own; preconditions are "" when not given."""

    grace: int | None = None
    policy: Policy = "Background"
    uid: str = ""
    version: str = ""
    dry_run: bool = False


def read_options(query: dict[str, Any], body: Any) -> Deletion:
    """A DeleteOptions body, or the same names in the query."""
    if body is not None and not isinstance(body, dict):
        raise bad_request("the body of a deletion is a DeleteOptions object")
    given = {**query, **(body or {})}
    if (given.get("kind") or "DeleteOptions") != "DeleteOptions":
        raise bad_request(f"a deletion takes DeleteOptions, no {given['kind']}")
    grace = _grace_period(given.get("gracePeriodSeconds"))
    policy: Any = given.get("propagationPolicy")
    if policy and given.get("orphanDependents") is not None:
        text = f'Invalid value: "{policy}": orphanDependents and deletionPropagation cannot be both set'
        raise _bad_option("propagationPolicy", text)
    policy = policy or ("Orphan" if given.get("orphanDependents") is True else "Background")
    if policy not in ("Background", "Foreground", "Orphan"):
        known = '"Foreground", "Background", "Orphan", "nil"'
        raise _bad_option("propagationPolicy", f'Unsupported value: "{policy}": supported values: {known}')
    conditions = given.get("preconditions") or {}
    if not isinstance(conditions, dict):
        raise _bad_option("preconditions", "Invalid value: an object is expected")
    dry_run = given.get("dryRun") or []
    if dry_run not in ([], ["All"], "All"):
        raise _bad_option("dryRun", f'Unsupported value: {dry_run}: supported values: "All"')
    return Deletion(
        grace,
        policy,
        conditions.get("uid") or "",
        conditions.get("resourceVersion") or "",
        bool(dry_run),
    )


def _grace_period(given: Any) -> int | None:
    """Seconds; less than none are one, as in Kubernetes."""
    if given is None:
        return None
    text = str(given)
    if isinstance(given, bool) or not text.removeprefix("-").isdigit() or not text.isascii():
        raise bad_request(f"gracePeriodSeconds: {given!r} is no whole number")
    return int(text) if int(text) >= 0 else 1


def _bad_option(name: str, message: str) -> ApiRefusal:
    return invalid("DeleteOptions.meta.k8s.io", "", [Cause(name, message)])


def check(served: Served, obj: Obj, how: Deletion) -> None:
    """Refuse where a precondition does not hold or the object is not to be deleted."""
    meta = obj["metadata"]
    for what, given, found, fate in (
        ("UID", how.uid, meta["uid"], "deleted and then recreated"),
        ("ResourceVersion", how.version, meta["resourceVersion"], "modified"),
    ):
        if given and given != found:
            why = f"the {what} in the precondition ({given}) does not match the {what} in record ({found})"
            raise conflict(served.group_kind, meta["name"], f"{why}. The object might have been {fate}")
    if served.resource == NAMESPACES and meta["name"] in _PROTECTED:
        raise forbidden(served.id, meta["name"], "this namespace may not be deleted")


def remove(cluster: Cluster, served: Served, obj: Obj, how: Deletion) -> Obj | None:
    """Delete the object: None when it is gone, else the object as it lingers.

    What lingers only because of something that went with it is gone after the next `collect`.
    """
    dependents = cluster.ownership.dependents(uid(obj))
    if how.policy == "Orphan":
        for resource, where in dependents:
            _release(cluster, cluster.registry[resource], where, uid(obj))
    marked = _marked(cluster, served, obj, how, waits=how.policy == "Foreground" and bool(dependents))
    if may_go(cluster, served, marked):
        cluster.drop(served, key(marked))
        return None
    if marked is not obj:
        cluster.put(served, marked)
    _empty(cluster, served, marked)
    if how.policy == "Foreground":
        for resource, where in dependents:
            remove_if_there(cluster, resource, where, Deletion(policy="Foreground"))
    cluster.due.append((served.id, key(marked)))
    return marked


def shown_when_gone(cluster: Cluster, served: Served, obj: Obj) -> Obj | None:
    """An object as its deletion shows it, of those kinds that are shown once more; None of others."""
    if served.resource in (CORE_SERVICES, SERVICEACCOUNTS):
        return obj
    meta = {**obj["metadata"], "deletionTimestamp": format_time(cluster.clock())}
    if served.resource == PODS:
        return {**obj, "metadata": {**meta, "deletionGracePeriodSeconds": 0}}
    if served.resource == NAMESPACES:
        return {**obj, "metadata": meta, "status": {**(obj.get("status") or {}), "phase": "Terminating"}}
    return None


def remove_if_there(cluster: Cluster, resource: str, where: tuple[str, str], how: Deletion) -> None:
    """Delete what may be gone or being deleted already."""
    entry = cluster.store.get(resource, where)
    if entry is not None and not entry.obj["metadata"].get("deletionTimestamp"):
        remove(cluster, cluster.registry[resource], entry.obj, how)


def _marked(cluster: Cluster, served: Served, obj: Obj, how: Deletion, *, waits: bool) -> Obj:
    """The object with its deletion written on it; itself when it goes at once or nothing is new."""
    meta = obj["metadata"]
    finalizers = list(meta.get("finalizers") or ())
    if waits and FOREGROUND not in finalizers:
        finalizers.append(FOREGROUND)
    grace = _grace(served, obj, how)
    since = meta.get("deletionTimestamp")
    if since is None:
        if not grace and not finalizers and not _holds(cluster, served, obj):
            return obj
        ends = cluster.clock() + grace
    elif grace == meta.get("deletionGracePeriodSeconds", 0) and finalizers == (meta.get("finalizers") or []):
        return obj
    else:
        ends = parse_time(since) - meta.get("deletionGracePeriodSeconds", 0) + grace
    new = {**meta, "deletionTimestamp": format_time(ends), "deletionGracePeriodSeconds": grace}
    if finalizers:
        new["finalizers"] = finalizers
    if since is None and "generation" in meta:
        new["generation"] = meta["generation"] + 1
    marked = {**obj, "metadata": new}
    if served.resource == NAMESPACES:
        marked["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
    return marked


def _grace(served: Served, obj: Obj, how: Deletion) -> int:
    """Seconds that a pod may take to end; 0 where nothing runs. A second deletion may only shorten it."""
    if served.resource != PODS:
        return 0
    spec, meta = obj.get("spec") or {}, obj["metadata"]
    if not spec.get("nodeName") or (obj.get("status") or {}).get("phase") in {"Succeeded", "Failed"}:
        return 0
    own = spec.get("terminationGracePeriodSeconds")
    running = meta.get("deletionGracePeriodSeconds")
    if running is not None:
        return int(running) if how.grace is None else min(how.grace, int(running))
    return how.grace if how.grace is not None else 30 if own is None else int(own)


def _holds(cluster: Cluster, served: Served, obj: Obj) -> bool:
    """Whether a namespace or a definition still has contents."""
    name = obj["metadata"]["name"]
    if served.resource == NAMESPACES:
        return cluster.ownership.contents[name] > 0
    return served.id == DEFINITIONS and bool(cluster.store.entries(name))


def _empty(cluster: Cluster, served: Served, obj: Obj) -> None:
    """Delete what a namespace or a definition that is being deleted holds."""
    if not obj["metadata"].get("deletionTimestamp"):
        return
    name = obj["metadata"]["name"]
    if served.resource == NAMESPACES:
        for kind in list(cluster.registry):
            if kind.resource.namespaced:
                for entry in cluster.store.entries(kind.id, name):
                    remove_if_there(cluster, kind.id, key(entry.obj), Deletion())
    elif served.id == DEFINITIONS:
        for entry in cluster.store.entries(name):
            remove_if_there(cluster, name, key(entry.obj), Deletion())


def may_go(cluster: Cluster, served: Served, obj: Obj) -> bool:
    """Whether nothing holds a deleted object back any more: no finalizer, no grace period, no contents."""
    meta = obj["metadata"]
    held = meta.get("finalizers") or meta.get("deletionGracePeriodSeconds") or _holds(cluster, served, obj)
    return not held


def look(cluster: Cluster, resource: str, obj: Obj) -> None:
    """Bring one object to where it has to go, if anything it depends on went."""
    served = cluster.registry[resource]
    meta = obj["metadata"]
    if meta.get("deletionTimestamp"):
        _look_at_deleted(cluster, served, obj)
        return
    named = references(obj)
    if not named:
        return
    left = [reference for reference in named if _may_be_alive(cluster, reference)]
    if not left:
        remove(cluster, served, obj, Deletion())
    elif len(left) < len(named):
        cluster.put(served, {**obj, "metadata": {**meta, "ownerReferences": left}})


def _look_at_deleted(cluster: Cluster, served: Served, obj: Obj) -> None:
    meta = obj["metadata"]
    finalizers = meta.get("finalizers") or []
    if FOREGROUND in finalizers and not _is_blocked(cluster, obj):
        left = [finalizer for finalizer in finalizers if finalizer != FOREGROUND]
        obj = {**obj, "metadata": {**meta, "finalizers": left}}
        if not left:
            del obj["metadata"]["finalizers"]
        if not may_go(cluster, served, obj):
            cluster.put(served, obj)
    if may_go(cluster, served, obj):
        cluster.drop(served, key(obj))


def _is_blocked(cluster: Cluster, owner: Obj) -> bool:
    """Whether a dependent that blocks its owner's deletion is still there."""
    for resource, where in cluster.ownership.dependents(uid(owner)):
        entry = cluster.store.get(resource, where)
        for reference in references(entry.obj) if entry else ():
            if reference.get("uid") == uid(owner) and reference.get("blockOwnerDeletion"):
                return True
    return False


def _may_be_alive(cluster: Cluster, reference: Obj) -> bool:
    """Whether an owner is there; owners of kinds that are not served here can't be judged."""
    if reference.get("uid") in cluster.ownership.alive:
        return True
    group = str(reference.get("apiVersion", "")).rpartition("/")[0]
    return cluster.registry.of_kind(group, str(reference.get("kind", ""))) is None


def _release(cluster: Cluster, served: Served, where: tuple[str, str], owner: str) -> None:
    """Make a dependent nobody's child."""
    entry = cluster.store.get(served.id, where)
    if entry is None:
        return
    meta = dict(entry.obj["metadata"])
    meta["ownerReferences"] = [each for each in references(entry.obj) if each.get("uid") != owner]
    if not meta["ownerReferences"]:
        del meta["ownerReferences"]
    cluster.put(served, {**entry.obj, "metadata": meta})


def collect(cluster: Cluster) -> None:
    """Look at everything that is due, until nothing is."""
    while cluster.due:
        resource, where = cluster.due.popleft()
        entry = cluster.store.get(resource, where)
        if entry is not None and resource in cluster.registry:
            look(cluster, resource, entry.obj)
