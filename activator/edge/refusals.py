"""Logs local responses and responses that were cut: a line each; of a flood, a line a second."""

import logging
from collections.abc import Callable

from activator.http.replies import Refusal
from activator.quiet import Quiet, more_like_this
from activator.revision import Revision

log = logging.getLogger("zerogate.activator")

FAULT = 500
"""From this status on it is no fault of the client."""
LONGEST_HOST = 100
"""Characters of an unknown Host that are shown."""


class Refusals:
    """Called for each reply that no pod gave; `clock` is that of the proxy."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._quiet = Quiet()

    def of_request(self, refusal: Refusal, revision: Revision, seconds: float) -> None:
        """A request to a revision, `seconds` after it came."""
        namespace, name = revision.key
        why = f": {refusal.detail}" if refusal.detail else ""
        sentence = f"{name}: replied {refusal.status} {refusal.reason} after {seconds * 1000:.0f} ms{why}"
        data = {"namespace": namespace, "revision": name, "seconds": seconds, "detail": refusal.detail}
        self._tell(refusal, revision.key, sentence, data)

    def of_cut(self, revision: Revision, why: str, seconds: float) -> None:
        """A response of a revision that was aborted after its head, `seconds` after the request came."""
        kept_back = self._quiet.passes((revision.key, "cut", why), self._clock())
        if kept_back is None:
            return
        namespace, name = revision.key
        log.warning(
            "%s: response cut after %.0f ms: %s%s", name, seconds * 1000, why, more_like_this(kept_back),
            extra={
                "data": {
                    "namespace": namespace, "revision": name, "seconds": seconds, "detail": why,
                    "more": kept_back,
                }
            },
        )  # fmt: skip

    def of_stranger(self, refusal: Refusal, host: bytes) -> None:
        """A request that belongs to no revision; `host` is b"" where it was not even read."""
        shown = host[:LONGEST_HOST].decode("latin-1")
        why = f" to a request for {shown}" if shown else f": {refusal.text}"
        self._tell(refusal, None, f"Replied {refusal.status} {refusal.reason}{why}", {"host": shown})

    def _tell(self, refusal: Refusal, whose: object, sentence: str, data: dict[str, object]) -> None:
        kept_back = self._quiet.passes((whose, refusal.reason), self._clock())
        if kept_back is None:
            return
        log.log(
            logging.WARNING if refusal.status >= FAULT else logging.INFO,
            "%s%s", sentence, more_like_this(kept_back),
            extra={"data": {**data, "status": refusal.status, "reason": refusal.reason, "more": kept_back}},
        )  # fmt: skip
