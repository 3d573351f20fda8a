"""Waiting for a condition with a deadline, for edge tests."""

import asyncio
import time


async def until(condition, what, within=5.0):
    """The first true value of `condition()`; fails the test, saying what it waited for, after `within` s."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {within} s in vain for {what}"
        await asyncio.sleep(0.01)
