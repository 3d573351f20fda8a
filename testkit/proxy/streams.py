"""Fast senders and slow receivers, as plain threads and blocking sockets."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from testkit.proxy.harness import GET, ok, post

BLOCK = bytes(1 << 20)
SMALL = 64 << 10
"""The kernel's buffer of a slow receiver, in bytes: what is not taken waits with the sender."""
PATIENCE = 60.0
"""Seconds that a blocking call may take."""


@contextmanager
def pod(serve: Callable[..., Any]) -> Iterator[int]:
    """A server that calls `serve(connection)` in a thread for each connection. Gives its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def client(address: tuple[str, int], *, is_slow: bool = False) -> socket.socket:
    """A connection to the gateway."""
    connection = socket.socket()
    if is_slow:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    connection.settimeout(PATIENCE)
    connection.connect(address)
    return connection


def head(connection: socket.socket) -> bytes:
    """What comes up to the empty line, and not one byte more."""
    found = b""
    while not found.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            raise ConnectionError("the connection ended within a head")
        found += byte
    return found


def pour(connection: socket.socket, size: int) -> None:
    """Send as fast as it goes. A side that leaves ends it."""
    while size:
        try:
            size -= connection.send(BLOCK[:size])
        except OSError:
            return


def drink(connection: socket.socket, size: int) -> None:
    """Read so much. ConnectionError: there is no more."""
    into = bytearray(1 << 20)
    while size:
        count = connection.recv_into(into, min(size, len(into)))
        if not count:
            raise ConnectionError("the stream is shorter than announced")
        size -= count


def answer_of(size: int) -> Callable[..., Any]:
    """A pod's behaviour: it answers whatever comes with so many bytes, at once."""

    def serve(connection: socket.socket) -> None:
        with connection:
            head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            pour(connection, size)
            connection.recv(1)

    return serve


def taking(size: int, may_read: threading.Event) -> Callable[..., Any]:
    """A pod's behaviour: it reads a body of so many bytes, slowly at first: once it may."""

    def serve(connection: socket.socket) -> None:
        with connection:
            connection.settimeout(PATIENCE)
            head(connection)
            may_read.wait(PATIENCE)
            drink(connection, size)
            connection.sendall(ok(b"taken"))
            connection.recv(1)

    return serve


def asked(
    address: tuple[str, int], size: int, direction: str
) -> tuple[socket.socket, threading.Thread | None]:
    """A client that has asked for a body, or begun to send one; its thread in the latter case."""
    connection = client(address, is_slow=direction == "down")
    if direction == "down":
        connection.sendall(GET)
        return connection, None
    connection.sendall(post(b"").replace(b"Content-Length: 0", b"Content-Length: %d" % size))
    sender = threading.Thread(target=pour, args=(connection, size), daemon=True)
    sender.start()
    return connection, sender
