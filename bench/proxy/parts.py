"""Programs that are needed, their versions, and how they are started and ended."""

import shutil
import socket
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.proxy.cores import inherited
from testkit.paths import ROOT
from testkit.waiting import wait_for

NEEDED = {
    "nginx": "apt-get install --no-install-recommends nginx-light",
    "wrk": "apt-get install wrk",
    "kubectl": "make tools",
}
"""Programs, and how to get each."""
BUILT = ROOT / ".cache" / "bin" / "reverseproxy"


def demand(*programs: str) -> None:
    """SystemExit naming each program that is missing, and what installs it."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        raise SystemExit("\n".join(f"{name} is missing: {NEEDED[name]}" for name in missing))


def go_peer() -> Path | None:
    """The peer in Go, built if its source is newer; None (and a line that says so) where there is no Go."""
    source = ROOT / "bench" / "proxy" / "conf" / "reverseproxy.go"
    if not BUILT.exists() or BUILT.stat().st_mtime < source.stat().st_mtime:
        found = subprocess.run([ROOT / "tools" / "go.sh"], capture_output=True, text=True, check=False)
        if found.returncode:
            print(f"without Go's ReverseProxy: {found.stderr.strip()}", flush=True)
            return None
        BUILT.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([found.stdout.strip(), "build", "-o", BUILT, source], check=True)
    return BUILT


def versions(go: Path | None) -> dict[str, str]:
    """Of the peers and the client, as they tell them."""
    found = {
        "nginx": _first_line("nginx", "-v").rpartition("/")[2],
        "wrk": _first_line("wrk", "-v").removeprefix("wrk ").partition(" Copyright")[0],
    }
    if go is not None:
        # A Go program carries the version of its compiler.
        stamp = next(part for part in go.read_bytes().split(b"\0") if b"go1." in part and len(part) < 4096)
        found["Go"] = stamp[stamp.index(b"go1.") :].split()[0].decode(errors="replace")
    return found


def _first_line(*command: str) -> str:
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    return (told.stdout + told.stderr).splitlines()[0].strip()


def filled(template: Path, values: Mapping[str, object]) -> str:
    """A template of `conf/` with its @names@ replaced."""
    text = template.read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text


def started(command: list[str | Path], cores: Iterable[int], log: Path) -> "subprocess.Popen[bytes]":
    """On these cores; what it prints is kept."""
    with inherited(cores), log.open("wb") as output:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def listens(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    """Wait until it takes connections. SystemExit with what it printed when it ended instead."""

    def is_open() -> bool:
        if process.poll() is not None:
            raise SystemExit(f"{process.args!r} ended:\n{log.read_text()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_for(f"port {port}", is_open)
