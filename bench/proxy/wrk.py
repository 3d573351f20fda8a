"""Closed loop: wrk keeps so many connections busy and counts what they got answered."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from bench.proxy.cores import inherited

HEADS = Path(__file__).parent / "heads"


class Load(NamedTuple):
    """What is sent. `script` is a file of `heads/` with its `arguments`; `headers` go with each request."""

    connections: int = 50
    path: str = "/"
    headers: tuple[str, ...] = ()
    script: str = ""
    arguments: tuple[str, ...] = ()


class Answered(NamedTuple):
    """Requests that were answered with 2xx within so many seconds."""

    requests: int
    seconds: float


def command(load: Load, port: int, seconds: float) -> list[str]:
    """How wrk is started."""
    line = ["wrk", "-t1", f"-c{load.connections}", f"-d{max(1, round(seconds))}s"]
    for header in load.headers:
        line += ["-H", header]
    if load.script:
        line += ["-s", str(HEADS / load.script)]
    line.append(f"http://127.0.0.1:{port}{load.path}")
    return [*line, *(["--", *load.arguments] if load.arguments else [])]


def run(load: Load, port: int, seconds: float, cores: Iterable[int]) -> Answered:
    """One run. Raises ValueError with wrk's words when any request failed."""
    with inherited(cores):
        told = subprocess.run(
            command(load, port, seconds), capture_output=True, text=True, check=False, timeout=seconds + 60
        )
    if told.returncode:
        raise ValueError(told.stdout + told.stderr)
    return parse(told.stdout)


def parse(printed: str) -> Answered:
    """What wrk counted. Raises ValueError: a request failed, or nothing was answered."""
    found = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)\b", printed)
    if found is None or "Non-2xx" in printed or "Socket errors" in printed or int(found[1]) == 0:
        raise ValueError(printed.strip())
    unit = {"ms": 0.001, "s": 1.0, "m": 60.0}[found[3]]
    return Answered(int(found[1]), float(found[2]) * unit)
