"""Averages over the last seconds, with the histories of Knative's own tests (bucketing_test.go)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.kpa.windows import WeightedWindow, Window, weight

T0 = 1_700_000_000
T1 = T0 + 60
T2 = T1 + 1

WRITE, READ = "write", "read"


def test_a_window_over_its_life() -> None:
    """Late writes count while they are inside; a gap is nothing until something comes after it."""
    steps: list[tuple[str, int, float]] = [
        (WRITE, T0, 1), (READ, T0, 1),
        (WRITE, T0 + 1, 2), (WRITE, T0 + 2, 3), (WRITE, T0 + 3, 4), (WRITE, T0 + 4, 5), (READ, T0 + 4, 3),
        (READ, T0 + 6, 4),
        (READ, T0 + 10, 0),
        (WRITE, T0 + 6, 91), (READ, T0 + 6, 20.6),
        (WRITE, T1, 1984), (READ, T1, 1984),
        (WRITE, T1 - 3, 4), (READ, T1, 497),
        (WRITE, T2, 5), (READ, T2, 398.6),
        (WRITE, T2 - 3, 10), (READ, T2, 400.6),
        (WRITE, T2 - 6, 10), (WRITE, T2 - 5, 10), (READ, T2, 400.6),
        (WRITE, T2 + 5, 10), (READ, T2 + 5, 10),
    ]  # fmt: skip
    window = Window(5)
    for what, second, value in steps:
        if what == WRITE:
            window.record(second, value)
        else:
            assert window.average(second) == value, second - T0


def test_a_fresh_window_written_backwards() -> None:
    window = Window(5)
    for second in range(T0 + 8, T0 - 1, -1):
        window.record(second, 5)
    assert window.average(T0 + 5) == 5


def test_two_windows_of_different_length() -> None:
    stable, panic = Window(6), Window(2)
    for second in range(10):
        stable.record(T0 + second, second + 5)
        panic.record(T0 + second, second + 5)
    assert (stable.average(T0 + 9), panic.average(T0 + 9)) == (11.5, 13.5)


def test_reports_of_one_second_add_up() -> None:
    window = Window(60)
    for _ in range(3):
        window.record(T0, 10)
    assert window.average(T0) == 30
    for _ in range(2):
        window.record(T0, 10)
    assert window.average(T0 + 55) == 50


def test_a_second_second_halves_them() -> None:
    window = Window(60)
    for second in (T0, T0, T0, T0 + 1, T0 + 1, T0 + 1, T0 + 1):
        window.record(second, 10)
    assert window.average(T0 + 1) == 35


def test_silence_of_a_window_is_nothing_and_a_second_later_it_is_empty() -> None:
    window = Window(5)
    assert window.is_empty(T0)
    window.record(T0, 5)
    assert not window.is_empty(T0)
    assert window.average(T0 + 4) == 5
    assert (window.average(T0 + 5), window.is_empty(T0 + 5)) == (0, False)
    assert window.is_empty(T0 + 6)


def test_a_clock_that_lags_reads_what_is_there() -> None:
    window = Window(5)
    window.record(T0, 5)
    assert window.average(T0 - 3) == 5


def test_resized_windows_keep_their_newest_seconds() -> None:
    window = Window(5)
    for value in range(1, 7):
        window.record(T0 + value, value)
    assert window.average(T0 + 6) == 4
    window.resize(10, T0 + 6)
    assert window.average(T0 + 6) == 4
    window.record(T0 + 7, 7)
    assert window.average(T0 + 7) == 4.5
    window.resize(4, T0 + 7)
    assert window.average(T0 + 7) == 5.5
    window.resize(4, T0 + 700)
    assert window.average(T0 + 7) == 5.5


def test_a_window_out_of_date_is_resized_to_nothing() -> None:
    window = Window(5)
    window.record(T0, 7)
    window.resize(10, T0 + 6)
    assert window.average(T0 + 6) == 0
    window.record(T0 + 7, 3)
    assert window.average(T0 + 7) == 3


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(5, 0.841511), (6, 0.784557), (10, 0.601893), (12, 0.535841), (30, 0.264358), (40, 0.205672),
     (41, 0.201198), (42, 0.2), (600, 0.2)],
)  # fmt: skip
def test_the_newest_seconds_weight(seconds: int, expected: float) -> None:
    assert weight(seconds) == pytest.approx(expected, abs=1e-6)


def test_an_exponential_average() -> None:
    window = WeightedWindow(5)
    assert window.average(T0) == 0
    for index, value in enumerate((2, 3, 4, 5, 6)):
        window.record(T0 + index, value)
    assert window.average(T0 + 4) == pytest.approx(5.811580, abs=1e-6)


def test_silence_decays_an_exponential_average() -> None:
    window = WeightedWindow(5)
    window.record(T0, 2)
    share = weight(5)
    assert window.average(T0) == 2 * share
    assert window.average(T0 + 1) == pytest.approx(2 * share * (1 - share))
    assert window.average(T0 + 5) == 0


def test_a_resized_exponential_window_weighs_anew() -> None:
    window = WeightedWindow(5)
    window.record(T0, 2)
    window.resize(10, T0)
    assert window.average(T0) == pytest.approx(2 * weight(10))


writes = st.lists(st.tuples(st.integers(-10, 10), st.integers(0, 100)), min_size=1, max_size=60)


@given(writes, st.integers(1, 8), st.integers(0, 12))
def test_the_running_total_is_a_recount(steps: list[tuple[int, int]], size: int, silence: int) -> None:
    """Against a dict of all writes that keeps no total."""
    window = Window(size)
    kept: dict[int, float] = {}
    first = last = None
    second = T0
    for step, value in steps:
        second += step
        window.record(second, value)
        if last is not None and second <= last - size:
            continue
        if last is None or second - last >= size:
            first, kept = second, {}
        first = second if first is None else min(first, second)
        last = second if last is None else max(last, second)
        kept[second] = kept.get(second, 0) + value
        kept = {key: each for key, each in kept.items() if key > last - size}
    assert first is not None
    assert last is not None
    now = last + silence
    total = sum(value for key, value in kept.items() if key > now - size)
    expected = 0.0 if silence >= size else total / min(last - first + 1, size - silence)
    assert window.average(now) == pytest.approx(expected, abs=1e-6)


@given(writes, st.integers(1, 8), st.sampled_from([Window, WeightedWindow]))
def test_what_is_told_makes_the_same_window(
    steps: list[tuple[int, int]], size: int, kind: type[Window]
) -> None:
    window, twin = kind(size), kind(size)
    second = T0
    for step, value in steps:
        second += step
        window.record(second, value)
    recorded = window.recorded()
    assert recorded is not None
    twin.restore(recorded)
    assert [twin.average(second + later) for later in range(10)] == [
        window.average(second + later) for later in range(10)
    ]
    twin.record(second + 1, 3)
    window.record(second + 1, 3)
    assert twin.average(second + 2) == window.average(second + 2)
