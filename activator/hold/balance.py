"""The pod with the fewest requests in flight, at any number of pods in constant time.

Pods stand in one bucket for each number of requests in flight; a request moves its pod one bucket up, its
end one down. Ties are broken at random, so that several activators do not all choose the same pod.
"""

from collections.abc import Callable
from typing import Any, Literal

from activator.hold.pacing import Pace

PodState = Literal["ready", "cordoned", "gone"]

OUT = -1
"""`Pod.place` of a pod that must not be chosen now."""


class Pod:
    """One pod of a revision as this process sees it.

    `limit` is the hard concurrency limit (0: none), `idle` the open connections to it, the one used last at
    the end (the edge's objects, opaque here). After a failure it is left out from `out_since` to
    `out_until` (0: it is not). `distrusted_until`: until then it is expected to close connections right after
    its responses, as it did lately.
    `cap` is what limit and pace allow together.

    Another activator, which owns the revision's hard limit, stands here as a pod without limit: `greeting` is
    said first on each connection to it, and b"" to pods.
    """

    __slots__ = (
        "address",
        "cap",
        "connecting",
        "distrusted_until",
        "failures",
        "greeting",
        "idle",
        "in_flight",
        "limit",
        "out_since",
        "out_until",
        "pace",
        "place",
        "port",
        "state",
        "uid",
    )

    def __init__(self, uid: str, address: str, port: int, *, limit: int, now: float) -> None:
        self.uid = uid
        self.address = address
        self.port = port
        self.limit = limit
        self.greeting = b""
        self.state: PodState = "ready"
        self.in_flight = 0
        self.connecting = 0
        self.failures = 0
        self.out_since = 0.0
        self.out_until = 0.0
        self.distrusted_until = 0.0
        self.pace = Pace(now)
        self.cap = 0
        self.idle: list[Any] = []
        self.place = OUT

    def __repr__(self) -> str:
        limit = f"/{self.limit}" if self.limit else ""
        return f"<Pod {self.address}:{self.port} {self.state} {self.in_flight}{limit} in flight>"


class Balance:
    """The pods that may get one more request now. Every method takes constant time (amortised).

    Most revisions have one pod: it stands beside the buckets, as `_only`, and counting it moves nothing.
    Invariant: each of several pods is in `_levels[pod.in_flight]` at index `pod.place`; one that is left
    out is nowhere, with `pod.place == OUT`.
    """

    __slots__ = ("_levels", "_lowest", "_only", "_random", "size")

    def __init__(self, random: Callable[[], float]) -> None:
        self._levels: list[list[Pod]] = [[]]
        self._lowest = 0
        self._only: Pod | None = None
        self._random = random
        self.size = 0

    def least(self) -> Pod | None:
        """One of the pods with the fewest requests in flight; None when there is no pod."""
        if self._only is not None:
            return self._only
        if not self.size:
            return None
        levels = self._levels
        lowest = self._lowest
        while not levels[lowest]:
            lowest += 1
        self._lowest = lowest
        level = levels[lowest]
        if len(level) == 1:
            return level[0]
        return level[int(self._random() * len(level))]

    def add(self, pod: Pod) -> None:
        """Take in a pod that is out."""
        self.size += 1
        if self.size == 1:
            self._only = pod
            pod.place = 0
            return
        if self._only is not None:
            self._enter(self._only)
            self._only = None
        self._enter(pod)

    def remove(self, pod: Pod) -> None:
        """Leave out a pod that is in."""
        if pod is self._only:
            self._only = None
        else:
            self._leave(pod)
        pod.place = OUT
        self.size -= 1
        if self.size == 1:
            last = self._only = self.least()
            if last is not None:
                self._leave(last)
                last.place = 0
                self._lowest = 0

    def count(self, pod: Pod, change: int) -> None:
        """Change the requests in flight of a pod, which may be in or out, by `change` (+1 or -1)."""
        if pod is self._only or pod.place == OUT:
            pod.in_flight += change
            return
        self._leave(pod)
        pod.in_flight += change
        self._enter(pod)

    def _enter(self, pod: Pod) -> None:
        level = pod.in_flight
        levels = self._levels
        while len(levels) <= level:
            levels.append([])
        bucket = levels[level]
        pod.place = len(bucket)
        bucket.append(pod)
        if level < self._lowest:  # noqa: PLR1730 - min() costs a call on every answer
            self._lowest = level

    def _leave(self, pod: Pod) -> None:
        bucket = self._levels[pod.in_flight]
        last = bucket.pop()
        if last is not pod:
            bucket[pod.place] = last
            last.place = pod.place
