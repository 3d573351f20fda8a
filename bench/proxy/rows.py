"""Each figure: its load and those who bear it."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench import report
from bench.proxy import open_loop
from bench.proxy.cores import Plan, one_core, several_cores
from bench.proxy.gateway import HOST, running
from bench.proxy.names import DIRECT, ONE_HOST, ONE_WORKER, OURS
from bench.proxy.peers import Peer, others
from bench.proxy.rounds import Rounds, Turn, failed, in_turn, loaded, told
from bench.proxy.wrk import Load
from testkit.paths import ROOT

RATE = 1000
"""Requests a second of the row on latency."""
ROUTES, TAGS = 100, 100
"""Hosts of the row on many hosts: each Route has so many tags, each tag has a host."""

_HOST = f"Host: {HOST}"
LOADS = {
    "warm": Load(script="twelve.lua", arguments=(HOST,)),
    "bare": Load(headers=(_HOST,)),
    "answers": Load(connections=16, path="/mebibyte", headers=(_HOST,)),
    "uploads": Load(connections=16, script="upload.lua", arguments=(HOST,)),
    "connections": Load(headers=(_HOST, "Connection: close")),
}
"""Of the rows in which wrk asks one host. A request of 1 MiB that is not over when time is up is not counted,
hence fewer connections there. Where each request has a connection, mostly the proxy closes it first, so
that few ports of the client's wait (TIME_WAIT); to run out of them would be an error.
"""

Figures = dict[str, dict[str, Any]]


class Stage(NamedTuple):
    """The peers before the pods of one gateway; `pod` is where one of them listens."""

    plan: Plan
    peers: Sequence[Peer]
    pod: int

    def figures(self, row: str, rounds: Rounds) -> Figures:
        """The row's."""
        return self._latency(rounds) if row == "latency" else {row: self._cost(row, rounds)}

    def _cost(self, row: str, rounds: Rounds) -> dict[str, Any]:
        by_name = {peer.name: peer for peer in self.peers}
        turns = in_turn(
            [*by_name],
            rounds,
            lambda name, seconds: loaded(by_name[name], LOADS[row], seconds, self.plan),
        )
        return told(turns, cost)

    def _latency(self, rounds: Rounds) -> Figures:
        ports = {DIRECT: self.pod, **{peer.name: peer.port for peer in self.peers}}

        def turn(name: str, seconds: float) -> open_loop.Timed:
            try:
                return open_loop.run(ports[name], HOST, rate=RATE, seconds=seconds, cores=self.plan.rest)
            except (ValueError, OSError) as error:
                raise SystemExit(failed(name, error)) from error

        turns = in_turn([*ports], rounds, turn)
        return {f"latency_p{share * 100:.0f}": _added(turns, share) for share in (0.5, 0.99)}


def cost(turn: Turn) -> float:
    """µs of CPU a request."""
    return turn.cpu / turn.requests * 1e6


def _added(turns: dict[str, list[open_loop.Timed]], share: float) -> dict[str, Any]:
    """Milliseconds at that share of the requests beyond those of the same round without a proxy."""

    def at(name: str, values: Callable[[open_loop.Timed], list[float]]) -> list[float]:
        return [round(report.percentile(values(each), share) * 1000, 4) for each in turns[name]]

    direct = at(DIRECT, lambda timed: timed.latencies)
    proxied = {name: at(name, lambda timed: timed.latencies) for name in turns if name != DIRECT}
    added = {
        name: [round(own - base, 4) for own, base in zip(values, direct, strict=True)]
        for name, values in proxied.items()
    }
    late = {name: at(name, lambda timed: timed.late) for name in turns}
    return {"values": added, "direct_ms": direct, "sent_late_ms": late}


@contextmanager
def stage(folder: Path, *, with_go: bool = True, native: str = "auto") -> Iterator[Stage]:
    """The gateway and its peers, each on the proxy's core; pods and clients elsewhere."""
    plan = one_core()
    with running(folder, plan, native=native) as gateway:
        pods = gateway.pods()
        with others(folder, pods, plan.proxy, with_go=with_go) as found:
            yield Stage(plan, [gateway.peer(), *found], int(pods[0].rpartition(":")[2]))


def pure(folder: Path, rounds: Rounds) -> Figures:
    """Warm requests once more, with the hot modules as they are written."""
    with stage(folder / "pure", with_go=False, native="off") as peers:
        return {"pure": peers.figures("warm", rounds)["warm"]}


def hosts(folder: Path, rounds: Rounds) -> Figures:
    """A gateway that knows 10,000 hosts and is asked for all of them, beside one that knows one."""
    plan = one_core()
    sizes = {OURS: (ROUTES, TAGS), ONE_HOST: (1, 1)}
    with ExitStack() as stack:
        peers = {}
        for name, (routes, tags) in sizes.items():
            gateway = stack.enter_context(running(folder / name.replace(" ", "-"), plan))
            gateway.add_hosts(routes, tags)
            peers[name] = gateway.peer(name)

        def turn(name: str, seconds: float) -> Turn:
            load = Load(script="hosts.lua", arguments=tuple(map(str, sizes[name])))
            return loaded(peers[name], load, seconds, plan)

        return {"hosts": told(in_turn([*sizes], rounds, turn), cost)}


def workers(folder: Path, rounds: Rounds) -> Figures:
    """Requests answered by two gateway processes, beside one."""
    plan = several_cores()
    counts = {OURS: 2, ONE_WORKER: 1}
    if not takes_workers(max(counts.values())):
        print("without the row on workers: `zerogate up` takes one alone", flush=True)
        return {}
    with ExitStack() as stack:
        peers = {
            name: stack.enter_context(running(folder / str(count), plan, count)).peer(name)
            for name, count in counts.items()
        }
        turns = in_turn(
            [*counts], rounds, lambda name, seconds: loaded(peers[name], LOADS["warm"], seconds, plan)
        )
    found = told(turns, lambda turn: turn.requests / turn.seconds)
    cost_each = {name: [round(cost(turn), 3) for turn in given] for name, given in turns.items()}
    return {"workers": {**found, "cpu_us_a_request": cost_each, "cores_are_shared": plan.proxy == plan.rest}}


def takes_workers(count: int) -> bool:
    """Whether `zerogate up` knows of so many gateway processes."""
    asked = subprocess.run(
        [sys.executable, "-m", "zerogate", "up", "--workers", str(count), "--help"],
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    return asked.returncode == 0


APART: dict[str, Callable[[Path, Rounds], Figures]] = {"pure": pure, "hosts": hosts, "workers": workers}
"""Rows with gateways of their own."""
ROWS = ("warm", "bare", "answers", "uploads", "latency", "connections", *APART)
