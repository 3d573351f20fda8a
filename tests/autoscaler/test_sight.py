"""Who is seen, and what may not be done for want of seeing; and that each report counts once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.collector import Collector
from autoscaler.messages import Stats
from autoscaler.sight import Sight

LED = 1_000.0
LATER = LED + 500


def test_a_new_leader_takes_nothing_away_for_a_stable_window() -> None:
    sight = Sight(LED)
    assert "leading for 59 s only" in sight.veto(60, LED + 59)
    assert sight.veto(60, LED + 60) == ""
    assert sight.veto(6, LED + 6) == ""


def test_three_seconds_of_silence_are_a_veto_for_a_minute_or_a_longer_window() -> None:
    """Of an activator whose link is lost: it is gone or cut off, and nobody can tell which."""
    sight = Sight(LED)
    sight.hear("a", LATER)
    sight.lose("a")
    assert sight.veto(60, LATER + 2.9) == ""
    assert sight.veto(60, LATER + 3) == "activator a is silent"
    assert sight.veto(60, LATER + 62.9) == "activator a is silent"
    assert sight.veto(60, LATER + 63) == ""
    assert sight.veto(300, LATER + 302) == "activator a is silent"
    assert sight.veto(300, LATER + 303) == ""
    sight.hear("a", LATER + 400)
    assert sight.veto(60, LATER + 401) == ""


@pytest.mark.parametrize("stable_window", [6, 60, 3600])
def test_a_linked_activator_that_does_not_report_is_a_veto_until_it_does(stable_window: float) -> None:
    """It lives and may serve: whatever its load is, it is not seen."""
    sight = Sight(LED - 10_000)
    sight.hear("a", LATER)
    for silence in (3, 63, 600, 86_400):
        assert sight.veto(stable_window, LATER + silence) == "activator a is silent"
    sight.hear("a", LATER + 90_000)
    assert sight.veto(stable_window, LATER + 90_001) == ""


def test_a_link_is_no_report() -> None:
    """One that comes back after a minute has to report before anything is taken away."""
    sight = Sight(LED)
    sight.hear("a", LATER)
    sight.lose("a")
    sight.link("a", LATER + 60)
    assert sight.veto(60, LATER + 100) == "activator a is silent"
    sight.hear("a", LATER + 101)
    assert sight.veto(60, LATER + 102) == ""


def test_a_broken_link_is_silence_and_a_good_bye_is_none() -> None:
    sight = Sight(LED)
    for name in ("lost", "gone"):
        sight.hear(name, LATER)
        sight.lose(name)
    sight.bye("gone")
    assert sight.linked() == set()
    assert sight.veto(60, LATER + 5) == "activator lost is silent"


def test_the_expected_count_from_the_moment_they_are_expected() -> None:
    sight = Sight(LED)
    sight.expect({"a", "b"}, LATER)
    sight.hear("a", LATER + 1)
    assert sight.silent(LATER + 3) == {"b": 3.0}
    sight.expect({"a"}, LATER + 4)
    assert sight.silent(LATER + 3.5) == {}


def test_one_that_is_expected_no_more_counts_while_it_is_linked() -> None:
    sight = Sight(LED)
    sight.hear("draining", LATER)
    sight.expect(set(), LATER)
    assert sight.linked() == {"draining"}
    sight.lose("draining")
    sight.expect(set(), LATER + 1)
    assert sight.silent(LATER + 10) == {}


def test_a_silent_one_is_not_waited_for_to_acknowledge() -> None:
    sight = Sight(LED)
    sight.hear("a", LATER)
    sight.hear("b", LATER + 3)
    assert sight.responsive(LATER + 3.5) == {"b"}
    assert sight.linked() == {"a", "b"}


def test_a_veto_that_ran_out_is_told_once() -> None:
    sight = Sight(LED)
    sight.hear("a", LATER)
    assert sight.overdue(LATER + 62) == []
    assert sight.overdue(LATER + 63) == ["a"]
    assert sight.overdue(LATER + 64) == []
    sight.hear("a", LATER + 70)
    assert sight.overdue(LATER + 140) == ["a"]


def test_one_that_nobody_expects_is_forgotten_after_the_longest_window() -> None:
    sight = Sight(LED)
    sight.hear("a", LATER)
    sight.lose("a")
    sight.overdue(LATER + 3600)
    assert sight.silent(LATER + 3600) == {"a": 3600.0}
    sight.overdue(LATER + 3603)
    assert sight.silent(LATER + 3603) == {}


def report(cut: int, sender: str = "a") -> Stats:
    return Stats(sender, cut, ())


@pytest.mark.parametrize(
    ("frames", "seconds"),
    [
        ([(100, 100.5), (101, 101.5), (102, 102.6)], [100, 101, 102]),
        ([(100, 100.5), (100, 100.6)], [100, None]),
        ([(100, 100.5), (101, 103.1), (102, 103.2)], [100, 101, 102]),
        ([(100, 100.5), (102, 102.5), (101, 102.9)], [100, 102, 101]),
        ([(0, 100.5), (0, 100.6)], [100, 100]),
        # a clock that is five seconds behind, and one that is five seconds ahead
        ([(95, 100.5), (96, 101.5), (97, 104.0)], [100, 101, 102]),
        ([(105, 100.5), (106, 101.5), (107, 104.0)], [100, 101, 102]),
    ],
)
def test_a_report_counts_once_and_in_its_own_second(
    frames: list[tuple[int, float]], seconds: list[int | None]
) -> None:
    collector = Collector()
    assert [collector.second_of(report(cut), now) for cut, now in frames] == seconds


def test_two_senders_may_report_the_same_second() -> None:
    collector = Collector()
    assert [collector.second_of(report(100, name), 100.5) for name in "abab"] == [100, 100, None, None]


def test_another_process_under_the_same_name_begins_to_number_again() -> None:
    """Whether its Hello names the process or not; and also if no Hello was seen."""
    collector = Collector()
    for process in ("", "", "first", "second"):
        collector.linked("a", process)
        assert [collector.second_of(report(cut), 500.5 + cut) for cut in (1, 2, 3)] == [501, 502, 503]
    for cut in range(4, 1000):
        assert collector.second_of(report(cut), 500.5 + cut) == 500 + cut
    assert [collector.second_of(report(cut), 2000.5 + cut) for cut in (1, 2)] == [2001, 2002]


def test_a_new_link_of_a_process_counts_no_cut_twice_and_begins_to_measure_delays_again() -> None:
    """The machine of one of the two slept meanwhile: its monotonic clock stood still."""
    collector = Collector()
    collector.linked("a", "p")
    for cut in range(1, 100):
        collector.second_of(report(cut), 500.5 + cut)
    collector.linked("a", "p")
    assert collector.second_of(report(99), 3700.5) is None
    assert [collector.second_of(report(100 + n), 3701.5 + n) for n in range(3)] == [3701, 3702, 3703]


@given(st.permutations(range(1000, 1020)), st.lists(st.integers(0, 19), max_size=10))
def test_however_frames_are_mixed_each_cut_counts_once(order: list[int], again: list[int]) -> None:
    collector = Collector()
    frames = order + [order[index] for index in again]
    counted = [collector.second_of(report(cut), 1030.5) for cut in frames]
    assert sum(second is not None for second in counted) == len(order)


@given(st.integers(-10_000, 10_000), st.lists(st.floats(0, 0.49), min_size=2, max_size=50))
def test_jitter_never_puts_two_cuts_into_one_second(skew: int, delays: list[float]) -> None:
    """Cuts fall on the half second: half a second of delay changes nothing, whatever the sender's clock."""
    collector = Collector()
    seconds = [
        collector.second_of(report(20_000 + number + skew), 20_000.5 + number + delay)
        for number, delay in enumerate(delays)
    ]
    assert seconds == [20_000 + number for number in range(len(delays))]
