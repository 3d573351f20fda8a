"""A hard limit over several gateway processes: the pods count, and none of them ever has more.

Half of the clients keep their connections; nobody asks twice.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit.load import Load
from testkit.machines.laptop import host, service
from testkit.machines.workers import NAME, Crewed
from testkit.paths import ROOT
from testkit.waiting import wait_for

CLIENTS = 20
REVISION = f"default/{NAME}-00001"
APP = ROOT / "testkit" / "machines" / "limited_app.py"


class Limited(Crewed):
    """Three workers, two pods, and what is known of the limit's owner."""

    def begin_limited(self, limit: int, work: str = "0.02") -> None:
        container = {
            "image": "local",
            "command": [sys.executable, str(APP)],
            "env": [{"name": "WORK", "value": work}],
        }
        scale = {"autoscaling.knative.dev/min-scale": "2", "autoscaling.knative.dev/max-scale": "2"}
        limits = {"containerConcurrency": limit}
        self.begin(3, service(NAME, annotations=scale, container=container, spec=limits))
        self.wait_pods(f"{NAME}-00001", 2)

    def owner(self) -> str | None:
        """The owner's name, once its slots are granted and all others know it; "" before."""
        told = self.state()
        owner = told["autoscaler"]["owners"].get(REVISION, {})
        standings = {
            name: each["owners"].get(REVISION, {}).get("standing")
            for name, each in told["activators"].items()
        }
        wanted = {name: "own" if name == owner.get("owner") else "forward" for name in told["activators"]}
        return owner["owner"] if len(wanted) == 3 and standings == wanted else ""

    def load(self) -> Load:
        return Load(self.door, host(NAME), CLIENTS)

    def most(self) -> int:
        """The most requests that any pod ever had at once."""
        return max(int(self.curl(host(NAME))) for _ in range(10))


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Limited]:
    made = Limited(tmp_path)
    try:
        yield made
    finally:
        made.kill()


def answered(load: Load, count: int) -> None:
    """Wait until so many requests were answered, from now on."""
    wanted = load.outcome.good + count
    wait_for(f"{count} answers", lambda: load.outcome.good >= wanted, 60, 0.02)


@pytest.mark.parametrize("limit", [1, 3])
def test_no_pod_sees_more_than_its_limit_whichever_worker_a_request_came_to(
    limited: Limited, limit: int
) -> None:
    """One worker owns the limit, the others send their requests to it; all of them are answered."""
    limited.begin_limited(limit)
    wait_for("an owner", limited.owner)
    with limited.load() as load:
        answered(load, 600)
    assert load.outcome.failures == []
    assert limited.most() == limit


def test_the_limit_holds_while_workers_are_replaced(limited: Limited) -> None:
    """A new owner takes a slot when the old one has said that it is empty. Nothing is lost."""
    limited.begin_limited(2, work="0.1")
    first = wait_for("an owner", limited.owner)
    with limited.load() as load:
        answered(load, 40)
        limited.started.send_signal(signal.SIGUSR1)
        wait_for("another owner", lambda: limited.owner() not in {"", first}, 60)
        wait_for("the old ones to end", lambda: len(limited.processes()) == 3, 60)
        answered(load, 40)
    assert load.outcome.failures == []
    assert limited.most() == 2


@pytest.mark.parametrize("who", ["the owner", "another"])
def test_the_limit_holds_when_a_worker_is_killed(limited: Limited, who: str) -> None:
    """What is lost was in flight there; the limit has an owner again."""
    limited.begin_limited(2)
    first = wait_for("an owner", limited.owner)
    with limited.load() as load:
        answered(load, 200)
        processes = limited.processes()
        killed = first if who == "the owner" else min(processes.keys() - {first})
        os.kill(processes[killed], signal.SIGKILL)
        wait_for("an owner again", lambda: limited.owner() not in {"", killed}, 60)
        answered(load, 400)
    assert len(load.outcome.failures) <= CLIENTS
    assert limited.most() == 2


@pytest.mark.long
@pytest.mark.parametrize("pause", [2.0, 20.0])
def test_the_limit_holds_when_the_owner_is_stopped_and_goes_on(limited: Limited, pause: float) -> None:
    """SIGSTOP, as a machine that sleeps: within ten seconds another worker owns the limit and answers. The
    former owner goes on without taking a slot. Whatever the pause, no request is lost.
    """
    limited.begin_limited(1)
    first = wait_for("an owner", limited.owner)
    stopped = limited.processes()[first]
    with limited.load() as load:
        answered(load, 100)
        os.kill(stopped, signal.SIGSTOP)
        began = time.monotonic()
        try:
            if pause > 10:
                time.sleep(1)  # what others had in flight
                answered(load, 40)
                assert time.monotonic() - began < 10
            time.sleep(max(began + pause - time.monotonic(), 0))
        finally:
            os.kill(stopped, signal.SIGCONT)
        wait_for("one owner that all know", limited.owner, 30)
        answered(load, 300)
    assert load.outcome.failures == []
    assert limited.most() == 1


def test_what_the_owner_answers_by_itself_reaches_the_client_as_it_is(limited: Limited) -> None:
    """A full queue is told with its reason and its time to come back, whoever was asked."""
    limited.begin_limited(1, work="1.0")
    wait_for("an owner", limited.owner)
    limited.kubectl(
        "annotate",
        "deployment",
        f"{NAME}-00001-deployment",
        "zerogate.dev/max-held-requests=1",
        "--overwrite",
    )
    with limited.load() as load:
        wait_for("refusals", lambda: load.outcome.answers["503"] > CLIENTS, 30)
        heads = [limited.curl(host(NAME), "-D", "-", "-o", "/dev/null") for _ in range(8)]
    assert set(load.outcome.answers) <= {"200", "503"}
    told = [head.lower() for head in heads if " 503 " in head]
    assert told
    assert all("zerogate-reason: queue-full" in head and "retry-after: " in head for head in told)
