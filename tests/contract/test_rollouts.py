"""Deployments: what they own, what their status says, how they go over to a new template."""

from typing import Any

import pytest

from kube.objects import Obj
from kube.resources import DEPLOYMENTS, PODS, REPLICASETS
from testkit.contract.engine import Engine
from testkit.contract.objects import deployment
from testkit.waiting import wait_for

REVISION = "deployment.kubernetes.io/revision"


@pytest.fixture
def path(engine: Engine, pods: str) -> str:
    """A Deployment of one pod."""
    engine.create(DEPLOYMENTS, {**deployment(replicas=1), "metadata": {"name": "d", "namespace": pods}})
    return DEPLOYMENTS.path(pods, "d")


def conditions(obj: Obj) -> dict[str, Any]:
    return {each["type"]: (each["status"], each["reason"]) for each in obj["status"].get("conditions") or ()}


def settled(engine: Engine, path: str) -> Obj:
    """The Deployment once its newest template runs alone."""

    def look() -> Obj | None:
        obj = engine.get(path)
        status, wanted = obj["status"], obj["spec"]["replicas"]
        counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
        is_done = counts == [wanted] * 3 and conditions(obj).get("Progressing") == (
            "True",
            "NewReplicaSetAvailable",
        )
        return obj if is_done and status.get("observedGeneration") == obj["metadata"]["generation"] else None

    found: Obj = wait_for("the rollout", look, 60)
    return found


def sets(engine: Engine, path: str) -> dict[str, Any]:
    """revision → ReplicaSet."""
    namespace = path.split("/")[5]
    found = engine.get(REPLICASETS.path(namespace))["items"]
    return {each["metadata"]["annotations"][REVISION]: each for each in found}


def test_a_deployment_becomes_available(engine: Engine, path: str, pods: str) -> None:
    """Counts, conditions and what it saw; its ReplicaSet and pod are its own."""
    obj = settled(engine, path)
    assert conditions(obj) == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "NewReplicaSetAvailable"),
    }
    status = {name: value for name, value in obj["status"].items() if name != "conditions"}
    assert status == {
        "observedGeneration": 1,
        "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
    }  # fmt: skip
    assert obj["metadata"]["annotations"] == {REVISION: "1"}
    made = sets(engine, path)["1"]
    mark = made["metadata"]["labels"]["pod-template-hash"]
    assert made["metadata"]["name"] == f"d-{mark}"
    assert made["spec"]["selector"]["matchLabels"] == {"app": "d", "pod-template-hash": mark}
    (owner,) = made["metadata"]["ownerReferences"]
    assert owner == {
        "apiVersion": "apps/v1", "kind": "Deployment", "name": "d", "uid": obj["metadata"]["uid"],
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
    (pod,) = engine.get(PODS.path(pods))["items"]
    assert pod["metadata"]["name"].startswith(f"d-{mark}-")
    assert pod["metadata"]["generateName"] == f"d-{mark}-"
    assert pod["metadata"]["labels"] == {"app": "d", "pod-template-hash": mark}
    assert pod["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    assert pod["status"]["phase"] == "Running"
    told = {each["type"]: each["status"] for each in pod["status"]["conditions"]}
    assert (
        told.items()
        >= {"PodScheduled": "True", "Initialized": "True", "ContainersReady": "True", "Ready": "True"}.items()
    )


def test_scaling_is_no_rollout(engine: Engine, path: str) -> None:
    """The same ReplicaSet, another size; at zero the counts are left out."""
    settled(engine, path)
    engine.patch(f"{path}/scale", {"spec": {"replicas": 2}})
    assert settled(engine, path)["metadata"]["annotations"] == {REVISION: "1"}
    engine.patch(f"{path}/scale", {"spec": {"replicas": 0}})
    obj = settled(engine, path)
    status = {name: value for name, value in obj["status"].items() if name != "conditions"}
    assert status == {"observedGeneration": 3}
    assert list(sets(engine, path)) == ["1"]
    assert conditions(obj)["Available"] == ("True", "MinimumReplicasAvailable")


def test_a_new_template_is_rolled_out(engine: Engine, path: str) -> None:
    """A second ReplicaSet replaces the first, which is kept with no pods; going back makes it the third."""
    settled(engine, path)
    patch = {"spec": {"template": {"metadata": {"annotations": {"a": "1"}}}}}
    engine.patch(path, patch)
    obj = settled(engine, path)
    assert obj["metadata"]["annotations"][REVISION] == "2"
    assert obj["status"]["observedGeneration"] == obj["metadata"]["generation"] == 2
    sizes = {revision: each["spec"]["replicas"] for revision, each in sets(engine, path).items()}
    assert sizes == {"1": 0, "2": 1}
    engine.patch(path, {"spec": {"template": {"metadata": {"annotations": None}}}})
    assert settled(engine, path)["metadata"]["annotations"][REVISION] == "3"
    sizes = {revision: each["spec"]["replicas"] for revision, each in sets(engine, path).items()}
    assert sizes == {"2": 0, "3": 1}


def test_a_template_that_fails_leaves_the_old_pod(engine: Engine, path: str) -> None:
    """Nothing is taken away before the new one is available; after its deadline the rollout says so."""
    settled(engine, path)
    broken = {"containers": [{"name": "main", "image": "contract/nowhere:1"}]}
    engine.patch(path, {"spec": {"progressDeadlineSeconds": 3, "template": {"spec": broken}}})
    obj = wait_for(
        "the deadline",
        lambda: (
            conditions(found := engine.get(path)).get("Progressing") == ("False", "ProgressDeadlineExceeded")
            and found
        ),
        60,
    )
    assert conditions(obj)["Available"] == ("True", "MinimumReplicasAvailable")
    counts = {
        name: obj["status"].get(name, 0) for name in ("replicas", "updatedReplicas", "unavailableReplicas")
    }
    assert counts == {"replicas": 2, "updatedReplicas": 1, "unavailableReplicas": 1}
    assert obj["status"]["availableReplicas"] == 1


def test_a_deployment_that_is_paused_waits(engine: Engine, path: str) -> None:
    """Its template is not rolled out before it is resumed."""
    settled(engine, path)
    engine.patch(path, {"spec": {"paused": True}})
    engine.patch(path, {"spec": {"template": {"metadata": {"annotations": {"a": "1"}}}}})

    def is_seen() -> Obj:
        obj = engine.get(path)
        found: Obj = obj["status"]["observedGeneration"] == obj["metadata"]["generation"] and obj
        return found

    obj = wait_for("the change to be seen", is_seen)
    assert conditions(obj)["Progressing"] == ("Unknown", "DeploymentPaused")
    assert list(sets(engine, path)) == ["1"]
    engine.patch(path, {"spec": {"paused": None}})
    assert settled(engine, path)["metadata"]["annotations"][REVISION] == "2"
