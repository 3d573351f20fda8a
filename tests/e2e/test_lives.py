"""Starting, ending and starting again: Ctrl-C and kill -9 in any phase leave nothing behind."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from testkit.machines.laptop import Machine, host
from testkit.paths import ROOT, SAMPLE
from testkit.waiting import wait_for

NAME = "helloworld-go"


def _pod_processes(machine: Machine) -> list[int]:
    """The processes of this machine's pods that live now, by the mark that the node agent gave them."""
    found = []
    agent = machine.data / "run" / "agent-id"
    mark = f"ZEROGATE_PROCESS={agent.read_text()}/".encode() if agent.exists() else b"none"
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if mark in environment:
                found.append(int(entry.name))
    return found


def test_ctrl_c_ends_everything_and_the_next_up_has_the_services_back(machine: Machine) -> None:
    """The objects live in the data folder; the processes do not outlive `up`."""
    machine.start("-f", str(SAMPLE))
    machine.wait_ready(NAME)
    assert machine.stop(signal.SIGINT) == 0
    assert not _pod_processes(machine)

    machine.start()
    assert machine.curl(host(NAME)) == "Hello World!\n"
    assert machine.stop(signal.SIGTERM) == 0
    assert not _pod_processes(machine)


def test_in_memory_keeps_nothing(machine: Machine) -> None:
    """With --in-memory the next `up` begins empty."""
    machine.start("--in-memory", "-f", str(SAMPLE))
    machine.wait_ready(NAME)
    machine.stop()
    machine.start("--in-memory")
    assert "No resources found" in machine.kubectl("get", "ksvc")


@pytest.mark.parametrize("phase", ["starting", "ready", "cold request", "under load"])
def test_kill_9_in_any_phase_leaves_a_folder_that_comes_up_clean(machine: Machine, phase: str) -> None:
    """The next `up` serves, and there is one set of pods."""
    machine.start("-f", str(SAMPLE), is_ready=phase != "starting")
    if phase == "starting":
        wait_for("the database", (machine.data / "state.db").exists)
    else:
        machine.wait_ready(NAME)
    if phase == "under load":
        subprocess.run(
            ["hey", "-z", "2s", "-c", "30", "-host", host(NAME), f"http://127.0.0.1:{machine.gateway}/"],
            capture_output=True, check=True, timeout=60,
        )  # fmt: skip
    if phase == "cold request":
        machine.kubectl("delete", "pods", "--all", "--wait=false")
    process = machine.started
    process.kill()
    process.wait()

    machine.start("-f", str(SAMPLE))
    machine.wait_ready(NAME)
    assert machine.curl(host(NAME)) == "Hello World!\n"
    wait_for(
        "as many processes as pods",
        lambda: len(_pod_processes(machine)) == len(machine.pods()),
        30,
    )
    assert machine.stop() == 0
    assert not _pod_processes(machine)


@pytest.mark.parametrize("which", ["gateway", "api", "admin"])
def test_a_port_that_is_taken_is_one_line_and_exit_1(machine: Machine, which: str) -> None:
    """Nothing is left running, and the line names the flag to change."""
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", getattr(machine, which)))
        squatter.listen()
        machine.start(is_ready=False)
        assert machine.started.wait(90) == 1
    lines = machine.output.strip().splitlines()
    assert len(lines) == 1, machine.output
    assert f"--{which}" in lines[0]
    assert str(getattr(machine, which)) in lines[0]


def test_a_second_up_on_the_same_folder_is_refused(machine: Machine) -> None:
    machine.start()
    second = Machine(machine.folder)
    second.lives = 10
    second.start(is_ready=False)
    assert second.started.wait(90) == 1
    assert "in use" in second.output
    assert str(machine.started.pid) in second.output


def test_a_manifest_that_is_refused_is_one_line_and_exit_1(machine: Machine, tmp_path: Path) -> None:
    """`up -f` with a bad file says which file and why, and leaves nothing running."""
    bad = tmp_path / "bad.yaml"
    bad.write_text(SAMPLE.read_text().replace("containerPort: 8080", "containerPort: 0x1ffff"))
    machine.start("-f", str(bad), is_ready=False)
    assert machine.started.wait(90) == 1
    assert "bad.yaml" in machine.output
    assert "containerPort" in machine.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["up", "--gateway", "nowhere"], "host:port"),
        (["up", "--workers", "x"], "--workers"),
        (["fly"], "invalid choice"),
        (["up", "-f", "/does/not/exist.yaml"], "does not exist"),
    ],
)
def test_wrong_usage_says_what_to_write(tmp_path: Path, arguments: Any, said: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zerogate", *arguments],
        capture_output=True, text=True, cwd=tmp_path, timeout=30, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode in {1, 2}
    assert said in done.stderr
    assert "Traceback" not in done.stderr
