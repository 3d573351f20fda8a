"""When a request is sent again, and how long is waited between tries."""

import datetime as dt
import email.utils
from dataclasses import dataclass

LONGEST_PAUSE = 10.0
"""Seconds that a request waits at most because the server asked it to; beyond, its caller decides."""
MOST_TRIES = 5
READ_PAUSE = 0.1
"""Seconds before a read whose connection broke is sent again."""
ASKED_TO_WAIT = frozenset({429, 503})
"""Answers that a server gives instead of doing anything, so that whatever was asked may be asked again."""


def seconds_of(retry_after: str, now: float) -> float | None:
    """The seconds that a Retry-After header names (a number, or a date); None when it names none."""
    text = retry_after.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        named = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if named.tzinfo is None:
        named = named.replace(tzinfo=dt.UTC)
    return max(0.0, named.timestamp() - now)


@dataclass(slots=True)
class Tries:
    """The tries of one request. Methods tell how many seconds to wait before the next one, None to give up.

    `spread`, from 0 to 1, is drawn anew for each: those who were turned away together come back one by one.
    """

    is_read: bool
    sent: int = 0

    def turned_away(self, retry_after: float | None, spread: float) -> float | None:
        """429 or 503 came, with what its Retry-After said."""
        self.sent += 1
        if retry_after is None or retry_after > LONGEST_PAUSE or self.sent >= MOST_TRIES:
            return None
        return retry_after + spread * max(retry_after, 1.0) / 2

    def broken(self, spread: float) -> float | None:
        """The connection was refused or broke. A write may have been carried out; only its caller knows."""
        self.sent += 1
        return READ_PAUSE * (1 + spread) if self.is_read and self.sent == 1 else None


@dataclass(slots=True)
class Pauses:
    """Seconds between attempts of something that ought to last: none after one that lasted, then more.

    What breaks now and then is mended at once, what breaks at once is left in peace.
    """

    first: float = 0.1
    most: float = 5.0
    enough: float = 1.0
    failures: int = 0

    def ended(self, lasted: float, spread: float, *, asked: float = 0.0) -> float:
        """An attempt ended after so long: how long to wait; not shorter than the server `asked` for."""
        if lasted >= self.enough:
            self.failures = 0
            return min(asked, LONGEST_PAUSE)
        doubled = min(self.first * 2.0 ** min(self.failures, 32), self.most)
        self.failures += 1
        return max(doubled * (0.5 + spread), min(asked, LONGEST_PAUSE) * (1 + spread / 2))
