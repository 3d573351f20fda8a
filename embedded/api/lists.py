"""Lists: which objects a request selects, page by page."""

import base64
import json
from dataclasses import dataclass

from embedded.api.call import Call
from embedded.api.cluster import Cluster
from embedded.api.refusals import ApiRefusal, bad_request, expired
from embedded.api.registry import Served
from embedded.api.requests import ApiResponse, whole_number
from embedded.api.watches import Matches, Watch
from embedded.store import Entry
from kube.objects import Obj, key, labels
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
    "replicasets.apps": ("status.replicas",),
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
        if path not in known:
            raise bad_request(f"field label not supported: {path}")
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
    revision = cluster.store.revision
    asked = query.get("resourceVersion", "")
    if asked and _revision(asked) > revision:
        text = f"Too large resource version: {asked}, current: {revision}"
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        raise ApiRefusal(504, "Timeout", text, {"causes": [cause], "retryAfterSeconds": 1})
    chosen = selection(call)
    entries = selected(cluster, call.served, chosen)
    meta: Obj = {"resourceVersion": str(revision)}
    if query.get("continue"):
        # All pages carry the first one's revision, so that a watch from it misses nothing.
        meta["resourceVersion"], after = _continued(query["continue"])
        entries = [entry for entry in entries if key(entry.obj) > after]
    limit = whole_number(query, "limit")
    if limit and len(entries) > limit:
        meta["continue"] = _token(meta["resourceVersion"], entries[limit - 1])
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


def _revision(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise bad_request(f'Invalid value: "{text}": resourceVersion is a number')
    return int(text)


def _token(revision: str, last: Entry) -> str:
    return base64.urlsafe_b64encode(json.dumps([revision, *key(last.obj)]).encode()).decode()


def _continued(token: str) -> tuple[str, tuple[str, str]]:
    try:
        revision, namespace, name = json.loads(base64.urlsafe_b64decode(token))
    except (TypeError, ValueError) as error:
        raise bad_request("continue key is not valid") from error
    return str(revision), (str(namespace), str(name))


def watch_objects(cluster: Cluster, call: Call) -> ApiResponse:
    """GET with watch: first what is asked of the past, then all that follows."""
    query = call.request.query
    matches: Matches = selection(call).matches
    bookmarks = query.get("allowWatchBookmarks") in {"true", "1"}
    watch = Watch(cluster.store, call.served.resource, call.served.id, matches, wants_bookmarks=bookmarks)
    seconds = whole_number(query, "timeoutSeconds")
    watch.timeout = float(seconds) if seconds else None
    begin = query.get("resourceVersion", "")
    initial = query.get("sendInitialEvents")
    if initial == "true" or (initial is None and begin in {"", "0"}):
        watch.add(selected(cluster, call.served, selection(call)))
        if initial == "true":
            watch.bookmark(ends_initial=True)
        watch.begin([])
        return ApiResponse(200, watch=watch)
    revision = _revision(begin) if begin else cluster.store.revision
    history = cluster.store.since(call.served.id, revision)
    if history is None:
        text = f"too old resource version: {revision} ({cluster.store.revision})"
        watch.fail(expired(text).status())
    else:
        watch.begin(history)
    return ApiResponse(200, watch=watch)
