"""Process trees, from /proc (proc(5))."""

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
