"""A line in the log for each request: where `logging.enable-request-log` asks for it."""

import logging
from collections.abc import Callable

from activator.edge.http.relay import Exchange

log = logging.getLogger("zerogate.activator")


class RequestLog:
    """`told` is called when a request is over; `clock` is that of the proxy."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def told(self, exchange: Exchange, status: int, *, is_cut: bool) -> None:
        """`is_cut`: its answer broke off."""
        namespace, name = exchange.revision.key
        method, path, _ = exchange.wire.split(b" ", 2)
        seconds = self._clock() - exchange.arrived
        said = {
            "method": method.decode("latin-1"),
            "host": exchange.request.means.host.decode("latin-1"),
            "path": path.decode("latin-1"),
        }
        log.info(
            "%s %s%s → %d in %.0f ms%s", *said.values(), status, seconds * 1000, ", cut" if is_cut else "",
            extra={
                "data": {
                    **said, "status": status, "seconds": seconds, "cut": is_cut,
                    "client": exchange.down.peer.address, "namespace": namespace, "revision": name,
                }
            },
        )  # fmt: skip
