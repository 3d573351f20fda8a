"""`zerogate doctor`: what it says of a laptop and of a cluster, and how it ends."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from kube.objects import Obj
from testkit.machines.laptop import Machine
from testkit.paths import ROOT, SAMPLE
from testkit.ports import free_port


def doctor(kubeconfig: Path, *arguments: Any) -> tuple[int, str, str]:
    """(exit status, stdout, stderr)."""
    done = subprocess.run(
        [sys.executable, "-m", "zerogate", "doctor", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "KUBECONFIG": str(kubeconfig)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_of_a_laptop_that_is_well_the_doctor_says_so(laptop: Machine) -> None:
    """Exit 0, a line a finding, each `ok`; as JSON the same."""
    laptop.kubectl("apply", "-f", str(SAMPLE), "-f", str(SAMPLE.parent / "plain-deployment.yaml"))
    laptop.wait_ready("helloworld-go")
    status, told, errors = doctor(laptop.kubeconfig)
    assert (status, errors) == (0, ""), told
    assert "the API of `zerogate up`" in told
    assert "nothing to say of 2 of 2" in told
    assert {line.split()[0] for line in told.splitlines()} == {"ok"}
    status, told, errors = doctor(laptop.kubeconfig, "-o", "json")
    assert {finding["level"] for finding in json.loads(told)} == {"ok"}


def test_the_doctor_names_what_slows_a_target_and_what_breaks_it(up: Machine) -> None:
    """Advice does not fail it; a problem does."""
    slow: Obj = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "slow",
            "labels": {"zerogate.dev/scale": "true"},
            "annotations": {"zerogate.dev/host": "slow.default.example.com"},
        },
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "slow"}},
            "template": {
                "metadata": {"labels": {"app": "slow", "zerogate.dev/scale": "true"}},
                "spec": {
                    "containers": [
                        {
                            "name": "c",
                            "image": "dev.local/helloworld-go:1",
                            "readinessProbe": {"exec": {"command": ["true"]}},
                        }
                    ]
                },
            },
        },
    }
    direct = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "direct"},
        "spec": {"selector": {"app": "slow"}, "ports": [{"port": 80}]},
    }
    up.apply(slow)
    up.apply(direct)
    _, told, _ = doctor(up.kubeconfig)
    lines = [line for line in told.splitlines() if "Deployment default/slow: " in line]
    assert {line.split()[0] for line in lines} == {"advice"}
    for each in ("kubelet runs, each 10 s", "preStop", "take it out", "Service direct"):
        assert any(each in line for line in lines), told
    taker: Obj = {**slow, "metadata": {**slow["metadata"], "name": "taker"}}
    taker["metadata"]["annotations"] = {"zerogate.dev/host": "slow.elsewhere.example.com"}
    up.apply(taker)
    status, told, _ = doctor(up.kubeconfig)
    assert status == 1
    assert "problem  Deployment default/taker: slow.elsewhere.example.com is outside" in told
    up.kubectl("delete", "service", "direct")


def test_where_nobody_answers_the_doctor_says_what_to_start(tmp_path: Path) -> None:
    """A problem, and exit 1, whether the kubeconfig is missing or its server is away."""
    status, told, errors = doctor(tmp_path / "none")
    assert (status, len(told.splitlines()), errors) == (1, 1, "")
    assert told.startswith("problem  API server: ")
    assert "zerogate up" in told
    away = {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "clusters": [{"name": "a", "cluster": {"server": f"http://127.0.0.1:{free_port()}"}}],
        "users": [{"name": "a", "user": {"token": "t"}}],
    }
    (tmp_path / "away").write_text(json.dumps(away))
    status, told, errors = doctor(tmp_path / "away")
    assert (status, len(told.splitlines()), errors) == (1, 1, "")
    assert "does not answer" in told


def test_a_wrong_flag_of_the_doctor_is_status_2(tmp_path: Path) -> None:
    status, _, errors = doctor(tmp_path / "none", "-o", "yaml")
    assert status == 2
    assert "-o" in errors
