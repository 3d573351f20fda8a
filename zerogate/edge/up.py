"""`zerogate up`: the control process of one machine.

Here run the embedded API with its controllers, Zerogate's controller, the autoscaler and the node agent; the
gateway is a process of its own (`workers`), so that no list and no commit ever delays a request.
"""

import argparse
import asyncio
import contextlib
import logging
import signal
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

import uvloop

from kube.objects import Obj
from zerogate.edge import cluster, logs
from zerogate.edge.folder import DataFolder
from zerogate.edge.laptop import Doors, Laptop
from zerogate.edge.sockets import listen
from zerogate.errors import first_cause

log = logging.getLogger("zerogate.up")

DRAIN_WITHIN = 10.0
"""Seconds that requests in flight have after Ctrl-C."""
STOP_WITHIN = 15.0
"""Seconds that programs and pods then have to end."""


def main(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Run until Ctrl-C or SIGTERM. Exit status 0 after an orderly end; raises Failed."""
    logs.configure(arguments.log_level)
    wanted = cluster.read_manifests(arguments.files)
    folder = DataFolder(arguments.data)
    try:
        doors = _open(arguments)
        try:
            status: int = uvloop.run(_run(arguments, environment, folder, doors, wanted))
            return status
        finally:
            doors.close()
    finally:
        folder.release()


def _open(arguments: argparse.Namespace) -> Doors:
    """All sockets, or none. Raises Failed."""
    with contextlib.ExitStack() as opened:
        doors = [
            opened.enter_context(listen(getattr(arguments, name), f"--{name}"))
            for name in ("gateway", "api", "admin")
        ]
        opened.pop_all()
    return Doors(*doors)


async def _run(
    arguments: argparse.Namespace,
    environment: Mapping[str, str],
    folder: DataFolder,
    doors: Doors,
    wanted: list[tuple[Path, Obj]],
) -> int:
    asked_to_stop = _on_signals()
    laptop = Laptop(arguments, environment, folder, doors)
    running = asyncio.create_task(laptop.run(wanted))
    try:
        await _first(running, asked_to_stop.wait())
        if not running.done():
            print(
                "\nStopping: requests in flight finish, then pods end. Ctrl-C again ends all at once.",
                flush=True,
            )
            asked_to_stop.clear()
            await _first(laptop.drain(), asked_to_stop.wait(), asyncio.sleep(DRAIN_WITHIN))
            running.cancel()
            await _first(running, asked_to_stop.wait(), asyncio.sleep(STOP_WITHIN))
    finally:
        laptop.kill()
    if not running.done():
        log.warning("not everything ended in time; the next `zerogate up` on this folder clears up")
        return 1
    if not running.cancelled() and (error := running.exception()) is not None:
        raise first_cause(error)
    return 0


async def _first(*waits: Coroutine[Any, Any, object] | asyncio.Task[None]) -> None:
    """Wait for one of them; the coroutines among the others are given up, a task goes on."""
    tasks = [wait if isinstance(wait, asyncio.Task) else asyncio.create_task(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task, wait in zip(tasks, waits, strict=True):
        if task is not wait:
            task.cancel()


def _on_signals() -> asyncio.Event:
    """Set whenever the user, or the system, asks for the end."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, asked.set)
    return asked
