"""Server-side apply and managedFields of the embedded API."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedded import fieldsets
from embedded.apply import ApplyConflict, server_side_apply, track_update
from embedded.managed import ANCIENT, MAX_UPDATERS
from embedded.patch import PatchFailed
from embedded.schema import Schemas
from kube.objects import Obj
from testkit.api.schemas import schema_of

DEPLOYMENT = schema_of(Schemas(), "apps", "v1", "Deployment")
SYSTEM = {"uid": "u", "resourceVersion": "7", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"}


def deployment(
    containers: list[Any] | None = None, *, labels: dict[str, str] | None = None, **spec: Any
) -> Obj:
    metadata: dict[str, Any] = {"name": "d", "namespace": "n"}
    if labels is not None:
        metadata["labels"] = labels
    if containers is not None:
        spec["template"] = {"spec": {"containers": containers}}
    made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}
    return {**made, "spec": spec} if spec else made


def as_it_is(obj: Obj) -> Obj:
    """Nothing is filled in."""
    return obj


def apply(
    live: Obj | None,
    wanted: Obj,
    manager: str = "a",
    *,
    completed: Callable[..., Any] = as_it_is,
    force: bool = False,
    now: float = 100.0,
) -> Obj:
    return server_side_apply(
        live, wanted, completed=completed, manager=manager, force=force, schema=DEPLOYMENT, now=now
    )


def update(
    old: Obj | None, new: Obj, manager: str = "u", *, subresource: str = "", now: float = 100.0
) -> Obj:
    return track_update(
        old, new, manager=manager, operation="Update", subresource=subresource, schema=DEPLOYMENT, now=now
    )


def owned(obj: Obj) -> dict[str, Any]:
    """{manager: [paths]} as Kubernetes prints them."""
    entries = obj["metadata"].get("managedFields", [])
    return {entry["manager"]: sorted(fieldsets.paths(entry["fieldsV1"])) for entry in entries}


def containers(obj: Obj) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = obj["spec"]["template"]["spec"]["containers"]
    return found


# -- apply -----------------------------------------------------------------------------------------------


def test_the_first_apply_creates_and_owns_what_it_lists() -> None:
    """The entry has Kubernetes' form: list elements by their keys, what the API sets left out."""
    made = apply(
        None, deployment([{"name": "x", "image": "i", "ports": [{"containerPort": 80}]}], replicas=2)
    )
    (entry,) = made["metadata"]["managedFields"]
    assert {key: value for key, value in entry.items() if key != "fieldsV1"} == {
        "manager": "a",
        "operation": "Apply",
        "apiVersion": "apps/v1",
        "time": "1970-01-01T00:01:40Z",
        "fieldsType": "FieldsV1",
    }
    port = 'k:{"containerPort":80,"protocol":"TCP"}'
    container: dict[str, Any] = {
        ".": {},
        "f:name": {},
        "f:image": {},
        "f:ports": {port: {".": {}, "f:containerPort": {}}},
    }
    assert entry["fieldsV1"] == {
        "f:spec": {
            "f:replicas": {},
            "f:template": {"f:spec": {"f:containers": {'k:{"name":"x"}': container}}},
        }
    }


def test_applying_the_same_again_is_no_write() -> None:
    """The stored object itself comes back, so that its resourceVersion stays."""
    made = apply(None, deployment([{"name": "x"}], labels={"a": "1"}))
    assert apply(made, deployment([{"name": "x"}], labels={"a": "1"}), now=999.0) is made


def test_fields_no_longer_listed_go_unless_somebody_else_owns_them() -> None:
    """Removal is by ownership, not by difference."""
    live = apply(None, deployment(labels={"mine": "1", "shared": "1"}, replicas=1))
    live = apply(live, deployment(labels={"shared": "1"}), "b")
    live["metadata"].update(SYSTEM)
    live["spec"]["paused"] = True  # nobody's
    left = apply(live, deployment(minReadySeconds=1))
    assert left["metadata"]["labels"] == {"shared": "1"}
    assert left["metadata"]["uid"] == "u"
    assert left["spec"] == {"paused": True, "minReadySeconds": 1}
    assert owned(left) == {"a": [".spec.minReadySeconds"], "b": [".metadata.labels.shared"]}


def test_an_element_goes_with_its_last_owner_though_others_own_some_of_its_fields() -> None:
    """Who only changed a field of a container does not keep the container."""
    live = apply(None, deployment([{"name": "x", "image": "1"}, {"name": "y", "image": "1"}]))
    changed = copy.deepcopy(live)
    containers(changed)[0]["image"] = "2"
    live = update(live, changed)
    assert owned(live)["u"] == ['.spec.template.spec.containers[name="x"].image']
    left = apply(live, deployment([{"name": "y", "image": "1"}]))
    assert containers(left) == [{"name": "y", "image": "1"}]
    assert "u" not in owned(left)


