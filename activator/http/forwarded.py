"""Who a request came from, as the pod is told: X-Forwarded-* and Forwarded (RFC 7239)."""

from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from activator.http.http1 import BadRequest, is_host
from activator.http.requests import Meaning

_HOST = b"\r\nX-Forwarded-Host: "
_PROTO = b"\r\nX-Forwarded-Proto: http"


class Peer:
    """The other end of a client's connection. It remembers the lines for the Host that it asked for last."""

    __slots__ = ("_before", "_host", "_lines", "_node", "address", "is_trusted")

    def __init__(self, address: str, trusted: Collection[IPv4Network | IPv6Network]) -> None:
        """`address` is an IP address, or "" when there is none (a Unix socket).

        The peer of a dual-stack socket has an IPv4-mapped address, and that of a link a zone: neither is
        part of its name for others.
        """
        self.address = _plain(address) if ":" in address else address
        self.is_trusted = bool(trusted) and bool(address) and _is_in(self.address, trusted)
        sent = self.address.encode()
        self._before = b"X-Forwarded-For: " + sent
        self._node = _quoted(sent, b'"[', b']"') or b"unknown"
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
            self._lines = self._before + _HOST + means.host + _PROTO + self._forwarded(means.host)
        return self._lines

    def _after(self, believed: dict[bytes, bytes], host: bytes) -> bytes:
        through = believed.get(b"x-forwarded-for")
        lines = b"X-Forwarded-For: " + through + b", " + self.address.encode() if through else self._before
        if b"x-forwarded-host" not in believed:
            lines += _HOST + host
        if b"x-forwarded-proto" not in believed:
            lines += _PROTO
        return lines + self._forwarded(host)

    def _forwarded(self, host: bytes) -> bytes:
        name = _quoted(host, b'"', b'"')
        return b"\r\nForwarded: for=" + self._node + b";host=" + name + b";proto=http\r\n\r\n"


def _plain(address: str) -> str:
    """An IPv6 address without its zone; an IPv4-mapped one as IPv4."""
    address = address.partition("%")[0]
    mapped = IPv6Address(address).ipv4_mapped if address.startswith("::") else None
    return address if mapped is None else str(mapped)


def _is_in(address: str, networks: Collection[IPv4Network | IPv6Network]) -> bool:
    """Whether one of the networks has this address. One of IPv6 has an IPv4 address if it has the mapped
    one.
    """
    found = ip_address(address)
    if any(found in network for network in networks):
        return True
    return isinstance(found, IPv4Address) and any(
        IPv6Address(f"::ffff:{address}") in network for network in networks
    )


def _quoted(value: bytes, before: bytes, after: bytes) -> bytes:
    """A value with a colon is no token (RFC 7239 4, 6)."""
    return before + value + after if b":" in value else value
