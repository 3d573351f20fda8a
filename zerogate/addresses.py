"""Addresses as flags spell them: "127.0.0.1:8080", "[::1]:8080", ":8080"."""

from typing import NamedTuple


class Address(NamedTuple):
    """Where to listen or connect; host "" means all addresses."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """An http URL that reaches it from this machine."""
        host = self.host if self.host not in {"", "0.0.0.0"} else "127.0.0.1"
        return f"http://{Address(host, self.port)}"


def parse_address(text: str) -> Address:
    """Read "host:port". Raises ValueError that says how to write it."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is no address; write host:port, for example 127.0.0.1:8080")
    return Address(host, int(port))
