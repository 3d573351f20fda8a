"""The node agent: a kubelet whose containers are processes. It talks to the API only.

It binds pods (where it is the scheduler too), gives each pod's life to a `PodWorker`, registers its Node, and
leaves no process behind: not when it stops, and not, in its next life, after a kill -9.
"""

import asyncio
import logging
import os
import sys

from embedded.edge.node import kubelet
from embedded.edge.node.imagetable import Images
from embedded.edge.node.linux import logfiles
from embedded.edge.node.linux.machine import Ports, read_machine
from embedded.edge.node.linux.records import Records
from embedded.edge.node.pod import PodWorker
from embedded.edge.node.registration import keep_registered
from embedded.edge.node.workshop import Workshop
from embedded.node.capacity import misfits, shortages
from embedded.node.launch import Host
from embedded.node.nodes import node_object
from embedded.node.pod_status import unschedulable_status
from embedded.node.settings import NodeSettings
from kube.edge.client import ApiError, Client
from kube.edge.clock import unix_now
from kube.edge.events import EventRecorder
from kube.edge.informer import Change, Informer
from kube.objects import Obj, is_deleting, key, uid
from kube.resources import PODS

log = logging.getLogger("zerogate.node")

SCHEDULER = "default-scheduler"
SWEEP_DELAY = 1.0
ROTATE_EVERY = 10.0
_LAST_WORDS = 2.0
"""Seconds that a stopping agent waits for the API to take the last statuses."""


async def run(client: Client, settings: NodeSettings) -> None:
    """Run pods until cancelled; then their processes end, and the pods stay in the API. A defect ends it."""
    node = Node(client, settings)
    try:
        await node.run()
    finally:
        await node.stop()


