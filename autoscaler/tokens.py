"""ServiceAccount tokens on the link: what a TokenReview asks, what its answer means, how long that holds.

A link is asked for its token when it is made, not while it stands. So a token that was stolen, or whose pod
is gone, makes links for no longer than the API server accepts it, and `FRESH` more; while the API server does
not answer, for `KEPT` after it last did, but never past the end that is written in the token itself.
"""

import base64
import hashlib
import json
import math
from dataclasses import dataclass

from kube.objects import Obj
from kube.resources import TOKENREVIEWS

AUDIENCE = "zerogate-link"
"""What a token must be made for. A token for the API server, or for anybody else, is none for us."""
ACCOUNT = "zerogate-activator"
"""The ServiceAccount of activators, in the system namespace."""
FRESH = 10.0
"""Seconds for which a token that was found good is not asked about again."""
KEPT = 600.0
"""Seconds for which it is believed while the API server does not answer."""
REMEMBERED = 1000
"""Tokens; each activator brings a new one every few minutes at most."""


def review_of(token: str) -> Obj:
    """The TokenReview that asks about a token."""
    return {
        "apiVersion": TOKENREVIEWS.api_version,
        "kind": TOKENREVIEWS.kind,
        "metadata": {},
        "spec": {"token": token, "audiences": [AUDIENCE]},
    }


def problem_of(review: Obj, system_namespace: str) -> str:
    """Why the answered review does not let the bearer in, "" when it does."""
    status = review.get("status") or {}
    if not status.get("authenticated"):
        return str(status.get("error") or "the API server does not know it")
    if AUDIENCE not in (status.get("audiences") or ()):
        return f"it is not made for the audience {AUDIENCE}"
    username = (status.get("user") or {}).get("username") or ""
    if username != f"system:serviceaccount:{system_namespace}:{ACCOUNT}":
        return f"it is of {username or 'nobody'}, not of the ServiceAccount {system_namespace}/{ACCOUNT}"
    return ""


@dataclass(frozen=True, slots=True)
class _Good:
    found: float
    ends: float


class KnownTokens:
    """Tokens that were found good, by their digests. Times are unix seconds of a clock that nobody sets."""

    def __init__(self) -> None:
        self._good: dict[bytes, _Good] = {}

    def __repr__(self) -> str:
        return f"<KnownTokens {len(self._good)}>"

    def found_good(self, token: str, now: float) -> None:
        """The API server accepted it just now."""
        name = _digest(token)
        self._good.pop(name, None)
        self._good[name] = _Good(now, expiry(token))
        if len(self._good) > REMEMBERED:
            del self._good[next(iter(self._good))]

    def found_bad(self, token: str) -> None:
        """The API server accepts it no longer."""
        self._good.pop(_digest(token), None)

    def is_fresh(self, token: str, now: float) -> bool:
        """Whether it need not be asked about."""
        return self._was_good_within(FRESH, token, now)

    def is_kept(self, token: str, now: float) -> bool:
        """Whether it is believed although nobody can be asked."""
        return self._was_good_within(KEPT, token, now)

    def _was_good_within(self, seconds: float, token: str, now: float) -> bool:
        good = self._good.get(_digest(token))
        return good is not None and now < min(good.found + seconds, good.ends)


def expiry(token: str) -> float:
    """When a token ends by its own word, unix seconds; infinite when it has none that can be read.

    Only to be asked of tokens that the API server accepted: nothing is verified here.
    """
    try:
        claims = token.split(".")[1]
        ends = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
        return float(ends)
    except (IndexError, KeyError, TypeError, ValueError):
        return math.inf


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
