"""Ports of this machine's loopback address, each given to one caller only."""

import fcntl
import os
import socket
import tempfile
from pathlib import Path

FIRST, LAST = 11_000, 19_900
"""Below the ephemeral range (net.ipv4.ip_local_port_range begins at 32768), so that no outgoing connection
takes one, and below the range from which the node agent gives ports to pods (embedded.node.ports).
"""
_FOLDER = Path(tempfile.gettempdir()) / "zerogate-test-ports"
_locks: dict[int, int] = {}
"""Descriptors with the locks of this process, which the kernel releases when the process ends."""


def free_port(address: str = "127.0.0.1") -> int:
    """Return a port on which nothing listens, and which no other test process is given until this one ends.

    Test processes run side by side: a port that was only probed could be taken between the probe and its use.
    Raises RuntimeError if all ports are taken.
    """
    _FOLDER.mkdir(mode=0o1777, exist_ok=True)
    span = LAST - FIRST
    for offset in range(span):
        port = FIRST + (os.getpid() * 97 + offset) % span
        if port not in _locks and _is_unused(address, port) and _lock(port):
            return port
    raise RuntimeError(f"all ports from {FIRST} to {LAST} are taken")


def _is_unused(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def _lock(port: int) -> bool:
    file = os.open(_FOLDER / str(port), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return False
    _locks[port] = file
    return True
