"""A client's connection: heads come in, one request is under way at a time, answers leave in their order."""

import asyncio
import re
import socket
import struct
from typing import Final, cast

from activator.edge.http.flow import Flow
from activator.edge.http.gate import Gate
from activator.edge.http.kernel import end_unless_unread
from activator.edge.http.relay import ANSWERED, DONE, HELD, SWITCHED, Exchange
from activator.hold.deadlines import NEVER
from activator.http.forwarded import Peer
from activator.http.http1 import BadRequest, check_unfinished
from activator.http.replies import (
    BAD_REQUEST,
    HEAD_TIMEOUT,
    HEAD_TOO_LARGE,
    NO_ROUTE,
    Refusal,
    render,
    wants_json,
)
from activator.http.requests import RequestHead, read_request
from activator.http.upgrades import asked_for, with_upgrade
from activator.link.load import Load
from activator.routes import Picked

MAX_PIPELINED = 64 << 10
"""Bytes of further requests kept while one is under way; then reading stops."""
_EMPTY_LINES = re.compile(rb"(?:\r\n)*+").match
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that makes closing a reset, which no client takes for the end of an answer."""


IDLE: Final = 0
"""Where a connection stands (`state`): nothing of a request is there."""
HEAD: Final = 1
"""A part of a head is."""
STARTING: Final = 2
"""A request is being handed over; it may be answered before that returns."""
BUSY: Final = 3
"""A request is under way."""
FLUSHING: Final = 4
"""The answer is complete, but the client is slow to take it."""
LINGERING: Final = 5
"""The last answer is sent; what the client still sends is read and thrown away."""
CLOSED: Final = 6
STATES = ("idle", "head", "starting", "busy", "flushing", "lingering", "closed")


def without_empty_lines(data: bytes) -> bytes:
    """What is behind the empty lines before a request, which are tolerated (RFC 9112 2.2)."""
    found = _EMPTY_LINES(data)
    return data[found.end() :] if found is not None and found.end() else data


class Downstream:
    """An asyncio.Protocol in all but name: without a base class it can be compiled to a native one.

    `is_last`: the connection ends with the answer under way; `unflushed`: the load that an answer still
    counts for because the client has not taken all of it.
    """

    __slots__ = (
        "buffer",
        "due",
        "exchange",
        "flow",
        "gate",
        "is_between",
        "is_half_closed",
        "is_last",
        "peer",
        "state",
        "transport",
        "unflushed",
        "watched",
    )

    transport: asyncio.Transport
    flow: Flow
    peer: Peer

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.is_between = gate.is_between
        self.state: int = IDLE
        self.exchange: Exchange | None = None
        self.buffer = b""
        self.due = NEVER
        self.is_last = False
        self.is_half_closed = False
        self.unflushed: Load | None = None
        self.watched = -1

    def __repr__(self) -> str:
        return f"<Downstream {self.peer.address} {STATES[self.state]}>"

    # -- called by the loop --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        gate = self.gate
        self.transport = cast("asyncio.Transport", transport)
        self.flow = Flow(self.transport)
        name = transport.get_extra_info("peername")
        self.peer = Peer(name[0] if isinstance(name, tuple) else "", gate.settings.trusted_proxies)
        self.due = gate.clock() + gate.settings.keep_alive_timeout
        gate.dispatcher.deadlines.add(self)
        gate.came(self)

    def data_received(self, data: bytes) -> None:
        state = self.state
        if state == IDLE:
            self._advance(data)
        elif state == HEAD:
            self._advance(self.buffer + data, max(len(self.buffer) - 3, 0))
        elif state == BUSY and self.exchange is not None and not self.exchange.body.is_done:
            rest = self.exchange.request_in(data)
            if self.state == BUSY:
                self.buffer = rest
                self.settle_reading()
        elif state in (BUSY, FLUSHING):
            self.buffer += data
            self.settle_reading()

    def eof_received(self) -> bool:
        """The client sends no more: it is gone, but for tunnels and for revisions that allow a half-close."""
        exchange = self.exchange
        self.is_half_closed = True
        if exchange is None:
            return self.state == FLUSHING
        if exchange.client_ended():
            return True
        if exchange.step == ANSWERED:
            self.cut()  # a client that only half-closed must not take a part of the body for the whole
        else:
            self.hung_up()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.hung_up()
        self.state = CLOSED
        self._flushed()
        gate = self.gate
        gate.dispatcher.deadlines.discard(self)
        gate.went(self)

    def pause_writing(self) -> None:
        self.flow.is_writable = False
        if self.exchange is not None and (up := self.exchange.connected) is not None:
            up.flow.pause_reading()

    def resume_writing(self) -> None:
        self.flow.is_writable = True
        if self.exchange is not None and (up := self.exchange.connected) is not None:
            up.flow.resume_reading()
        self._flushed()
        if self.state == FLUSHING:
            self._rest()
            self._go_on()

    # -- called by the exchange and the dispatcher --

    def settle_reading(self) -> None:
        """Read from the client, or stop, as the request under way has room for more."""
        exchange = self.exchange
        if exchange is not None and not exchange.body.is_done:
            wants_more = exchange.wants_more
        else:
            wants_more = len(self.buffer) <= MAX_PIPELINED
        if wants_more:
            self._leave_watch()
            self.flow.resume_reading()
            return
        self.flow.pause_reading()
        if exchange is not None and self.watched < 0:
            if exchange.step == HELD:
                self.watch()
            else:  # most pauses of an upload are short: a system call for each is not worth it
                self.gate.dispatcher.watch_soon(self)

    def watch(self) -> None:
        """Have the client's end noticed while its connection is not read."""
        exchange = self.exchange
        if exchange is None or self.flow.is_reading or self.watched >= 0 or self.transport.is_closing():
            return
        if exchange.step == HELD or not (exchange.step == SWITCHED or exchange.revision.target.half_close):
            self.watched = self.transport.get_extra_info("socket").fileno()
            self.gate.dispatcher.hangups.watch(self.watched, self._hung_up_unseen)

    def put_off(self, due: float) -> None:
        """The deadline of the request under way."""
        self.due = due
        deadlines = self.gate.dispatcher.deadlines
        if due < deadlines.horizon:
            deadlines.hurry(self)
            self.gate.dispatcher.hurry()

    def answered(self, now: float) -> None:
        """The answer under way is complete."""
        exchange, self.exchange = self.exchange, None
        gate = self.gate
        due = now + gate.settings.keep_alive_timeout
        if self.is_last:
            self._end(must_linger=exchange is not None and not exchange.body.is_done)
        elif not self.flow.is_writable:
            self.state = FLUSHING
            self.put_off(due)
        else:
            goes_on = self.state != STARTING
            self.state = IDLE
            self.due = due
            if gate.is_draining:  # its answer had begun before, and did not say that it is the last one
                self.drain(now)
            if goes_on and (self.buffer or self.is_half_closed or not self.flow.is_reading):
                self._go_on()

    def reply(self, exchange: Exchange, refusal: Refusal) -> None:
        """Answer by ourselves the request under way."""
        self._write_reply(refusal, exchange.request, exchange.wire, is_whole=exchange.body.is_done)
        self.answered(self.gate.clock())

    def cut(self) -> None:
        """Break the connection, so that nobody takes for whole what is not."""
        self.hung_up()
        if not self.transport.is_closing():
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.transport.abort()

    def hung_up(self) -> None:
        """The client is gone."""
        self._leave_watch()
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            self.gate.dispatcher.abandoned(exchange)

    def expired(self, now: float) -> None:
        """What it waited for did not happen in time."""
        self.due = NEVER
        if self.exchange is not None:
            self.exchange.timed_out(now)
        elif self.state == HEAD:
            self._refuse(HEAD_TIMEOUT)
        elif self.state == IDLE:
            self._leave(now)
        else:
            self.cut()

    def drain(self, now: float) -> None:
        """Close it soon if it is idle; it will be closed after the answer under way anyway."""
        if self.state == IDLE:
            settings = self.gate.settings
            idle_since = self.due - settings.keep_alive_timeout
            self.put_off(max(idle_since + settings.drain_idle, now))
        elif self.exchange is not None:
            self.exchange.drain(now)

    def pick(self, request: RequestHead) -> Picked | None:
        """Where a request goes. None: nowhere."""
        gate, means = self.gate, request.means
        if means.tag:
            return gate.router.pick_tagged(means.host, means.tag, gate.random())
        return gate.router.pick(means.host, gate.random())

    def is_routed(self, request: RequestHead) -> bool:
        """Whether its host has a Route, also if that names only revisions that are not known yet."""
        return self.gate.router.knows(request.means.host)

    def wire_for(self, request: RequestHead, picked: Picked) -> bytes:
        """The head of a request of this connection as another revision's pod gets it."""
        return self._routed(request.kept + self.peer.lines(request.means), request, picked)

    # -- inside --

    def _advance(self, data: bytes, searched: int = 0) -> None:
        """Begin requests as long as none is under way and a whole head is there. `searched` bytes hold
        none.
        """
        while True:
            end = data.find(b"\r\n\r\n", searched) + 4
            if end == 3 or end > self.gate.settings.max_head:
                self._wait_for_head(data, searched)
                return
            if end == len(data):
                head, self.buffer = data, b""
            else:
                head, self.buffer = data[:end], data[end:]
            try:
                request = read_request(head, trusts_peer=self.peer.is_trusted)
                if self.is_between:
                    self._begin(request, head)
                else:
                    self._begin(request, request.kept + self.peer.lines(request.means))
            except BadRequest as error:
                without = without_empty_lines(data)
                if len(without) == len(data):
                    self._refuse(BAD_REQUEST.because(str(error)))
                    return
                data, searched = without, 0
                continue
            if self.state != IDLE or not self.buffer:
                return
            data, searched = self.buffer, 0

    def _wait_for_head(self, data: bytes, checked: int) -> None:
        gate = self.gate
        if not checked:
            data = without_empty_lines(data)
        self.buffer = data
        if not data:
            self._rest()
            return
        if len(data) > gate.settings.max_head:
            self._refuse(HEAD_TOO_LARGE)
            return
        try:
            if data != b"\r":  # which may become an empty line
                check_unfinished(data, checked)
        except BadRequest as error:
            self._refuse(BAD_REQUEST.because(str(error)))
            return
        if self.state != HEAD:
            self.state = HEAD
            self.put_off(gate.clock() + gate.settings.head_timeout)

    def _begin(self, request: RequestHead, wire: bytes) -> None:
        """Hand a request over. `wire` is its head as the pod gets it."""
        gate = self.gate
        now = gate.clock()
        self.state = STARTING
        self.due = NEVER
        picked = self.pick(request)
        if picked is None:
            self._write_reply(NO_ROUTE, request, wire, is_whole=not request.body)
            self.answered(now)
            gate.turned_away(NO_ROUTE, request.means.host)
            return
        if picked.told or request.means.upgrade:
            wire = self._routed(wire, request, picked)
        revision = picked.revision
        if self.is_half_closed and not revision.target.half_close:
            self.state = CLOSED
            self.transport.close()
            return
        exchange = self.exchange = Exchange(self, request, revision, wire, now)
        is_first = gate.dispatcher.enter(exchange, now)
        if self._feed(exchange):
            gate.dispatcher.place(exchange, now)
            if self.state == STARTING:
                self.state = BUSY
        if is_first:
            gate.dispatcher.tell_first(revision)

    def _feed(self, exchange: Exchange) -> bool:
        """Give a new request what is there of its body. False: it is over by then, since that was malformed,
        or its client sends no more and the body is not complete.
        """
        if exchange.body.is_done:
            return True
        if self.buffer:
            data, self.buffer = self.buffer, b""
            rest = exchange.request_in(data)
            if exchange.step == DONE:
                return False
            self.buffer = rest
        if self.is_half_closed and not exchange.body.is_done:
            self.hung_up()
            self.state = IDLE
            self.transport.close()
            return False
        return True

    def _routed(self, wire: bytes, request: RequestHead, picked: Picked) -> bytes:
        """The head of a request with what its way adds to it."""
        if picked.told:
            wire = b"%b%b\r\n" % (wire[:-2], picked.told)
        if request.means.upgrade and not self.is_between:
            wire = with_upgrade(wire, asked_for(request, picked.revision.target.upgrades))
        return wire

    def _rest(self) -> None:
        gate = self.gate
        self.state = IDLE
        self.due = gate.clock() + gate.settings.keep_alive_timeout
        if gate.is_draining:
            self.drain(gate.clock())

    def _leave(self, now: float) -> None:
        """Close an idle connection, but not over a request that came at this moment."""
        try:
            is_told = end_unless_unread(self.transport.get_extra_info("socket").fileno())
        except OSError:
            is_told = True
        if is_told:
            self.transport.close()
        else:
            self.put_off(now + self.gate.settings.head_timeout)

    def _go_on(self) -> None:
        """The connection is free for another request, which may be there already."""
        if self.buffer:
            self._advance(self.buffer)
        if self.is_half_closed and self.state in (IDLE, HEAD):
            self.transport.close()
        elif not self.flow.is_reading:
            self.settle_reading()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what is no request, and end the connection."""
        self._write_reply(refusal, None, b"", is_whole=False)
        self._end(must_linger=True)
        self.gate.turned_away(refusal)

    def _write_reply(
        self, refusal: Refusal, request: RequestHead | None, wire: bytes, *, is_whole: bool
    ) -> None:
        if request is None or not is_whole or not request.means.keeps_alive or self.gate.is_draining:
            self.is_last = True
        self.transport.write(
            render(
                refusal,
                date=self.gate.dispatcher.dates.line(),
                as_json=wants_json(wire),
                close=self.is_last,
                without_body=request is not None and request.method == b"HEAD",
            )
        )
        if not is_whole:
            self.buffer = b""

    def _end(self, *, must_linger: bool) -> None:
        """Close after what is written; if the client may still be sending, only once it had time to read
        it.
        """
        transport = self.transport
        if not (must_linger or self.buffer) or self.is_half_closed or transport.is_closing():
            self.state = CLOSED
            transport.close()
            return
        self.state = LINGERING
        self.buffer = b""
        self._leave_watch()
        self.flow.resume_reading()
        transport.write_eof()
        self.put_off(self.gate.clock() + self.gate.settings.linger)

    def _flushed(self) -> None:
        load, self.unflushed = self.unflushed, None
        if load is not None:
            load.leave(self.gate.clock())

    def _leave_watch(self) -> None:
        if self.watched >= 0:
            self.gate.dispatcher.hangups.leave(self.watched)
            self.watched = -1

    def _hung_up_unseen(self) -> None:
        self.watched = -1
        if self.exchange is not None:
            self.cut()
