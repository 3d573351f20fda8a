"""The peers: nginx and Go's ReverseProxy, each on the proxy's core before the same pods."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.proxy.names import GO, NGINX
from bench.proxy.parts import filled, go_peer, listens, started
from testkit.ports import free_port
from testkit.processes import tree

FOLDER = Path(__file__).parent / "conf"


class Peer(NamedTuple):
    """Something that answers on a port. `processes` are those whose processor time is its own; `control` are
    those among them that forward nothing.
    """

    name: str
    port: int
    processes: tuple[int, ...]
    control: tuple[int, ...] = ()


@contextmanager
def others(
    folder: Path, pods: Sequence[str], cores: frozenset[int], *, with_go: bool
) -> Iterator[list[Peer]]:
    """nginx, and Go's where it can be built; `pods` are two addresses."""
    running: list[subprocess.Popen[bytes]] = []

    def start(name: str, command: list[str | Path], port: int) -> Peer:
        log = folder / f"{name}.log"
        process = started(command, cores, log)
        running.append(process)
        listens(process, port, log)
        return Peer(name, port, tuple(tree(process.pid)))

    try:
        port = free_port()
        config = folder / "nginx-peer.conf"
        first, second = pods
        config.write_text(
            filled(FOLDER / "nginx.conf", {"folder": folder, "port": port, "first": first, "second": second})
        )
        found = [start(NGINX, ["nginx", "-p", folder, "-c", config], port)]
        if with_go and (program := go_peer()) is not None:
            port = free_port()
            found.append(start(GO, [program, str(port), *pods], port))
        yield found
    finally:
        for process in running:
            process.terminate()
            process.wait(10)
