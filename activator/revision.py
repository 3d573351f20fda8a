"""One revision as the data plane sees it: what it is, who waits for it, how busy it is, what it has
counted.
"""

import math
from collections.abc import Callable
from typing import Any

from activator.hold.budget import Budget
from activator.hold.throttle import Room, Throttle
from activator.hold.timing import Phases
from activator.link.load import Load
from kube.objects import Key
from serving.targets import ScaleTarget

DEFAULT_START = 3.0
"""Seconds that a start is believed to take before one was measured."""
LONGEST_RETRY_AFTER = 60


class Counts:
    """What happened to the requests of one revision: plain numbers, read when metrics are asked for.

    `requests`: parsed heads · `answers[n]`: answers with status n hundred, ours included · `seconds`: sum
    of their durations · `held`: had to wait · `repeated`: further attempts · `hung_up`: left by the client
    before the answer's end · `cut`: broken off by the pod or a timeout after the answer began · `refused`:
    our own replies by reason.
    """

    __slots__ = ("answers", "cut", "held", "hung_up", "refused", "repeated", "requests", "seconds")

    def __init__(self) -> None:
        self.requests = 0
        self.answers = [0, 0, 0, 0, 0, 0]
        self.seconds = 0.0
        self.held = 0
        self.repeated = 0
        self.hung_up = 0
        self.cut = 0
        self.refused: dict[str, int] = {}


class Revision:
    """All that a request needs to know of its revision. One per (namespace, revision), kept over
    snapshots.
    """

    __slots__ = (
        "budget",
        "cold_since",
        "counts",
        "is_gone",
        "key",
        "load",
        "pause",
        "phases",
        "start_seconds",
        "target",
        "throttle",
        "trouble",
        "worry",
    )

    def __init__(self, target: ScaleTarget, *, process: Room, random: Callable[[], float]) -> None:
        """`process` bounds what waits in the whole process; `random` gives numbers in [0, 1)."""
        self.key: Key = target.key
        self.target = target
        self.throttle: Throttle[Any] = Throttle(
            limit=target.container_concurrency,
            own=Room(target.max_held_requests, target.max_held_bytes),
            process=process,
            random=random,
        )
        self.load = Load()
        self.counts = Counts()
        self.budget = Budget()
        self.trouble = ""
        """Why no pod can start; "" when one can. Requests are refused meanwhile, unless a pod is there."""
        self.pause = 0
        """Seconds after which a client that is refused because of that may ask again."""
        self.worry = ""
        """Why no pod is ready yet, as far as is known; "" if it is not."""
        self.phases = Phases()
        """The latest wake; replaced when a new one begins."""
        self.cold_since: float | None = None
        """When the wake began that nobody has been answered from yet."""
        self.is_gone = False
        """Whether it was deleted: no request may wait for it any more."""
        self.start_seconds = DEFAULT_START
        """How long the latest start took."""

    def __repr__(self) -> str:
        return f"<Revision {self.key[0]}/{self.key[1]} {self.throttle}>"

    @property
    def patience(self) -> float:
        """Seconds that a request may wait for a slot."""
        return self.target.progress_deadline

    def retry_after(self, now: float) -> int:
        """Whole seconds after which a refused client may find room: what is left of a start, or of the
        queue.
        """
        if self.cold_since is not None:
            left = self.start_seconds - (now - self.cold_since)
        else:
            answered = sum(self.counts.answers) or 1
            left = self.throttle.waiting * (self.counts.seconds / answered) / max(self.throttle.busy, 1)
        return min(max(math.ceil(left), 1), LONGEST_RETRY_AFTER)
