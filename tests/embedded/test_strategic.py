"""Strategic merge patch of the embedded API."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.patch import PatchFailed
from embedded.schema import Schemas
from embedded.strategic import strategic_patch
from testkit.api.schemas import schema_of

SCHEMAS = Schemas()
DEPLOYMENT = schema_of(SCHEMAS, "apps", "v1", "Deployment")
POD = schema_of(SCHEMAS, "", "v1", "Pod")
SERVICE = schema_of(SCHEMAS, "", "v1", "Service")


def _pod(**spec: Any) -> dict[str, Any]:
    return {"spec": spec}


def _names(pod: dict[str, Any], field: str = "containers") -> list[str]:
    return [entry["name"] for entry in pod["spec"][field]]


ONE = _pod(containers=[{"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}]}])
TWO = _pod(containers=[{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}])


@pytest.mark.parametrize(
    ("doc", "patch", "expected"),
    [
        # plain objects merge, null removes
        (_pod(nodeName="n"), _pod(hostname="h"), _pod(nodeName="n", hostname="h")),
        (_pod(nodeName="n"), _pod(nodeName=None), _pod()),
        (_pod(), _pod(nodeSelector={"a": "b", "c": None}), _pod(nodeSelector={"a": "b"})),
        (
            {"metadata": {"labels": {"a": "1"}}},
            {"metadata": {"labels": {"b": "2"}}},
            {"metadata": {"labels": {"a": "1", "b": "2"}}},
        ),
        # lists merge by key, elements by field
        (
            ONE,
            _pod(containers=[{"name": "a", "image": "a:2"}]),
            _pod(containers=[{**ONE["spec"]["containers"][0], "image": "a:2"}]),
        ),
        (
            ONE,
            _pod(containers=[{"name": "a", "env": [{"name": "X", "value": None}]}]),
            _pod(containers=[{"name": "a", "image": "a:1", "env": [{"name": "X"}]}]),
        ),
        (
            _pod(volumes=[{"name": "v", "emptyDir": {}}]),
            _pod(volumes=[{"name": "w"}]),
            _pod(volumes=[{"name": "w"}, {"name": "v", "emptyDir": {}}]),
        ),
        # lists without a key are replaced
        (
            _pod(tolerations=[{"key": "a"}]),
            _pod(tolerations=[{"key": "b"}]),
            _pod(tolerations=[{"key": "b"}]),
        ),
        (
            _pod(containers=[{"name": "a", "args": ["1", "2"]}]),
            _pod(containers=[{"name": "a", "args": ["3"]}]),
            _pod(containers=[{"name": "a", "args": ["3"]}]),
        ),
        # directives
        (
            _pod(nodeSelector={"a": "b"}),
            _pod(nodeSelector={"$patch": "replace", "c": "d"}),
            _pod(nodeSelector={"c": "d"}),
        ),
        (_pod(nodeSelector={"a": "b"}), _pod(nodeSelector={"$patch": "delete"}), _pod(nodeSelector={})),
        (
            _pod(nodeSelector={"a": "b"}),
            _pod(nodeSelector={"$patch": "merge", "c": "d"}),
            _pod(nodeSelector={"a": "b", "c": "d"}),
        ),
        (
            TWO,
            _pod(containers=[{"$patch": "delete", "name": "a"}]),
            _pod(containers=TWO["spec"]["containers"][1:]),
        ),
        (TWO, _pod(containers=[{"$patch": "delete", "name": "zz"}]), TWO),
        (TWO, _pod(containers=[{"$patch": "replace"}, {"name": "c"}]), _pod(containers=[{"name": "c"}])),
        (TWO, _pod(containers=[{"$patch": "replace"}]), _pod(containers=[])),
        (
            {"metadata": {"finalizers": ["a", "b"]}},
            {"metadata": {"finalizers": ["c", "b"]}},
            {"metadata": {"finalizers": ["c", "a", "b"]}},
        ),
        (
            {"metadata": {"finalizers": ["a", "b"]}},
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a", "z"]}},
            {"metadata": {"finalizers": ["b"]}},
        ),
        (
            _pod(volumes=[{"name": "v", "emptyDir": {}}]),
            _pod(volumes=[{"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "c"}}]),
            _pod(volumes=[{"name": "v", "configMap": {"name": "c"}}]),
        ),
        (
            TWO,
            _pod(**{"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}),
            _pod(containers=TWO["spec"]["containers"][::-1]),
        ),
        # a directive in something new leaves no trace
        (
            _pod(),
            _pod(containers=[{"name": "a"}, {"name": "b", "$patch": "delete"}]),
            _pod(containers=[{"name": "a"}]),
        ),
        (
            _pod(),
            _pod(securityContext={"$retainKeys": ["runAsUser"], "runAsUser": 1}),
            _pod(securityContext={"runAsUser": 1}),
        ),
        (_pod(), _pod(**{"$setElementOrder/containers": [{"name": "a"}]}), _pod()),
        # of another type than what stands there: the patch wins
        (_pod(nodeSelector="odd"), _pod(nodeSelector={"a": "b"}), _pod(nodeSelector={"a": "b"})),
        ({}, {}, {}),
    ],
)
def test_patches(doc: dict[str, Any], patch: dict[str, Any], expected: dict[str, Any]) -> None:
    """Each rule of strategic merge patch, and neither argument is touched."""
    before, patch_before = copy.deepcopy(doc), copy.deepcopy(patch)
    assert strategic_patch(doc, patch, POD) == expected
    assert (doc, patch) == (before, patch_before)


@pytest.mark.parametrize(
    ("server", "patch", "order", "expected"),
    [
        ("ab", "c", None, "cab"),  # a new element comes first, as Kubernetes has it
        ("ab", "b", None, "ab"),
        ("abc", "cb", None, "acb"),
        ("ab", "", "ba", "ba"),
        ("ab", "c", "acb", "acb"),
        ("abc", "", "ca", "bca"),  # an element that the order does not name stands by the server's order
    ],
)
def test_order(server: str, patch: str, order: str | None, expected: str) -> None:
    """The patch's order holds among its elements, the server's among the others."""
    doc = _pod(containers=[{"name": name} for name in server])
    change = {"containers": [{"name": name} for name in patch]}
    if order:
        change["$setElementOrder/containers"] = [{"name": name} for name in order]
    if not patch:
        del change["containers"]
    assert "".join(_names(strategic_patch(doc, {"spec": change}, POD))) == expected


def test_service_ports_merge_by_port() -> None:
    """Of a Service `port` is the key, of a container `containerPort`."""
    service = {"spec": {"ports": [{"port": 80, "targetPort": 1}]}}
    patch = {"spec": {"ports": [{"port": 80, "targetPort": 2}]}}
    assert strategic_patch(service, patch, SERVICE) == patch


def test_conditions_merge_by_type() -> None:
    """A status patch of one condition leaves the others."""
    status = {
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "True"}]
        }
    }
    patch = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    found = strategic_patch(status, patch, POD)["status"]["conditions"]
    assert found == [{"type": "Ready", "status": "False"}, {"type": "Initialized", "status": "True"}]


@pytest.mark.parametrize(
    ("patch", "text"),
    [
        ([], "is an object"),
        ({"spec": {"$patch": "nope"}}, "nope"),
        (_pod(containers=[{"image": "x"}]), "does not contain declared merge key: name"),
        (_pod(containers=["x"]), "does not contain declared merge key: name"),
        (_pod(volumes=[{"name": "v", "$retainKeys": ["name"], "emptyDir": {}}]), "$retainKeys"),
        ({"metadata": {"$deleteFromPrimitiveList/finalizers": "x"}}, "must be a list"),
        (_pod(**{"$setElementOrder/containers": "x", "containers": [{"name": "a"}]}), "must be a list"),
        (
            _pod(
                **{
                    "$setElementOrder/containers": [{"name": "a"}, {"name": "b"}],
                    "containers": [{"name": "b"}, {"name": "a"}],
                }
            ),
            "order",
        ),
        (_pod(**{"$setElementOrder/containers": [{"name": "b"}], "containers": [{"name": "a"}]}), "order"),
    ],
)
def test_refusals(patch: dict[str, Any] | list[Any], text: str) -> None:
    """A patch that breaks the directives' rules is the client's fault."""
    with pytest.raises(PatchFailed) as refused:
        strategic_patch(TWO, patch, POD)
    assert refused.value.status == 400
    assert text in refused.value.message


def test_custom_resources_take_no_strategic_patch() -> None:
    """They have no merge keys: 415, and the client falls back to a merge patch."""
    schemas = Schemas()
    crd = {
        "metadata": {"name": "x"},
        "spec": {"group": "g", "names": {"kind": "K"}, "versions": [{"name": "v1"}]},
    }
    schemas.add_crd(crd)
    with pytest.raises(PatchFailed) as refused:
        strategic_patch({}, {}, schema_of(schemas, "g", "v1", "K"))
    assert refused.value.status == 415


CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("abcde")}, optional={"image": st.text("xy", min_size=1, max_size=1)}
    ),
    max_size=5,
    unique_by=lambda entry: entry["name"],
)


def _difference(old: list[dict[str, str]], new: list[dict[str, str]]) -> dict[str, Any]:
    """The patch that leads from one list of containers to another, made as kubectl makes it."""
    before = {entry["name"]: entry for entry in old}
    patch = []
    for entry in new:
        change = {**{key: None for key in before.get(entry["name"], ()) if key not in entry}, **entry}
        if before.get(entry["name"]) != entry:
            patch.append(change)
    gone = [
        {"name": name, "$patch": "delete"} for name in before if name not in {entry["name"] for entry in new}
    ]
    order = [{"name": entry["name"]} for entry in new]
    return _pod(**{"containers": patch + gone, "$setElementOrder/containers": order})


@given(CONTAINERS, CONTAINERS)
def test_the_patch_of_a_difference_makes_the_difference(
    old: list[dict[str, str]], new: list[dict[str, str]]
) -> None:
    """From any list of containers to any other, order included; twice is once."""
    patch = _difference(old, new)
    once = strategic_patch(_pod(containers=old), patch, POD)
    assert once == _pod(containers=new)
    assert strategic_patch(once, patch, POD) == once


@given(CONTAINERS)
def test_the_empty_patch_changes_nothing(containers: list[dict[str, str]]) -> None:
    """{} is the identity."""
    assert strategic_patch(_pod(containers=containers), {}, POD) == _pod(containers=containers)
