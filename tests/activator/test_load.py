"""The load that an activator reports equals what a ruler laid over its history would measure."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.link.load import Load, Phase


class Reporter:
    """Plays the link: tells first requests at once, cuts what is not idle, keeps every report."""

    def __init__(self) -> None:
        self.loads: dict[str, Load] = {}
        self.reports: dict[str, list[tuple[float, int]]] = {}

    def play(self, step: str, at: float) -> None:
        verb, _, revision = step.partition(" ")
        if verb == "tick":
            for name, load in self.loads.items():
                if load.phase is not Phase.IDLE:
                    self.reports[name].append(load.cut(at)[:2])
            return
        load = self.loads.setdefault(revision, Load())
        if verb == "out":
            load.leave(at)
        elif load.enter(at):
            self.reports.setdefault(revision, []).append((1, 1))
            load.told()


@pytest.mark.parametrize(
    ("steps", "reports"),
    [
        pytest.param(["in@0"], {"": [(1, 1)]}, id="the first request is told at once"),
        pytest.param(
            ["in@0", "out@1", "in@1", "out@2", "tick@2"],
            {"": [(1, 1), (0, 1)]},
            id="what was told at once is not told again",
        ),
        pytest.param(
            ["in@0", "in@0", "tick@1", "tick@2"],
            {"": [(1, 1), (1, 1), (2, 0)]},
            id="only the first cut is corrected",
        ),
        pytest.param(
            ["in@0", "out@1", "tick@1", "tick@2", "in@3"],
            {"": [(1, 1), (0, 0), (0, 0), (1, 1)]},
            id="only a cut without load makes a revision idle",
        ),
        pytest.param(
            ["in a@0", "in b@0", "out b@1", "out a@2", "tick@2"],
            {"a": [(1, 1), (0, 0)], "b": [(1, 1), (0, 0)]},
            id="each revision by itself",
        ),
        pytest.param(
            ["in@0", "in@0", "out@1", "out@2", "tick@2"],
            {"": [(1, 1), (0.5, 1)]},
            id="the mean is weighted by time",
        ),
        pytest.param(
            ["in a@0", "in b@0", "in c@0", "tick@1"],
            {name: [(1, 1), (0, 0)] for name in "abc"},
            id="three revisions",
        ),
    ],
)
def test_reports_are_knatives(steps: list[str], reports: dict[str, Any]) -> None:
    """The histories of Knative's TestStats give Knative's reports (times in milliseconds)."""
    reporter = Reporter()
    for step in steps:
        what, _, at = step.partition("@")
        reporter.play(what, int(at) / 1000)
    assert reporter.reports == reports


def test_two_requests_one_after_the_other_are_one_in_flight() -> None:
    """Two requests of half a second each that do not overlap average to one in a cut of one second."""
    load = Load()
    load.enter(0.0)
    load.leave(0.5)
    load.enter(0.5)
    load.leave(1.0)
    assert load.cut(1.0) == (1.0, 2, False)


def phase(load: Load) -> Phase:
    return load.phase


def test_an_unwritten_first_report_is_not_subtracted() -> None:
    """While the at-once report was not written the cut counts the request itself, and it stays untold."""
    load = Load()
    assert load.enter(0.0)
    assert load.cut(1.0) == (1.0, 1, False)
    assert phase(load) is Phase.FIRST
    load.told()
    assert load.cut(2.0) == (0.0, 0, False)
    assert phase(load) is Phase.REPORTED
    assert load.cut(3.0) == (1.0, 0, False)


def test_a_clock_that_steps_back_adds_nothing() -> None:
    """Time that runs backwards is passed over."""
    load = Load()
    load.enter(10.0)
    load.leave(9.0)
    assert load.in_flight == 0
    assert load.cut(10.0) == (0.0, 1, True)


events = st.lists(
    st.tuples(st.sampled_from(["in", "out", "cut"]), st.integers(min_value=0, max_value=1000)), max_size=60
)


@given(events)
def test_cuts_equal_a_brute_force_integral(history: list[tuple[str, int]]) -> None:
    """For any history a cut's mean is the area under the curve of requests in flight, and arrivals add up."""
    load, now, curve, arrived = Load(), 0, [], 0
    for what, step in history:
        curve += [load.in_flight] * step if load.phase is not Phase.IDLE else []
        now += step
        if what == "in":
            load.enter(float(now))
            arrived += 1
        elif what == "out" and load.in_flight:
            load.leave(float(now))
        elif what == "cut" and load.phase is not Phase.IDLE:
            average, requests, is_idle = load.cut(float(now))
            assert average == pytest.approx(sum(curve) / len(curve) if curve else 0.0)
            assert requests == arrived
            assert is_idle == (load.in_flight == 0 and not any(curve))
            curve, arrived = [], 0


@given(st.lists(st.booleans(), max_size=80))
def test_in_flight_is_arrivals_less_departures(history: list[bool]) -> None:
    """Whatever happens, nothing is in flight that did not arrive, and nothing stays that left."""
    load, expected = Load(), 0
    for now, is_arrival in zip(itertools.count(), history, strict=False):
        if is_arrival:
            load.enter(float(now))
            expected += 1
        elif expected:
            load.leave(float(now))
            expected -= 1
        assert load.in_flight == expected
