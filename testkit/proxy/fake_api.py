"""An API server's list, watch and JSON patch in memory, and the objects that the activator reads there."""

import asyncio
import copy
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from kube.edge.client import ApiError, Before, Client
from kube.objects import Obj
from kube.resources import CONFIGMAPS, DEPLOYMENTS, LEASES, PODS, ROUTES, Resource

RESOURCES = (CONFIGMAPS, DEPLOYMENTS, LEASES, PODS, ROUTES)


class FakeApi:
    """A Transport. `patches` are those that were tried; `is_away` makes every write fail."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Any] = {}
        self.events: list[tuple[int, str, dict[str, Any]]] = []
        self.patches: list[tuple[str, list[dict[str, Any]]]] = []
        self.is_away = False
        self._news = asyncio.Condition()
        self._version = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    def client(self) -> Client:
        return Client(self, manager="test")

    # -- what a test does --

    def put(self, resource: Resource, obj: Obj) -> None:
        """Create or change an object; watchers hear of it."""
        obj = copy.deepcopy(obj)
        meta = obj["metadata"]
        where = resource.plural, meta["namespace"], meta["name"]
        self._tell("MODIFIED" if where in self.objects else "ADDED", resource.plural, obj)
        self.objects[where] = obj

    def remove(self, resource: Resource, name: str, namespace: str = "default") -> None:
        self._tell("DELETED", resource.plural, self.objects.pop((resource.plural, namespace, name)))

    def get(self, resource: Resource, name: str, namespace: str = "default") -> Obj:
        found: Obj = self.objects[resource.plural, namespace, name]
        return found

    def scale(self, name: str, replicas: int) -> None:
        changed = copy.deepcopy(self.get(DEPLOYMENTS, name))
        changed["spec"]["replicas"] = replicas
        self.put(DEPLOYMENTS, changed)

    def _tell(self, type_: str, plural: str, obj: Obj) -> None:
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        self.events.append((self._version, plural, {"type": type_, "object": obj}))
        task = asyncio.ensure_future(self._wake())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wake(self) -> None:
        async with self._news:
            self._news.notify_all()

    # -- what the client does --

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        body: Any = None,
        content_type: str = "application/json",
        before: Before | None = None,
    ) -> tuple[int, Obj]:
        plural, namespace, name = _parts(path)
        if method == "GET":
            found = [obj for (kind, _, _), obj in self.objects.items() if kind == plural]
            return 200, {"items": found, "metadata": {"resourceVersion": str(self._version)}}
        assert (method, content_type) == ("PATCH", "application/json-patch+json")
        self.patches.append((name, body))
        if self.is_away:
            raise ApiError(0, "", "connection refused")
        changed = copy.deepcopy(self.objects[plural, namespace, name])
        for step in body:
            assert step["path"] == "/spec/replicas"
            if step["op"] == "test" and changed["spec"]["replicas"] != step["value"]:
                return 422, {"kind": "Status", "code": 422, "reason": "Invalid", "message": "test failed"}
            changed["spec"]["replicas"] = step["value"]
        self.put(DEPLOYMENTS, changed)
        return 200, changed

    async def watch(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
        plural, since = _parts(path)[0], int(query["resourceVersion"])
        seen = 0
        while True:
            for version, kind, event in self.events[seen:]:
                if kind == plural and version > since:
                    yield event
                seen += 1
            async with self._news:
                while seen == len(self.events):
                    await self._news.wait()

    async def close(self) -> None:
        pass


def _parts(path: str) -> tuple[str, str, str]:
    """(plural, namespace, name) of a path below /api/v1 or /apis/<group>/<version>."""
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2:
        namespace, parts = parts[1], parts[2:]
    return parts[0], namespace, parts[1] if len(parts) > 1 else ""


def deployment(
    revision: str = "hello-00001",
    *,
    replicas: int = 0,
    annotations: dict[str, str] | None = None,
    conditions: Sequence[dict[str, str]] = (),
    container: dict[str, Any] | None = None,
) -> Obj:
    meta = {
        "namespace": "default",
        "name": f"{revision}-deployment",
        "uid": f"uid-{revision}",
        "labels": {"zerogate.dev/scale": "true", "serving.knative.dev/revision": revision},
        "annotations": annotations or {},
    }
    spec = {"replicas": replicas, "template": {"spec": {"containers": [container or {"name": "c"}]}}}
    return {"metadata": meta, "spec": spec, "status": {"conditions": list(conditions)}}


def plain_deployment(name: str = "web", *, replicas: int = 1, host: str = "web.default.example.com") -> Obj:
    meta = {
        "namespace": "default",
        "name": name,
        "labels": {"zerogate.dev/scale": "true"},
        "annotations": {"zerogate.dev/host": host},
    }
    marks = {"app": name, "zerogate.dev/scale": "true"}
    template = {"metadata": {"labels": marks}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"metadata": meta, "spec": spec}


def route(*shares: tuple[Any, ...], name: str = "hello") -> Obj:
    """`shares` are (revision, percent) or (revision, percent, tag)."""
    url = f"http://{name}.default.example.com"
    traffic = []
    for revision, percent, *tags in shares:
        entry = {"revisionName": revision, "percent": percent}
        for tag in tags:
            entry |= {"tag": tag, "url": f"http://{tag}-{name}.default.example.com"}
        traffic.append(entry)
    meta = {"namespace": "default", "name": name, "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"metadata": meta, "status": {"url": url, "traffic": traffic}}


def pod(
    name: str = "p1",
    *,
    revision: str = "hello-00001",
    port: int = 0,
    ready: bool = False,
    deleting: bool = False,
    waiting: str = "",
    restarts: int = 0,
    labels: dict[str, str] | None = None,
) -> Obj:
    """A pod as the process node reports it; without `port` it has no address yet."""
    meta = {
        "namespace": "default",
        "name": name,
        "uid": f"uid-{name}",
        "labels": labels or {"zerogate.dev/scale": "true", "serving.knative.dev/revision": revision},
        "annotations": {"zerogate.dev/port": str(port)} if port else {},
    }
    if deleting:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    container = {"restartCount": restarts, "state": {"running": {}}}
    if waiting:
        container["state"] = {"waiting": {"reason": waiting, "message": f"{waiting} of {name}"}}
    status = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        "containerStatuses": [container],
    }
    if port:
        status["podIP"] = "127.0.0.1"
    return {"metadata": meta, "spec": {"nodeName": "node"}, "status": status}


def lease(address: str, holder: str = "leader") -> Obj:
    meta = {
        "namespace": "zerogate-system",
        "name": "zerogate-autoscaler",
        "annotations": {"zerogate.dev/address": address},
    }
    return {"metadata": meta, "spec": {"holderIdentity": holder}}