def test_an_element_that_two_apply_stays_and_keeps_its_key() -> None:
    """What one of them lists no more goes, but an element never loses the field it is known by."""
    live = apply(None, deployment([{"name": "x", "image": "1", "workingDir": "/a"}]))
    live = apply(live, deployment([{"name": "x", "tty": True}]), "b")
    left = apply(live, deployment([]))
    assert containers(left) == [{"name": "x", "tty": True}]


def test_defaults_within_something_removed_go_with_it() -> None:
    """A probe that is applied no more leaves none of its defaulted fields behind."""
    live = apply(None, deployment([{"name": "x", "readinessProbe": {"tcpSocket": {"port": 80}}}]))
    containers(live)[0]["readinessProbe"]["periodSeconds"] = 10
    left = apply(live, deployment([{"name": "x"}]))
    assert containers(left) == [{"name": "x"}]


def test_metadata_survives_when_nobody_owns_anything_in_it() -> None:
    """Name and namespace belong to the API."""
    live = apply(None, deployment(labels={"a": "1"}))
    left = apply(live, deployment(replicas=1))
    assert (left["metadata"]["name"], left["metadata"]["namespace"]) == ("d", "n")
    assert "labels" not in left["metadata"]


def test_a_change_of_anothers_field_is_a_conflict_that_names_owner_and_field() -> None:
    """Kubernetes' words, and the causes that kubectl prints."""
    live = update(None, deployment([{"name": "x", "image": "1"}], replicas=1), "kubectl-client-side-apply")
    wanted = deployment([{"name": "x", "image": "2"}], replicas=1)
    with pytest.raises(ApplyConflict) as refused:
        apply(live, wanted)
    path = '.spec.template.spec.containers[name="x"].image'
    owner = 'conflict with "kubectl-client-side-apply" using apps/v1'
    assert refused.value.causes == [("kubectl-client-side-apply", path)]
    assert refused.value.status_causes == [
        {"reason": "FieldManagerConflict", "message": owner, "field": path}
    ]
    assert refused.value.message == f"Apply failed with 1 conflict: {owner}: {path}"


def test_several_conflicts_are_listed_by_owner() -> None:
    """One line an owner, one line a field; sub-resources are told."""
    live = update(None, deployment(replicas=1, paused=False, minReadySeconds=1), "one")
    scaled = copy.deepcopy(live)
    scaled["spec"]["replicas"] = 5
    live = update(live, scaled, "hpa", subresource="scale")
    with pytest.raises(ApplyConflict) as refused:
        apply(live, deployment(replicas=2, paused=True, minReadySeconds=2))
    assert refused.value.message.splitlines() == [
        'Apply failed with 3 conflicts: conflicts with "hpa" with subresource "scale" using apps/v1:',
        "- .spec.replicas",
        'conflicts with "one" using apps/v1:',
        "- .spec.paused",
        "- .spec.minReadySeconds",
    ]


def test_force_takes_the_field_from_its_owner() -> None:
    """The value changes hands; the former owner keeps the rest."""
    live = update(None, deployment(replicas=1, paused=False))
    taken = apply(live, deployment(replicas=2), force=True)
    assert taken["spec"] == {"replicas": 2, "paused": False}
    assert owned(taken) == {"a": [".spec.replicas"], "u": [".spec.paused"]}


def test_what_completion_fills_in_is_nobodys_change() -> None:
    """A list that lacks nothing but defaults is shared; one that says something else is a conflict."""

    def with_defaults(obj: Obj) -> Obj:
        done = copy.deepcopy(obj)
        for toleration in done["spec"]["template"]["spec"]["tolerations"]:
            toleration.setdefault("operator", "Equal")
        return done

    def tolerating(value: str, **more: Any) -> Obj:
        made = deployment(replicas=1)
        made["spec"]["template"] = {"spec": {"tolerations": [{"key": "a", "value": value, **more}]}}
        return made

    live = update(None, tolerating("1", operator="Equal"))
    shared = apply(live, tolerating("1"), completed=with_defaults)
    path = ".spec.template.spec.tolerations"
    assert path in owned(shared)["a"]
    assert path in owned(shared)["u"]
    with pytest.raises(ApplyConflict):
        apply(live, tolerating("2"), completed=with_defaults)


