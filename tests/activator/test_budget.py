"""Repeats are a share of the requests, and a minimum each second."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.hold.budget import MINIMUM, SHARE, WINDOW, Budget


def spend(budget: Budget, now: float, *, requests: int, in_flight: int = 0, tries: int = 10**6) -> int:
    """How many repeats there may be at this moment."""
    return next(
        (n for n in range(tries) if not budget.take(now, requests=requests, in_flight=in_flight)), tries
    )


@pytest.mark.parametrize(
    ("history", "allowed"),
    [
        ([(0.0, 1, 1)], [101]),
        ([(0.0, 1, 1), (9.9, 1, 1), (10.0, 1, 1)], [101, 0, 101]),
        ([(0.0, 1000, 500)], [600]),
        ([(0.0, 0, 0), (5.0, 1000, 0)], [100, 200]),
        ([(0.0, 0, 0), (10.0, 1000, 0), (12.0, 1000, 0), (20.0, 1000, 0)], [100, 300, 0, 100]),
        ([(0.0, 0, 0), (100.0, 10_000, 0)], [100, 300]),
    ],
    ids=["few", "a window later", "in flight", "as requests come", "of the window before", "of a long calm"],
)
def test_what_may_be_repeated(history: list[tuple[float, int, int]], allowed: list[int]) -> None:
    """(time, requests so far, in flight) → repeats that there may be then, if all that may be are made."""
    budget = Budget()
    assert [spend(budget, now, requests=requests, in_flight=n) for now, requests, n in history] == allowed


@given(
    st.lists(st.tuples(st.floats(0, 3), st.integers(0, 200), st.integers(0, 300)), max_size=60),
    st.integers(0, 50),
)
def test_a_storm_is_a_share_of_the_requests(steps: list[tuple[float, int, int]], in_flight: int) -> None:
    """Whatever comes and however much fails: in the long run no more than twice the share, the minimum and
    those in flight.
    """
    budget, now, requests, repeats = Budget(), 1000.0, 0, 0
    for after, came, failed in steps:
        now += after
        requests += came
        repeats += spend(budget, now, requests=requests, in_flight=in_flight, tries=failed)
    windows = (now - 1000.0) / WINDOW + 1
    assert repeats <= 2 * SHARE * requests + windows * (MINIMUM * WINDOW + in_flight + 1)
