"""Orders of the autoscaler hold while they are renewed, and stale ones change nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.link.orders import Orders

HELLO = ("default", "hello-00001")


@pytest.mark.parametrize(
    ("history", "cordoned_at_20"),
    [
        ([("cordon", "a", 1, 30)], {"a"}),
        ([("cordon", "a", 1, 10)], set()),
        ([("cordon", "a", 1, 10), ("cordon", "a", 1, 30)], {"a"}),
        ([("cordon", "a", 1, 30), ("uncordon", "a", 1, 0)], set()),
        ([("cordon", "a", 2, 30), ("uncordon", "a", 1, 0)], {"a"}),
        ([("cordon", "a", 1, 30), ("uncordon", "a", 2, 0)], set()),
        ([("cordon", "a", 2, 10), ("cordon", "a", 1, 30)], set()),
        ([("cordon", "a", 1, 30), ("cordon", "b", 1, 30), ("uncordon", "a", 1, 0)], {"b"}),
        ([("uncordon", "a", 1, 0)], set()),
    ],
)
def test_an_order_holds_until_it_ends_or_runs_out(
    history: list[tuple[str, str, int, int]], cordoned_at_20: set[str]
) -> None:
    """Orders and their expiry, as a table: what stands at second 20."""
    orders = Orders()
    for verb, pod, epoch, expires in history:
        if verb == "cordon":
            orders.cordon(HELLO, pod, epoch, expires)
        else:
            orders.uncordon(pod, epoch)
    orders.expire(20)
    assert {order.pod_uid for order in orders.in_force()} == cordoned_at_20


def test_what_runs_out_is_told_once() -> None:
    """The pods to be used again are returned, with their revision, and not a second time."""
    orders = Orders()
    orders.cordon(HELLO, "a", 1, 10)
    assert [(order.revision, order.pod_uid) for order in orders.expire(10)] == [(HELLO, "a")]
    assert orders.expire(11) == []


def test_one_veto_for_each_order_and_renewal() -> None:
    """However many requests wait, each order is vetoed once, and again when it is renewed all the same."""
    orders = Orders()
    assert not orders.veto(HELLO)
    orders.cordon(HELLO, "a", 1, 10)
    assert [orders.veto(HELLO) for _ in range(3)] == [True, False, False]
    orders.cordon(HELLO, "a", 1, 12)
    assert orders.veto(HELLO)
    assert not orders.veto(("default", "other"))


def test_a_pod_that_is_gone_has_no_order() -> None:
    """The order ends with its pod."""
    orders = Orders()
    orders.cordon(HELLO, "a", 1, 10)
    orders.forget("a")
    orders.forget("never seen")
    assert orders.get("a") is None
    assert not orders.veto(HELLO)


steps = st.tuples(
    st.sampled_from(["cordon", "uncordon", "forget", "expire"]),
    st.sampled_from("abc"),
    st.integers(min_value=0, max_value=3),
    st.integers(min_value=0, max_value=20),
)


@given(st.lists(steps, max_size=40))
def test_the_index_by_revision_equals_a_recount(history: list[tuple[str, str, int, int]]) -> None:
    """Whatever happens, the pods listed for a revision are those with an order in force."""
    orders = Orders()
    for verb, pod, epoch, second in history:
        match verb:
            case "cordon":
                orders.cordon(HELLO, pod, epoch, second)
            case "uncordon":
                orders.uncordon(pod, epoch)
            case "forget":
                orders.forget(pod)
            case _:
                orders.expire(second)
        assert orders._pods_of.get(HELLO, set()) == {order.pod_uid for order in orders.in_force()}
