"""A connection to a pod: at rest in the pod's pool, or carrying one request at a time."""

import asyncio
import fcntl
import os
import select
import sys
import termios
from typing import TYPE_CHECKING, cast

from activator.edge.http.flow import Flow
from activator.hold.balance import Pod
from activator.hold.deadlines import NEVER

if TYPE_CHECKING:
    from activator.edge.http.connector import Connector
    from activator.edge.http.relay import Exchange


MAX_HEARD = 64 << 10
"""Bytes that `hear` reads at a time."""
SURELY_RECEIVED = 16 << 10
"""Bytes of a request body that fit into any pod's empty receive buffer, whether the pod reads them or not."""


class Upstream:
    """An asyncio.Protocol in all but name, as `Downstream` is.

    `exchange` is the request that was sent on the connection; without one it rests in `pod.idle`, connects,
    or is closed.

    `due`: until when it may rest; `is_used`: whether it has rested; `is_reusable`: False once it is not known
    that nothing can come after the response under way, so that the connection must not rest.
    """

    __slots__ = (
        "_poll",
        "_pool",
        "due",
        "exchange",
        "flow",
        "is_reusable",
        "is_used",
        "pod",
        "rested",
        "transport",
    )

    transport: asyncio.Transport
    flow: Flow

    def __init__(self, pod: Pod, pool: "Connector") -> None:
        self.pod = pod
        self.exchange: Exchange | None = None
        self.due = NEVER
        self.rested = 0.0
        self.is_used = False
        self.is_reusable = True
        self._pool = pool
        self._poll: select.poll | None = None

    def __repr__(self) -> str:
        return f"<Upstream {self.pod!r} {'busy' if self.exchange else 'at rest'}>"

    # -- called by the loop --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.flow = Flow(self.transport)
        if self.pod.greeting:
            self.transport.write(self.pod.greeting)

    def data_received(self, data: bytes) -> None:
        if self.exchange is not None:
            self.exchange.answer_in(data)
        else:  # no request was sent, so this is no response, and must not become one (RFC 9112 9.2)
            self.close()

    def eof_received(self) -> bool:
        self._ended(is_clean=True)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended(is_clean=exc is None)
        self._pool.deadlines.discard(self)

    def pause_writing(self) -> None:
        self.flow.is_writable = False
        if self.exchange is not None:
            self.exchange.down.settle_reading()

    def resume_writing(self) -> None:
        self.flow.is_writable = True
        if self.exchange is not None:
            self.exchange.down.settle_reading()

    # -- called by the dispatcher --

    def is_stale(self) -> bool:
        """Whether the pod has closed the connection, or has sent bytes without a request: the loop may not
        have read either yet.
        """
        return self.transport.is_closing() or self._has_news()

    def has_unsent(self, size: int) -> bool:
        """Whether a part of the request, with a body of `size` bytes (-1: unknown), has not reached the pod's
        kernel. The segment with the response acknowledges all that has.
        """
        if self.transport.get_write_buffer_size():
            return True
        if 0 <= size <= SURELY_RECEIVED:
            return False
        unsent = bytearray(4)
        try:
            fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, unsent)
        except OSError:  # no socket
            return False
        return int.from_bytes(unsent, sys.byteorder) > 0

    def hear(self) -> None:
        """Read at once what the pod may have said. A pod that answers early and leaves resets the connection,
        and once a write has met that reset, the transport is closed with the answer unread.
        """
        while self.exchange is not None and self.flow.is_reading and not self.transport.is_closing():
            if not self._has_news():
                return
            try:
                data = os.read(self.transport.get_extra_info("socket").fileno(), MAX_HEARD)
            except OSError:
                data = b""
            if not data:  # the loop will tell
                return
            self.data_received(data)

    def rest(self, now: float, until: float) -> None:
        """The request it carried is done; it may carry another."""
        self.exchange = None
        self.is_used = True
        self.rested = now
        self.due = until
        if not self.flow.is_reading:
            self.flow.resume_reading()
        self.pod.idle.append(self)

    def close(self) -> None:
        """Close it now, whatever it carries."""
        self.exchange = None
        self._leave_pool()
        if not self.transport.is_closing():
            self.transport.abort()

    def lose(self) -> None:
        """Its other end answers nothing any more: close it, and let its request go on as if it had broken."""
        self._ended(is_clean=False)

    def expired(self, now: float) -> None:  # noqa: ARG002 - as every `Dated`
        """It has rested for too long."""
        if self.exchange is None:
            self.close()

    # -- inside --

    def _has_news(self) -> bool:
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(self._poll.poll(0))

    def _ended(self, *, is_clean: bool) -> None:
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            if self in self.pod.idle:
                self._pool.closed_at_rest(self)
                self._leave_pool()
            return
        if not self.transport.is_closing():
            self.transport.abort()
        exchange.pod_ended(is_clean=is_clean)

    def _leave_pool(self) -> None:
        if self in self.pod.idle:
            self.pod.idle.remove(self)
