"""Builds the Go server of this folder into the cache: `python -m testkit.proxy.servers.build`."""

import os
import subprocess
from pathlib import Path

from testkit.cache import built
from testkit.paths import ROOT

HERE = Path(__file__).parent


def go_server() -> Path:
    """Return the program `counting.go`, built if it is not in the cache. Raises CalledProcessError."""
    return built("counting", (HERE / "counting.go").read_bytes(), _build)


def _build(program: Path) -> None:
    go = subprocess.run(
        [ROOT / "tools" / "go.sh"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    build = [go, "build", "-trimpath", "-o", str(program), "."]
    subprocess.run(build, cwd=HERE, check=True, env={**os.environ, "CGO_ENABLED": "0"})


if __name__ == "__main__":
    print(go_server())
