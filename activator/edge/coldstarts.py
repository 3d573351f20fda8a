"""Tells of cold starts: one line in the log, and their count and duration for the metrics."""

import logging
from collections.abc import Mapping

from activator.edge.metrics import Wakes
from activator.revision import Revision
from kube.objects import Key

log = logging.getLogger("zerogate.activator")


class ColdStarts:
    """`told` is called when the first answer after a wake begins."""

    def __init__(self) -> None:
        self.wakes: dict[Key, Wakes] = {}

    def told(self, revision: Revision, seconds: float, phases: Mapping[str, float]) -> None:
        """Count it and say where the time went, in milliseconds."""
        wakes = self.wakes.setdefault(revision.key, Wakes())
        wakes.count += 1
        wakes.seconds += seconds
        namespace, name = revision.key
        parts = ", ".join(f"{phase} {spent * 1000:.0f}" for phase, spent in phases.items())
        log.info(
            "%s woke in %.0f ms: %s", name, seconds * 1000, parts,
            extra={"data": {"namespace": namespace, "revision": name, "seconds": seconds, "phases": phases}},
        )  # fmt: skip

    def forget(self, revision: Revision) -> None:
        """The revision is gone, and its time series with it."""
        self.wakes.pop(revision.key, None)
