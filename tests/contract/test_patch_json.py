"""JSON patch (RFC 6902), with what Kubernetes' API server does beside the RFC."""

from collections.abc import Iterator
from typing import Any

import pytest

from kube.resources import CONFIGMAPS
from testkit.contract.engine import JSON_PATCH, Engine
from testkit.contract.objects import config_map

FINALIZERS = ["a.test/1", "a.test/2", "a.test/3"]
REJECTED = "the server rejected our request due to an error in our request"


def op(name: str, path: str, *value: str | dict[str, str] | None, **more: Any) -> dict[str, Any]:
    return {"op": name, "path": path, **({"value": value[0]} if value else {}), **more}


@pytest.fixture
def path(engine: Engine, namespace: str) -> Iterator[str]:
    engine.create(
        CONFIGMAPS, config_map(namespace=namespace, data={"a": "1", "b": "2"}, finalizers=FINALIZERS)
    )
    yield CONFIGMAPS.path(namespace, "x")
    engine.patch(CONFIGMAPS.path(namespace, "x"), {"metadata": {"finalizers": None}})


DATA = [
    ("test", [op("test", "/data/a", "1")], {"a": "1", "b": "2"}),
    ("test of an object", [op("test", "/data", {"b": "2", "a": "1"})], {"a": "1", "b": "2"}),
    ("test of what is not there", [op("test", "/data/c", None)], {"a": "1", "b": "2"}),
    ("add", [op("add", "/data/c", "3")], {"a": "1", "b": "2", "c": "3"}),
    ("add over", [op("add", "/data/a", "3")], {"a": "3", "b": "2"}),
    ("replace", [op("replace", "/data/a", "3")], {"a": "3", "b": "2"}),
    ("replace what is not there", [op("replace", "/data/c", "3")], {"a": "1", "b": "2", "c": "3"}),
    ("remove", [op("remove", "/data/a")], {"b": "2"}),
    ("copy", [op("copy", "/data/c", **{"from": "/data/a"})], {"a": "1", "b": "2", "c": "1"}),
    ("move", [op("move", "/data/c", **{"from": "/data/a"})], {"b": "2", "c": "1"}),
    ("replace the object", [op("replace", "/data", {"z": "1"})], {"z": "1"}),
    ("nothing", [], {"a": "1", "b": "2"}),
    ("a row", [op("add", "/data/c", "3"), op("test", "/data/c", "3"), op("remove", "/data/a")],
     {"b": "2", "c": "3"}),
]  # fmt: skip


@pytest.mark.parametrize("row", [row[1:] for row in DATA], ids=[row[0] for row in DATA])
def test_operations_on_objects(
    engine: Engine, path: str, row: tuple[list[dict[str, Any]], dict[str, str]]
) -> None:
    """What each operation leaves of the data."""
    operations, data = row
    answer = engine.patch(path, operations, JSON_PATCH)
    assert (answer.status, answer.body["data"]) == (200, data)
    assert engine.get(path)["data"] == data


LISTS = [
    ("at the end", [op("add", "/metadata/finalizers/-", "a.test/4")], [*FINALIZERS, "a.test/4"]),
    ("at the beginning", [op("add", "/metadata/finalizers/0", "a.test/0")], ["a.test/0", *FINALIZERS]),
    ("behind the last", [op("add", "/metadata/finalizers/3", "a.test/4")], [*FINALIZERS, "a.test/4"]),
    ("from the end", [op("add", "/metadata/finalizers/-1", "a.test/4")], [*FINALIZERS, "a.test/4"]),
    ("replaced", [op("replace", "/metadata/finalizers/1", "a.test/x")], ["a.test/1", "a.test/x", "a.test/3"]),
    ("removed", [op("remove", "/metadata/finalizers/0")], FINALIZERS[1:]),
    ("removed from the end", [op("remove", "/metadata/finalizers/-1")], FINALIZERS[:-1]),
]


