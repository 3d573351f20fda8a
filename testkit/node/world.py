"""A node agent with real processes over an API in memory, for edge tests."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from embedded.edge.node import agent
from embedded.node.backoff import BackoffRule
from embedded.node.settings import NodeSettings
from kube.edge.client import ApiError, Client
from kube.objects import Obj, annotations
from kube.resources import CONFIGMAPS, EVENTS, PODS
from testkit.api.fake_api import FakeApi

SERVER = """
import os, signal, socket, sys, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
sock = socket.create_server(("127.0.0.1", int(os.environ.get("LISTEN") or os.environ["PORT"])))
while True:
    peer, _ = sock.accept()
    peer.recv(1000)
    peer.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
    peer.close()
"""


def python(script: str) -> list[str]:
    return [sys.executable, "-S", "-E", "-c", script]


def pod(
    name: str = "p", script: str = SERVER, *, container: dict[str, Any] | None = None, **spec: Any
) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "terminationGracePeriodSeconds": 5,
            "containers": [
                {
                    "name": "c",
                    "image": "any",
                    "command": python(script),
                    "ports": [{"name": "http1", "containerPort": 8080}],
                    **(container or {}),
                }
            ],
            **spec,
        },
    }


class NodeWorld:
    def __init__(self, folder: Path, api: FakeApi | None = None) -> None:
        self.folder = folder
        self.api = api or FakeApi()
        self.client = Client(self.api, manager="test")
        self.task: Any = None

    def settings(self, **changes: Any) -> NodeSettings:
        given: dict[str, Any] = {
            "folder": self.folder,
            "working_folder": self.folder,
            "backoff": BackoffRule(0.2, 0.8, 60),
            "stop_grace": 1.0,
            "wrong_port_after": 0.3,
            "image_back_off_after": 0.05,
            "config_retry": 0.05,
        }
        return NodeSettings(**(given | changes))

    @contextlib.asynccontextmanager
    async def running(self, **changes: Any) -> "AsyncIterator[NodeWorld]":
        await self.start(**changes)
        try:
            yield self
        finally:
            await self.stop()

    async def start(self, **changes: Any) -> None:
        self.task = asyncio.create_task(agent.run(self.client, self.settings(**changes)))

    async def stop(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    async def create(self, obj: Obj) -> Obj:
        return await self.client.create(PODS, obj)

    async def delete(self, name: str = "p", grace: int | None = None) -> None:
        await self.client.delete(PODS, "default", name, grace_period=grace)

    async def get(self, name: str = "p") -> Obj | None:
        try:
            return await self.client.get(PODS, "default", name)
        except ApiError:
            return None

    async def set_images(self, text: str) -> None:
        meta = {"name": "config-images", "namespace": "zerogate-system"}
        obj: Obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"images.yaml": text}}
        try:
            await self.client.create(CONFIGMAPS, obj)
        except ApiError:
            await self.client.patch(
                CONFIGMAPS, meta["namespace"], meta["name"], {"data": obj["data"]}, kind="merge"
            )

    async def events(self) -> dict[str, str]:
        found = await self.client.list(EVENTS, "default")
        return {event["reason"]: event["message"] for event in found["items"]}

    async def event(self, reason: str) -> str:
        box = {}

        async def look() -> bool:
            box.update(await self.events())
            return reason in box

        await self.until(look, f"an event {reason}")
        return box[reason]

    async def until(self, condition: Callable[..., Any], what: str, within: float = 60.0) -> Any:
        deadline = time.monotonic() + within
        while True:
            value = await condition()
            if value:
                return value
            assert time.monotonic() < deadline, f"waited {within} s in vain for {what}: {await self.get()}"
            await asyncio.sleep(0.01)

    async def pod_where(
        self, is_so: Callable[..., Any], what: str, name: str = "p", within: float = 60.0
    ) -> Obj:
        async def look() -> Obj | None:
            found = await self.get(name)
            return found if found is not None and is_so(found) else None

        found: Obj = await self.until(look, what, within)
        return found

    async def ready(self, name: str = "p") -> Obj:
        return await self.pod_where(is_ready, "a ready pod", name)

    async def gone(self, name: str = "p", within: float = 18.0) -> None:
        async def look() -> bool:
            return await self.get(name) is None

        await self.until(look, "the pod to go", within)

    def log(self, pod: Obj, container: str = "c", suffix: str = "") -> str:
        meta = pod["metadata"]
        folder = self.folder / "logs" / f"{meta['namespace']}_{meta['name']}_{meta['uid']}"
        path = folder / f"{container}.log{suffix}"
        return path.read_text() if path.exists() else ""


def is_ready(pod: Obj) -> bool:
    entries = pod.get("status", {}).get("conditions", [])
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in entries)


def container(pod: Obj) -> dict[str, Any]:
    found: dict[str, Any] = (pod.get("status", {}).get("containerStatuses") or [{}])[0]
    return found


def waiting_reason(pod: Obj) -> str | None:
    found: str | None = container(pod).get("state", {}).get("waiting", {}).get("reason")
    return found


def port_of(pod: Obj) -> int:
    return int(annotations(pod)["zerogate.dev/port"])


def pid_of(pod: Obj) -> int:
    return int(container(pod)["containerID"].removeprefix("process://").split("-")[0])
