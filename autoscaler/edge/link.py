"""The autoscaler's end of the link: a WebSocket server that only those reach whom its doorkeeper lets in.

It knows frames and connections. What they mean is the leader's, which is told synchronously; while nobody
leads here, connections are refused, and activators come again.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from aiohttp import WSCloseCode, WSMsgType, web

from autoscaler.edge.doorkeeper import Doorkeeper
from autoscaler.messages import Hello, MalformedMessage, Message, Welcome, decode, encode

log = logging.getLogger("zerogate.autoscaler")

PATH = "/link"
HELLO_WITHIN = 3.0
"""Seconds after the handshake."""
LARGEST_FRAME = 16 << 20
"""Bytes; a report of 100,000 revisions."""
LONGEST_QUEUE = 100_000
"""Messages that wait for a slow activator; one beyond cuts it off, it comes again and is told what stands."""
GOODBYE = 1.0
"""Seconds that an activator has to answer the end of its link."""


class Peer(Protocol):
    """One activator's connection."""

    name: str

    def send(self, message: Message) -> None:
        """Have the message sent; never waits."""


class Leader(Protocol):
    """Who makes sense of it all. None of these may wait."""

    epoch: int
    identity: str

    def opened(self, peer: Peer, hello: Hello) -> None:
        """An activator said hello and was welcomed."""

    def received(self, peer: Peer, message: Message) -> None:
        """A frame came."""

    def closed(self, peer: Peer) -> None:
        """The connection is gone."""


class Connection:
    """A peer on a socket; one task reads, one writes."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport | None, name: str) -> None:
        self.name = name
        self.socket = socket
        self._transport = transport
        self._queue: asyncio.Queue[Message] = asyncio.Queue(LONGEST_QUEUE)

    def __repr__(self) -> str:
        return f"<Connection of {self.name}, {self._queue.qsize()} to send>"

    def send(self, message: Message) -> None:
        if self._queue.full():
            log.warning("Link of %s cut: it does not read what it is told", self.name)
            self.abort()
        else:
            self._queue.put_nowait(message)

    def abort(self) -> None:
        """End it at once, whatever the other end does."""
        if self._transport is not None:
            self._transport.abort()

    async def write(self) -> None:
        """Send what is queued, as fast as the other end reads."""
        while True:
            await self.socket.send_bytes(encode(await self._queue.get()))


class LinkServer:
    """`leader` is None while nobody leads here. With `tls` the link is encrypted."""

    def __init__(self, doorkeeper: Doorkeeper, tls: ssl.SSLContext | None = None) -> None:
        self._doorkeeper = doorkeeper
        self._tls = tls
        self._connections: dict[str, Connection] = {}
        self.leader: Leader | None = None

    @property
    def connections(self) -> int:
        """How many activators are linked."""
        return len(self._connections)

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[str]:
        """Listen while the body runs; yields "host:port". Port 0 takes any. OSError: it can't be had."""
        application = web.Application()
        application.router.add_get(PATH, self._serve)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, ssl_context=self._tls).start()
            taken = runner.addresses[0]
            yield f"{taken[0]}:{taken[1]}"
        finally:
            await self.drop_all()
            await runner.cleanup()

    async def drop_all(self) -> None:
        """Close all links, so that activators look for the leader at once; cut those that do not end soon."""
        open_ = [*self._connections.values()]
        if not open_:
            return
        closing = {asyncio.create_task(each.socket.close(code=WSCloseCode.SERVICE_RESTART)) for each in open_}
        _, stuck = await asyncio.wait(closing, timeout=GOODBYE)
        for each in open_ if stuck else ():
            each.abort()
        await asyncio.gather(*closing, return_exceptions=True)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        refusal = await self._doorkeeper.refusal(token if scheme == "Bearer" else "")
        if refusal is not None:
            return web.Response(status=refusal.status, text=f"{refusal.text}\n")
        leader = self.leader
        if leader is None:
            return web.Response(status=503, text="another autoscaler leads\n")
        socket = web.WebSocketResponse(heartbeat=10.0, max_msg_size=LARGEST_FRAME, compress=False)
        await socket.prepare(request)
        try:
            await self._talk(socket, request.transport, leader)
        except (MalformedMessage, TimeoutError, ConnectionError) as error:
            log.warning("Link from %s ended: %s", request.remote, str(error) or type(error).__name__)
            await socket.close(code=WSCloseCode.PROTOCOL_ERROR)
        return socket

    async def _talk(
        self, socket: web.WebSocketResponse, transport: asyncio.Transport | None, leader: Leader
    ) -> None:
        async with asyncio.timeout(HELLO_WITHIN):
            hello = await self._next(socket)
        if hello is None:
            return
        if not isinstance(hello, Hello) or not hello.activator:
            raise MalformedMessage("the first frame is no hello")
        if leader is not self.leader:
            await socket.close(code=WSCloseCode.SERVICE_RESTART)
            return
        peer = Connection(socket, transport, hello.activator)
        former = self._connections.pop(hello.activator, None)
        if former is not None:
            leader.closed(former)
            former.abort()
        self._connections[hello.activator] = peer
        peer.send(Welcome(leader.epoch, leader.identity, names_owners=True))
        leader.opened(peer, hello)
        writing = asyncio.create_task(peer.write())
        try:
            while (message := await self._next(socket)) is not None:
                leader.received(peer, message)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            if self._connections.get(peer.name) is peer:
                del self._connections[peer.name]
                leader.closed(peer)

    @staticmethod
    async def _next(socket: web.WebSocketResponse) -> Message | None:
        """The next message, None when the link has ended."""
        frame = await socket.receive()
        if frame.type is WSMsgType.BINARY:
            return decode(frame.data)
        if frame.type is WSMsgType.TEXT:
            raise MalformedMessage("a text frame")
        return None
