"""The tutorial's helloworld-go in Python: answers `Hello $TARGET!` after `$DELAY`.

One thread, one epoll, the standard library alone, so that it starts in some 15 ms and answers some ten
thousand requests a second. Like its model it does not handle SIGTERM: it ends at once, requests or not.

Environment: PORT (8080), TARGET ("World"), DELAY ("0"; "10ms", "2s"), LISTEN_AFTER ("0": how long it takes
before it listens), LISTEN_ON ("", all addresses).
"""

import heapq
import os
import select
import socket
import sys
import time

MAX_HEAD = 65536
_UNITS = (("ms", 0.001), ("s", 1.0))


def seconds(text: str) -> float:
    """Read "10ms", "2s" or a bare number of seconds."""
    for unit, factor in _UNITS:
        if text.endswith(unit):
            return float(text[: -len(unit)]) * factor
    return float(text or 0)


class BadRequest(Exception):  # noqa: N818 - whose fault it is says enough
    """The bytes are no HTTP/1.1 request."""


class Connection:
    """One client: bytes in, answers due, bytes out."""

    __slots__ = (
        "fileno",
        "inbox",
        "is_busy",
        "is_last",
        "is_writing",
        "outbox",
        "socket",
        "told_to_continue",
    )

    def __init__(self, accepted: socket.socket) -> None:
        self.socket = accepted
        self.fileno = accepted.fileno()
        self.inbox = b""
        self.outbox = b""
        self.is_busy = False
        self.is_last = False
        self.is_writing = False
        self.told_to_continue = False


def take_request(data: bytes) -> tuple[bytes, bytes] | None:
    """Split one whole request off: (its head, the rest), or None while bytes are missing."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        if len(data) > MAX_HEAD:
            raise BadRequest
        return None
    head = data[:end].lower()
    start = end + 4
    is_chunked = b"\r\ntransfer-encoding:" in head
    stop = end_of_chunks(data, start) if is_chunked else start + content_length(head)
    return None if stop is None or stop > len(data) else (head, data[stop:])


def content_length(head: bytes) -> int:
    """The body's length as the lower-case head says it, 0 without."""
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        return 0
    value = head[at + 17 :].split(b"\r\n", 1)[0].strip()
    if not value.isdigit():
        raise BadRequest
    return int(value)


def end_of_chunks(data: bytes, position: int) -> int | None:
    """Where a chunked body ends, or None while bytes are missing."""
    while True:
        line = data.find(b"\r\n", position)
        if line < 0:
            return None
        try:
            size = int(data[position:line].split(b";")[0], 16)
        except ValueError:
            raise BadRequest from None
        position = line + 2 + size + 2
        if size == 0:
            trailer = data.find(b"\r\n\r\n", line)
            return None if trailer < 0 else trailer + 4
        if position > len(data):
            return None


class Server:
    """Reads requests, answers each after the delay."""

    def __init__(self, listener: socket.socket, body: bytes, delay: float) -> None:
        self.listener = listener
        self.body = body
        self.delay = delay
        self.connections: dict[int, Connection] = {}
        self.due: list[tuple[float, int, Connection, bytes]] = []
        self.order = 0
        self.poll = select.epoll()
        self.poll.register(listener.fileno(), select.EPOLLIN)

    def run(self) -> None:
        """Serve until the process ends."""
        listening = self.listener.fileno()
        while True:
            timeout = max(0.0, self.due[0][0] - time.monotonic()) if self.due else -1
            for number, events in self.poll.poll(timeout):
                if number == listening:
                    self.accept()
                elif (connection := self.connections.get(number)) is not None:
                    self.on_events(connection, events)
            self.answer_due()

    def accept(self) -> None:
        """Take what waits in the listener's queue."""
        try:
            while True:
                accepted, _ = self.listener.accept()
                accepted.setblocking(False)  # noqa: FBT003 - the standard library's signature
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = Connection(accepted)
                self.connections[connection.fileno] = connection
                self.poll.register(connection.fileno, select.EPOLLIN)
        except BlockingIOError:
            return

    def on_events(self, connection: Connection, events: int) -> None:
        """Read, write or close as the kernel says."""
        try:
            if events & select.EPOLLOUT:
                self.flush(connection)
            if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
                data = connection.socket.recv(65536)
                if not data:
                    self.close(connection)
                    return
                connection.inbox += data
                self.next_request(connection)
        except BlockingIOError:
            return
        except (OSError, BadRequest):
            self.close(connection)

    def next_request(self, connection: Connection) -> None:
        """Begin the next whole request, one at a time."""
        if connection.is_busy or not connection.inbox:
            return
        taken = take_request(connection.inbox)
        if taken is None:
            if not connection.told_to_continue and b"100-continue" in connection.inbox[:MAX_HEAD].lower():
                connection.told_to_continue = True
                self.send(connection, b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        head, connection.inbox = taken
        connection.is_busy = True
        connection.told_to_continue = False
        connection.is_last = b"\r\nconnection: close" in head or b" http/1.0" in head.split(b"\r\n", 1)[0]
        if self.delay <= 0:
            self.answer(connection, head)
            return
        self.order += 1
        heapq.heappush(self.due, (time.monotonic() + self.delay, self.order, connection, head))

    def answer_due(self) -> None:
        """Answer all whose delay is over."""
        now = time.monotonic()
        while self.due and self.due[0][0] <= now:
            _, _, connection, head = heapq.heappop(self.due)
            if connection.fileno in self.connections:
                try:
                    self.answer(connection, head)
                except (OSError, BadRequest):
                    self.close(connection)

    def answer(self, connection: Connection, head: bytes) -> None:
        """Write the answer, then look for the next request."""
        body = b"" if head.startswith(b"head ") else self.body
        last = b"Connection: close\r\n" if connection.is_last else b""
        connection.is_busy = False
        self.send(
            connection,
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n%s\r\n%s"
            % (len(self.body), last, body),
        )
        self.next_request(connection)

    def send(self, connection: Connection, data: bytes) -> None:
        """Write now what the kernel takes, the rest when it can."""
        connection.outbox += data
        self.flush(connection)

    def flush(self, connection: Connection) -> None:
        """Write what is left; close after the last answer."""
        if connection.outbox:
            try:
                sent = connection.socket.send(connection.outbox)
            except BlockingIOError:
                sent = 0
            connection.outbox = connection.outbox[sent:]
        if connection.is_writing != bool(connection.outbox):
            connection.is_writing = bool(connection.outbox)
            writing = select.EPOLLOUT if connection.is_writing else 0
            self.poll.modify(connection.fileno, select.EPOLLIN | writing)
        if connection.is_last and not connection.outbox and not connection.is_busy:
            self.close(connection)

    def close(self, connection: Connection) -> None:
        """Forget the connection."""
        if self.connections.pop(connection.fileno, None) is not None:
            self.poll.unregister(connection.fileno)
            connection.socket.close()


def main() -> None:
    """Listen on $PORT and serve."""
    setting = os.environ.get
    time.sleep(seconds(setting("LISTEN_AFTER", "0")))
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((setting("LISTEN_ON", ""), int(setting("PORT", "8080"))))
    listener.listen(4096)
    listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
    sys.stdout.write("Hello world sample started.\n")
    sys.stdout.flush()
    Server(listener, f"Hello {setting('TARGET', 'World')}!\n".encode(), seconds(setting("DELAY", "0"))).run()


if __name__ == "__main__":
    main()
