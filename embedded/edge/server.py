"""The door for kubectl and all other clients: HTTPS, locked (embedded/edge/lock.py).

Order of the checks: Host, Origin, credential, size; the body's type is the API's own check. A request that
fails one of them has changed nothing.
"""

import asyncio
import contextlib
import json
import logging
import random
import socket
import sqlite3
from collections.abc import AsyncIterator

import yaml
from aiohttp import web

from embedded.api import Api, ApiRequest, ApiResponse, Event, Watch
from embedded.api.bodies import MAX_BODY
from embedded.api.refusals import ApiRefusal, too_large, unauthorized
from embedded.api.representation import wanted
from embedded.edge import logs
from embedded.edge.lock import Lock
from embedded.podlogs import LogFile, is_over
from embedded.store import encode
from kube.resources import PODS

log = logging.getLogger("zerogate.api")

_OPEN = ("/healthz", "/livez", "/readyz")  # without credential, as for Kubernetes' own probes
_BOOKMARKS = 30.0  # seconds between two; clients take a watch that is silent for longer for dead
_WATCH_LASTS = (1800.0, 3600.0)  # seconds, at random between: clients that ask for no timeout spread out
_SHUTDOWN = 1.0
_UPKEEP = 30.0


class ApiServer:
    """One listening socket."""

    def __init__(self, api: Api, lock: Lock) -> None:
        self._api = api
        self._lock = lock
        self._closing = asyncio.Event()
        self._runner = web.ServerRunner(
            web.Server(self._serve, handler_cancellation=True, access_log=None),
            shutdown_timeout=_SHUTDOWN,
        )
        self.port = 0

    async def start(self, listener: socket.socket) -> None:
        """Serve on a bound socket."""
        await self._runner.setup()
        await web.SockSite(self._runner, listener, ssl_context=self._lock.tls()).start()
        self.port = listener.getsockname()[1]

    async def close(self) -> None:
        """End the watches, let requests finish for a moment, close."""
        self._closing.set()
        await self._runner.cleanup()

    # One request

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            self._check(request)
            body = await _body(request)
        except ApiRefusal as refusal:
            return _plain(ApiResponse(refusal.code, refusal.status()))
        asked = ApiRequest(
            request.method,
            request.path,
            dict(request.query),
            body,
            request.headers.get("Content-Type", ""),
            request.headers.get("Accept", ""),
            agent=request.headers.get("User-Agent", ""),
        )
        try:
            answer = self._api.handle(asked)
        except sqlite3.Error as error:
            log.exception("the store can't be written; is the disk full?")
            return _plain(_internal(error))
        except Exception as error:
            log.exception("%s %s failed", asked.method, asked.path)
            return _plain(_internal(error))
        if answer.watch is not None:
            return await self._stream(request, answer.watch)
        if answer.logs is not None:
            return await self._logs(request, answer.logs)
        return _plain(answer, is_yaml=_wants_yaml(asked.accept))

    def _check(self, request: web.BaseRequest) -> None:
        """Who asks, and from where. A page in a browser must not get through, whatever it knows."""
        if _host(request.headers.get("Host", "")) not in self._lock.hosts:
            raise ApiRefusal(403, "Forbidden", "this server is not known under the name in the Host header")
        if "Origin" in request.headers:
            raise ApiRefusal(403, "Forbidden", "requests of web pages (with an Origin header) are refused")
        if request.path in _OPEN:
            return
        if not self._lock.opens_with(request.headers.get("Authorization", "")):
            raise unauthorized()

    # Streams

    async def _stream(self, request: web.BaseRequest, watch: Watch) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        try:
            await response.prepare(request)
            async for chunk in self._watched(watch):
                await response.write(chunk)
            await response.write_eof()
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client went away; nothing is lost but its watch
        finally:
            watch.stop()
        return response

    async def _watched(self, watch: Watch) -> AsyncIterator[bytes]:
        """Lines of events; bookmarks in between; ends at the timeout, or when the server closes."""
        news = asyncio.Event()
        watch.wake = news.set
        loop = asyncio.get_running_loop()
        ends = loop.time() + (watch.timeout or random.uniform(*_WATCH_LASTS))
        closing = asyncio.ensure_future(self._closing.wait())
        closing.add_done_callback(lambda _: news.set())
        try:
            while True:
                news.clear()
                events = watch.take()
                if events:
                    yield b"".join(_line(watch, event) for event in events)
                if watch.is_over or closing.done() or loop.time() >= ends:
                    return
                try:
                    async with asyncio.timeout(min(_BOOKMARKS, ends - loop.time())):
                        await news.wait()
                except TimeoutError:
                    if watch.wants_bookmarks:
                        watch.bookmark()
        finally:
            closing.cancel()

    async def _logs(self, request: web.BaseRequest, found: LogFile) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        response.enable_chunked_encoding()

        def ended() -> bool:
            pod = self._api.store.get(PODS.plural, (found.namespace, found.pod))
            return self._closing.is_set() or is_over(pod.obj if pod else None, found)

        try:
            await response.prepare(request)
            async with contextlib.aclosing(logs.read(self._api.log_folder, found, ended)) as blocks:
                async for block in blocks:
                    await response.write(block)
            await response.write_eof()
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client went away
        return response


async def serve(api: Api, lock: Lock, *, host: str = "127.0.0.1", port: int = 0) -> ApiServer:
    """A server on an address of this machine. Raises OSError when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=128)
    server = ApiServer(api, lock)
    await server.start(listener)
    return server


async def maintain(api: Api) -> None:
    """Forget old events and move the log of writes into the database, now and then; ends by cancellation."""
    while True:
        await asyncio.sleep(_UPKEEP)
        api.sweep()
        await asyncio.to_thread(api.store.checkpoint)


def _host(header: str) -> str:
    """`[::1]:8001` → `::1`."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.rpartition(":")[0].lower() if header.count(":") == 1 else header.lower()


async def _body(request: web.BaseRequest) -> bytes:
    if (request.content_length or 0) > MAX_BODY:
        raise too_large(MAX_BODY)
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY:
            raise too_large(MAX_BODY)
    return bytes(body)


def _plain(answer: ApiResponse, *, is_yaml: bool = False) -> web.Response:
    headers = [("Content-Type", answer.content_type), ("Cache-Control", "no-cache, private")]
    headers += list(answer.headers)
    headers += [("Warning", f"299 - {json.dumps(text)}") for text in answer.warnings]
    if isinstance(answer.body, str | bytes):
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
    elif is_yaml and answer.content_type == "application/json":
        headers[0] = ("Content-Type", "application/yaml")
        body = yaml.safe_dump(answer.body, sort_keys=False).encode()
    else:
        body = answer.encoded().encode()
    return web.Response(status=answer.status, headers=headers, body=body)


def _wants_yaml(accept: str) -> bool:
    try:
        return wanted(accept).is_yaml
    except ApiRefusal:
        return False  # answered as a Status in JSON


def _internal(error: Exception) -> ApiResponse:
    text = f"an error of the server: {type(error).__name__}; its log tells more"
    return ApiResponse(500, ApiRefusal(500, "InternalError", text).status())


def _line(watch: Watch, event: Event) -> bytes:
    if watch.render is None:
        return event.line()
    return f'{{"type":"{event.type}","object":{encode(watch.render(event))}}}\n'.encode()
