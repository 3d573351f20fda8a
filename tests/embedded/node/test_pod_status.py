"""A pod's status: phases, conditions and container states."""

import pytest

from embedded.node.containers import Container, Running, Terminated, Waiting, restored
from embedded.node.pod_status import phase, pod_status
from kube.objects import condition

OK = Terminated(0, "Completed", 1.0, 2.0)
BAD = Terminated(1, "Error", 1.0, 2.0)
UP = Running(1.0)
CREATING = Waiting("ContainerCreating")
CRASHING = Waiting("CrashLoopBackOff")


def box(state, last=None, **more):
    return Container("c", "image", state, last, **more)


def pod(**status):
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
def test_the_phase(policy, containers, expected):
    """Pending until all have run; an end only where nothing runs again."""
    assert phase(policy, containers) == expected


def test_conditions_keep_their_time_while_they_stay_as_they_are():
    """lastTransitionTime moves with the truth, not with the message."""
    before = pod_status(pod(), [box(UP)], {}, 100.0)
    trouble = pod_status(pod(), [box(UP, trouble="listens on 1")], before, 200.0)
    ready = pod_status(pod(), [box(UP, ready=True)], trouble, 300.0)
    times = [condition({"status": each}, "Ready")["lastTransitionTime"] for each in (before, trouble, ready)]
    assert times[0] == times[1] != times[2]
    assert "c listens on 1" in condition({"status": trouble}, "Ready")["message"]
    assert trouble["message"] == "container c listens on 1"
    assert ready["message"] is None
    assert ready["startTime"] == before["startTime"]


def test_a_signal_is_told():
    """Exit codes above 128 name the signal."""
    (entry,) = pod_status(pod(), [box(Terminated(143, "Error", 1.0, 2.0))], {}, 3.0)["containerStatuses"]
    assert entry["state"]["terminated"]["signal"] == 15


def test_a_container_that_ran_when_the_agent_died_has_ended():
    """Its restarts are remembered; the end nobody saw is told as the kubelet tells it."""
    told = pod_status(pod(), [box(UP, BAD, restarts=2)], {}, 100.0)
    (found,) = restored(pod(**told), 500.0)
    assert isinstance(found.state, Terminated)
    assert (found.state.exit_code, found.state.reason) == (137, "ContainerStatusUnknown")
    assert found.restarts == 2


@pytest.mark.parametrize(("state", "last"), [(BAD, BAD), (CRASHING, BAD), (CREATING, None)])
def test_what_a_status_says_is_read_back(state, last):
    """The last end survives the agent."""
    told = pod_status(pod(), [box(state, last, restarts=4)], {}, 100.0)
    (found,) = restored(pod(**told), 500.0)
    assert (found.last, found.restarts, found.ready) == (last, 4, False)
