"""A clock that a test moves: whether a deadline is kept is then no question of the machine's speed.

`Proxy(clock=clock)` has no other clock. Before a deadline nothing happens however slow the machine is, and
once the clock stands at the deadline the next sweep must act.
"""

import asyncio

from testkit.proxy.harness import Proxy


class Clock:
    """It stands still until `forward`. Its steps are exact if they are multiples of 1/8 s."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def forward(self, seconds: float, *proxies: Proxy) -> None:
        """Move the clock, and wait until each proxy has swept its deadlines at the new time."""
        self.now += seconds
        for proxy in proxies:
            await swept(proxy)


class _Swept:
    """A deadline that is over: the next sweep says so."""

    def __init__(self) -> None:
        self.due = 0.0
        self.is_over = asyncio.Event()

    def expired(self, now: float) -> None:
        self.is_over.set()


async def swept(proxy: Proxy) -> None:
    """Wait for the end of the next sweep. Its other deadlines, and the queues' patience, are part of it."""
    mark = _Swept()
    proxy.dispatcher.deadlines.add(mark)
    try:
        await mark.is_over.wait()
    finally:
        proxy.dispatcher.deadlines.discard(mark)
