"""Waiting for a condition with a deadline; nothing here waits for a fixed time."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

PAUSE = 0.002
"""Seconds between two looks at a condition in the same process."""
SLOWER = 3.0
"""How many times slower than an idle one a machine may be before a wait for a condition fails."""


def wait_for(what: str, check: Callable[..., Any], deadline: float = 30.0, every: float = 0.0) -> Any:
    """Call `check` until it returns something true; fail with the last value after the deadline.

    `deadline` is in seconds of an idle machine; a machine that is SLOWER times slower still meets it.
    The pause between two calls is `every` seconds. Without it the pause grows with the time waited, from 0.05
    to 0.5 s, since many checks start kubectl.
    """
    begun = time.monotonic()
    while True:
        value = check()
        if value:
            return value
        waited = time.monotonic() - begun
        if waited > deadline * SLOWER:
            raise AssertionError(f"waited {waited:.0f} s for {what}; last seen: {value!r}")
        time.sleep(every or min(0.05 + waited / 20, 0.5))


async def until(condition: Callable[..., Any], what: str = "the condition", within: float = 60.0) -> Any:
    """Return the first true value of `condition()`; fail after `within` seconds of the loop's clock.

    The loop may be one of virtual time.
    """
    try:
        async with asyncio.timeout(within):
            while not (value := condition()):
                await asyncio.sleep(PAUSE)
            return value
    except TimeoutError:
        raise AssertionError(f"waited {within:g} s in vain for {what}") from None
