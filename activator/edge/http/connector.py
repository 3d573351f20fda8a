"""Connections to pods: a request that has a slot gets one that rests, or a new one."""

import asyncio
import errno
from collections.abc import Callable
from typing import Protocol, cast

from activator.edge.http.kernel import probe_peer
from activator.edge.http.relay import CONNECTING, Exchange
from activator.edge.http.upstream import Upstream
from activator.hold.balance import Pod
from activator.hold.deadlines import NEVER, Deadlines
from activator.revision import Revision
from activator.settings import ProxySettings

OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
SHORTAGE = 0.05
"""Seconds after which a connect that found no file descriptor is tried again."""
DISTRUST = 10.0
"""Seconds for which a pod that closed a connection soon after a response is expected to do it again."""


class Attempts(Protocol):
    """What follows from the end of a connect."""

    def failed(self, exchange: Exchange) -> None:
        """It failed."""

    def waited_too_long(self, exchange: Exchange) -> None:
        """No file descriptor was free for as long as a request may wait."""

    def freed(self, revision: Revision) -> None:
        """It has ended, well or not: there may be room for the next."""


class Connector:
    """Gives requests connections. It owns the resting ones, which stand in their `Pod.idle`."""

    def __init__(
        self,
        settings: ProxySettings,
        clock: Callable[[], float],
        deadlines: Deadlines,
        attempts: Attempts,
    ) -> None:
        self.deadlines = deadlines
        self._settings = settings
        self._clock = clock
        self._attempts = attempts
        self._tasks: set[asyncio.Task[None]] = set()

    def carry(self, exchange: Exchange, pod: Pod, now: float) -> None:
        """Send a request on its way, on a connection that rests or on a new one."""
        exchange.slot_since = now
        if self._reuse(exchange, pod, now):
            return
        exchange.step = CONNECTING
        exchange.up = up = Upstream(pod, self)
        exchange.revision.throttle.connecting(pod, 1)
        task = asyncio.get_running_loop().create_task(self._connect(up, exchange))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def closed_at_rest(self, up: Upstream) -> None:
        """The pod closed a resting connection. If a request that may not be repeated could have taken it just
        then, such requests take no resting connection of this pod for a while.
        """
        now = self._clock()
        if now - up.rested < self._settings.checked_idle:
            up.pod.distrusted_until = now + DISTRUST

    def close(self) -> None:
        """Give up the connects under way."""
        for task in self._tasks:
            task.cancel()

    def _reuse(self, exchange: Exchange, pod: Pod, now: float) -> bool:
        """Send a request on the connection that was used last: it is the least likely to be closed. False: on
        none.

        A request that may not be repeated takes only one that has rested for a moment, and of a pod that does
        not close them in that moment. Each is looked at first: the loop may not have read yet what was sent.
        """
        idle = pod.idle
        while idle and not exchange.wants_fresh:
            up: Upstream = idle[-1]
            is_risky = now - up.rested >= self._settings.checked_idle or now < pod.distrusted_until
            if is_risky and not exchange.is_repeatable:
                return False
            if up.is_stale():
                self.closed_at_rest(up)
                up.close()
                continue
            idle.pop()
            up.due = NEVER
            exchange.send(up, now)
            return True
        return False

    async def _connect(self, up: Upstream, exchange: Exchange) -> None:
        """Connect, and send the request if it still waits for that (`exchange.up` is `up`)."""
        pod, revision = up.pod, exchange.revision
        error = await self._open(up)
        while error in OUT_OF_DESCRIPTORS and await self._waits_for_descriptor(up, exchange):
            error = await self._open(up)
        now = self._clock()
        revision.throttle.connecting(pod, -1)
        is_wanted = exchange.up is up
        # An owner that was named gone while the connect was under way takes no request any more.
        is_late = pod.greeting and pod.state == "gone"
        if error or is_late or up.is_stale():
            if not error:  # the pod has closed it, or sent bytes before a request
                up.close()
            if is_wanted:
                self._attempts.failed(exchange)
        else:
            self.deadlines.add(up)
            if is_wanted:
                exchange.send(up, now)
            elif pod.state != "gone":  # its client left meanwhile
                up.rest(now, now + self._settings.pod_idle)
            else:
                up.close()
        self._attempts.freed(revision)

    async def _waits_for_descriptor(self, up: Upstream, exchange: Exchange) -> bool:
        """Wait for a while: the pod refused nothing. False: the request needs no new connection to it any
        more, as its client left, a connection became free, the pod is gone, or it has waited for too long.
        """
        await asyncio.sleep(SHORTAGE)
        if exchange.up is not up or up.pod.state == "gone":
            return False
        now = self._clock()
        if self._reuse(exchange, up.pod, now):
            return False
        if now - (exchange.since or exchange.arrived) < exchange.revision.patience:
            return True
        self._attempts.waited_too_long(exchange)
        return False

    async def _open(self, up: Upstream) -> int:
        """Open the connection. Returns the number of the error, 0 if there is none."""
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                await asyncio.get_running_loop().create_connection(
                    lambda: cast("asyncio.Protocol", up), up.pod.address, up.pod.port
                )
        except OSError as error:
            return error.errno or errno.ETIMEDOUT
        except ValueError:  # UnicodeError: the address that a peer announced is not a valid host name
            return errno.EINVAL
        if not up.transport.is_closing():
            probe_peer(up.transport.get_extra_info("socket"))
        return 0
