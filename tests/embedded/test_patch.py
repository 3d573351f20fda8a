"""JSON patch and merge patch of the embedded API."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.patch import MAX_OPERATIONS, PatchFailed, json_patch, merge_patch

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab~/", max_size=2),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.text("abc", max_size=1), below, max_size=3)
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text("abcd", max_size=1), JSON, max_size=4)
DOC: dict[str, Any] = {
    "spec": {"replicas": 0, "list": [1, 2, 3]},
    "metadata": {"labels": {"a/b": "x", "m~n": "y"}},
}


@pytest.mark.parametrize(
    ("ops", "at", "expected"),
    [
        ([{"op": "replace", "path": "/spec/replicas", "value": 1}], ("spec", "replicas"), 1),
        ([{"op": "add", "path": "/spec/new", "value": {"k": None}}], ("spec", "new"), {"k": None}),
        ([{"op": "add", "path": "/spec/list/1", "value": 9}], ("spec", "list"), [1, 9, 2, 3]),
        ([{"op": "add", "path": "/spec/list/-", "value": 9}], ("spec", "list"), [1, 2, 3, 9]),
        ([{"op": "remove", "path": "/spec/list/0"}], ("spec", "list"), [2, 3]),
        (
            [{"op": "replace", "path": "/metadata/labels/a~1b", "value": "z"}],
            ("metadata", "labels", "a/b"),
            "z",
        ),
        ([{"op": "remove", "path": "/metadata/labels/m~0n"}], ("metadata", "labels"), {"a/b": "x"}),
        (
            [{"op": "move", "from": "/spec/list", "path": "/spec/moved"}],
            ("spec",),
            {"replicas": 0, "moved": [1, 2, 3]},
        ),
        ([{"op": "copy", "from": "/spec/list/2", "path": "/spec/replicas"}], ("spec", "replicas"), 3),
        ([{"op": "test", "path": "/spec/replicas", "value": 0}], ("spec", "replicas"), 0),
        ([{"op": "test", "path": "/spec/nope", "value": None}], ("spec", "replicas"), 0),
        ([{"op": "replace", "path": "/spec/nope", "value": 1}], ("spec", "nope"), 1),
        ([{"op": "add", "path": "/spec/list/-1", "value": 9}], ("spec", "list"), [1, 2, 3, 9]),
        ([{"op": "remove", "path": "/spec/list/-1"}], ("spec", "list"), [1, 2]),
        ([], ("spec", "replicas"), 0),
    ],
)
def test_json_patch_operations(ops: list[dict[str, Any]], at: tuple[str, ...], expected: Any) -> None:
    """Each operation of RFC 6902 does what it says, and the patched document is left alone."""
    before = copy.deepcopy(DOC)
    found = json_patch(DOC, ops)
    for key in at:
        found = found[key]
    assert found == expected
    assert before == DOC


@pytest.mark.parametrize(
    ("ops", "status", "reason", "text"),
    [
        ({"op": "add"}, 400, "BadRequest", "list of operations"),
        ([1], 400, "BadRequest", "list of operations"),
        ([{"path": "/a"}], 422, "Invalid", "no operation None"),
        ([{"op": "nope", "path": "/a"}], 422, "Invalid", "nope"),
        ([{"op": "add", "path": 7, "value": 1}], 422, "Invalid", "path"),
        ([{"op": "add", "path": "/a"}], 422, "Invalid", "value"),
        (
            [{"op": "test", "path": "/spec/replicas", "value": 1}],
            422,
            "Invalid",
            "testing value failed (test /spec/r",
        ),
        ([{"op": "test", "path": "/spec/replicas", "value": False}], 422, "Invalid", "testing value failed"),
        ([{"op": "test", "path": "/spec/nope", "value": 1}], 422, "Invalid", "testing value failed"),
        ([{"op": "remove", "path": "/spec/nope"}], 422, "Invalid", "does not fit (remove /spec/nope)"),
        ([{"op": "add", "path": "/no/where", "value": 1}], 422, "Invalid", "does not fit"),
        ([{"op": "add", "path": "/spec/list/7", "value": 1}], 422, "Invalid", "does not fit"),
        ([{"op": "add", "path": "/spec/list/x", "value": 1}], 422, "Invalid", "does not fit"),
        ([{"op": "add", "path": "/spec/list/-5", "value": 1}], 422, "Invalid", "does not fit"),
        ([{"op": "remove", "path": "/spec/list/-"}], 422, "Invalid", "does not fit"),
        ([{"op": "copy", "from": "/spec/list/3", "path": "/a"}], 422, "Invalid", "does not fit"),
        ([{"op": "add", "path": "/spec/replicas/deep", "value": 1}], 422, "Invalid", "does not fit"),
        ([{"op": "replace", "path": "", "value": [1]}], 422, "Invalid", "no object"),
        (
            [{"op": "test", "path": "/a", "value": 1}] * (MAX_OPERATIONS + 1),
            413,
            "RequestEntityTooLarge",
            "10000",
        ),
    ],
)
def test_json_patch_refusals(ops: list[Any] | dict[str, str], status: int, reason: str, text: str) -> None:
    """What is no patch is the client's fault (400); what does not fit the object is refused (422)."""
    with pytest.raises(PatchFailed) as refused:
        json_patch(DOC, ops)
    assert (refused.value.status, refused.value.reason) == (status, reason)
    assert text in refused.value.message


