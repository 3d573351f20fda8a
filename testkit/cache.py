"""The folder of programs that are built once for each text of their sources, outside the checkout."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path


def folder() -> Path:
    """Return `$XDG_CACHE_HOME/zerogate`, which is `~/.cache/zerogate` by default."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "zerogate"


def built(name: str, sources: bytes, build: Callable[[Path], None]) -> Path:
    """Return the file `name-<hash of sources>` in the cache. If it is missing, `build` writes it.

    Two processes may build at once: each writes its own file, and the rename is atomic.
    """
    path = folder() / f"{name}-{hashlib.sha256(sources).hexdigest()[:16]}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_name(f"{path.name}.{os.getpid()}")
        build(made)
        made.rename(path)
    return path
