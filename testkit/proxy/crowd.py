"""Very many clients at once, with one thread and no transports: sockets and an epoll."""

import contextlib
import resource
import select
import socket
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from testkit.proxy.harness import HOST

ROOM = 65536
"""File descriptors that a crowd of ten thousand and its gateway want."""


def make_room() -> None:
    """More file descriptors for this process and those that it starts, as far as it may have them."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for most in (max(ROOM, hard), hard):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
            return


def request(number: int) -> bytes:
    return b"GET /%d HTTP/1.1\r\nHost: %b\r\nUser-Agent: crowd/1\r\nAccept: */*\r\n\r\n" % (number, HOST)


class Crowd:
    """Clients by number, each with a request of its own; `answers` has the status of those that got one, 0
    for a connection that ended without. `first` and `last`: when the first and the last answer came.
    """

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._numbers: dict[int, int] = {}
        self.answers: dict[int, int] = {}
        self.first = self.last = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self._sockets.values():
            each.close()
        self._epoll.close()

    def come(self, numbers: Iterable[int]) -> None:
        """Connect and send, one after the other."""
        for number in numbers:
            made = self._sockets[number] = socket.create_connection(self._address)
            made.sendall(request(number))
            made.setblocking(False)
            self._numbers[made.fileno()] = number
            self._epoll.register(made.fileno(), select.EPOLLIN)

    def leave(self, numbers: Iterable[int]) -> float:
        """Hang up. Returns when."""
        for number in [number for number in numbers if number in self._sockets]:
            each = self._sockets.pop(number)
            if self._numbers.pop(each.fileno(), None) is not None:
                self._epoll.unregister(each.fileno())
            each.close()
        return time.monotonic()

    def wait(self, within: float, until: int = 1 << 30) -> None:
        """For each answer, or so many, or until time is over."""
        end = time.monotonic() + within
        while self._numbers and len(self.answers) < until and time.monotonic() < end:
            for fd, _ in self._epoll.poll(0.05, 1024):
                number = self._numbers.pop(fd)
                self._epoll.unregister(fd)
                self.answers[number] = self._status(self._sockets[number])

    def _status(self, each: socket.socket) -> int:
        self.last = time.monotonic()
        self.first = self.first or self.last
        try:
            head = each.recv(4096)
        except OSError:
            return 0
        return int(head.split(b" ", 2)[1]) if head.startswith(b"HTTP/1.1 ") else 0
