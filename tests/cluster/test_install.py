"""`kubectl apply -k config/` and its undoing, as README says them."""

import json
import re
from functools import partial
from typing import Any

import pytest

from testkit.kubernetes.control_plane import ControlPlane
from testkit.kubernetes.programs import SYSTEM
from testkit.paths import CONFIG
from testkit.waiting import wait_for

KINDS = ("services", "configurations", "revisions", "routes")
PROGRAMS = ("controller", "autoscaler", "activator")


def objects(plane: ControlPlane) -> Any:
    """Each object that is in config/ as the API server has it, but for its status and its bookkeeping."""
    found = json.loads(plane.kubectl("get", "-k", str(CONFIG), "-o", "json"))["items"]
    for item in found:
        item.pop("status", None)
        for field in ("resourceVersion", "managedFields", "generation"):
            item["metadata"].pop(field, None)
    return found


def has_two_pods(plane: ControlPlane, program: str) -> bool:
    pods = ("get", "pods", "-n", SYSTEM, "-l", f"app.kubernetes.io/name=zerogate-{program}", "-o", "name")
    return len(plane.kubectl(*pods).splitlines()) == 2


def test_the_pods_of_the_programs_are_let_in(installed: ControlPlane) -> None:
    """By the namespace's own standard; each Deployment gets its pods, the activator's by its autoscaler."""
    for program in PROGRAMS:
        wait_for(f"two pods of the {program}", partial(has_two_pods, installed, program), 60)


def test_applying_twice_changes_nothing(installed: ControlPlane) -> None:
    """... and kubectl finds no difference."""
    wait_for("two activators", partial(has_two_pods, installed, "activator"), 60)
    before = objects(installed)
    told = installed.kubectl("apply", "-k", str(CONFIG)).splitlines()
    assert objects(installed) == before
    # kubectl sends the selector of a budget always, whatever stands there already.
    configured = [line for line in told if not line.endswith(" unchanged")]
    assert {line.split("/")[0] for line in configured} <= {"poddisruptionbudget.policy"}
    assert installed.kubectl("diff", "-k", str(CONFIG)) == ""


def test_the_api_server_takes_every_field_without_a_warning(installed: ControlPlane) -> None:
    """Strictly, and by a server-side apply too."""
    told = installed.kubectl(
        "apply",
        "--server-side",
        "--force-conflicts",
        "--validate=strict",
        "--dry-run=server",
        "-k",
        str(CONFIG),
    )
    assert all(line.endswith("serverside-applied (server dry run)") for line in told.splitlines())


def test_a_pod_that_wants_more_is_kept_out(installed: ControlPlane) -> None:
    """The namespace is for programs that need nothing of their node."""
    with pytest.raises(RuntimeError, match='violates PodSecurity "restricted'):
        installed.kubectl("run", "curious", "--image=x", "-n", SYSTEM, "--privileged")


def has_kinds(plane: ControlPlane, who: str, verbs: Any) -> bool:
    """Whether the user has these verbs for each of our kinds, and none for their status."""
    listed = plane.kubectl("auth", "can-i", "--list", f"--as={who}", "-n", "default").splitlines()
    may = {line.split()[0]: set(re.findall(r"\w+", line.rpartition("[")[2])) for line in listed}
    ours = {resource: found for resource, found in may.items() if "knative" in resource}
    return ours == {f"{kind}.serving.knative.dev": verbs for kind in KINDS}


def test_who_may_edit_a_namespace_may_edit_services_there(installed: ControlPlane) -> None:
    """By the roles that every cluster has; nobody needs another one for our kinds."""
    reads, writes = {"get", "list", "watch"}, {"create", "update", "patch", "delete", "deletecollection"}
    for who, role, verbs in (("reader", "view", reads), ("writer", "edit", reads | writes)):
        installed.kubectl(
            "create", "rolebinding", who, f"--clusterrole={role}", f"--user={who}", "-n", "default"
        )
        wait_for(f"the {who}'s rights", partial(has_kinds, installed, who, verbs))