def test_the_same_value_is_shared_without_conflict() -> None:
    """Co-owners: the field stays until the last of them lets go."""
    live = apply(None, deployment(replicas=2))
    live = apply(live, deployment(replicas=2), "b")
    live = apply(live, deployment(paused=True))
    assert live["spec"] == {"replicas": 2, "paused": True}
    live = apply(live, deployment(minReadySeconds=1), "b")
    assert "replicas" not in live["spec"]


def test_atomic_parts_have_one_owner() -> None:
    """A label selector and a list without keys change as a whole or not at all."""
    live = apply(None, deployment(selector={"matchLabels": {"a": "1"}}))
    assert owned(live)["a"] == [".spec.selector"]
    with pytest.raises(ApplyConflict) as refused:
        apply(live, deployment(selector={"matchLabels": {"b": "1"}}), "b")
    assert refused.value.causes == [("a", ".spec.selector")]
    forced = apply(live, deployment(selector={"matchLabels": {"b": "1"}}), "b", force=True)
    assert forced["spec"]["selector"] == {"matchLabels": {"b": "1"}}


def test_sets_hold_the_values_of_all_owners() -> None:
    """Finalizers of two appliers stand side by side; each removes its own."""
    one = {**deployment(), "metadata": {"name": "d", "finalizers": ["a", "b"]}}
    two = {**deployment(), "metadata": {"name": "d", "finalizers": ["c"]}}
    live = apply(apply(None, one), two, "b")
    assert live["metadata"]["finalizers"] == ["a", "b", "c"]
    assert owned(live)["b"] == ['.metadata.finalizers[="c"]']
    assert apply(live, deployment())["metadata"]["finalizers"] == ["c"]


@pytest.mark.parametrize(
    ("live", "applied", "expected"),
    [
        ("ab", "ab", "ab"),
        ("ab", "ba", "ba"),
        ("bca", "ab", "cab"),
        ("bac", "ab", "acb"),
        ("xa", "a", "xa"),
        ("ax", "a", "ax"),
        ("xy", "a", "xya"),
        ("axb", "ab", "axb"),
        ("", "ab", "ab"),
    ],
)
def test_order_of_keyed_lists(live: str, applied: str, expected: str) -> None:
    """The applier's order holds among its elements; the others stay where they stood between them."""
    stored = update(None, deployment([{"name": name} for name in live]))
    merged = apply(stored, deployment([{"name": name} for name in applied]))
    assert "".join(entry["name"] for entry in containers(merged)) == expected


def test_what_was_there_before_managed_fields_belongs_to_before_first_apply() -> None:
    """An old object's fields are somebody's, so that an apply cannot change them by surprise."""
    with pytest.raises(ApplyConflict) as refused:
        apply(deployment(replicas=1), deployment(replicas=2))
    assert refused.value.causes == [("before-first-apply", ".spec.replicas")]
    assert owned(apply(deployment(replicas=1), deployment(replicas=1)))["a"] == [".spec.replicas"]


def test_null_means_not_listed() -> None:
    """An applied null sets nothing and owns nothing."""
    live = apply(None, deployment(replicas=1))
    assert "replicas" not in apply(live, deployment(replicas=None, paused=True))["spec"]


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (deployment([{"name": "x"}, {"name": "x"}]), 'containers: duplicate entries for key [name="x"]'),
        (deployment(["x"]), "holds objects only"),
        (
            {**deployment(), "metadata": {"name": "d", "managedFields": [{"manager": "x"}]}},
            "metadata.managedFields must be nil",
        ),
    ],
)
def test_refusals(wanted: Obj, text: str) -> None:
    """What cannot be told apart cannot be owned."""
    with pytest.raises(PatchFailed) as refused:
        apply(None, wanted)
    assert refused.value.status == 400
    assert text in refused.value.message


def test_custom_resources_follow_their_list_types() -> None:
    """x-kubernetes-list-type: a map by its keys, a set by its values, all else as one."""
    schemas = Schemas()
    items = {"type": "object", "properties": {"type": {"type": "string"}, "status": {"type": "string"}}}
    lists = {
        "keyed": {
            "type": "array",
            "items": items,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
        },
        "plain": {"type": "array", "items": {"type": "string"}},
        "any": {"x-kubernetes-preserve-unknown-fields": True},
    }
    openapi = {"type": "object", "properties": {"spec": {"type": "object", "properties": lists}}}
    version = {"name": "v1", "served": True, "schema": {"openAPIV3Schema": openapi}}
    schemas.add_crd(
        {"metadata": {"name": "k"}, "spec": {"group": "g", "names": {"kind": "K"}, "versions": [version]}}
    )
    spec = {"keyed": [{"type": "A", "status": "1"}], "plain": ["x"], "any": {"deep": [{"b": 1}]}}
    made = server_side_apply(
        None,
        {"apiVersion": "g/v1", "kind": "K", "metadata": {"name": "k"}, "spec": spec},
        completed=as_it_is,
        manager="a",
        force=False,
        schema=schema_of(schemas, "g", "v1", "K"),
        now=0.0,
    )
    assert owned(made)["a"] == [
        ".spec.any.deep",
        '.spec.keyed[type="A"]',
        '.spec.keyed[type="A"].status',
        '.spec.keyed[type="A"].type',
        ".spec.plain",
    ]


