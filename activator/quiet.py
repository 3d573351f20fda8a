"""A log that no flood fills: of lines of one kind, one a second passes."""

from collections.abc import Hashable

EVERY = 1.0
"""Seconds between lines of one kind."""
ROOM = 1_000
"""Kinds remembered before those that have been quiet for a while are forgotten."""


class Quiet:
    """Per kind: when a line passed last, and how many were kept back since."""

    def __init__(self) -> None:
        self._kinds: dict[Hashable, tuple[float, int]] = {}

    def __len__(self) -> int:
        return len(self._kinds)

    def passes(self, kind: Hashable, now: float) -> int | None:
        """None: keep this line back. Else let it pass; so many were kept back before it."""
        last, kept_back = self._kinds.get(kind, (now - EVERY, 0))
        if now - last < EVERY:
            self._kinds[kind] = last, kept_back + 1
            return None
        if len(self._kinds) >= ROOM:
            self._kinds = {each: told for each, told in self._kinds.items() if now - told[0] < EVERY}
        self._kinds[kind] = now, 0
        return kept_back


def more_like_this(kept_back: int) -> str:
    """The end of a log line before which so many of its kind were kept back."""
    return f" (and {kept_back} more like this before)" if kept_back else ""
