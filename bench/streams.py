"""10 GiB through the gateway in each direction: `python -m bench.streams [--gib 10]`; results/streams.json.

The sender is as fast as it is let, the receiver takes nothing until everything stands still, and from then on
rests for a moment after each MiB. Ends with 1 when the gateway's memory grew by 1 MiB or more.
"""

import argparse
import socket
import threading
import time
from typing import Any

from bench import report
from testkit.proxy import streams
from testkit.proxy.gateway import Gateway
from testkit.proxy.harness import ok

MIB = 1 << 20
REST = 0.0002
"""Seconds that the receiver does nothing after each MiB."""


def slowly(connection: socket.socket, size: int) -> None:
    """Read so much, resting now and then."""
    while size:
        part = min(size, MIB)
        streams.drink(connection, part)
        size -= part
        time.sleep(REST)


def taking(size: int, may_read: threading.Event) -> Any:
    """A pod's behaviour, as `streams.taking`, but slow to the end."""

    def serve(connection: socket.socket) -> None:
        with connection:
            connection.settimeout(streams.PATIENCE)
            streams.head(connection)
            may_read.wait(streams.PATIENCE)
            slowly(connection, size)
            connection.sendall(ok(b"taken"))
            connection.recv(1)

    return serve


def passed(direction: str, size: int) -> dict[str, float]:
    """One body: seconds, MB/s, and by how much the gateway's memory grew, in KiB."""
    may_read = threading.Event()
    serve = streams.answer_of(size) if direction == "down" else taking(size, may_read)
    with streams.pod(serve) as port, Gateway(timeout=3600.0) as gateway:
        gateway.ready(port)
        before = gateway.forget_peak()["peak"]
        connection, sender = streams.asked(gateway.address, size, direction)
        gateway.settled(lambda state: state["stopped"] == 1)
        began = time.monotonic()
        may_read.set()
        connection.settimeout(3600)
        streams.head(connection)
        if sender is None:
            slowly(connection, size)
        else:
            streams.drink(connection, len(b"taken"))
        seconds = time.monotonic() - began
        connection.close()
        grown = gateway.settled(lambda state: state["in_flight"] == 0)["peak"] - before
    return {
        "seconds": round(seconds, 1),
        "mb_per_second": round(size / seconds / 1e6),
        "grown_kib": round(grown / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gib", type=float, default=10.0)
    options = parser.parse_args()
    size = int(options.gib * (1 << 30))
    found = {direction: passed(direction, size) for direction in ("down", "up")}
    rows = [["direction", "seconds", "MB/s", "memory grew by, KiB"]]
    rows += [[direction, *(f"{value:g}" for value in each.values())] for direction, each in found.items()]
    print(report.table(rows))
    print(report.written("streams", {"bytes": size, **found}))
    if any(each["grown_kib"] >= 1024 for each in found.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
