"""Clients that hang up while nobody reads from them.

A transport whose reading is paused tells nobody of a FIN or a reset. So the connections of requests that
wait in the middle of their body stand in an epoll set of their own, which asks for nothing but the other
side's end.
"""

import asyncio
import select
from collections.abc import Callable

EVENTS = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


class Hangups:
    """Watches file descriptors for the end of the other side. A descriptor must be left before it is
    closed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._watched: dict[int, Callable[[], None]] = {}
        loop.add_reader(self._epoll.fileno(), self._look)

    def watch(self, fd: int, hung_up: Callable[[], None]) -> None:
        """Call `hung_up` once when the other side ends the connection; it is left by then."""
        self._epoll.register(fd, EVENTS)
        self._watched[fd] = hung_up

    def leave(self, fd: int) -> None:
        """Watch it no more; nothing happens when it was not watched."""
        if self._watched.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def close(self) -> None:
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        self._watched.clear()

    def _look(self) -> None:
        for fd, _ in self._epoll.poll(0):
            hung_up = self._watched.get(fd)
            if hung_up is not None:
                self.leave(fd)
                hung_up()
