"""Strategic merge patch: lists by their keys, and the directives."""

from collections.abc import Iterator
from typing import Any

import pytest

from kube.objects import Obj
from kube.resources import DEPLOYMENTS
from testkit.contract.engine import STRATEGIC, Engine
from testkit.contract.objects import deployment

ENV = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]


@pytest.fixture
def path(engine: Engine, namespace: str) -> Iterator[str]:
    container = {"env": ENV, "args": ["x"], "ports": [{"containerPort": 80}]}
    made = deployment(container=container)
    made["metadata"] |= {
        "namespace": namespace,
        "finalizers": ["a.test/1", "a.test/2"],
        "labels": {"a": "1", "b": "2"},
    }
    made["spec"]["template"]["spec"] |= {
        "volumes": [{"name": "v", "emptyDir": {}}],
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "imagePullSecrets": [{"name": "one"}],
    }
    engine.create(DEPLOYMENTS, made)
    yield DEPLOYMENTS.path(namespace, "d")
    engine.patch(DEPLOYMENTS.path(namespace, "d"), {"metadata": {"finalizers": None}})


def containers(*wanted: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": list(wanted)}}}}


def main(**fields: Any) -> dict[str, Any]:
    return containers({"name": "main", **fields})


def pods(**fields: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": fields}}}


def _names(deployed: Obj, field: str) -> list[str]:
    (container,) = deployed["spec"]["template"]["spec"]["containers"]
    return [entry["name"] for entry in container.get(field) or ()]


ENVIRONMENTS = [
    ("merged by name", main(env=[{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]),
     {"A": "1", "B": "3", "C": "4"}),
    ("one deleted", main(env=[{"name": "A", "$patch": "delete"}]), {"B": "2"}),
    ("what is not there deleted", main(env=[{"name": "Z", "$patch": "delete"}]), {"A": "1", "B": "2"}),
    ("replaced", main(env=[{"$patch": "replace"}, {"name": "C", "value": "4"}]), {"C": "4"}),
    ("removed", main(env=None), {}),
    ("emptied by replacing", main(env=[{"$patch": "replace"}]), {}),
    ("an empty list merges nothing", main(env=[]), {"A": "1", "B": "2"}),
]  # fmt: skip


@pytest.mark.parametrize("row", [row[1:] for row in ENVIRONMENTS], ids=[row[0] for row in ENVIRONMENTS])
def test_a_list_with_a_merge_key(
    engine: Engine, path: str, row: tuple[dict[str, Any], dict[str, str]]
) -> None:
    """Environment variables by their name."""
    patch, wanted = row
    answer = engine.patch(path, patch, STRATEGIC)
    assert answer.status == 200
    (container,) = answer.body["spec"]["template"]["spec"]["containers"]
    assert {entry["name"]: entry["value"] for entry in container.get("env") or ()} == wanted
    assert container["args"] == ["x"], "what the patch does not speak of stays"


@pytest.mark.parametrize(
    ("order", "env", "names"),
    [
        (["B", "A"], None, ["B", "A"]),
        (["C", "A", "B"], [{"name": "C", "value": "3"}], ["C", "A", "B"]),
        (["A", "B", "C"], [{"name": "C", "value": "3"}], ["A", "B", "C"]),
        (["A", "C", "B"], [{"name": "C", "value": "3"}, {"name": "B", "value": "x"}], ["A", "C", "B"]),
    ],
)
def test_an_order_for_a_list(
    engine: Engine, path: str, order: list[str], env: list[dict[str, str]] | None, names: list[str]
) -> None:
    """`$setElementOrder`, as kubectl apply sends it."""
    fields = {"$setElementOrder/env": [{"name": name} for name in order], **({"env": env} if env else {})}
    answer = engine.patch(path, main(**fields), STRATEGIC)
    assert (answer.status, _names(answer.body, "env")) == (200, names)


OTHERS = [
    ("a container more", containers({"name": "two", "image": "i:1"}), "containers", ["main", "two"]),
    ("a container less", containers({"name": "two", "image": "i:1"}, {"name": "main", "$patch": "delete"}),
     "containers", ["two"]),
    ("a volume more", pods(volumes=[{"name": "w", "emptyDir": {}}]), "volumes", ["v", "w"]),
    ("pull secrets merge", pods(imagePullSecrets=[{"name": "two"}]), "imagePullSecrets", ["one", "two"]),
]  # fmt: skip


@pytest.mark.parametrize("row", [row[1:] for row in OTHERS], ids=[row[0] for row in OTHERS])
def test_other_lists_with_a_merge_key(
    engine: Engine, path: str, row: tuple[dict[str, Any], str, list[str]]
) -> None:
    """In no order that matters."""
    patch, field, names = row
    answer = engine.patch(path, patch, STRATEGIC)
    assert answer.status == 200
    assert sorted(entry["name"] for entry in answer.body["spec"]["template"]["spec"][field]) == names


def test_lists_without_a_merge_key_are_replaced(engine: Engine, path: str) -> None:
    """Arguments, tolerations."""
    engine.patch(path, main(args=["y", "z"]), STRATEGIC)
    answer = engine.patch(path, pods(tolerations=[{"key": "b", "operator": "Exists"}]), STRATEGIC)
    spec = answer.body["spec"]["template"]["spec"]
    assert spec["containers"][0]["args"] == ["y", "z"]
    assert [each["key"] for each in spec["tolerations"]] == ["b"]


def test_ports_merge_by_number(engine: Engine, path: str) -> None:
    """A name is given to the port that is there."""
    wanted = [{"containerPort": 80, "name": "web"}, {"containerPort": 81}]
    answer = engine.patch(path, main(ports=wanted), STRATEGIC)
    found = answer.body["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert sorted((port["containerPort"], port.get("name"), port["protocol"]) for port in found) == [
        (80, "web", "TCP"),
        (81, None, "TCP"),
    ]


FINALIZERS = [
    ({"finalizers": ["a.test/3"]}, {"a.test/1", "a.test/2", "a.test/3"}),
    ({"finalizers": ["a.test/1"]}, {"a.test/1", "a.test/2"}),
    ({"$deleteFromPrimitiveList/finalizers": ["a.test/1"]}, {"a.test/2"}),
    ({"finalizers": None}, set()),
]


@pytest.mark.parametrize(
    ("patch", "wanted"), FINALIZERS, ids=["merged", "there already", "deleted", "removed"]
)
def test_a_list_of_plain_values_merges(
    engine: Engine, path: str, patch: dict[str, Any], wanted: set[str]
) -> None:
    """Finalizers."""
    answer = engine.patch(path, {"metadata": patch}, STRATEGIC)
    assert answer.status == 200
    assert set(answer.body["metadata"].get("finalizers") or ()) == wanted


def test_maps_merge_and_are_replaced_when_asked(engine: Engine, path: str) -> None:
    """Labels: null removes one, `$patch: replace` all others."""
    patch = {"metadata": {"labels": {"a": None, "c": "3"}}}
    assert engine.patch(path, patch, STRATEGIC).body["metadata"]["labels"] == {"b": "2", "c": "3"}
    patch = {"metadata": {"labels": {"$patch": "replace", "d": "4"}}}
    assert engine.patch(path, patch, STRATEGIC).body["metadata"]["labels"] == {"d": "4"}


def test_keys_to_retain_clear_the_others(engine: Engine, path: str) -> None:
    """`$retainKeys`, where one field of several may be set."""
    answer = engine.patch(path, {"spec": {"strategy": {"type": "Recreate"}}}, STRATEGIC)
    assert (answer.status, answer.causes) == (422, ["spec.strategy.rollingUpdate"])
    retained = {"$retainKeys": ["type"], "type": "Recreate"}
    answer = engine.patch(path, {"spec": {"strategy": retained}}, STRATEGIC)
    assert (answer.status, answer.body["spec"]["strategy"]) == (200, {"type": "Recreate"})
    volume = {"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "c"}}
    answer = engine.patch(path, pods(volumes=[volume]), STRATEGIC)
    (found,) = answer.body["spec"]["template"]["spec"]["volumes"]
    assert sorted(found) == ["configMap", "name"]


BROKEN = [
    ("no merge key", containers({"image": "x"}), "does not contain declared merge key: name"),
    ("unknown directive", main(**{"$patch": "frob"}), "frob"),
    ("order without the elements",
     {"metadata": {"$setElementOrder/finalizers": ["a.test/1"], "finalizers": ["a.test/9"]}}, "order"),
]  # fmt: skip


@pytest.mark.parametrize("row", [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_patch_against_the_rules_changes_nothing(
    engine: Engine, path: str, row: tuple[dict[str, Any], str]
) -> None:
    """Kubernetes answers 500 to this mistake of the client, the embedded API 400; both say what is wrong."""
    patch, text = row
    before = engine.get(path)
    answer = engine.patch(path, patch, STRATEGIC)
    assert answer.status == (400 if engine.name == "embedded" else 500)
    assert text in answer.message
    after = engine.get(path)  # its controller may have written a status meanwhile
    assert after["spec"] == before["spec"]
    assert after["metadata"]["finalizers"] == before["metadata"]["finalizers"]


def test_the_result_is_validated_as_an_object_is(engine: Engine, path: str) -> None:
    """Several mistakes are told at once, each with its field."""
    replaced = {"$patch": "replace", "metadata": {"name": "d"}}
    answer = engine.patch(path, replaced, STRATEGIC)
    assert (answer.status, answer.reason) == (422, "Invalid")
    assert set(answer.causes) == {
        "spec.selector", "spec.template.metadata.labels", "spec.template.spec.containers",
    }  # fmt: skip
    answer = engine.patch(path, {"spec": {"selector": {"matchLabels": {"x": "y"}}}}, STRATEGIC)
    assert answer.causes == ["spec.template.metadata.labels", "spec.selector"]
    assert engine.patch(path, {"spec": {"replicas": "x"}}, STRATEGIC).causes == ["patch"]
