"""Which ports a process listens on, read from Linux' /proc/net/tcp and /proc/net/tcp6."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

_LISTEN = "0A"


@dataclass(frozen=True, slots=True, order=True)
class Listener:
    """A listening TCP socket."""

    port: int
    address: str
    inode: int

    @property
    def takes_loopback(self) -> bool:
        """Whether a connection to 127.0.0.1 reaches it."""
        address = ipaddress.ip_address(self.address)
        mapped = getattr(address, "ipv4_mapped", None)
        return address.is_unspecified or str(mapped or address) == "127.0.0.1"


def parse_listeners(text: str) -> list[Listener]:
    """The listening sockets of a /proc/net/tcp or tcp6 table."""
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN:
            address, _, port = fields[1].partition(":")
            found.append(Listener(int(port, 16), _address(address), int(fields[9])))
    return found


def _address(hexadecimal: str) -> str:
    """The kernel prints addresses as 32-bit words in the machine's byte order (little endian)."""
    words = [hexadecimal[start : start + 8] for start in range(0, len(hexadecimal), 8)]
    packed = b"".join(bytes.fromhex(word)[::-1] for word in words)
    return str(ipaddress.ip_address(packed))


def misplaced(listeners: Iterable[Listener], inodes: frozenset[int], port: int) -> str:
    """Why a process with these sockets can't be reached on its port; "" when it can or listens nowhere."""
    own = sorted(each for each in listeners if each.inode in inodes)
    if not own or any(each.port == port and each.takes_loopback for each in own):
        return ""
    elsewhere = [each for each in own if each.port == port]
    if elsewhere:
        return (
            f"listens on {elsewhere[0].address}:{port}, not on 127.0.0.1:{port}: "
            "let it listen on all addresses (0.0.0.0) or on 127.0.0.1"
        )
    ports = ", ".join(str(port) for port in sorted({each.port for each in own}))
    return (
        f"listens on {ports}, not on $PORT ({port}): let it read its port from the environment variable "
        "PORT, or pass it as $(PORT) in the container's args"
    )
