"""Uninstalled and installed again beside the same API server: the policies and their config maps."""

import json
import subprocess

import pytest

from kube.objects import Obj
from testkit.kubernetes.control_plane import ControlPlane
from testkit.kubernetes.programs import SYSTEM, install
from testkit.kubernetes.readme import commands, in_place
from testkit.serving.examples import service
from testkit.waiting import wait_for


def refusal(plane: ControlPlane, obj: Obj) -> str:
    """What the API server says against an object; "" when it would take it."""
    done = subprocess.run(
        ["kubectl", "--kubeconfig", plane.kubeconfig, "create", "--dry-run=server", "-f", "-"],
        input=json.dumps(obj), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.stderr if done.returncode else ""


def lasting(seconds: float) -> Obj:
    return service(spec__template__spec__timeoutSeconds=seconds)


def test_after_a_new_installation_no_policy_holds_to_old_limits(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """An API server forgets to look at config maps for policies; what it remembers must not be an old map."""
    plane = ControlPlane(tmp_path_factory.mktemp("installed-anew"))
    plane.start()
    try:
        install(plane)
        wait_for("the policy", lambda: "from 0 to 600" in refusal(plane, lasting(601)), 60)
        plane.kubectl(*in_place(commands("Uninstall")[0]))
        wait_for("no policy", lambda: refusal(plane, lasting(601)) == "", 60)
        install(plane)
        longer = json.dumps({"data": {"max-revision-timeout-seconds": "900"}})
        plane.kubectl("patch", "configmap", "config-defaults", "-n", SYSTEM, "--type=merge", "-p", longer)
        doubled = service(spec__traffic=[{"percent": 50, "tag": "t"}, {"percent": 50, "tag": "t"}])
        wait_for("the other policies", lambda: "multiple definitions" in refusal(plane, doubled), 60)
        assert refusal(plane, lasting(700)) == ""
    finally:
        plane.stop()
