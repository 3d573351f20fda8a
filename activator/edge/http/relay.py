"""One request and its answer: from the parsed head of the one to the last byte of the other.

An exchange stands between a client's connection (`down`) and, from the moment that it has a slot, a pod's
(`up`).
It relays; where the request goes, and whether it goes again, is the dispatcher's.
"""

from typing import TYPE_CHECKING, Final

from activator.hold.throttle import Waiter
from activator.hold.timing import server_timing, spans
from activator.http.answers import AnswerHead, check_begun, our_lines, read_answer
from activator.http.bodies import NO_BODY, BadBody, Body, chunk, last_chunk, reader
from activator.http.http1 import CHUNKED, UNTIL_CLOSE, BadAnswer
from activator.http.replies import (
    BAD_ANSWER,
    BAD_REQUEST,
    IDLE_TIMEOUT,
    QUEUE_FULL,
    RESPONSE_START_TIMEOUT,
    TOTAL_TIMEOUT,
)
from activator.http.requests import BODY_IS_MEANINGLESS, IDEMPOTENT, RequestHead
from activator.http.upgrades import asked_for, lines, switched_to
from activator.revision import Revision

if TYPE_CHECKING:
    from activator.edge.http.downstream import Downstream
    from activator.edge.http.upstream import Upstream

OWNERS_DELAY = 5.0
"""Seconds that the owner of a hard limit has, beyond the revision's own, to say that time is over."""
MAX_INTERIM = 16
"""Interim answers (1xx) to one request; more is a fault of the pod."""


HELD: Final = 0
"""How far an exchange has come (`step`): it waits for a slot."""
CONNECTING: Final = 1
"""It has a slot, and waits for a connection to its pod."""
SENT: Final = 2
"""Its head is on the way to the pod."""
ANSWERED: Final = 3
"""The head of the answer is on the way to the client."""
SWITCHED: Final = 4
"""Both sides speak another protocol from now on."""
DONE: Final = 5
STEPS = ("held", "connecting", "sent", "answered", "switched", "done")


