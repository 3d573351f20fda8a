"""Listening sockets, opened before anything else so that a taken port costs nothing but a line."""

import contextlib
import os
import socket
from collections.abc import Mapping

from zerogate import inheritance
from zerogate.addresses import Address
from zerogate.errors import Failed

BACKLOG = 4096
"""Connections that the kernel holds for us; more than a burst of clients at a worker that is restarting."""


def listen(address: Address, flag: str) -> socket.socket:
    """A listening socket. Raises Failed that names the flag to change."""
    try:
        family, _, _, _, where = socket.getaddrinfo(
            address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, socket.SOCK_STREAM)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(made.close)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(where)
            made.listen(BACKLOG)
            on_failure.pop_all()
    except OSError as error:
        raise Failed(f"{address} can't be listened on: {error.strerror}; choose another {flag}") from error
    made.setblocking(False)  # noqa: FBT003 - the standard library's signature
    return made


def inherited(environment: Mapping[str, str]) -> socket.socket | None:
    """The gateway's socket, if one was handed over. Raises Failed: what was handed over is no such thing."""
    try:
        number = inheritance.inherited(environment, os.getpid())
    except ValueError as error:
        raise Failed(str(error)) from error
    if number is None:
        return None
    try:
        made = socket.socket(fileno=number)
        is_listening = made.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise Failed(
            f"descriptor {number} was handed over as the gateway's socket: {error.strerror}"
        ) from error
    if not is_listening or made.family not in {socket.AF_INET, socket.AF_INET6}:
        made.close()
        raise Failed(
            f"descriptor {number} was handed over as the gateway's socket, but no TCP socket that listens"
        )
    made.set_inheritable(False)
    made.setblocking(False)  # noqa: FBT003
    return made


def address_of(listener: socket.socket) -> Address:
    """Where it listens, with the real port where 0 was asked for."""
    host, port = listener.getsockname()[:2]
    return Address(host, port)
