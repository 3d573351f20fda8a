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
from pathlib import Path

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
        self._is_stopping = False

    @property
    def admin_socket(self) -> Path:
        """Where it tells its metrics and state."""
        return Path(str(self._settings["admin_socket"]))

    async def run(self) -> None:
        """Start it, and again when it dies; ends after `stop`."""
        back_off = FIRST_BACK_OFF
        while not self._is_stopping:
            began = time.monotonic()
            self._start()
            status = await self._ended()
            if self._is_stopping:
                return
            lived = time.monotonic() - began
            back_off = FIRST_BACK_OFF if lived > _STEADY else min(back_off * 2, MAX_BACK_OFF)
            log.warning("a gateway process ended (%s); starting another", _ending(status))
            await asyncio.sleep(back_off)

    def start(self) -> None:
        """Start the first process ahead of `run`, so that it imports while others do."""
        self._start()

    def _start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
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

    async def _ended(self) -> int:
        assert self._process is not None
        watched = os.pidfd_open(self._process.pid)
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        loop.add_reader(watched, lambda: ended.done() or ended.set_result(None))
        try:
            await ended
        finally:
            loop.remove_reader(watched)
            os.close(watched)
        return self._process.wait()

    def stop(self) -> None:
        """Let it drain and end."""
        self._is_stopping = True
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it now."""
        self._is_stopping = True
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)


def _ending(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"
