"""Uninstalling, command by command as README has it: what users run stays as it was."""

import json
import urllib.request
from typing import Any

from kube.objects import Obj
from testkit.kubernetes.control_plane import ControlPlane
from testkit.kubernetes.programs import SYSTEM, Programs
from testkit.kubernetes.readme import commands, in_place
from testkit.kubernetes.story import Story, plain
from testkit.machines.laptop import service
from testkit.waiting import wait_for


def workloads(plane: ControlPlane) -> dict[tuple[str, str, str], Any]:
    """Deployments with their replicas, pods with their restarts, each by its identity."""
    found = json.loads(plane.kubectl("get", "deployments,pods", "-n", "default", "-o", "json"))["items"]
    return {
        (item["kind"], item["metadata"]["name"], item["metadata"]["uid"]): (
            item["spec"].get("replicas"),
            [each["restartCount"] for each in item.get("status", {}).get("containerStatuses", ())],
        )
        for item in found
    }


def address(plane: ControlPlane) -> str:
    """Where the Service's pod listens."""
    (pod,) = json.loads(plane.kubectl("get", "pods", "-l", "serving.knative.dev/service=kept", "-o", "json"))[
        "items"
    ]
    return f"{pod['status']['podIP']}:{pod['metadata']['annotations']['zerogate.dev/port']}"


def owners(plane: ControlPlane, deployment: str) -> list[Obj]:
    found = json.loads(plane.kubectl("get", "deployment", deployment, "-n", "default", "-o", "json"))
    owned_by: list[Obj] = found["metadata"].get("ownerReferences", [])
    return owned_by


def test_what_users_run_stays_as_it_was(programs: Programs) -> None:
    """With the programs gone, and then with the definitions gone as well."""
    plane, story = programs.plane, Story(programs)
    # The node is the cluster's here, and goes on.
    programs.start("node", kubeconfig=plane.kubeconfig)
    programs.start("controller-a", "autoscaler-a", "activator-a")
    programs.admit_all_pods()
    story.apply(service("kept", annotations={"autoscaling.knative.dev/min-scale": "1"}), plain())
    story.ready("kept")
    wait_for("two pods", lambda: len(workloads(plane)) == 4, 120)
    before, where = workloads(plane), address(plane)
    remove_programs, orphan, remove_rest = commands("Uninstall")

    def is_as_before() -> bool:
        with urllib.request.urlopen(f"http://{where}/", timeout=10) as answer:
            assert answer.status == 200
        return bool(workloads(plane) == before)

    plane.kubectl(*in_place(remove_programs))
    assert is_as_before()
    assert "kept" in plane.kubectl("get", "ksvc")
    left = plane.kubectl("get", "clusterroles,clusterrolebindings,validatingadmissionpolicies", "-o", "name")
    assert {line for line in left.splitlines() if "zerogate" in line and "zerogate-node" not in line} == set()
    assert plane.kubectl("get", "namespace", SYSTEM, "--ignore-not-found") == ""

    assert owners(plane, "kept-00001-deployment") != []
    plane.kubectl(*orphan)
    assert owners(plane, "kept-00001-deployment") == []
    plane.kubectl(*in_place(remove_rest))
    assert "knative" not in plane.kubectl("get", "crd", "-o", "name")
    assert is_as_before()
