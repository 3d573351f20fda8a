"""Switching to another protocol (RFC 9110 7.8): which are passed on, and how that is said.

`h2c` never is: it would smuggle requests past everything that is done for each of them.
"""

import re
from collections.abc import Set as AbstractSet

from activator.http.requests import RequestHead

WEBSOCKET = b"websocket"
NEVER = frozenset((b"h2c", b"h2", b"tls/1.0", b"http/2.0"))
_UPGRADE = re.compile(rb"\nupgrade:([^\r]*+)\r", re.IGNORECASE)


def asked_for(request: RequestHead, allowed: AbstractSet[bytes]) -> bytes:
    """The protocol that a request asks to switch to, in lower case, if it may; else b""."""
    protocol = request.means.upgrade
    is_passed_on = protocol in allowed and protocol not in NEVER
    return protocol if is_passed_on and request.method == b"GET" and not request.body else b""


def switched_to(head: bytes) -> bytes:
    """The protocol that the head of a 101 names, in lower case; b"" when it is not exactly one."""
    found = _UPGRADE.findall(head)
    return bytes(found[0].strip(b" \t").lower()) if len(found) == 1 else b""


def lines(protocol: bytes) -> bytes:
    """The header lines, of a request or an answer."""
    return b"Connection: Upgrade\r\nUpgrade: " + protocol + b"\r\n"


def with_upgrade(wire: bytes, protocol: bytes) -> bytes:
    """A request's head, up to its empty line, with the wish to switch to a protocol, if there is one."""
    if not protocol:
        return wire
    return wire[:-2] + lines(protocol) + b"\r\n"
