"""Lists: which objects a request selects, page by page."""

import base64
import json
from dataclasses import dataclass

from embedded.api.call import Call
from embedded.api.cluster import Cluster
from embedded.api.refusals import ApiRefusal, Cause, bad_request, expired, invalid
from embedded.api.registry import Served
from embedded.api.requests import ApiResponse, whole_number
from embedded.api.watches import Matches, Watch
from embedded.store import Entry, encode
from kube.objects import Key, Obj, key, labels
from kube.selectors import FieldSelector, Selector, parse_field_selector, parse_label_selector

_FIELDS = {
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "events": (
        *(
            f"involvedObject.{name}"
            for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
        ),
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    "nodes": ("spec.unschedulable",),
    "namespaces": ("status.phase",),
    "secrets": ("type",),
    "services": ("spec.clusterIP", "spec.type"),
}
_EVERYWHERE = ("metadata.name", "metadata.namespace")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a collection are meant; `name` is set when there can be one only."""

    labels: Selector
    fields: FieldSelector
    namespace: str
    name: str = ""

    @property
    def is_everything(self) -> bool:
        """Whether nothing narrows it."""
        return not (self.labels.requirements or self.fields.terms or self.namespace)

    def matches(self, obj: Obj) -> bool:
        """Whether the object is meant."""
        if self.namespace and obj["metadata"].get("namespace") != self.namespace:
            return False
        return self.labels.matches(labels(obj)) and self.fields.matches(obj)


def selection(call: Call) -> Selection:
    """Read labelSelector and fieldSelector; refuses (400) what does not parse or can't be selected by."""
    query = call.request.query
    try:
        by_label = parse_label_selector(query.get("labelSelector", ""))
        by_field = parse_field_selector(query.get("fieldSelector", ""))
    except ValueError as error:
        raise bad_request(str(error)) from error
    known = (*_EVERYWHERE, *_FIELDS.get(call.served.id, ()))
    for path, _, _ in by_field.terms:
        if path not in known and call.served.id in _FIELDS:
            raise bad_request(f"field label not supported: {path}")
        if path not in known:
            told = ", ".join(f'"{each}"' for each in _EVERYWHERE)
            raise bad_request(f'"{path}" is not a known field selector: only {told}')
    named = [value for path, equal, value in by_field.terms if path == "metadata.name" and equal]
    if call.place.name:
        by_field = FieldSelector((*by_field.terms, ("metadata.name", True, call.place.name)))
        named.append(call.place.name)
    return Selection(by_label, by_field, call.place.namespace, named[0] if named else "")


def selected(cluster: Cluster, served: Served, chosen: Selection) -> list[Entry]:
    """The objects that are meant, ordered by namespace and name."""
    if chosen.name and (chosen.namespace or not served.resource.namespaced):
        entry = cluster.store.get(served.id, (chosen.namespace, chosen.name))
        return [entry] if entry is not None and chosen.matches(entry.obj) else []
    entries = cluster.store.entries(served.id, chosen.namespace)
    if not chosen.labels.requirements and not chosen.fields.terms:
        return entries
    return [entry for entry in entries if chosen.matches(entry.obj)]


def list_objects(cluster: Cluster, call: Call) -> ApiResponse:
    """GET on a collection, with limit and continue."""
    query = call.request.query
    check_options(call)
    revision = cluster.store.revision
    asked = query.get("resourceVersion", "")
    if asked and _revision(asked) > revision:
        text = f"Timeout: Too large resource version: {asked}, current: {revision}"
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        raise ApiRefusal(504, "Timeout", text, {"causes": [cause], "retryAfterSeconds": 1})
    chosen = selection(call)
    meta: Obj = {"resourceVersion": str(revision)}
    after = ("", "")
    if query.get("continue"):
        # All pages show the first one's revision: they are one list, and a watch from it misses nothing.
        meta["resourceVersion"], after = _continued(query["continue"])
    elif query.get("resourceVersionMatch") == "Exact":
        meta["resourceVersion"] = asked
    entries = _as_of(cluster, call.served, chosen, int(meta["resourceVersion"]), after)
    limit = whole_number(query, "limit")
    if limit and len(entries) > limit:
        meta["continue"] = _token(meta["resourceVersion"], key(entries[limit - 1].obj))
        if not chosen.labels.requirements and not chosen.fields.terms:
            meta["remainingItemCount"] = len(entries) - limit
        entries = entries[:limit]
    body = {
        "kind": f"{call.served.resource.kind}List",
        "apiVersion": call.served.resource.api_version,
        "metadata": meta,
        "items": [entry.obj for entry in entries],
    }
    return ApiResponse(200, body, items=entries)


def check_options(call: Call, *, is_watch: bool = False) -> None:
    """Refuse (422) what makes no sense together, (400) what is no number."""
    query = call.request.query
    whole_number(query, "timeoutSeconds")
    match, version = query.get("resourceVersionMatch", ""), query.get("resourceVersion", "")
    initial = query.get("sendInitialEvents")
    told = []
    if is_watch and initial is None and match:
        told.append(
            "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        )
    if is_watch and initial is not None and match != "NotOlderThan":
        told.append("Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
    if not is_watch and match and not version:
        told.append("Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided")
    if match and query.get("continue"):
        told.append("Forbidden: resourceVersionMatch is forbidden when continue is provided")
    if match not in {"", "Exact", "NotOlderThan"}:
        told.append(f'Unsupported value: "{match}": supported values: "Exact", "NotOlderThan", ""')
    if match == "Exact" and version == "0":
        told.append('Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
    if told:
        raise invalid("ListOptions.meta.k8s.io", "", [Cause("resourceVersionMatch", text) for text in told])


def _as_of(
    cluster: Cluster, served: Served, chosen: Selection, revision: int, after: tuple[str, str]
) -> list[Entry]:
    """What was selected at a revision, behind a key; refuses (410) when its history is forgotten."""
    if revision == cluster.store.revision:
        entries = selected(cluster, served, chosen)
        return [entry for entry in entries if key(entry.obj) > after] if any(after) else entries
    history = cluster.store.since(served.id, revision)
    if history is None:
        meta = {"continue": _token(str(cluster.store.revision), after)} if any(after) else {}
        raise expired("the list is too old to be shown as it was; list again, or go on with this token", meta)
    found = {key(entry.obj): entry for entry in cluster.store.entries(served.id)}
    for change in reversed(history):
        if change.old is None:
            found.pop(key(change.entry.obj), None)
        else:
            version = int(change.old["metadata"]["resourceVersion"])
            found[key(change.old)] = Entry(change.old, encode(change.old), version, change.entry.row)
    return [found[where] for where in sorted(found) if where > after and chosen.matches(found[where].obj)]


def _revision(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise bad_request(f'invalid resource version: resourceVersion: Invalid value: "{text}": no number')
    return int(text)


def _token(revision: str, last: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps([revision, *last]).encode()).decode()


def _continued(token: str) -> tuple[str, tuple[str, str]]:
    try:
        revision, namespace, name = json.loads(base64.urlsafe_b64decode(token))
        return str(int(revision)), (str(namespace), str(name))
    except (TypeError, ValueError) as error:
        raise bad_request("invalid continue token: continue key is not valid") from error


def watch_objects(cluster: Cluster, call: Call) -> ApiResponse:
    """GET with watch: first what is asked of the past, then all that follows."""
    query = call.request.query
    check_options(call, is_watch=True)
    matches: Matches = selection(call).matches
    bookmarks = query.get("allowWatchBookmarks") in {"true", "1"}
    watch = Watch(cluster.store, call.served.resource, call.served.id, matches, wants_bookmarks=bookmarks)
    seconds = whole_number(query, "timeoutSeconds")
    watch.timeout = float(seconds) if seconds else None
    begin = query.get("resourceVersion", "")
    initial = query.get("sendInitialEvents")
    if initial == "true" or (initial is None and begin in {"", "0"}):
        watch.add(selected(cluster, call.served, selection(call)))
        if initial == "true" and bookmarks:
            watch.bookmark(ends_initial=True)
        watch.begin([])
        return ApiResponse(200, watch=watch)
    revision = (_revision(begin) if begin else 0) or cluster.store.revision
    history = cluster.store.since(call.served.id, revision)
    if history is None:
        text = f"too old resource version: {revision} ({cluster.store.revision})"
        watch.fail(expired(text).status())
    else:
        watch.begin(history)
    return ApiResponse(200, watch=watch)
