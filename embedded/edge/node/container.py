"""One container's life: started, watched, ended, started again."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from pathlib import Path

from embedded.edge.node import probes
from embedded.edge.node.hooks import run_pre_stop
from embedded.edge.node.linux import code, logfiles, proc, records
from embedded.edge.node.linux.process import Process, spawn, why_not_started
from embedded.edge.node.sources import read_sources
from embedded.edge.node.workshop import Workshop
from embedded.node.backoff import Backoff, is_restarted
from embedded.node.containers import CREATING, Container, Terminated, Waiting, terminated
from embedded.node.environment import CannotStart, Sources, sources_of
from embedded.node.launch import Launch, launch_of, serving_container
from embedded.node.listening import misplaced
from embedded.node.probing import Kind, Probe, probe_of, probes_of
from kube.edge.clock import unix_now
from kube.objects import Obj, name, namespace, uid

log = logging.getLogger("zerogate.node")

START_ERROR = 128
"""Exit code told for a command that could not be started, as container runtimes tell it."""
MINIMUM_GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL at least, if a preStop hook has used up the grace period (the kubelet's
minimumGracePeriodInSeconds).
"""
RECORD_DELAY = 0.2
"""Seconds after its start that a process' record is written."""


class ContainerRunner:
    """Keeps one container of a pod as its spec wants it. `told` is what the pod's status says of it."""

    def __init__(  # noqa: PLR0913 - a container is its pod's, its spec's and its status' part
        self, shop: Workshop, pod: Obj, spec: Obj, told: Container, *, port: int, changed: Callable[[], None]
    ) -> None:
        self.told = told
        self.process: Process | None = None
        self._shop = shop
        self._pod = pod
        self._spec = spec
        self._port = port
        self._changed = changed
        self._backoff = Backoff(shop.settings.backoff)
        self._policy = pod["spec"].get("restartPolicy") or "Always"
        self._log: Path = logfiles.pod_folder(shop.settings.folder, pod) / f"{told.name}.log"
        self._launch = Launch((), {}, "/")
        self._watchers: asyncio.TaskGroup | None = None
        self._was_tried = False
        self._kill_at = 0.0
        self._hook_limit: asyncio.Timeout | None = None
        self._killer: asyncio.TimerHandle | None = None
        self.is_over = False
        if isinstance(told.state, Terminated):
            told.last = told.state
            self.is_over = not is_restarted(self._policy, told.state.exit_code)
        self._is_restart = told.last is not None and told.state != CREATING

    # Starting

    def start_now(self) -> None:
        """Start within this call if nothing has to be waited for; else `run` does, and tells what lacks."""
        if not self.is_over and not sources_of(self._spec):
            with contextlib.suppress(CannotStart):
                self._start({})

    def _start(self, sources: Sources) -> None:
        """Start the process; one that can't be started counts as one that ended. Raises CannotStart."""
        shop = self._shop
        self._launch = launch_of(
            self._pod, self._spec, shop.images.table, shop.host, port=self._port, sources=sources
        )
        self._was_tried = True
        if self._is_restart:
            self.told.restarts += 1
        self._is_restart = True
        pod_uid, now = uid(self._pod), unix_now()
        env = {**self._launch.env, records.VARIABLE: shop.records.mark(pod_uid, self.told.name)}
        try:
            output = logfiles.open_log(self._log)
            try:
                self.process = spawn(self._launch.argv, env, self._launch.folder, output)
            finally:
                os.close(output)
        except OSError as error:
            text = why_not_started(error, self._launch.argv, self._launch.folder)
            self.told.last = Terminated(START_ERROR, "StartError", now, now, text)
            self.told.state = Waiting("RunContainerError", text)
            shop.report(self._pod, "Warning", "Failed", f"Error: {text}")
        else:
            # Its environment marks the process already. Writing the record now would wait for the exec that
            # is under way (3 ms, measured), and the address with it.
            asyncio.get_running_loop().call_later(RECORD_DELAY, self._record, self.process)
            self._note_start(self.process)
        self._changed()

    def _note_start(self, process: Process) -> None:
        self.told.begin(process.started_at, f"{process.pid}-{uid(self._pod)}", self._probes().keys())
        where = f" with PORT={self._port}" if self._port else ""
        text = f"Started container {self.told.name} as process {process.pid}{where}"
        self._shop.report(self._pod, "Normal", "Started", text)

    def _record(self, process: Process) -> None:
        if process.is_running:
            self._shop.records.note(uid(self._pod), self.told.name, process.pid)

    def _probes(self) -> dict[Kind, Probe]:
        return probes_of(self._spec, self._port, serving_container(self._pod).port)

    # Living

    async def run(self) -> None:
        """Start, watch and restart it; returns when its policy wants it to stay ended."""
        while not self.is_over:
            if not self._was_tried:
                await self._start_when_possible()
            ran_for = await self._attend(self.process) if self.process is not None else 0.0
            self._was_tried = False
            end = self.told.last
            if end is not None and not is_restarted(self._policy, end.exit_code):
                self.is_over = True
                self.told.state = end
                self._changed()
                return
            await self._back_off(self._backoff.ended(ran_for))

    async def _start_when_possible(self) -> None:
        wanted = sources_of(self._spec)
        while True:
            try:
                self._start(await read_sources(self._shop.client, namespace(self._pod), wanted))
            except CannotStart as error:
                await self._wait_for_remedy(error)
            else:
                return

    async def _wait_for_remedy(self, error: CannotStart) -> None:
        """Say what lacks, and return when it is worth another try."""
        settings, images = self._shop.settings, self._shop.images
        self._waits(error.reason, error.message)
        self._shop.report(self._pod, "Warning", "Failed", error.message)
        is_image = error.reason == "ErrImagePull"
        if is_image:
            log.info("pod %s can't start: %s", "/".join(self._place), error.message)
        delay = settings.image_back_off_after if is_image else settings.config_retry
        try:
            async with asyncio.timeout(delay):
                await images.changed()
        except TimeoutError:
            if is_image:
                self._waits("ImagePullBackOff", error.message)
                await images.changed()

    async def _attend(self, process: Process) -> float:
        """Watch a running process until its end; returns for how many seconds it ran."""
        surroundings = self._surroundings()
        listener = probes.Listener(self._on_verdict, self._on_failure)
        wanted = self._probes()
        is_once = not self._spec.get("readinessProbe")
        async with asyncio.TaskGroup() as group:
            self._watchers = group
            tasks = [group.create_task(probes.watch(wanted, surroundings, listener, is_once=is_once))]
            if self._port:
                tasks.append(group.create_task(self._look_for_port(process)))
            exit_code = await process.wait()
            for task in tasks:
                task.cancel()
        self._watchers = None
        ran_for = self._note_end(process, exit_code)
        await asyncio.to_thread(self._shop.records.end_container, uid(self._pod), self.told.name)
        return ran_for

    def _note_end(self, process: Process, exit_code: int) -> float:
        now = unix_now()
        falls_back = self._spec.get("terminationMessagePolicy") == "FallbackToLogsOnError"
        text = logfiles.tail(self._log) if exit_code and falls_back else ""
        self.told.end(terminated(exit_code, process.started_at, now, text, self.told.container_id))
        self.process = None
        self._shop.records.forget(uid(self._pod), self.told.name)
        log.info(
            "container %s of pod %s ended with exit code %d",
            self.told.name, "/".join(self._place), exit_code,
            extra={"data": {"pod": self._place[1], "namespace": self._place[0], "exit_code": exit_code}},
        )  # fmt: skip
        self._changed()
        return now - process.started_at

    async def _back_off(self, delay: float) -> None:
        if not delay:
            return
        former = await self._code()  # before anybody is told: whoever corrects it does so afterwards
        where = f"{self._place[1]}_{self._place[0]}({uid(self._pod)})"
        text = f"back-off {delay:g}s restarting failed container={self.told.name} pod={where}"
        end = self.told.last
        if end is not None and end.reason == "StartError":
            text += f": {end.message}"
        self._waits("CrashLoopBackOff", text)
        self._shop.report(self._pod, "Warning", "BackOff", text)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._put_right(former)
                self._backoff.forget()
                log.info("container %s of pod %s is started anew: it was changed", self.told.name, where)

    async def _put_right(self, former: code.Stamp) -> None:
        """Whatever it died of, return if another try is worth it: the table has another command, or its files
        have changed and stay as they are for a moment (a file that is written all the time is a log).
        """
        changed = asyncio.ensure_future(self._shop.images.changed())
        try:
            last = former
            while not changed.done():
                await asyncio.wait([changed], timeout=self._shop.settings.code_look)
                now = await self._code()
                if now == last != former:
                    return
                last = now
        finally:
            changed.cancel()

    async def _code(self) -> code.Stamp:
        is_whole = bool(self._spec.get("workingDir"))
        return await asyncio.to_thread(code.stamp, self._launch.folder, self._launch.argv, is_whole=is_whole)

    def _surroundings(self) -> probes.Surroundings:
        return probes.Surroundings(self._launch.env, self._launch.folder)

    def _waits(self, reason: str, message: str) -> None:
        self.told.state = Waiting(reason, message)
        self._changed()

    @property
    def _place(self) -> tuple[str, str]:
        return namespace(self._pod), name(self._pod)

    # Called by the probes

    def _on_verdict(self, kind: Kind, is_fine: bool) -> None:  # noqa: FBT001 - the verdict is the news
        wanted = self._probes()
        must_end = self.told.hear(kind, wanted.keys(), is_fine=is_fine)
        if must_end and self._watchers is not None:
            text = f"Container {self.told.name} failed {kind} probe, will be restarted"
            self._shop.report(self._pod, "Normal", "Killing", text)
            own = wanted[kind].grace
            pod_grace = float(self._pod["spec"].get("terminationGracePeriodSeconds") or 30)
            self._watchers.create_task(self.stop(pod_grace if own is None else own))
        self._changed()

    def _on_failure(self, kind: Kind, answer: probes.Answer) -> None:
        text = f"{kind.capitalize()} probe failed: {answer.text}"
        self._shop.report(self._pod, "Warning", "Unhealthy", text)

    async def _look_for_port(self, process: Process) -> None:
        """Find out why a serving container is not ready after a while: perhaps it listens elsewhere."""
        while True:
            await asyncio.sleep(self._shop.settings.wrong_port_after)
            if self.told.ready:
                return
            trouble = misplaced(proc.listeners(), proc.tree_sockets(process.pid), self._port)
            if trouble != self.told.trouble:
                self.told.trouble = trouble
                self._changed()
                if trouble:
                    log.warning("pod %s %s", "/".join(self._place), trouble)
                    self._shop.report(
                        self._pod, "Warning", "WrongPort", f"container {self.told.name} {trouble}"
                    )

    # Ending

    async def stop(self, grace: float) -> None:
        """preStop, SIGTERM, and SIGKILL when `grace` seconds are over, counted from now.

        A hook that is still running then is cut, and SIGKILL follows SIGTERM after MINIMUM_GRACE.
        """
        process = self.process
        if process is None or not process.is_running:
            return
        loop = asyncio.get_running_loop()
        self._kill_at = loop.time() + grace
        hook = (self._spec.get("lifecycle") or {}).get("preStop")
        try:
            if hook:
                await self._run_hook(hook, process, grace)
                self._kill_at = max(self._kill_at, loop.time() + MINIMUM_GRACE)
            self._killer = loop.call_at(self._kill_at, process.kill)
            process.terminate()
            await process.wait()
        finally:
            if self._killer is not None:
                self._killer.cancel()
            self._killer = None

    def shorten(self, grace: float) -> None:
        """End a `stop` that is under way within `grace` seconds from now, if that is sooner; a preStop that
        is still running then is cut.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + grace
        if end >= self._kill_at:
            return
        if self._hook_limit is not None:
            self._kill_at = end
            self._hook_limit.reschedule(end)
        elif self._killer is not None and self.process is not None:
            self._kill_at = end
            self._killer.cancel()
            self._killer = loop.call_at(end, self.process.kill)

    async def _run_hook(self, hook: Obj, process: Process, grace: float) -> None:
        serving_port = serving_container(self._pod).port if self._port else 0
        asked = {**hook, "timeoutSeconds": max(1.0, grace)}
        probe = probe_of(self._spec, asked, self._port, serving_port)
        try:
            async with asyncio.timeout_at(self._kill_at) as self._hook_limit:
                answer = await run_pre_stop(hook, probe, self._surroundings(), process.exited)
        except TimeoutError:
            return
        finally:
            self._hook_limit = None
        if not answer.is_fine:
            text = f"PreStopHook of container {self.told.name} failed: {answer.text}"
            self._shop.report(self._pod, "Warning", "FailedPreStopHook", text)

    def lay_down(self) -> None:
        """The process was ended because the agent stops: its next start will be no restart."""
        if self.process is not None:
            self.told.lay_down()
            self._shop.records.forget(uid(self._pod), self.told.name)
