"""Averages to pods: the table and the sequences of Knative's own tests (autoscaler_test.go).

Not here: its two cases of an error while load or pods are asked for. Nobody is asked; what is not told is 0.
"""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.kpa.decider import Averages, Decider, Decision
from autoscaler.kpa.maximum import SlidingMaximum, delay_slots
from autoscaler.kpa.reasons import reason
from autoscaler.kpa.spec import Spec, resolve
from serving.config_autoscaler import DEFAULTS

NOW = 1_700_000_000.0


def spec(target: float = 10.0, burst: float = 100.0, **changes: float) -> Spec:
    """The settings common to Knative's cases."""
    base = resolve(DEFAULTS, {}, 0)
    common = replace(base, total=target / 0.75, target=target, burst_capacity=burst)
    common = replace(common, panic_threshold=2.0, max_up_rate=10.0, max_down_rate=10.0)
    return replace(common, **changes)  # type: ignore[arg-type] # each by the name of its field


def near(decision: Decision, desired: int, burst: int) -> None:
    """Knative's tests leave the capacity one off, for rounding."""
    assert decision.desired == desired
    assert abs(decision.excess_burst_capacity - burst) <= 1


@dataclass(frozen=True)
class Step:
    """At `ready` pods and these averages, this comes out."""

    ready: int
    stable: float
    panic: float
    desired: int
    burst: int
    after: float = 0.0
    """Seconds after the first step."""


@dataclass(frozen=True)
class Row:
    """A scaler made at one ready pod, and its decisions."""

    name: str
    spec: Spec
    steps: tuple[Step, ...]
    is_reachable: bool = True
    panic: tuple[float, int] | None = None
    """A panic from before: seconds ago, most pods."""


