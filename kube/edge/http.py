"""The transport to an API server over HTTP(S).

The server, and whatever stands before it, is not trusted to answer: each wait has an end. What it turned away
with a Retry-After is sent again when that is over; reads whose connection broke, once more; and with new
credentials what was refused for old ones.
"""

import asyncio
import json
import logging
import os
import random
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from kube.edge.client import ApiError, Before
from kube.edge.credentials import Credentials, NoCredentials
from kube.objects import Obj
from kube.retry import ASKED_TO_WAIT, Tries, seconds_of

log = logging.getLogger("zerogate.kube")

CONNECT_TIMEOUT = 5.0
REQUEST_TIMEOUT = 30.0
"""Seconds, tries and pauses between them included."""
WATCH_BEGINS = 10.0
"""Seconds until a watch has its head, which servers send at once."""
WATCH_SILENCE = 90.0
"""Seconds without a line. Servers send a bookmark about each minute, but need not: it may be dead or not, so
the watch ends in good order, and its caller begins the next one where this one stood."""
RENEWED_EACH = 5.0
"""Seconds at least between two looks for new credentials."""
KEEP_ALIVE = {socket.TCP_KEEPIDLE: 15, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3}
"""Seconds of silence, seconds between probes, probes: it takes half a minute to notice a vanished peer."""
UNACKNOWLEDGED = 30_000
"""Milliseconds until a connection whose bytes nobody acknowledges counts as broken."""
_REFUSED_FROM = 400
_Ask = Callable[..., AbstractAsyncContextManager[aiohttp.ClientResponse]]
_FAILURES = (aiohttp.ClientError, TimeoutError, OSError)


class HttpTransport:
    """Keep-alive connections to one API server. Make it inside a running loop."""

    def __init__(self, credentials: Credentials, *, user_agent: str) -> None:
        self._credentials = credentials
        self._looked_for_new = -RENEWED_EACH
        self._renewing = asyncio.Lock()
        self._session = aiohttp.ClientSession(
            base_url=credentials.server,
            connector=aiohttp.TCPConnector(limit=0, socket_factory=_socket),
            headers={"User-Agent": user_agent, "Accept": "application/json"},
            raise_for_status=False,
        )

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
        """Status and decoded body. Raises ApiError, with status 0 when no answer comes."""
        data = None if body is None else _Guarded(json.dumps(body, separators=(",", ":")).encode(), before)
        content = {} if body is None else {"Content-Type": content_type}
        ask = partial(self._session.request, method, path, data=data)
        tries, is_renewed = Tries(is_read=method == "GET"), False
        ends = time.monotonic() + REQUEST_TIMEOUT
        while True:
            proof: dict[str, str] = {}
            try:
                proof = self._credentials.authorization()
                params = {**query, **before()} if before else query
                status, retry_after, answer = await self._once(
                    partial(ask, params=params), {**proof, **content}, ends
                )
            except _FAILURES as error:
                if isinstance(error.__cause__, ApiError):
                    raise error.__cause__ from None
                pause = None if isinstance(error, TimeoutError) else tries.broken(random.random())
                if pause is None:
                    raise _unreachable(f"{method} {path}", error) from error
                await asyncio.sleep(pause)
                continue
            if status == 401 and not is_renewed and await self._is_renewed(proof):
                is_renewed = True
            elif status in ASKED_TO_WAIT:
                pause = tries.turned_away(retry_after, random.random())
                if pause is None or time.monotonic() + pause >= ends:
                    raise _turned_away(status, answer, retry_after)
                await asyncio.sleep(pause)
            else:
                return status, answer

    async def _once(
        self, ask: _Ask, headers: Mapping[str, str], ends: float
    ) -> tuple[int, float | None, Any]:
        """Status, seconds of a Retry-After, and decoded body."""
        seconds = max(ends - time.monotonic(), 0.001)
        timeout = aiohttp.ClientTimeout(seconds, sock_connect=CONNECT_TIMEOUT)
        async with ask(headers=headers, ssl=self._credentials.tls or True, timeout=timeout) as answer:
            return answer.status, _retry_after(answer), _decoded(await answer.read())

    async def watch(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[Obj]:
        """The events of a watch; ends when the server does or was silent for long. ApiError: it broke."""
        timeout = aiohttp.ClientTimeout(None, sock_connect=CONNECT_TIMEOUT, sock_read=WATCH_SILENCE)
        proof: dict[str, str] = {}
        try:
            proof = self._credentials.authorization()
            async with asyncio.timeout(WATCH_BEGINS):
                answer = await self._session.get(
                    path, params=query, headers=proof, timeout=timeout, ssl=self._credentials.tls or True
                )
        except _FAILURES as error:
            raise _unreachable(f"watch {path}", error) from error
        async with answer:
            try:
                if answer.status >= _REFUSED_FROM:
                    async with asyncio.timeout(REQUEST_TIMEOUT):
                        told = _decoded(await answer.read())
                    if answer.status == 401:
                        await self._is_renewed(proof)
                    raise _turned_away(answer.status, told, _retry_after(answer))
                async for line in _lines(answer.content):
                    yield _event(path, line)
            except aiohttp.SocketTimeoutError:
                return
            except _FAILURES as error:
                raise _unreachable(f"watch {path}", error) from error

    async def _is_renewed(self, refused: Mapping[str, str]) -> bool:
        """Whether there are other credentials than those that were refused: a token that was rotated."""
        async with self._renewing:
            held = self._credentials
            if held.reload is None or time.monotonic() < self._looked_for_new + RENEWED_EACH:
                return held.authorization() != refused
            self._looked_for_new = time.monotonic()
            try:
                self._credentials = await held.reload()
            except NoCredentials as error:
                log.warning(
                    "The API server takes our credentials no more, and there are no others: %s", error
                )
            return self._credentials.authorization() != refused

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()


def _socket(address: Any) -> socket.socket:
    """A socket that notices a vanished peer."""
    made = socket.socket(address[0], address[1], address[2])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEP_ALIVE.items():
        made.setsockopt(socket.IPPROTO_TCP, option, value)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED)
    return made


