"""What Deployments, pods and the config map tell, in whatever order they come; and whose turn it is."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler import fleet as fleet_module
from autoscaler.fleet import Fleet
from autoscaler.objects import (
    NAMELESS,
    foreign_writer,
    live_pod,
    revision_of,
    told_of_writer,
    writers_of_replicas,
)
from autoscaler.schedule import PHASES, TICK, Schedule
from kube.objects import Key, Obj, key, was_complete
from serving.config_autoscaler import ConfigError
from serving.targets import scale_target
from testkit.scaling.world import deployment, pod

NOW = 1_700_000_000.0
HELLO = ("default", "hello")


def target(name: str = "hello", uid: str = "d", version: int = 1, **more: str) -> Obj:
    made = deployment(name, **more)  # type: ignore[arg-type] # annotations
    made["metadata"] |= {"uid": uid, "resourceVersion": str(version)}
    return made


def member(name: str, owner: Obj, *, is_ready: bool = True) -> Obj:
    made = pod(name, owner, is_ready=is_ready)
    made["metadata"]["uid"] = name
    return made


def fleet() -> Fleet:
    return Fleet(itertools.count().__next__)


def see(into: Fleet, obj: Obj) -> None:
    if obj["kind"] == "Pod":
        into.see_pod(None, obj)
    else:
        into.see_deployment(key(obj), obj, NOW)


def lose(into: Fleet, obj: Obj) -> None:
    if obj["kind"] == "Pod":
        into.see_pod(obj, None)
    else:
        into.see_deployment(key(obj), None, NOW)


@given(st.permutations(range(5)))
def test_the_order_in_which_things_are_told_changes_nothing(order: list[int]) -> None:
    """Pods of revisions and of plain Deployments find theirs, whoever comes first."""
    revision, plain = target(), deployment("plain", is_plain=True)
    plain["metadata"] |= {"uid": "p", "resourceVersion": "1"}
    things = [
        revision,
        plain,
        member("a", revision),
        member("b", revision, is_ready=False),
        member("c", plain),
    ]
    into = fleet()
    for index in order:
        see(into, things[index])
    assert set(into.revisions) == {HELLO, ("default", "plain")}
    assert set(into.revisions[HELLO].pods) == {"a", "b"}
    assert set(into.revisions["default", "plain"].pods) == {"c"}
    found = into.of_pod("c")
    assert found is not None
    assert found.target.key == ("default", "plain")


def test_a_pod_that_goes_is_forgotten() -> None:
    into, owner = fleet(), target()
    see(into, owner)
    see(into, member("a", owner))
    leaving = member("a", owner)
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    see(into, leaving)
    assert not into.revisions[HELLO].pods
    assert into.of_pod("a") is None
    see(into, member("b", owner))
    lose(into, member("b", owner))
    assert not into.revisions[HELLO].pods


def test_a_deployment_made_anew_is_another_revision() -> None:
    into = fleet()
    see(into, target(uid="one"))
    first = into.revisions[HELLO]
    see(into, target(uid="one", version=2))
    assert into.revisions[HELLO] is first
    see(into, target(uid="two"))
    assert into.revisions[HELLO] is not first
    lose(into, target(uid="two"))
    assert not into.revisions


def test_two_deployments_of_one_revision_name_leave_it_to_the_first() -> None:
    into = fleet()
    see(into, target())
    other = target(uid="e")
    other["metadata"]["name"] = "other"
    see(into, other)
    lose(into, other)
    assert into.revisions[HELLO].target.deployment == "hello"


def test_a_bad_config_map_leaves_the_former_one() -> None:
    into = fleet()
    into.configure({"max-scale": "3"}, NOW)
    with pytest.raises(ConfigError):
        into.configure({"max-scale": "x"}, NOW)
    see(into, target())
    assert into.revisions[HELLO].spec.max_scale == 3
    into.configure({"max-scale": "4"}, NOW)
    assert into.revisions[HELLO].spec.max_scale == 4


def test_a_history_is_taken_only_from_who_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "HISTORIES", 2)
    into = fleet()
    for name in ("a", "b", "c", "d"):
        see(into, target(name, uid=name))
    a, b, c, d = (into.revisions["default", name] for name in "abcd")
    for each in (a, b, c):
        into.remember(each)
    assert (a.history, b.history is None, c.history is None) == (None, False, False)
    monkeypatch.setattr(type(b), "is_asleep", property(lambda revision: revision is not b))
    into.remember(d)
    assert (d.history,) == (None,)  # b is awake, and has its turn to leave later
    into.remember(d)
    assert d.history is not None
    assert c.history is None
    assert b.history is not None


@pytest.mark.parametrize(
    ("before", "after", "managers", "writer"),
    [
        (3, 3, {"hpa"}, ""),
        (3, 5, {"hpa"}, "hpa"),
        (3, 5, {"zerogate-autoscaler"}, ""),
        (3, 5, {"zerogate-activator", "argocd"}, "argocd"),
        (3, 5, {"kubectl"}, "kubectl"),
        (3, 3, {"kubectl"}, ""),
    ],
)
def test_who_else_writes_replicas(before: int, after: int, managers: set[str], writer: str) -> None:
    """`kubectl` has made this Deployment with its number: that is no second word; another number is."""

    def at(replicas: int, names: set[str]) -> Obj:
        made = deployment(replicas=replicas)
        made["metadata"]["managedFields"] = [
            {"manager": name, "fieldsV1": {"f:spec": {"f:replicas": {}}}} for name in sorted(names)
        ] + [{"manager": "other", "fieldsV1": {"f:spec": {"f:template": {}}}}, {"manager": "empty"}]
        return made

    assert writers_of_replicas(at(1, managers)) == managers
    assert foreign_writer(at(before, {"kubectl"}), at(after, managers), is_others=True) == writer
    assert foreign_writer(at(before, {"kubectl"}), at(after, managers), is_others=False) == writer


def test_who_leaves_no_name_is_known_by_a_number_that_is_not_ours() -> None:
    """A number patched to zero belongs to nobody, and Kubernetes notes no name for it from then on."""
    before, after = deployment(replicas=2), deployment(replicas=0)
    assert foreign_writer(before, after, is_others=True) == NAMELESS
    assert foreign_writer(before, after, is_others=False) == ""
    assert "a hand is to leave it alone" in told_of_writer(NAMELESS)


@pytest.mark.parametrize(
    ("manager", "said"),
    [
        (
            "kube-controller-manager",
            "A HorizontalPodAutoscaler (kube-controller-manager) writes the replicas",
        ),
        ("kube-controller-manager", "delete the one whose scaleTargetRef is this Deployment"),
        ("kubectl-client-side-apply", "kubectl-client-side-apply writes the replicas"),
        ("kubectl-client-side-apply", "take spec.replicas out of its manifest"),
        ("argocd-controller", "take spec.replicas out of its manifest"),
        ("kubectl", "min-scale and max-scale instead"),
        ("operator", "operator writes the replicas"),
    ],
)
def test_another_writer_is_named_with_what_to_do(manager: str, said: str) -> None:
    assert said in told_of_writer(manager)


@pytest.mark.parametrize(
    ("conditions", "was_ready"),
    [
        ([], False),
        ([{"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}], False),
        ([{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}], True),
    ],
)
def test_whether_a_deployment_was_ever_ready_stands_in_its_status(
    conditions: list[Obj], was_ready: bool
) -> None:
    assert was_complete({**deployment(), "status": {"conditions": conditions}}) is was_ready


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_ended_is_none(phase: str) -> None:
    ended = pod("a", deployment())
    assert live_pod({**ended, "metadata": {**ended["metadata"], "uid": "a"}}) is not None
    assert live_pod({**ended, "status": {"phase": phase}}) is None


def test_a_plain_pod_belongs_to_the_deployment_of_its_namespace_that_selects_it() -> None:
    here, there = deployment("plain", is_plain=True), deployment("plain", is_plain=True)
    there["metadata"]["namespace"] = "elsewhere"
    targets = [scale_target(there), scale_target(here)]
    assert revision_of(pod("a", here), targets) == ("default", "plain")
    assert revision_of(pod("a", deployment("nobody", is_plain=True)), targets) is None


def test_everybody_has_a_turn_each_tick_and_they_are_spread() -> None:
    schedule, turns = Schedule(), []
    for number in range(PHASES):
        schedule.begin(("ns", str(number)), NOW)
    for step in range(int(3 * TICK * 1000 / 5)):
        now = NOW + step * 0.005
        while (taken := schedule.take(now)) is not None:
            turns.append((now, taken[0]))
            schedule.add(taken[0], taken[1] + TICK)
    assert len(turns) == 3 * PHASES
    assert len({now for now, _ in turns}) == len(turns)


def test_who_is_removed_or_put_off_is_not_due() -> None:
    schedule = Schedule()
    one, two = ("ns", "one"), ("ns", "two")
    schedule.add(one, NOW)
    schedule.add(two, NOW)
    schedule.remove(one)
    schedule.add(two, NOW + 1)
    assert schedule.next_due() == NOW + 1
    assert schedule.take(NOW) is None
    assert schedule.take(NOW + 1) == (two, NOW + 1)
    assert schedule.next_due() is None
    assert two not in schedule


@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "take"]), st.integers(0, 4), st.integers(0, 50))))
def test_a_schedule_is_a_dict_of_due_times(steps: list[tuple[str, int, int]]) -> None:
    schedule, model = Schedule(), dict[Key, float]()
    for what, number, due in steps:
        name = ("ns", str(number))
        if what == "add":
            schedule.add(name, due)
            model[name] = due
        elif what == "remove":
            schedule.remove(name)
            model.pop(name, None)
        else:
            taken = schedule.take(due)
            ready = {each for each, then in model.items() if then <= due}
            assert (taken is None) == (not ready)
            if taken is not None:
                assert taken[1] == model.pop(taken[0])
                assert taken[1] <= min(model.values(), default=taken[1])
        assert schedule.next_due() == min(model.values(), default=None)
