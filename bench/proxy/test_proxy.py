"""What bench/proxy says of the proxy: how it counts, and that README has what was measured."""

import asyncio
import copy
import json
import os
import subprocess
import sys
import threading
import time
from typing import Self

import pytest

from bench.proxy import cores, open_loop, wrk
from bench.proxy.figures import judged
from bench.proxy.names import GO, NGINX, ONE_HOST, OURS
from bench.proxy.published import JSON, README, table, written
from testkit.processes import tree
from testkit.waiting import wait_for

RESULT = json.loads(JSON.read_text())


def test_the_readme_has_the_figures_of_the_last_run() -> None:
    """`python -m bench.proxy.published` writes them."""
    readme = README.read_text()
    assert readme == written(readme, RESULT)


def test_a_bar_is_held_against_the_middle_of_the_rounds() -> None:
    figure = {"values": {OURS: [20.0, 30.0, 90.0], NGINX: [20.0, 20.0, 30.0], GO: [80.0, 50.0, 100.0]}}
    of_nginx, of_go, of_knative = judged("warm", figure)
    assert (of_nginx.value, of_nginx.is_met) == (1.5, True)
    assert (of_go.value, of_go.is_met) == (0.6, False)
    assert (of_knative.value, of_knative.is_met) == (30.0, True)


def test_a_peer_that_was_not_there_is_not_judged() -> None:
    assert [each.bar.against for each in judged("warm", {"values": {OURS: [9.0], NGINX: [9.0]}})] == [
        NGINX,
        "",
    ]


@pytest.mark.parametrize(("many", "is_met"), [(10.9, True), (11.2, False)])
def test_many_hosts_may_differ_by_no_more_than_one_host_from_itself(many: float, *, is_met: bool) -> None:
    figure = {"values": {OURS: [many] * 3, ONE_HOST: [9.5, 10.0, 10.5]}}
    assert [each.is_met for each in judged("hosts", figure)] == [is_met]


def test_a_missed_bar_is_told_in_the_table() -> None:
    changed = copy.deepcopy(RESULT)
    changed["figures"]["warm"]["values"] = {OURS: [40.0], NGINX: [20.0]}
    assert "2.00 of nginx, at most 1.5: **missed**" in table(changed)


WRK = "Running 1s test\n  {}\nRequests/sec:  22085.11\n"


def test_what_was_answered_is_counted() -> None:
    assert wrk.parse(WRK.format("22210 requests in 1.01s, 6.02MB read")) == (22210, 1.01)


@pytest.mark.parametrize(
    "told",
    [
        "22210 requests in 1.01s, 6.02MB read\n  Non-2xx or 3xx responses: 1",
        "22210 requests in 1.01s, 6.02MB read\n  Socket errors: connect 0, read 0, write 0, timeout 1",
        "0 requests in 1.01s, 0.00B read",
        "unable to connect",
    ],
)
def test_one_failed_request_makes_the_run_an_error(told: str) -> None:
    with pytest.raises(ValueError, match=told.splitlines()[-1]):
        wrk.parse(WRK.format(told))


def test_an_answer_other_than_200_makes_the_run_an_error() -> None:
    assert not open_loop.is_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab")
    assert open_loop.is_whole(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc")
    with pytest.raises(ValueError, match="503"):
        open_loop.is_whole(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nabc")


class Pausing:
    """A server that stops for a while, whoever asks, at its hundredth request."""

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._seen = 0
        self.port = 0
        self._listens = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),))
        self._thread.start()
        assert self._listens.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(30)

    async def _serve(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listens.set()
        await self._ended.wait()
        server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            self._seen += 1
            if self._seen == 100:
                time.sleep(self._pause)  # noqa: ASYNC251 - nobody is served meanwhile
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()


def test_a_pause_is_in_the_latency_of_each_request_that_was_due_in_it() -> None:
    """More fall due in it than there are connections to send them on."""
    rate, pause = 400, 0.5
    with Pausing(pause) as server:
        timed = open_loop.run(server.port, "h", rate=rate, seconds=1, cores=os.sched_getaffinity(0))
    assert len(timed.latencies) == rate
    slow = sum(latency > 0.1 for latency in timed.latencies)
    assert slow >= (pause - 0.1) * rate - 1 > open_loop.CONNECTIONS


BURNS = """
import sys, time
while time.process_time() < 0.3: pass
print(time.process_time(), flush=True)
sys.stdin.read()
"""


def test_processor_time_is_that_of_the_whole_tree_on_the_core_it_was_given() -> None:
    allowed = os.sched_getaffinity(0)
    core = max(allowed)
    command = ["sh", "-c", '"$0" -c "$1"; true', sys.executable, BURNS]
    with (
        cores.inherited({core}),
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell,
    ):
        assert shell.stdin is not None
        assert shell.stdout is not None
        burnt = float(shell.stdout.readline())
        processes = [*tree(shell.pid)]
        assert len(processes) == 2
        assert {frozenset(os.sched_getaffinity(each)) for each in processes} == {frozenset((core,))}
        # Two numbers, each rounded down; what the kernel has not added up yet comes once the process rests.
        wait_for("its time", lambda: cores.used(processes) > burnt - 2 * cores.TICK)
        shell.stdin.close()
    assert os.sched_getaffinity(0) == allowed
