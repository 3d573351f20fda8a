"""How often a pod that does not answer yet is asked, and how long an answer may take."""

STEP = 0.005
"""Seconds between two tries in the first second."""
EAGER = 1.0
SLOWEST = 0.25
SLOWEST_IDLE = 5.0
"""The longest pause while no request waits for the pod."""
CROWD = 20
"""Pods asked at once from which on each is asked less often, so that a thousand cost no more than these."""
FIRST_TIMEOUT = 0.3
"""Seconds that a try may take at first (Knative's activator: PROBE_TIMEOUT)."""
LONGEST_TIMEOUT = 10.0


class Rhythm:
    """The tries at one pod, from `begun` on. `timeout` is how long the next one may take, in seconds."""

    __slots__ = ("_begun", "_pause", "timeout")

    def __init__(self, begun: float) -> None:
        self._begun = begun
        self._pause = STEP
        self.timeout = FIRST_TIMEOUT

    def quicken(self, now: float) -> None:
        """Something waits from now on, or the pod changed: be eager again."""
        self._begun = now
        self._pause = STEP

    def pause(self, now: float, *, crowd: int, is_urgent: bool) -> float:
        """Seconds until the next try: 5 ms in the first second, then doubling to 250 ms (5 s if nobody
        waits).

        `crowd`: how many pods are being asked in all.
        """
        if now - self._begun >= EAGER:
            self._pause = min(self._pause * 2, SLOWEST if is_urgent else SLOWEST_IDLE)
        return self._pause * max(1.0, crowd / CROWD)

    def timed_out(self) -> None:
        """No answer in time: a slow one gets longer next time."""
        self.timeout = min(self.timeout * 1.5, LONGEST_TIMEOUT)
