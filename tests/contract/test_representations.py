"""Answers as tables and as metadata alone, which kubectl and controllers ask for."""

from collections.abc import Callable
from typing import Any

import pytest

from kube.resources import (
    CONFIGMAPS,
    CORE_SERVICES,
    DEPLOYMENTS,
    EVENTS,
    NAMESPACES,
    NODES,
    PODS,
    REPLICASETS,
    SECRETS,
    SERVICEACCOUNTS,
    Resource,
)
from testkit.contract.engine import Engine
from testkit.contract.objects import config_map, widget

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"

# Names, with their types where these are not "string"; those for `-o wide` behind the bar, but for ~.
COLUMNS = {
    CONFIGMAPS: "Name Data Age",
    SECRETS: "Name Type Data Age",
    SERVICEACCOUNTS: "Name Secrets Age",
    NAMESPACES: "Name Status Age",
    PODS: "Name Ready Status Restarts Age | IP Node Nominated_Node Readiness_Gates",
    DEPLOYMENTS: "Name Ready Up-to-date Available Age | Containers Images Selector",
    REPLICASETS: "Name Desired:integer Current:integer Ready:integer Age | Containers Images Selector",
    CORE_SERVICES: "Name Type Cluster-IP External-IP Port(s) Age | Selector",
    NODES: "Name Status Roles Age Version "
    "| Internal-IP External-IP OS-Image Kernel-Version Container-Runtime",
    EVENTS: "Last_Seen Type Reason Object | Subobject Source ~Message First_Seen Count Name",
}


def told(definitions: list[dict[str, Any]]) -> list[tuple[str, str, bool]]:
    """In the words of the table above."""
    return [(each["name"].replace(" ", "_"), each["type"], bool(each["priority"])) for each in definitions]


def expected(text: str) -> list[tuple[str, str, bool]]:
    shown, _, wide = text.partition("|")
    found = []
    for part, is_wide in [(part, False) for part in shown.split()] + [(part, True) for part in wide.split()]:
        name, _, kind = part.removeprefix("~").partition(":")
        found.append((name, kind or "string", is_wide and not part.startswith("~")))
    return found


@pytest.mark.parametrize("resource", COLUMNS, ids=lambda found: found.kind)
def test_the_columns_of_a_kind(engine: Engine, namespace: str, resource: Resource) -> None:
    """Names, types, and which of them are for `-o wide`."""
    answer = engine.request("GET", resource.path(namespace), headers={"Accept": TABLE})
    assert (answer.body["kind"], answer.body["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert told(answer.body["columnDefinitions"]) == expected(COLUMNS[resource])


def test_a_table_of_objects(engine: Engine, namespace: str) -> None:
    """A row for each, with as much of the object as is asked for."""
    engine.create(CONFIGMAPS, config_map("a", {"k": "1", "l": "2"}, namespace=namespace))
    path = CONFIGMAPS.path(namespace)
    query = {"fieldSelector": "metadata.name=a"}
    listed = engine.request("GET", path, headers={"Accept": f"{TABLE},application/json"}, query=query).body
    assert listed["metadata"]["resourceVersion"].isdigit()
    (row,) = listed["rows"]
    assert row["cells"][:2] == ["a", 2]
    assert (row["object"]["kind"], row["object"]["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert row["object"]["metadata"]["name"] == "a"
    single = engine.request("GET", f"{path}/a", headers={"Accept": TABLE}).body
    assert single["rows"][0]["object"] == row["object"]
    for include, kind in (("Object", "ConfigMap"), ("Metadata", "PartialObjectMetadata"), ("None", None)):
        answer = engine.request(
            "GET", f"{path}/a", headers={"Accept": TABLE}, query={"includeObject": include}
        )
        assert (answer.body["rows"][0]["object"] or {}).get("kind") == kind
    answer = engine.request("GET", f"{path}/a", headers={"Accept": TABLE}, query={"includeObject": "Some"})
    assert answer.status == 400


def test_a_custom_resource_has_the_columns_of_its_definition(
    engine: Engine, namespace: str, widgets: Callable[..., Any]
) -> None:
    """And its name."""
    engine.request("POST", widgets(namespace), widget(size=3))
    found = engine.request("GET", widgets(namespace), headers={"Accept": TABLE}).body
    assert told(found["columnDefinitions"]) == [("Name", "string", False), ("Size", "integer", False)]
    assert found["rows"][0]["cells"] == ["w", 3]


def test_a_watch_of_tables_tells_the_columns_once(engine: Engine, namespace: str) -> None:
    """The rows that follow have none."""
    path = CONFIGMAPS.path(namespace)
    for name in "ab":
        engine.create(CONFIGMAPS, config_map(name, namespace=namespace, labels={"mine": "1"}))
    with engine.watch(path, {"labelSelector": "mine", "resourceVersion": "0"}, accept=TABLE) as watch:
        first, second = next(watch), next(watch)
    assert [event["object"]["kind"] for event in (first, second)] == ["Table", "Table"]
    assert len(first["object"]["columnDefinitions"]) == 3
    assert not second["object"]["columnDefinitions"]
    assert second["object"]["rows"][0]["cells"][0] == "b"


def test_metadata_alone(engine: Engine, namespace: str) -> None:
    """Of one object, of a list, in a watch."""
    engine.create(CONFIGMAPS, config_map("a", namespace=namespace, labels={"mine": "1"}))
    path = CONFIGMAPS.path(namespace)
    one = engine.request("GET", f"{path}/a", headers={"Accept": PARTIAL}).body
    assert sorted(one) == ["apiVersion", "kind", "metadata"]
    assert (one["kind"], one["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    query = {"labelSelector": "mine"}
    listed = engine.request("GET", path, headers={"Accept": PARTIAL_LIST}, query=query).body
    assert (listed["kind"], len(listed["items"])) == ("PartialObjectMetadataList", 1)
    assert listed["items"][0]["metadata"] == one["metadata"]
    with engine.watch(path, {**query, "resourceVersion": "0"}, accept=PARTIAL) as watch:
        event = next(watch)
    assert (event["object"]["kind"], event["object"]["metadata"]) == (
        "PartialObjectMetadata",
        one["metadata"],
    )
    for accept, place in ((PARTIAL, path), (PARTIAL_LIST, f"{path}/a")):
        answer = engine.request("GET", place, headers={"Accept": accept})
        assert (answer.status, answer.reason) == (406, "NotAcceptable")
