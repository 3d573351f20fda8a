"""The only door from events to requests: who goes to which pod, who waits, who is answered by ourselves.

All of it is synchronous; whatever happens, `_place` is where the next attempt of a request begins.
"""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from activator.edge.http.connector import DISTRUST, Connector
from activator.edge.http.dates import Dates
from activator.edge.http.faults import Faults
from activator.edge.http.gate import Clients
from activator.edge.http.hangups import Hangups
from activator.edge.http.relay import ANSWERED, CONNECTING, DONE, HELD, SENT, SWITCHED, Exchange
from activator.edge.http.sweep import Sweep
from activator.edge.http.tunnel import Tunnel
from activator.edge.http.upstream import Upstream
from activator.hold.balance import Pod
from activator.hold.deadlines import NEVER, Deadlines
from activator.hold.retry import Verdict, after_failure
from activator.http.replies import (
    ACTIVATION_TIMEOUT,
    CANNOT_START,
    MAYBE_SENT,
    NO_ROUTE,
    QUEUE_FULL,
    UPSTREAM_UNREACHABLE,
    Refusal,
)
from activator.revision import Revision
from activator.routes import Picked
from activator.settings import ProxySettings
from serving.targets import ScaleTarget

if TYPE_CHECKING:
    from activator.edge.http.downstream import Downstream

EXPIRED_AGAIN = 1.0
"""Seconds after which a deadline that raised is tried again."""
REROUTED_EVERY = 0.25
"""Seconds between looks for the revisions of requests whose Route names none that is known yet."""
STOOD_STILL = 3.0
"""Seconds without a sweep after which this process was stopped or swapped out. A suspended machine is not
noticed: the monotonic clock does not count its sleep. The autoscaler names another owner only after a longer
silence (autoscaler.edge.owning).
"""


class Over(Protocol):
    """Is told of each request that is over; `is_cut`: its answer broke off."""

    def __call__(self, exchange: Exchange, status: int, *, is_cut: bool) -> None: ...


