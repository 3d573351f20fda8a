"""Who may go to a pod now, and who waits: the slots of one revision and its queue, first in, first out.

Nothing is called from inside: what follows from an event is returned. A `Waiter` that is returned owns a
slot on its `pod` from that moment, and its owner must `release` that slot exactly once.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from activator.hold.balance import OUT, Balance, Pod
from activator.hold.deadlines import NEVER
from activator.hold.pacing import MAX_CONNECTING

NO_CAP = 1 << 62
FIRST_DELAY = 0.05
"""Seconds that a pod is left out after its first failure; doubles with each further one."""
LONGEST_DELAY = 5.0
SHARE = 4
"""How many times what is free in the process one revision may hold: four fifths of it if it is alone. So some
is always left for the next one (the dynamic thresholds of shared packet buffers, Choudhury and Hahne 1998).
"""
LAST_POD_DELAY = 0.1
"""Seconds that it is left out when no other pod is there."""


@dataclass(slots=True)
class Room:
    """A bound on what may wait, in requests and bytes, and what waits: of one revision, or of the process."""

    max_requests: int
    max_bytes: int
    requests: int = 0
    bytes: int = 0

    def has(self, requests: int, size: int) -> bool:
        """Whether so many more would fit."""
        return self.requests + requests <= self.max_requests and self.bytes + size <= self.max_bytes

    def has_share(self, own: "Room", requests: int, size: int) -> bool:
        """Whether so many more would fit, and one revision that holds `own` of it gets no more than its
        share.
        """
        free, free_bytes = self.max_requests - self.requests, self.max_bytes - self.bytes
        return (
            requests <= free
            and size <= free_bytes
            and own.requests + requests <= SHARE * free
            and own.bytes + size <= SHARE * free_bytes
        )

    def add(self, requests: int, size: int) -> None:
        self.requests += requests
        self.bytes += size


class Waiter:
    """A request that may wait. `since`: when it began to wait (0: never did); `held`: bytes kept for it
    meanwhile.
    """

    __slots__ = ("held", "pod", "since")

    pod: Pod | None
    since: float
    held: int


W = TypeVar("W", bound=Waiter)


class Throttle(Generic[W]):
    """The pods of one revision, the slots taken on them, and the requests that wait for one."""

    __slots__ = (
        "_ahead", "_ahead_since", "_balance", "_out", "_queue", "busy", "forwards", "is_barred", "limit",
        "own", "pods", "process", "reserved",
    )  # fmt: skip

    def __init__(self, *, limit: int, own: Room, process: Room, random: Callable[[], float]) -> None:
        """`limit`: requests in flight a pod bears (0: any number). `process` is shared by all throttles."""
        self.limit = limit
        self.own = own
        self.process = process
        self.pods: dict[str, Pod] = {}
        self.busy = 0
        self.is_barred = False
        """Whether no slot of a pod may be taken: the limit is another one's."""
        self.forwards = False
        """Whether that one is here, in place of the pods."""
        self.reserved: dict[str, int] = {}
        """By pod, slots that requests of other activators have."""
        self._balance = Balance(random)
        self._ahead: OrderedDict[W, None] = OrderedDict()
        """Requests that wait again: they go before the queue, and are not ordered by `since`."""
        self._ahead_since = NEVER
        """The earliest `since` of them, or earlier."""
        self._queue: OrderedDict[W, None] = OrderedDict()
        """Requests that wait for the first time, ordered by `since`."""
        self._out: list[Pod] = []

    def __repr__(self) -> str:
        ready = sum(pod.state == "ready" and not pod.greeting for pod in self.pods.values())
        slots = f"/{self.limit * ready}" if self.limit else ""
        return f"<Throttle {self.busy}{slots} busy, {self.waiting} waiting, {ready} pods>"

    # -- what stands here --

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._ahead) + len(self._queue)

    @property
    def oldest(self) -> W | None:
        """The request that is next."""
        return next(iter(self._ahead or self._queue), None)

    def queued(self) -> list[W]:
        """All that wait, the next one first."""
        return [*self._ahead, *self._queue]

    @property
    def has_pod(self) -> bool:
        """Whether any pod may be chosen, now or after a moment."""
        return any(pod.state == "ready" for pod in self.pods.values())

    @property
    def is_cold(self) -> bool:
        """Whether no pod is there that may be chosen, or could be if an order were off."""
        return all(pod.state == "gone" for pod in self.pods.values())

    @property
    def is_restless(self) -> bool:
        """Whether `tick` has something to do as time passes."""
        return bool(self._queue or self._ahead or self._out)

    # -- slots --

    def take(self) -> Pod | None:
        """A slot on the least busy pod; None: the request has to wait."""
        if self._queue or self._ahead:
            return None
        pod = self._balance.least()
        if pod is not None:
            self._occupy(pod)
        return pod

    def release(self, pod: Pod) -> W | None:
        """A slot is free again. Returns the waiter that owns one now, here or on another pod."""
        self.busy -= 1
        self._balance.count(pod, -1)
        if pod.place == OUT:
            self._settle(pod)
            if pod.state == "gone" and not pod.in_flight:
                self._forget(pod)
        return self.hand_over() if self._queue or self._ahead else None

    def hand_over(self) -> W | None:
        """Give the oldest waiter a slot, if both are there. Call until None."""
        queue = self._ahead or self._queue
        if not queue:
            return None
        pod = self._balance.least()
        if pod is None:
            return None
        waiter = queue.popitem(last=False)[0]
        self._forgo(waiter)
        waiter.pod = pod
        self._occupy(pod)
        return waiter

    # -- waiting --

    def wait(self, waiter: W, size: int, now: float, since: float = 0.0) -> bool:
        """Queue a request of which `size` bytes are kept. False: there is no room. One that has waited for
        another revision `since` then goes before those that came later.
        """
        if not (self.own.has(1, size) and self.process.has_share(self.own, 1, size)):
            return False
        waiter.since = since or now
        waiter.held = size
        self._enqueue(waiter, is_ahead=since > 0.0)
        return True

    def wait_again(self, waiter: W, size: int, now: float) -> None:
        """Queue a request whose pod failed it, before all others and beyond the bounds: it was let in
        once. Its patience is less the time from its `since` to `now`.
        """
        waiter.since = waiter.since or now
        waiter.held = size
        self._enqueue(waiter, is_ahead=True)
        self._ahead.move_to_end(waiter, last=False)

    def grow(self, waiter: W, size: int) -> bool:
        """`size` more bytes came in for a waiting request. False: there is no room for them."""
        if not (self.own.has(0, size) and self.process.has_share(self.own, 0, size)):
            return False
        waiter.held += size
        self.own.add(0, size)
        self.process.add(0, size)
        return True

    def leave(self, waiter: W) -> None:
        """A request is given up; nothing happens when it does not wait."""
        if self._queue.pop(waiter, waiter) is None or self._ahead.pop(waiter, waiter) is None:
            self._forgo(waiter)

    def expire(self, now: float, patience: float) -> Iterator[W]:
        """Take out those that have waited for `patience` seconds."""
        if self._ahead_since + patience <= now:
            for waiter in [each for each in self._ahead if each.since + patience <= now]:
                self.leave(waiter)
                yield waiter
            self._ahead_since = min((each.since for each in self._ahead), default=NEVER)
        while self._queue:
            waiter = next(iter(self._queue))
            if waiter.since + patience > now:
                break
            self.leave(waiter)
            yield waiter

    def dismiss(self) -> Iterator[W]:
        """Take out all that wait, oldest first."""
        while (waiter := self.oldest) is not None:
            self.leave(waiter)
            yield waiter

    # -- pods come, go, and fail --

    def pod_ready(self, uid: str, address: str, port: int, now: float) -> Pod:
        """A pod may be used from now on; one that is cordoned stays so. Call `hand_over` next."""
        pod = self.pods.get(uid)
        if pod is None or (pod.address, pod.port) != (address, port):
            if pod is not None:
                self.pod_gone(uid)
            pod = self.pods[uid] = Pod(uid, address, port, limit=self.limit, now=now)
        elif pod.state == "gone":
            pod.state = "ready"
            pod.failures = 0
            pod.pace.restart(now)
        self._settle(pod)
        return pod

    def pod_gone(self, uid: str) -> Pod | None:
        """No new request goes there; those in flight finish. Returns the pod if it was known."""
        pod = self.pods.get(uid)
        if pod is not None:
            pod.state = "gone"
            self._readmit(pod)
            self._settle(pod)
            if not pod.in_flight:
                self._forget(pod)
        return pod

    def cordon(self, uid: str) -> Pod | None:
        """No new request goes there until `uncordon`. Returns the pod if it was known."""
        pod = self.pods.get(uid)
        if pod is not None and pod.state == "ready":
            pod.state = "cordoned"
            self._settle(pod)
        return pod

    def uncordon(self, uid: str) -> None:
        """The order is off. Call `hand_over` next."""
        pod = self.pods.get(uid)
        if pod is not None and pod.state == "cordoned":
            pod.state = "ready"
            self._settle(pod)

    def connecting(self, pod: Pod, change: int) -> None:
        """A connect to the pod began (+1) or ended (-1). Call `hand_over` after an end."""
        pod.connecting += change
        if pod.connecting >= MAX_CONNECTING - 1:
            self._settle(pod)

    def answered(self, pod: Pod) -> None:
        """The pod answered: it is no outlier, and its window grows. Call `hand_over` until None next."""
        pod.failures = 0
        pod.pace.answer()
        self._settle(pod)

    def failed(self, pod: Pod, now: float) -> None:
        """The pod refused or reset a connection: it is left out for a while that grows with each event.

        All requests that were on their way to it fail in one event, so a failure while it is left out only
        begins that while anew.
        """
        if not pod.out_until:
            pod.failures += 1
            pod.pace.restart(now)
            self._out.append(pod)
        pod.out_since = now
        pod.out_until = now + min(FIRST_DELAY * 2 ** min(pod.failures - 1, 10), LONGEST_DELAY)
        self._settle(pod)

    def tick(self, now: float) -> None:
        """Time passed: windows grow, pods left out long enough come back. Call `hand_over` until None
        next.
        """
        if self._queue or self._ahead:
            for pod in self.pods.values():
                if pod.pace.window:
                    pod.pace.tick(now)
                    self._settle(pod)
        if self._out:
            is_last = not any(
                pod.state == "ready" and not pod.out_until and self._is_open(pod)
                for pod in self.pods.values()
            )
            for pod in [*self._out]:
                if pod.out_until <= now or (is_last and pod.out_since + LAST_POD_DELAY <= now):
                    self._readmit(pod)
                    self._settle(pod)

    def set_limit(self, limit: int) -> None:
        """The revision's hard limit changed. Call `hand_over` until None next."""
        self.limit = limit
        for pod in self.pods.values():
            if not pod.greeting:
                pod.limit = limit
                self._settle(pod)

    # -- the limit's owner --

    def bar(self) -> None:
        """Take no more slots of pods. Those taken stay until they are released."""
        self.is_barred, self.forwards = True, False
        self.reserved = {}
        self._settle_all()

    def unbar(self, reserved: dict[str, int]) -> None:
        """Take slots of pods, but leave those free that requests of others have. Call `hand_over` until None
        next.
        """
        self.is_barred = self.forwards = False
        self.reserved = reserved
        self._settle_all()

    def forward(self, uid: str, address: str, port: int, greeting: bytes, now: float) -> None:
        """From now on the limit's owner gets all requests. Call `hand_over` until None next."""
        self.bar()
        owner = self.pods.get(uid)
        if owner is None:
            owner = self.pods[uid] = Pod(uid, address, port, limit=0, now=now)
            owner.greeting = greeting
            owner.pace.open()
        owner.state = "ready"
        self.forwards = True
        self._settle(owner)

    # -- inside --

    def _settle(self, pod: Pod) -> None:
        """Put the pod in or out, as its state demands."""
        limit = pod.limit - self.reserved.get(pod.uid, 0) if pod.limit else NO_CAP
        pod.cap = min(limit, pod.pace.window or NO_CAP)
        is_usable = (
            pod.state == "ready"
            and not pod.out_until
            and self._is_open(pod)
            and pod.in_flight < pod.cap
            and pod.connecting < MAX_CONNECTING
        )
        if is_usable and pod.place == OUT:
            self._balance.add(pod)
        elif not is_usable and pod.place != OUT:
            self._balance.remove(pod)

    def _settle_all(self) -> None:
        for pod in self.pods.values():
            self._settle(pod)

    def _is_open(self, pod: Pod) -> bool:
        return not self.is_barred or bool(pod.greeting)

    def _occupy(self, pod: Pod) -> None:
        self.busy += 1
        self._balance.count(pod, 1)
        if pod.in_flight >= pod.cap:
            self._balance.remove(pod)

    def _enqueue(self, waiter: W, *, is_ahead: bool) -> None:
        waiter.pod = None
        if is_ahead:
            self._ahead[waiter] = None
            self._ahead_since = min(self._ahead_since, waiter.since)
        else:
            self._queue[waiter] = None
        self.own.add(1, waiter.held)
        self.process.add(1, waiter.held)

    def _forgo(self, waiter: W) -> None:
        self.own.add(-1, -waiter.held)
        self.process.add(-1, -waiter.held)

    def _readmit(self, pod: Pod) -> None:
        if pod.out_until:
            pod.out_until = 0.0
            self._out.remove(pod)

    def _forget(self, pod: Pod) -> None:
        if self.pods.get(pod.uid) is pod:
            del self.pods[pod.uid]
