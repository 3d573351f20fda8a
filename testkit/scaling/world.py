"""A small honest world for the autoscaler: an API server with pods, and activators with load.

The API keeps objects, patches them and serves watches; a Deployment's pods come `START` seconds after they
are wanted and are ready then. Activators cut and send as the real ones do, without a socket.
"""

import asyncio
import contextlib
import copy
import itertools
from collections.abc import AsyncIterator, Mapping
from typing import Any

from autoscaler.edge.leader import Leader
from autoscaler.edge.settings import Settings
from autoscaler.edge.watches import Watches
from autoscaler.messages import (
    AT_ONCE,
    Cordon,
    Cordoned,
    Hello,
    Message,
    PodLoad,
    Pods,
    Stat,
    Stats,
    Uncordon,
)
from kube.edge.client import ApiError, Client
from kube.objects import Obj, format_time

EPOCH = 1_800_000_000.0
START = 0.3
DEPLOYMENTS = "/apis/apps/v1/deployments"


class FakeApi:
    """A transport."""

    def __init__(self, *, starts: bool = True) -> None:
        self.objects: dict[str, Obj] = {}
        self.writes: list[tuple[float, str, int]] = []
        self.requests: list[tuple[str, str]] = []
        self.is_down = False
        self.conflicts = 0  # so many scale writes are refused, whatever they say
        self.busy = 0  # so many annotations of Deployments are turned away
        self.deletions: list[tuple[float, str, int]] = []
        """Times (unix seconds), pods and grace periods of deletions by a client."""
        self.refused_deletions = 0  # so many deletions are turned away
        self.starts = starts
        self._watchers: list[tuple[str, asyncio.Queue[Obj]]] = []
        self._versions = itertools.count(1)
        self._uids = itertools.count(1)

    def put(self, plural: str, obj: Obj) -> Obj:
        """Create or replace, and tell the watchers."""
        meta = obj["metadata"]
        path = _path(plural, meta["namespace"], meta["name"])
        before = self.objects.get(path)
        meta.setdefault("uid", before["metadata"]["uid"] if before else f"uid-{next(self._uids)}")
        meta["resourceVersion"] = str(next(self._versions))
        self.objects[path] = obj
        self._tell("MODIFIED" if before else "ADDED", path, obj)
        if plural == "deployments":
            asyncio.get_running_loop().call_later(START, self._make_pods, path)
        return obj

    def remove(self, path: str) -> None:
        obj = self.objects.pop(path)
        obj["metadata"]["resourceVersion"] = str(next(self._versions))
        self._tell("DELETED", path, obj)

    def end(self, path: str, grace: int) -> None:
        """Somebody deletes a pod: it is there until a shorter deletion ends it."""
        obj = copy.deepcopy(self.objects[path])
        ends = format_time(_now() + grace)
        obj["metadata"] |= {"deletionTimestamp": ends, "deletionGracePeriodSeconds": grace}
        self.put("pods", obj)

    def pods(self) -> list[str]:
        """The UIDs of all pods."""
        return [obj["metadata"]["uid"] for path, obj in self.objects.items() if "/pods/" in path]

    def change(self, path: str, **spec: Any) -> None:
        """Somebody else writes to an object's spec (`replicas`) or metadata (`annotations`)."""
        obj = copy.deepcopy(self.objects[path])
        for name, value in spec.items():
            part = obj["metadata"] if name in {"annotations", "managedFields"} else obj["spec"]
            part[name] = value
        self.put(_plural(path), obj)

    def events(self) -> list[str]:
        """What was told, as "Reason: message"."""
        return [
            f"{obj['reason']}: {obj['message']}" for path, obj in self.objects.items() if "/events/" in path
        ]

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        body: Any = None,
        content_type: str = "",
        before: Any = None,
    ) -> tuple[int, Any]:
        await asyncio.sleep(0)
        if self.is_down:
            raise ApiError(0, "", "the API server is away")
        self.requests.append((method, path))
        if method == "POST":
            meta = body["metadata"]
            return 201, copy.deepcopy(self.put(path.rsplit("/", 1)[1], {**body, "metadata": dict(meta)}))
        is_scale = path.endswith("/scale")
        where = path.removesuffix("/scale")
        if method == "GET" and where not in self.objects:
            if _plural(where) in {"leases", "deployments", "pods"} and where.count("/") > 5:
                return 404, {"kind": "Status", "code": 404, "reason": "NotFound", "message": "not found"}
            found = [copy.deepcopy(obj) for obj in self._matching(where, query)]
            return 200, {"items": found, "metadata": {"resourceVersion": str(next(self._versions))}}
        obj = self.objects.get(where)
        if obj is None:
            return 404, {"kind": "Status", "code": 404, "reason": "NotFound", "message": "not found"}
        if method == "DELETE":
            return self._delete(where, body)
        if method == "PATCH":
            refused = self._refused(where, is_scale=is_scale)
            return refused or self._patch(where, copy.deepcopy(obj), body, is_scale=is_scale)
        if method == "PUT":
            if body["metadata"]["resourceVersion"] != obj["metadata"]["resourceVersion"]:
                return 409, {"kind": "Status", "code": 409, "reason": "Conflict", "message": "it changed"}
            return 200, copy.deepcopy(self.put(_plural(where), copy.deepcopy(body)))
        return 200, copy.deepcopy(obj)

    async def watch(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[Obj]:
        queue: asyncio.Queue[Obj] = asyncio.Queue()
        self._watchers.append((path, queue))
        while True:
            yield await queue.get()

    async def close(self) -> None:
        """Nothing is open."""

    def _matching(self, path: str, query: Mapping[str, str]) -> list[Obj]:
        namespace = path.split("/namespaces/")[1].split("/", maxsplit=1)[0] if "/namespaces/" in path else ""
        name = query.get("fieldSelector", "").removeprefix("metadata.name=")
        return [
            obj
            for where, obj in self.objects.items()
            if _plural(where) == path.rsplit("/", 1)[1]
            and (not namespace or obj["metadata"]["namespace"] == namespace)
            and (not name or obj["metadata"]["name"] == name)
        ]

    def _refused(self, path: str, *, is_scale: bool) -> tuple[int, Any] | None:
        if is_scale and self.conflicts:
            self.conflicts -= 1
            return 409, {"kind": "Status", "code": 409, "reason": "Conflict", "message": "it changed"}
        if self.busy and not is_scale and "/deployments/" in path:
            self.busy -= 1
            return 429, {"kind": "Status", "code": 429, "reason": "TooManyRequests", "message": "later"}
        return None

    def _delete(self, path: str, body: Any) -> tuple[int, Any]:
        meta = self.objects[path]["metadata"]
        if self.refused_deletions:
            self.refused_deletions -= 1
            return 429, {"kind": "Status", "code": 429, "reason": "TooManyRequests", "message": "later"}
        assert body["preconditions"]["uid"] == meta["uid"]
        grace = body["gracePeriodSeconds"]
        assert grace < meta["deletionGracePeriodSeconds"], "it only shortens a deletion that is under way"
        self.deletions.append((_now(), meta["name"], grace))
        self.end(path, grace)
        asyncio.get_running_loop().call_later(grace, self.remove, path)
        return 200, copy.deepcopy(self.objects[path])

    def _patch(self, path: str, obj: Obj, body: Any, *, is_scale: bool) -> tuple[int, Any]:
        if is_scale:
            wanted = obj["spec"]["replicas"]
            shown = {"replicas": wanted} if wanted else {}  # as autoscaling/v1 is written
            if isinstance(body, dict):  # an apply
                if body["metadata"]["resourceVersion"] != obj["metadata"]["resourceVersion"]:
                    return 409, {"kind": "Status", "code": 409, "reason": "Conflict", "message": "it changed"}
                number = body["spec"]["replicas"]
            else:
                test, write = body
                found: Any = shown if test["path"] == "/spec" else shown.get("replicas")
                if found != test["value"]:
                    return 422, {"kind": "Status", "code": 422, "reason": "Invalid", "message": "test failed"}
                number = write["value"]
            obj["spec"]["replicas"] = number
            self.writes.append((_now(), obj["metadata"]["name"], number))
        else:
            _merge(obj, body)
        self.put(_plural(path), obj)
        return 200, copy.deepcopy(obj)

    def _make_pods(self, path: str) -> None:
        """What the controllers of Kubernetes do: cheapest pods go first, missing ones come."""
        deployment = self.objects.get(path)
        if deployment is None:
            return
        name, wanted = deployment["metadata"]["name"], deployment["spec"]["replicas"]
        mine = {
            where: pod
            for where, pod in self.objects.items()
            if "/pods/" in where
            and pod["metadata"]["labels"]["owner"] == name
            and "deletionTimestamp" not in pod["metadata"]
        }
        by_cost = sorted(mine, key=lambda where: int(_cost(mine[where])))
        for where in by_cost[: max(len(mine) - wanted, 0)]:
            self.remove(where)
        for _ in range(wanted - len(mine)):
            number = next(self._uids)
            self.put("pods", pod(f"{name}-{number}", deployment, is_ready=self.starts))

    def _tell(self, type_: str, path: str, obj: Obj) -> None:
        for watched, queue in self._watchers:
            if _plural(path) == watched.rsplit("/", 1)[1]:
                queue.put_nowait({"type": type_, "object": copy.deepcopy(obj)})


class FakeActivator:
    """A peer with `load` requests in flight at the revision, spread over the pods it may choose."""

    def __init__(self, name: str, leader: Leader, *, is_mute: bool = False) -> None:
        self.name = name
        self.load = 0.0
        self.orders: list[Message] = []
        self.cordoned: dict[str, int] = {}
        self.stuck: set[str] = set()
        self.is_mute = is_mute
        self._leader = leader
        self._revision = ("default", "hello")
        self._was_busy = False
        self._told = 0
        leader.opened(self, Hello(name, "", 1))

    def send(self, message: Message) -> None:
        self.orders.append(message)
        if isinstance(message, Cordon):
            is_new = message.pod_uid not in self.cordoned
            self.cordoned[message.pod_uid] = message.epoch
            if is_new and not self.is_mute:
                in_flight = int(message.pod_uid in self.stuck)
                answer = Cordoned(message.pod_uid, message.epoch, in_flight)
                asyncio.get_running_loop().call_soon(self._leader.received, self, answer)
        elif isinstance(message, Uncordon):
            self.cordoned.pop(message.pod_uid, None)

    def finish(self, pod_uid: str) -> None:
        """The last request at a cordoned pod ends."""
        self.stuck.discard(pod_uid)
        self._leader.received(self, Cordoned(pod_uid, self.cordoned[pod_uid], 0))

    def arrive(self, load: float) -> None:
        """So many requests are in flight from now on; the first is told at once."""
        self.load = load
        if not self._was_busy and load:
            self._was_busy = True
            stat = Stat(*self._revision, 1, 1)
            self._told = 1
            self._leader.received(self, Stats(self.name, AT_ONCE, (stat,)))

    async def run(self) -> None:
        """Cut at each half second."""
        while True:
            await asyncio.sleep(1 - (_now() - 0.5) % 1)
            if self.is_mute:
                continue
            rows: tuple[Stat, ...] = ()
            if self._was_busy:
                rows = (Stat(*self._revision, max(self.load - self._told, 0.0), self.load),)
            self._was_busy, self._told = bool(self.load), 0
            self._leader.received(self, Stats(self.name, int(_now()), rows))
            self._leader.received(self, Pods(self._loads()))

    def _loads(self) -> tuple[PodLoad, ...]:
        return tuple(PodLoad(*self._revision, uid, 1) for uid in self.stuck)


@contextlib.asynccontextmanager
async def leading(
    api: FakeApi, *, epoch: int = 1, expected: Any = None, service: str = ""
) -> AsyncIterator[Leader]:
    """A leader at work."""
    settings = Settings(
        "test", token="t", activators_service=service, expected_activators=expected, clock=_now
    )
    client = Client(api, manager="zerogate-autoscaler")
    leader = Leader(client, settings, epoch)
    watches = Watches(client, settings, leader)
    task = asyncio.create_task(leader.run(watches.start))
    await leader.is_settled.wait()
    try:
        yield leader
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if not task.cancelled():
            task.result()


@contextlib.asynccontextmanager
async def reporting(*activators: FakeActivator) -> AsyncIterator[None]:
    """Activators at work."""
    tasks = [asyncio.create_task(activator.run()) for activator in activators]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def deployment(name: str = "hello", *, replicas: int = 0, is_plain: bool = False, **annotations: str) -> Obj:
    """A scale target; underscores in annotations stand for hyphens."""
    marks = {"zerogate.dev/scale": "true"}
    if not is_plain:
        marks["serving.knative.dev/revision"] = name
    notes = {f"autoscaling.knative.dev/{key.replace('_', '-')}": text for key, text in annotations.items()}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", "labels": marks, "annotations": notes},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"owner": name}},
            "template": {"metadata": {"labels": marks}},
        },
    }


