"""What a process that forwards asks of the system, and of its own memory, before it begins."""

import contextlib
import ctypes
import gc
import resource

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_KEPT = 1 << 20
"""Bytes of freed memory that stay with the process."""
_LARGE = 1 << 20
"""Bytes from which an allocation is a mapping of its own; what is read at a time is a quarter of it."""


def prepare() -> None:
    """All of the below, once everything is imported."""
    raise_descriptor_limit()
    keep_freed_memory()
    set_imports_aside()


def raise_descriptor_limit() -> None:
    """As many sockets as the system allows: each held request needs one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def keep_freed_memory() -> None:
    """Let bodies be read into memory that the process has already. By its defaults glibc returns a buffer of
    that size to the kernel as soon as it is free, and the next one costs a fault for each page (mallopt(3)):
    with answers of 1 MiB that was nearly half of all processor time. Without glibc nothing is changed.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
        mallopt(_M_MMAP_THRESHOLD, _LARGE)


def set_imports_aside() -> None:
    """What was imported lives as long as the process: collections of garbage need not look at it again."""
    gc.collect()
    gc.freeze()
