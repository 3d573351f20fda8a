"""What becomes of a request whose answer was 101: bytes both ways until one side ends.

It goes on being the request that it was: it counts as concurrency and occupies its slot. The revision's
timeouts are over; it has an idle timeout of its own. When it must end, a WebSocket gets a close frame in
both directions, each at the end of a frame, and then some time to leave by itself.
"""

from activator.edge.http.relay import SWITCHED, Exchange
from activator.hold.deadlines import NEVER
from activator.http.bodies import UntilCloseBody
from activator.http.upgrades import WEBSOCKET
from activator.http.websocket import CLOSE_FROM_CLIENT, CLOSE_FROM_SERVER, Frames


class _Way:
    """One direction of a WebSocket. `is_closing`: a close frame of ours is to go there, or went."""

    __slots__ = ("_close", "frames", "is_closing", "was_closed")

    def __init__(self, close: bytes) -> None:
        self.frames = Frames()
        self.is_closing = False
        self.was_closed = False
        self._close = close

    def passed(self, data: bytes) -> bytes:
        """What of the data goes on: all of it; once it is closing, the rest of its frame and our close."""
        if not self.is_closing:
            self.frames.feed(data)
            return data
        end = 0 if self.was_closed else self.frames.rest_of_frame(data)
        passed = data[:end] + self.closed()
        self.frames.feed(data[end:])  # thrown away, but an answer to our close frame is looked for
        return passed

    def closed(self) -> bytes:
        """Our close frame, once, when it may go."""
        if self.was_closed or not self.frames.is_between or self.frames.has_closed:
            return b""
        self.was_closed = True
        return self._close


class Tunnel(Exchange):
    """An exchange that has switched to `protocol`. It takes the place of the one that it is made from."""

    __slots__ = ("_ends", "_from_client", "_from_pod", "protocol")

    def __init__(self, former: Exchange, protocol: bytes) -> None:
        line = former.wire[: former.wire.find(b"\r\n") + 2]
        super().__init__(former.down, former.request, former.revision, line, former.arrived)
        self.protocol = protocol
        self.answer = former.answer
        self.pod, self.up = former.pod, former.up
        self.since, self.slot_since = former.since, former.slot_since
        self.sends, self.tries = former.sends, former.tries
        self.step = SWITCHED
        self.body = UntilCloseBody()
        self._ends = NEVER
        self._from_pod = _Way(CLOSE_FROM_SERVER) if protocol == WEBSOCKET else None
        self._from_client = _Way(CLOSE_FROM_CLIENT) if protocol == WEBSOCKET else None

    def __repr__(self) -> str:
        return f"<Tunnel {self.protocol.decode()} of {self.revision.key}>"

    def request_in(self, data: bytes) -> bytes:
        """More from the client."""
        way = self._from_client
        if way is not None:
            data = way.passed(data)
        if data and self.up is not None:
            self.up.transport.write(data)
        self.stirred()
        if way is not None and way.is_closing and way.frames.has_closed:
            self._over()
        return b""

    def answer_in(self, data: bytes) -> None:
        """More from the pod."""
        if self._from_pod is not None:
            data = self._from_pod.passed(data)
        if data:
            self.down.transport.write(data)
        self.stirred()

    def client_ended(self) -> bool:
        """The client sends no more: the pod is told, and may still finish."""
        if self.up is not None and self.up.transport.can_write_eof():
            self.up.transport.write_eof()
        self._end_within(self.down.gate.settings.upgrade_grace)
        return True

    def pod_ended(self, *, is_clean: bool) -> None:
        """The pod closed the connection, or it broke."""
        if is_clean:
            self._over()
        else:
            self.cut("the pod's connection broke")

    def timed_out(self, now: float) -> None:
        """It was silent for too long, or did not leave in the time that it was given."""
        if now >= self._ends:
            self.cut("it did not end in the time that it was given")
        elif self._from_pod is None:
            self.cut("nothing was sent for the idle timeout of upgrades")
        else:
            self.drain(now)

    def drain(self, now: float) -> None:  # noqa: ARG002 - as every exchange
        """It must end soon."""
        if self._ends != NEVER:
            return
        for way in (self._from_pod, self._from_client):
            if way is not None:
                way.is_closing = True
        if self._from_pod is not None and self._from_client is not None:
            self.down.transport.write(self._from_pod.closed())
            if self.up is not None:
                self.up.transport.write(self._from_client.closed())
        self._end_within(self.down.gate.settings.upgrade_grace)

    def stirred(self) -> None:
        """Something went by: the idle timeout begins anew."""
        idle = self.revision.target.upgrade_idle_timeout
        if self._ends == NEVER and self.step == SWITCHED:
            self.down.put_off(self.down.gate.clock() + idle if idle else NEVER)

    def _end_within(self, seconds: float) -> None:
        self._ends = min(self._ends, self.down.gate.clock() + seconds)
        self.down.put_off(self._ends)

    def _over(self) -> None:
        """Both sides have said all."""
        dispatcher = self.down.gate.dispatcher
        now = dispatcher.clock()
        dispatcher.ended(self, now, reuse=False)
        self.down.answered(now)
        dispatcher.tell_over(self, self.answer.status, is_cut=False)