class Node:
    """The pods of this node and those that wait for room on it."""

    def __init__(self, client: Client, settings: NodeSettings) -> None:
        recorder = EventRecorder(client, "zerogate-node")
        host = Host(
            words={"python": sys.executable, **settings.words},
            working_folder=str(settings.working_folder.resolve()),
            environment=os.environ,
            node=settings.name,
            system_namespace=settings.system_namespace,
            allows_raw_command=settings.allows_raw_command,
        )
        images = Images(client, recorder, settings.system_namespace)
        self._shop = Workshop(settings, host, client, recorder, images, Records(settings.folder), Ports())
        self._machine = read_machine()
        self._labels = node_object(settings, self._machine)["metadata"]["labels"]
        self._group: asyncio.TaskGroup | None = None
        self._workers: dict[str, PodWorker] = {}
        self._waiting: dict[str, Obj] = {}
        self._dead: set[str] = set()
        only_ours = "" if settings.is_scheduler else f"spec.nodeName={settings.name}"
        self._pods = Informer(client, PODS, field_selector=only_ours, on_change=self._pod_changed)

    async def run(self) -> None:
        """Clean up after a predecessor, then follow the API until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._shop.recorder.run())
            group.create_task(self._shop.images.run())
            group.create_task(self._pods.run())
            group.create_task(keep_registered(self._shop, self._machine))
            group.create_task(self._rotate_logs())
            group.create_task(kubelet.serve(self._shop, lambda: self._pods.objects))
            ended = await asyncio.to_thread(self._shop.records.end_predecessors)
            if ended:
                log.warning("processes that a former node agent left behind, ended now: %d", ended)
            await self._shop.images.synced.wait()
            await self._pods.synced.wait()
            logfiles.remove_others(self._shop.settings.folder, self._pods.objects.values())
            self._group = group
            for pod in sorted(self._pods.objects.values(), key=_age):
                self._consider(pod)

    async def stop(self) -> None:
        """End all processes, at first kindly; what is left after the grace period, or on a second
        cancellation, is killed.
        """
        self._group = None
        workers = list(self._workers.values())
        try:
            async with asyncio.timeout(self._shop.settings.stop_grace + _LAST_WORDS):
                grace = self._shop.settings.stop_grace
                results = await asyncio.gather(
                    *(worker.shut_down(grace) for worker in workers), return_exceptions=True
                )
            for error in results:
                if isinstance(error, BaseException) and not isinstance(error, ApiError):
                    raise error
        except TimeoutError:
            log.warning("the API did not take the last statuses in time")
        finally:
            for worker in workers:
                worker.kill()
            self._shop.records.end_pods(self._workers.keys() | self._dead)

    # Pods

    def _pod_changed(self, change: Change) -> None:
        if self._group is None:
            return
        old = change.old
        if old is not None and (change.new is None or uid(change.new) != uid(old)):
            self._waiting.pop(uid(old), None)
            worker = self._workers.get(uid(old))
            if worker is not None:
                worker.gone()
        if change.new is not None:
            self._consider(change.new)

    def _consider(self, pod: Obj) -> None:
        """Start, update, end or put off a pod, as it stands now."""
        node, settings = pod["spec"].get("nodeName") or "", self._shop.settings
        worker = self._workers.get(uid(pod))
        is_ours = settings.is_scheduler and (pod["spec"].get("schedulerName") or SCHEDULER) == SCHEDULER
        if node not in {"", settings.name} or (not node and not is_ours):
            if worker is not None:
                worker.gone()
            return
        if worker is not None:
            worker.update(pod)
            if worker.is_over:
                self._retry_waiting()
        elif is_deleting(pod):
            self._waiting.pop(uid(pod), None)
            self._spawn_worker(pod, is_ending=True)
        elif (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}:
            self._admit(pod)

    def _admit(self, pod: Obj) -> None:
        """Start the pod if it fits; a pod that is bound already was found to fit before."""
        settings = self._shop.settings
        if not pod["spec"].get("nodeName"):
            total = settings.capacity or self._machine.capacity
            others = [worker.pod for worker in self._workers.values() if not worker.is_over]
            lacks = misfits(self._labels, pod) or shortages(total, others, pod)
            if lacks:
                self._put_off(pod, lacks)
                return
        self._waiting.pop(uid(pod), None)
        self._spawn_worker(pod, is_ending=False)

    def _spawn_worker(self, pod: Obj, *, is_ending: bool) -> None:
        if self._group is None:
            return
        worker = PodWorker(self._shop, pod)
        if is_ending:
            worker.update(pod)
        else:
            try:
                worker.start()
            except OSError as error:
                self._put_off(pod, [str(error)])
                return
        self._workers[uid(pod)] = worker
        self._group.create_task(self._live(worker))

    async def _live(self, worker: PodWorker) -> None:
        """A pod's life, and what its end makes room for."""
        await worker.run()
        # Only reached in good order: after a cancellation `stop` still has to end the processes.
        del self._workers[uid(worker.pod)]
        if not self._dead:
            asyncio.get_running_loop().call_later(SWEEP_DELAY, self._sweep)
        self._dead.add(uid(worker.pod))
        self._retry_waiting()

    def _put_off(self, pod: Obj, lacks: list[str]) -> None:
        status = unschedulable_status(pod.get("status") or {}, lacks, unix_now())
        text = status["conditions"][0]["message"]
        is_news = uid(pod) not in self._waiting
        self._waiting[uid(pod)] = pod
        if is_news and self._group is not None:
            log.info("pod %s waits: %s", "/".join(key(pod)), text)
            self._shop.report(pod, "Warning", "FailedScheduling", text)
            self._group.create_task(self._tell_waiting(pod, status))

    async def _tell_waiting(self, pod: Obj, status: Obj) -> None:
        patch = {"metadata": {"uid": uid(pod)}, "status": status}
        try:
            await self._shop.client.patch(PODS, *key(pod), patch, kind="merge", subresource="status")
        except ApiError as error:
            log.debug("pod %s can't be told that it waits: %s", "/".join(key(pod)), error)

    def _retry_waiting(self) -> None:
        for pod in sorted(self._waiting.values(), key=_age):
            if uid(pod) in self._waiting:
                self._admit(self._pods.objects.get(key(pod), pod))

    # Household

    def _sweep(self) -> None:
        """End what pods that ended lately left behind outside their process groups."""
        dead, self._dead = frozenset(self._dead), set()
        if self._group is not None:
            self._group.create_task(asyncio.to_thread(self._shop.records.end_pods, dead))

    async def _rotate_logs(self) -> None:
        settings = self._shop.settings
        while True:
            await asyncio.sleep(ROTATE_EVERY)
            for worker in list(self._workers.values()):
                folder = logfiles.pod_folder(settings.folder, worker.pod)
                for container in worker.pod["spec"].get("containers") or ():
                    path = folder / f"{container['name']}.log"
                    await asyncio.to_thread(logfiles.rotate, path, settings.log_limit)


def _age(pod: Obj) -> tuple[str, str]:
    return str(pod["metadata"].get("creationTimestamp") or ""), key(pod)[1]
