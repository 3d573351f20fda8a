"""Who a request came from, as the pod is told: X-Forwarded-* and Forwarded (RFC 7239)."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address

from activator.http.http1 import BadRequest, is_host
from activator.http.requests import Meaning


class Peer:
    """The other end of a client's connection. It remembers the lines for the Host that it asked for last."""

    __slots__ = ("_host", "_lines", "address", "is_trusted")

    def __init__(self, address: str, trusted: Iterable[IPv4Network | IPv6Network]) -> None:
        """`address` is an IP address, or "" when there is none (a Unix socket)."""
        self.address = address
        self.is_trusted = bool(address) and any(ip_address(address) in network for network in trusted)
        self._host: bytes | None = None
        self._lines = b""

    def lines(self, means: Meaning) -> bytes:
        """The header lines to add to a request, and the empty line that ends the head. BadRequest: no Host
        is that.
        """
        if means.host != self._host or means.believed is not None:
            if not is_host(means.host):
                raise BadRequest("malformed Host")
            if means.believed is not None:
                return self._after(means.believed, means.host)
            self._host = means.host
            self._lines = self._after({}, means.host)
        return self._lines

    def _after(self, believed: dict[bytes, bytes], host: bytes) -> bytes:
        address = self.address.encode()
        through = believed.get(b"x-forwarded-for")
        lines = [b"X-Forwarded-For: " + (through + b", " + address if through else address)]
        if b"x-forwarded-host" not in believed:
            lines.append(b"X-Forwarded-Host: " + host)
        if b"x-forwarded-proto" not in believed:
            lines.append(b"X-Forwarded-Proto: http")
        node = b'"[' + address + b']"' if b":" in address else address or b"unknown"
        name = b'"' + host + b'"' if b":" in host else host
        lines.append(b"Forwarded: for=" + node + b";host=" + name + b";proto=http")
        return b"\r\n".join(lines) + b"\r\n\r\n"
