"""One activator owns a revision's hard limit; another one gets its slots when they are known to be free."""

import itertools

import pytest

from autoscaler.messages import Claim, Hello, Occupied, Owner, PodSlots
from autoscaler.owners import ABSENT, GRACE, LOST, Orders, Owners

KEY = ("default", "hello")
TERM = 1 << 24


def hello(name: str, *claims: Claim, process: str = "1") -> Hello:
    return Hello(name, "", 1, f"{name}.{process}", f"{name}:82", f"secret of {name}", claims)


def begun(*names: str, now: float = 0.0) -> Owners:
    """A term in which these are linked."""
    owners = Owners(itertools.count(TERM).__next__, now)
    owners.limited([KEY], now)
    for name in names:
        owners.hello(hello(name), now)
    return owners


def owner_of(owners: Owners) -> str:
    return str(owners.state()[KEY]["owner"])


def epoch_of(owners: Owners) -> int:
    return int(owners.state()[KEY]["epoch"])


def granted(orders: Orders) -> list[tuple[str, dict[str, int]]]:
    """Who was given the slots, and which of them are reserved."""
    return [(to, dict(order.reserved)) for to, order in orders if order.is_granted]


def empty(owners: Owners, name: str, now: float = 0.0, **pods: int) -> Orders:
    """A report of one that is not the owner."""
    rows = tuple(PodSlots(*row) for row in pods.items())
    return owners.occupied(name, Occupied(*KEY, epoch_of(owners), rows), now)


def split(owners: Owners, *names: str) -> tuple[str, list[str]]:
    """The owner and the others."""
    owner = owner_of(owners)
    return owner, [name for name in names if name != owner]


def test_the_only_activator_has_all_slots_with_its_hello() -> None:
    owners = begun()
    assert owners.hello(hello("a"), 0.0)[-1] == ("a", Owner(*KEY, "a", TERM, is_granted=True))


def test_owners_are_spread_and_all_hear_where_they_are() -> None:
    owners = Owners(itertools.count(TERM).__next__, 0.0)
    owners.look({"a", "b", "c"}, 0.0)
    keys = [("default", f"r{n}") for n in range(300)]
    owners.limited(keys, 0.0)
    assert not owners.hello(hello("a"), 0.1)  # the others are awaited
    assert not owners.hello(hello("b"), 0.2)
    orders = owners.hello(hello("c"), 0.3)
    assert {to for to, _ in orders} == {"a", "b", "c"}
    named = [told["owner"] for told in owners.state().values()]
    assert all(70 < named.count(name) < 130 for name in "abc")
    one = next(order for to, order in orders if to == "b" and order.activator == "a")
    assert (one.address, one.secret, one.is_granted) == ("a:82", "secret of a", False)


def test_it_is_given_slots_when_all_others_have_told_theirs_and_those_stay_reserved() -> None:
    owners = begun()
    owners.look({"a", "b", "c"}, 0.0)
    for name in "abc":
        owners.hello(hello(name), 0.0)
    owner, (one, two) = split(owners, *"abc")
    assert not granted(empty(owners, one, p=1, q=1))
    assert granted(empty(owners, two, p=1)) == [(owner, {"p": 2, "q": 1})]
    assert not empty(owners, two, p=1)
    assert granted(empty(owners, one, q=1)) == [(owner, {"p": 1, "q": 1})]
    assert not granted(empty(owners, owner, q=5))  # its own are nobody's business


def test_a_report_under_another_epoch_counts_for_nothing() -> None:
    owners = begun("a", "b")
    before = epoch_of(owners)
    owners.leaving("a", 1.0)
    assert not owners.occupied("a", Occupied(*KEY, before), 1.0)
    assert granted(empty(owners, "a", 1.0)) == [("b", {})]


def test_an_owner_stays_when_others_come_and_while_its_link_is_down() -> None:
    owners = begun("a")
    assert not granted(owners.hello(hello("b"), 1.0))
    owners.lost("a", 2.0)
    assert not owners.look(None, 2.0 + LOST - 0.1)
    assert owner_of(owners) == "a"
    assert owners.hello(hello("a"), 40.0)[0] == ("a", Owner(*KEY, "a", TERM, is_granted=True))


DEATHS = {
    "its address refuses": lambda owners: owners.is_gone("a", 2.0),
    "another process has its name": lambda owners: owners.hello(hello("a", process="2"), 2.0),
    "nobody expects it any more": lambda owners: owners.look({"b", "c"}, 2.0 + ABSENT),
    "it is away for too long": lambda owners: owners.look({"a", "b", "c"}, 2.0 + LOST),
}


@pytest.mark.parametrize("death", DEATHS)
def test_the_slots_of_a_dead_owner_go_to_another_one(death: str) -> None:
    owners = begun("a", "b", "c")
    owners.lost("a", 2.0)
    orders = DEATHS[death](owners)
    owner, _ = split(owners, "b", "c")
    assert owner in {"b", "c"}
    assert epoch_of(owners) > TERM
    assert {to for to, order in orders if order.epoch == epoch_of(owners)} >= {"b", "c"}
    others = {"a", "b", "c"} - {owner} if "process" in death else {"b", "c"} - {owner}
    last: Orders = []
    for name in others:
        assert not granted(last)
        last = empty(owners, name, 70.0, p=1)
    assert granted(last) == [(owner, {"p": len(others)})]


