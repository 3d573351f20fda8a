"""`zerogate up`: the control process of one machine.

Here run the embedded API with its controllers, Zerogate's controller, the autoscaler and the node agent; the
gateway has processes of its own (`workers`), so that no list and no commit ever delays a request.

SIGUSR1 replaces the gateway's processes one by one; SIGUSR2 ends everything but the gateway's socket and
begins anew in place, so that whoever connects meanwhile waits.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import uvloop

from kube.objects import Obj
from zerogate import inheritance
from zerogate.edge import cluster, logs
from zerogate.edge.folder import DataFolder
from zerogate.edge.laptop import Doors, Laptop
from zerogate.edge.sockets import inherited, listen
from zerogate.errors import first_cause

log = logging.getLogger("zerogate.up")

DRAIN_WITHIN = 10.0
"""Seconds that requests in flight have after Ctrl-C."""
STOP_WITHIN = 15.0
"""Seconds that programs and pods then have to end."""
_STOPPING = "Stopping: requests in flight finish, then pods end."
_ANEW = "Beginning anew: requests in flight finish, pods end, who connects meanwhile waits."


class _End(NamedTuple):
    """The exit status, or that it goes on in a process of new code."""

    status: int
    is_anew: bool


def main(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Run until Ctrl-C or SIGTERM. Exit status 0 after an orderly end; raises Failed."""
    logs.configure(arguments.log_level)
    wanted = cluster.read_manifests(arguments.files)
    own = inheritance.without(environment)
    folder = DataFolder(arguments.data)
    try:
        doors = _open(arguments, environment)
        try:
            end: _End = uvloop.run(_run(arguments, own, folder, doors, wanted))
            if end.is_anew:
                _begin_anew(doors, own)
            return end.status
        finally:
            doors.close()
    finally:
        folder.release()


def _open(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Doors:
    """All sockets, or none; the gateway's may have been handed over. Raises Failed."""
    with contextlib.ExitStack() as opened:
        gateway = inherited(environment) or listen(arguments.gateway, "--gateway")
        opened.enter_context(gateway)
        api, admin = (
            opened.enter_context(listen(getattr(arguments, name), f"--{name}")) for name in ("api", "admin")
        )
        local = None
        if arguments.local_gateway is not None:
            local = opened.enter_context(listen(arguments.local_gateway, "--local-gateway"))
        opened.pop_all()
    return Doors(gateway, api, admin, local)


def _begin_anew(doors: Doors, environment: Mapping[str, str]) -> NoReturn:
    """Become a new `zerogate up`, of the code as it is now, that has the gateway's socket. All other
    descriptors close by themselves.
    """
    sys.stdout.flush()
    os.dup2(doors.gateway.fileno(), inheritance.FIRST)
    os.set_inheritable(inheritance.FIRST, True)  # noqa: FBT003 - the standard library's signature
    told = inheritance.handed_on(environment, os.getpid())
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], told)  # noqa: S606 - as we were started


async def _run(
    arguments: argparse.Namespace,
    environment: Mapping[str, str],
    folder: DataFolder,
    doors: Doors,
    wanted: list[tuple[Path, Obj]],
) -> _End:
    laptop = Laptop(arguments, environment, folder, doors)
    asked = _Asked(laptop.renew_gateway)
    running = asyncio.create_task(laptop.run(wanted))
    try:
        await _first(running, asked.to_stop.wait())
        if not running.done():
            print(f"\n{_ANEW if asked.is_anew else _STOPPING} Ctrl-C again ends all at once.", flush=True)
            asked.to_stop.clear()
            draining = laptop.drain(is_handed_on=asked.is_anew)
            within = DRAIN_WITHIN + arguments.drain_delay
            await _first(draining, asked.to_stop.wait(), asyncio.sleep(within))
            running.cancel()
            await _first(running, asked.to_stop.wait(), asyncio.sleep(STOP_WITHIN))
    finally:
        laptop.kill()
    if not running.done():
        log.warning("not everything ended in time; the next `zerogate up` on this folder clears up")
        return _End(1, asked.is_anew)
    if not running.cancelled() and (error := running.exception()) is not None:
        raise first_cause(error)
    return _End(0, asked.is_anew)


async def _first(*waits: Coroutine[Any, Any, object] | asyncio.Task[None]) -> None:
    """Wait for one of them; the coroutines among the others are given up, a task goes on."""
    tasks = [wait if isinstance(wait, asyncio.Task) else asyncio.create_task(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task, wait in zip(tasks, waits, strict=True):
        if task is not wait:
            task.cancel()


class _Asked:
    """What the user, or the system, asks for by signals. `is_anew`: the end is to be a beginning, too; a
    plain end that is asked for later is stronger.
    """

    def __init__(self, renew_gateway: Callable[[], None]) -> None:
        self.to_stop = asyncio.Event()
        self.is_anew = False
        self._is_asked = False
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGUSR1, renew_gateway)
        loop.add_signal_handler(signal.SIGUSR2, self._begin_anew)

    def _stop(self) -> None:
        self._is_asked, self.is_anew = True, False
        self.to_stop.set()

    def _begin_anew(self) -> None:
        if not self._is_asked:
            self._is_asked = True
            self.is_anew = True
            self.to_stop.set()
