"""No stream keeps the event loop: for each piece that a client sends there is one read of its pod."""

import os

import pytest

from activator.edge.http.upstream import MAX_HEARD
from testkit.fuzz.stage import Stage
from testkit.loop.fake_transport import Paper
from testkit.proxy.harness import HOST

HEAD = b"POST / HTTP/1.1\r\nHost: " + HOST + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n"
PIECE = b"1\r\na\r\n"
GIVEN_UP = 50
"""Reads after which the endless pod ends, so that a loop without end fails and does not hang."""


class Endless:
    """A pod that has sent more whenever it was read from."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pods: list[Paper] = []
        self.reads = 0
        self._read = os.read
        monkeypatch.setattr(os, "read", self._read_and_refill)

    def serve(self, wire: Paper) -> None:
        self.pods.append(wire)

    def refill(self) -> None:
        unread = self.pods[0].unread
        assert unread is not None
        unread.add(b"x" * 1000)

    def _read_and_refill(self, fd: int, size: int) -> bytes:
        data = self._read(fd, size)
        unread = self.pods[0].unread if self.pods else None
        if unread is not None and fd == unread.fd and size == MAX_HEARD:
            self.reads += 1
            if self.reads < GIVEN_UP:
                self.refill()
        return data


@pytest.mark.parametrize("pieces", [1, 5])
def test_a_pod_that_never_stops_is_read_once_for_each_piece_of_the_request(
    pieces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both directions make progress, and the loop turns after each read."""
    endless = Endless(monkeypatch)
    stage = Stage(serve=endless.serve)
    try:
        stage.ready()
        client = stage.client()
        client.feed(HEAD)
        stage.loop.settle()
        (pod,) = endless.pods
        pod.feed(ENDLESS)
        stage.loop.settle()
        assert endless.reads == 0
        endless.refill()
        for number in range(1, pieces + 1):
            got = len(client.sent)
            client.feed(PIECE)
            stage.loop.settle()
            assert endless.reads == number
            assert len(client.sent) == got + 1000
            assert pod.sent.endswith(PIECE * number)
    finally:
        stage.strike()
