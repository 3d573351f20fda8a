"""Unix seconds that nobody sets: for dates in objects that are compared with the time of now."""

import time


def _boot_seconds() -> float:
    """Seconds since boot, sleep of the machine included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


_BEGAN = time.time() - _boot_seconds()


def unix_now() -> float:
    """Unix seconds as the wall clock showed them at the start of this process, and the seconds since then.

    A wall clock that is set afterwards changes no window, deadline or age.
    """
    return _BEGAN + _boot_seconds()
