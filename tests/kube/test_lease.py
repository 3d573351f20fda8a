"""An election by Lease: there are never two leaders, and a silent one is replaced."""

import pytest

from kube.lease import Moment, Sighting, Term, Terms, epoch, holder, released, renewed, taken
from kube.objects import Obj

TERMS = Terms()
EMPTY = {"metadata": {"namespace": "s", "name": "l", "resourceVersion": "1"}, "spec": {}}


def _at(lease: Obj, version: str) -> Obj:
    return {**lease, "metadata": {**lease["metadata"], "resourceVersion": version}}


def test_a_lease_that_nobody_holds_is_free() -> None:
    seen = Sighting()
    seen.see(EMPTY, now=0)
    assert seen.is_free("me", now=0)


def test_a_held_lease_is_free_for_others_only_after_its_duration_without_a_renewal() -> None:
    held = taken(EMPTY, "other", {}, TERMS, now=1_000)
    seen = Sighting()
    seen.see(_at(held, "2"), now=50)
    assert not seen.is_free("me", now=61.9)
    assert seen.free_at == 62
    assert seen.is_free("other", now=50)
    seen.see(_at(renewed(held, {}, 1_002), "3"), now=60)
    assert not seen.is_free("me", now=66)
    seen.see(_at(held, "3"), now=72)
    assert seen.is_free("me", now=72)


def test_each_leadership_has_a_higher_epoch_and_a_renewal_keeps_it() -> None:
    """Also two of the same candidate: a program that was started anew knows nothing of before."""
    first = taken(EMPTY, "a", {"address": "x"}, TERMS, now=1)
    again = renewed(first, {"address": "x"}, now=2)
    second = taken(again, "b", {"address": "y"}, TERMS, now=3)
    third = taken(second, "b", {"address": "z"}, TERMS, now=4)
    assert [epoch(lease) for lease in (first, again, second, third)] == [1, 1, 2, 3]
    assert again["spec"]["acquireTime"] == first["spec"]["acquireTime"] < second["spec"]["acquireTime"]
    assert first["spec"]["renewTime"] < again["spec"]["renewTime"]
    assert third["metadata"]["annotations"] == {"address": "z"}


def test_what_the_next_leader_does_not_have_is_taken_off_the_lease() -> None:
    """Its certificate would be believed otherwise; what somebody else wrote stays."""
    first = taken(EMPTY, "a", {"address": "x", "certificate": "c"}, TERMS, now=1)
    first["metadata"]["annotations"]["foreign"] = ""
    second = taken(first, "b", {"address": "y", "certificate": ""}, TERMS, now=2)
    assert second["metadata"]["annotations"] == {"address": "y", "foreign": ""}


def test_a_renewal_puts_right_what_somebody_else_wrote_over() -> None:
    held = taken(EMPTY, "a", {"address": "x"}, TERMS, now=1)
    held["metadata"]["annotations"] = {"address": "elsewhere", "note": "mine"}
    again = renewed(held, {"address": "x"}, now=2)
    assert again["metadata"]["annotations"] == {"address": "x", "note": "mine"}


def test_a_released_lease_is_free_at_once_and_the_epoch_still_grows() -> None:
    held = taken(EMPTY, "a", {}, TERMS, now=1)
    seen = Sighting()
    seen.see(_at(released(held), "9"), now=1)
    assert holder(seen.lease) == ""
    assert seen.is_free("b", now=1)
    assert epoch(taken(released(held), "b", {}, TERMS, now=2)) == 2


def test_a_term_ends_before_others_may_begin() -> None:
    """Whatever happens to the answer: it counts from the question."""
    assert TERMS.term == pytest.approx(9.6)
    assert TERMS.term < TERMS.duration


@pytest.mark.parametrize(
    ("steady", "wall", "left"),
    [
        (100, 1_000, 10),
        (105, 1_005, 5),
        (110, 1_010, 0),
        (130, 1_030, 0),
        (100, 1_500, 0),  # the machine stood still, its wall clock was set right
        (130, 500, 0),  # somebody set the wall clock back
        (105, 500, 5),
    ],
)
def test_the_first_clock_to_say_so_ends_the_term(steady: int, wall: int, left: int) -> None:
    term = Term()
    assert term.left(Moment(100, 1_000)) == 0, "it has not begun"
    term.begin(Moment(100, 1_000), 10)
    assert term.left(Moment(steady, wall)) == left


def test_a_term_is_in_doubt_if_the_wall_clock_alone_says_that_it_is_over() -> None:
    term = Term()
    assert not term.is_in_doubt(Moment(100, 1_000)), "it has not begun"
    term.begin(Moment(100, 1_000), 10)
    assert not term.is_in_doubt(Moment(105, 1_005))
    assert term.is_in_doubt(Moment(105, 1_600))
    assert not term.is_in_doubt(Moment(105, -80_000)), "a clock that is set back shortens nothing"
    assert not term.is_in_doubt(Moment(110, 1_600)), "it is over"


def test_a_term_can_be_ended_and_begun_again() -> None:
    term, now = Term(), Moment(100, 1_000)
    term.begin(now, 12)
    term.end()
    assert term.left(now) == 0
    term.begin(now, 12)
    assert term.left(now) == 12
