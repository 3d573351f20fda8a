"""How fast a pod that just came up is given what waits: paced, never dependent.

A pod that has answered nothing yet gets a small window of requests. The window doubles with each answer,
and every `STEP` seconds without one, so a burst does not overflow the backlog of one young pod, and yet no
request ever waits for another to finish. Beside it stands one absolute bound, on connects that the pod's
kernel has not answered.
"""

FIRST_WINDOW = 8
"""Requests that a pod gets before its first answer."""
STEP = 0.020
"""Seconds after which the window doubles even without an answer."""
OPEN = 1 << 16
"""From this window on a pod is not paced any more."""
MAX_CONNECTING = 256
"""Connects to one pod that may be unanswered at once (half of the smallest common listen backlog)."""


class Pace:
    """The window of one pod: at most `window` requests in flight there. `window == 0` means: not paced any
    more.
    """

    __slots__ = ("since", "window")

    def __init__(self, now: float) -> None:
        self.window = FIRST_WINDOW
        self.since = now

    def __repr__(self) -> str:
        return f"<Pace {self.window or 'open'}>"

    def answer(self) -> None:
        """The pod answered a request."""
        self._double(1)

    def tick(self, now: float) -> None:
        """Time passed: doubles once for each whole step since the last call."""
        steps = int((now - self.since) / STEP)
        if steps > 0:
            self.since += steps * STEP
            self._double(steps)

    def restart(self, now: float) -> None:
        """The pod failed: it has to prove itself again."""
        self.window = FIRST_WINDOW
        self.since = now

    def open(self) -> None:
        """It needs no pace."""
        self.window = 0

    def _double(self, times: int) -> None:
        if self.window:
            self.window <<= min(times, 16)
            if self.window >= OPEN:
                self.window = 0