def test_a_refusal_tells_nothing_of_the_object() -> None:
    """An object may hold secrets, so the message names operation and path alone."""
    secret = {"data": {"password": "hunter2"}}
    for op in (
        {"op": "add", "path": "/a/b", "value": 1},
        {"op": "test", "path": "/data/password", "value": "x"},
    ):
        with pytest.raises(PatchFailed) as refused:
            json_patch(secret, [op])
        assert "hunter2" not in refused.value.message


def test_a_failed_test_undoes_the_operations_before_it() -> None:
    """A JSON patch applies as a whole or not at all."""
    ops = [
        {"op": "replace", "path": "/spec/replicas", "value": 5},
        {"op": "test", "path": "/spec/list", "value": []},
    ]
    with pytest.raises(PatchFailed):
        json_patch(DOC, ops)
    assert DOC["spec"]["replicas"] == 0


@pytest.mark.parametrize(
    ("doc", "patch", "expected"),
    [  # the examples of RFC 7386, appendix A, for objects
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
        ({"a": {"b": 1}}, {}, {"a": {"b": 1}}),
        ({}, {"a": [None, {"b": None}]}, {"a": [None, {"b": None}]}),
    ],
)
def test_merge_patch_examples(doc: dict[str, Any], patch: dict[str, Any], expected: dict[str, Any]) -> None:
    """RFC 7386: objects merge, null removes, all else replaces, lists whole."""
    assert merge_patch(doc, patch) == expected


@pytest.mark.parametrize("patch", [[], "x", 1, None])
def test_a_merge_patch_is_an_object(patch: Any) -> None:
    """Anything else is refused with 400, though the RFC would let it replace the object."""
    with pytest.raises(PatchFailed) as refused:
        merge_patch({"a": 1}, patch)
    assert refused.value.status == 400


def _merge_diff(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            patch[key] = _merge_diff(before, value)
        elif key not in old or before != value or isinstance(before, bool) != isinstance(value, bool):
            patch[key] = value
    return patch


def _has_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(entry is None or _has_null(entry) for entry in value.values())
    return False


@given(OBJECTS)
def test_the_empty_merge_patch_changes_nothing(doc: dict[str, Any]) -> None:
    """{} is the identity."""
    assert merge_patch(doc, {}) == doc


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_applied_twice_is_applied_once(doc: dict[str, Any], patch: dict[str, Any]) -> None:
    """Merge patches are idempotent."""
    once = merge_patch(doc, patch)
    assert merge_patch(once, patch) == once


@given(OBJECTS, OBJECTS.filter(lambda new: not _has_null(new)))
def test_the_merge_patch_of_a_difference_makes_the_difference(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    """Any object without nulls can be reached from any other."""
    before = copy.deepcopy(old)
    assert merge_patch(old, _merge_diff(old, new)) == new
    assert old == before


@given(
    OBJECTS,
    st.lists(
        st.fixed_dictionaries(
            {
                "op": st.sampled_from(["add", "remove", "test", "replace", "copy"]),
                "path": st.text("/ab0-~1", max_size=4),
                "from": st.text("/ab0", max_size=3),
                "value": JSON,
            }
        ),
        max_size=4,
    ),
)
def test_any_json_patch_yields_an_object_or_a_refusal(doc: dict[str, Any], ops: list[dict[str, Any]]) -> None:
    """No patch ends in an unexpected error, and none changes the document in place."""
    before = copy.deepcopy(doc)
    status = 200
    try:
        json_patch(doc, ops)
    except PatchFailed as refused:
        status = refused.status
    assert status in (200, 400, 422)
    assert doc == before
