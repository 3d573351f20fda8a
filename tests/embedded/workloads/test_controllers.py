"""The controllers against an API in memory: what exists after a wish, and in how many writes."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from embedded.edge.workloads import controllers
from kube.edge.client import Client
from kube.objects import Obj, format_time
from testkit.api.fake_api import FakeApi
from testkit.waiting import until

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
REPLICASETS = "/apis/apps/v1/namespaces/default/replicasets"
PODS = "/api/v1/namespaces/default/pods"


def deployment(name: str = "hello", replicas: int = 1, image: str = "one", **spec: Any) -> Obj:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
            **spec,
        },
    }


class World:
    def __init__(self) -> None:
        self.api = FakeApi()
        self.client = Client(self.api, manager="test")

    async def do(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        status, answer = await self.api.request(method, path, query={}, body=body)
        assert status < 300, answer
        return answer

    def named(self, folder: str) -> dict[str, Any]:
        return {where: obj for where, obj in self.api.objects.items() if where.startswith(f"{folder}/")}

    def pods(self, image: str | None = None) -> list[Obj]:
        return [
            pod
            for pod in self.named(PODS).values()
            if not pod["metadata"].get("deletionTimestamp")
            and (image is None or pod["spec"]["containers"][0]["image"] == image)
        ]

    def get(self, path: str) -> Obj:
        found: Obj = self.api.objects.get(path, {})
        return found

    async def make_ready(self, pod: Obj) -> None:
        status = {
            "phase": "Running",
            "conditions": [
                {"type": "Ready", "status": "True", "lastTransitionTime": format_time(time.time())}
            ],
        }
        await self.do("PATCH", f"{PODS}/{pod['metadata']['name']}/status", {"status": status})

    async def be_a_kubelet(self) -> None:
        """Bind pods, make them ready, and finish deletions, as fast as they come."""
        while True:
            for where, pod in list(self.named(PODS).items()):
                if pod["metadata"].get("deletionTimestamp"):
                    await self.do("DELETE", where, {"gracePeriodSeconds": 0})
                elif "nodeName" not in pod["spec"]:
                    await self.do("PATCH", where, {"spec": {"nodeName": "n"}})
                    await self.make_ready(pod)
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def running(world: World, *, kubelet: bool = True) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(controllers.run(world.client))]
    if kubelet:
        tasks.append(asyncio.create_task(world.be_a_kubelet()))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(result, asyncio.CancelledError):
                assert result is not None, "it ended of itself"
                raise result


@pytest.fixture
def world() -> World:
    return World()


def status_is(world: World, name: str, **counts: Any) -> bool:
    status = world.get(f"{DEPLOYMENTS}/{name}").get("status", {})
    return all(status.get(count) == value for count, value in counts.items())


async def test_names_owners_and_labels_are_those_of_kubernetes(world: World) -> None:
    """Deployment → `<deploy>-<hash>` → `<set>-<5>`; the hash marks set, selector and pods."""
    async with running(world):
        await world.do("POST", DEPLOYMENTS, deployment())
        await until(lambda: status_is(world, "hello", availableReplicas=1), "an available pod")
        (replicaset,) = world.named(REPLICASETS).values()
        (pod,) = world.pods()
    mark = replicaset["metadata"]["labels"]["pod-template-hash"]
    assert replicaset["metadata"]["name"] == f"hello-{mark}"
    assert replicaset["spec"]["selector"]["matchLabels"] == {"app": "hello", "pod-template-hash": mark}
    assert pod["metadata"]["labels"] == {"app": "hello", "pod-template-hash": mark}
    assert pod["metadata"]["name"].startswith(f"hello-{mark}-")
    assert len(pod["metadata"]["name"]) == len(f"hello-{mark}-") + 5
    assert pod["metadata"]["ownerReferences"][0]["uid"] == replicaset["metadata"]["uid"]
    revisions = [
        obj["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
        for obj in (replicaset, world.get(f"{DEPLOYMENTS}/hello"))
    ]
    assert revisions == ["1", "1"]


async def test_waking_from_zero_costs_two_writes_until_the_pod_exists(world: World) -> None:
    """After replicas 0 → 1 the set is patched, then the pod is made; no other write comes before."""
    async with running(world, kubelet=False):
        await world.do("POST", DEPLOYMENTS, deployment(replicas=0))

        def has_settled() -> bool:
            conditions = world.get(f"{DEPLOYMENTS}/hello").get("status", {}).get("conditions", [])
            return "NewReplicaSetAvailable" in {each["reason"] for each in conditions} and all(
                "observedGeneration" in each.get("status", {}) for each in world.named(REPLICASETS).values()
            )

        await until(has_settled, "the empty deployment to settle")
        for _ in range(200):  # the controllers hear of their own writes, in turns of the loop, not in seconds
            await asyncio.sleep(0)
        world.api.writes.clear()
        await world.do("PATCH", f"{DEPLOYMENTS}/hello", {"spec": {"replicas": 1}})
        await until(world.pods, "the pod")
    verbs = [
        (method, path.split("/")[6 if "apps" in path else 5]) for method, path, _ in world.api.writes[:3]
    ]
    assert verbs == [("PATCH", "deployments"), ("PATCH", "replicasets"), ("POST", "pods")]


async def test_a_slow_watch_never_makes_too_many_pods(world: World) -> None:
    """With a cache that lags by 50 ms, three wanted pods are three created pods."""
    world.api.lag = 0.05
    async with running(world, kubelet=False):
        await world.do("POST", DEPLOYMENTS, deployment(replicas=3))
        await until(lambda: len(world.pods()) == 3, "three pods")
        await until(lambda: status_is(world, "hello", replicas=3), "the status")
        await asyncio.sleep(0.2)  # for a surplus to be made, were there one; a slow machine proves less
    created = [path for method, path, _ in world.api.writes if method == "POST" and path == PODS]
    assert len(created) == 3


async def test_a_slow_watch_never_deletes_too_many_pods(world: World) -> None:
    """With a cache that lags, 5 → 3 deletes two."""
    async with running(world):
        await world.do("POST", DEPLOYMENTS, deployment(replicas=5))
        await until(lambda: status_is(world, "hello", availableReplicas=5), "five pods")
        world.api.lag = 0.05
        await world.do("PATCH", f"{DEPLOYMENTS}/hello", {"spec": {"replicas": 3}})
        await until(lambda: status_is(world, "hello", replicas=3, availableReplicas=3), "three pods")
        assert len(world.pods()) == 3
    deleted = [
        path
        for method, path, body in world.api.writes
        if method == "DELETE" and "gracePeriodSeconds" not in body
    ]
    assert len(deleted) == 2


async def test_the_cheapest_pod_goes_even_if_it_was_priced_a_moment_ago(world: World) -> None:
    """The price is read from the API, not from a cache that lags behind the size."""
    async with running(world):
        await world.do("POST", DEPLOYMENTS, deployment(replicas=4))
        await until(lambda: status_is(world, "hello", availableReplicas=4), "four pods")
        victim = sorted(pod["metadata"]["name"] for pod in world.pods())[2]
        world.api.lag = 0.02
        cost = {"controller.kubernetes.io/pod-deletion-cost": "-100"}
        await world.do("PATCH", f"{PODS}/{victim}", {"metadata": {"annotations": cost}})
        await world.do("PATCH", f"{DEPLOYMENTS}/hello", {"spec": {"replicas": 3}})
        await until(lambda: len(world.pods()) == 3, "three pods")
        assert victim not in {pod["metadata"]["name"] for pod in world.pods()}


async def test_a_rolling_update_keeps_serving_and_ends(world: World) -> None:
    """1 → 2: never fewer than 3 of 4 ready, never more than 5 in all, old set empty, revision 2."""
    async with running(world):
        await world.do("POST", DEPLOYMENTS, deployment(replicas=4))
        await until(lambda: status_is(world, "hello", availableReplicas=4), "four pods")
        counts = []

        def is_through() -> bool:
            ready = [pod for pod in world.pods() if pod.get("status", {}).get("conditions")]
            counts.append((len(ready), len(world.pods())))
            return len(world.pods("two")) == 4 == len(ready) and not world.pods("one")

        template = deployment(image="two")["spec"]["template"]
        await world.do("PATCH", f"{DEPLOYMENTS}/hello", {"spec": {"template": template}})
        await until(is_through, "the rollout")
        await until(
            lambda: status_is(world, "hello", updatedReplicas=4, replicas=4, availableReplicas=4),
            "the status",
        )
        conditions = world.get(f"{DEPLOYMENTS}/hello")["status"]["conditions"]
        notes = world.get(f"{DEPLOYMENTS}/hello")["metadata"]["annotations"]
    assert min(ready for ready, _ in counts) >= 3
    assert max(total for _, total in counts) <= 5
    assert {entry["type"]: entry["reason"] for entry in conditions} == {
        "Available": "MinimumReplicasAvailable",
        "Progressing": "NewReplicaSetAvailable",
    }
    assert notes["deployment.kubernetes.io/revision"] == "2"


async def test_a_rollback_finds_its_old_set_again(world: World) -> None:
    """one → two → one: two sets, the first with the highest revision."""
    async with running(world):
        await world.do("POST", DEPLOYMENTS, deployment())
        for image in ("two", "one"):
            await until(
                lambda: status_is(world, "hello", updatedReplicas=1, replicas=1, availableReplicas=1), "rest"
            )
            template = deployment(image=image)["spec"]["template"]
            await world.do("PATCH", f"{DEPLOYMENTS}/hello", {"spec": {"template": template}})
            await until(lambda image=image: len(world.pods(image)) == 1 == len(world.pods()), image)
        revisions = {
            obj["spec"]["template"]["spec"]["containers"][0]["image"]: obj["metadata"]["annotations"][
                "deployment.kubernetes.io/revision"
            ]
            for obj in world.named(REPLICASETS).values()
        }
    assert revisions == {"one": "3", "two": "2"}


async def test_a_restart_of_the_controllers_makes_no_second_set_of_pods(world: World) -> None:
    """What exists is adopted by its owner references."""
    async with running(world):
        await world.do("POST", DEPLOYMENTS, deployment(replicas=2))
        await until(lambda: status_is(world, "hello", availableReplicas=2), "two pods")
    before = {pod["metadata"]["uid"] for pod in world.pods()}
    world.api.writes.clear()
    async with running(world):
        await world.do("POST", DEPLOYMENTS, deployment(name="other"))
        await until(lambda: status_is(world, "other", availableReplicas=1), "another deployment")
    after = {p["metadata"]["uid"] for p in world.pods() if p["metadata"]["labels"]["app"] == "hello"}
    assert after == before


async def test_a_deleted_pod_is_replaced(world: World) -> None:
    """kubectl delete pod: another takes its place."""
    async with running(world):
        await world.do("POST", DEPLOYMENTS, deployment())
        await until(lambda: status_is(world, "hello", availableReplicas=1), "a pod")
        (pod,) = world.pods()
        await world.do("DELETE", f"{PODS}/{pod['metadata']['name']}", {})
        await until(
            lambda: [p for p in world.pods() if p["metadata"]["uid"] != pod["metadata"]["uid"]], "another pod"
        )


async def test_a_missed_deadline_is_told(world: World) -> None:
    """A pod that never becomes ready: Progressing False after progressDeadlineSeconds."""
    async with running(world, kubelet=False):
        await world.do("POST", DEPLOYMENTS, deployment(progressDeadlineSeconds=1))

        def told() -> list[dict[str, str]]:
            entries = world.get(f"{DEPLOYMENTS}/hello").get("status", {}).get("conditions", [])
            return [entry for entry in entries if entry["reason"] == "ProgressDeadlineExceeded"]

        (entry,) = await until(told, "the condition")
    assert entry["status"] == "False"


async def test_pods_that_the_api_refuses_are_a_condition_that_goes_away(world: World) -> None:
    """FailedCreate stands on set and Deployment while creation is refused, and is tried again."""

    def refuse(method: str, path: str) -> tuple[int, dict[str, Any]] | None:
        if method == "POST" and path == PODS:
            return 403, {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "exceeded quota"}
        return None

    world.api.refuse = refuse
    async with running(world):
        await world.do("POST", DEPLOYMENTS, deployment())

        def failure() -> list[dict[str, str]]:
            entries = world.get(f"{DEPLOYMENTS}/hello").get("status", {}).get("conditions", [])
            return [entry for entry in entries if entry["type"] == "ReplicaFailure"]

        (entry,) = await until(failure, "ReplicaFailure")
        assert entry["message"] == "exceeded quota"
        world.api.refuse = lambda _method, _path: None
        await until(lambda: status_is(world, "hello", availableReplicas=1), "a pod after all")
        await until(lambda: not failure(), "the condition to go")


async def test_a_defect_ends_the_controllers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that is not the API's ends run() instead of leaving a controller that looks alive."""

    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(controllers, "sync_deployment", broken)
    task = asyncio.create_task(controllers.run(world.client))
    await world.do("POST", DEPLOYMENTS, deployment())
    with pytest.raises(BaseExceptionGroup):
        await asyncio.wait_for(task, 60)
