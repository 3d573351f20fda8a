"""Nothing is lost on the way, with an app that answers after 2 s and ends at once on SIGTERM."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kube.objects import Obj
from testkit.load import Load, Outcome, burst
from testkit.machines.laptop import Machine, host, service
from testkit.waiting import wait_for

NAME = "slow"
REVISION = f"{NAME}-00001"
SLOW = {"DELAY": "2s"}


def _slow(*, target: str = "World", **extra: Any) -> Obj:
    """A Service whose answers take two seconds, ten in flight a pod."""
    return service(NAME, env={**SLOW, "TARGET": target}, **extra)


def _traffic(manifest: Obj, *entries: Any) -> Obj:
    manifest["spec"]["traffic"] = [dict(entry) for entry in entries]
    return manifest


@pytest.fixture
def slow(up: Machine) -> Machine:
    """The slow Service, ready."""
    up.apply(_slow())
    up.wait_ready(NAME)
    return up


def _no_loss(load: Load) -> None:
    assert not load.outcome.failures, load.outcome.failures[:10]
    assert load.outcome.good > 0


def test_scale_in_from_five_pods_to_one_loses_nothing(slow: Machine) -> None:
    """The busy pods stay until they are empty; the app would drop what it has."""
    with Load(slow.door, host(NAME), 4) as steady:
        with Load(slow.door, host(NAME), 44) as rush:
            slow.wait_pods(REVISION, 5)
        _no_loss(rush)
        slow.wait_pods(REVISION, 1, 90)
        time.sleep(3)  # the steady clients go on for a round at one pod
    _no_loss(steady)


def test_to_zero_and_back_loses_nothing(up: Machine) -> None:
    """A request at any moment of going to zero is answered."""
    # Silences around the moment at which the last pod goes: 6 s window, 1 s grace, 2 s ticks.
    silences = {f"{NAME}-{seconds}": float(seconds) for seconds in range(6, 12)}
    up.apply(*(service(name, env=SLOW) for name in silences))

    def ask_after(name: str, silence: float) -> Outcome:
        wait_for("a pod", lambda: burst(up.door, host(name), 2).good == 2, 120)
        time.sleep(silence)
        return burst(up.door, host(name), 6)

    with ThreadPoolExecutor(len(silences)) as side_by_side:
        outcomes = [*side_by_side.map(ask_after, silences, silences.values())]
    assert [(outcome.good, outcome.failures) for outcome in outcomes] == [(6, [])] * len(silences)


def test_update_grey_release_and_rollback_lose_nothing(slow: Machine) -> None:
    """Under steady load: a new revision, a split, and the way back."""
    with Load(slow.door, host(NAME), 12) as load:
        slow.apply(_slow(target="New"))
        wait_for("the update", lambda: "New" in slow.curl(host(NAME)), 60)
        slow.apply(
            _traffic(
                _slow(target="New"),
                {"revisionName": REVISION, "percent": 80},
                {"latestRevision": True, "percent": 20, "tag": "canary"},
            )
        )
        wait_for("the old one's share", lambda: "World" in slow.curl(host(NAME)), 60)
        slow.apply(_traffic(_slow(target="New"), {"revisionName": REVISION, "percent": 100}))
        wait_for("the new one's end", lambda: slow.pod_count(f"{NAME}-00002") == 0, 90, 0.5)
    _no_loss(load)


def test_deleting_a_pod_by_hand_loses_nothing(slow: Machine) -> None:
    """`kubectl delete pod` under load: the pod gets no new request and ends after its last one."""
    with Load(slow.door, host(NAME), 12) as load:
        slow.wait_pods(REVISION, 2)
        for _ in range(3):
            victim = slow.pods(f"serving.knative.dev/revision={REVISION}")[0]["metadata"]["name"]
            slow.kubectl("delete", "pod", victim, "--wait=true")
            wait_for("its successor", lambda: slow.pod_count(REVISION) >= 2, 60)
    _no_loss(load)


def test_many_requests_are_held_while_one_pod_starts_slowly(up: Machine) -> None:
    """1,000 requests wait for one pod that takes its time to listen; all are answered."""
    up.apply(
        service(
            NAME, env={"LISTEN_AFTER": "5s"},
            annotations={"autoscaling.knative.dev/max-scale": "1"},
        )
    )  # fmt: skip
    up.wait_ready(NAME)
    up.wait_pods(REVISION, 0)
    outcome = burst(up.door, host(NAME), 1000)
    assert not outcome.failures, outcome.failures[:10]
    assert outcome.good == 1000


def test_a_hard_limit_is_kept_and_the_rest_waits(up: Machine) -> None:
    """containerConcurrency 1: every request is answered though each pod takes one at a time."""
    up.apply(
        service(
            NAME, env={"DELAY": "100ms"}, spec={"containerConcurrency": 1},
            annotations={"autoscaling.knative.dev/max-scale": "3"},
        )
    )  # fmt: skip
    up.wait_ready(NAME)
    outcome = burst(up.door, host(NAME), 60)
    assert not outcome.failures, outcome.failures[:10]
    assert outcome.good == 60