# -- other writes ----------------------------------------------------------------------------------------


def test_a_creation_is_owned_by_its_manager() -> None:
    """All fields but those of the API."""
    made = update(None, {**deployment(replicas=1, labels={"a": "1"})})
    assert owned(made) == {"u": [".metadata.labels", ".metadata.labels.a", ".spec.replicas"]}


def test_an_update_moves_what_it_changed_and_nothing_else() -> None:
    """The changed field goes to its new owner, with the sub-resource; the others keep what they have."""
    live = update(None, deployment(replicas=1, paused=True), "kubectl")
    scaled = copy.deepcopy(live)
    scaled["spec"]["replicas"] = 3
    live = update(live, scaled, "hpa", subresource="scale", now=200.0)
    assert owned(live) == {"kubectl": [".spec.paused"], "hpa": [".spec.replicas"]}
    entries = {entry["manager"]: entry for entry in live["metadata"]["managedFields"]}
    assert entries["hpa"]["subresource"] == "scale"
    assert "subresource" not in entries["kubectl"]
    assert (entries["hpa"]["time"], entries["kubectl"]["time"]) == (
        "1970-01-01T00:03:20Z",
        "1970-01-01T00:01:40Z",
    )


def test_a_write_that_changes_nothing_keeps_the_entries_and_their_times() -> None:
    """No new entry, no new time; what the API sets is no change."""
    live = update(None, deployment(replicas=1))
    same = copy.deepcopy(live)
    same["metadata"].update(SYSTEM)
    assert (
        update(live, same, "other", now=999.0)["metadata"]["managedFields"]
        == live["metadata"]["managedFields"]
    )


def test_a_write_without_managed_fields_keeps_the_stored_ones() -> None:
    """A client that leaves them out does not wipe them; an empty list does, and then nobody is noted."""
    live = update(None, deployment(replicas=1), "first")
    assert owned(update(live, deployment(replicas=1, paused=True), "u")) == {
        "first": [".spec.replicas"],
        "u": [".spec.paused"],
    }
    wiped = deployment(replicas=1, paused=True)
    wiped["metadata"]["managedFields"] = []
    assert owned(update(live, wiped, "u")) == {}


def test_a_removed_field_leaves_all_owners() -> None:
    """Also within elements, and whole elements with all below."""
    live = apply(None, deployment([{"name": "x", "image": "1"}, {"name": "y"}], replicas=1))
    left = update(live, {**deployment([{"name": "x"}]), "metadata": live["metadata"]})
    assert owned(left) == {
        "a": ['.spec.template.spec.containers[name="x"]', '.spec.template.spec.containers[name="x"].name']
    }


def test_status_of_a_subresource_is_tracked() -> None:
    """Conditions are told apart by their type."""
    live = update(None, deployment(replicas=1))
    with_status = {**live, "status": {"conditions": [{"type": "Available", "status": "True"}], "replicas": 1}}
    found = update(live, with_status, "controller", subresource="status")
    assert '.status.conditions[type="Available"].status' in owned(found)["controller"]
    assert owned(found)["u"] == [".spec.replicas"]


def test_lists_that_cannot_be_told_apart_are_owned_as_a_whole() -> None:
    """An ordinary update may leave two variables of one name; it is not refused."""
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    live = update(None, deployment([{"name": "x", "env": env}]))
    again = deployment([{"name": "x", "env": [*env, {"value": "3"}]}])
    assert update(live, again, "v")["spec"] == again["spec"]


def test_the_number_of_updaters_is_bounded() -> None:
    """The oldest share one entry, as in Kubernetes; none of their fields is forgotten."""
    live = update(None, deployment(labels={"l": "x"}, replicas=1), "first")
    for index in range(MAX_UPDATERS + 5):
        new = copy.deepcopy(live)
        new["metadata"]["labels"][f"l{index}"] = "x"
        live = update(live, new, f"m{index}", now=200.0 + index)
    entries = live["metadata"]["managedFields"]
    assert len(entries) == MAX_UPDATERS
    assert ANCIENT in owned(live)
    found = sorted(path for paths in owned(live).values() for path in paths)
    assert found == sorted(
        [
            ".metadata.labels",
            ".metadata.labels.l",
            ".spec.replicas",
            *(f".metadata.labels.l{i}" for i in range(MAX_UPDATERS + 5)),
        ]
    )


