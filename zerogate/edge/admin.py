"""The admin pages of a program; those of `zerogate up` also tell what its gateway knows."""

import hmac
import json
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from zerogate.edge.expositions import merged

_REFUSED = "the token is missing or wrong; `zerogate up` keeps it as `token` in its data folder\n"
_OFF = "/debug is off; --admin-token-file names the file with a secret that opens it\n"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


async def _nobody(_: str) -> dict[str, bytes]:
    return {}


@dataclass(frozen=True)
class Views:
    """What a program shows of itself; `token` guards /debug, "" keeps it shut. Called at each request."""

    registry: CollectorRegistry
    token: str = ""
    unready: Callable[[], str] = lambda: ""
    """Why it is not ready, or ""."""
    state: Callable[[], dict[str, Any]] = dict
    """/debug/state."""
    history: Callable[[str, str], list[dict[str, Any]] | None] = lambda _namespace, _revision: None
    """Ten minutes of a revision in replay's format."""
    gateway: Callable[[str], Awaitable[dict[str, bytes]]] = _nobody
    """An admin page of each of the gateway's processes that answers, by their names."""


class Pages:
    """/metrics, /healthz, /readyz; /debug/* for those who have the token."""

    def __init__(self, views: Views) -> None:
        self._views = views
        self._runner: web.AppRunner | None = None

    async def start(self, listener: socket.socket) -> None:
        """Serve on a bound socket."""
        application = web.Application(middlewares=[self._guard])
        for path, page in (
            ("/metrics", self._metrics),
            ("/healthz", self._healthz),
            ("/readyz", self._readyz),
            ("/debug/state", self._state),
            ("/debug/history/{namespace}/{revision}", self._history),
        ):
            application.router.add_get(path, page)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()

    async def close(self) -> None:
        """Stop serving."""
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.path.startswith("/debug"):
            given = request.headers.get("Authorization", "").encode(errors="replace")
            wanted = f"Bearer {self._views.token}".encode()
            if not self._views.token:
                return web.Response(status=401, text=_OFF)
            if not hmac.compare_digest(given, wanted):
                return web.Response(status=401, text=_REFUSED)
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _metrics(self, _: web.Request) -> web.Response:
        ours = generate_latest(self._views.registry)
        theirs = await self._views.gateway("/metrics")
        return web.Response(body=ours + merged(theirs), headers={"Content-Type": METRICS_TYPE})

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        reason = self._views.unready()
        return web.Response(text=f"{reason or 'ok'}\n", status=503 if reason else 200)

    async def _state(self, _: web.Request) -> web.Response:
        state = self._views.state()
        if theirs := await self._views.gateway("/debug/state"):
            state["activators"] = {name: json.loads(page) for name, page in theirs.items()}
        return web.json_response(state, dumps=lambda value: json.dumps(value, indent=1, default=str))

    async def _history(self, request: web.Request) -> web.Response:
        found = self._views.history(request.match_info["namespace"], request.match_info["revision"])
        if found is None:
            return web.Response(status=404, text="no such revision\n")
        return web.Response(text="".join(json.dumps(line) + "\n" for line in found))
