"""Clients that are slow, silent or too many: memory stays bounded, and nobody else notices."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import pytest

from testkit.proxy import streams
from testkit.proxy.buffered import quick_pod
from testkit.proxy.crowd import make_room
from testkit.proxy.gateway import Gateway
from testkit.proxy.harness import GET, HOST, ok, post

NOTICEABLE = 8.0
"""Seconds that a response may take on a machine that runs other tests; it takes a millisecond otherwise. A
client that is blocked by others waits for their timeout, which is longer.
"""

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module", autouse=True)
def _room() -> None:
    make_room()


class Bystander:
    """A client that asks again and again, on one connection and on new ones, and is always answered."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.slowest = 0.0
        self.answered = 0
        self.failure = ""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join(30)
        if error is None:
            assert not self.failure
            assert self.answered > 20
            assert self.slowest < NOTICEABLE

    def _run(self) -> None:
        with streams.client(self._address) as kept:
            while not self._is_over.is_set() and not self.failure:
                self._ask(kept)
                with streams.client(self._address) as fresh:
                    self._ask(fresh)
                time.sleep(0.005)

    def _ask(self, connection: socket.socket) -> None:
        began = time.monotonic()
        try:
            connection.sendall(GET.replace(b"GET / ", b"GET /0 "))
            head = streams.head(connection)
            streams.drink(connection, len(b"Hello World!\n"))
        except OSError as error:
            self.failure = repr(error)
            return
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.answered += 1
        if b" 200 " not in head:
            self.failure = head.decode()


@contextmanager
def served(**options: Any) -> Iterator[Gateway]:
    """A gateway with a quick pod, and somebody who is to notice nothing."""
    with quick_pod() as (port, _), Gateway(**options) as gateway:
        gateway.ready(port)
        with Bystander(gateway.address):
            yield gateway


def connections(gateway: Gateway, count: int, first: bytes = b"") -> list[socket.socket]:
    """So many connections, each of which has sent `first`."""
    made = []
    for _ in range(count):
        made.append(socket.create_connection(gateway.address))
        if first:
            made[-1].sendall(first)
    return made


def close(made: list[socket.socket]) -> None:
    for each in made:
        each.close()


def test_two_thousand_idle_connections_cost_little_and_end() -> None:
    """Some kibibytes each; after the keep-alive timeout they are closed."""
    with served(settings={"keep_alive_timeout": 3.0}) as gateway:
        before = gateway.state()["rss"]
        idle = connections(gateway, 2000)
        held = gateway.settled(lambda state: state["connections"] >= 2000)
        assert (held["rss"] - before) / 2000 < 10 << 10
        gateway.settled(lambda state: state["connections"] < 10)
        close(idle)


def test_slow_heads_are_given_up() -> None:
    """408 when the time for a head is over, however many there are."""
    with served(settings={"head_timeout": 1.0}) as gateway:
        slow = connections(gateway, 500, b"GET / HTTP/1.1\r\nHost: ")
        for _ in range(5):
            for each in slow:
                each.sendall(b"a")
        for each in slow:
            each.settimeout(streams.PATIENCE)
            assert b" 408 " in streams.head(each)
        close(slow)


def test_slow_bodies_of_requests_that_wait_are_bounded() -> None:
    """Little of each is read while it waits, and when its patience is over it is refused."""
    with Gateway(progress_deadline=2.0, max_held_bytes=1 << 20) as gateway:
        began = post(b"").replace(b"Content-Length: 0", b"Content-Length: 1000000")
        slow = connections(gateway, 100, began)
        for _ in range(20):
            for each in slow:
                with contextlib.suppress(OSError):  # some are refused already: there is no room
                    each.sendall(b"x" * 1000)
        assert gateway.state()["held_bytes"] <= 1 << 20
        for each in slow:
            each.settimeout(streams.PATIENCE)
            assert streams.head(each).split(b" ")[1] in {b"503", b"504"}
        close(slow)
        gateway.settled(lambda state: (state["waiting"], state["held_bytes"]) == (0, 0))


def test_clients_that_never_read_are_cut_and_cost_little() -> None:
    """Each has less than a mebibyte in the gateway, until the revision's timeout cuts it."""
    size = 20 << 20

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while True:
                head = streams.head(connection)
                if b"/0 " in head:
                    connection.sendall(ok())
                    continue
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
                streams.pour(connection, size)

    with streams.pod(serve) as port, Gateway(timeout=12.0) as gateway:
        gateway.ready(port)
        with Bystander(gateway.address):
            before = gateway.forget_peak()["peak"]
            slow = []
            for _ in range(50):
                slow.append(streams.client(gateway.address, is_slow=True))
                slow[-1].sendall(b"GET /large HTTP/1.1\r\nHost: %b\r\n\r\n" % HOST)
            stopped = gateway.settled(lambda state: state["stopped"] >= 50)
            assert (stopped["peak"] - before) / 50 < 1 << 20
            gateway.settled(lambda state: state["cut"] == 50)
            gateway.settled(lambda state: state["connections"] <= 3)
            close(slow)


def test_a_flood_of_connects_keeps_nobody_from_being_served() -> None:
    """They come and go as fast as they can, some after a byte, and nothing of them stays."""
    with served() as gateway:
        end = time.monotonic() + 2.0
        came = 0
        while time.monotonic() < end:
            with socket.create_connection(gateway.address) as passing:
                if came % 2:
                    passing.sendall(b"G")
            came += 1
        gateway.settled(lambda state: state["connections"] <= 3)
        assert came > 100
