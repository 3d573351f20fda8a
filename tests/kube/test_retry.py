"""What is asked again, and after how long."""

import pytest

from kube.retry import LONGEST_PAUSE, MOST_TRIES, Pauses, Tries, seconds_of


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("1", 1.0),
        (" 120 ", 120.0),
        ("0", 0.0),
        ("Thu, 01 Jan 1970 00:16:40 GMT", 10.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("9" * 400, 999_999_999.0),
        ("²", None),
    ],
)
def test_a_retry_after_names_seconds_or_a_date(header: str, seconds: float | None) -> None:
    """RFC 9110 10.2.3; what is neither names nothing. The clock stands at 990."""
    assert seconds_of(header, 990.0) == seconds


@pytest.mark.parametrize("is_read", [True, False])
def test_who_was_turned_away_comes_back_when_told_and_not_for_ever(is_read: bool) -> None:
    """Whatever was asked: the server did nothing yet. Never before the time it named."""
    tries = Tries(is_read)
    waits = [tries.turned_away(2.0, spread) for spread in (0.0, 0.5, 1.0, 0.0)]
    assert waits == [2.0, 2.5, 3.0, 2.0]
    assert tries.sent == MOST_TRIES - 1
    assert tries.turned_away(2.0, 0.0) is None


@pytest.mark.parametrize("asked", [None, LONGEST_PAUSE + 1])
def test_who_is_told_no_time_or_too_long_a_one_does_not_wait(asked: float | None) -> None:
    assert Tries(is_read=True).turned_away(asked, 0.0) is None


def test_a_broken_read_is_sent_once_more_and_a_write_is_not() -> None:
    """A write may have been carried out; who asked for it looks at what became of it."""
    read = Tries(is_read=True)
    assert read.broken(0.0) == pytest.approx(0.1)
    assert read.broken(0.0) is None
    assert Tries(is_read=False).broken(0.0) is None


def test_pauses_grow_until_something_lasts() -> None:
    """0.1 s, doubled to 5 s, half to one and a half of that at random; after one that lasted, none."""
    pauses = Pauses()
    assert [round(pauses.ended(0.0, 0.5), 1) for _ in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert (pauses.ended(0.0, 0.0), pauses.ended(0.0, 1.0)) == (2.5, 7.5)
    assert pauses.ended(1.0, 0.5) == 0.0
    assert pauses.ended(0.0, 0.5) == pytest.approx(0.1)


def test_a_pause_is_not_shorter_than_the_server_asked_for() -> None:
    """Up to a bound, so that nobody can send us away for a day."""
    pauses = Pauses()
    assert pauses.ended(0.0, 0.0, asked=3.0) == 3.0
    assert pauses.ended(5.0, 0.0, asked=3.0) == 3.0
    assert pauses.ended(0.0, 0.0, asked=86_400.0) == LONGEST_PAUSE
