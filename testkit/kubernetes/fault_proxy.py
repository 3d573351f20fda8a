"""A proxy before a real API server that does on demand what networks and servers do in bad hours.

It ends TLS, passes everything on with the client's own proof of identity, watches included, and keeps a
record of what was asked. Faults are switched while it runs.
"""

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import aiohttp
from aiohttp import web

from embedded.edge.lock import make_lock

T = TypeVar("T")
_NOT_PASSED_ON = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "content-length", "host"}
)


@dataclass
class Faults:
    """What goes wrong at present. Seconds; 0, "" and empty: nothing."""

    delay: float = 0.0
    """before each answer"""
    watch_life: float = 0.0
    """after which a watch is cut, without an end"""
    gone: Literal["", "answer", "event"] = ""
    """each watch is told 410, as an answer or as an event"""
    busy_each: int = 0
    """of so many requests one gets 429"""
    retry_after: int = 1
    conflict_each: int = 0
    """of so many PATCH and PUT requests one gets 409"""
    expired: set[str] = field(default_factory=set)
    """tokens that are good no more"""
    is_silent: bool = False
    """requests are taken and never answered"""


class Request(NamedTuple):
    """One request: when it came (monotonic seconds), whose, what for, and the status (0: none)."""

    at: float
    agent: str
    method: str
    path: str
    is_watch: bool
    status: int
    is_fault: bool


class FaultProxy:
    """Runs in a thread of its own. `authority` is the PEM of who signed its certificate."""

    def __init__(self, server: str, server_authority: Path, folder: Path) -> None:
        """`server` is the real one's URL. OSError when `folder` can't be written."""
        self._server = server
        self._trust = ssl.create_default_context(cafile=str(server_authority))
        self._lock = make_lock(folder)
        self.authority = self._lock.ca
        self.faults = Faults()
        self.requests: list[Request] = []
        self.port = 0
        self._counted: dict[str, int] = {}
        self._watches: set[asyncio.Transport] = set()

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"https://127.0.0.1:{self.port}"

    # What tests call, from their own thread.

    def start(self) -> None:
        """Listen on a free port."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy")
        self._thread.start()
        self._call(self._start)

    def stop(self) -> None:
        """Close everything and end the thread."""
        self._call(self._stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def go_down(self) -> None:
        """Reset all connections and refuse new ones."""
        self._call(self._go_down)

    def come_back(self) -> None:
        """Listen again, on the same port."""
        self._call(self._listen)

    def cut_watches(self) -> int:
        """Reset the connections of all watches; how many there were."""
        return self._call(self._cut_watches)

    @contextlib.contextmanager
    def having(self, **faults: Any) -> Iterator[None]:
        """These faults while the body runs."""
        self.faults = Faults(**faults)
        try:
            yield
        finally:
            self.faults = Faults()

    def since(self, moment: float) -> list[Request]:
        """The requests that came after a moment."""
        return [request for request in self.requests if request.at >= moment]

    def _call(self, make: Callable[[], Awaitable[T]]) -> T:
        async def run() -> T:
            return await make()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(20)

    # In its own thread.

    async def _start(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._trust), auto_decompress=False
        )
        self._web = web.Server(self._handle, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(self._web, shutdown_timeout=0.1)
        await self._runner.setup()
        await self._listen()

    async def _listen(self) -> None:
        self._site = web.TCPSite(
            self._runner, "127.0.0.1", self.port, ssl_context=self._lock.tls(), reuse_address=True
        )
        await self._site.start()
        self.port = self._runner.addresses[-1][1]

    async def _go_down(self) -> None:
        await self._site.stop()
        for connection in self._web.connections:
            if connection.transport is not None:
                connection.transport.abort()

    async def _cut_watches(self) -> int:
        cut = len(self._watches)
        for transport in [*self._watches]:
            transport.abort()
        return cut

    async def _stop(self) -> None:
        await self._go_down()
        await self._runner.cleanup()
        await self._session.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        begun, is_watch = time.monotonic(), request.query.get("watch") in {"true", "1"}
        status, is_fault = 0, True
        try:
            refused = await self._fault(request, is_watch=is_watch)
            if refused is None:
                is_fault = False
                passed = await self._pass_on(request, is_watch=is_watch)
                status = passed.status
                return passed
            status = refused.status
            return refused
        finally:
            agent = request.headers.get("User-Agent", "")
            told = Request(begun, agent, request.method, request.path, is_watch, status, is_fault)
            self.requests.append(told)

    async def _fault(self, request: web.BaseRequest, *, is_watch: bool) -> web.StreamResponse | None:
        """What is answered instead of passing the request on, if anything."""
        faults = self.faults
        if faults.is_silent:
            await asyncio.Event().wait()
        await asyncio.sleep(faults.delay)
        if request.headers.get("Authorization", "").removeprefix("Bearer ") in faults.expired:
            return _status(401, "Unauthorized")
        if self._is_turn("busy", faults.busy_each):
            return _status(429, "TooManyRequests", {"Retry-After": str(faults.retry_after)})
        if request.method in {"PATCH", "PUT"} and self._is_turn("conflict", faults.conflict_each):
            return _status(409, "Conflict")
        if is_watch and faults.gone == "answer":
            return _status(410, "Expired")
        if is_watch and faults.gone == "event":
            event = b'{"type":"ERROR","object":' + (_status(410, "Expired").body or b"") + b"}\n"  # type: ignore[operator] # a body of bytes
            return web.Response(body=event, content_type="application/json")
        return None

    def _is_turn(self, what: str, each: int) -> bool:
        if not each:
            return False
        self._counted[what] = self._counted.get(what, 0) + 1
        return self._counted[what] % each == 0

    async def _pass_on(self, request: web.BaseRequest, *, is_watch: bool) -> web.StreamResponse:
        headers = [
            (key, value) for key, value in request.headers.items() if key.lower() not in _NOT_PASSED_ON
        ]
        body = await request.read()
        async with self._session.request(
            request.method, f"{self._server}{request.raw_path}", headers=headers, data=body or None,
            timeout=aiohttp.ClientTimeout(None), allow_redirects=False,
        ) as answer:  # fmt: skip
            passed = web.StreamResponse(status=answer.status)
            for key, value in answer.headers.items():
                if key.lower() not in _NOT_PASSED_ON:
                    passed.headers.add(key, value)
            is_stream = is_watch and answer.status == 200
            with self._watching(request, is_watch=is_stream), contextlib.suppress(ConnectionError):
                await passed.prepare(request)
                async for chunk in answer.content.iter_any():
                    await passed.write(chunk)
                await passed.write_eof()
            return passed

    @contextlib.contextmanager
    def _watching(self, request: web.BaseRequest, *, is_watch: bool) -> Iterator[None]:
        """The request's connection is that of a watch while the body runs, and may be cut any time."""
        transport = request.transport
        if not is_watch or transport is None:
            yield
            return
        life, end = self.faults.watch_life, None
        if life:
            end = self._loop.call_later(life, transport.abort)
        self._watches.add(transport)
        try:
            yield
        finally:
            self._watches.discard(transport)
            if end is not None:
                end.cancel()


def _status(code: int, reason: str, headers: dict[str, str] | None = None) -> web.Response:
    """A refusal as an API server words it."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}
    return web.json_response(
        {**body, "message": f"fault of this test: {reason}"}, status=code, headers=headers
    )
