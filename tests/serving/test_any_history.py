"""Whatever happens in whatever order: promises that hold after every step."""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kube.objects import Obj, annotations, labels, name
from kube.resources import CONFIGURATIONS, DEPLOYMENTS, REVISIONS, ROUTES, SERVICES
from testkit.serving.cluster import Cluster

BROKEN = {"containerStatuses": [{"name": "user-container", "state": {"waiting": {"reason": "ErrImagePull"}}}]}
numbers = st.integers(1, 4)
steps = st.one_of(
    st.tuples(st.just("apply"), st.sampled_from(["a", "b", "c"])),
    st.tuples(st.just("scale"), numbers, st.integers(0, 2), st.booleans()),
    st.tuples(st.just("pod"), numbers, st.booleans()),
    st.tuples(st.just("pin"), numbers),
    st.tuples(st.just("split"), numbers),
    st.tuples(st.just("follow")),
    st.tuples(st.just("lose"), st.sampled_from([CONFIGURATIONS, ROUTES, DEPLOYMENTS])),
    st.tuples(st.just("wait"), st.floats(1.0, 400_000.0)),
)


def service(text: str, traffic: list[dict[str, Any]] | None) -> Obj:
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "hello"},
        "spec": {
            "template": {"spec": {"containers": [{"image": f"hello:{text}"}]}},
            **({"traffic": traffic} if traffic else {}),
        },
    }


class User:
    """Does the steps; what does not apply just now is left out."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.text = cluster, "a"
        self.traffic: list[Obj] | None = None
        self.apply()

    def apply(self) -> None:
        old = self.cluster.get(SERVICES, "hello")
        new = service(self.text, self.traffic)
        self.cluster.apply(
            SERVICES, {**new, "metadata": {**(old or {}).get("metadata", {}), **new["metadata"]}}
        )

    def do(self, what: str, *how: Any) -> None:
        if what == "apply":
            self.text = how[0]
            self.apply()
        elif what == "wait":
            self.cluster.now += how[0]
        elif what == "lose":
            for where in self.cluster.names(how[0]):
                self.cluster.delete(how[0], where)
        elif what == "follow":
            self.traffic = None
            self.apply()
        else:
            self.with_revision(what, f"hello-{how[0]:05d}", *how[1:])

    def with_revision(self, what: str, revision: str, *how: int) -> None:
        if what == "pin":
            self.traffic = [{"revisionName": revision, "percent": 100}]
            self.apply()
        elif what == "split":
            self.traffic = [
                {"revisionName": revision, "percent": 70},
                {"latestRevision": True, "percent": 30, "tag": "t"},
            ]
            self.apply()
        elif self.cluster.get(DEPLOYMENTS, f"{revision}-deployment") is None:
            return
        elif what == "scale":
            self.cluster.scale(revision, how[0], how[0] if how[1] else 0)
        else:
            self.cluster.pod(revision, **(BROKEN if how[0] else {}))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(steps, max_size=12))
def test_promises(make_cluster: type[Cluster], history: list[tuple[Any, ...]]) -> None:
    """Nothing is written twice; traffic is whole and leads to what exists; replicas are left alone;
    the latest ready revision never gets older; Ready means that all below is."""
    cluster = make_cluster({"config-gc": {"min-non-active-revisions": "1"}})
    user = User(cluster)
    newest = 0
    for step in history:
        before = {where: spec_replicas(cluster, where) for where in cluster.names(DEPLOYMENTS)}
        cluster.writes.clear()
        user.do(*step)
        if step[0] not in {"scale", "lose"}:
            now = {
                where: spec_replicas(cluster, where)
                for where in cluster.names(DEPLOYMENTS)
                if where in before
            }
            assert now == {where: before[where] for where in now}
        newest = 0 if step == ("lose", CONFIGURATIONS) else newest
        newest = check(cluster, newest)


def spec_replicas(cluster: Cluster, where: str) -> int:
    found: int = cluster.get(DEPLOYMENTS, where)["spec"]["replicas"]
    return found


def check(cluster: Cluster, newest: int) -> int:
    cluster.writes.clear()
    snapshot = copy.deepcopy(cluster.objects)
    cluster.due.update(dict.fromkeys(cluster.world.all_work()))
    cluster.settle()
    gone = [each for each in cluster.writes if each[0] == "Delete"]
    if not gone:
        assert cluster.writes == []
        assert cluster.objects == snapshot

    route = cluster.get(ROUTES, "hello")
    traffic = route["status"].get("traffic", [])
    assert sum(each["percent"] for each in traffic) in {0, 100}
    if cluster.condition(ROUTES, "hello")[0] == "True":
        assert all(cluster.get(REVISIONS, each["revisionName"]) for each in traffic)
        for each in traffic:
            found = cluster.get(REVISIONS, each["revisionName"])
            assert labels(found)["serving.knative.dev/routingState"] == "active"
            target = cluster.get(DEPLOYMENTS, f"{name(found)}-deployment")
            assert annotations(target)["zerogate.dev/reachable"] == "true"
    if cluster.condition(SERVICES, "hello")[0] == "True":
        for resource in (CONFIGURATIONS, ROUTES):
            assert cluster.condition(resource, "hello")[0] == "True"

    latest = cluster.get(SERVICES, "hello")["status"].get("latestReadyRevisionName", "hello-0")
    number = int(latest.rpartition("-")[2])
    assert number >= newest
    return number


def test_a_history_can_fail_the_promises(make_cluster: type[Cluster]) -> None:
    """The check itself sees a write that should not be."""
    cluster = make_cluster()
    User(cluster)
    broken = copy.deepcopy(cluster.get(ROUTES, "hello"))
    broken["status"]["traffic"] = [{"revisionName": "hello-00001", "percent": 50}]
    cluster.objects[ROUTES, ("default", "hello")] = broken
    cluster.world.put(ROUTES, broken)
    with pytest.raises(AssertionError):
        check(cluster, 0)
