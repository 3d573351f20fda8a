"""The transport to an API server over HTTP(S)."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

from kube.edge.client import ApiError
from kube.edge.credentials import Credentials
from kube.objects import Obj

CONNECT_TIMEOUT = 5.0
REQUEST_TIMEOUT = 30.0
# Servers send a bookmark at least each minute; a watch that stays silent for longer is dead.
WATCH_SILENCE = 90.0
_REFUSED_FROM = 400
_FAILURES = (aiohttp.ClientError, TimeoutError, OSError)


class HttpTransport:
    """Keep-alive connections to one API server. Make it inside a running loop."""

    def __init__(self, credentials: Credentials, *, user_agent: str) -> None:
        self._credentials = credentials
        self._session = aiohttp.ClientSession(
            base_url=credentials.server,
            connector=aiohttp.TCPConnector(ssl=credentials.tls or True, limit=0),
            headers={"User-Agent": user_agent, "Accept": "application/json"},
            raise_for_status=False,
        )

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        body: Any = None,
        content_type: str = "application/json",
    ) -> tuple[int, Any]:
        """Status and decoded body. Raises ApiError(0) when no answer comes."""
        headers = self._credentials.authorization()
        data = None
        if body is not None:
            data = json.dumps(body, separators=(",", ":")).encode()
            headers["Content-Type"] = content_type
        timeout = aiohttp.ClientTimeout(REQUEST_TIMEOUT, sock_connect=CONNECT_TIMEOUT)
        try:
            async with self._session.request(
                method, path, params=query, data=data, headers=headers, timeout=timeout
            ) as answer:
                return answer.status, _decoded(await answer.read())
        except _FAILURES as error:
            raise ApiError(0, "Unreachable", f"{method} {path}: {_told(error)}") from error

    async def watch(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[Obj]:
        """The events of a watch; ends when the server does, raises ApiError when it breaks."""
        timeout = aiohttp.ClientTimeout(None, sock_connect=CONNECT_TIMEOUT, sock_read=WATCH_SILENCE)
        try:
            async with self._session.get(
                path, params=query, headers=self._credentials.authorization(), timeout=timeout
            ) as answer:
                if answer.status >= _REFUSED_FROM:
                    raise ApiError.from_answer(answer.status, _decoded(await answer.read()))
                async for line in _lines(answer.content):
                    yield json.loads(line)
        except _FAILURES as error:
            raise ApiError(0, "Unreachable", f"watch {path}: {_told(error)}") from error

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Whole lines, however long: objects may be larger than aiohttp's line limit."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield line


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")


def _told(error: BaseException) -> str:
    return str(error) or type(error).__name__
