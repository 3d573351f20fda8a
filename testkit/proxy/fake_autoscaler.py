"""An autoscaler's end of the link, for tests: it welcomes, keeps what it hears, and says what it is told."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import WSMsgType, web

from autoscaler.messages import Hello, Message, Welcome, decode, encode

TOKEN = "secret"


class FakeAutoscaler:
    """Listens on a port of its own. `heard` holds all messages, `tokens` each that was shown; `link` is the
    present one.
    """

    def __init__(self) -> None:
        self.names_owners = False
        self.tokens: list[str] = []
        self.heard: list[Any] = []
        self.links = 0
        self.address = ""
        self.link: Any = None
        self._news = asyncio.Condition()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.tokens.append(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if self.tokens[-1] != TOKEN:
            return web.Response(status=401)
        link = web.WebSocketResponse()
        await link.prepare(request)
        async for frame in link:
            assert frame.type is WSMsgType.BINARY
            message = decode(frame.data)
            if isinstance(message, Hello):
                await link.send_bytes(encode(Welcome(1, "fake", names_owners=self.names_owners)))
                self.link, self.links = link, self.links + 1
            async with self._news:
                self.heard.append(message)
                self._news.notify_all()
        return link

    async def say(self, message: Message) -> None:
        await self.link.send_bytes(encode(message))

    async def hears(self, is_it: Callable[..., Any], within: float = 60.0) -> Any:
        """The first message, past or coming, that `is_it` accepts; it and those before are forgotten."""
        async with asyncio.timeout(within), self._news:
            while True:
                for index, message in enumerate(self.heard):
                    if is_it(message):
                        del self.heard[: index + 1]
                        return message
                await self._news.wait()


@contextlib.asynccontextmanager
async def fake_autoscaler(tls: ssl.SSLContext | None = None) -> AsyncIterator[FakeAutoscaler]:
    fake = FakeAutoscaler()
    app = web.Application()
    app.router.add_get("/link", fake._serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    host, port = runner.addresses[0][:2]
    fake.address = f"{host}:{port}"
    try:
        yield fake
    finally:
        if fake.link is not None:
            await fake.link.close()
        await runner.cleanup()
