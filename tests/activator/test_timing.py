"""Where a wait went, phase by phase."""

from typing import Any

import pytest

from activator.hold.timing import Phases, server_timing, spans


@pytest.mark.parametrize(
    ("phases", "since", "slot", "answered", "expected"),
    [
        pytest.param(Phases(), 1.0, 1.5, 2.0, {"queue": 0.5, "connect": 0.5}, id="waited for a slot only"),
        pytest.param(
            Phases(10.0, 10.25, 10.5, 10.75, 11.0),
            10.0, 11.5, 12.0,
            {"queue": 0.5, "decide": 0.25, "schedule": 0.25, "start": 0.5, "connect": 0.5},
            id="woke it up",
        ),
        pytest.param(
            Phases(10.0, 10.25, 10.5, 10.75, 11.0),
            10.375, 11.0, 11.0,
            {"queue": 0.0, "schedule": 0.125, "start": 0.5, "connect": 0.0},
            id="came while it woke up",
        ),
        pytest.param(
            Phases(10.0, None, None, None, 11.0),
            10.0, 11.0, 11.5,
            {"queue": 0.0, "start": 1.0, "connect": 0.5},
            id="steps that nobody saw",
        ),
        pytest.param(
            Phases(1.0, 2.0, 3.0, 4.0, 5.0),
            100.0, 101.0, 101.0,
            {"queue": 1.0, "connect": 0.0},
            id="old wake",
        ),
    ],
)  # fmt: skip
def test_spans(phases: Phases, since: float, slot: float, answered: float, expected: dict[str, Any]) -> None:
    """Phases before the request came do not count; the sum of all but `connect` is the time it waited."""
    found = spans(phases, since=since, slot=slot, answered=answered)
    assert found == expected
    assert sum(found.values()) == pytest.approx(answered - since)


def test_server_timing_is_in_milliseconds() -> None:
    """As browsers show it."""
    assert server_timing({"queue": 0.0015, "start": 1.25}) == b"queue;dur=1.5, start;dur=1250.0"
