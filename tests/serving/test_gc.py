"""Which revisions may go."""

from collections.abc import Sequence

import pytest

from kube.objects import Obj, format_time
from serving.config_gc import GcConfig
from serving.reconcile.gc import collectable

NOW = 2_000_000_000.0
HOUR = 3600.0


def revision(
    number: int, *, age: float = 100.0, idle: float = 90.0, state: str = "reserve", no_gc: bool = False
) -> Obj:
    """A revision made ``age`` hours ago and routed to until ``idle`` hours ago."""
    notes = {"serving.knative.dev/routingStateModified": format_time(NOW - idle * HOUR)}
    if no_gc:
        notes["serving.knative.dev/no-gc"] = "true"
    return {
        "metadata": {
            "name": f"hello-{number:05d}",
            "labels": {"serving.knative.dev/routingState": state},
            "annotations": notes,
            "creationTimestamp": format_time(NOW - age * HOUR),
        }
    }


def config(
    low: int = 0, high: int | None = 1000, create: float | None = 48.0, active: float | None = 15.0
) -> GcConfig:
    return GcConfig(
        None if create is None else create * HOUR, None if active is None else active * HOUR, low, high
    )


def gone(revisions: list[Obj], settings: GcConfig, kept: Sequence[str] = ()) -> list[int]:
    found, _ = collectable(revisions, set(kept), settings, NOW)
    return [int(each["metadata"]["name"][-5:]) for each in found]


@pytest.mark.parametrize(
    ("revisions", "settings", "expected"),
    [
        ([revision(1), revision(2)], config(), [1, 2]),
        ([revision(1), revision(2, idle=95)], config(), [2, 1]),
        ([revision(1), revision(2), revision(3)], config(low=2), [1]),
        ([revision(1), revision(2)], config(low=2), []),
        ([revision(1, age=47)], config(), []),
        ([revision(1, idle=14)], config(), []),
        ([revision(1, state="active"), revision(2)], config(), [2]),
        ([revision(1, no_gc=True)], config(), []),
        ([revision(1, age=1)], config(create=None), [1]),
        ([revision(1, idle=1)], config(active=None), [1]),
        ([revision(1), revision(2)], config(create=None, active=None), []),
        ([revision(1, idle=3), revision(2, idle=2), revision(3, idle=1)], config(high=1), [1, 2]),
        ([revision(1)], config(high=None, create=None, active=None), []),
    ],
)
def test_the_oldest_of_those_that_nobody_is_routed_to_go(
    revisions: list[Obj], settings: GcConfig, expected: list[int]
) -> None:
    assert gone(revisions, settings) == expected


def test_latest_ready_and_latest_created_stay() -> None:
    assert gone([revision(1), revision(2), revision(3)], config(), kept=["hello-00002", "hello-00003"]) == [1]


def test_it_says_when_to_ask_again() -> None:
    _, again = collectable(
        [revision(1, age=100, idle=10), revision(2, age=47, idle=30)], set(), config(), NOW
    )
    assert again == pytest.approx(1 * HOUR)
