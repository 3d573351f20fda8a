"""Dates in objects are compared with a clock that nobody sets."""

import time

import pytest

from embedded.workloads.pods import available_pods, next_available
from kube.edge.clock import unix_now
from kube.objects import Obj, format_time
from tests.autoscaler.test_doorkeeper import Reviewer, asking

STEPS = [-86_400.0, -600.0, 600.0, 86_400.0]
NOW = 1_800_000_000.0


@pytest.mark.parametrize("step", STEPS)
def test_a_wall_clock_that_is_set_moves_no_deadline(step: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The seconds go on from those that the wall clock showed at the start of the process."""
    real = time.time
    before = real()
    monkeypatch.setattr(time, "time", lambda: real() + step)
    assert before - 1 <= unix_now() <= before + 5


@pytest.mark.parametrize("step", STEPS)
async def test_a_token_stays_known_when_the_wall_clock_is_set(
    step: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked about once, and believed while the API server is away."""
    api, real = Reviewer(), time.time
    door = asking(api)
    assert await door.refusal("good") is None
    monkeypatch.setattr(time, "time", lambda: real() + step)
    assert await door.refusal("good") is None
    assert api.reviews == ["good"]


def ready_pod(since: float) -> Obj:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": format_time(since)}
    return {"metadata": {"name": "p"}, "status": {"phase": "Running", "conditions": [ready]}}


@pytest.mark.parametrize("since", [NOW - 86_400, NOW - 600, NOW, NOW + 600, NOW + 86_400])
def test_a_ready_pod_is_available_whatever_its_date_says(since: float) -> None:
    """As in Kubernetes, where `minReadySeconds` is 0."""
    pods = [ready_pod(since)]
    assert available_pods(pods, 0.0, NOW) == pods
    assert next_available(pods, 0.0, NOW) is None


@pytest.mark.parametrize("ahead", [600.0, 86_400.0])
def test_a_pod_whose_date_is_in_the_future_is_not_waited_for(ahead: float) -> None:
    """The clock was set back since then: `minReadySeconds` of ten seconds are no day."""
    pods = [ready_pod(NOW + ahead)]
    assert available_pods(pods, 10.0, NOW) == pods
    assert next_available(pods, 10.0, NOW) is None


def test_min_ready_seconds_count_from_the_date_of_readiness() -> None:
    pods = [ready_pod(NOW - 4)]
    assert available_pods(pods, 10.0, NOW) == []
    assert next_available(pods, 10.0, NOW) == 6.0
    assert available_pods(pods, 10.0, NOW + 6) == pods
