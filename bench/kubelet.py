"""Nodes whose pods exist on paper: a pod that is bound to one is Running and Ready at once, and goes at once.

`python bench/kubelet.py COUNT PODS` makes COUNT nodes for PODS pods each, against $KUBECONFIG, until SIGTERM.
"""

import asyncio
import sys
import time
from functools import partial

import uvloop

from kube.edge.client import ApiError, Client
from kube.edge.credentials import load_credentials
from kube.edge.http import HttpTransport
from kube.edge.informer import Change, Informer
from kube.objects import Obj, format_time, is_deleting, key, uid
from kube.resources import NODES, PODS

AT_ONCE = 16
HEARTBEAT = 10.0


def node(name: str, pods: int) -> Obj:
    """A node that has room."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
    } | {"status": node_status(pods)}


def node_status(pods: int) -> Obj:
    """Ready as of now."""
    room = {"cpu": "1000", "memory": "4000Gi", "pods": str(pods), "ephemeral-storage": "4000Gi"}
    now = format_time(time.time())
    since = {"lastHeartbeatTime": now, "lastTransitionTime": now}
    ready = {"type": "Ready", "status": "True", "reason": "Simulated", **since}
    return {"capacity": room, "allocatable": room, "conditions": [ready]}


def pod_status(pod: Obj, address: str) -> Obj:
    """Running, ready, at an address."""
    now = format_time(time.time())
    conditions = [
        {"type": type_, "status": "True", "lastTransitionTime": now}
        for type_ in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    ]
    runs = {"ready": True, "started": True, "restartCount": 0, "state": {"running": {"startedAt": now}}}
    containers = [
        {"name": each["name"], "image": each["image"], "imageID": each["image"], **runs}
        for each in pod["spec"]["containers"]
    ]
    addresses = {"podIP": address, "podIPs": [{"ip": address}], "hostIP": "192.0.2.1"}
    told = {"conditions": conditions, "containerStatuses": containers, "startTime": now}
    return {"phase": "Running", **addresses, **told}


class Kubelet:
    """All nodes."""

    def __init__(self, client: Client, pods: int) -> None:
        self._client = client
        self._pods = pods
        self._queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._told: set[str] = set()
        self._informer = Informer(client, PODS, on_change=self._on_pod)

    async def run(self, count: int) -> None:
        """Until cancelled."""
        names = [f"sim-{number}" for number in range(count)]
        for name in names:
            try:
                await self._client.create(NODES, node(name, self._pods))
            except ApiError as error:
                if not error.is_already_exists:
                    raise
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat(names))
            group.create_task(self._informer.run())
            for _ in range(AT_ONCE):
                group.create_task(self._work())

    async def _beat(self, names: list[str]) -> None:
        while True:
            patch = {"status": node_status(self._pods)}
            for name in names:
                await self._client.patch(NODES, "", name, patch, kind="strategic", subresource="status")
            await asyncio.sleep(HEARTBEAT)

    def _on_pod(self, change: Change) -> None:
        pod = change.new
        if pod is None or not str(pod["spec"].get("nodeName", "")).startswith("sim-"):
            return
        if is_deleting(pod) or uid(pod) not in self._told:
            self._told.add(uid(pod))
            self._queue.put_nowait(key(pod))

    async def _work(self) -> None:
        while True:
            where = await self._queue.get()
            pod = self._informer.objects.get(where)
            if pod is None:
                continue
            try:
                if is_deleting(pod):
                    await self._client.delete(PODS, *where, grace_period=0)
                else:
                    number = len(self._told)
                    patch = {"status": pod_status(pod, f"10.1.{number // 250 % 250}.{number % 250 + 1}")}
                    await self._client.patch(PODS, *where, patch, kind="strategic", subresource="status")
            except ApiError as error:
                if not error.is_not_found:
                    print(f"{where}: {error}", file=sys.stderr, flush=True)


async def main(count: int, pods: int) -> None:
    """Make the nodes and run their pods."""
    transport = HttpTransport(await load_credentials(), user_agent="kubelet")
    client = Client(transport, manager="kubelet")
    try:
        await Kubelet(client, pods).run(count)
    finally:
        await client.close()


if __name__ == "__main__":
    uvloop.run(partial(main, int(sys.argv[1]), int(sys.argv[2]))())
