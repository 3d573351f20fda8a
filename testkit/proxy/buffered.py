"""What many held requests cost, and what becomes of them; for `test_held` and `bench.held`."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from testkit.paths import ROOT
from testkit.proxy.crowd import Crowd
from testkit.proxy.gateway import Gateway

GROUP = 100
"""Requests that come at once; the next ones come when these wait."""


@contextmanager
def quick_pod() -> Iterator[tuple[int, Callable[[], list[int]]]]:
    """Gives its port, and a function that ends it and returns the order of what it got."""
    command = [sys.executable, "-m", "testkit.proxy.quick_pod"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout

        def order() -> list[int]:
            stdin.close()
            numbers: list[int] = json.loads(stdout.readline())
            return numbers

        yield int(stdout.readline()), order
        if not stdin.closed:
            order()


def gather(crowd: Crowd, gateway: Gateway, count: int) -> None:
    """So many come, in groups."""
    for first in range(0, count, GROUP):
        numbers = range(first, min(first + GROUP, count))
        crowd.come(numbers)
        gateway.settled(lambda state, last=numbers[-1]: state["waiting"] == last + 1)


def held_and_released(count: int, wait: float, leavers: int) -> dict[str, Any]:
    """`count` requests wait for `wait` seconds, of which `leavers` are given up; then a pod comes.

    `bytes_each`: of memory · `left_within`: seconds until those given up had left · `answers`: how many of
    each status · `released_within`: seconds from the pod's readiness to the last answer · `displaced`: by how
    many places the pod got a group's request before one of an earlier group at most.
    """
    with quick_pod() as (port, order), Gateway() as gateway, Crowd(gateway.address) as crowd:
        before = gateway.state()["rss"]
        began = time.monotonic()
        gather(crowd, gateway, count)
        held = gateway.state()
        left = crowd.leave(range(0, count, max(count // leavers, 1)))
        staying = count - len(range(0, count, max(count // leavers, 1)))
        gateway.settled(lambda state: state["waiting"] == staying)
        left_within = time.monotonic() - left
        crowd.wait(max(began + wait - time.monotonic(), 0.0))
        ready = time.monotonic()
        gateway.ready(port)
        crowd.wait(60)
        statuses = [*crowd.answers.values()]
        gateway.settled(lambda state: state["in_flight"] == 0)
        return {
            "held": count,
            "bytes_each": round((held["rss"] - before) / count),
            "left": count - staying,
            "left_within": round(left_within, 3),
            "answers": {str(status): statuses.count(status) for status in sorted({*statuses})},
            "released_within": round(crowd.last - ready, 3),
            "displaced": displaced(order()),
        }


def displaced(order: list[int]) -> int:
    """By how many places a request came before one of an earlier group at most."""
    groups = [number // GROUP for number in order]
    latest = {group: place for place, group in enumerate(groups)}
    first = {group: place for place, group in reversed([*enumerate(groups)])}
    return max((latest[group] - first[group + 1] for group in first if group + 1 in first), default=0)


def expired(count: int, patience: float) -> dict[str, Any]:
    """`count` requests wait for a pod that never comes. `late`: by how many seconds the latest 504 was."""
    with Gateway(progress_deadline=patience) as gateway, Crowd(gateway.address) as crowd:
        crowd.come(range(count))
        crowd.wait(patience + 30)
        statuses = [*crowd.answers.values()]
        state = gateway.settled(lambda state: state["in_flight"] == 0)
        return {
            "held": count,
            "patience": patience,
            "answers": {str(status): statuses.count(status) for status in sorted({*statuses})},
            "late": round(state["late"], 4),
        }