ROWS = [
    Row("1 nothing", spec(), (Step(1, 0, 0, 0, -87),)),
    Row("2 always between", spec(181, -1), (Step(1, 21, 26, 1, -1),)),
    Row("3 no burst", spec(10, 0), (Step(1, 50, 49, 5, 0),)),
    Row("4 panics", spec(), (Step(1, 50, 50, 5, -137),)),
    Row("5 stable wins in panic", spec(1), (Step(5, 50, 30, 50, -124),), panic=(5, 5)),
    Row("6 panic wins", spec(1), (Step(5, 20, 30, 30, -124),), panic=(5, 5)),
    Row("7 as many as there are", spec(), (Step(5, 50, 50, 5, -84),)),
    Row("8 up by a tenth", spec(1, 1982, max_up_rate=1.1), (Step(2, 3, 3.1, 3, -1983),)),
    Row("9 down by a tenth", spec(10, 1982, max_down_rate=1.1), (Step(100, 1, 1, 90, -650),)),
    Row("10 down at once without routes", spec(10, 1982, max_down_rate=1.1), (Step(100, 1, 1, 1, -650),),
        is_reachable=False),
    Row("11 panic window", spec(10, 84), (Step(1, 50, 100, 10, -171),)),
    Row("12 calm rise", spec(10, 101), (Step(1, 50, 10, 5, -98), Step(1, 100, 10, 10, -98))),
    Row("13 requests a second", spec(10, 101), (Step(1, 50, 50, 5, -138), Step(1, 100, 99, 10, -187))),
    Row("14 requests a second, once", spec(), (Step(1, 100, 99, 10, -186),)),
    Row("15 up and down", spec(10, 98), (Step(8, 100, 100, 10, -92), Step(8, 50, 50, 5, -42))),
    Row("16 to nothing", spec(10, 75), (Step(1, 1, 0, 1, -62), Step(1, 0, 0, 0, -62))),
    Row("17 activation scale", spec(10, 75, activation_scale=2), (
        Step(1, 0, 0, 0, -62), Step(1, 1, 0, 2, -62))),
    Row("18 up ten times", spec(10, 61), (Step(1, 1000, 1001, 10, -1049), Step(10, 1000, 1001, 100, -929))),
    Row("19 down ten times", spec(10, 61), (Step(100, 1, 1, 10, 1271), Step(10, 1, 1, 1, 71))),
    Row("20 none ready counts as one", spec(10, 81), (Step(0, 1000, 888, 10, -969),)),
    Row("ramp", spec(1, 101), (
        Step(1, 6, 6, 6, -106), Step(6, 36, 36, 36, -129), Step(36, 216, 216, 216, -269, 1),
        Step(216, 1296, 1296, 1296, -1109, 1), Step(1296, 1296, 1296, 1296, 331, 2))),
    Row("slow rise, then calm", spec(1, 98), (
        Step(10, 11, 25, 25, -110), Step(40, 30, 41, 41, -86, 30), Step(55, 50, 56, 50, -81, 62))),
    Row("extended panic", spec(1, 98), (Step(10, 11, 25, 25, -110), Step(40, 30, 80, 80, -125, 30))),
    Row("panic, then fall", spec(10, 93), (
        Step(1, 100, 100, 10, -180), Step(10, 100, 1000, 100, -960), Step(10, 1, 1, 100, 39, 30),
        Step(10, 1, 1, 1, 39, 61))),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_decision_is_knatives(row: Row) -> None:
    decider = Decider(row.spec, 1, NOW)
    if row.panic is not None:
        decider.panic_since, decider.max_panic_pods = NOW - row.panic[0], row.panic[1]
    for step in row.steps:
        decision = decider.decide(
            row.spec,
            Averages(step.stable, step.panic),
            step.ready,
            is_reachable=row.is_reachable,
            now=NOW + step.after,
        )
        near(decision, step.desired, step.burst)


def test_21_another_spec_holds_from_the_next_decision_on() -> None:
    first, second = spec(10, 77), spec(1, 71)
    decider = Decider(first, 1, NOW)
    near(decider.decide(first, Averages(100, 101), 1, is_reachable=True, now=NOW), 10, -165)
    near(decider.decide(second, Averages(100, 101), 10, is_reachable=True, now=NOW), 100, -159)


def test_panic_lasts_a_stable_window_beyond_the_last_tick_over_the_threshold() -> None:
    """Strictly: at exactly that time it is still panic."""
    settings = spec(1, 98)
    decider = Decider(settings, 1, NOW)
    for after, panic, ready, is_panicking in (
        (0, 25, 10, True),
        (30, 41, 40, True),
        (60, 10, 40, True),
        (60.001, 10, 40, False),
    ):
        decision = decider.decide(settings, Averages(10, panic), ready, is_reachable=True, now=NOW + after)
        assert decision.is_panicking is is_panicking


@pytest.mark.parametrize(("ready", "is_panicking"), [(0, False), (1, False), (2, True), (7, True)])
def test_a_scaler_that_finds_several_pods_does_not_go_below_them_for_a_window(
    ready: int, is_panicking: bool
) -> None:
    settings = spec()
    decider = Decider(settings, ready, NOW)
    decision = decider.decide(settings, Averages(0, 0), ready, is_reachable=True, now=NOW + 60)
    assert (decision.is_panicking, decision.desired) == (is_panicking, ready if is_panicking else 0)


def delayed(delay: float) -> Spec:
    return spec(10, scale_down_delay=delay, stable_window=0, panic_threshold=100.0)


@pytest.mark.parametrize(
    ("delay", "steps"),
    [
        (300, (
            (2, 40, 4), (300, 0, 4), (302, 0, 0),
            (540, 40, 4), (600, 30, 4), (660, 0, 4), (840, 0, 3), (900, 0, 0))),
        (0, ((0, 40, 4), (0.5, 20, 2))),
        (2, ((0, 40, 4), (0.5, 20, 4), (2, 20, 2))),
    ],
)  # fmt: skip
def test_a_lower_number_waits_for_the_delay(
    delay: float, steps: tuple[tuple[float, float, int], ...]
) -> None:
    settings = delayed(delay)
    decider = Decider(settings, 0, NOW)
    for after, load, desired in steps:
        averages = Averages(load, load)
        decision = decider.decide(settings, averages, 0, is_reachable=True, now=NOW + after)
        assert decision.desired == desired, after


def test_without_routes_there_is_no_delay() -> None:
    settings = delayed(300)
    decider = Decider(settings, 0, NOW)
    decider.decide(settings, Averages(40, 40), 0, is_reachable=True, now=NOW)
    for is_reachable, desired in ((True, 4), (False, 0)):
        decision = decider.decide(settings, Averages(0, 0), 0, is_reachable=is_reachable, now=NOW + 60)
        assert decision.desired == desired


@pytest.mark.parametrize(
    ("slots", "values", "expected"),
    [
        (
            5,
            [*enumerate([5, 8, 5, 7, 5, 5, 1, 4, 4, 4, 4, 9, 3, 4, 2, 1, 0])],
            [5, 8, 8, 8, 8, 8, 7, 7, 5, 5, 4, 9, 9, 9, 9, 9, 4],
        ),
        (5, [(0, 6), (1, 5), (2, 2), (6, 1)], [6, 6, 6, 2]),
        (5, [(0, value) for value in range(7, 0, -1)], [7] * 7),
        (1, [(0, 3), (0, 2), (1, 1)], [3, 3, 1]),
    ],
)
def test_the_sliding_maximum(slots: int, values: list[tuple[int, int]], expected: list[int]) -> None:
    maximum = SlidingMaximum(slots)
    assert [maximum.record(slot, value) for slot, value in values] == expected


@given(st.integers(1, 6), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=40))
def test_the_sliding_maximum_is_a_recount(slots: int, steps: list[tuple[int, int]]) -> None:
    maximum, slot = SlidingMaximum(slots), 0
    seen: list[tuple[int, int]] = []
    for step, value in steps:
        slot += step
        seen.append((slot, value))
        expected = max(value for then, value in seen if then > slot - slots)
        assert maximum.record(slot, value) == expected
        assert len(maximum.recorded()) <= slots


