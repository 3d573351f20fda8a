"""`zerogate doctor` on a real cluster: the programs' rights, leaders and definitions."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit.kubernetes.programs import SYSTEM, Programs, install
from testkit.paths import ROOT
from testkit.waiting import wait_for


def doctor(kubeconfig: Path) -> tuple[int, dict[str, tuple[str, str]]]:
    """(exit status, {about: (level, message)})."""
    done = subprocess.run(
        [sys.executable, "-m", "zerogate", "doctor", "-o", "json"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "KUBECONFIG": str(kubeconfig)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    found = {each["about"]: (each["level"], each["message"]) for each in json.loads(done.stdout)}
    return done.returncode, found


@pytest.fixture
def spoilt(programs: Programs) -> Iterator[Programs]:
    """What a test takes away is there again afterwards."""
    yield programs
    install(programs.plane)


def test_the_doctor_on_a_cluster(spoilt: Programs) -> None:
    """All is well once the leaders lead; then a right is taken, a config map lost, a definition changed."""
    programs, plane = spoilt, spoilt.plane
    plane.kubectl("delete", "deployments", "--all", "-n", SYSTEM)  # their pods can't run here
    plane.kubectl("delete", "leases", "--all", "-n", SYSTEM)
    status, found = doctor(plane.kubeconfig)
    assert status == 1
    assert found["Lease zerogate-controller"][0] == found["Lease zerogate-autoscaler"][0] == "problem"
    programs.start("controller-a", "autoscaler-a")
    holders = ("get", "leases", "-n", SYSTEM, "-o", "jsonpath={.items[*].spec.holderIdentity}")
    both = {"controller-a", "autoscaler-a"}
    wait_for("leaders", lambda: both <= set(plane.kubectl(*holders).split()), 60)
    status, found = doctor(plane.kubeconfig)
    assert status == 0, found
    assert {about for about, (level, _) in found.items() if level != "ok"} == {
        "Deployment zerogate-activator"
    }
    assert found["API server"] == ("ok", "Kubernetes v1.34.2")

    plane.kubectl("delete", "clusterrolebinding", "zerogate-activator")
    plane.kubectl("delete", "configmap", "config-autoscaler", "-n", SYSTEM)
    drop = [{"op": "remove", "path": "/spec/versions/0/schema/openAPIV3Schema/x-kubernetes-validations"}]
    plane.kubectl("patch", "crd", "routes.serving.knative.dev", "--type=json", "-p", json.dumps(drop))
    status, found = doctor(plane.kubeconfig)
    assert status == 1
    assert "may not list routes" in found["ServiceAccount zerogate-activator"][1]
    assert found["config maps"][1].startswith("config-autoscaler missing")
    assert "another version" in found["CRD routes.serving.knative.dev"][1]

    plane.kubectl("create", "serviceaccount", "guest", "-n", "default")
    status, found = doctor(plane.kubeconfig_of("guest", "default"))
    assert (status, found["API server"][0]) == (0, "ok")
    assert found["your rights"][0] == "advice"
    assert "may not list" in found["your rights"][1]
