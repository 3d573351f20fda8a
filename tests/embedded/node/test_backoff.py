"""When a container is started again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.node.backoff import Backoff, BackoffRule, is_restarted


def test_delays_double_from_ten_seconds_to_five_minutes() -> None:
    """The first restart is immediate, as with the kubelet."""
    backoff = Backoff(BackoffRule())
    assert [backoff.ended(1.0) for _ in range(9)] == [0, 10, 20, 40, 80, 160, 300, 300, 300]


def test_ten_good_minutes_forget_what_was() -> None:
    """After a long run the next end is a first one."""
    backoff = Backoff(BackoffRule())
    for _ in range(5):
        backoff.ended(1.0)
    assert [backoff.ended(ran) for ran in (599.0, 600.0, 1.0)] == [160, 0, 10]


@given(st.lists(st.floats(0, 1000), max_size=2000))
def test_delays_are_bounded(runs: list[float]) -> None:
    """However often it ends."""
    backoff = Backoff(BackoffRule())
    assert all(0 <= backoff.ended(ran) <= 300 for ran in runs)


@pytest.mark.parametrize(
    ("policy", "code", "expected"),
    [
        ("Always", 0, True),
        ("Always", 1, True),
        ("OnFailure", 0, False),
        ("OnFailure", 137, True),
        ("Never", 1, False),
    ],
)
def test_the_restart_policy(policy: str, code: int, expected: bool) -> None:
    """Always, on failure, never."""
    assert is_restarted(policy, code) is expected
