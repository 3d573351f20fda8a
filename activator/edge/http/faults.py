"""Failure domains of the data plane: an exception in one of them is logged and ends nothing else."""

import logging
from collections.abc import Callable
from typing import Any

from activator.quiet import Quiet, more_like_this

log = logging.getLogger("zerogate.activator")


class Faults:
    """Logs exceptions of hooks and deadlines, one a second for each kind; `count` counts all of them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.count = 0
        self._clock = clock
        self._quiet = Quiet()

    def __repr__(self) -> str:
        return f"<Faults {self.count}>"

    def guard(self, kind: str, call: Callable[..., object], *arguments: Any, **options: Any) -> bool:
        """Call a hook or a deadline; log its exception instead of raising it. Return whether none came."""
        try:
            call(*arguments, **options)
        except Exception as error:  # noqa: BLE001 - a hook's defect must not stop the step that calls it
            self._report(kind, error)
            return False
        return True

    def _report(self, kind: str, error: Exception) -> None:
        self.count += 1
        kept_back = self._quiet.passes(kind, self._clock())
        if kept_back is None:
            return
        log.error(
            "%s raised %s, going on without it%s", kind, type(error).__name__, more_like_this(kept_back),
            exc_info=error,
            extra={"data": {"kind": kind, "more": kept_back}},
        )  # fmt: skip
