"""An API server's list, watch and JSON patch in memory, and the objects that the activator reads there."""

import asyncio
import copy

from kube.edge.client import ApiError, Client
from kube.resources import CONFIGMAPS, DEPLOYMENTS, LEASES, PODS, ROUTES

RESOURCES = (CONFIGMAPS, DEPLOYMENTS, LEASES, PODS, ROUTES)


class FakeApi:
    """A Transport. `patches` are those that were tried; `is_away` makes every write fail."""

    def __init__(self) -> None:
        self.objects = {}
        self.events = []
        self.patches = []
        self.is_away = False
        self._news = asyncio.Condition()
        self._version = 0
        self._tasks = set()

    def client(self):
        return Client(self, manager="test")

    # -- what a test does --

    def put(self, resource, obj):
        """Create or change an object; watchers hear of it."""
        obj = copy.deepcopy(obj)
        meta = obj["metadata"]
        where = resource.plural, meta["namespace"], meta["name"]
        self._tell("MODIFIED" if where in self.objects else "ADDED", resource.plural, obj)
        self.objects[where] = obj

    def remove(self, resource, name, namespace="default"):
        self._tell("DELETED", resource.plural, self.objects.pop((resource.plural, namespace, name)))

    def get(self, resource, name, namespace="default"):
        return self.objects[resource.plural, namespace, name]

    def scale(self, name, replicas):
        changed = copy.deepcopy(self.get(DEPLOYMENTS, name))
        changed["spec"]["replicas"] = replicas
        self.put(DEPLOYMENTS, changed)

    def _tell(self, type_, plural, obj):
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        self.events.append((self._version, plural, {"type": type_, "object": obj}))
        task = asyncio.ensure_future(self._wake())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wake(self):
        async with self._news:
            self._news.notify_all()

    # -- what the client does --

    async def request(self, method, path, *, query, body=None, content_type="application/json"):
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

    async def watch(self, path, *, query):
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

    async def close(self):
        pass


def _parts(path):
    """(plural, namespace, name) of a path below /api/v1 or /apis/<group>/<version>."""
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2:
        namespace, parts = parts[1], parts[2:]
    return parts[0], namespace, parts[1] if len(parts) > 1 else ""


def deployment(revision="hello-00001", *, replicas=0, annotations=None, conditions=(), container=None):
    meta = {
        "namespace": "default",
        "name": f"{revision}-deployment",
        "uid": f"uid-{revision}",
        "labels": {"zerogate.dev/scale": "true", "serving.knative.dev/revision": revision},
        "annotations": annotations or {},
    }
    spec = {"replicas": replicas, "template": {"spec": {"containers": [container or {"name": "c"}]}}}
    return {"metadata": meta, "spec": spec, "status": {"conditions": list(conditions)}}


def plain_deployment(name="web", *, replicas=1, host="web.default.example.com"):
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


def route(*shares, name="hello"):
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
    name="p1",
    *,
    revision="hello-00001",
    port=0,
    ready=False,
    deleting=False,
    waiting="",
    restarts=0,
    labels=None,
):
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


def lease(address, holder="leader"):
    meta = {
        "namespace": "zerogate-system",
        "name": "zerogate-autoscaler",
        "annotations": {"zerogate.dev/address": address},
    }
    return {"metadata": meta, "spec": {"holderIdentity": holder}}
