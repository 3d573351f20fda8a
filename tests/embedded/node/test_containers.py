"""What a container is in, told and restored."""

from typing import Any

import pytest

from embedded.node.containers import CREATING, Container, Running, Terminated, Waiting, restored
from embedded.node.pod_status import pod_status
from embedded.node.probing import Kind
from kube.objects import Obj

BAD = Terminated(1, "Error", 1.0, 2.0)
UP = Running(1.0)
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
    ("awaits", "verdicts", "started", "ready", "must_end"),
    [
        ((), [], True, True, False),
        (("liveness",), [("liveness", True)], True, True, False),
        (("liveness",), [("liveness", False)], True, True, True),
        (("readiness",), [], True, False, False),
        (("readiness",), [("readiness", True)], True, True, False),
        (("readiness",), [("readiness", True), ("readiness", False)], True, False, False),
        (("startup",), [], False, False, False),
        (("startup",), [("startup", True)], True, True, False),
        (("startup",), [("startup", False)], False, False, True),
        (("startup", "readiness"), [("startup", True)], True, False, False),
        (("startup", "readiness"), [("startup", True), ("readiness", True)], True, True, False),
    ],
)
def test_what_probes_say_of_a_process(
    awaits: tuple[Kind, ...], verdicts: list[tuple[Kind, bool]], started: bool, ready: bool, must_end: bool
) -> None:
    """Ready when nobody asks or readiness passed; failed startup and liveness end it, readiness does not."""
    told = box(CREATING)
    told.begin(5.0, "7-u", awaits)
    ends = [told.hear(kind, awaits, is_fine=is_fine) for kind, is_fine in verdicts]
    assert (told.started, told.ready, ends[-1:] == [True]) == (started, ready, must_end)


def test_an_end_is_remembered_and_an_orderly_one_is_not() -> None:
    """Either way the container serves no more; after an orderly stop it waits for its first start."""
    told = box(CREATING)
    told.begin(5.0, "7-u", ())
    told.end(BAD)
    assert (told.state, told.last, told.ready, told.started) == (BAD, BAD, False, False)
    told.begin(6.0, "8-u", ())
    told.lay_down()
    assert (told.state, told.last, told.ready, told.started) == (CREATING, BAD, False, False)


def test_a_signal_is_told() -> None:
    """Exit codes above 128 name the signal."""
    (entry,) = pod_status(pod(), [box(Terminated(143, "Error", 1.0, 2.0))], {}, 3.0)["containerStatuses"]
    assert entry["state"]["terminated"]["signal"] == 15


def test_a_container_that_ran_when_the_agent_died_has_ended() -> None:
    """Its restarts are remembered; the end nobody saw is told as the kubelet tells it."""
    told = pod_status(pod(), [box(UP, BAD, restarts=2)], {}, 100.0)
    (found,) = restored(pod(**told), 500.0)
    assert isinstance(found.state, Terminated)
    assert (found.state.exit_code, found.state.reason) == (137, "ContainerStatusUnknown")
    assert found.restarts == 2


@pytest.mark.parametrize(("state", "last"), [(BAD, BAD), (CRASHING, BAD), (CREATING, None)])
def test_what_a_status_says_is_read_back(state: Terminated | Waiting, last: Terminated | None) -> None:
    """The last end survives the agent."""
    told = pod_status(pod(), [box(state, last, restarts=4)], {}, 100.0)
    (found,) = restored(pod(**told), 500.0)
    assert (found.last, found.restarts, found.ready) == (last, 4, False)
