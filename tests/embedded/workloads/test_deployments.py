"""The Deployment controller as a state machine: whole histories without an API."""

import copy
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedded.workloads.deployment_status import deployment_status
from embedded.workloads.deployments import sync_deployment
from embedded.workloads.replicasets import sync_replicaset
from embedded.workloads.sizing import limits_of
from embedded.workloads.templates import template_hash
from embedded.workloads.writes import Create, Delete, Patch
from kube.objects import Obj, format_time, is_ready, key, uid
from kube.resources import DEPLOYMENTS, PODS, REPLICASETS

NOW = 1_000_000.0


def deployment(replicas: int = 3, image: str = "one", **spec: Any) -> Obj:
    return {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {"name": "d", "namespace": "n", "uid": "uid-d", "generation": 1},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "d"}},
            "template": {
                "metadata": {"labels": {"app": "d"}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
            **spec,
        },
    }


class Cluster:
    """Objects in three dicts; `step` lets the controllers act once, `settle` until nothing is left to do."""

    def __init__(self, wish: Obj) -> None:
        self.now = NOW
        self.rng = random.Random(7)
        self.store = {DEPLOYMENTS: {key(wish): wish}, REPLICASETS: {}, PODS: {}}
        self.born = 0

    @property
    def deployment(self) -> Obj:
        return next(iter(self.store[DEPLOYMENTS].values()))

    @property
    def sets(self) -> list[Obj]:
        return list(self.store[REPLICASETS].values())

    @property
    def pods(self) -> list[Obj]:
        return list(self.store[PODS].values())

    def carry_out(self, writes: list[Any]) -> None:
        for write in writes:
            if isinstance(write, Create):
                self.born += 1
                obj = copy.deepcopy(write.obj)
                stamp = {"uid": f"uid-{self.born}", "creationTimestamp": format_time(self.now + self.born)}
                obj["metadata"] |= stamp
                self.store[write.resource][key(obj)] = obj
            elif isinstance(write, Delete):
                del self.store[write.resource][write.key]
            elif isinstance(write, Patch):
                self.patch(self.store[write.resource][write.key], write.body)

    def patch(self, target: dict[str, Any], body: dict[str, Any]) -> None:
        for part, value in body.items():
            if isinstance(value, dict):
                self.patch(target.setdefault(part, {}), value)
            else:
                target[part] = value

    def step(self) -> list[Any]:
        writes = sync_deployment(self.deployment, self.sets, self.pods, self.now)
        self.carry_out(writes)
        for each in self.sets:
            more = sync_replicaset(each, self.pods, self.rng)
            self.carry_out(more)
            writes += more
        standing = deployment_status(self.deployment, self.sets, self.pods, self.now)
        self.deployment["status"] = standing.status
        return writes

    def make_ready(self, pod: Obj) -> None:
        entry = {"type": "Ready", "status": "True", "lastTransitionTime": format_time(self.now)}
        pod["spec"]["nodeName"] = "n"
        pod["status"] = {"phase": "Running", "conditions": [entry]}

    def settle(self, *, kubelet: bool = True) -> None:
        for _ in range(300):
            if not self.step():
                late = [pod for pod in self.pods if not is_ready(pod)]
                if not late or not kubelet:
                    return
                self.make_ready(late[0])
        raise AssertionError("does not settle")

    def reason(self, type_: str) -> str | None:
        entries = {entry["type"]: entry["reason"] for entry in self.deployment["status"]["conditions"]}
        return entries.get(type_)

    def sizes(self) -> dict[str, Any]:
        return {
            each["spec"]["template"]["spec"]["containers"][0]["image"]: each["spec"]["replicas"]
            for each in self.sets
        }


def image_of(pod: dict[str, Any]) -> str:
    found: str = pod["spec"]["containers"][0]["image"]
    return found


def update(cluster: Cluster, **spec: Any) -> None:
    cluster.deployment["spec"] |= spec
    cluster.deployment["metadata"]["generation"] += 1


def template(image: str) -> Obj:
    found: Obj = deployment(image=image)["spec"]["template"]
    return found


