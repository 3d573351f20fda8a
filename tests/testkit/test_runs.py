"""A run of the suite: one name for each module, one group for each test, one caller for each port."""

import contextlib
import os
import subprocess
import sys
from collections import Counter

import pytest

from testkit.paths import ROOT
from testkit.ports import free_port

TAKE_PORTS = "from testkit.ports import free_port; print(*(free_port() for _ in range(20))); input()"


def test_each_module_of_ours_is_loaded_under_one_name() -> None:
    """A module that is loaded twice has two states: ports were given twice."""
    files = [
        file
        for module in list(sys.modules.values())
        if (file := getattr(module, "__file__", None)) and file.startswith(f"{ROOT}/t")
    ]
    assert [file for file, count in Counter(files).items() if count > 1] == []


def test_the_groups_of_a_parallel_run_have_their_effect(request: pytest.FixtureRequest) -> None:
    """pytest-xdist passes a group as a suffix of the name; without it each worker starts a control plane."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert request.node.nodeid.endswith("@tests/testkit/test_runs.py")


def test_a_port_is_given_once() -> None:
    """Two processes that ask at the same time are given different ports, while both live."""
    command = [sys.executable, "-c", TAKE_PORTS]
    with contextlib.ExitStack() as stack:
        others = [
            stack.enter_context(
                subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(2)
        ]
        ports = [free_port() for _ in range(20)]
        for other in others:
            assert other.stdout is not None
            ports += map(int, other.stdout.readline().split())
        for other in others:
            other.communicate("\n", timeout=120)
    assert len(set(ports)) == 60


@pytest.mark.parametrize("profile", ["dev", "ci", "soak"])
def test_each_profile_of_hypothesis_has_no_deadline(profile: str) -> None:
    """A stall of the machine decides no test; the seed that reproduces a run is in its header."""
    code = (
        f"import tests.conftest, hypothesis as h; found = h.settings.get_profile({profile!r})\n"
        "print(found.deadline, h.HealthCheck.too_slow in found.suppress_health_check)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None True"
