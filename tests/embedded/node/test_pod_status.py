"""A pod's status: phases and conditions."""

from typing import Any

import pytest

from embedded.node.containers import Container, Running, Terminated, Waiting
from embedded.node.pod_status import phase, pod_status
from kube.objects import Obj, condition

OK = Terminated(0, "Completed", 1.0, 2.0)
BAD = Terminated(1, "Error", 1.0, 2.0)
UP = Running(1.0)
CREATING = Waiting("ContainerCreating")
CRASHING = Waiting("CrashLoopBackOff")


def box(state: Any, last: Terminated | None = None, **more: Any) -> Container:
    return Container("c", "image", state, last, **more)


def pod(**status: Any) -> Obj:
    return {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
        "status": status,
    }


@pytest.mark.parametrize(
    ("policy", "containers", "expected"),
    [
        ("Always", [box(CREATING)], "Pending"),
        ("Always", [box(UP), box(CREATING)], "Pending"),
        ("Always", [box(UP)], "Running"),
        ("Always", [box(CRASHING, BAD)], "Running"),
        ("Always", [box(OK, OK)], "Running"),
        ("Never", [box(OK)], "Succeeded"),
        ("Never", [box(OK), box(BAD)], "Failed"),
        ("Never", [box(UP), box(BAD)], "Running"),
        ("OnFailure", [box(OK)], "Succeeded"),
        ("OnFailure", [box(BAD)], "Running"),
    ],
)
def test_the_phase(policy: str, containers: list[Container], expected: str) -> None:
    """Pending until all have run; an end only where nothing runs again."""
    assert phase(policy, containers) == expected


def test_conditions_keep_their_time_while_they_stay_as_they_are() -> None:
    """lastTransitionTime moves with the truth, not with the message."""
    before = pod_status(pod(), [box(UP)], {}, 100.0)
    trouble = pod_status(pod(), [box(UP, trouble="listens on 1")], before, 200.0)
    ready = pod_status(pod(), [box(UP, ready=True)], trouble, 300.0)
    times = [
        (condition({"status": each}, "Ready") or {})["lastTransitionTime"]
        for each in (before, trouble, ready)
    ]
    assert times[0] == times[1] != times[2]
    assert "c listens on 1" in (condition({"status": trouble}, "Ready") or {})["message"]
    assert trouble["message"] == "container c listens on 1"
    assert ready["message"] is None
    assert ready["startTime"] == before["startTime"]
