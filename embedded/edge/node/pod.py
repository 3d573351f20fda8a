"""One pod's life on the node: its containers start, live and end together.

A cold start waits for this: the processes are started before anything is written.
"""

import asyncio
import logging

from embedded.edge.node.container import ContainerRunner
from embedded.edge.node.linux import logfiles
from embedded.edge.node.publisher import Publisher
from embedded.edge.node.workshop import Workshop
from embedded.node.containers import restored
from embedded.node.launch import serving_container, unsupported
from embedded.node.pod_status import PORT_ANNOTATION
from kube.edge.client import ApiError
from kube.edge.clock import unix_now
from kube.objects import Obj, annotations, is_deleting, key, uid
from kube.resources import PODS

log = logging.getLogger("zerogate.node")

FIRST_BACK_OFF = 0.05
MAX_BACK_OFF = 5.0
_DEFAULT_GRACE = 30


class PodWorker:
    """Runs one pod. `start`, `update` and `gone` are called by the node and never wait."""

    def __init__(self, shop: Workshop, pod: Obj) -> None:
        self.port = 0
        self._shop = shop
        self._ending = asyncio.Event()
        self._is_gone = False
        self._end_at: float | None = None
        self._containers = restored(pod, unix_now())
        self._publisher = Publisher(shop, pod, self._containers, self._on_read)
        self._runners: list[ContainerRunner] = []

    @property
    def pod(self) -> Obj:
        """The pod as it was seen last."""
        return self._publisher.pod

    @property
    def is_over(self) -> bool:
        """Whether all containers ended for good, so that the pod needs nothing any more."""
        return bool(self._runners) and all(runner.is_over for runner in self._runners)

    # Called by the node

    def start(self) -> None:
        """Take a port and start what can be started at once. Raises OSError when no port is free."""
        was = annotations(self.pod).get(PORT_ANNOTATION, "")
        is_ours = self.pod["spec"].get("nodeName") == self._shop.settings.name
        self.port = self._shop.ports.allocate(int(was) if is_ours and was.isdecimal() else 0)
        serving = serving_container(self.pod).container
        for spec, told in zip(self.pod["spec"].get("containers") or (), self._containers, strict=True):
            port = self.port if told.name == serving else 0
            changed = self._publisher.changed
            runner = ContainerRunner(self._shop, self.pod, spec, told, port=port, changed=changed)
            self._runners.append(runner)
            runner.start_now()
        self._publisher.port = self.port
        self._publisher.changed()

    def update(self, pod: Obj) -> None:
        """The pod as the API has it now."""
        self._publisher.seen(pod)
        if is_deleting(pod):
            grace = pod["metadata"].get("deletionGracePeriodSeconds")
            self._end_within(float(_DEFAULT_GRACE if grace is None else grace))

    def gone(self) -> None:
        """The pod is no longer in the API, or not this node's: nothing of it may stay."""
        self._is_gone = True
        self._end_within(0.0)

    def _end_within(self, grace: float) -> None:
        """Begin to end the pod, or shorten the grace period of an end that is under way."""
        loop = asyncio.get_running_loop()
        end_at = loop.time() + grace
        if self._end_at is not None and self._end_at <= end_at:
            return
        self._end_at = end_at
        if not self._ending.is_set():
            for runner in self._runners:
                if runner.process is not None:
                    text = f"Stopping container {runner.told.name}"
                    self._shop.report(self.pod, "Normal", "Killing", text)
        self._ending.set()
        for runner in self._runners:
            runner.shorten(grace)
        if grace == 0:
            self.kill()

    def kill(self) -> None:
        """End all processes at once."""
        for runner in self._runners:
            if runner.process is not None:
                runner.process.kill()

    def _on_read(self, pod: Obj) -> None:
        """After a refusal: perhaps the pod changed before our eyes did, or belongs to another node now."""
        if uid(pod) != uid(self.pod) or pod["spec"].get("nodeName", "") not in {"", self._shop.settings.name}:
            self.gone()
        elif not self._ending.is_set():
            self.update(pod)

    # Living

    async def run(self) -> None:
        """Live until the pod was deleted and is gone from the API; started before by `start`."""
        skipped = unsupported(self.pod)
        if skipped:
            text = f"process nodes pass over: {', '.join(skipped)}"
            self._shop.report(self.pod, "Warning", "NotSupported", text)
        try:
            async with asyncio.TaskGroup() as group:
                publisher = group.create_task(self._publisher.run())
                lives = [group.create_task(runner.run()) for runner in self._runners]
                await self._ending.wait()
                for life in lives:
                    life.cancel()
                if lives:
                    await asyncio.wait(lives)
                await self._stop()
                publisher.cancel()
        finally:
            if self.port:
                self._shop.ports.release(self.port)
        await self._finish()

    async def _stop(self) -> None:
        """End all containers within the grace period."""
        loop = asyncio.get_running_loop()
        left = max(0.0, (self._end_at or 0.0) - loop.time())
        await asyncio.gather(*(runner.stop(left) for runner in self._runners))

    async def _finish(self) -> None:
        """Let the API forget the pod, and remove what it left here."""
        back_off = FIRST_BACK_OFF
        while not self._is_gone:
            try:
                await self._shop.client.delete(PODS, *key(self.pod), grace_period=0, uid=uid(self.pod))
            except ApiError as error:
                if error.is_not_found or error.is_conflict:
                    break
                log.warning("pod %s can't be removed (%s); trying again", "/".join(key(self.pod)), error)
                await asyncio.sleep(back_off)
                back_off = min(back_off * 2, MAX_BACK_OFF)
            else:
                break
        for runner in self._runners:
            self._shop.records.forget(uid(self.pod), runner.told.name)
        await asyncio.to_thread(logfiles.remove, logfiles.pod_folder(self._shop.settings.folder, self.pod))

    async def shut_down(self, grace: float) -> None:
        """The agent stops: end the processes, but leave the pod in the API for the agent's next life."""
        exits = [runner.process.exited for runner in self._runners if runner.process is not None]
        for runner in self._runners:
            if runner.process is not None:
                runner.process.terminate()
        if exits:
            await asyncio.wait(exits, timeout=grace)
        self.kill()
        if exits:
            await asyncio.wait(exits)
        for runner in self._runners:
            runner.lay_down()
        if not self._is_gone and not is_deleting(self.pod):
            await self._publisher.tell()
