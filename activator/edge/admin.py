"""The admin listener: metrics, health, and a look inside for those who have the token."""

import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

UNIX_PREFIX = "unix:"
OFF = "/debug is off; --admin-token-file names the file with a secret that opens it\n"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Views:
    """What the pages show, asked for at each request. `unready`: why no traffic should come now, or ""."""

    metrics: Callable[[], bytes]
    unready: Callable[[], str]
    state: Callable[[], Mapping[str, object]]


def application(views: Views, token: str) -> web.Application:
    """/metrics, /healthz, /readyz for all; /debug/state with `Authorization: Bearer <token>`."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=views.metrics(), headers={"Content-Type": METRICS_TYPE})

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        reason = views.unready()
        return web.Response(text=f"{reason or 'ok'}\n", status=503 if reason else 200)

    async def state(request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "")
        if not token:
            return web.Response(text=OFF, status=401)
        if not hmac.compare_digest(given.encode(errors="surrogateescape"), f"Bearer {token}".encode()):
            return web.Response(text="the token is missing or wrong\n", status=401)
        return web.json_response(views.state(), dumps=lambda value: json.dumps(value, indent=1))

    made = web.Application()
    made.router.add_get("/metrics", metrics)
    made.router.add_get("/healthz", healthz)
    made.router.add_get("/readyz", readyz)
    made.router.add_get("/debug/state", state)
    return made


@asynccontextmanager
async def serving(address: str, views: Views, token: str) -> AsyncIterator[tuple[str, ...]]:
    """Serve on "host:port" or "unix:<path>" while the body runs; yields the addresses that were bound.

    "" serves nothing. Raises OSError when the address can't be had.
    """
    if not address:
        yield ()
        return
    runner = web.AppRunner(application(views, token), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await _site(runner, address).start()
        yield tuple(_told(each) for each in runner.addresses)
    finally:
        await runner.cleanup()


def _told(address: str | tuple[str, int]) -> str:
    return f"{UNIX_PREFIX}{address}" if isinstance(address, str) else f"{address[0]}:{address[1]}"


def _site(runner: web.AppRunner, address: str) -> web.BaseSite:
    if address.startswith(UNIX_PREFIX):
        return web.UnixSite(runner, address.removeprefix(UNIX_PREFIX))
    host, _, port = address.rpartition(":")
    return web.TCPSite(runner, host.strip("[]"), int(port))
