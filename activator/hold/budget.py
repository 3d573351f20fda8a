"""How many requests of a revision may be repeated: a bound on what failing pods cost those that do not fail.

A repeated request is further load on pods that may be failing because of load. So repeats are a share of all
requests and a minimum each second (as in Finagle's `RetryBudget`, whose figures these are), and one for each
request in flight, so that a pod's death costs none of its requests.
"""

WINDOW = 10.0
"""Seconds that a budget is for."""
SHARE = 0.2
"""Repeats for each request."""
MINIMUM = 10.0
"""Repeats each second, however few the requests are."""


class Budget:
    """The budget of one revision. It is looked at when an attempt has failed, and costs nothing before."""

    __slots__ = ("_in_flight", "_lately", "_requests", "_since", "spent")

    def __init__(self) -> None:
        self.spent = 0
        """Repeats in the window under way."""
        self._since = float("-inf")
        self._requests = 0
        self._lately = 0.0
        self._in_flight = 0

    def __repr__(self) -> str:
        return f"<Budget {self.spent} spent>"

    def take(self, now: float, *, requests: int, in_flight: int) -> bool:
        """One repeat more, if there may be. `requests`: all that ever came; `in_flight`: those with pods, of
        which the most in the window count, as they become fewer while a pod's death is told of each.
        """
        elapsed = now - self._since
        if elapsed >= WINDOW:
            self._lately = (requests - self._requests) * WINDOW / elapsed
            self._since, self._requests, self._in_flight, self.spent = now, requests, 0, 0
        self._in_flight = max(self._in_flight, in_flight)
        share = SHARE * max(self._lately, requests - self._requests)
        if self.spent >= MINIMUM * WINDOW + share + self._in_flight:
            return False
        self.spent += 1
        return True
