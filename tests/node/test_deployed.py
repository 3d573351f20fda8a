"""Our programs as Deployments of a real node: locked as the manifests say, replaced without loss."""

import os
from pathlib import Path
from typing import Any

import pytest

from testkit.load import Load, burst
from testkit.machines.containers import PROGRAMS, SYSTEM, NodeMachine
from testkit.machines.laptop import host, service
from testkit.waiting import wait_for
from tools.image.archive import LIMIT

NAME = "hello"
REVISION = f"{NAME}-00001"


@pytest.fixture
def hello(up: NodeMachine) -> NodeMachine:
    """A Service with one pod at least, so that what is tested is the gateway."""
    up.apply(service(NAME, env={"DELAY": "500ms"}, annotations={"autoscaling.knative.dev/min-scale": "1"}))
    up.wait_ready(NAME)
    return up


def _no_loss(outcome: Any) -> None:
    assert not outcome.failures, outcome.failures[:10]
    assert outcome.good > 0


def _pods(up: NodeMachine, program: str) -> list[str]:
    selector = f"app.kubernetes.io/name=zerogate-{program}"
    return [pod["metadata"]["name"] for pod in up.get("pods", "-n", SYSTEM, "-l", selector)["items"]]


def _files(root: Path) -> list[Path]:
    """What lies in a container's root itself, not in what is mounted there."""
    found = []
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        folders[:] = [name for name in folders if not (here / name).is_mount()]
        found += [here / name for name in files if not (here / name).is_mount()]
    return found


@pytest.mark.own_node
def test_each_program_runs_locked_in(up: NodeMachine) -> None:
    """Not root, no capability and no way to one, system calls filtered, nothing of the image writable."""
    for program in PROGRAMS:
        processes = up.processes(program)
        assert len(processes) == 2, program
        for process in processes:
            lines = (process / "status").read_text().splitlines()
            status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
            assert status["Uid"].split() == status["Gid"].split() == ["65532"] * 4
            assert {status[key] for key in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
            assert status["NoNewPrivs"] == "1"
            assert status["Seccomp"] == "2"
            mounts = [line.split(" ") for line in (process / "mountinfo").read_text().splitlines()]
            assert ["ro" in mount[5].split(",") for mount in mounts if mount[4] == "/"] == [True]


@pytest.mark.own_node
def test_the_image_is_small_and_holds_nothing_but_python_and_us(up: NodeMachine) -> None:
    """What a node keeps unpacked is under 150 MB, what it pulls a good quarter of that; there is no shell."""
    root = up.processes("controller")[0] / "root"
    files = _files(root)
    unpacked = sum(path.lstat().st_size for path in files)
    assert 100_000_000 < unpacked < LIMIT
    (known,) = (
        image["sizeBytes"]
        for image in up.get("node", "node-1")["status"]["images"]
        if any("/zerogate:" in name for name in image["names"])
    )
    assert known < LIMIT / 3
    programs = {str(path.relative_to(root)) for path in files if path.parent.name in {"bin", "sbin"}}
    assert programs == {"usr/bin/python3.11", "usr/local/bin/zerogate"}


def test_a_rolling_restart_of_the_activators_loses_nothing(hello: NodeMachine) -> None:
    """Both activators are replaced under load: the old ones serve until nobody comes to them any more."""
    before = set(_pods(hello, "activator"))
    with Load(hello.door, host(NAME), 12) as load:
        wait_for("answers", lambda: load.outcome.good > 20)
        hello.kubectl("rollout", "restart", "deployment/zerogate-activator", "-n", SYSTEM)
        hello.wait_available()
        wait_for("the old ones' end", lambda: not before & set(_pods(hello, "activator")), 120, 0.5)
        answered = load.outcome.good
        wait_for("answers of the new ones", lambda: load.outcome.good > answered + 20)
    _no_loss(load.outcome)


def test_deleting_an_activator_loses_nothing(hello: NodeMachine) -> None:
    """`kubectl delete pod` of one of the two, under load."""
    with Load(hello.door, host(NAME), 12) as load:
        wait_for("answers", lambda: load.outcome.good > 20)
        victim = _pods(hello, "activator")[0]
        hello.kubectl("delete", "pod", victim, "-n", SYSTEM, "--wait=false")
        wait_for("its end", lambda: victim not in _pods(hello, "activator"), 120, 0.5)
        hello.wait_available()
    _no_loss(load.outcome)


def test_a_cold_request_is_answered_while_autoscalers_and_controllers_are_replaced(up: NodeMachine) -> None:
    """At zero pods, both leaders are told to go; a request that comes meanwhile gets its pod."""
    up.apply(service(NAME))
    up.wait_ready(NAME)
    up.wait_pods(REVISION, 0)
    for program in ("autoscaler", "controller"):
        up.kubectl("rollout", "restart", f"deployment/zerogate-{program}", "-n", SYSTEM)
    outcome = burst(up.door, host(NAME), 5)
    _no_loss(outcome)
    up.wait_available()
    up.wait_pods(REVISION, 0, 120)
