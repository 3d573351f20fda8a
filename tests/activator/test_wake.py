"""The wake guard acts when nobody else does, and only then."""

import pytest

from activator.cluster.wake import MAX_BACK_OFF, PATIENCE, PATIENCE_ALONE, WAKE_PATCH, WakeGuard
from kube.objects import Obj
from serving.targets import ScaleTarget, scale_target


def target(replicas: int, given_up: str = "") -> ScaleTarget:
    deployment: Obj = {
        "metadata": {
            "namespace": "default",
            "name": "hello",
            "annotations": {"zerogate.dev/given-up": given_up} if given_up else {},
        },
        "spec": {"replicas": replicas},
    }
    return scale_target(deployment)


@pytest.mark.parametrize(
    ("replicas", "given_up", "is_linked", "due"),
    [
        (0, "", True, 10 + PATIENCE),
        (0, "", False, 10 + PATIENCE_ALONE),
        (1, "", True, None),
        (5, "", False, None),
        (0, "the target could not be activated", True, None),
        (0, "the target could not be activated", False, None),
    ],
)
def test_when_the_guard_acts(replicas: int, given_up: str, is_linked: bool, due: float | None) -> None:
    """1.5 s of waiting at zero with a link, 0.1 s without, never while given up or above zero."""
    assert WakeGuard().due(target(replicas, given_up), 10, is_linked=is_linked) == due


def test_waiting_counts_from_when_the_target_stood_at_zero() -> None:
    """Looking again does not begin the wait anew; a target that rose and fell does."""
    guard = WakeGuard()
    assert guard.due(target(0), 10, is_linked=True) == 10 + PATIENCE
    assert guard.due(target(0), 11, is_linked=True) == 10 + PATIENCE
    assert guard.due(target(0), 11, is_linked=False) == 10 + PATIENCE_ALONE
    assert guard.due(target(1), 12, is_linked=True) is None
    assert guard.due(target(0), 13, is_linked=True) == 13 + PATIENCE


def test_each_try_waits_longer() -> None:
    """While the API is away the patch is repeated with growing pauses, for ever, but never too rarely."""
    guard, now, pauses = WakeGuard(), 0.0, []
    for _ in range(8):
        due = guard.due(target(0), now, is_linked=False)
        assert due is not None
        pauses.append(due - now)
        now = due
        guard.tried(now)
    assert pauses == pytest.approx([PATIENCE_ALONE, 0.25, 0.5, 1.0, 2.0, 4.0, MAX_BACK_OFF, MAX_BACK_OFF])


def test_the_patch_tests_before_it_writes() -> None:
    """The patch applies to a target at zero only."""
    assert [step["op"] for step in WAKE_PATCH] == ["test", "replace"]
    assert WAKE_PATCH[0]["value"] == 0
