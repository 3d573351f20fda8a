"""One process: started in a session of its own, its end noticed at once, its group ended with it.

`subprocess.Popen` without a pre-exec function uses vfork: about a millisecond whatever the agent's size. The
end is seen through a pidfd, so no SIGCHLD handler gets into another library's way.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

from kube.edge.clock import unix_now

SIGNAL_BASE = 128
"""A process that a signal ended has this plus the signal's number as its exit code, as shells have it."""


class Process:
    """A running or ended process; `exited` becomes its exit code."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen
        self.pid = popen.pid
        self.started_at = unix_now()
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[int] = self._loop.create_future()
        self._pidfd = os.pidfd_open(popen.pid)
        self._loop.add_reader(self._pidfd, self._on_exit)

    def _on_exit(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        # Not reaped yet, so the group's id can't belong to anybody else: what is left of it goes too.
        self._signal(signal.SIGKILL)
        code = self._popen.wait()
        self.exited.set_result(code if code >= 0 else SIGNAL_BASE - code)

    @property
    def is_running(self) -> bool:
        """Whether its end has not been seen yet."""
        return not self.exited.done()

    def terminate(self) -> None:
        """Ask the whole group to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the whole group."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.is_running:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    async def wait(self) -> int:
        """The exit code; a waiter that is cancelled leaves the process as it is."""
        return await asyncio.shield(self.exited)

    def __repr__(self) -> str:
        return f"<Process {self.pid} {'running' if self.is_running else self.exited.result()}>"


def spawn(argv: Sequence[str], env: Mapping[str, str], folder: str, output: int) -> Process:
    """Start a process with `output` (a descriptor, left open) as its stdout and stderr.

    Raises OSError when the folder or the command can't be used; `filename` tells which.
    """
    popen = subprocess.Popen(
        list(argv),
        env=dict(env),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    return Process(popen)


def why_not_started(error: OSError, argv: Sequence[str], folder: str) -> str:
    """The failure of `spawn` as a sentence that says what to look at."""
    if str(error.filename) == folder:
        return f"workingDir {folder} can't be entered: {error.strerror}"
    where = f"in {folder}" if "/" in argv[0] else "in PATH"
    return f"exec: {argv[0]!r} can't be started ({where}): {error.strerror}"
