"""Kubernetes' word and our own probes, weighed: which pods serve."""

from dataclasses import replace
from typing import Any

import pytest

from activator.cluster.members import Join, Leave, Members
from activator.cluster.pods import PodView
from serving.targets import scale_target

EARLY = scale_target({"metadata": {"namespace": "default", "name": "hello"}, "spec": {}})
LATE = replace(EARLY, probe=replace(EARLY.probe, kind="exec", trusted_early=False))
POD = PodView("u", ("default", "p"), "10.0.0.7", 0, False, False, True, "", 0)
READY = replace(POD, is_ready=True)
NO_ADDRESS = replace(POD, address="")
GONE = replace(POD, is_gone=True)
CRASHED = replace(POD, restarts=1)
FAULTY = replace(POD, fault="CrashLoopBackOff")
MOVED = replace(READY, address="10.0.0.8")
PROBED = "probed"
JOIN = Join("u", "10.0.0.7", 8080)
LEAVE = Leave("u")


@pytest.mark.parametrize(
    ("history", "steps", "is_candidate"),
    [
        pytest.param([NO_ADDRESS], [], False, id="no address, nothing to ask"),
        pytest.param([POD], [], True, id="an address can be asked"),
        pytest.param([READY], [JOIN], False, id="Ready joins without a probe"),
        pytest.param([POD, PROBED], [JOIN], False, id="a probe lets it in early"),
        pytest.param([POD, PROBED, POD], [JOIN], False, id="not yet Ready is no reason to leave"),
        pytest.param([POD, PROBED, READY], [JOIN], False, id="Ready after the probe changes nothing"),
        pytest.param([POD, PROBED, READY, POD], [JOIN, LEAVE], True, id="Ready, then not: it leaves"),
        pytest.param([READY, POD, PROBED], [JOIN, LEAVE, JOIN], False, id="a probe lets it in again"),
        pytest.param([READY, POD, READY], [JOIN, LEAVE, JOIN], False, id="Ready lets it in again"),
        pytest.param([READY, GONE], [JOIN, LEAVE], False, id="deleting: gone at once"),
        pytest.param([POD, PROBED, GONE, PROBED], [JOIN, LEAVE], False, id="a late answer of a gone pod"),
        pytest.param([POD, PROBED, CRASHED], [JOIN, LEAVE], True, id="crashed before it was ever Ready"),
        pytest.param([POD, PROBED, FAULTY, PROBED], [JOIN, LEAVE], False, id="one in back-off is not asked"),
        pytest.param(
            [READY, MOVED], [JOIN, LEAVE, Join("u", "10.0.0.8", 8080)], False, id="a new address is a new pod"
        ),
        pytest.param([PROBED], [], False, id="an unknown pod's answer"),
    ],
)
def test_who_serves(history: list[Any], steps: list[Any], is_candidate: bool) -> None:
    """Each history of one pod gives these steps and leaves it to be asked or not."""
    members, done = Members(), []
    for event in history:
        if isinstance(event, PodView):
            done += members.put(event, EARLY, ())
        else:
            done += members.answered("u", EARLY, ())
    assert done == steps
    assert bool(members.candidates(EARLY)) == is_candidate


def test_with_an_exec_probe_only_kubernetes_word_counts() -> None:
    """What only the kubelet can probe is neither asked nor let in by us."""
    members = Members()
    assert members.put(POD, LATE, ()) == []
    assert members.candidates(LATE) == []
    assert members.answered("u", LATE, ()) == []
    assert members.put(READY, LATE, ()) == [JOIN]
    assert members.put(POD, LATE, ()) == [LEAVE]
    assert members.candidates(LATE) == []


def test_a_pod_under_an_order_joins_when_the_order_is_off() -> None:
    """A cordoned pod that was not serving does not join, by neither way, until it may."""
    members = Members()
    assert members.put(READY, EARLY, {"u"}) == []
    assert members.answered("u", EARLY, {"u"}) == []
    assert members.settle(EARLY, ()) == [JOIN]


def test_a_changed_port_moves_the_pods() -> None:
    """The target's port counts for pods without one of their own."""
    members = Members()
    members.put(READY, EARLY, ())
    members.put(replace(READY, uid="own", address="127.0.0.1", port=20001), EARLY, ())
    assert members.settle(replace(EARLY, port=9000), ()) == [LEAVE, Join("u", "10.0.0.7", 9000)]
