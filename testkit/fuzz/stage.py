"""The real data plane between clients and pods of paper; whoever closes it finds every count at zero."""

import asyncio
import dataclasses
import itertools
from collections.abc import Callable
from typing import Any, cast

from activator.edge.http.dispatch import Dispatcher
from activator.edge.http.downstream import Downstream
from activator.edge.http.gate import Gate
from activator.edge.http.hangups import Hangups
from activator.edge.http.relay import Exchange
from activator.edge.http.upstream import Upstream
from activator.hold.throttle import Room
from activator.revision import Revision
from activator.settings import ProxySettings
from testkit.loop.fake_transport import Paper, PaperLoop, Unread
from testkit.proxy.harness import OneHost, make_revision

SETTINGS = ProxySettings(
    max_head=512, held_body=64, replayed_body=128, head_timeout=3.0, keep_alive_timeout=20.0
)

TARGET = make_revision(Room(1, 1), max_held_requests=20, max_held_bytes=2000).target


class PaperHangups:
    """Ends that are noticed while nobody reads. A descriptor is watched once and left before it is closed."""

    def __init__(self, loop: PaperLoop) -> None:
        self.loop = loop
        self.watched: dict[int, Callable[[], None]] = {}

    def watch(self, fd: int, hung_up: Callable[[], None]) -> None:
        assert fd not in self.watched
        self.watched[fd] = hung_up

    def leave(self, fd: int) -> None:
        self.watched.pop(fd, None)

    def told(self, fd: int) -> None:
        if fd in self.watched:
            self.loop.call_soon(self._tell, fd)

    def close(self) -> None:
        self.watched.clear()

    def _tell(self, fd: int) -> None:
        hung_up = self.watched.pop(fd, None)
        if hung_up is not None:
            hung_up()


class Stage(OneHost):
    """`serve(wire)` is called with each connection to a pod; `refuse` says whether connects are refused."""

    def __init__(
        self,
        *,
        settings: ProxySettings = SETTINGS,
        serve: Callable[..., Any],
        slow: bool = False,
        **fields: Any,
    ) -> None:
        self.loop = PaperLoop()  # type: ignore[abstract] # it has what the proxy calls
        self.loop.connect = self._connect
        asyncio._set_running_loop(self.loop)
        self.serve = serve
        self.slow = slow
        self.refuse = False
        self.is_disturbed = False
        """Whether tunnels were told to end."""
        self.room = Room(50, 4000)
        target = dataclasses.replace(TARGET, **fields)
        self.revision = Revision(target, process=self.room, random=lambda: 0.5)
        self.dispatcher = Dispatcher(
            on_first=lambda _: None,
            on_waiting=lambda _: None,
            clock=self.loop.time,
            settings=settings,
            wall_clock=lambda: 0.0,
        )
        self.over: dict[Downstream, Any] = {}
        """Of each client's connection, the statuses of requests that are over; 0: the answer broke off."""
        self.dispatcher.on_over = self._over
        self.dispatcher.start()
        self.dispatcher.hangups.close()
        self.hangups = PaperHangups(self.loop)
        self.dispatcher.hangups = cast("Hangups", self.hangups)
        self.gate = Gate(self, self.dispatcher, settings, self.loop.time, random=lambda: 0.5)
        self._numbers = itertools.count(1000)
        self.clients: list[Paper] = []
        self.ups: list[Paper] = []

    def client(self) -> Paper:
        """A client's connection: a transport whose protocol is the proxy's own."""
        down = Downstream(self.gate)
        wire = Paper(self.loop, down, next(self._numbers), slow=self.slow)
        self.clients.append(wire)
        down.connection_made(wire)
        return wire

    def end(self, wire: Paper, *, reset: bool) -> None:
        """The client sends no more, or is gone."""
        if reset:
            wire.reset()
        else:
            wire.fin()
        self.hangups.told(wire.socket.fd)

    def ready(self) -> None:
        self.dispatcher.pod_ready(self.revision, "pod-1", "192.0.2.2", 8080)

    def gone(self) -> None:
        self.is_disturbed = True
        self.dispatcher.pod_gone(self.revision, "pod-1")

    def hasten(self) -> None:
        """Everybody takes what there is from now on."""
        self.slow = False
        for wire in [*self.clients, *self.ups]:
            wire.slow = False
            wire.take(1 << 30)
        self.loop.settle()

    def close(self) -> None:
        """Everybody leaves. AssertionError when something is still counted, or was not told."""
        for wire in self.clients:
            wire.slow = False
            if not wire.came:
                wire.take(1 << 30)
                self.end(wire, reset=True)
            wire.abort()
        self.loop.settle()
        revision = self.revision
        told = sum(map(len, self.over.values())) + revision.counts.hung_up
        assert revision.counts.requests == told, "a request is forgotten, or over twice"
        assert revision.load.in_flight == 0, "the load is not zero"
        assert (revision.throttle.busy, revision.throttle.waiting) == (0, 0), "slots are taken"
        assert (self.room.requests, self.room.bytes) == (0, 0), "room of the process is taken"
        assert (revision.throttle.own.requests, revision.throttle.own.bytes) == (0, 0), "room is taken"
        assert all(pod.in_flight == pod.connecting == 0 for pod in revision.throttle.pods.values())
        assert not self.gate.connections, "a connection is not over"
        assert not self.hangups.watched, "a closed descriptor is watched"
        assert not self.dispatcher._tunnels, "a tunnel is not over"
        assert not self.dispatcher._connector._tasks, "a connect is not over"
        self.gone()
        self.loop.settle()
        assert not len(self.dispatcher.deadlines), "somebody waits for a deadline"
        assert all(wire.is_lost for wire in self.ups), "a connection to a pod is not closed"

    def strike(self) -> None:
        """Put all away, checked or not."""
        self.dispatcher.close()
        for wire in self.ups:
            wire.put_away()
        asyncio._set_running_loop(None)

    def _over(self, exchange: Exchange, status: int, *, is_cut: bool) -> None:
        self.over.setdefault(exchange.down, []).append(0 if is_cut else status)

    async def _connect(self, up: Upstream) -> tuple[Paper, Upstream]:
        if self.refuse:
            raise ConnectionRefusedError
        unread = Unread()
        wire = Paper(self.loop, up, unread.fd, slow=self.slow, unread=unread)
        self.ups.append(wire)
        self.serve(wire)
        up.connection_made(wire)
        return wire, up


def _take(stage: Stage, size: int) -> None:
    for wire in [*stage.clients, *stage.ups]:
        wire.take(size)


def _drain(stage: Stage) -> None:
    stage.is_disturbed = stage.gate.is_draining = True
    for connection in [*stage.gate.connections]:
        connection.drain(stage.loop.time())


STEPS: dict[str, Callable[[Stage], None]] = {
    "moment": lambda stage: stage.loop.pass_time(0.03),
    "second": lambda stage: stage.loop.pass_time(1.1),
    "long": lambda stage: stage.loop.pass_time(25.0),
    "take little": lambda stage: _take(stage, 50),
    "take much": lambda stage: _take(stage, 1000),
    "drain": _drain,
    "gone": Stage.gone,
}
"""What happens to everybody, in all plays."""
