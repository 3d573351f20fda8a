"""No orphans: what this agent started can be found again, also by its successor after a kill -9.

Two marks, as each alone can fail: a file with the leader's id and start time (a leader may overwrite its
environment), and a variable in the environment of every descendant (a file may be missing, a descendant may
have left its group). The mark names the data folder's own random id, so agents of other folders are safe.
"""

import contextlib
import json
import os
import secrets
import signal
import time
from collections.abc import Callable, Collection
from pathlib import Path

from embedded.edge.node.linux import proc

VARIABLE = "ZEROGATE_PROCESS"
_WAIT = 2.0


class Records:
    """The marks of one data folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "run"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._identity = self._load_identity()

    def _load_identity(self) -> str:
        path = self._folder / "agent-id"
        if not path.exists() or not path.read_text().strip():
            path.write_text(secrets.token_hex(8))
        return path.read_text().strip()

    def mark(self, pod_uid: str, container: str) -> str:
        """The value of VARIABLE for a container's processes."""
        return f"{self._identity}/{pod_uid}/{container}"

    def note(self, pod_uid: str, container: str, pid: int) -> None:
        """Record a leader that was just started."""
        record = {"pid": pid, "start": proc.start_time(pid), "pod": pod_uid, "container": container}
        self._path(pod_uid, container).write_text(json.dumps(record))

    def forget(self, pod_uid: str, container: str) -> None:
        """The leader ended."""
        self._path(pod_uid, container).unlink(missing_ok=True)

    def _path(self, pod_uid: str, container: str) -> Path:
        return self._folder / f"{pod_uid}_{container}.json"

    def end_predecessors(self) -> int:
        """Kill all that a former agent of this folder left; returns how many processes. Blocks up to 2 s."""
        found: set[int] = set()
        for path in self._folder.glob("*.json"):
            found |= _end_recorded(path)
            path.unlink(missing_ok=True)
        return len(found | self._end_marked(lambda _pod, _container: True))

    def end_container(self, pod_uid: str, container: str) -> int:
        """Kill what an ended container left behind outside its group."""
        return len(self._end_marked(lambda pod, name: pod == pod_uid and name == container))

    def end_pods(self, pod_uids: Collection[str]) -> int:
        """Kill what ended pods left behind."""
        return len(self._end_marked(lambda pod, _container: pod in pod_uids))

    def _end_marked(self, is_orphan: Callable[[str, str], bool]) -> set[int]:
        """Kill the processes that `is_orphan` (pod's UID, container) says, until none is left."""
        deadline, killed = time.monotonic() + _WAIT, set[int]()
        while True:
            left = [pid for pid, mark in proc.marked(VARIABLE) if self._is_mine(mark, is_orphan)]
            left = [pid for pid in left if pid != os.getpid() and proc.is_alive(pid)]
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            killed.update(left)
            if not left or time.monotonic() > deadline:
                return killed
            time.sleep(0.01)

    def _is_mine(self, mark: str, is_orphan: Callable[[str, str], bool]) -> bool:
        identity, _, rest = mark.partition("/")
        pod, _, container = rest.partition("/")
        return identity == self._identity and is_orphan(pod, container)


def _end_recorded(path: Path) -> set[int]:
    try:
        record = json.loads(path.read_text())
        pid, start = int(record["pid"]), int(record["start"])
    except (OSError, ValueError, KeyError, TypeError):
        return set()  # cut off by the crash it was written for: the mark finds its process
    if start == 0 or proc.start_time(pid) != start:
        return set()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    return {pid}
