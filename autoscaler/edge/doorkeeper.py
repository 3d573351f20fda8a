"""Who may come in on the link: the holder of a shared secret, or of the activators' ServiceAccount token."""

import asyncio
import hmac
import logging
from typing import NamedTuple, Protocol

from autoscaler.tokens import KnownTokens, problem_of, review_of
from kube.edge.client import ApiError, Client
from kube.edge.clock import unix_now
from kube.resources import TOKENREVIEWS

log = logging.getLogger("zerogate.autoscaler")

ANSWER_WITHIN = 2.5
"""Seconds that the API server has for a review; an activator waits for three."""
REVIEWS_AT_ONCE = 8
"""More wait: strangers are not to drown the API server in reviews."""


class Refusal(NamedTuple):
    """The answer to one who may not come in; a text of one line."""

    status: int
    text: str


class Doorkeeper(Protocol):
    """Decides by the bearer token of a request."""

    async def refusal(self, token: str) -> Refusal | None:
        """None lets the bearer in."""
        ...


class SharedSecret:
    """All who have the secret may come in; where it is empty, nobody."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    async def refusal(self, token: str) -> Refusal | None:
        if self._secret and hmac.compare_digest(token.encode(errors="replace"), self._secret.encode()):
            return None
        return Refusal(401, "the token is missing or wrong")


class TokenReviews:
    """Asks the API server about each token; what it said lately holds while it is away."""

    def __init__(self, client: Client, system_namespace: str) -> None:
        self._client = client
        self._namespace = system_namespace
        self._known = KnownTokens()
        self._reviews = asyncio.Semaphore(REVIEWS_AT_ONCE)

    async def refusal(self, token: str) -> Refusal | None:
        if not token:
            return Refusal(401, "the token is missing: it is to be a ServiceAccount's")
        if self._known.is_fresh(token, unix_now()):
            return None
        try:
            async with asyncio.timeout(ANSWER_WITHIN), self._reviews:
                review = await self._client.create(TOKENREVIEWS, review_of(token))
        except (ApiError, TimeoutError) as error:
            return self._without_answer(token, str(error) or "no answer")
        problem = problem_of(review, self._namespace)
        if problem:
            self._known.found_bad(token)
            log.warning("A link was refused, its token is not accepted: %s", problem)
            return Refusal(401, "the token is not accepted")
        self._known.found_good(token, unix_now())
        return None

    def _without_answer(self, token: str, why: str) -> Refusal | None:
        if self._known.is_kept(token, unix_now()):
            log.warning("A token is believed that was good before; it can't be reviewed now: %s", why)
            return None
        log.warning("A link was put off, its token can't be reviewed: %s", why)
        return Refusal(503, "the token can't be reviewed now, come again")
