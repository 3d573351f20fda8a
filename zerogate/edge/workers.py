"""The gateway's processes: started on one listening socket that the parent opens and keeps.

A worker that dies is replaced; its replacement inherits the socket, so that connections in the kernel's
queue wait for it instead of being reset.
"""

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping

log = logging.getLogger("zerogate.up")

FIRST_BACK_OFF = 0.2
MAX_BACK_OFF = 5.0
_STEADY = 10.0
"""A worker that lived so long is replaced at once when it dies."""


class Worker:
    """One activator process, kept alive until `stop`."""

    def __init__(
        self, listener: socket.socket, settings: Mapping[str, object], environment: Mapping[str, str]
    ) -> None:
        self._listener = listener
        self._settings = dict(settings)
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Start it, and again when it dies; ends after `stop`."""
        back_off = FIRST_BACK_OFF
        while not self._stopping.is_set():
            began = time.monotonic()
            status = await _ended(self._start())
            if self._stopping.is_set():
                return
            lived = time.monotonic() - began
            back_off = FIRST_BACK_OFF if lived > _STEADY else min(back_off * 2, MAX_BACK_OFF)
            log.warning("a gateway process ended (%s); starting another", _ending(status))
            await asyncio.sleep(back_off)

    def _start(self) -> "subprocess.Popen[bytes]":
        number = self._listener.fileno()
        told = json.dumps({**self._settings, "listener": number, "parent": os.getpid()})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "zerogate.edge.worker", told],
            pass_fds=[number],
            stdin=subprocess.DEVNULL,
            env=self._environment,
            # Ctrl-C is the parent's to hear: it says when the workers end.
            start_new_session=True,
        )
        return self._process

    def stop(self) -> None:
        """Let it drain and end."""
        self._stopping.set()
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it now."""
        self._stopping.set()
        self._signal(signal.SIGKILL)

    async def ended(self) -> None:
        """Return when the process is gone."""
        if self._process is not None and self._process.poll() is None:
            await _ended(self._process)

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)


async def _ended(process: "subprocess.Popen[bytes]") -> int:
    """The exit status, once there is one."""
    watched = os.pidfd_open(process.pid)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(watched, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(watched)
        os.close(watched)
    return process.wait()


def _ending(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"
