"""What Linux tells about processes: /proc and nothing else."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from embedded.node.listening import Listener, parse_listeners
from embedded.node.ports import parse_port_range

_PROC = Path("/proc")
_START_TIME = 19
"""Place of a process' start time (clock ticks since boot) among the stat fields after its name."""


def _stat(pid: int) -> list[str]:
    """The fields after the process' name: state, parent, group, session, …; empty when it is gone."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return []
    # The name stands in parentheses and may contain anything, parentheses too.
    return text[text.rindex(")") + 2 :].split()


def start_time(pid: int) -> int:
    """When the process started, in ticks since boot: with its id, its identity. 0 when it is gone."""
    fields = _stat(pid)
    return int(fields[_START_TIME]) if fields else 0


def is_alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    fields = _stat(pid)
    return bool(fields) and fields[0] not in {"Z", "X"}


def all_pids() -> Iterator[int]:
    """Every process that can be seen."""
    return (int(name) for name in os.listdir(_PROC) if name.isdecimal())  # noqa: PTH208 - names, no paths


def process_tree(root: int) -> list[int]:
    """The process, its session and all their descendants; for counting and for finding sockets."""
    stats = {pid: fields for pid in all_pids() if (fields := _stat(pid))}
    found = {pid for pid, fields in stats.items() if pid == root or int(fields[3]) == root}
    while True:
        more = {pid for pid, fields in stats.items() if int(fields[1]) in found} - found
        if not more:
            return sorted(found)
        found |= more


def resident_bytes(pids: Iterable[int]) -> int:
    """Memory that the processes hold, pages they share counted for each."""
    page = os.sysconf("SC_PAGE_SIZE")
    total = 0
    for pid in pids:
        try:
            total += int((_PROC / str(pid) / "statm").read_text().split()[1]) * page
        except OSError:
            continue
    return total


def socket_inodes(pids: Iterable[int]) -> frozenset[int]:
    """The inodes of the sockets that the processes have open."""
    found = set()
    for pid in pids:
        folder = _PROC / str(pid) / "fd"
        try:
            names = os.listdir(folder)  # noqa: PTH208 - names, no paths
        except OSError:
            continue
        for name in names:
            try:
                target = os.readlink(folder / name)  # noqa: PTH115 - socket:[1] is text, no path
            except OSError:
                continue
            if target.startswith("socket:["):
                found.add(int(target[8:-1]))
    return frozenset(found)


def tree_sockets(root: int) -> frozenset[int]:
    """The inodes of the sockets that a process and its descendants have open."""
    return socket_inodes(process_tree(root))


def listeners() -> list[Listener]:
    """All listening TCP sockets of this network namespace."""
    found = []
    for table in ("tcp", "tcp6"):
        try:
            found += parse_listeners((_PROC / "net" / table).read_text())
        except OSError:
            continue
    return found


def marked(variable: str) -> Iterator[tuple[int, str]]:
    """Every process whose environment at start had the variable, with its value."""
    wanted = f"{variable}=".encode()
    for pid in all_pids():
        try:
            environment = (_PROC / str(pid) / "environ").read_bytes()
        except OSError:
            continue
        for pair in environment.split(b"\0"):
            if pair.startswith(wanted):
                yield pid, pair[len(wanted) :].decode(errors="replace")
                break


def ephemeral_ports() -> tuple[int, int]:
    """First and last port of the range for outgoing connections, or Linux' default."""
    try:
        return parse_port_range((_PROC / "sys/net/ipv4/ip_local_port_range").read_text())
    except OSError:
        return 32768, 60999
