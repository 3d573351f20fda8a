"""The wake guard: when the activator wakes a revision itself, because nobody else seems to.

Waking is the autoscaler's task. If a target still stands at zero after a moment of waiting, the activator
writes the first replica, so that a dead autoscaler costs that moment and not the request.
"""

from dataclasses import dataclass

from kube.objects import Obj
from serving.targets import ScaleTarget

PATIENCE = 1.5
"""Seconds that the autoscaler is given."""
PATIENCE_ALONE = 0.1
"""Seconds of waiting while there is no link to an autoscaler."""
FIRST_BACK_OFF = 0.25
MAX_BACK_OFF = 5.0

WAKE_PATCH: list[Obj] = [
    {"op": "test", "path": "/spec/replicas", "value": 0},
    {"op": "replace", "path": "/spec/replicas", "value": 1},
]
"""JSON patch from zero to one; it fails, and rightly so, when somebody else was faster."""


@dataclass(slots=True)
class WakeGuard:
    """The guard of one revision that has waiters. Times are seconds of the caller's clock.

    `since`: when the target was first seen at zero while something waited; None while it is not.
    """

    since: float | None = None
    tries: int = 0
    not_before: float = 0.0

    def due(self, target: ScaleTarget, now: float, *, is_linked: bool) -> float | None:
        """When to patch (<= now: at once), or None as long as there is nothing to wake.

        A target that was given up is left alone: its waiters are refused, not served.
        """
        if target.replicas > 0 or target.given_up:
            self.rest()
            return None
        if self.since is None:
            self.since = now
        return max(self.since + (PATIENCE if is_linked else PATIENCE_ALONE), self.not_before)

    def tried(self, now: float) -> None:
        """A patch was sent, with or without success: the next one waits, longer each time."""
        self.not_before = now + min(FIRST_BACK_OFF * 2**self.tries, MAX_BACK_OFF)
        self.tries = min(self.tries + 1, 10)

    def rest(self) -> None:
        """Nothing is to be woken any more."""
        self.since = None
        self.tries = 0
        self.not_before = 0.0