@pytest.mark.parametrize("row", [row[1:] for row in LISTS], ids=[row[0] for row in LISTS])
def test_operations_on_lists(engine: Engine, path: str, row: tuple[list[dict[str, str]], list[str]]) -> None:
    """Indexes, `-` for the place behind the end, negative ones from it."""
    operations, finalizers = row
    answer = engine.patch(path, operations, JSON_PATCH)
    assert (answer.status, answer.body["metadata"]["finalizers"]) == (200, finalizers)


def test_a_slash_and_a_tilde_in_a_key_are_escaped(engine: Engine, path: str) -> None:
    """`~1` and `~0`."""
    operations = [op("add", "/metadata/labels", {}), op("add", "/metadata/labels/a.test~1b", "1")]
    operations += [op("add", "/metadata/annotations", {"a.test/~x": "no key"})]
    assert engine.patch(path, operations, JSON_PATCH).status == 422, "a tilde is no annotation's key"
    operations[2] = op("test", "/metadata/labels/a.test~1b", "1")
    answer = engine.patch(path, operations, JSON_PATCH)
    assert answer.body["metadata"]["labels"] == {"a.test/b": "1"}


MISFITS = [
    ("failed test", [op("test", "/data/a", "2")]),
    ("failed test of what is not there", [op("test", "/data/c", "2")]),
    ("test of another type", [op("test", "/data", "1")]),
    ("a later test fails", [op("add", "/data/c", "3"), op("test", "/data/a", "2")]),
    ("remove what is not there", [op("remove", "/data/c")]),
    ("below what is not there", [op("add", "/nothing/c", "3")]),
    ("below absent labels", [op("add", "/metadata/labels/c", "3")]),
    ("below a text", [op("add", "/data/a/c", "3")]),
    ("move what is not there", [op("move", "/data/c", **{"from": "/data/z"})]),
    ("index too large", [op("add", "/metadata/finalizers/4", "a.test/4")]),
    ("no index", [op("add", "/metadata/finalizers/one", "a.test/4")]),
    ("remove behind the end", [op("remove", "/metadata/finalizers/-")]),
    ("remove index too large", [op("remove", "/metadata/finalizers/3")]),
    ("unknown operation", [op("frob", "/data/a", "1")]),
    ("no path", [{"op": "add", "value": "1"}]),
    ("path without a slash", [op("add", "data", "1")]),
    ("remove everything", [op("remove", "")]),
]


@pytest.mark.parametrize("operations", [row[1] for row in MISFITS], ids=[row[0] for row in MISFITS])
def test_a_patch_that_does_not_fit_is_invalid_and_changes_nothing(
    engine: Engine, path: str, operations: list[dict[str, str]]
) -> None:
    """422 Invalid, also when an operation before it fitted."""
    before = engine.get(path)
    answer = engine.patch(path, operations, JSON_PATCH)
    assert (answer.status, answer.reason) == (422, "Invalid")
    assert answer.message.startswith(REJECTED)
    assert engine.get(path) == before


NO_PATCHES = [
    ("no list", {"op": "add"}, 400, "BadRequest", "error decoding patch"),
    ("no JSON", b"[", 400, "BadRequest", ""),
    ("too many", [op("test", "/data/a", "1")] * 10_001, 413, "RequestEntityTooLarge", "maximum operations"),
    ("an object without a name", [op("replace", "", {})], 400, "BadRequest", "name must be provided"),
]


@pytest.mark.parametrize("row", [row[1:] for row in NO_PATCHES], ids=[row[0] for row in NO_PATCHES])
def test_what_is_no_patch_is_refused(engine: Engine, path: str, row: tuple[Any, int, str, str]) -> None:
    """Each with its code and reason."""
    body, status, reason, text = row
    answer = engine.patch(path, body, JSON_PATCH)
    assert (answer.status, answer.reason) == (status, reason)
    assert text in answer.message