def test_one_that_drains_hands_over_and_its_slots_come_free_one_by_one() -> None:
    owners = begun("a", "b")
    orders = owners.leaving("a", 1.0)
    assert {(to, order.activator, order.is_granted) for to, order in orders} == {
        ("a", "b", False), ("b", "b", False),
    }  # fmt: skip
    assert granted(empty(owners, "a", 1.0, p=2)) == [("b", {"p": 2})]
    assert granted(empty(owners, "a", 1.0, p=1)) == [("b", {"p": 1})]
    assert granted(owners.is_gone("a", 2.0)) == [("b", {})]


def test_the_last_one_keeps_what_it_has_while_it_drains() -> None:
    owners = begun("a")
    assert not owners.leaving("a", 1.0)
    assert owner_of(owners) == "a"
    orders = owners.hello(hello("b"), 2.0)
    assert owner_of(owners) == "b"
    assert not granted(orders)


def test_who_comes_with_a_hello_after_a_death_owns_what_nobody_has() -> None:
    owners = begun("a")
    owners.lost("a", 1.0)
    assert not owners.is_gone("a", 1.0)
    assert owner_of(owners) == ""
    assert granted(owners.hello(hello("b"), 2.0)) == [("b", {})]


def test_the_next_leader_keeps_the_owners_that_activators_know() -> None:
    """The latest word counts; it is not granted anew before all had time to come."""
    owners = begun()
    assert owners.hello(hello("a", Claim(*KEY, "b", 5)), 0.1)[-1] == ("a", Owner(*KEY, "b", 5))
    owners.hello(hello("b", Claim(*KEY, "b", 5)), 0.2)
    assert owner_of(owners) == "b"
    assert not owners.hello(hello("c", Claim(*KEY, "a", 4)), 0.3)[1:]
    empty(owners, "a", 0.4)
    assert not granted(empty(owners, "c", 0.5, p=1))
    assert granted(owners.look(None, GRACE)) == [("b", {"p": 1})]
    assert epoch_of(owners) == 5


def test_an_owner_of_the_term_before_that_is_not_there_is_waited_for() -> None:
    owners = begun()
    owners.hello(hello("a", Claim(*KEY, "b", 5)), 0.1)
    owners.look(None, GRACE + 1)
    assert owner_of(owners) == "b"
    orders = owners.hello(hello("b", Claim(*KEY, "b", 5)), GRACE + 2)
    assert ("a", Owner(*KEY, "b", 5, "b:82", "secret of b")) in orders


def test_one_that_was_expected_at_the_beginning_may_hold_slots_until_it_is_heard() -> None:
    owners = begun()
    owners.look({"a", "b"}, 0.0)
    owners.hello(hello("a"), 0.5)
    assert owner_of(owners) == ""
    assert not granted(owners.look({"a", "b"}, GRACE))
    assert owner_of(owners) == "a"
    owners.hello(hello("b"), GRACE + 1)
    assert granted(empty(owners, "b", GRACE + 1, p=1)) == [("a", {"p": 1})]


def test_a_limit_that_is_taken_away_is_nobodys() -> None:
    owners = begun("a")
    assert not owners.is_limited(KEY, is_limited=False, now=1.0)
    assert not owners.state()
    assert owners.is_limited(KEY, is_limited=True, now=2.0)[0][1].epoch == TERM + 1
    assert not owners.limited([], 3.0)
    assert not owners.state()


def test_an_activator_that_owns_no_limits_is_left_out() -> None:
    owners = begun()
    assert not owners.hello(Hello("old", "", 1), 0.0)
    assert not owners.leaving("old", 0.0)
    assert granted(owners.hello(hello("a"), 0.0)) == [("a", {})]


def test_an_owner_that_stands_still_is_followed_and_the_others_hear_why() -> None:
    """What was sent to it and may be repeated goes to the new one. Resumed, it is one of the others."""
    owners = begun("a", "b")
    owner, (other,) = split(owners, "a", "b")
    empty(owners, other)
    claim = Claim(*KEY, owner, epoch_of(owners))
    orders = owners.is_stopped(owner, 8.0)
    assert all(order.is_former_stopped for _, order in orders)
    assert granted(orders) == [(other, {})]
    assert owner_of(owners) == other
    told = owners.hello(hello(owner, claim), 80.0)
    assert (owner, other) in [(to, order.activator) for to, order in told]
    assert owner_of(owners) == other
    assert granted(empty(owners, owner, 80.0, p=1)) == [(other, {"p": 1})]


def test_one_that_stands_still_keeps_no_new_owner_waiting() -> None:
    """Also if it owned nothing: its word is not waited for."""
    owners = begun("a", "b", "c")
    owner, (one, still) = split(owners, "a", "b", "c")
    owners.leaving(owner, 1.0)
    new = owner_of(owners)
    waited = next(name for name in (one, still) if name != new)
    assert not granted(empty(owners, owner, 1.0))
    assert granted(owners.is_stopped(waited, 9.0)) == [(new, {})]