def test_a_new_deployment_is_one_set_of_the_whole_size() -> None:
    """One write makes the set in its final size, the next the pods."""
    cluster = Cluster(deployment(3))
    first = sync_deployment(cluster.deployment, [], [], NOW)
    assert isinstance(first[0], Create)
    assert first[0].obj["spec"]["replicas"] == 3
    cluster.settle()
    assert len(cluster.pods) == 3
    assert cluster.reason("Progressing") == "NewReplicaSetAvailable"
    assert cluster.reason("Available") == "MinimumReplicasAvailable"


def test_recreate_never_runs_two_versions() -> None:
    """The old pods are all gone before the first new one is made."""
    cluster = Cluster(deployment(3, strategy={"type": "Recreate"}))
    cluster.settle()
    update(cluster, template=template("two"))
    for _ in range(20):
        cluster.step()
        assert len({image_of(pod) for pod in cluster.pods}) <= 1
        for pod in cluster.pods:
            cluster.make_ready(pod)
    assert {image_of(pod) for pod in cluster.pods} == {"two"}


def test_recreate_waits_for_the_last_process() -> None:
    """A pod that is still ending keeps the new version waiting."""
    cluster = Cluster(deployment(1, strategy={"type": "Recreate"}))
    cluster.settle()
    (pod,) = cluster.pods
    pod["metadata"]["deletionTimestamp"] = format_time(NOW)
    update(cluster, template=template("two"))
    cluster.step()
    cluster.step()
    assert cluster.sizes() == {"one": 0}
    del cluster.store[PODS][key(pod)]
    cluster.step()
    assert cluster.sizes() == {"one": 0, "two": 1}


def test_a_paused_deployment_is_scaled_but_not_updated() -> None:
    """kubectl rollout pause: a new template waits, a new size does not."""
    cluster = Cluster(deployment(2))
    cluster.settle()
    update(cluster, paused=True, template=template("two"), replicas=4)
    cluster.settle()
    assert cluster.sizes() == {"one": 4}
    assert cluster.reason("Progressing") == "DeploymentPaused"
    update(cluster, paused=False)
    cluster.settle()
    assert cluster.sizes() == {"one": 0, "two": 4}


def test_old_sets_are_kept_to_the_history_limit() -> None:
    """revisionHistoryLimit: 1 keeps one empty set, the latest."""
    cluster = Cluster(deployment(1, revisionHistoryLimit=1))
    for image in ("one", "two", "three", "four"):
        update(cluster, template=template(image))
        cluster.settle()
    assert cluster.sizes() == {"three": 0, "four": 1}


def test_a_broken_update_keeps_the_old_version_serving_and_misses_its_deadline() -> None:
    """New pods that never become ready: 3 of 4 go on, Progressing says so after the deadline, not before."""
    cluster = Cluster(deployment(4, progressDeadlineSeconds=60))
    cluster.settle()
    update(cluster, template=template("broken"))
    cluster.settle(kubelet=False)
    assert sum(is_ready(pod) for pod in cluster.pods) == 3
    cluster.now += 59
    cluster.step()
    assert cluster.reason("Progressing") == "ReplicaSetUpdated"
    cluster.now += 2
    cluster.step()
    assert cluster.reason("Progressing") == "ProgressDeadlineExceeded"
    update(cluster, template=template("fixed"))
    cluster.step()
    assert cluster.reason("Progressing") == "ReplicaSetUpdated"
    cluster.settle()
    assert cluster.reason("Progressing") == "NewReplicaSetAvailable"


def test_progress_prolongs_the_deadline() -> None:
    """Each pod that becomes ready starts the deadline anew."""
    cluster = Cluster(deployment(3, progressDeadlineSeconds=60))
    cluster.settle(kubelet=False)
    for pod in cluster.pods:
        cluster.now += 50
        cluster.make_ready(pod)
        cluster.step()
        assert cluster.reason("Progressing") != "ProgressDeadlineExceeded"
    assert cluster.reason("Progressing") == "NewReplicaSetAvailable"