# -- laws ------------------------------------------------------------------------------------------------


def _of(values: str) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


def _name(entry: Any) -> Any:
    return entry["name"]


CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": _of("abcd")},
        optional={
            "image": _of("xy"),
            "env": st.lists(
                st.fixed_dictionaries({"name": st.sampled_from("EF"), "value": st.sampled_from("12")}),
                max_size=2,
                unique_by=_name,
            ),
            "args": st.lists(st.sampled_from("12"), max_size=2),
        },
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda entry: entry["name"],
)
WANTED = st.builds(
    deployment,
    CONTAINERS,
    labels=st.dictionaries(st.sampled_from("abc"), st.sampled_from("12"), max_size=3),
    replicas=st.integers(0, 2),
)
STEPS = st.lists(st.tuples(st.sampled_from(["a", "b", "u", "v"]), WANTED), min_size=1, max_size=4)


def _history(steps: list[tuple[str, Obj]]) -> Obj:
    live: Obj = {}
    for index, (manager, wanted) in enumerate(steps):
        if manager in ("a", "b"):
            live = apply(live or None, wanted, manager, force=True, now=100.0 + index)
        else:
            live = update(live or None, wanted, manager, now=100.0 + index)
    return live


def _holds(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, dict) and wanted:
        return isinstance(found, dict) and all(_holds(v, found.get(key)) for key, v in wanted.items())
    if wanted in ([], {}):
        return True  # an empty keyed list sets nothing
    if isinstance(wanted, list) and isinstance(wanted[0], dict):
        by_name = {entry["name"]: entry for entry in found}
        return all(entry["name"] in by_name and _holds(entry, by_name[entry["name"]]) for entry in wanted)
    return bool(wanted == found)


@settings(max_examples=60)
@given(STEPS, WANTED)
def test_after_a_forced_apply_the_object_holds_all_that_was_applied(
    steps: list[tuple[str, Obj]], wanted: Obj
) -> None:
    """And applying it again, forced or not, changes nothing; no argument is touched on the way."""
    live = _history(steps)
    before = copy.deepcopy((live, wanted))
    applied = apply(live, wanted, force=True, now=500.0)
    assert (live, wanted) == before
    assert _holds(wanted, applied)
    assert apply(applied, wanted, now=600.0) is applied


@settings(max_examples=60)
@given(STEPS)
def test_every_owned_field_stands_in_the_object(steps: list[tuple[str, Obj]]) -> None:
    """managedFields equal a recount: no manager owns what is gone, no two updaters own the same."""
    live = _history(steps)
    everything = set(fieldsets.paths(fieldsets.of(live, DEPLOYMENT)))
    updaters = [set(paths) for manager, paths in owned(live).items() if manager in ("u", "v")]
    for manager, paths in owned(live).items():
        missing = {path for path in paths if not any(known.startswith(path) for known in everything)}
        assert not {path for path in missing if not _is_empty_list(path)}, manager
    assert not (len(updaters) == 2 and updaters[0] & updaters[1])


def _is_empty_list(path: str) -> bool:
    return path.endswith((".env", ".containers", ".labels"))


@settings(max_examples=60)
@given(WANTED, WANTED)
def test_set_algebra(left: Obj, right: Obj) -> None:
    """Union, difference and intersection of field sets agree with those of the sets of their paths."""
    one, two = (fieldsets.of(obj, DEPLOYMENT) for obj in (left, right))
    first, second = set(fieldsets.paths(one)), set(fieldsets.paths(two))
    assert set(fieldsets.paths(fieldsets.union(one, two))) == first | second
    assert set(fieldsets.paths(fieldsets.difference(one, two))) == first - second
    assert set(fieldsets.paths(fieldsets.intersection(one, two))) == first & second


def test_an_empty_keyed_list_sets_nothing() -> None:
    """`env: []` neither brings back what was removed, nor makes each apply a write."""
    live = apply(None, deployment([{"name": "x", "env": [{"name": "E", "value": "1"}]}]))
    live = apply(live, deployment([{"name": "x", "env": []}]))
    assert containers(live) == [{"name": "x"}]
    assert apply(live, deployment([{"name": "x", "env": []}]), now=900.0) is live
