"""When a pod that is being deleted is released: its activators have said that nothing is in flight there."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.messages import Cordon
from autoscaler.objects import leaver
from autoscaler.scalein import EXPIRES_IN
from autoscaler.sight import LONGEST_VETO, SILENCE, Sight
from autoscaler.terminating import GATHERED_AFTER, RETRIED_AFTER, Leaver, Terminating
from kube.objects import Obj

NOW = 1_700_000_000.0
KEY = ("default", "hello-00001")
POD = Leaver("u1", "default", "p1")
BOTH = frozenset({"a", "b"})


def numbers() -> Callable[[], int]:
    return itertools.count(7 << 24).__next__


def terminating(*pods: Leaver) -> tuple[Terminating, list[int]]:
    """Pods that are being deleted since NOW, under an old leader; and the numbers of their orders."""
    made = Terminating(numbers(), NOW - 1000)
    orders = [order for pod in pods or (POD,) for order in made.see(KEY, pod, NOW)]
    return made, [order.epoch for order in orders]


def test_a_pod_that_is_being_deleted_is_cordoned_once() -> None:
    """Activators take it out of rotation even if their own watch is late, and say what they have there."""
    made = Terminating(numbers(), NOW)
    assert made.see(KEY, POD, NOW) == [Cordon(*KEY, "u1", 7 << 24, EXPIRES_IN)]
    assert made.see(KEY, POD, NOW + 1) == []
    assert made.standing() == [Cordon(*KEY, "u1", 7 << 24, EXPIRES_IN)]


@pytest.mark.parametrize(
    ("reports", "is_released"),
    [
        ([], False),
        ([("a", 0)], False),
        ([("a", 0), ("b", 1)], False),
        ([("a", 0), ("b", 0)], True),
        ([("a", 3), ("b", 0), ("a", 0)], True),
        ([("a", 0), ("b", 0), ("c", 5)], True),
    ],
)
def test_a_pod_is_released_if_all_activators_say_that_it_is_empty(
    reports: list[tuple[str, int]], is_released: bool
) -> None:
    """The latest report of each of `a` and `b` counts; `c` is not waited for."""
    made, (order,) = terminating()
    for activator, in_flight in reports:
        assert made.acknowledge(activator, "u1", order, in_flight)
    assert made.release(BOTH, NOW + 1) == ([POD] if is_released else [])


def test_without_an_activator_no_pod_is_released() -> None:
    """Nothing is known of its requests then; it ends with its grace period."""
    made, (order,) = terminating()
    made.acknowledge("a", "u1", order, 0)
    assert made.release(frozenset(), NOW + 1) == []


def test_a_new_leader_waits_until_the_activators_are_linked() -> None:
    """One that is not linked yet may have requests in flight."""
    made = Terminating(numbers(), NOW)
    (order,) = made.see(KEY, POD, NOW)
    made.acknowledge("a", "u1", order.epoch, 0)
    assert made.release(frozenset("a"), NOW + GATHERED_AFTER - 0.1) == []
    assert made.release(frozenset("a"), NOW + GATHERED_AFTER) == [POD]


def test_an_acknowledgement_of_another_order_counts_for_nothing() -> None:
    """A late answer to a cordon of scale-in says nothing of the time after the deletion."""
    made, (order,) = terminating()
    assert not made.acknowledge("a", "u1", order - 1, 0)
    assert not made.acknowledge("a", "u2", order, 0)
    assert made.release(frozenset("a"), NOW + 1) == []


def test_a_released_pod_is_released_again_if_it_stays() -> None:
    """The write may have failed."""
    made, (order,) = terminating()
    made.acknowledge("a", "u1", order, 0)
    assert made.release(frozenset("a"), NOW) == [POD]
    assert made.release(frozenset("a"), NOW + RETRIED_AFTER - 0.1) == []
    assert made.release(frozenset("a"), NOW + RETRIED_AFTER) == [POD]
    made.forget("u1")
    assert made.release(frozenset("a"), NOW + 100) == []
    assert made.standing() == []


def test_orders_are_renewed_before_they_expire() -> None:
    made, (order,) = terminating()
    assert made.renew(NOW + 1) == []
    assert [each.epoch for each in made.renew(NOW + EXPIRES_IN / 2)] == [order]
    assert made.renew(NOW + EXPIRES_IN / 2 + 1) == []


def test_those_that_may_have_requests_in_flight_are_witnesses() -> None:
    """A linked activator, however long it is silent; any other for about a minute."""
    sight = Sight(NOW)
    sight.hear("linked", NOW)
    sight.hear("lost", NOW)
    sight.lose("lost")
    sight.expect({"linked", "lost", "expected"}, NOW)
    sight.hear("drained", NOW)
    sight.bye("drained")
    assert sight.witnesses(NOW + SILENCE) == {"linked", "lost", "expected"}
    assert sight.witnesses(NOW + SILENCE + LONGEST_VETO) == {"linked"}


def pod(*, sleep: int = 300, **meta: Any) -> Obj:
    """A pod that is being deleted, with a grace period of 300 seconds."""
    hook = {"lifecycle": {"preStop": {"sleep": {"seconds": sleep}}}}
    return {
        "metadata": {
            "uid": "u1", "name": "p1", "namespace": "default",
            "deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 300, **meta,
        },
        "spec": {"terminationGracePeriodSeconds": 300, "containers": [hook]},
        "status": {"phase": "Running"},
    }  # fmt: skip


def test_a_pod_that_waits_for_its_requests_is_one_to_be_released() -> None:
    assert leaver(pod()) == POD


@pytest.mark.parametrize(
    "other",
    [
        pod(deletionTimestamp=None),
        pod(sleep=3),
        pod(deletionGracePeriodSeconds=1),
        {**pod(), "status": {"phase": "Failed"}},
    ],
    ids=["alive", "its own preStop", "ending already", "over"],
)
def test_any_other_pod_is_left_alone(other: Obj) -> None:
    """Above all one whose preStop leaves its program a part of the grace period."""
    assert leaver(other) is None


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["u1", "u2"]), st.integers(0, 2)), max_size=30)
)
def test_no_pod_is_released_while_an_activator_has_requests_there(
    reports: list[tuple[str, str, int]],
) -> None:
    """Against the plainest account: the last word of each activator on each pod."""
    pods = {"u1": POD, "u2": Leaver("u2", "default", "p2")}
    made, orders = terminating(*pods.values())
    last: dict[tuple[str, str], int] = {}
    released: set[str] = set()
    for activator, uid, in_flight in reports:
        made.acknowledge(activator, uid, orders[[*pods].index(uid)], in_flight)
        last[activator, uid] = in_flight
        found = {each.uid for each in made.release(BOTH, NOW)}
        empty = {each for each in pods if all(last.get((name, each)) == 0 for name in BOTH)}
        assert found == empty - released
        released |= found
