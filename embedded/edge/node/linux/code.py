"""Whether the files of a program have changed: somebody corrects it while it waits to be started again."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

MOST = 5000
"""Files that are looked at, some 10 ms; of a larger folder the first ones."""
SKIPPED = frozenset({"node_modules", "__pycache__", "venv"})
WRITTEN_BY_PROGRAMS = (".log", ".pyc", ".pid", ".sock", ".tmp", ".db", ".sqlite", ".sqlite3", "-wal", "-shm")
"""Ends of names of files that tell nothing about the code. Hidden files and folders are skipped, too."""

LONGEST_NAME = 4096
"""Characters (PATH_MAX): longer words of a command are scripts, not names."""

Stamp = frozenset[tuple[str, int, int]]


def stamp(folder: str, argv: Iterable[str], *, is_whole: bool) -> Stamp:
    """Name, time and size of the files that the command names, and of all in the folder if `is_whole`.

    What does not exist or cannot be read is not part of it, so that its coming is a change.
    """
    named = [Path(folder, word) for word in argv if word and len(word) <= LONGEST_NAME]
    found = set()
    for path in [*named, *(_files(folder) if is_whole else ())]:
        try:
            status = path.stat()
        except (OSError, ValueError):
            continue
        if path.is_file():
            found.add((str(path), status.st_mtime_ns, status.st_size))
    return frozenset(found)


def _files(folder: str) -> Iterator[Path]:
    left = MOST
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith(".") and each not in SKIPPED)
        for each in sorted(files):
            if each.startswith(".") or each.endswith(WRITTEN_BY_PROGRAMS):
                continue
            left -= 1
            if left < 0:
                return
            yield Path(where, each)