def test_a_rollout_that_completed_never_times_out_when_it_is_scaled_later() -> None:
    """0 → 1 with a pod that does not come: the autoscaler's matter, not the rollout's."""
    cluster = Cluster(deployment(0, progressDeadlineSeconds=60))
    cluster.settle()
    update(cluster, replicas=1)
    cluster.settle(kubelet=False)
    cluster.now += 1000
    cluster.step()
    assert cluster.reason("Progressing") == "NewReplicaSetAvailable"
    assert cluster.reason("Available") == "MinimumReplicasUnavailable"


def test_min_ready_seconds_delay_availability() -> None:
    """A pod counts as available after being ready for that long; the status asks to be looked at then."""
    cluster = Cluster(deployment(1, minReadySeconds=30))
    cluster.settle()
    standing = deployment_status(cluster.deployment, cluster.sets, cluster.pods, cluster.now)
    assert standing.status["availableReplicas"] == 0
    assert standing.look_again is not None
    assert 0 < standing.look_again <= 30
    cluster.now += 31
    cluster.step()
    assert cluster.deployment["status"]["availableReplicas"] == 1


def test_the_hash_depends_on_the_template_alone() -> None:
    """Size, order of keys and the hash label itself change nothing."""
    plain, scaled = deployment(1), deployment(9)
    marked = copy.deepcopy(plain)
    marked["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] = "x"
    assert template_hash(plain) == template_hash(scaled) == template_hash(marked)
    assert template_hash(plain) != template_hash(deployment(1, image="two"))
    assert len(template_hash(plain)) == 10


@pytest.mark.parametrize("spec", [{}, {"deletionTimestamp": "2026-01-01T00:00:00Z"}])
def test_what_settled_is_left_alone(spec: dict[str, str]) -> None:
    """No write when nothing changed; none either for a Deployment that is being deleted."""
    cluster = Cluster(deployment(2))
    cluster.settle()
    cluster.deployment["metadata"] |= spec
    cluster.deployment["spec"]["replicas"] = 5 if spec else 2
    assert sync_deployment(cluster.deployment, cluster.sets, cluster.pods, NOW) == []


ACTIONS = st.one_of(
    st.tuples(st.just("scale"), st.integers(0, 6)),
    st.tuples(st.just("image"), st.sampled_from(["one", "two", "three"])),
    st.tuples(st.just("ready"), st.integers(0, 5)),
    st.tuples(st.just("kill"), st.integers(0, 5)),
    st.tuples(st.just("steps"), st.integers(1, 3)),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(ACTIONS, max_size=25), st.integers(0, 2), st.integers(0, 2))
def test_any_history_ends_in_what_is_wanted(
    actions: list[tuple[str, Any]], surge: int, unavailable: int
) -> None:
    """Whatever happens on the way, the pods end up as wanted, all of today's template; amid it the sets
    never ask for more than wanted + surge (or than they did before the wish shrank).
    """
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    cluster = Cluster(deployment(2, strategy={"type": "RollingUpdate", "rollingUpdate": rolling}))
    for action, value in actions:
        pods = cluster.pods
        if action == "scale":
            update(cluster, replicas=value)
        elif action == "image":
            update(cluster, template=template(value))
        elif action == "ready" and pods:
            cluster.make_ready(pods[value % len(pods)])
        elif action == "kill" and pods:
            del cluster.store[PODS][key(pods[value % len(pods)])]
        elif action == "steps":
            for _ in range(value):
                before = sum(each["spec"]["replicas"] for each in cluster.sets)
                cluster.step()
                wanted = cluster.deployment["spec"]["replicas"]
                most = wanted + limits_of(cluster.deployment["spec"]["strategy"], wanted).surge
                assert sum(each["spec"]["replicas"] for each in cluster.sets) <= max(most, before)
    cluster.settle()
    wanted = cluster.deployment["spec"]["replicas"]
    image = image_of({"spec": cluster.deployment["spec"]["template"]["spec"]})
    assert [image_of(pod) for pod in cluster.pods] == [image] * wanted
    assert cluster.deployment["status"]["availableReplicas"] == wanted
    assert len({uid(pod) for pod in cluster.pods}) == wanted
