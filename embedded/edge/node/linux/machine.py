"""The computer under the node: what it has, and which of its ports are free."""

import os
import platform
import random
import socket
import time
from pathlib import Path

from embedded.edge.node.linux import proc
from embedded.node.capacity import Capacity
from embedded.node.nodes import Machine
from embedded.node.ports import PortPool, pod_port_range

_MAX_PODS = 110
"""As the kubelet allows by default."""


def read_machine() -> Machine:
    """The facts a Node tells."""
    try:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot_id = ""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0))
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return Machine(
        hostname=platform.node(),
        kernel=platform.release(),
        system=platform.system(),
        architecture=architecture,
        boot_id=boot_id,
        capacity=Capacity(cores, memory, _MAX_PODS),
    )


class Ports:
    """Gives pods ports that nobody listens on right now."""

    def __init__(self) -> None:
        first, last = pod_port_range(proc.ephemeral_ports())
        self._pool = PortPool(first, last, random.randint(first, last))

    def allocate(self, preferred: int = 0) -> int:
        """A free port, `preferred` if that is free. Raises OSError when there is none."""
        for port in self._pool.candidates(time.monotonic(), preferred):
            if _is_free(port):
                self._pool.take(port)
                return port
        raise OSError("no free port is left for pods")

    def release(self, port: int) -> None:
        """The pod is gone; its port rests for minutes."""
        self._pool.release(port, time.monotonic())


def _is_free(port: int) -> bool:
    """Whether a server could bind it: the wildcard address clashes with a listener on any address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        try:
            sock.bind(("", port))
        except OSError:
            return False
    return True
