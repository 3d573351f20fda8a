"""Several gateway processes on one socket: replaced, killed, begun anew under load.

Half of the clients keep their connections, half open one for each request; nobody asks twice.
`WORKERS_REQUESTS` says how many requests each case is to have at least (2,000, or 100,000 in `make soak`),
`WORKERS_RESULTS` names a JSON file for what became of them.
"""

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testkit.load import Load
from testkit.machines.laptop import host, service
from testkit.machines.workers import NAME, Crewed
from testkit.provenance import described
from testkit.waiting import wait_for

REQUESTS = int(os.environ.get("WORKERS_REQUESTS", "2000"))
RESULTS = os.environ.get("WORKERS_RESULTS", "")
CLIENTS = 20


def answered(load: Load, count: int) -> None:
    """Wait until so many requests were answered, from now on."""
    wanted = load.outcome.good + count
    wait_for(f"{count} answers", lambda: load.outcome.good >= wanted or load.outcome.failures, 600, 0.02)


@pytest.fixture
def crewed(tmp_path: Path) -> Iterator[Crewed]:
    made = Crewed(tmp_path)
    try:
        made.begin(2, service(NAME, annotations={"autoscaling.knative.dev/min-scale": "1"}))
        yield made
    finally:
        made.kill()


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, Any]]:
    found: dict[str, Any] = {}
    yield found
    if RESULTS:
        Path(RESULTS).write_text(
            json.dumps({"machine": described(), "clients": CLIENTS, **found}, indent=1) + "\n"
        )


def noted(load: Load, failures: list[Any]) -> dict[str, Any]:
    """What is written down of a case."""
    return {
        "answered": load.outcome.good,
        "failed": len(failures),
        "slowest_seconds": round(load.outcome.slowest, 3),
    }


def test_several_workers_serve_on_one_socket(crewed: Crewed) -> None:
    """Each is on the pages of `up` under its name, is linked, and answers its part."""
    assert crewed.workers() == ["gateway-1", "gateway-2"]
    with Load(crewed.door, host(NAME), CLIENTS) as load:
        wait_for(
            "connections of each",
            lambda: all(crewed.connections_of(each) for each in crewed.processes().values()),
        )
    assert load.outcome.failures == []
    with urllib.request.urlopen(f"http://127.0.0.1:{crewed.admin}/metrics", timeout=10) as answer:
        page = answer.read().decode()
    for name in crewed.workers():
        assert f'zerogate_activator_link_up{{worker="{name}"}} 1.0' in page


def test_workers_that_are_replaced_one_by_one_lose_nothing(crewed: Crewed, results: dict[str, Any]) -> None:
    """SIGUSR1: a new one serves before an old one drains."""
    was = crewed.workers()
    with Load(crewed.door, host(NAME), CLIENTS) as load:
        while load.outcome.good < REQUESTS and not load.outcome.failures:
            answered(load, REQUESTS // 10)
            crewed.started.send_signal(signal.SIGUSR1)
            wait_for("new workers", lambda was=was: not {*was} & {*crewed.workers()} and crewed.workers(), 60)
            wait_for("the old ones to end", lambda: len(crewed.processes()) == 2, 60)
            was = crewed.workers()
    assert load.outcome.failures == []
    assert len(was) == 2
    results["rolling replacement"] = noted(load, load.outcome.failures)


def test_a_killed_worker_loses_no_more_than_it_had_in_flight(crewed: Crewed, results: dict[str, Any]) -> None:
    """The other one goes on, and a new one takes its place."""
    with Load(crewed.door, host(NAME), CLIENTS) as load:
        answered(load, REQUESTS // 2)
        _, killed = min(crewed.processes().items())
        os.kill(killed, signal.SIGSTOP)
        in_flight = crewed.connections_of(killed)
        os.kill(killed, signal.SIGKILL)
        wait_for("a new one", lambda: crewed.workers()[-1:] == ["gateway-3"], 30)
        wanted = max(REQUESTS, load.outcome.good + REQUESTS // 2)
        wait_for("answers", lambda: load.outcome.good >= wanted, 600, 0.02)
    assert in_flight > 0
    assert len(load.outcome.failures) <= in_flight, load.outcome.failures
    results["a worker killed"] = {**noted(load, load.outcome.failures), "in_flight_when_killed": in_flight}


def test_an_up_that_begins_anew_hands_its_socket_over_and_loses_nothing(
    crewed: Crewed, results: dict[str, Any]
) -> None:
    """SIGUSR2: the same process becomes a new `up`; who connects meanwhile waits."""
    process = crewed.started.pid
    with Load(crewed.door, host(NAME), CLIENTS) as load:
        answered(load, REQUESTS // 2)
        crewed.started.send_signal(signal.SIGUSR2)
        wait_for("the next life", lambda: crewed.output.count("export KUBECONFIG=") == 2, 60)
        wanted = max(REQUESTS, load.outcome.good + REQUESTS // 2)
        wait_for("answers", lambda: load.outcome.good >= wanted or load.outcome.failures, 600, 0.02)
    assert load.outcome.failures == []
    assert crewed.started.pid == process
    assert crewed.started.poll() is None
    assert crewed.workers() == ["gateway-1", "gateway-2"]
    assert crewed.stop() == 0
    results["up begun anew with its socket handed over"] = noted(load, load.outcome.failures)


def test_sigterm_under_load_answers_whoever_has_connected(crewed: Crewed, results: dict[str, Any]) -> None:
    """Then nobody listens any more, and connecting is refused: nothing else goes wrong."""
    with Load(crewed.door, host(NAME), CLIENTS) as load:
        answered(load, REQUESTS)
        assert crewed.stop(signal.SIGTERM, 60) == 0
        wait_for("the end to be noticed", lambda: load.outcome.failures, 10)
    failures = [each for each in load.outcome.failures if not each.startswith("ConnectionRefusedError")]
    assert failures == []
    results["SIGTERM"] = noted(load, failures)
