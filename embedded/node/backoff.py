"""When a container that ended is started again. Source: Kubernetes, pkg/kubelet (CrashLoopBackOff)."""

from dataclasses import dataclass
from typing import Literal

RestartPolicy = Literal["Always", "OnFailure", "Never"]


@dataclass(frozen=True, slots=True)
class BackoffRule:
    """Seconds. The first restart is immediate; the next waits `first`, each later one twice as long up to
    `most`. A run of `reset_after` makes all earlier ends forgotten.
    """

    first: float = 10.0
    most: float = 300.0
    reset_after: float = 600.0


@dataclass(slots=True)
class Backoff:
    """The ends of one container that still count."""

    rule: BackoffRule
    ends: int = 0

    def ended(self, ran_for: float) -> float:
        """Note an end after a run of so many seconds; returns the seconds until the next start."""
        self.ends = 1 if ran_for >= self.rule.reset_after else self.ends + 1
        return self.delay

    def forget(self) -> None:
        """What made it end is put right: the next end is the first."""
        self.ends = 0

    @property
    def delay(self) -> float:
        """Seconds between the last end and the next start."""
        if self.ends < 2:
            return 0.0
        # Far beyond any limit the power would be too large for a float.
        doubled = self.rule.first * 2.0 ** min(self.ends - 2, 64)
        return min(self.rule.most, doubled)


def is_restarted(policy: str, exit_code: int) -> bool:
    """Whether a container that ended so is started again."""
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)