class Dispatcher:
    """Hooks are plain functions, called at the end of the event that caused them; they must not wait. If one
    raises, that is logged (`faults`), and the event has happened all the same.

    `on_first`: the first request of an idle revision · `on_waiting`: a request began to wait ·
    `on_slot_left`: a request has left its pod, of which no slot may be taken any more (revision) ·
    `on_pod_empty`: a pod that is cordoned or gone has nothing in flight any more (revision, uid) ·
    `on_cold_start`: the first answer after a wake has begun (revision, seconds, seconds of each phase) ·
    `on_refused`: a request was answered by ourselves (reply, revision, seconds since it came) ·
    `on_turned_away`: so was what belongs to no revision (reply, its Host, where that was read) ·
    `on_cut`: a response was aborted after its head (revision, why, seconds since the request came) ·
    `on_over`: a request is over, with this status; None: there is no such hook ·
    `on_stood_still`: this process did nothing for so many seconds; what it knew of limits may be outdated.
    """

    def __init__(
        self,
        *,
        on_first: Callable[[Revision], None],
        on_waiting: Callable[[Revision], None],
        clock: Callable[[], float],
        settings: ProxySettings | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.on_first = on_first
        self.on_waiting = on_waiting
        self.on_pod_empty: Callable[[Revision, str], None] = lambda _revision, _uid: None
        self.on_slot_left: Callable[[Revision], None] = lambda _revision: None
        self.on_cold_start: Callable[[Revision, float, dict[str, float]], None] = lambda *_told: None
        self.on_refused: Callable[[Refusal, Revision, float], None] = lambda *_told: None
        self.on_turned_away: Callable[[Refusal, bytes], None] = lambda *_told: None
        self.on_cut: Callable[[Revision, str, float], None] = lambda *_told: None
        self.on_over: Over | None = None
        self.on_stood_still: Callable[[float], None] = lambda _seconds: None
        self._pulse = NEVER
        self.clock = clock
        self.dates = Dates(wall_clock)
        self.faults = Faults(clock)
        self.settings = settings or ProxySettings()
        self.clients = Clients()
        self.deadlines = Deadlines()
        self.hangups: Hangups
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sweep: Sweep
        self._restless: set[Revision] = set()
        self._unrouted: set[Revision] = set()
        """Revisions that have requests of hosts which do not lead there any more, nor to a known one."""
        self._unrouted_due = 0.0
        self._tunnels: set[Exchange] = set()
        self._paused: set[Downstream] = set()
        self._leaving: set[Pod] = set()
        """Pods that get no new request and have some in flight; their revisions may be gone."""
        self._connector = Connector(self.settings, clock, self.deadlines, self)

    def start(self) -> None:
        """Begin to sweep, in the running loop. Once is enough; every listener calls it."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._pulse = self.clock()
            self.hangups = Hangups(self._loop)
            self._sweep = Sweep(self._loop, self._swept, self.clock)

    def close(self) -> None:
        """Stop sweeping. Connections are the listeners'."""
        if self._loop is not None:
            self._loop = None
            self._sweep.close()
            self.hangups.close()
            self._connector.close()

    # -- events from outside --

    def pod_ready(self, revision: Revision, uid: str, address: str, port: int) -> None:
        """A pod answers, or Kubernetes says so: it gets what waits, oldest first."""
        now = self.clock()
        former = revision.throttle.pods.get(uid)
        pod = revision.throttle.pod_ready(uid, address, port, now)
        if former is not None and former is not pod and former.in_flight:
            self._leaving.add(former)
        self._leaving.discard(pod)
        self._hand_over(revision, now)

    def pod_gone(self, revision: Revision, uid: str) -> None:
        """A pod is deleted, being deleted or not ready: no new request; those in flight finish."""
        pod = revision.throttle.pod_gone(uid)
        if pod is not None:
            if pod.in_flight:
                self._leaving.add(pod)
            for up in [*pod.idle]:
                up.close()
            for tunnel in [each for each in self._tunnels if each.pod is pod]:
                tunnel.drain(self.clock())

    def cordon(self, revision: Revision, uid: str) -> None:
        """A pod gets no new request until `uncordon`."""
        revision.throttle.cordon(uid)

    def uncordon(self, revision: Revision, uid: str) -> None:
        """It gets requests again."""
        revision.throttle.uncordon(uid)
        self._hand_over(revision, self.clock())

    def own(self, revision: Revision, reserved: dict[str, int]) -> None:
        """The hard limit is ours, but for the slots that are reserved, by pod."""
        self._leave_owners(revision, "")
        revision.throttle.unbar(reserved)
        self._hand_over(revision, self.clock())

    def bar(self, revision: Revision) -> None:
        """No slot of a pod may be taken now."""
        self._leave_owners(revision, "")
        revision.throttle.bar()

    def forward(self, revision: Revision, uid: str, address: str, port: int, greeting: bytes) -> None:
        """The hard limit is another activator's: what waits goes there, and all that comes."""
        now = self.clock()
        self._leave_owners(revision, uid)
        revision.throttle.forward(uid, address, port, greeting, now)
        self._hand_over(revision, now)

    def take_back(self, revision: Revision) -> None:
        """A former owner of the hard limit answers nothing any more: requests that it got and that may be
        repeated go where the others go. Those that may not be repeated wait for it.
        """
        for item in [*self.deadlines]:
            if isinstance(item, Upstream) and item.pod.greeting and item.pod.state == "gone":
                exchange = item.exchange
                if (
                    exchange is not None
                    and exchange.revision is revision
                    and exchange.step == SENT
                    and exchange.is_repeatable
                ):
                    item.lose()

    def _leave_owners(self, revision: Revision, but: str) -> None:
        for pod in [*revision.throttle.pods.values()]:
            if pod.greeting and pod.uid != but:
                self.pod_gone(revision, pod.uid)

    def in_flight(self, revision: Revision | None, uid: str) -> int:
        """Requests in flight at a pod; `revision` is None if it is gone, which its pods may outlive."""
        pod = revision.throttle.pods.get(uid) if revision is not None else None
        in_use = pod.in_flight if pod is not None and pod not in self._leaving else 0
        return in_use + sum(each.in_flight for each in self._leaving if each.uid == uid)

    def refuse(self, revision: Revision, reason: str, detail: str) -> None:
        """Answer all that wait: no pod can start. `reason` is the token, `detail` shown only if settings
        allow.
        """
        refusal = Refusal(CANNOT_START.status, reason, CANNOT_START.text, revision.pause)
        self._dismiss(revision, self._detailed(refusal, detail))

    def revision_gone(self, revision: Revision) -> None:
        """The revision is deleted. Requests that wait for it follow their Route or get 404, also those that
        come back into the queue later; its idle connections close.
        """
        revision.is_gone = True
        self.reroute(revision)
        for uid in [*revision.throttle.pods]:
            self.pod_gone(revision, uid)
        self._restless.discard(revision)
        self._unrouted.discard(revision)

    def reroute(self, revision: Revision) -> None:
        """A host does not lead to the revision any more: requests that wait for it go where a new one would
        go. One whose Route names only revisions that are not known yet stays until they are.
        """
        now = self.clock()
        has_left_some = False
        for exchange in revision.throttle.queued():
            has_left_some |= exchange.step == HELD and not self._reroute_one(exchange, now)
        if has_left_some:
            self._unrouted.add(revision)
        else:
            self._unrouted.discard(revision)

    def _reroute_one(self, exchange: Exchange, now: float) -> bool:
        """Returns whether the Route of a held request leads somewhere."""
        revision, down = exchange.revision, exchange.down
        picked = down.pick(exchange.request)
        if picked is not None and picked.revision is not revision:
            self._move(exchange, picked, now)
        elif revision.is_gone or (picked is None and not down.is_routed(exchange.request)):
            self.refused(exchange, NO_ROUTE)
        return picked is not None or exchange.step == DONE

    def _move(self, exchange: Exchange, picked: Picked, now: float) -> None:
        """Let a held request wait for another revision. It counts as a request of the first one, as a
        response of the last one, and as concurrency where it is.
        """
        exchange.revision.throttle.leave(exchange)
        exchange.revision.load.leave(now)
        exchange.revision = picked.revision
        exchange.wire = exchange.down.wire_for(exchange.request, picked)
        is_first = picked.revision.load.enter(now)
        self.place(exchange, now)
        if is_first:
            self.tell_first(picked.revision)

    def retarget(self, revision: Revision, target: ScaleTarget) -> None:
        """The scale target changed."""
        revision.target = target
        own = revision.throttle.own
        own.max_requests, own.max_bytes = target.max_held_requests, target.max_held_bytes
        if target.container_concurrency != revision.throttle.limit:
            revision.throttle.set_limit(target.container_concurrency)
            self._hand_over(revision, self.clock())

    # -- events of requests --

    def enter(self, exchange: Exchange, now: float) -> bool:
        """A request's head is parsed: it counts from now on. True: it is the first one of an idle revision;
        call `tell_first` at the end.
        """
        revision = exchange.revision
        revision.counts.requests += 1
        return revision.load.enter(now)

    def place(self, exchange: Exchange, now: float) -> None:
        """Give the request a slot on a pod, or let it wait."""
        if exchange.revision.throttle.limit:
            self._feel_pulse(now)
        pod = exchange.revision.throttle.take()
        if pod is not None:
            exchange.pod = pod
            self._connector.carry(exchange, pod, now)
        else:
            self._hold(exchange, now)

    def answered(self, exchange: Exchange, pod: Pod) -> None:
        """A young or doubtful pod has begun to answer."""
        throttle = exchange.revision.throttle
        throttle.answered(pod)
        if throttle.waiting:
            self._hand_over(exchange.revision, self.clock())

    def served_after_wait(self, exchange: Exchange, found: dict[str, float], now: float) -> None:
        """A request that waited has its response; the first after a wake ends the cold start."""
        revision = exchange.revision
        if revision.cold_since is not None:
            total = now - revision.cold_since
            revision.cold_since = None
            revision.start_seconds = total
            self.faults.guard("on_cold_start", self.on_cold_start, revision, total, found)

    def switched(self, exchange: Exchange, protocol: bytes, data: bytes) -> None:
        """The request was answered with 101, behind which `data` came: a tunnel takes its place."""
        down, up = exchange.down, exchange.up
        if up is None:
            return
        tunnel = Tunnel(exchange, protocol)
        self._tunnels.add(tunnel)
        down.exchange = up.exchange = tunnel
        early, down.buffer = down.buffer, b""
        tunnel.answer_in(data)
        tunnel.request_in(early)
        if down.is_half_closed:
            tunnel.client_ended()
        down.settle_reading()
        if down.gate.is_draining:
            tunnel.drain(self.clock())

    def ended(self, exchange: Exchange, now: float, *, reuse: bool) -> None:
        """The answer is complete, or cut; `reuse`: its connection to the pod may carry another request."""
        pod, up = exchange.pod, exchange.up
        if pod is None or up is None:  # it was ended before
            return
        revision = exchange.revision
        if exchange.step == SWITCHED:
            self._tunnels.discard(exchange)
        exchange.step = DONE
        exchange.pod = exchange.up = None
        reuse = reuse and up.is_reusable and pod.state != "gone"
        if reuse and not exchange.down.is_half_closed and not up.transport.is_closing():
            up.rest(now, now + self.settings.pod_idle)
        else:
            up.close()
        self._released(revision, pod, now)
        revision.counts.seconds += now - exchange.arrived
        if exchange.down.flow.is_writable:
            revision.load.leave(now)
        else:
            exchange.down.unflushed = revision.load

    def abandoned(self, exchange: Exchange) -> None:
        """The client is gone."""
        now = self.clock()
        if self._part(exchange, now):
            exchange.revision.counts.hung_up += 1
            exchange.revision.load.leave(now)

    def refused(self, exchange: Exchange, refusal: Refusal) -> None:
        """Respond to a request locally. If the head of a response was written, that is not possible any
        more, and the response is aborted.
        """
        if exchange.step in (ANSWERED, SWITCHED):
            exchange.cut(refusal.text)
            return
        now = self.clock()
        if self._part(exchange, now):
            counts = exchange.revision.counts
            counts.refused[refusal.reason] = counts.refused.get(refusal.reason, 0) + 1
            counts.answers[refusal.status // 100] += 1
            counts.seconds += now - exchange.arrived
            exchange.revision.load.leave(now)
            exchange.down.reply(exchange, refusal)
            self.faults.guard(
                "on_refused", self.on_refused, refusal, exchange.revision, now - exchange.arrived
            )
            self.tell_over(exchange, refusal.status, is_cut=False)

    def failed(self, exchange: Exchange) -> None:
        """The connection to the pod failed before an answer: perhaps another pod, perhaps the queue again."""
        now = self.clock()
        pod, up = exchange.pod, exchange.up
        if pod is None or up is None:  # it was ended before
            return
        was_sent = exchange.step == SENT
        if was_sent and up.is_used:
            exchange.wants_fresh = True  # the pod may have closed it while it rested, which is no fault
            pod.distrusted_until = now + DISTRUST
        else:
            # An attempt that began before the latest failure belongs to it, also if the pod is in again.
            if pod.out_until or exchange.slot_since > pod.out_since:
                exchange.revision.throttle.failed(pod, now)
            # An owner that is gone is followed by another one: that is waited for.
            exchange.refused_since = now if pod.greeting else exchange.refused_since or now
        self._restless.add(exchange.revision)
        self.hurry()
        has_attempts = exchange.sends < self.settings.max_attempts
        if was_sent and not up.is_used and exchange.is_repeatable and has_attempts:
            has_attempts = exchange.revision.budget.take(
                now,
                requests=exchange.revision.counts.requests,
                in_flight=exchange.revision.throttle.busy,
            )
        verdict = after_failure(
            was_sent=was_sent,
            is_repeatable=exchange.is_repeatable,
            has_attempts=has_attempts,
            is_patient=now - exchange.refused_since < self.settings.unreachable_after,
        )
        if verdict is Verdict.AGAIN:
            self._again(exchange, pod, now)
        else:
            self.refused(exchange, MAYBE_SENT if verdict is Verdict.MAYBE_SENT else UPSTREAM_UNREACHABLE)

    def waited_too_long(self, exchange: Exchange) -> None:
        """No file descriptor was free for a connection for as long as a request may wait."""
        self.refused(exchange, ACTIVATION_TIMEOUT)

    def freed(self, revision: Revision) -> None:
        """A connect has ended, well or not: there may be room for the next."""
        self._hand_over(revision, self.clock())

    def watch_soon(self, down: "Downstream") -> None:
        """Watch for the client's end if its connection is still not read at the next sweep."""
        self._paused.add(down)
        self.hurry()

    def hurry(self) -> None:
        """Something is due soon."""
        self._sweep.hurry()

    # -- hooks, each called last --

    def tell_first(self, revision: Revision) -> None:
        """An idle revision has got its first request."""
        self.faults.guard("on_first", self.on_first, revision)

    def tell_over(self, exchange: Exchange, status: int, *, is_cut: bool) -> None:
        """A request is over."""
        hook = self.on_over
        if hook is not None:
            self.faults.guard("on_over", hook, exchange, status, is_cut=is_cut)

    def tell_cut(self, exchange: Exchange, why: str) -> None:
        """The response to a request was aborted."""
        self.faults.guard("on_cut", self.on_cut, exchange.revision, why, self.clock() - exchange.arrived)
        self.tell_over(exchange, exchange.answer.status, is_cut=True)

    def tell_turned_away(self, refusal: Refusal, host: bytes) -> None:
        """A local response was sent to what belongs to no revision."""
        self.faults.guard("on_turned_away", self.on_turned_away, refusal, host)

    def _tell_waiting(self, revision: Revision) -> None:
        self.faults.guard("on_waiting", self.on_waiting, revision)

    # -- inside: attempts --

    def _again(self, exchange: Exchange, pod: Pod, now: float) -> None:
        """Another attempt: it goes to the head of the queue, and its slot to whoever is next, most likely
        itself.
        """
        revision = exchange.revision
        throttle = revision.throttle
        if exchange.step == CONNECTING:
            exchange.tries += 1
        revision.counts.repeated += 1
        exchange.step = HELD
        exchange.up = None
        exchange.buffer = b""
        exchange.down.due = NEVER
        if exchange.since and not pod.greeting:  # with the owner of a limit it may have waited all the time
            exchange.since += now - exchange.slot_since
        throttle.wait_again(exchange, len(exchange.wire) + exchange.early_size, now)
        self._released(revision, pod, now)
        if revision.is_gone and exchange.step == HELD:
            self._reroute_one(exchange, now)
            return
        self._hand_over(revision, now)
        if exchange.step == HELD:
            exchange.down.settle_reading()
            self._tell_waiting(revision)

    def _hold(self, exchange: Exchange, now: float) -> None:
        revision = exchange.revision
        throttle = revision.throttle
        if revision.is_gone:
            self.refused(exchange, NO_ROUTE)
            return
        if revision.trouble and not throttle.has_pod:
            self.refused(exchange, self._detailed(CANNOT_START.after(revision.pause), revision.trouble))
            return
        if not throttle.wait(exchange, len(exchange.wire) + exchange.early_size, now, exchange.since):
            self.refused(exchange, QUEUE_FULL.after(revision.retry_after(now)))
            return
        revision.counts.held += 1
        if revision.cold_since is None and throttle.is_cold:
            revision.cold_since = now
        self._restless.add(revision)
        self.hurry()
        exchange.down.settle_reading()
        self._tell_waiting(revision)

    def _hand_over(self, revision: Revision, now: float) -> None:
        throttle = revision.throttle
        if throttle.limit:
            self._feel_pulse(now)
        while (waiter := throttle.hand_over()) is not None:
            self._connector.carry(waiter, waiter.pod, now)

    def _part(self, exchange: Exchange, now: float) -> bool:
        """Take a request off its queue, its pod and its connection. False: that was done before."""
        step = exchange.step
        if step == DONE:
            return False
        exchange.step = DONE
        self._tunnels.discard(exchange)
        up, exchange.up = exchange.up, None
        pod, exchange.pod = exchange.pod, None
        if pod is None:
            exchange.revision.throttle.leave(exchange)
            return True
        if up is not None and step != CONNECTING:
            up.close()
        self._released(exchange.revision, pod, now)
        return True

    def _released(self, revision: Revision, pod: Pod, now: float) -> None:
        throttle = revision.throttle
        if throttle.limit:
            self._feel_pulse(now)
        waiter = throttle.release(pod)
        is_empty = pod.state != "ready" and not pod.in_flight
        if waiter is not None:
            self._connector.carry(waiter, waiter.pod, now)
        if is_empty:
            self._leaving.discard(pod)
        if is_empty and not self.in_flight(revision, pod.uid):
            self.faults.guard("on_pod_empty", self.on_pod_empty, revision, pod.uid)
        if throttle.is_barred and not pod.greeting:
            self.faults.guard("on_slot_left", self.on_slot_left, revision)

    # -- inside: time and trouble --

    def _swept(self) -> bool:
        """Let time do its work; what raises does not keep the rest from it. True: come again soon."""
        now = self.clock()
        self._feel_pulse(now)
        self._pulse = now
        for item in self.deadlines.sweep(now):
            if not self.faults.guard("a deadline", item.expired, now):
                item.due = now + EXPIRED_AGAIN
        if self._paused or self._unrouted:
            self._look_again(now)
        for revision in [*self._restless]:
            self.faults.guard("a queue", self._sweep_queue, revision, now)
        return bool(self._restless) or self.deadlines.is_any_soon

    def _look_again(self, now: float) -> None:
        """Watch clients of whom nothing is read, and find revisions for requests that have none."""
        if self._paused:
            paused, self._paused = self._paused, set()
            for down in paused:
                self.faults.guard("a watch", down.watch)
        if self._unrouted and now >= self._unrouted_due:
            self._unrouted_due = now + REROUTED_EVERY
            for revision in [*self._unrouted]:
                self.faults.guard("a queue", self.reroute, revision)

    def _sweep_queue(self, revision: Revision, now: float) -> None:
        throttle = revision.throttle
        throttle.tick(now)
        self._hand_over(revision, now)
        for waiter in throttle.expire(now, revision.patience):
            self.refused(waiter, self._detailed(ACTIVATION_TIMEOUT, revision.trouble or revision.worry))
        if not throttle.is_restless:
            self._restless.discard(revision)

    def _feel_pulse(self, now: float) -> None:
        """Before a slot of a limit is taken: events may be handled before the sweep that is late."""
        late = now - self._pulse
        if late > STOOD_STILL:
            self._pulse = now
            self.faults.guard("on_stood_still", self.on_stood_still, late)

    def _dismiss(self, revision: Revision, refusal: Refusal) -> None:
        for waiter in revision.throttle.dismiss():
            self.refused(waiter, refusal)

    def _detailed(self, refusal: Refusal, detail: str) -> Refusal:
        return refusal.because(detail) if self.settings.error_details else refusal.known_as(detail)