class Exchange(Waiter):
    """A request under way.

    `early`: what of its body came before it was sent, and what is kept to send it again; None once that is
    too much.
    `sends`: how often its bytes went to a pod; `tries`: that, and connects that failed; `refused_since`:
    when they began to fail; `wants_fresh`: a connection that had rested failed it, so the next one is to be
    new.
    """

    __slots__ = (
        "answer",
        "arrived",
        "body",
        "buffer",
        "content",
        "down",
        "early",
        "early_size",
        "interim",
        "is_rechunked",
        "refused_since",
        "request",
        "revision",
        "sends",
        "slot_since",
        "step",
        "tries",
        "up",
        "wants_fresh",
        "wire",
    )

    def __init__(
        self, down: "Downstream", request: RequestHead, revision: Revision, wire: bytes, now: float
    ) -> None:
        self.down = down
        self.request = request
        self.revision = revision
        self.wire = wire
        self.arrived = now
        self.step: int = HELD
        self.pod = None
        self.up: Upstream | None = None
        self.since = 0.0
        self.held = 0
        self.sends = 0
        self.tries = 0
        self.refused_since = 0.0
        self.slot_since = 0.0
        self.wants_fresh = False
        self.interim = 0
        self.buffer = b""
        self.early: list[bytes] | None = None
        self.early_size = 0
        self.body: Body = NO_BODY
        if request.body:
            self.body = reader(request.body)
            self.early = []

    def __repr__(self) -> str:
        return f"<Exchange {self.request.method.decode()} {STEPS[self.step]} of {self.revision.key}>"

    @property
    def is_repeatable(self) -> bool:
        """Whether it may be sent once more after an attempt broke off, and can be."""
        return self.request.method in IDEMPOTENT and (self.early is not None or not self.request.body)

    @property
    def wants_more(self) -> bool:
        """Whether the client may send more of the body now."""
        if self.step in (HELD, CONNECTING):
            return self.early_size < self.down.gate.settings.held_body
        return self.up is None or self.up.flow.is_writable

    # -- the request's way --

    def request_in(self, data: bytes) -> bytes:
        """More from the client, while the body is not done. Returns what is not part of it any more."""
        if (up := self.connected) is not None:
            up.hear()
            if self.step is DONE:  # it was answered before its end
                return b""
        try:
            content, used = self.body.feed(data)
        except BadBody as error:
            self.down.gate.dispatcher.refused(self, BAD_REQUEST.because(str(error)))
            return b""
        if self.step in (SENT, ANSWERED):
            self._keep(content)
            self._send(content)
        elif content:
            self._hold(content)
        return data[used:]

    @property
    def connected(self) -> "Upstream | None":
        """The open connection to a pod, None while there is none or it is being opened."""
        return None if self.step == CONNECTING else self.up

    def send(self, up: "Upstream", now: float) -> None:
        """Give the request, as far as it is there, to a connection."""
        self.up = up
        up.exchange = self
        self.step = SENT
        self.sends += 1
        self.tries += 1
        self._arm(now)
        if not self.down.flow.is_writable:
            # The transport reports once that its buffer is full: a second attempt has to know it, too.
            up.flow.pause_reading()
        if not self.request.body:
            up.transport.write(self.wire)
            if self.down.is_half_closed:
                self._pass_end()
            return
        content = b"".join(self.early or ())
        if self.request.body == CHUNKED:
            content = chunk(content) + (last_chunk(self.body.trailers) if self.body.is_done else b"")
        up.transport.write(self.wire + content)
        if self.down.is_half_closed:
            self._pass_end()
        self._keep(b"")
        self.down.settle_reading()

    def _hold(self, content: bytes) -> None:
        if self.early is not None:
            self.early.append(content)
        self.early_size += len(content)
        throttle = self.revision.throttle
        if self.step == HELD and self.since and not throttle.grow(self, len(content)):
            dispatcher = self.down.gate.dispatcher
            dispatcher.refused(self, QUEUE_FULL.after(self.revision.retry_after(dispatcher.clock())))

    def _keep(self, content: bytes) -> None:
        """Keep what was sent for another attempt, as long as that makes sense."""
        if self.early is None:
            return
        self.early_size += len(content)
        if self.early_size > self.down.gate.settings.replayed_body or self.request.method not in IDEMPOTENT:
            self.early = None
        elif content:
            self.early.append(content)

    def _send(self, content: bytes) -> None:
        up = self.up
        if up is None:  # the pod is done with it, the rest is for nobody
            return
        if self.request.body == CHUNKED:
            content = chunk(content) + (last_chunk(self.body.trailers) if self.body.is_done else b"")
        if content:
            up.transport.write(content)

    def client_ended(self) -> bool:
        """The client sends no more. Returns whether it may still want the answer.

        A FIN does not tell a half-close from the end of the client; hardly any client half-closes.
        """
        if self.step == HELD or not self.body.is_done or not self.revision.target.half_close:
            return False
        self._pass_end()
        return True

    def _pass_end(self) -> None:
        """Half-close the connection to the owner of the limit: it alone knows whether the request has a pod.
        If the request waits, the owner closes the connection.
        """
        if self.step == SENT and self.up is not None and self.up.pod.greeting:
            self.up.transport.write_eof()

    # -- the answer's way --

    def answer_in(self, data: bytes) -> None:
        """More from the pod."""
        if self.step == ANSWERED:
            self._relay(data, b"")
            return
        checked = len(self.buffer)
        data = self.buffer + data
        while True:
            end = data.find(b"\r\n\r\n", max(checked - 3, 0)) + 4
            if (len(data) if end == 3 else end) > self.down.gate.settings.max_head:
                self._bad_answer("head too large")
                return
            try:
                if end == 3:
                    check_begun(data, checked)
                    self.buffer = data
                    return
                answer = read_answer(data[:end], self.request.method)
            except BadAnswer as error:
                self._bad_answer(str(error))
                return
            if answer.status == 101:
                self._switch(answer, data[:end], data[end:])
                return
            if answer.has_ours and self.pod is not None and self.pod.greeting:
                answer.kept += our_lines(data[:end])
            data, checked = data[end:], 0
            if answer.status >= 200:
                break
            if not self._interim(answer):
                return
        self.buffer = b""
        self._begin(answer, data)

    def pod_ended(self, *, is_clean: bool) -> None:
        """The pod closed the connection (`is_clean`), or it broke. `up` is of no use any more."""
        if self.step != ANSWERED and self.down.is_half_closed and self.pod is not None and self.pod.greeting:
            self.down.hung_up()
            self.down.transport.close()
        elif self.step != ANSWERED:
            self.down.gate.dispatcher.failed(self)
        elif is_clean and self.answer.body == UNTIL_CLOSE:
            self._finish(b"")
        else:
            self.cut("the pod closed the connection too early" if is_clean else "the pod's connection broke")

    def cut(self, why: str) -> None:
        """Abort the response, of which the head was written: the client must see that it is not complete."""
        self.revision.counts.cut += 1
        if self.step == ANSWERED:  # a 101 was counted as the tunnel began
            self._count()
        dispatcher = self.down.gate.dispatcher
        dispatcher.ended(self, dispatcher.clock(), reuse=False)
        self.down.cut()
        dispatcher.tell_cut(self, why)

    def drain(self, now: float) -> None:
        """The connection is to end; this request is answered before."""

    def timed_out(self, now: float) -> None:
        """One of the revision's timeouts is over."""
        target = self.revision.target
        if self.step == ANSWERED:
            if now - self.slot_since >= target.timeout:
                self.cut(f"it took longer than timeoutSeconds, {target.timeout:g} s")
            else:
                self.cut(f"the pod sent nothing for idleTimeoutSeconds, {target.idle_timeout:g} s")
        elif now - self.slot_since >= target.timeout:
            self.down.gate.dispatcher.refused(self, TOTAL_TIMEOUT)
        elif target.response_start_timeout and now - self.slot_since >= target.response_start_timeout:
            self.down.gate.dispatcher.refused(self, RESPONSE_START_TIMEOUT)
        else:
            self.down.gate.dispatcher.refused(self, IDLE_TIMEOUT)

    def _interim(self, answer: AnswerHead) -> bool:
        """Pass on a 1xx if the client understands it. False: the pod must not send that."""
        self.interim += 1
        if self.interim > MAX_INTERIM:
            self._bad_answer("too many 1xx")
            return False
        if self.up is not None and (answer.may_be_followed or not answer.keeps_alive):
            self.up.is_reusable = False
        if self.request.means.is_modern and (answer.status != 100 or self.request.means.expects):
            self.down.transport.write(answer.kept + b"\r\n")
        if self.revision.target.idle_timeout:
            self._arm(self.down.gate.clock())
        return True

    def _switch(self, answer: AnswerHead, head: bytes, data: bytes) -> None:
        """The pod speaks another protocol from here on, if the client asked for that."""
        protocol = asked_for(self.request, self.revision.target.upgrades)
        if not protocol or switched_to(head) != protocol:
            self._bad_answer("it switched protocols unasked")
            return
        self.answer = answer
        self._answering()
        self._count()
        self.down.is_last = True
        found = self._spans()
        date = b"" if answer.has_date else self.down.gate.dispatcher.dates.line()
        self.down.transport.write(b"".join((answer.kept, lines(protocol), self._notes(found), date, b"\r\n")))
        self.down.gate.dispatcher.switched(self, protocol, data)
        if found is not None:
            self._served_after_wait(found)

    def _answering(self) -> None:
        """The pod has begun to answer."""
        pod = self.pod
        if pod is not None and (pod.pace.window or pod.failures):
            self.down.gate.dispatcher.answered(self, pod)

    def _count(self) -> None:
        """Count the answer by its class. One that its client did not wait for has hung up instead."""
        self.revision.counts.answers[self.answer.status // 100] += 1

    def _begin(self, answer: AnswerHead, data: bytes) -> None:
        """The answer's head is there, and perhaps some of its body."""
        self.answer = answer
        self.step = ANSWERED
        self.early = None
        down, means = self.down, self.request.means
        self._answering()
        self._settle_reuse(answer)
        body = answer.body
        self.is_rechunked = body < 0 and means.is_modern
        if not means.keeps_alive or not self.body.is_done or (body < 0 and not means.is_modern):
            down.is_last = True
        found = self._spans() if self.since else None
        head = answer.kept + self._added(found)
        if len(data) == body:
            self._finish(head + data)
        else:
            self.content: Body = reader(body)
            self._arm(down.gate.clock())
            self._relay(data, head)
        if found is not None:
            self._served_after_wait(found)

    def _settle_reuse(self, answer: AnswerHead) -> None:
        """Keep the pod's connection from carrying another request if more may come behind the answer, or if a
        part of this request may be unread at the pod, which would take it for the next one (RFC 9112 9.2).
        """
        up, request = self.up, self.request
        if up is None:
            return
        is_unread = request.body != 0 and request.method in BODY_IS_MEANINGLESS
        if answer.may_be_followed or is_unread or not self.body.is_done or up.has_unsent(request.body):
            up.is_reusable = False

    def _added(self, found: dict[str, float] | None) -> bytes:
        """The lines that we add to the answer's head, and the empty one."""
        added = b"\r\n" if self.answer.has_date else self.down.gate.dispatcher.dates.line() + b"\r\n"
        if self.is_rechunked:
            added = b"Transfer-Encoding: chunked\r\n" + added
        down = self.down
        if down.is_last or down.gate.is_draining:
            down.is_last = True
            added = b"Connection: close\r\n" + added
        elif not self.request.means.is_modern:
            added = b"Connection: keep-alive\r\n" + added
        return self._notes(found) + added if self.tries > 1 or found is not None else added

    def _spans(self) -> dict[str, float] | None:
        """Where the wait of the request went; None: it did not wait."""
        if not self.since:
            return None
        now = self.down.gate.clock()
        return spans(self.revision.phases, since=self.since, slot=self.slot_since, answered=now)

    def _notes(self, found: dict[str, float] | None) -> bytes:
        """The lines about a request that waited or was sent again."""
        notes = b""
        if self.tries > 1:
            notes = b"Zerogate-Attempts: %d\r\n" % self.tries
        if found is not None and self.down.gate.settings.server_timing:
            notes += b"Server-Timing: " + server_timing(found) + b"\r\n"
        return notes

    def _served_after_wait(self, found: dict[str, float]) -> None:
        """Its response is on its way."""
        dispatcher = self.down.gate.dispatcher
        dispatcher.served_after_wait(self, found, dispatcher.clock())

    def _relay(self, data: bytes, before: bytes) -> None:
        try:
            content, used = self.content.feed(data)
        except BadBody as error:
            self.cut(f"the pod sent a malformed body: {error}")
            return
        is_done = self.content.is_done
        if self.is_rechunked:
            content = chunk(content) + (last_chunk(self.content.trailers) if is_done else b"")
        content = before + content if before else content
        if is_done:
            if used < len(data) and self.up is not None:
                self.answer.keeps_alive = False
            self._finish(content)
            return
        if content:
            self.down.transport.write(content)
        if self.revision.target.idle_timeout:
            self._arm(self.down.gate.clock())

    def _finish(self, content: bytes) -> None:
        """The answer is complete with this."""
        if self.answer.body == UNTIL_CLOSE and self.is_rechunked:
            content += last_chunk()
        if content:
            self.down.transport.write(content)
        dispatcher = self.down.gate.dispatcher
        now = dispatcher.clock()
        self._count()
        dispatcher.ended(self, now, reuse=self.answer.keeps_alive)
        self.down.answered(now)
        if dispatcher.on_over is not None:
            dispatcher.tell_over(self, self.answer.status, is_cut=False)

    def _bad_answer(self, why: str) -> None:
        self.down.gate.dispatcher.refused(self, BAD_ANSWER.because(why))

    # -- timeouts --

    def _arm(self, now: float) -> None:
        """Set the deadline anew: something happened, or begins. What the owner of the limit has is under its
        deadlines; ours is for an owner that is silent.
        """
        target = self.revision.target
        down = self.down
        due = self.slot_since + target.timeout
        if self.pod is not None and self.pod.greeting:
            down.due = due + self.revision.patience + OWNERS_DELAY
            return
        if target.response_start_timeout and self.step != ANSWERED:
            due = min(due, self.slot_since + target.response_start_timeout)
        if target.idle_timeout:
            due = min(due, now + target.idle_timeout)
        down.due = due
        if due < down.gate.dispatcher.deadlines.horizon:
            down.put_off(due)
