"""Plain Deployments as scale targets: what is done to them, what is not, and what they are told."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from kube.objects import Obj
from testkit.machines.cluster import ClusterMachine
from testkit.machines.laptop import Machine
from testkit.paths import ROOT
from testkit.waiting import wait_for

HPA = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "shared", "namespace": "default"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shared"},
        "minReplicas": 4,
        "maxReplicas": 5,
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
            }
        ],
    },
}

SAMPLE = yaml.safe_load((ROOT / "config" / "samples" / "plain-deployment.yaml").read_text())


@pytest.fixture(scope="module", params=["embedded", "kubernetes"])
def up(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One machine of each kind for all: the tests have Deployments of their own."""
    folder = tmp_path_factory.mktemp("plain")
    made = (
        Machine(folder)
        if request.param == "embedded"
        else ClusterMachine(folder, request.getfixturevalue("control_plane"))
    )
    try:
        made.start()
        made.quick_windows()
        yield made
    finally:
        made.kill()


def plain(name: str, **annotations: str) -> dict[str, Any]:
    """The sample under another name and host; underscores in annotations stand for hyphens."""
    made: dict[str, Any] = json.loads(
        json.dumps(SAMPLE).replace('"plain"', f'"{name}"').replace("plain.d", f"{name}.d")
    )
    for key, text in annotations.items():
        made["metadata"]["annotations"]["autoscaling.knative.dev/" + key.replace("_", "-")] = text
    return made


def pods(up: Machine, name: str) -> int:
    return len(up.pods(f"app={name}"))


def replicas(up: Machine, name: str) -> Any:
    return up.get("deployment", name)["spec"].get("replicas")


def told(up: Machine, name: str, reason: str) -> list[str]:
    """The messages of a Deployment's Events with that reason."""
    events = up.get("events", "--field-selector", f"involvedObject.name={name},reason={reason}")["items"]
    return [event["message"] for event in events]


def fields_of_ours(obj: Obj) -> set[str]:
    """Which fields our programs own, as paths."""
    found = set()

    def walk(fields: Any, path: list[str]) -> None:
        below = {key: inner for key, inner in fields.items() if key.startswith(("f:", "k:"))}
        if not below:
            found.add(".".join(path))
        for key, inner in below.items():
            walk(inner, [*path, key.removeprefix("f:")])

    for entry in obj["metadata"].get("managedFields", ()):
        if entry["manager"].startswith("zerogate-") and entry["manager"] not in {
            "zerogate-deployments",
            "zerogate-node",
        }:
            walk(entry["fieldsV1"], [])
    return found


def test_a_plain_deployment_is_scaled_and_nothing_else_of_it_is_written(up: Machine) -> None:
    """It stands until its first request; then it goes, comes back, and gets more pods under load."""
    for name in ("visited", "unvisited"):
        up.apply(plain(name))
    for name in ("visited", "unvisited"):
        up.kubectl("rollout", "status", f"deployment/{name}", "--timeout=180s")
    assert up.curl("visited.default.example.com") == "Hello plain Deployment!\n"
    wait_for("the visited one to go", lambda: replicas(up, "visited") == pods(up, "visited") == 0, 60)
    assert (replicas(up, "unvisited"), pods(up, "unvisited")) == (1, 1)

    assert up.curl("visited.default.example.com") == "Hello plain Deployment!\n"
    assert any(message.startswith("0 → 1: request waiting") for message in told(up, "visited", "Scaled"))
    found = up.get("deployment", "visited", "--show-managed-fields")
    assert fields_of_ours(found) == {"spec.replicas"}
    for pod in up.get("pods", "-l", "app=visited", "--show-managed-fields")["items"]:
        allowed = {"metadata.annotations.controller.kubernetes.io/pod-deletion-cost"}
        assert fields_of_ours(pod) <= allowed
    assert not fields_of_ours(up.get("deployment", "unvisited", "--show-managed-fields"))


def test_other_writers_of_replicas_are_named_and_min_and_max_hold(up: Machine) -> None:
    """kubectl scale and an apply with a number are written over, and each is named with what to do."""
    up.apply(plain("shared", min_scale="1", max_scale="2"))
    up.kubectl("rollout", "status", "deployment/shared", "--timeout=180s")
    assert up.curl("shared.default.example.com") == "Hello plain Deployment!\n"

    up.kubectl("scale", "deployment/shared", "--replicas=4")
    wait_for("max-scale to hold", lambda: replicas(up, "shared") <= 2, 60)
    up.kubectl("scale", "deployment/shared", "--replicas=0")
    wait_for("min-scale to hold", lambda: replicas(up, "shared") >= 1, 60)
    if up.engine == "kubernetes":  # there nobody has a zero
        assert wait_for("that it was told", lambda: len(told(up, "shared", "OtherWriter")) > 1)
    named = wait_for("kubectl to be named", lambda: told(up, "shared", "OtherWriter"))
    assert any(message.startswith("kubectl writes") and "min-scale" in message for message in named)

    with_number = plain("shared", min_scale="1", max_scale="2")
    with_number["spec"]["replicas"] = 5
    up.apply(with_number)
    wait_for("max-scale to hold", lambda: replicas(up, "shared") <= 2, 60)
    wait_for(
        "the apply to be named",
        lambda: any("out of its manifest" in each for each in told(up, "shared", "OtherWriter")),
    )
    if up.engine == "kubernetes":  # on a laptop nobody acts on this kind
        up.apply(HPA)
        wait_for(
            "the HPA to be named",
            lambda: any("(kube-controller-manager)" in each for each in told(up, "shared", "OtherWriter")),
        )
        up.kubectl("delete", "hpa", "shared")
        wait_for("max-scale to hold", lambda: replicas(up, "shared") <= 2, 60)


def test_a_plain_deployment_is_told_of_a_host_that_is_taken_and_a_missing_label(up: Machine) -> None:
    """By Events on the Deployment; who asks for pods that cannot be seen gets 503 with the reason at once."""
    up.apply(plain("early"))
    up.kubectl("rollout", "status", "deployment/early", "--timeout=180s")
    late = plain("late")
    late["metadata"]["annotations"]["zerogate.dev/host"] = "early.default.example.com"
    blind = plain("blind")
    del blind["spec"]["template"]["metadata"]["labels"]["zerogate.dev/scale"]
    up.apply(late)
    up.apply(blind)
    taken = wait_for("HostTaken", lambda: told(up, "late", "HostTaken"))
    assert taken == ["early.default.example.com belongs to Deployment default/early."]
    (unseen,) = wait_for("NotSeen", lambda: told(up, "blind", "NotSeen"))
    assert 'zerogate.dev/scale: "true"' in unseen
    answer = up.curl("blind.default.example.com", "-i")
    assert answer.startswith("HTTP/1.1 503 ")
    assert "Zerogate-Reason: cannot-start" in answer
    assert up.curl("early.default.example.com") == "Hello plain Deployment!\n"
