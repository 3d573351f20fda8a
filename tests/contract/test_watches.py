"""Watches: where they begin, what they tell, how they end."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from kube.resources import CONFIGMAPS
from testkit.contract.engine import Engine
from testkit.contract.objects import config_map, widget

OURS = {"labelSelector": "mine"}  # a real API server puts a config map of its own into each namespace


@pytest.fixture
def path(engine: Engine, namespace: str) -> str:
    return CONFIGMAPS.path(namespace)


def make(engine: Engine, path: str, name: str, **data: Any) -> str:
    body = config_map(name, data or {"a": "1"}, labels={"mine": "1"})
    answer = engine.request("POST", path, body)
    assert answer.status == 201, answer
    found: str = answer.body["metadata"]["resourceVersion"]
    return found


def told(events: Iterator[Any] | list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]


def live_life(engine: Engine, path: str, name: str) -> None:
    """An object from its creation to its end."""
    make(engine, path, name)
    engine.patch(f"{path}/{name}", {"data": {"a": "2"}})
    engine.request("DELETE", f"{path}/{name}")


LIFE = [("ADDED", "b"), ("MODIFIED", "b"), ("DELETED", "b")]


def test_a_watch_from_a_version_tells_all_that_followed(engine: Engine, path: str) -> None:
    """No gap and no repeat, whether it happened before or after the watch began."""
    make(engine, path, "a")
    version = engine.request("GET", path, query=OURS).body["metadata"]["resourceVersion"]
    live_life(engine, path, "b")
    with engine.watch(path, {**OURS, "resourceVersion": version}) as watch:
        first = [next(watch) for _ in LIFE]
        live_life(engine, path, "b")
        events = first + [next(watch) for _ in LIFE]
    assert told(events) == LIFE * 2
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions)), "each change has a version of its own, the deletion too"
    kinds = {(event["object"]["kind"], event["object"]["apiVersion"]) for event in events}
    assert kinds == {("ConfigMap", "v1")}
    later = versions[3]
    query = {**OURS, "resourceVersion": str(later)}
    assert told(engine.events(path, query)) == LIFE[1:]


@pytest.mark.parametrize("query", [{}, {"resourceVersion": "0"}], ids=["no version", "version 0"])
def test_a_watch_without_a_version_begins_with_what_is_there(
    engine: Engine, path: str, query: Mapping[str, str]
) -> None:
    """Then it follows."""
    make(engine, path, "a")
    with engine.watch(path, {**OURS, **query}) as watch:
        assert told([next(watch)]) == [("ADDED", "a")]
        live_life(engine, path, "b")
        assert told(next(watch) for _ in LIFE) == LIFE


def test_an_object_that_leaves_the_selection_is_deleted_for_the_watcher(engine: Engine, path: str) -> None:
    """And added when it comes; its last state is the one that was selected."""
    version = make(engine, path, "a")
    for tier in ("x", "y", "x"):
        engine.patch(f"{path}/a", {"metadata": {"labels": {"tier": tier}}})
    engine.patch(f"{path}/a", {"data": {"b": "1"}})
    events = engine.events(path, {"labelSelector": "tier=x", "resourceVersion": version})
    assert [event["type"] for event in events] == ["ADDED", "DELETED", "ADDED", "MODIFIED"]
    left, entered = events[1]["object"]["metadata"], events[0]["object"]["metadata"]
    assert left["labels"]["tier"] == "x"
    assert int(left["resourceVersion"]) > int(entered["resourceVersion"])


def test_a_field_selector_narrows_a_watch(engine: Engine, path: str) -> None:
    """To one object by its name, as kubectl does."""
    version = make(engine, path, "a")
    live_life(engine, path, "b")
    engine.patch(f"{path}/a", {"data": {"a": "3"}})
    query = {"fieldSelector": "metadata.name=a", "resourceVersion": version}
    assert told(engine.events(path, query)) == [("MODIFIED", "a")]


def test_a_watch_ends_after_its_seconds(engine: Engine, path: str) -> None:
    """Quietly."""
    begun = time.monotonic()
    assert (
        engine.events(path, {**OURS, "resourceVersion": make(engine, path, "a"), "timeoutSeconds": "2"}) == []
    )
    assert 1.5 < time.monotonic() - begun < 15


def test_bookmarks_tell_how_far_it_has_come(engine: Engine, path: str) -> None:
    """Whoever asked for them gets one after the first objects, and can go on from it."""
    make(engine, path, "a")
    query = {
        **OURS,
        "allowWatchBookmarks": "true",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
    }
    with engine.watch(path, query) as watch:
        first, mark = next(watch), next(watch)
        live_life(engine, path, "b")
        # More of them may come at any time.
        changes = (event for event in watch if event["type"] != "BOOKMARK")
        assert told(next(changes) for _ in LIFE) == LIFE
    assert (told([first]), mark["type"]) == ([("ADDED", "a")], "BOOKMARK")
    assert (mark["object"]["kind"], mark["object"]["apiVersion"]) == ("ConfigMap", "v1")
    meta = mark["object"]["metadata"]
    assert meta["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert told(engine.events(path, {**OURS, "resourceVersion": meta["resourceVersion"]})) == LIFE
    events = engine.events(path, {key: value for key, value in query.items() if key != "allowWatchBookmarks"})
    assert told(events) == [("ADDED", "a")], "nobody gets bookmarks unasked"


REFUSED = [
    ({"sendInitialEvents": "true"}, 422, "sendInitialEvents requires setting resourceVersionMatch"),
    ({"resourceVersionMatch": "NotOlderThan", "resourceVersion": "1"}, 422, "forbidden for watch unless"),
    ({"labelSelector": "a in b"}, 400, ""),
    ({"fieldSelector": "spec.x=1"}, 400, "is not a known field selector"),
    ({"timeoutSeconds": "x"}, 400, ""),
]


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: "-".join(row[0]))
def test_refused_watches(engine: Engine, path: str, row: tuple[dict[str, str], int, str]) -> None:
    """By a Status and its code, not by an event."""
    query, status, text = row
    answer = engine.request("GET", path, query={"watch": "true", "timeoutSeconds": "1", **query})
    assert (answer.status, answer.body["kind"]) == (status, "Status")
    assert text in answer.message


def test_a_version_that_is_forgotten_is_gone(engine: Engine, path: str, widgets: Callable[..., Any]) -> None:
    """An event ERROR with 410 Expired, and the watch ends: its client has to list again."""
    if engine.name == "kubernetes":
        # It remembers much, but nothing from before it knew of a kind.
        version, path = "1", widgets("")
    else:
        version = make(engine, path, "a")
        for number in range(600):  # more than it remembers of a kind
            engine.patch(f"{path}/a", {"data": {"a": str(number)}})
    (event,) = engine.events(path, {"resourceVersion": version, "timeoutSeconds": "10"})
    assert (event["type"], event["object"]["kind"]) == ("ERROR", "Status")
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
    assert event["object"]["message"].startswith(f"too old resource version: {version} (")


def test_a_version_from_the_future(engine: Engine, path: str) -> None:
    """Kubernetes waits for it. The embedded API says 410 at once: its objects may live in memory alone, and a
    client that outlived them would hear of nothing.
    """
    events = engine.events(path, {"resourceVersion": "9999999999", "timeoutSeconds": "1"})
    if engine.name == "embedded":
        assert [(event["type"], event["object"]["code"]) for event in events] == [("ERROR", 410)]
    else:
        assert events == []


def test_a_single_object_is_not_watched_but_read(engine: Engine, path: str) -> None:
    """`watch` counts for collections."""
    make(engine, path, "a")
    answer = engine.request("GET", f"{path}/a", query={"watch": "true"})
    assert (answer.status, answer.body["kind"]) == (200, "ConfigMap")


def test_custom_resources_are_watched_as_well(
    engine: Engine, namespace: str, widgets: Callable[..., Any]
) -> None:
    """Over all namespaces."""
    version = engine.get(widgets(""))["metadata"]["resourceVersion"]
    path = widgets(namespace)
    engine.request("POST", path, widget())
    engine.patch(f"{path}/w/status", {"status": {"replicas": 1}})
    engine.request("DELETE", f"{path}/w")
    query = {"resourceVersion": version, "fieldSelector": f"metadata.namespace={namespace}"}
    assert told(engine.events(widgets(""), query)) == [("ADDED", "w"), ("MODIFIED", "w"), ("DELETED", "w")]
