"""What becomes of deleted objects, and of those that they own."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedded.api.ownership import Ownership
from kube.objects import key
from testkit.api.world import (
    CONFIGMAPS,
    CRDS,
    DEPLOYMENTS,
    MERGE,
    NAMESPACES,
    PODS,
    WIDGETS,
    World,
    config_map,
    deployment,
    owner,
    pod,
    widget,
    widget_crd,
)


@pytest.fixture
def world() -> World:
    return World()


def test_a_deleted_object_is_gone_and_says_so(world: World) -> None:
    """Status Success with the UID; the second time it is not found."""
    made = world.ok("POST", CONFIGMAPS, config_map("a"))
    status = world.ok("DELETE", f"{CONFIGMAPS}/a")
    assert status["status"] == "Success"
    assert status["details"] == {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]}
    assert world.call("DELETE", f"{CONFIGMAPS}/a").status == 404


@pytest.mark.parametrize(
    ("conditions", "code"),
    [({"uid": "other"}, 409), ({"resourceVersion": "1"}, 409), ({}, 200)],
)
def test_preconditions_of_a_deletion(world: World, conditions: dict[str, str], code: int) -> None:
    """A namesake, or another version, is not deleted."""
    world.ok("POST", CONFIGMAPS, config_map("a"))
    assert world.call("DELETE", f"{CONFIGMAPS}/a", {"preconditions": conditions}).status == code
    assert world.exists(f"{CONFIGMAPS}/a") == (code == 409)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"propagationPolicy": "Sideways"}, 422),
        ({"propagationPolicy": "Orphan", "orphanDependents": True}, 422),
        ({"gracePeriodSeconds": "x"}, 400),
        ({"kind": "Pod"}, 400),
        ({"dryRun": ["Some"]}, 422),
    ],
)
def test_unknown_options_of_a_deletion_are_refused(world: World, options: dict[str, Any], code: int) -> None:
    """Nothing is deleted."""
    world.ok("POST", CONFIGMAPS, config_map("a"))
    assert world.call("DELETE", f"{CONFIGMAPS}/a", options).status == code
    assert world.exists(f"{CONFIGMAPS}/a")


# -- pods ------------------------------------------------------------------------------------------------


def test_a_bound_pod_gets_time_to_end(world: World) -> None:
    """DELETE marks it with its grace period; the node's DELETE with none removes it."""
    world.ok("POST", PODS, {**pod("p", node="n1")})
    marked = world.ok("DELETE", f"{PODS}/p")
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
    assert marked["metadata"]["deletionTimestamp"] == "2023-11-14T22:13:50Z"
    assert world.exists(f"{PODS}/p")
    world.ok("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 0})
    assert not world.exists(f"{PODS}/p")


def test_a_second_deletion_may_only_shorten_the_time(world: World) -> None:
    """A longer period is ignored, a shorter one counts from the first deletion."""
    world.ok("POST", PODS, {**pod("p", node="n1")})
    world.ok("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 20})
    world.now += 5
    longer = world.ok("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 60})["metadata"]
    assert longer["deletionGracePeriodSeconds"] == 20
    shorter = world.ok("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 8})["metadata"]
    assert shorter["deletionGracePeriodSeconds"] == 8
    assert shorter["deletionTimestamp"] == "2023-11-14T22:13:28Z"
    version = shorter["resourceVersion"]
    assert (
        world.ok("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 8})["metadata"]["resourceVersion"] == version
    )


def test_a_second_deletion_without_a_period_keeps_the_running_one(world: World) -> None:
    """The pod's own grace period does not replace the longer one of the first deletion."""
    world.ok("POST", PODS, {**pod("p", node="n1")})
    world.ok("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 90})
    assert world.ok("DELETE", f"{PODS}/p")["metadata"]["deletionGracePeriodSeconds"] == 90


@pytest.mark.parametrize(("node", "phase"), [("", "Pending"), ("n1", "Succeeded"), ("n1", "Failed")])
def test_a_pod_that_runs_nowhere_goes_at_once(world: World, node: str, phase: str) -> None:
    """Not bound, or ended: there is nothing to wait for."""
    world.ok("POST", PODS, pod("p", node=node))
    world.ok("PATCH", f"{PODS}/p/status", {"status": {"phase": phase}}, MERGE)
    world.ok("DELETE", f"{PODS}/p")
    assert not world.exists(f"{PODS}/p")


# -- finalizers ------------------------------------------------------------------------------------------


def test_a_finalizer_holds_an_object_back(world: World) -> None:
    """Marked, kept, its name still taken, no new finalizer; gone with the last one."""
    world.ok("POST", CONFIGMAPS, config_map("a", finalizers=["example.com/hold"]))
    assert world.ok("DELETE", f"{CONFIGMAPS}/a")["metadata"]["deletionTimestamp"]
    assert "object is being deleted" in world.call("POST", CONFIGMAPS, config_map("a")).body["message"]
    more = {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}
    assert world.call("PATCH", f"{CONFIGMAPS}/a", more, MERGE).status == 422
    world.ok("PATCH", f"{CONFIGMAPS}/a", {"data": {"still": "writable"}}, MERGE)
    world.ok("PATCH", f"{CONFIGMAPS}/a", {"metadata": {"finalizers": None}}, MERGE)
    assert not world.exists(f"{CONFIGMAPS}/a")


# -- owners ----------------------------------------------------------------------------------------------


def family(world: World) -> dict[str, Any]:
    """grandparent → parent → child, all config maps; the child also has a step parent."""
    grand = world.ok("POST", CONFIGMAPS, config_map("grand"))
    parent = world.ok("POST", CONFIGMAPS, config_map("parent", ownerReferences=[owner(grand)]))
    step = world.ok("POST", CONFIGMAPS, config_map("step"))
    both = [owner(parent), owner(step)]
    found: dict[str, Any] = world.ok("POST", CONFIGMAPS, config_map("child", ownerReferences=both))
    return found


def test_dependents_go_with_their_last_owner(world: World) -> None:
    """A child with another owner stays and forgets the one that went."""
    child = family(world)
    world.ok("DELETE", f"{CONFIGMAPS}/grand")
    assert world.names(CONFIGMAPS) == ["child", "step"]
    left = world.ok("GET", f"{CONFIGMAPS}/child")["metadata"]["ownerReferences"]
    assert left == child["metadata"]["ownerReferences"][1:]
    world.ok("DELETE", f"{CONFIGMAPS}/step")
    assert world.names(CONFIGMAPS) == []


def test_orphans_stay(world: World) -> None:
    """propagationPolicy Orphan: the dependents become nobody's."""
    family(world)
    world.ok("DELETE", f"{CONFIGMAPS}/grand", {"propagationPolicy": "Orphan"})
    assert world.names(CONFIGMAPS) == ["child", "parent", "step"]
    assert "ownerReferences" not in world.ok("GET", f"{CONFIGMAPS}/parent")["metadata"]


def test_in_the_foreground_an_owner_goes_last(world: World) -> None:
    """It waits, marked, for the dependents that block it: here for a pod to end."""
    made = world.ok("POST", DEPLOYMENTS, deployment("d"))
    world.ok("POST", PODS, pod("p", node="n", ownerReferences=[owner(made, blockOwnerDeletion=True)]))
    world.ok("POST", CONFIGMAPS, config_map("a", ownerReferences=[owner(made)]))
    left = world.ok("DELETE", f"{DEPLOYMENTS}/d", {"propagationPolicy": "Foreground"})
    assert left["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert world.ok("GET", f"{PODS}/p")["metadata"]["deletionTimestamp"]
    assert not world.exists(f"{CONFIGMAPS}/a")
    world.ok("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 0})
    assert not world.exists(f"{DEPLOYMENTS}/d")


def test_a_child_of_nobody_is_collected(world: World) -> None:
    """Created after its owner went: a controller that came late leaves no orphan."""
    gone = world.ok("POST", CONFIGMAPS, config_map("gone"))
    world.ok("DELETE", f"{CONFIGMAPS}/gone")
    world.ok("POST", CONFIGMAPS, config_map("late", ownerReferences=[owner(gone)]))
    stranger = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u"}
    world.ok("POST", CONFIGMAPS, config_map("foreign", ownerReferences=[stranger]))
    assert world.names(CONFIGMAPS) == ["foreign"], "owners of kinds that are not served can't be judged"


def test_a_namesake_is_no_owner(world: World) -> None:
    """Only the UID counts."""
    first = world.ok("POST", CONFIGMAPS, config_map("a"))
    world.ok("POST", CONFIGMAPS, config_map("child", ownerReferences=[owner(first)]))
    world.ok("DELETE", f"{CONFIGMAPS}/a", {"propagationPolicy": "Background"})
    world.ok("POST", CONFIGMAPS, config_map("a"))
    assert world.names(CONFIGMAPS) == ["a"]


def test_a_collection_is_deleted_by_selector(world: World) -> None:
    """DELETE on a collection: what is selected, and nothing else."""
    for name, label in (("a", "x"), ("b", "x"), ("c", "y")):
        world.ok("POST", CONFIGMAPS, config_map(name, labels={"l": label}))
    answer = world.ok("DELETE", f"{CONFIGMAPS}?labelSelector=l=x")
    assert [item["metadata"]["name"] for item in answer["items"]] == ["a", "b"]
    assert world.names(CONFIGMAPS) == ["c"]


# -- namespaces and definitions --------------------------------------------------------------------------


def test_a_namespace_goes_with_its_contents(world: World) -> None:
    """Terminating while something ends, no new content meanwhile; then gone."""
    world.ok("POST", NAMESPACES, {"metadata": {"name": "team"}})
    place = f"{NAMESPACES}/team"
    world.ok("POST", f"{place}/configmaps", config_map("a"))
    world.ok("POST", f"{place}/pods", pod("p", node="n"))
    left = world.ok("DELETE", place)
    assert left["status"]["phase"] == "Terminating"
    assert not world.exists(f"{place}/configmaps/a")
    refused = world.call("POST", f"{place}/configmaps", config_map("b"))
    assert (refused.status, refused.body["reason"]) == (403, "Forbidden")
    assert refused.body["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    world.ok("DELETE", f"{place}/pods/p", {"gracePeriodSeconds": 0})
    assert not world.exists(place)
    world.ok("POST", NAMESPACES, {"metadata": {"name": "team"}})
    assert world.names(f"{place}/configmaps") == []


def test_an_empty_namespace_goes_at_once_and_the_first_ones_stay(world: World) -> None:
    """default and kube-system are not to be deleted."""
    world.ok("POST", NAMESPACES, {"metadata": {"name": "team"}})
    assert world.ok("DELETE", f"{NAMESPACES}/team")["status"] == {"phase": "Terminating"}
    assert not world.exists(f"{NAMESPACES}/team")
    assert world.call("DELETE", f"{NAMESPACES}/default").status == 403


def test_a_definition_waits_for_its_objects(world: World) -> None:
    """No new ones meanwhile; gone with the last."""
    world.ok("POST", CRDS, widget_crd())
    held = widget("w")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    world.ok("POST", WIDGETS, held)
    world.ok("POST", WIDGETS, widget("v"))
    world.ok("DELETE", f"{CRDS}/widgets.example.com")
    assert world.names(WIDGETS) == ["w"]
    assert world.call("POST", WIDGETS, widget("new")).status == 405
    world.ok("PATCH", f"{WIDGETS}/w", {"metadata": {"finalizers": []}}, MERGE)
    assert world.call("GET", WIDGETS).status == 404
    assert world.names(CRDS) == []


# -- watches ---------------------------------------------------------------------------------------------


def told(watch: Any) -> list[tuple[str, str]]:
    return [(event.type, event.obj["metadata"].get("name", "")) for event in watch.take()]


def test_a_watch_tells_what_follows_a_list(world: World) -> None:
    """From its resourceVersion on, each change once, in order; from none, what is there first."""
    world.ok("POST", CONFIGMAPS, config_map("a"))
    version = world.ok("GET", CONFIGMAPS)["metadata"]["resourceVersion"]
    world.ok("POST", CONFIGMAPS, config_map("b"))
    watch = world.call("GET", f"{CONFIGMAPS}?watch=1&resourceVersion={version}").watch
    assert told(watch) == [("ADDED", "b")]
    world.ok("PATCH", f"{CONFIGMAPS}/a", {"data": {"x": "y"}}, MERGE)
    world.ok("DELETE", f"{CONFIGMAPS}/b")
    assert told(watch) == [("MODIFIED", "a"), ("DELETED", "b")]
    assert told(world.call("GET", f"{CONFIGMAPS}?watch=1").watch) == [("ADDED", "a")]
    other = world.call("GET", "/api/v1/namespaces/kube-system/configmaps?watch=1").watch
    world.ok("POST", CONFIGMAPS, config_map("c"))
    assert told(other) == []


def test_objects_enter_and_leave_a_selection(world: World) -> None:
    """A label that comes is ADDED, one that goes is DELETED, whatever the write was."""
    watch = world.call("GET", f"{CONFIGMAPS}?watch=1&labelSelector=l=x").watch
    world.ok("POST", CONFIGMAPS, config_map("a"))
    world.ok("PATCH", f"{CONFIGMAPS}/a", {"metadata": {"labels": {"l": "x"}}}, MERGE)
    world.ok("PATCH", f"{CONFIGMAPS}/a", {"data": {"k": "2"}}, MERGE)
    world.ok("PATCH", f"{CONFIGMAPS}/a", {"metadata": {"labels": {"l": "y"}}}, MERGE)
    world.ok("DELETE", f"{CONFIGMAPS}/a")
    assert told(watch) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_a_watch_from_forgotten_times_is_expired(world: World) -> None:
    """One ERROR event with 410, and the end: the client lists again."""
    world.ok("POST", CONFIGMAPS, config_map("a"))
    for version in ("1", "99999"):
        for number in range(600):
            world.ok("PATCH", f"{CONFIGMAPS}/a", {"data": {"n": f"{version}-{number}"}}, MERGE)
        watch = world.call("GET", f"{CONFIGMAPS}?watch=1&resourceVersion={version}").watch
        assert watch is not None
        (event,) = watch.take()
        assert (event.type, event.obj["code"], event.obj["reason"]) == ("ERROR", 410, "Expired")
        assert watch.is_over


def test_initial_events_end_with_a_bookmark(world: World) -> None:
    """sendInitialEvents: what is there, then the bookmark that says that this was all."""
    world.ok("POST", CONFIGMAPS, config_map("a"))
    query = "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    watch = world.call("GET", f"{CONFIGMAPS}?{query}").watch
    assert watch is not None
    first, mark = watch.take()
    assert (first.type, mark.type) == ("ADDED", "BOOKMARK")
    assert mark.obj["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert mark.obj["metadata"]["resourceVersion"] == str(world.store.revision)


def test_a_watcher_is_woken_once_for_many_events(world: World) -> None:
    """And it hears nothing after it stopped."""
    watch = world.call("GET", f"{CONFIGMAPS}?watch=1").watch
    assert watch is not None
    wakes = []
    watch.wake = lambda: wakes.append(1)
    for name in "abc":
        world.ok("POST", CONFIGMAPS, config_map(name))
    assert len(wakes) == 1
    assert len(watch.take()) == 3
    watch.stop()
    watch.stop()
    world.ok("POST", CONFIGMAPS, config_map("d"))
    assert watch.take() == []


# -- the index -------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "delete", "orphan", "foreground"]),
        st.sampled_from("abcde"),
        st.lists(st.sampled_from("abcde"), max_size=2),
    ),
    max_size=20,
)


@settings(deadline=None, max_examples=60)
@given(STEPS)
def test_the_index_equals_a_recount(steps: list[tuple[str, str, list[str]]]) -> None:
    """After any writes the index is what the store says, and nobody stands whose owners are all gone."""
    world = World()
    for step, name, owners in steps:
        path = f"{CONFIGMAPS}/{name}"
        if step == "put":
            references = [
                owner(world.ok("GET", f"{CONFIGMAPS}/{each}"), blockOwnerDeletion=True)
                for each in dict.fromkeys(owners)
                if each != name and world.exists(f"{CONFIGMAPS}/{each}")
            ]
            if world.exists(path):
                world.ok("PATCH", path, {"metadata": {"ownerReferences": references}}, MERGE)
            else:
                world.ok("POST", CONFIGMAPS, config_map(name, ownerReferences=references))
        elif world.exists(path):
            policy = {"delete": "Background", "orphan": "Orphan", "foreground": "Foreground"}[step]
            world.ok("DELETE", path, {"propagationPolicy": policy})
    found, index = world.api.cluster.ownership, Ownership()
    for resource, entry in world.store.everything():
        index.note(resource, None, entry.obj)
    assert found.alive == index.alive
    assert +found.contents == +index.contents
    assert {k: set(v) for k, v in found._dependents.items()} == {
        k: set(v) for k, v in index._dependents.items()
    }
    for entry in world.store.entries("configmaps"):
        references = entry.obj["metadata"].get("ownerReferences") or []
        assert not references or any(each["uid"] in found.alive for each in references), key(entry.obj)
