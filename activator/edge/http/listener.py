"""A listening socket and all connections that came through it: opened, served, drained."""

import asyncio
import contextlib
import logging
import resource
import socket
from typing import cast

from activator.edge.http.connector import OUT_OF_DESCRIPTORS, SHORTAGE
from activator.edge.http.dispatch import Dispatcher
from activator.edge.http.downstream import Downstream
from activator.edge.http.gate import Gate, Routes
from activator.edge.http.kernel import probe_peer, take_no_more
from activator.settings import ProxySettings

log = logging.getLogger("zerogate.activator")

BACKLOG = 4096
HANDSHAKE = 0.02
"""Seconds for connections that have begun when a socket of our own is about to close."""
LAST_WAIT = 10.0
"""Seconds that a drain waits for descriptors of connections that nobody has accepted."""
TURNS = 4
"""Turns of the loop from accepting a connection to its `connection_made`: uvloop's one, asyncio's three."""
OTHER_DESCRIPTORS = 256
"""File descriptors for everything but clients and pods: the API server, the link, logs, the listeners."""


class Listener:
    """Serves HTTP/1.1 on one socket. `gate` is what its connections share, counters included."""

    gate: Gate

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._listening: socket.socket | None = None
        self._own: socket.socket | None = None
        self._resuming: asyncio.Task[None] | None = None
        self._is_closed = False
        self._empty = asyncio.Event()
        self._draining: asyncio.Task[None] | None = None

    async def start(
        self,
        where: socket.socket | tuple[str, int],
        router: Routes,
        dispatcher: Dispatcher,
        settings: ProxySettings | None = None,
        *,
        is_shared: bool = True,
    ) -> None:
        """Accept connections on a bound socket, or on (host, port). OSError.

        A socket that is shared stays its opener's, and those that have it too serve its queue after a drain.
        One that is not shared is closed by the drain.
        """
        dispatcher.start()
        gate = self.gate = Gate(router, dispatcher, settings or dispatcher.settings, dispatcher.clock)
        gate.clients.most = gate.settings.max_connections or _most_connections()
        gate.on_empty = self._settle
        gate.on_full = self._pause
        if isinstance(where, socket.socket):
            self._listening = where
            self._own = None if is_shared else where
        else:
            self._listening = self._own = await _listen(*where)
        probe_peer(self._listening)
        await self._accept()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens (the first address, if several). RuntimeError when it does not."""
        if self._listening is None:
            raise RuntimeError("the listener is not listening")
        host, port = self._listening.getsockname()[:2]
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
        self._is_closed = True
        if self._draining is not None:
            self._draining.cancel()
        self._stop_listening()
        if self._own is not None:
            self._own.close()
        for connection in [*self.gate.connections]:
            connection.cut()

    def _connection(self) -> asyncio.Protocol:
        return cast("asyncio.Protocol", Downstream(self.gate))

    async def _accept(self) -> None:
        if self._listening is None:
            raise RuntimeError("the listener was not started")
        self._server = await asyncio.get_running_loop().create_server(
            self._connection, sock=self._listening.dup(), backlog=BACKLOG
        )

    def _pause(self) -> None:
        """Accept no more until there is room. The socket goes on listening: the kernel keeps who comes."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        self.gate.pauses += 1
        self.gate.on_room = self._resume
        log.warning(
            "%d connections of clients are all that file descriptors allow: more wait", self.gate.clients.most
        )

    def _resume(self) -> None:
        self.gate.on_room = None
        self._resuming = asyncio.get_running_loop().create_task(self._accept_again())

    async def _accept_again(self) -> None:
        try:
            await self._accept()
        except OSError as error:
            log.warning("can't accept connections again yet: %s", error)
            self.gate.on_room = self._resume
            self.gate.clients.paused.add(self.gate)
        if self._is_closed:
            self._stop_listening()

    async def _drain(self, delay: float) -> None:
        await asyncio.sleep(delay)
        if self._own is not None:
            take_no_more(self._own)
            await asyncio.sleep(HANDSHAKE)
        self._stop_listening()
        if self._own is not None:
            await self._accept_the_last(self._own)
        for _ in range(TURNS):
            await asyncio.sleep(0)
        now = self.gate.clock()
        for connection in [*self.gate.connections]:
            connection.drain(now)
        self._is_closed = True
        self._settle()

    async def _accept_the_last(self, own: socket.socket) -> None:
        """Serve clients whose connection nobody has accepted: the kernel resets them if the socket closes.

        If there is no file descriptor for one, it waits until other clients have left, up to LAST_WAIT.
        """
        loop = asyncio.get_running_loop()
        ends = loop.time() + LAST_WAIT
        with own:
            while True:
                try:
                    accepted = own.accept()[0]
                except BlockingIOError:
                    return
                except ConnectionAbortedError:
                    continue  # it has left already
                except OSError as error:
                    if error.errno not in OUT_OF_DESCRIPTORS or loop.time() >= ends:
                        log.warning("the connections that wait can't be accepted: %s", error)
                        return
                    await asyncio.sleep(SHORTAGE)
                    continue
                with contextlib.suppress(OSError):  # it has left already
                    await loop.connect_accepted_socket(self._connection, accepted)

    def _stop_listening(self) -> None:
        self.gate.on_room = None
        if self._server is not None:
            self._server.close()
            self._server = None

    def _settle(self) -> None:
        if self._is_closed and not self.gate.connections:
            self._empty.set()


def _most_connections() -> int:
    """Two thirds of the file descriptors that are left. Requests that wait need no second one for a pod, and
    those that find none left for it wait, too.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max((soft - OTHER_DESCRIPTORS) * 2 // 3, 16)


async def _listen(host: str, port: int) -> socket.socket:
    """A bound socket for the first address that a host has. OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    family, _, _, _, address = found[0]
    own = socket.socket(family, socket.SOCK_STREAM)
    try:
        own.settimeout(0)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.bind(address)
    except OSError as error:
        own.close()
        why = (error.strerror or str(error)).lower()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {why}") from error
    return own
