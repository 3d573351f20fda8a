"""A node agent with real processes over an API in memory, for edge tests."""

import asyncio
import contextlib
import sys
import time

from embedded.edge.node import agent
from embedded.node.backoff import BackoffRule
from embedded.node.settings import NodeSettings
from kube.edge.client import ApiError, Client
from kube.objects import annotations
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


def python(script):
    return [sys.executable, "-S", "-E", "-c", script]


def pod(name="p", script=SERVER, *, container=None, **spec):
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
    def __init__(self, folder, api=None):
        self.folder = folder
        self.api = api or FakeApi()
        self.client = Client(self.api, manager="test")
        self.task = None

    def settings(self, **changes):
        given = {
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
    async def running(self, **changes):
        await self.start(**changes)
        try:
            yield self
        finally:
            await self.stop()

    async def start(self, **changes):
        self.task = asyncio.create_task(agent.run(self.client, self.settings(**changes)))

    async def stop(self):
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    async def create(self, obj):
        return await self.client.create(PODS, obj)

    async def delete(self, name="p", grace=None):
        await self.client.delete(PODS, "default", name, grace_period=grace)

    async def get(self, name="p"):
        try:
            return await self.client.get(PODS, "default", name)
        except ApiError:
            return None

    async def set_images(self, text):
        meta = {"name": "config-images", "namespace": "zerogate-system"}
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"images.yaml": text}}
        try:
            await self.client.create(CONFIGMAPS, obj)
        except ApiError:
            await self.client.patch(CONFIGMAPS, *reversed(meta.values()), {"data": obj["data"]}, kind="merge")

    async def events(self):
        found = await self.client.list(EVENTS, "default")
        return {event["reason"]: event["message"] for event in found["items"]}

    async def event(self, reason):
        box = {}

        async def look():
            box.update(await self.events())
            return reason in box

        await self.until(look, f"an event {reason}")
        return box[reason]

    async def until(self, condition, what, within=6.0):
        deadline = time.monotonic() + within
        while True:
            value = await condition()
            if value:
                return value
            assert time.monotonic() < deadline, f"waited {within} s in vain for {what}: {await self.get()}"
            await asyncio.sleep(0.01)

    async def pod_where(self, is_so, what, name="p", within=6.0):
        async def look():
            found = await self.get(name)
            return found if found is not None and is_so(found) else None

        return await self.until(look, what, within)

    async def ready(self, name="p"):
        return await self.pod_where(is_ready, "a ready pod", name)

    async def gone(self, name="p"):
        async def look():
            return await self.get(name) is None

        await self.until(look, "the pod to go")

    def log(self, pod, container="c", suffix=""):
        meta = pod["metadata"]
        folder = self.folder / "logs" / f"{meta['namespace']}_{meta['name']}_{meta['uid']}"
        path = folder / f"{container}.log{suffix}"
        return path.read_text() if path.exists() else ""


def is_ready(pod):
    entries = pod.get("status", {}).get("conditions", [])
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in entries)


def container(pod):
    return (pod.get("status", {}).get("containerStatuses") or [{}])[0]


def waiting_reason(pod):
    return container(pod).get("state", {}).get("waiting", {}).get("reason")


def port_of(pod):
    return int(annotations(pod)["zerogate.dev/port"])


def pid_of(pod):
    return int(container(pod)["containerID"].removeprefix("process://").split("-")[0])
