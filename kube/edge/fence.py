"""The fence around a leader's writes: none leaves when its term is over.

A process may be stopped anywhere and go on much later, long after another one leads. So the term is looked at
when a write is asked for, and again in the very step that hands its bytes to the kernel; what is in the
kernel's hands then is sent even if we are stopped. The API server is told how much is left of the term, and
gives the write up when it could not carry it out by then. For the microseconds between the last look and the
kernel there is what each write says itself: the version, the UID or the number that it expects.

If the wall clock alone says that the term is over, it was set forward, or this machine stood still. A write
then waits for the proof that the Lease is still ours, so that a clock that is set delays it by one request.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from kube.edge.client import ApiError, Before, Transport
from kube.lease import Moment, Term
from kube.objects import Obj

LEAST = 0.001
"""Seconds; the API server would take 0 for "no limit"."""


def moment() -> Moment:
    """Now, on the clock since boot, which counts sleep, and on the wall's."""
    return Moment(time.clock_gettime(time.CLOCK_BOOTTIME), time.time())


NOT_LEADING = "NotLeading"


async def _unproven() -> bool:
    return False


class Fenced:
    """A Transport that refuses to write outside the term; it reads at any time. `prove` begins a term that is
    in doubt again if the Lease is still ours, and returns whether it did.
    """

    def __init__(
        self, inner: Transport, term: Term, prove: Callable[[], Awaitable[bool]] = _unproven
    ) -> None:
        self._inner = inner
        self._term = term
        self._prove = prove

    async def request(  # noqa: PLR0913 - the Transport's
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        body: Any = None,
        content_type: str = "application/json",
        before: Before | None = None,
    ) -> tuple[int, Any]:
        """Raises ApiError (0, NotLeading) for a write when the term is over."""
        if method != "GET":
            before = self._within_the_term
        while True:
            if method != "GET" and self._term.is_in_doubt(moment()):
                await self._prove()
            try:
                return await self._inner.request(
                    method, path, query=query, body=body, content_type=content_type, before=before
                )
            except ApiError as error:
                # The clock may have been set while the write waited for a connection.
                is_doubt = error.reason == NOT_LEADING and self._term.is_in_doubt(moment())
                if not (is_doubt and await self._prove()):
                    raise

    def _within_the_term(self) -> Mapping[str, str]:
        left = self._term.left(moment())
        if left < LEAST:
            raise ApiError(0, NOT_LEADING, "another one may lead by now: nothing is written")
        return {"timeout": f"{left:.3f}s"}

    def watch(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[Obj]:
        """As the transport's own."""
        return self._inner.watch(path, query=query)

    async def close(self) -> None:
        """As the transport's own."""
        await self._inner.close()
