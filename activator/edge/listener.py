"""A listening socket and all connections that came through it: opened, served, drained."""

import asyncio
import socket

from activator.edge.dispatch import Dispatcher
from activator.edge.downstream import Downstream
from activator.edge.gate import Gate, Routes
from activator.settings import ProxySettings

BACKLOG = 4096


class Listener:
    """Serves HTTP/1.1 on one socket. `gate` is what its connections share, counters included."""

    gate: Gate

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._empty: asyncio.Event = asyncio.Event()
        self._draining: asyncio.Task[None] | None = None

    async def start(
        self,
        where: socket.socket | tuple[str, int],
        router: Routes,
        dispatcher: Dispatcher,
        settings: ProxySettings | None = None,
    ) -> None:
        """Accept connections: on a socket that is bound (and stays the caller's), or on (host, port).
        OSError.
        """
        loop = asyncio.get_running_loop()
        dispatcher.start()
        gate = self.gate = Gate(router, dispatcher, settings or dispatcher.settings, dispatcher.clock)
        gate.on_empty = self._settle
        if isinstance(where, socket.socket):
            self._server = await loop.create_server(
                lambda: Downstream(gate), sock=where.dup(), backlog=BACKLOG
            )
        else:
            host, port = where
            self._server = await loop.create_server(lambda: Downstream(gate), host, port, backlog=BACKLOG)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens (the first address, if several)."""
        assert self._server is not None  # noqa: S101 - it was started
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    def begin_drain(self, delay: float) -> None:
        """For `delay` seconds go on accepting, with Connection: close; then close what listens and what is
        idle.
        """
        if self._draining is None:
            self.gate.is_draining = True
            self._draining = asyncio.get_running_loop().create_task(self._drain(delay))

    async def drained(self) -> None:
        """Return when the drain that was begun is over: every request was answered, every connection
        closed.
        """
        if self._draining is not None:
            await self._draining
        await self._empty.wait()

    def close(self) -> None:
        """Stop at once, whatever is in flight."""
        if self._draining is not None:
            self._draining.cancel()
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in [*self.gate.connections]:
            connection.cut()

    async def _drain(self, delay: float) -> None:
        await asyncio.sleep(delay)
        if self._server is not None:
            self._server.close()
            self._server = None
        now = self.gate.clock()
        for connection in [*self.gate.connections]:
            connection.drain(now)
        self._settle()

    def _settle(self) -> None:
        if self._server is None and not self.gate.connections:
            self._empty.set()
