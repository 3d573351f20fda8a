"""Who runs on which core, and what a process tree has used, from /proc."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

TICK = 1 / os.sysconf("SC_CLK_TCK")
"""Seconds of the unit in which /proc tells processor time. The kernel makes user and system time add up to
what its scheduler measured in nanoseconds.
"""


class Plan(NamedTuple):
    """The cores of the proxy that is measured, and those of everything else."""

    proxy: frozenset[int]
    rest: frozenset[int]


def one_core() -> Plan:
    """The last core is the proxy's alone. SystemExit: there is but one."""
    every = sorted(os.sched_getaffinity(0))
    if len(every) < 2:
        raise SystemExit("two cores are needed: one for the proxy, one for its clients and pods")
    return Plan(frozenset(every[-1:]), frozenset(every[:-1]))


def several_cores() -> Plan:
    """Two cores for the proxy's processes; with fewer than four, clients and pods share them."""
    every = sorted(os.sched_getaffinity(0))
    if len(every) < 4:
        return Plan(frozenset(every), frozenset(every))
    return Plan(frozenset(every[-2:]), frozenset(every[:-2]))


@contextmanager
def inherited(cores: Iterable[int]) -> Iterator[None]:
    """What is started meanwhile runs on these cores, its children too."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def moved(process: int, cores: Iterable[int]) -> None:
    """All threads of a process that runs already go to these cores."""
    for task in Path(f"/proc/{process}/task").iterdir():
        os.sched_setaffinity(int(task.name), cores)


def used(processes: Iterable[int]) -> float:
    """Seconds of processor time, user and system, of these processes (proc(5), stat)."""
    return sum(_own(process) for process in processes)


def _own(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK


def busy(cores: Iterable[int]) -> float:
    """Seconds for which these cores were not idle, or another machine had them (all but idle and iowait)."""
    wanted = {f"cpu{core}" for core in cores}
    lines = (line.split() for line in Path("/proc/stat").read_text().splitlines())
    times = ([int(time) for time in line[1:9]] for line in lines if line[0] in wanted)
    return sum((sum(each) - each[3] - each[4]) * TICK for each in times)