def pod(name: str, owner: Obj, *, is_ready: bool = True, waits: bool = True) -> Obj:
    """A pod of a Deployment. `waits`: its preStop sleeps for its grace period of 300 seconds."""
    marks = {**owner["metadata"]["labels"], "owner": owner["metadata"]["name"]}
    condition = {"type": "Ready", "status": "True" if is_ready else "False"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": marks},
        "spec": {
            "terminationGracePeriodSeconds": 300,
            "containers": [{"lifecycle": {"preStop": {"sleep": {"seconds": 300 if waits else 3}}}}],
        },
        "status": {"phase": "Running", "conditions": [condition]},
    }


def config(**data: str) -> Obj:
    """`config-autoscaler` with a target that means itself; underscores stand for hyphens."""
    values = {"container-concurrency-target-percentage": "100"}
    values |= {key.replace("_", "-"): text for key, text in data.items()}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "config-autoscaler", "namespace": "zerogate-system"},
        "data": values,
    }


def _now() -> float:
    return EPOCH + asyncio.get_running_loop().time()


def _path(plural: str, namespace: str, name: str) -> str:
    group = {
        "deployments": "/apis/apps/v1",
        "leases": "/apis/coordination.k8s.io/v1",
        "endpointslices": "/apis/discovery.k8s.io/v1",
    }.get(plural, "/api/v1")
    return f"{group}/namespaces/{namespace}/{plural}/{name}"


def _plural(path: str) -> str:
    return path.rsplit("/", 2)[1]


def _merge(into: Obj, patch: Obj) -> None:
    for key, value in patch.items():
        if isinstance(value, dict):
            _merge(into.setdefault(key, {}), value)
        elif value is None:
            into.pop(key, None)
        else:
            into[key] = value


def _cost(pod_: Obj) -> str:
    notes = pod_["metadata"].get("annotations") or {}
    return str(notes.get("controller.kubernetes.io/pod-deletion-cost", "0"))
