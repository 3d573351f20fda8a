"""A fixed rate, whatever the answers do: latencies count from the moment at which each request was due.

A request that finds the client or the server late waits, and its wait is part of its latency, so that a pause
is not left out of the figures.
"""

import ctypes
import gc
import re
import select
import socket
from collections import deque
from collections.abc import Iterable
from time import perf_counter
from typing import NamedTuple

from bench.proxy.cores import inherited

CONNECTIONS = 50
GIVEN_UP = 10.0
"""Seconds without any answer after which the run is an error."""
_PR_SET_TIMERSLACK = 29


class Timed(NamedTuple):
    """Seconds: each request's latency, and how late it was sent."""

    latencies: list[float]
    late: list[float]


def head(host: str) -> bytes:
    """A GET with the twelve headers of a browser."""
    lines = [
        "GET /api/v1/items/1?page=1&sort=asc HTTP/1.1",
        f"Host: {host}",
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "Accept-Language: en-US,en;q=0.5",
        "Accept-Encoding: gzip, deflate, br",
        "Connection: keep-alive",
        "Upgrade-Insecure-Requests: 1",
        "Sec-Fetch-Dest: document",
        "Sec-Fetch-Mode: navigate",
        "Sec-Fetch-Site: none",
        "Cache-Control: max-age=0",
        "Cookie: session=1abcdef0123456789abcdef0123456789; theme=dark",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def run(port: int, host: str, *, rate: float, seconds: float, cores: Iterable[int]) -> Timed:
    """Send so many requests each second, over connections used in turn.

    Raises ValueError: an answer was not 200 or did not come.
    """
    client = _Client(port, head(host))
    is_collecting = gc.isenabled()
    gc.disable()
    try:
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1)
        with inherited(cores):
            return client.run(rate, round(rate * seconds))
    finally:
        client.close()
        if is_collecting:
            gc.enable()


def is_whole(answer: bytes) -> bool:
    """Whether all of an answer is there. Raises ValueError: it is not 200, or does not tell its length."""
    start, mark, body = answer.partition(b"\r\n\r\n")
    if not mark:
        return False
    length = re.search(rb"\r\nContent-Length: (\d+)", start, re.IGNORECASE)
    if not start.startswith(b"HTTP/1.1 200 ") or length is None:
        raise ValueError(start.decode("latin-1"))
    return len(body) >= int(length[1])


class _Client:
    def __init__(self, port: int, request: bytes) -> None:
        self._request = request
        self._idle = deque(socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS))
        self._busy: dict[socket.socket, tuple[float, bytes]] = {}
        self._timed = Timed([], [])
        for connection in self._idle:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self, rate: float, count: int) -> Timed:
        due: deque[float] = deque()
        begun, planned = perf_counter(), 0
        while planned < count or due or self._busy:
            now = perf_counter()
            while planned < count and begun + planned / rate <= now:
                due.append(begun + planned / rate)
                planned += 1
            while due and self._idle:
                self._send(due.popleft())
            wait = max(0.0, begun + planned / rate - perf_counter()) if planned < count else GIVEN_UP
            answered, _, _ = select.select([*self._busy], (), (), wait)
            if not answered and planned == count:
                raise ValueError(f"{len(self._busy)} requests got no answer within {GIVEN_UP:g} s")
            for connection in answered:
                self._receive(connection)
        return self._timed

    def _send(self, due: float) -> None:
        connection = self._idle.popleft()
        self._timed.late.append(perf_counter() - due)
        connection.sendall(self._request)
        self._busy[connection] = due, b""

    def _receive(self, connection: socket.socket) -> None:
        due, had = self._busy[connection]
        data = connection.recv(65536)
        now = perf_counter()
        if not data:
            raise ValueError("a connection was closed before its answer was whole")
        if is_whole(had + data):
            self._timed.latencies.append(now - due)
            del self._busy[connection]
            self._idle.append(connection)
        else:
            self._busy[connection] = due, had + data

    def close(self) -> None:
        for connection in (*self._idle, *self._busy):
            connection.close()
