"""Failure domains of the data plane: an exception in one of them is logged and ends nothing else."""

import logging
from collections.abc import Callable

from activator.quiet import Quiet

log = logging.getLogger("zerogate.activator")


class Faults:
    """Logs exceptions of hooks and deadlines, one a second for each kind; `count` counts all of them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.count = 0
        self._clock = clock
        self._quiet = Quiet()

    def __repr__(self) -> str:
        return f"<Faults {self.count}>"

    def report(self, kind: str, error: Exception) -> None:
        """An exception was caught where `kind` was called."""
        self.count += 1
        kept_back = self._quiet.passes(kind, self._clock())
        if kept_back is None:
            return
        more = f" (and {kept_back} more like this before)" if kept_back else ""
        log.error(
            "%s raised %s, going on without it%s", kind, type(error).__name__, more,
            exc_info=error,
            extra={"data": {"kind": kind, "more": kept_back}},
        )  # fmt: skip
