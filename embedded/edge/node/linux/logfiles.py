"""The logs of containers: `<folder>/logs/<namespace>_<pod>_<uid>/<container>.log`, and `.log.1` before it.

A container writes straight into its file: no line passes through the agent, which costs nothing, and a killed
agent does not break the pipe of a pod that lives on. The price: a file that grew too large is copied and cut
(its writer keeps the descriptor, opened for appending), so that lines written in that moment can be lost.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from kube.objects import Obj, name, namespace, uid

_TAIL = 2048


def pod_folder(folder: Path, pod: Obj) -> Path:
    """Where the logs of a pod are."""
    return folder / "logs" / f"{namespace(pod)}_{name(pod)}_{uid(pod)}"


def open_log(path: Path) -> int:
    """A descriptor for a fresh log; the log of the run before is kept as `.log.1`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.replace(previous(path))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)


def previous(path: Path) -> Path:
    """The log before this one."""
    return path.with_name(f"{path.name}.1")


def rotate(path: Path, limit: int) -> bool:
    """Cut the log to nothing, keeping a copy, if it is larger than `limit` bytes."""
    try:
        if path.stat().st_size <= limit:
            return False
        shutil.copyfile(path, previous(path))
        os.truncate(path, 0)
    except FileNotFoundError:
        return False
    return True


def tail(path: Path) -> str:
    """The last 2 KiB of the log from the start of a line, as a termination message has it."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            data = file.read()
    except OSError:
        return ""
    if size > _TAIL:
        data = data[data.find(b"\n") + 1 :]
    return data.decode(errors="replace").strip()


def remove_others(folder: Path, pods: Iterable[Obj]) -> None:
    """Delete the logs of pods that went while no agent ran."""
    kept = {pod_folder(folder, pod) for pod in pods}
    for found in (folder / "logs").glob("*_*_*"):
        if found not in kept:
            remove(found)


def remove(folder: Path) -> None:
    """Delete the logs of a pod that is gone."""
    shutil.rmtree(folder, ignore_errors=True)
