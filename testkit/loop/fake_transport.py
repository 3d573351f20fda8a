"""An event loop and transports of paper: what uvloop and the kernel do, without either.

Time moves when it is told to. A transport keeps the habits of uvloop's that protocols can feel: data comes in
events of their own, never within a call; a paused transport notices no end of the other side; a write beyond
the high-water mark calls `pause_writing` within the write; after an end that was kept open, resuming to read
tells of the end once more.
"""

import asyncio
import fcntl
import heapq
import os
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from activator.edge.http.downstream import RESET, Downstream
from activator.edge.http.upstream import Upstream

HIGH, LOW = 128, 32
"""Bytes in a slow transport's buffer at which writing pauses, and goes on."""
ROOM = 1 << 18
"""Bytes that may be unread."""
BEYOND = 20_000
"""Callbacks in one go; more is a loop without end."""


class Due:
    """A callback that is ready, or will be at its time; the plainest of handles."""

    __slots__ = ("args", "at", "callback", "is_off")

    def __init__(self, at: float, callback: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.at = at
        self.callback = callback
        self.args = args
        self.is_off = False

    def __lt__(self, other: "Due") -> bool:
        return self.at < other.at

    def cancel(self) -> None:
        self.is_off = True

    def when(self) -> float:
        return self.at


class PaperLoop(asyncio.AbstractEventLoop):
    """Runs what is ready in `settle`, and what becomes due in `pass_time`. An exception is raised there."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.connect: Callable[[Any], Awaitable[tuple[Paper, Any]]] | None = None
        """What `create_connection` asks: a transport and its protocol, or an OSError."""
        self._ready: deque[Due] = deque()
        self._later: list[Due] = []
        self._errors: list[Any] = []

    # -- called by asyncio and by what runs on it --

    def time(self) -> float:
        return self.now

    def get_debug(self) -> bool:
        return False

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:  # type: ignore[override] # any arguments
        due = Due(0.0, callback, args)
        self._ready.append(due)
        return due

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:  # type: ignore[override] # any arguments
        return self.call_at(self.now + delay, callback, *args)

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:  # type: ignore[override] # any arguments
        due = Due(when, callback, args)
        heapq.heappush(self._later, due)
        return due

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, **options)

    def call_exception_handler(self, context: Any) -> None:
        self._errors.append(context.get("exception") or RuntimeError(context["message"]))

    def add_reader(self, fd: Any, callback: Callable[..., Any], *args: Any) -> None:  # type: ignore[override] # any arguments
        pass

    def remove_reader(self, fd: Any) -> Any:
        pass

    async def create_connection(  # type: ignore[override] # as much of it as the connects of the proxy use
        self, factory: Callable[[], Upstream], host: str, port: int
    ) -> "tuple[Paper, Upstream]":
        assert self.connect is not None
        return await self.connect(factory())

    # -- called by who plays --

    def settle(self) -> None:
        """Run until nothing is left to do now."""
        ready = self._ready
        for _ in range(BEYOND):
            if not ready:
                break
            due = ready.popleft()
            if not due.is_off:
                due.callback(*due.args)
        else:
            raise RuntimeError("it never comes to rest")
        if self._errors:
            raise self._errors[0]

    def pass_time(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self.now + seconds
        self.settle()
        later = self._later
        while later and later[0].at <= end:
            due = heapq.heappop(later)
            if not due.is_off:
                self.now = max(self.now, due.at)
                due.callback(*due.args)
                self.settle()
        self.now = end


class Unread:
    """What the kernel has of a connection that nobody has read yet, for who polls or reads its descriptor."""

    def __init__(self) -> None:
        self.fd, self._writing = os.pipe2(os.O_NONBLOCK)
        fcntl.fcntl(self.fd, fcntl.F_SETPIPE_SZ, ROOM)

    def add(self, data: bytes) -> None:
        assert os.write(self._writing, data) == len(data)

    def take(self, size: int) -> bytes:
        """So many bytes at most; none where somebody else has read them, or the end is reached."""
        try:
            return os.read(self.fd, size)
        except BlockingIOError:
            return b""

    def end(self) -> None:
        if self._writing >= 0:
            os.close(self._writing)
            self._writing = -1

    def close(self) -> None:
        self.end()
        os.close(self.fd)


class PaperSocket:
    """What is asked of a transport's socket."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.is_reset_on_close = False

    def fileno(self) -> int:
        return self.fd

    def setsockopt(self, level: int, option: int, value: bytes) -> None:
        if (level, option, value) == (socket.SOL_SOCKET, socket.SO_LINGER, RESET):
            self.is_reset_on_close = True


class Paper(asyncio.Transport):
    """Our end of a connection. `sent` is what the other side got, `ended` how that ended for it: "", "fin" or
    "reset"; `came`: how it ended its own side first; `on_sent(data)` is called as it gets something. A `slow`
    one takes what `take` says, others everything at once. `unread` is there where the descriptor is real.
    """

    def __init__(
        self,
        loop: PaperLoop,
        protocol: Downstream | Upstream,
        fd: int,
        *,
        slow: bool = False,
        unread: Unread | None = None,
    ) -> None:
        super().__init__()
        self.loop = loop
        self.protocol = protocol
        self.socket = PaperSocket(fd)
        self.slow = slow
        self.unread = unread
        self.sent = bytearray()
        self.ended = ""
        self.came = ""
        self.on_sent: Callable[[bytes], None] | None = None
        self._buffer = bytearray()
        self._inbox: list[bytes] = []
        self._coming = ""
        self._is_told = False
        self._is_reading = True
        self._is_paused = False
        self._is_closing = False
        self._is_lost = False
        self._is_over = False
        self._has_eof = False

    # -- called by protocols --

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"socket": self.socket, "peername": ("192.0.2.1", 1234)}.get(name, default)

    def is_closing(self) -> bool:
        return self._is_closing

    def get_write_buffer_size(self) -> int:
        return len(self._buffer)

    def can_write_eof(self) -> bool:
        return True

    def write(self, data: Any) -> None:
        assert isinstance(data, bytes)
        if self._has_eof:
            raise RuntimeError("a write after write_eof")
        if self._is_closing or not data:
            return
        if self._coming == "reset":
            self._break(ConnectionResetError())
            return
        self._buffer += data
        if not self.slow:
            self.take(len(self._buffer))
        elif len(self._buffer) > HIGH and not self._is_paused:
            self._is_paused = True
            self.protocol.pause_writing()

    def write_eof(self) -> None:
        self._check_alive()
        self._has_eof = True
        self._flushed()

    def pause_reading(self) -> None:
        self._check_alive()
        self._is_reading = False

    def resume_reading(self) -> None:
        self._check_alive()
        if not self._is_reading:
            self._is_reading = True
            self._is_told = False
            self._wake()

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._flushed()

    def abort(self) -> None:
        self._break(None)

    # -- called by whoever plays the other side --

    def feed(self, data: bytes) -> None:
        if self._is_closing or self._coming:
            return
        self._inbox.append(data)
        if self.unread is not None:
            self.unread.add(data)
        self._wake()

    def fin(self) -> None:
        self._coming = self._coming or "fin"
        self.came = self.came or "fin"
        if self.unread is not None:
            self.unread.end()
        self._wake()

    def reset(self) -> None:
        self._coming = "reset"
        self.came = self.came or "reset"
        self._inbox.clear()
        if self.unread is not None:
            self.unread.take(ROOM)
            self.unread.end()
        self._wake()

    def take(self, size: int) -> None:
        """The kernel takes so much of what is to be written."""
        data = bytes(self._buffer[:size])
        if data:
            del self._buffer[:size]
            self.sent += data
            if self.on_sent is not None:
                self.on_sent(data)
        if self._is_paused and len(self._buffer) <= LOW and not self._is_lost:
            self._is_paused = False
            self.protocol.resume_writing()
        self._flushed()

    @property
    def is_broken(self) -> bool:
        return self._coming == "reset"

    @property
    def is_lost(self) -> bool:
        return self._is_lost

    # -- inside --

    def _check_alive(self) -> None:
        if self._is_over:
            raise RuntimeError("the transport is closed")

    def _wake(self) -> None:
        self.loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        if self._is_closing or not self._is_reading:
            return
        if self._inbox:
            data = self._inbox.pop(0)
            if self.unread is not None:
                data = self.unread.take(len(data))
            if data:
                self.protocol.data_received(data)
            if self._inbox or self._coming:
                self._wake()
        elif self._coming == "reset":
            self._break(ConnectionResetError())
        elif self._coming == "fin" and not self._is_told:
            self._is_told = True
            if self.protocol.eof_received():
                self._is_reading = False
            else:
                self.close()

    def _flushed(self) -> None:
        if self._buffer:
            return
        if self._has_eof and not self.ended:
            self.ended = "fin"
        if self._is_closing and not self._is_lost:
            self._lose(None)

    def _break(self, error: ConnectionResetError | None) -> None:
        if not self._is_lost:
            self._is_closing = True
            self._buffer.clear()
            self._lose(error)

    def _lose(self, error: ConnectionResetError | None) -> None:
        self._is_lost = True
        if self.ended != "fin" or self.socket.is_reset_on_close:
            self.ended = "reset" if self.socket.is_reset_on_close else "fin"
        self.loop.call_soon(self._tell_lost, error)

    def _tell_lost(self, error: ConnectionResetError | None) -> None:
        self.protocol.connection_lost(error)
        self._is_over = True
        self.put_away()

    def put_away(self) -> None:
        """Close the descriptor."""
        if self.unread is not None:
            self.unread.close()
            self.unread = None
