"""The first line on a connection from one activator to another: what its requests are for.

All requests of such a connection are of one revision, as their heads came to the first activator, written for
the pod already. No client can say this line: it opens a door of its own, and shows that door's secret.
"""

import re
from typing import NamedTuple

from kube.objects import Key

LONGEST = 1024
"""Bytes of the line, its end included."""
_LINE = re.compile(rb"ZEROGATE/1 ([!-~]++) ([0-9]{1,19}+) ([a-z0-9.-]++)/([a-z0-9.-]++)\r\n").fullmatch


class Greeting(NamedTuple):
    """`epoch`: of the word by which the sender takes the other one for the owner."""

    secret: bytes
    epoch: int
    revision: Key


def greeting_line(secret: str, epoch: int, revision: Key) -> bytes:
    """The line, with its end."""
    return f"ZEROGATE/1 {secret} {epoch} {'/'.join(revision)}\r\n".encode()


def read_greeting(line: bytes) -> Greeting | None:
    """What a line with its end says; None: it is no greeting."""
    found = _LINE(line)
    if found is None:
        return None
    secret, epoch, namespace, name = found.groups()
    return Greeting(secret, int(epoch), (namespace.decode(), name.decode()))
