"""The admin pages of `zerogate up`: what the control process knows and what its gateway tells."""

import hmac
import json
import socket
from typing import Any, Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Told(Protocol):
    """What the pages show of the control process."""

    registry: CollectorRegistry
    token: str

    async def asked(self, path: str) -> bytes | None:
        """An admin page of the gateway, if it answers."""
        ...

    def unready(self) -> str:
        """Why not all runs yet, or ""."""
        ...

    def state(self) -> dict[str, Any]:
        """/debug/state of the control process."""
        ...

    def history(self, namespace: str, revision: str) -> list[dict[str, Any]] | None:
        """Ten minutes of a revision in replay's format."""
        ...


class Pages:
    """/metrics, /healthz, /readyz; /debug/* for those who have the token."""

    def __init__(self, told: Told) -> None:
        self._told = told
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
            if not hmac.compare_digest(given, f"Bearer {self._told.token}".encode()):
                return web.Response(
                    status=401,
                    text="the token is missing or wrong: it is the file `token` of the data folder\n",
                )
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _metrics(self, _: web.Request) -> web.Response:
        ours = generate_latest(self._told.registry)
        theirs = await self._told.asked("/metrics") or b""
        return web.Response(body=ours + theirs, headers={"Content-Type": METRICS_TYPE})

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        reason = self._told.unready()
        return web.Response(text=f"{reason or 'ok'}\n", status=503 if reason else 200)

    async def _state(self, _: web.Request) -> web.Response:
        theirs = await self._told.asked("/debug/state")
        state = {**self._told.state(), "activator": json.loads(theirs) if theirs else None}
        return web.json_response(state, dumps=lambda value: json.dumps(value, indent=1, default=str))

    async def _history(self, request: web.Request) -> web.Response:
        found = self._told.history(request.match_info["namespace"], request.match_info["revision"])
        if found is None:
            return web.Response(status=404, text="no such revision\n")
        return web.Response(text="".join(json.dumps(line) + "\n" for line in found))
