"""Reading the logs of containers, and following them while they grow.

The files are what the programs wrote, byte for byte, without times. A line's time is therefore known only
while it is followed; a line that stands already counts as written when its file was last written to, which is
never too early. So `--since` leaves out whole files, and never a line that is wanted.
"""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from embedded.podlogs import LogFile
from kube.objects import format_micro_time

_BLOCK = 64 * 1024
_PAUSE = 0.1  # seconds between two looks at a log that is followed


def log_path(folder: Path, log: LogFile) -> Path:
    """Where the node keeps the log; the one of the run before stands beside it."""
    path = folder / f"{log.namespace}_{log.pod}_{log.uid}" / f"{log.container}.log"
    return path.with_name(f"{path.name}.1") if log.previous else path


async def read(folder: Path, log: LogFile, is_over: Callable[[], bool]) -> AsyncGenerator[bytes, None]:
    """The bytes asked for. A followed log ends when `is_over` says so or the next run begins."""
    path = log_path(folder, log)
    try:
        file = path.open("rb")
    except OSError:
        return  # nothing was written yet, or the pod's folder is gone
    left = log.limit_bytes
    with file:
        async for block in _blocks(path, file, log, is_over):
            if left is None:
                yield block
                continue
            yield block[:left]
            left -= len(block)
            if left <= 0:
                return


async def _blocks(
    path: Path, file: BinaryIO, log: LogFile, is_over: Callable[[], bool]
) -> AsyncGenerator[bytes, None]:
    stamps = _Stamps(log)
    written = os.fstat(file.fileno()).st_mtime
    if log.since is not None and written < log.since:
        file.seek(0, os.SEEK_END)
    elif log.tail_lines is not None:
        file.seek(_start_of_tail(file, log.tail_lines))
    for block in _whole(file):
        yield stamps.put(block, written)
    while log.follow:
        over = is_over() or not _is_same(path, file)  # asked before the last look, so that no line is missed
        for block in _whole(file):
            yield stamps.put(block, time.time())
        if over:
            return
        await asyncio.sleep(_PAUSE)


def _whole(file: BinaryIO) -> Iterator[bytes]:
    """What stands from here to the end; from the start again when the log was cut meanwhile."""
    if os.fstat(file.fileno()).st_size < file.tell():
        file.seek(0)
    while block := file.read(_BLOCK):
        yield block


def _is_same(path: Path, file: BinaryIO) -> bool:
    """Whether the path still leads to the open file, not to the log of the next run."""
    try:
        return path.stat().st_ino == os.fstat(file.fileno()).st_ino
    except OSError:
        return False


def _start_of_tail(file: BinaryIO, lines: int) -> int:
    """Where the last so many lines begin, found from the end."""
    end = position = file.seek(0, os.SEEK_END)
    if lines == 0:
        return end
    wanted = lines
    while position > 0:
        size = min(_BLOCK, position)
        position -= size
        file.seek(position)
        block = file.read(size)
        search = size - 1 if position + size == end and block.endswith(b"\n") else size
        while (found := block.rfind(b"\n", 0, search)) >= 0:
            wanted -= 1
            if wanted == 0:
                return position + found + 1
            search = found
    return 0


class _Stamps:
    """Puts a time before each line, where times are wanted."""

    def __init__(self, log: LogFile) -> None:
        self._is_wanted = log.timestamps
        self._is_at_start = True

    def put(self, block: bytes, written: float) -> bytes:
        """The block with the times of the lines that begin in it."""
        if not self._is_wanted:
            return block
        stamp = f"{format_micro_time(written)} ".encode()
        head = stamp if self._is_at_start else b""
        self._is_at_start = block.endswith(b"\n")
        body = block[:-1] if self._is_at_start else block
        tail = b"\n" if self._is_at_start else b""
        return head + body.replace(b"\n", b"\n" + stamp) + tail
