"""Machine, versions and commit that a measured figure belongs to."""

import os
import platform
import subprocess
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from testkit.paths import ROOT


def described() -> dict[str, Any]:
    """Machine, versions, commit."""
    with Path("/proc/cpuinfo").open() as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": _printed("git", "-C", str(ROOT), "rev-parse", "HEAD"),
        "changed_files": len(_printed("git", "-C", str(ROOT), "status", "--porcelain", "-uno").splitlines()),
        "cpu": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in ("uvloop", "aiohttp")},
    }


def _printed(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
