"""The API itself: one synchronous call from a request to its answer."""

import random
from collections.abc import Callable
from pathlib import Path

from embedded.api import changes, deletion, discovery, lists, podlogs, reviews, scale
from embedded.api.bodies import decode
from embedded.api.call import Call
from embedded.api.cluster import Admit, Cluster
from embedded.api.openapi import Documents
from embedded.api.refusals import (
    ApiRefusal,
    details_of,
    method_not_allowed,
    not_found,
    not_offered,
    success,
    unknown_path,
)
from embedded.api.representation import render, wanted
from embedded.api.requests import ApiRequest, ApiResponse, Place, Verb, parse_path, verb_of, write_options
from embedded.store import Store
from kube.objects import Obj, key, parse_time
from kube.resources import EVENTS, NAMESPACES, PODS

FIRST_NAMESPACES = ("default", "kube-system")
EVENTS_KEPT = 3600.0  # seconds, as Kubernetes' API server keeps them
_HEALTH = ("/healthz", "/livez", "/readyz")


class Api:
    """The Kubernetes API over a store. Not thread-safe; every call runs to its end before the next.

    `log_folder` holds `<namespace>_<pod>_<uid>/<container>.log`.
    """

    def __init__(
        self, store: Store, *, admit: Admit, clock: Callable[[], float], log_folder: Path = Path("logs")
    ) -> None:
        self.store = store
        self.log_folder = log_folder
        self.cluster = Cluster(store, admit, clock, random.Random())
        self.cluster.restore()
        self._documents = Documents(self.cluster)
        for name in FIRST_NAMESPACES:
            self._make_namespace(name)
        deletion.collect(self.cluster)
        store.commit()

    def _make_namespace(self, name: str) -> None:
        if self.store.get(NAMESPACES.plural, ("", name)) is None:
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            self.handle(ApiRequest("POST", "/api/v1/namespaces", body=body, agent="zerogate"))

    def handle(self, request: ApiRequest) -> ApiResponse:
        """Answer one request. What it wrote is durable, and told to the watches, when this returns.

        Refusals are answers as well; what is raised (sqlite3.Error) is the server's own failure.
        """
        try:
            answer = self._answer(request)
        except ApiRefusal as refusal:
            answer = ApiResponse(refusal.code, refusal.status())
        finally:
            deletion.collect(self.cluster)
            self.store.commit()
        return answer

    def _answer(self, request: ApiRequest) -> ApiResponse:
        place = parse_path(request.path)
        if place is None or not place.plural:
            return self._about(request, place)
        served = self.cluster.registry.find(place.group, place.version, place.plural)
        if served is None:
            kind = reviews.review_at(place.group, place.version, place.plural)
            if kind is None or request.method != "POST":
                raise unknown_path(place.plural)
            return reviews.review(request, kind, self.cluster.clock())
        verb = verb_of(request.method, place, request.query)
        if verb is None or (verb not in served.verbs and not place.subresource):
            raise method_not_allowed()
        if place.namespace and not served.resource.namespaced:
            raise unknown_path()
        if served.resource.namespaced and not place.namespace and (place.name or verb in _IN_NAMESPACE):
            raise method_not_allowed() if not place.name else unknown_path()
        call = Call(request, place, served, write_options(request))
        return self._part(verb, call) if place.subresource else self._whole(verb, call)

    def _whole(self, verb: Verb, call: Call) -> ApiResponse:
        """An object or a collection."""
        cluster = self.cluster
        if verb in {"get", "list", "watch"}:
            wanted(call.request.accept, is_list=verb == "list")
            return render(cluster, call.served, call.request, self._read(verb, call))
        if verb == "create":
            return changes.create(cluster, call)
        if verb == "update":
            return changes.update(cluster, call)
        if verb == "patch":
            return changes.patch(cluster, call)
        return self._delete(call) if verb == "delete" else self._delete_all(call)

    def _read(self, verb: Verb, call: Call) -> ApiResponse:
        if verb == "list":
            return lists.list_objects(self.cluster, call)
        if verb == "watch":
            return lists.watch_objects(self.cluster, call)
        entry = self.cluster.get(call.served, (call.place.namespace, call.place.name))
        return ApiResponse(200, entry.obj, text=entry.text)

    def _part(self, verb: Verb, call: Call) -> ApiResponse:
        """A sub-resource."""
        part = call.place.subresource
        if part not in call.served.subresources:
            raise _no_part(call)
        if part == "log" and verb == "get":
            return podlogs.read_log(self.cluster, call)
        if part == "binding" and verb == "create":
            return changes.bind(self.cluster, call)
        if part == "eviction" and verb == "create":
            return self._evict(call)
        if part == "scale" and verb == "get":
            return scale.read_scale(self.cluster, call)
        if part == "scale" and verb in {"update", "patch"}:
            return scale.write_scale(self.cluster, call)
        if part == "status" and verb in {"get", "update", "patch"}:
            return self._whole(verb, call)
        raise method_not_allowed()

    # Deleting

    def _delete(self, call: Call) -> ApiResponse:
        how = _how(call)
        cluster, served = self.cluster, call.served
        obj = cluster.get(served, (call.place.namespace, call.place.name)).obj
        deletion.check(served, obj, how)
        left = None if how.dry_run else deletion.remove(cluster, served, obj, how)
        left = left or deletion.shown_when_gone(cluster, served, obj)
        if left is not None:
            return ApiResponse(200, left)
        details = {**details_of(served.id, call.place.name), "uid": obj["metadata"]["uid"]}
        return ApiResponse(200, success(details))

    def _evict(self, call: Call) -> ApiResponse:
        """POST on pods/…/eviction: a deletion that asks; there are no disruption budgets to say no."""
        body, _ = decode(call.request.body, call.request.content_type)
        how = deletion.read_options({}, (body.get("deleteOptions") if isinstance(body, dict) else None) or {})
        obj = self.cluster.get(call.served, (call.place.namespace, call.place.name)).obj
        deletion.check(call.served, obj, how)
        if not how.dry_run and not call.options.dry_run:
            deletion.remove(self.cluster, call.served, obj, how)
        return ApiResponse(201, success())

    def _delete_all(self, call: Call) -> ApiResponse:
        how = _how(call)
        answer = lists.list_objects(self.cluster, call)
        for entry in answer.items or ():
            deletion.check(call.served, entry.obj, how)
        for entry in answer.items or ():
            if not how.dry_run and self.store.get(call.served.id, key(entry.obj)) is not None:
                deletion.remove(self.cluster, call.served, entry.obj, how)
        return answer

    def sweep(self) -> None:
        """Forget events that are older than an hour; to be called now and then."""
        horizon = self.cluster.clock() - EVENTS_KEPT
        served = self.cluster.registry[EVENTS.plural]
        for entry in self.store.entries(EVENTS.plural):
            if _last_seen(entry.obj) < horizon:
                self.cluster.drop(served, key(entry.obj))
        deletion.collect(self.cluster)
        self.store.commit()

    # What is no object

    def _about(self, request: ApiRequest, place: Place | None) -> ApiResponse:
        """Health, version, discovery, and the documents that describe the API."""
        if request.method not in {"GET", "HEAD"}:
            raise method_not_allowed() if request.path in discovery.PATHS else unknown_path()
        registry = self.cluster.registry
        path = request.path.rstrip("/")
        if path in _HEALTH:
            return ApiResponse(200, "ok", content_type="text/plain")
        if path.startswith("/openapi/"):
            return self._documents.answer(path, request)
        if path in {"/api", "/apis"} and discovery.wants_aggregated(request.accept):
            body = discovery.aggregated(registry, core=path == "/api")
            return ApiResponse(200, body, content_type=discovery.AGGREGATED)
        body_or_none = self._document(path, place)
        if body_or_none is None:
            raise unknown_path()
        return ApiResponse(200, body_or_none)

    def _document(self, path: str, place: Place | None) -> Obj | None:
        registry = self.cluster.registry
        if path == "":
            return {"paths": list(discovery.PATHS)}
        if path == "/version":
            return dict(discovery.VERSION)
        if path == "/api":
            return discovery.core_versions()
        if path == "/apis":
            return discovery.group_list(registry)
        if place is not None:
            return discovery.resource_list(registry, place.group, place.version)
        head, _, name = path.rpartition("/")
        return discovery.group(registry, name) if head == "/apis" else None

    def __repr__(self) -> str:
        return f"<Api {self.store!r}>"


_IN_NAMESPACE = ("create", "deletecollection")


def _no_part(call: Call) -> ApiRefusal:
    """Why there is no such sub-resource, in Kubernetes' words for each sort of kind."""
    if call.served.crd is not None:
        return not_found(call.served.id, call.place.name)
    return not_offered(call.place.subresource) if call.served.resource == PODS else unknown_path()


def _how(call: Call) -> deletion.Deletion:
    request = call.request
    body = None
    if request.body:
        body, _ = decode(request.body, request.content_type)
    return deletion.read_options(dict(request.query), body)


def _last_seen(event: Obj) -> float:
    """When an event last happened; events without a readable time count from their creation."""
    for text in (event.get("lastTimestamp"), event.get("eventTime"), event["metadata"]["creationTimestamp"]):
        if isinstance(text, str) and text:
            try:
                return parse_time(text)
            except ValueError:
                continue
    return 0.0
