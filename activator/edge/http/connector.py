"""Connections to pods: a request that has a slot gets one that rests, or a new one."""

import asyncio
import errno
from collections.abc import Callable
from typing import cast

from activator.edge.http.kernel import probe_peer
from activator.edge.http.relay import CONNECTING, Exchange
from activator.edge.http.upstream import Upstream
from activator.hold.balance import Pod
from activator.hold.deadlines import NEVER, Deadlines
from activator.revision import Revision
from activator.settings import ProxySettings

OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)


class Connector:
    """`failed` is told of an exchange whose connect failed, `freed` of the revision when a connect has
    ended.
    """

    def __init__(
        self,
        settings: ProxySettings,
        clock: Callable[[], float],
        deadlines: Deadlines,
        *,
        failed: Callable[[Exchange], None],
        freed: Callable[[Revision], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._deadlines = deadlines
        self._failed = failed
        self._freed = freed
        self._tasks: set[asyncio.Task[None]] = set()

    def carry(self, exchange: Exchange, pod: Pod, now: float) -> None:
        """Send a request on its way. The connection used last is taken: it is the least likely to be closed.

        One that the pod closes just now costs a request that may be repeated nothing. The others take a
        connection only if it rested for a moment at most, and after looking at it.
        """
        exchange.slot_since = now
        idle = pod.idle
        while idle and not exchange.wants_fresh:
            up: Upstream = idle[-1]
            if not exchange.is_repeatable:
                if now - up.rested >= self._settings.checked_idle:
                    break
                if up.is_stale():
                    up.close()
                    continue
            idle.pop()
            up.due = NEVER
            exchange.send(up, now)
            return
        exchange.step = CONNECTING
        exchange.up = up = Upstream(pod, exchange, self._deadlines)
        exchange.revision.throttle.connecting(pod, 1)
        task = asyncio.get_running_loop().create_task(self._connect(up, exchange.revision))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Give up the connects under way."""
        for task in self._tasks:
            task.cancel()

    async def _connect(self, up: Upstream, revision: Revision) -> None:
        pod = up.pod
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                await asyncio.get_running_loop().create_connection(
                    lambda: cast("asyncio.Protocol", up), pod.address, pod.port
                )
        except OSError as error:
            is_connected = False
            if error.errno in OUT_OF_DESCRIPTORS and up.exchange is not None:
                up.exchange.refused_since = self._clock()  # the pod refused nothing: this may last
        else:
            is_connected = not up.transport.is_closing()
            if is_connected:
                probe_peer(up.transport.get_extra_info("socket"))
        now = self._clock()
        revision.throttle.connecting(pod, -1)
        exchange, up.exchange = up.exchange, None
        if is_connected:
            self._deadlines.add(up)
        if exchange is not None and is_connected:
            exchange.send(up, now)
        elif exchange is not None:
            self._failed(exchange)
        elif is_connected and pod.state != "gone":  # its client left meanwhile
            up.rest(now, now + self._settings.pod_idle)
        elif is_connected:
            up.close()
        self._freed(revision)
