"""Process trees, from /proc (proc(5)), and their end."""

import ctypes
import signal
from collections.abc import Iterator
from pathlib import Path


def children(process: int) -> list[int]:
    """Direct ones, whichever thread forked them."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    return [int(each) for task in tasks for each in (task / "children").read_text().split()]


def tree(process: int) -> Iterator[int]:
    """The process and all its descendants."""
    yield process
    for child in children(process):
        yield from tree(child)


def end_with_parent() -> None:
    """Have the kernel send SIGTERM to this process if its parent ends: a `preexec_fn` of programs under test.

    So none of them outlives a run that was killed. If our programs get SIGTERM, they end their own children.
    """
    _on_end_of_parent(signal.SIGTERM)


def kill_with_parent() -> None:
    """The same with SIGKILL, for programs of others that have no children."""
    _on_end_of_parent(signal.SIGKILL)


def _on_end_of_parent(number: int) -> None:
    ctypes.CDLL(None).prctl(1, number)  # PR_SET_PDEATHSIG (prctl(2))
