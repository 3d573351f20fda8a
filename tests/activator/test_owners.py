"""Who owns a hard limit, as an activator knows it; the line that opens a connection to an owner."""

from typing import Any

import pytest

from activator.http.greeting import LONGEST, Greeting, greeting_line, read_greeting
from activator.link.owners import Owners, Standing
from autoscaler.messages import Claim, Owner, PodSlots

KEY = ("n", "r")


def said(activator: str, epoch: int, **more: Any) -> Owner:
    return Owner(*KEY, activator, epoch, **more)


@pytest.mark.parametrize(
    ("heard", "standing"),
    [
        ([], Standing.ALONE),
        ([said("us", 1)], Standing.HOLD),
        ([said("us", 1, is_granted=True)], Standing.OWN),
        ([said("us", 1, is_granted=True), said("us", 1)], Standing.OWN),
        ([said("us", 1, is_granted=True), said("us", 2)], Standing.HOLD),
        ([said("other", 1, address="a:1", secret="s")], Standing.FORWARD),
        ([said("other", 1)], Standing.HOLD),
        ([said("us", 2, is_granted=True), said("other", 1, address="a:1")], Standing.OWN),
        ([said("us", 1, is_granted=True), said("other", 2, address="a:1")], Standing.FORWARD),
    ],
)
def test_standing_follows_the_newest_word(heard: list[Owner], standing: Standing) -> None:
    owners = Owners("us")
    for word in heard:
        owners.hear(word)
    assert owners.standing(KEY) is standing


def test_where_owners_are_named_nobody_takes_a_slot_before() -> None:
    owners = Owners("us")
    owners.are_named = True
    assert owners.standing(KEY) is Standing.HOLD


def test_words_of_old_are_not_heard_and_new_leaders_are_told_what_stands() -> None:
    owners = Owners("us")
    assert owners.hear(said("us", 5, is_granted=True, reserved=(PodSlots("p", 2),)))
    assert not owners.hear(said("other", 4))
    assert owners.reserved(KEY) == {"p": 2}
    assert owners.hear(said("us", 5, is_granted=True))
    assert owners.reserved(KEY) == {}
    assert owners.claims() == (Claim(*KEY, "us", 5),)
    owners.forget(KEY)
    assert (owners.claims(), owners.epoch(KEY), owners.get(KEY)) == ((), 0, None)


def test_a_greeting_is_read_as_it_was_written() -> None:
    line = greeting_line("s3cr_t-", 1 << 60, ("default", "hello-00001"))
    assert len(line) < LONGEST
    assert read_greeting(line) == Greeting(b"s3cr_t-", 1 << 60, ("default", "hello-00001"))


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/1.1\r\n",
        b"ZEROGATE/1 s 1 n/r\n",
        b"ZEROGATE/1 s -1 n/r\r\n",
        b"ZEROGATE/1  1 n/r\r\n",
        b"ZEROGATE/1 s 1 n\r\n",
        b"ZEROGATE/1 s 1 n/r x\r\n",
        b"ZEROGATE/2 s 1 n/r\r\n",
        b"",
    ],
)
def test_other_lines_are_no_greeting(line: bytes) -> None:
    assert read_greeting(line) is None


def test_an_owner_that_is_suspended_takes_no_slot_before_it_is_granted_again() -> None:
    """A word that only names it does not grant; a later one may name another."""
    owners = Owners("us")
    assert not owners.suspend()
    owners.hear(said("us", 1, is_granted=True, reserved=(PodSlots("p", 2),)))
    assert owners.suspend()
    assert owners.standing(KEY) is Standing.HOLD
    assert owners.claims() == (Claim(*KEY, "us", 1),)
    assert not owners.suspend()
    owners.hear(said("us", 1))
    assert owners.standing(KEY) is Standing.HOLD
    owners.hear(said("us", 1, is_granted=True))
    assert owners.standing(KEY) is Standing.OWN
    owners.suspend()
    owners.hear(said("other", 2, address="a:1"))
    assert owners.standing(KEY) is Standing.FORWARD
