"""The way to zero: the table of Knative's own tests (scaler_test.go), as far as it can happen here.

Not here, because the activator never leaves the path: rows about a ServerlessService that proxies or not
("inactive 59 s, proxying for 60 s" goes at once there; here the grace period counts from the silence),
and rows about the probe of the activator (its error, its refusal, that it must not run).
"""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.bounds import Bounds, bounds, clamp, fewest_active
from autoscaler.kpa.spec import Spec, resolve
from autoscaler.lifecycle import UNKNOWN, Activity, Lifecycle, first_seen
from serving.config_autoscaler import DEFAULTS

NOW = 1_700_000_000.0
ACTIVATING, ACTIVE, INACTIVE = Activity
DEADLINE = 121.0


def spec(**changes: float) -> Spec:
    """The settings of Knative's cases: grace 60 s, stable window 300 s."""
    base = replace(resolve(DEFAULTS, {}, 0), grace=60.0, stable_window=300)
    return replace(base, **changes)  # type: ignore[arg-type] # each by the name of its field


NEVER_READY = {"is_initialised": False}
NO_ROUTE = {"is_reachable": False}
SHORT, OFF = {"stable_window": 45}, {"is_zero_allowed": False}
MIN_2 = {"min_scale": 2}

ROWS = [
    # what it does, for how long, decided, settings, circumstances: returned, and whether that is written
    (ACTIVE, 299, 0, {}, {}, 1, True),
    (ACTIVE, 44, 0, SHORT, {}, 1, True),
    (ACTIVE, 300, 0, SHORT, {}, 0, False),
    (ACTIVE, 300, 0, {}, {}, 0, False),
    (INACTIVE, 60, 0, {"retention": 0.0}, {}, 0, True),
    (INACTIVE, 60, 0, {"retention": 120.0}, {}, 0, False),
    (INACTIVE, 120, 0, {"retention": 120.0}, {}, 0, True),
    (INACTIVE, 60, 0, {"retention": 60.0}, {}, 0, True),
    (INACTIVE, 60, 0, {}, {}, 0, True),
    (INACTIVE, 59, 0, {}, {}, 0, False),
    (INACTIVE, 60, 0, {"burst_capacity": -1.0}, {}, 0, True),
    (ACTIVATING, 75, 0, {}, {}, UNKNOWN, False),
    (ACTIVATING, 151, 0, {}, {}, UNKNOWN, False),
    (ACTIVATING, 152, 0, {}, {}, 0, True),
    (ACTIVATING, 36, 0, {}, {"deadline": 5.0}, 0, True),
    (INACTIVE, 59, 0, MIN_2, {}, 2, True),
    (INACTIVE, 60, 0, MIN_2, {}, 2, True),
    (INACTIVE, 60, 0, {"retention": 600.0}, NO_ROUTE, 0, True),
    (INACTIVE, 59, 0, {"retention": 600.0}, NO_ROUTE, 0, False),
    (INACTIVE, 60, 0, MIN_2, NO_ROUTE, 0, True),
    (INACTIVE, 0, 10, {}, {}, 10, True),
    (INACTIVE, 0, 10, {"max_scale": 8}, {}, 8, True),
    (INACTIVE, 30, 10, {}, {}, 10, True),
    (INACTIVE, 0, 1, {}, {}, 1, True),
    (ACTIVE, 120, 0, {"initial_scale": 2}, {}, 1, True),
    (ACTIVATING, 0, 1, {"initial_scale": 2}, NEVER_READY, 2, True),
    (ACTIVATING, 0, 1, {"initial_scale": 5}, NEVER_READY, 5, True),
    (INACTIVE, 0, 0, {"initial_scale": 0}, {}, 0, False),
    (ACTIVE, 120, 0, {"initial_scale": 2}, NO_ROUTE | NEVER_READY, 1, True),
    (ACTIVE, 120, 0, OFF, {}, 1, True),
    (ACTIVE, 120, 0, OFF | MIN_2, {}, 2, True),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_decision_within_its_bounds_and_the_life_cycle(row: tuple[object, ...]) -> None:
    activity, seconds, decided, settings, circumstances, returned, is_written = row
    given_ = {"is_reachable": True, "is_initialised": True, "deadline": DEADLINE} | circumstances  # type: ignore[operator] # a table's cell
    deadline, is_reachable = given_.pop("deadline"), given_["is_reachable"]
    chosen = spec(**settings)  # type: ignore[arg-type] # a table's cell
    pods = clamp(decided, bounds(chosen, **given_))  # type: ignore[arg-type] # a table's cell
    if pods:
        assert (pods, True) == (returned, is_written)
        return
    lifecycle = Lifecycle(activity, NOW - seconds)  # type: ignore[arg-type, operator] # a table's cell
    wish = lifecycle.without_load(chosen, deadline, NOW, is_reachable=is_reachable)
    assert (wish.pods, wish.is_written) == (returned, is_written)
    assert wish.has_failed is (activity is ACTIVATING and is_written)


@pytest.mark.parametrize(
    ("wished", "ready", "fewest", "before", "after"),
    [
        (0, 0, 1, ACTIVATING, INACTIVE),
        (0, 5, 1, ACTIVE, INACTIVE),
        (0, 0, 1, INACTIVE, INACTIVE),
        (3, 5, 0, ACTIVE, INACTIVE),
        (1, 0, 1, INACTIVE, ACTIVATING),
        (1, 0, 1, ACTIVE, ACTIVATING),
        (5, 1, 2, ACTIVE, ACTIVATING),
        (UNKNOWN, 0, 1, ACTIVE, ACTIVATING),
        (UNKNOWN, 0, 1, ACTIVATING, ACTIVATING),
        (UNKNOWN, 0, 1, INACTIVE, INACTIVE),
        (1, 1, 1, INACTIVE, ACTIVE),
        (1, 1, 1, ACTIVATING, ACTIVE),
        (UNKNOWN, 1, 1, ACTIVATING, ACTIVE),
        (UNKNOWN, 1, 1, ACTIVE, ACTIVE),
        (UNKNOWN, 1, 1, INACTIVE, INACTIVE),
    ],
)
def test_what_a_revision_does_next(
    wished: int, ready: int, fewest: int, before: Activity, after: Activity
) -> None:
    lifecycle = Lifecycle(before, NOW - 50)
    lifecycle.settle(wished, ready, fewest, NOW)
    assert lifecycle == Lifecycle(after, NOW - 50 if after is before else NOW)


@pytest.mark.parametrize(
    ("replicas", "ready", "fewest", "activity"),
    [(0, 0, 1, INACTIVE), (1, 0, 1, ACTIVATING), (3, 1, 1, ACTIVE), (3, 1, 2, ACTIVATING)],
)
def test_what_a_new_leader_takes_a_revision_to_do(
    replicas: int, ready: int, fewest: int, activity: Activity
) -> None:
    assert first_seen(replicas, ready, fewest, NOW) == Lifecycle(activity, NOW)


@pytest.mark.parametrize(
    ("settings", "flags", "expected"),
    [
        ({}, (True, True), (0, 0)),
        ({"min_scale": 2, "max_scale": 5}, (True, True), (2, 5)),
        ({"min_scale": 2, "max_scale": 5}, (False, True), (0, 5)),
        ({"initial_scale": 3}, (True, False), (3, 0)),
        ({"initial_scale": 3}, (True, True), (0, 0)),
        ({"initial_scale": 3}, (False, False), (0, 0)),
        ({"initial_scale": 1}, (True, False), (0, 0)),
        ({"initial_scale": 3, "min_scale": 5}, (True, False), (5, 0)),
    ],
)
def test_fewest_and_most_pods(
    settings: dict[str, float], flags: tuple[bool, bool], expected: tuple[int, int]
) -> None:
    is_reachable, is_initialised = flags
    limits = bounds(spec(**settings), is_reachable=is_reachable, is_initialised=is_initialised)
    assert limits == Bounds(*expected)


@pytest.mark.parametrize(
    ("settings", "flags", "expected"),
    [
        ({}, (True, True), 1),
        ({"min_scale": 3}, (True, True), 3),
        ({"min_scale": 3}, (False, True), 1),
        ({"initial_scale": 4}, (True, False), 4),
        ({"initial_scale": 0}, (True, False), 0),
        ({"initial_scale": 0}, (True, True), 1),
    ],
)
def test_how_many_ready_pods_make_it_active(
    settings: dict[str, float], flags: tuple[bool, bool], expected: int
) -> None:
    is_reachable, is_initialised = flags
    fewest = fewest_active(spec(**settings), is_reachable=is_reachable, is_initialised=is_initialised)
    assert fewest == expected


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_a_number_of_pods_stays_within_its_bounds(pods: int, lowest: int, highest: int) -> None:
    within = clamp(pods, Bounds(lowest, highest))
    if not highest or lowest <= highest:
        assert within == sorted((lowest, pods, highest or max(pods, lowest)))[1]


@pytest.mark.parametrize(("pods", "within"), [(0, 5), (4, 5), (5, 3), (7, 3)])
def test_a_new_revision_gets_its_initial_scale_even_above_its_max_scale(pods: int, within: int) -> None:
    assert clamp(pods, Bounds(5, 3)) == within


@pytest.mark.parametrize(
    ("activity", "seconds", "again_in"),
    [(ACTIVE, 299.25, 0.75), (INACTIVE, 1, 59), (INACTIVE, 60, math.inf), (ACTIVE, 300, math.inf)],
)
def test_a_wish_tells_when_it_changes_by_itself(activity: Activity, seconds: float, again_in: float) -> None:
    wish = Lifecycle(activity, NOW - seconds).without_load(spec(), DEADLINE, NOW, is_reachable=True)
    assert wish.again_in == again_in
