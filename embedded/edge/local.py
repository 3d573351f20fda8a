"""The door for programs of the same process: requests without HTTP, objects without copies."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from embedded.api import Api, ApiRequest
from kube.edge.client import ApiError, Before
from kube.objects import Obj

_REFUSED_FROM = 400


class LocalTransport:
    """Implements kube.edge.client.Transport. What it returns is shared with the store: read-only.

    Bodies are copied, so callers keep theirs. `agent` becomes the field manager where none is named.
    """

    def __init__(self, api: Api, agent: str = "zerogate") -> None:
        self._api = api
        self._agent = agent

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
        """Status and body; never waits."""
        if before is not None:
            query = {**query, **before()}
        answer = self._api.handle(
            ApiRequest(method, path, query, body, content_type, user=self._agent, agent=self._agent)
        )
        return answer.status, answer.body

    async def watch(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[Obj]:
        """The events of a watch, until the caller closes the iterator or falls too far behind."""
        answer = self._api.handle(
            ApiRequest("GET", path, {**query, "watch": "true"}, user=self._agent, agent=self._agent)
        )
        if answer.watch is None:
            raise ApiError.from_answer(answer.status, answer.body)
        watch, news = answer.watch, asyncio.Event()
        watch.wake = news.set
        loop = asyncio.get_running_loop()
        ends = None if watch.timeout is None else loop.time() + watch.timeout
        try:
            while True:
                news.clear()
                for event in watch.take():
                    yield {"type": event.type, "object": event.obj}
                if watch.is_over:
                    return
                async with asyncio.timeout_at(ends):
                    await news.wait()
        except TimeoutError:
            return
        finally:
            watch.stop()

    async def close(self) -> None:
        """Nothing to let go of."""
