"""Answers each request and says on stdout what it was, as counting.go does."""

import asyncio
import hashlib
import sys

from aiohttp import web


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def answer(request: web.BaseRequest) -> web.Response:
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version >= (1, 1):
        assert request.transport is not None
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")  # as a route of an Application does
    try:
        body = await request.read()
    except (OSError, asyncio.CancelledError, web.HTTPException, web.RequestPayloadError):
        say(f"{request.method} {request.raw_path} broken")
        raise
    say(f"{request.method} {request.raw_path} {len(body)} {hashlib.sha1(body).hexdigest()}")  # noqa: S324
    status = {"/204": 204, "/304": 304}.get(request.raw_path, 200)
    return web.Response(status=status, text=None if status != 200 else f"{request.method} {request.raw_path}")


async def main() -> None:
    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    say(f"listening {runner.addresses[0][1]}")
    await asyncio.Event().wait()


asyncio.run(main())