@pytest.mark.parametrize(("delay", "slots"), [(0, 0), (1, 1), (2, 1), (3, 2), (300, 150)])
def test_a_delay_has_a_slot_for_each_two_seconds(delay: float, slots: int) -> None:
    assert delay_slots(delay) == slots


UP, DOWN = "; one step goes up to 2 at most", "; one step goes down to 4 at least"
loads = st.floats(0, 5000, allow_nan=False).map(lambda load: round(load, 6))  # as windows tell them


@given(loads, loads, st.integers(0, 50))
def test_a_decision_stays_within_its_rates(stable: float, panic: float, ready: int) -> None:
    settings = spec()
    decider = Decider(settings, 0, NOW)
    decision = decider.decide(settings, Averages(stable, panic), ready, is_reachable=True, now=NOW)
    pods = max(ready, 1)
    assert pods // 10 <= decision.desired <= pods * 10
    if stable > 0:
        assert decision.desired >= 1


@pytest.mark.parametrize(
    ("changes", "ready", "averages", "text"),
    [
        ({}, 5, (48.25, 48.25), "48.25 requests in flight, target 10"),
        ({}, 1, (20.0, 50.0), "50 requests in flight, target 10 (panic)"),
        ({"metric": "rps"}, 5, (48.0, 48.0), "48 requests/s, target 10"),
        ({"max_up_rate": 2.0}, 1, (500.0, 500.0), "500 requests in flight, target 10" + UP),
        ({"max_down_rate": 2.0}, 8, (1.0, 1.0), "1 requests in flight, target 10" + DOWN),
        ({"max_down_rate": 2.0}, 8, (-0.0, -0.0), "0 requests in flight, target 10" + DOWN),
        ({"activation_scale": 3}, 0, (1.0, 1.0), "1 requests in flight, target 10; activation-scale"),
    ],
)  # fmt: skip
def test_a_decision_tells_why(
    changes: dict[str, float], ready: int, averages: tuple[float, float], text: str
) -> None:
    settings = spec(**changes)
    decider = Decider(settings, 0, NOW)
    decision = decider.decide(settings, Averages(*averages), ready, is_reachable=True, now=NOW)
    assert reason(settings, decision) == text


def test_a_held_number_tells_what_holds_it() -> None:
    settings = spec(scale_down_delay=60)
    decider = Decider(settings, 0, NOW)
    decider.decide(settings, Averages(50, 10), 5, is_reachable=True, now=NOW)
    decision = decider.decide(settings, Averages(10, 10), 5, is_reachable=True, now=NOW + 4)
    assert reason(settings, decision) == "5 were wanted within the scale-down-delay of 60 s"
    settings = spec()
    decider = Decider(settings, 5, NOW)
    decision = decider.decide(settings, Averages(10, 10), 5, is_reachable=True, now=NOW)
    assert reason(settings, decision) == "10 requests in flight, target 10; in panic the number never falls"
