"""The data plane in a process of its own, with one revision, so that its memory is nothing but its own.

`python -m testkit.proxy.gateway '{"settings": {…}, "target": {…}}'` prints its port and then obeys lines:
`{"ready": port}`, `{"state": true}` (answered with a line), `{"peak": true}` (forget the highest memory so
far). It ends with its standard input.
"""

import asyncio
import contextlib
import gc
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvloop

import zerogate  # noqa: F401 - first: it decides whether the hot modules are compiled ones
from activator.edge.http.dispatch import Dispatcher
from activator.edge.http.downstream import Downstream
from activator.edge.http.listener import Listener
from activator.hold.throttle import Room
from activator.http.replies import Refusal
from activator.revision import Revision
from activator.settings import ProxySettings
from testkit.paths import ROOT
from testkit.proxy.harness import OneHost, make_revision
from zerogate.edge.process import prepare

PAGE = os.sysconf("SC_PAGE_SIZE")


class Gateway:
    """The process, from outside: `address`, and what it says of itself."""

    def __init__(self, settings: dict[str, Any] | None = None, descriptors: int = 0, **target: Any) -> None:
        """`descriptors`: how many it may have; 0 for as many as we."""
        self._told = json.dumps({"settings": settings or {}, "target": target, "descriptors": descriptors})

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "testkit.proxy.gateway", self._told],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        self.address = "127.0.0.1", self._answer()["port"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process.stdin is not None
        with self.process:
            self.process.stdin.close()

    def ready(self, port: int) -> None:
        """A pod listens there."""
        self._say({"ready": port})

    def state(self) -> dict[str, Any]:
        """Its counts, and its memory in bytes: `rss` now, `peak` since `forget_peak`."""
        self._say({"state": True})
        return self._answer()

    def settled(self, condition: Callable[..., Any], within: float = 60.0) -> dict[str, Any]:
        """The state, once this is true of it."""
        end = time.monotonic() + within
        while not condition(state := self.state()):
            assert time.monotonic() < end, f"it did not come true: {state}"
            time.sleep(0.02)
        return state

    def forget_peak(self) -> dict[str, Any]:
        """The highest memory counts anew. Returns the state."""
        self._say({"peak": True})
        return self.state()

    def _say(self, what: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(what).encode() + b"\n")
        self.process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the gateway has ended"
        found: dict[str, Any] = json.loads(line)
        return found


class _Inside(OneHost):
    """What runs in the process."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.room = Room(100_000, 256 << 20)
        self.revision = make_revision(self.room, **told["target"])
        self.settings = ProxySettings(**told["settings"])
        self.late = 0.0
        self.dispatcher = Dispatcher(
            on_first=lambda _: None, on_waiting=lambda _: None, clock=time.monotonic, settings=self.settings
        )
        self.dispatcher.on_refused = self._refused
        self.listener = Listener()

    def obey(self, what: dict[str, Any]) -> None:
        if "ready" in what:
            self.dispatcher.pod_ready(self.revision, "pod-1", "127.0.0.1", what["ready"])
        elif "peak" in what:
            gc.collect()
            Path("/proc/self/clear_refs").write_text("5")
        elif "state" in what:
            say(self.state())

    def state(self) -> dict[str, Any]:
        revision, gate = self.revision, self.listener.gate
        status = Path("/proc/self/status").read_text()
        peak = int(status.split("VmHWM:")[1].split()[0]) << 10
        return {
            "rss": int(Path("/proc/self/statm").read_text().split()[1]) * PAGE,
            "peak": peak,
            "connections": len(gate.connections),
            "accepted": gate.accepted,
            "pauses": gate.pauses,
            "waiting": revision.throttle.waiting,
            "busy": revision.throttle.busy,
            "in_flight": revision.load.in_flight,
            "held_bytes": self.room.bytes,
            "hung_up": revision.counts.hung_up,
            "cut": revision.counts.cut,
            "refused": revision.counts.refused | gate.refused,
            "late": self.late,
            "stopped": sum(not (down.flow.is_reading and down.flow.is_writable) for down in gate.connections),
            "buffered": max((_buffered(down) for down in gate.connections), default=0),
        }

    def _refused(self, refusal: Refusal, revision: Revision, seconds: float) -> None:
        if refusal.reason == "activation-timeout":
            self.late = max(self.late, seconds - revision.patience)

    async def run(self) -> None:
        await self.listener.start(("127.0.0.1", 0), self, self.dispatcher)
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        say({"port": self.listener.address[1]})
        while line := await reader.readline():
            self.obey(json.loads(line))


def _buffered(down: Downstream) -> int:
    """Bytes that a client's connection and its pod's hold in this process."""
    held = len(down.buffer) + down.transport.get_write_buffer_size()
    exchange = down.exchange
    if exchange is not None:
        held += exchange.early_size
        if exchange.up is not None:
            with contextlib.suppress(AttributeError):  # it is being connected
                held += exchange.up.transport.get_write_buffer_size()
    return held


def say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    told = json.loads(sys.argv[1])
    if told["descriptors"]:
        resource.setrlimit(resource.RLIMIT_NOFILE, (told["descriptors"],) * 2)
    prepare()
    uvloop.run(_Inside(told).run())


if __name__ == "__main__":
    main()
