"""A small honest API server in memory: enough CRUD and watch for the controllers and the node."""

import asyncio
import copy
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from kube.edge.client import Before
from kube.objects import Obj, format_time, parse_time

COLLECTIONS = {"deployments", "replicasets", "pods", "nodes", "configmaps", "secrets", "events"}


class FakeApi:
    """Implements kube.edge.client.Transport: objects by path, a resourceVersion and an event a write."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self.version = 0
        self.log: list[tuple[int, str, dict[str, Any]]] = []
        self.watchers: list[tuple[Callable[..., Any], asyncio.Queue[Any]]] = []
        self.writes: list[tuple[str, str, dict[str, Any]]] = []
        self.lag = 0.0
        self.refuse: Callable[[str, str], tuple[int, Obj] | None] = lambda _method, _path: None

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        body: Any = None,
        content_type: str = "application/json",
        before: Before | None = None,
    ) -> tuple[int, dict[str, Any]]:
        refusal = self.refuse(method, path)
        if refusal:
            return refusal
        if method != "GET":
            self.writes.append((method, path, copy.deepcopy(body)))
        subresource = ""
        if path.rsplit("/", 1)[-1] in {"status", "scale"}:
            path, subresource = path.rsplit("/", 1)
        answer: tuple[int, Obj] = getattr(self, f"_{method.lower()}")(
            path, query, copy.deepcopy(body), subresource
        )
        await asyncio.sleep(0)
        return answer

    async def watch(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        selects = self._selects(path, query)
        for version, event_path, event in self.log:
            if version > int(query["resourceVersion"]) and selects(event_path, event["object"]):
                queue.put_nowait(event)
        entry = (selects, queue)
        self.watchers.append(entry)
        try:
            while True:
                event = await queue.get()
                if self.lag:
                    await asyncio.sleep(self.lag)
                yield event
        finally:
            self.watchers.remove(entry)

    async def close(self) -> None:
        pass

    def _selects(self, path: str, query: Mapping[str, str]) -> Callable[..., Any]:
        fields = dict(part.split("=") for part in query.get("fieldSelector", "").split(",") if part)
        labels = dict(part.split("=") for part in query.get("labelSelector", "").split(",") if part)

        def selects(where: str, obj: Obj) -> bool:
            folder = where.rsplit("/", 1)[0]
            in_path = folder == path or ("/namespaces/" not in path and _without_namespace(folder) == path)
            meta, spec = obj["metadata"], obj.get("spec", {})
            known = {"metadata.name": meta["name"], "spec.nodeName": spec.get("nodeName", "")}
            has_labels = labels.items() <= meta.get("labels", {}).items()
            return in_path and has_labels and all(known[field] == value for field, value in fields.items())

        return selects

    def _tell(self, type_: str, where: str, obj: Obj) -> None:
        obj = copy.deepcopy(obj)
        event = {"type": type_, "object": obj}
        self.log.append((self.version, where, event))
        for selects, queue in self.watchers:
            if selects(where, obj):
                queue.put_nowait(copy.deepcopy(event))

    def _store(self, where: str, obj: Obj, type_: str) -> Obj:
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        self.objects[where] = obj
        self._tell(type_, where, obj)
        return copy.deepcopy(obj)

    def _get(
        self, path: str, query: Mapping[str, str], body: dict[str, Any] | None, subresource: str
    ) -> tuple[int, dict[str, Any]]:
        if path in self.objects:
            return 200, copy.deepcopy(self.objects[path])
        if path.rsplit("/", 1)[-1] not in COLLECTIONS:
            return _refusal(404, "NotFound", f"{path} not found")
        selects = self._selects(path, query)
        items = [copy.deepcopy(obj) for where, obj in self.objects.items() if selects(where, obj)]
        return 200, {"kind": "List", "metadata": {"resourceVersion": str(self.version)}, "items": items}

    def _post(
        self, path: str, query: Mapping[str, str], body: Obj, subresource: str
    ) -> tuple[int, dict[str, Any]]:
        where = f"{path}/{body['metadata']['name']}"
        if where in self.objects:
            return _refusal(409, "AlreadyExists", f"{where} exists")
        meta = body["metadata"]
        meta |= {"uid": str(uuid.uuid4()), "creationTimestamp": format_time(time.time()), "generation": 1}
        return 201, self._store(where, body, "ADDED")

    def _put(self, path: str, query: Mapping[str, str], body: Obj, subresource: str) -> tuple[int, Obj]:
        stored = self.objects.get(path)
        if stored is None:
            return _refusal(404, "NotFound", f"{path} not found")
        return self._update(path, stored, body, subresource)

    def _patch(
        self, path: str, query: Mapping[str, str], body: dict[str, Any], subresource: str
    ) -> tuple[int, dict[str, Any]]:
        stored = self.objects.get(path)
        if stored is None:
            return _refusal(404, "NotFound", f"{path} not found")
        for part in ("uid", "resourceVersion"):
            wanted = body.get("metadata", {}).get(part)
            if wanted is not None and wanted != stored["metadata"][part]:
                return _refusal(409, "Conflict", f"{part} is {stored['metadata'][part]}")
        return self._update(path, stored, _merge(stored, body), subresource)

    def _update(self, path: str, stored: Obj, new: Obj, subresource: str) -> tuple[int, Obj]:
        if subresource == "status":
            new = {**stored, "metadata": {**stored["metadata"]}, "status": new.get("status", {})}
        else:
            new = {**new, "metadata": {**new["metadata"]}}
            if "status" in stored:
                new["status"] = stored["status"]
            else:
                new.pop("status", None)
            if new.get("spec") != stored.get("spec"):
                new["metadata"]["generation"] = stored["metadata"]["generation"] + 1
        if new == stored:
            return 200, copy.deepcopy(stored)
        return 200, self._store(path, copy.deepcopy(new), "MODIFIED")

    def _delete(
        self, path: str, query: Mapping[str, str], body: dict[str, Any], subresource: str
    ) -> tuple[int, dict[str, Any]]:
        stored = self.objects.get(path)
        if stored is None:
            return _refusal(404, "NotFound", f"{path} not found")
        wanted = (body or {}).get("preconditions", {}).get("uid")
        if wanted and wanted != stored["metadata"]["uid"]:
            return _refusal(409, "Conflict", "another uid")
        grace = (body or {}).get("gracePeriodSeconds")
        if "/pods/" in path and stored["spec"].get("nodeName") and grace != 0:
            return 200, self._end(path, stored, grace)
        del self.objects[path]
        self.version += 1
        stored["metadata"]["resourceVersion"] = str(self.version)
        self._tell("DELETED", path, stored)
        return 200, {"kind": "Status", "status": "Success"}

    def _end(self, path: str, stored: Obj, grace: int | None) -> Obj:
        """Mark a pod as being deleted; a second deletion may only shorten the grace period."""
        running = stored["metadata"].get("deletionGracePeriodSeconds")
        if grace is None:
            grace = running or stored["spec"].get("terminationGracePeriodSeconds", 30)
        if running is not None and grace >= running:
            return copy.deepcopy(stored)
        began = time.time()
        if running is not None:
            began = parse_time(stored["metadata"]["deletionTimestamp"]) - running
        new = copy.deepcopy(stored)
        new["metadata"]["deletionTimestamp"] = format_time(began + grace)
        new["metadata"]["deletionGracePeriodSeconds"] = grace
        return self._store(path, new, "MODIFIED")


def _without_namespace(folder: str) -> str:
    head, _, tail = folder.partition("/namespaces/")
    return f"{head}/{tail.split('/', 1)[1]}" if "/" in tail else folder


def _refusal(status: int, reason: str, message: str) -> tuple[int, dict[str, Any]]:
    return status, {"kind": "Status", "code": status, "reason": reason, "message": message}


def _merge(stored: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(stored) if isinstance(stored, dict) else {}
    for part, value in patch.items():
        if value is None:
            merged.pop(part, None)
        else:
            merged[part] = _merge(merged.get(part), value)
    return merged