class _Guarded(aiohttp.BytesPayload):
    """A body that asks before it is written. The head waits for it: both go to the kernel in one piece."""

    def __init__(self, data: bytes, before: Before | None) -> None:
        super().__init__(data)
        self._before = before

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        if self._before is not None:
            self._before()
        await super().write_with_length(writer, content_length)


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Whole lines, however long: objects may be larger than aiohttp's line limit."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield line


def _event(path: str, line: bytes) -> Obj:
    """One event of a watch. Raises ApiError for what is none."""
    event = _decoded(line)
    if not isinstance(event, dict) or not isinstance(event.get("object"), dict) or "type" not in event:
        raise ApiError(0, "NoEvent", f"watch {path}: not an event: {line[:200].decode(errors='replace')!r}")
    return event


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")


def _retry_after(answer: aiohttp.ClientResponse) -> float | None:
    """A date there is held against the server's own clock, which it tells in Date."""
    sent = answer.headers.get("Date", "")
    return seconds_of(answer.headers.get("Retry-After", ""), seconds_of(sent, 0.0) or time.time())


def _turned_away(status: int, answer: Any, retry_after: float | None) -> ApiError:
    error = ApiError.from_answer(status, answer)
    error.retry_after = retry_after or 0.0
    return error


def _unreachable(what: str, error: BaseException) -> ApiError:
    return ApiError(0, "Unreachable", f"{what}: {_told(error)}")


def _told(error: BaseException) -> str:
    """The failure in a few words."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the answer broke off"
    if isinstance(error, aiohttp.ClientConnectorError):
        reason: OSError | None = getattr(error, "os_error", None)  # a certificate's error has none
        if reason is not None and reason.errno:
            return f"no connection to {error.host}:{error.port}: {os.strerror(reason.errno)}"
    return str(error) or type(error).__name__
