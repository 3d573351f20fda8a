"""Behind the gateway stand servers that others wrote: what they count is what we count."""

import asyncio
import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from activator.routes import Picked
from testkit.paths import ROOT
from testkit.proxy.harness import Client, Proxy, on_uvloop
from testkit.proxy.servers.build import go_server
from testkit.proxy.wire_cases import CASES, Case

SERVERS = ROOT / "testkit" / "proxy" / "servers"
FENCE = b"GET /fence HTTP/1.1\r\nHost: a\r\n\r\n"


def go_program() -> list[Path]:
    return [go_server()]


def node_program() -> list[Any]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node on this machine")
    return [node, SERVERS / "counting.mjs"]


def python_program() -> list[Any]:
    return [sys.executable, SERVERS / "counting.py"]


class Server:
    """A server as a process. `log` holds a line for each request that it has seen."""

    def __init__(self, name: str, command: list[Any], log: Path) -> None:
        self.name = name
        self._log = log
        self._read = 0
        with log.open("wb") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while not log.read_bytes().endswith(b"\n"):
            assert self._process.poll() is None, "the server ended"
            assert time.monotonic() < end, "the server did not come up"
            time.sleep(0.01)
        self.port = int(self.news()[0].split()[1])

    def news(self) -> list[str]:
        """The requests that it has seen whole since the last call."""
        data = self._log.read_bytes()
        lines = data[self._read : data.rfind(b"\n") + 1]
        self._read += len(lines)
        return [line for line in lines.decode().splitlines() if not line.endswith(" broken")]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(go_program, id="go", marks=pytest.mark.built),
        pytest.param(node_program, id="node"),
        pytest.param(python_program, id="python"),
    ],
)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One process for all cases; what it saw too late for the case that made it see it, is seen here."""
    name = request.param.__name__.partition("_")[0]
    server = Server(name, request.param(), tmp_path_factory.mktemp("counting") / f"{name}.log")
    yield server
    server.stop()
    assert server.news() == []


class ToServer(Proxy):
    """The proxy with the server as its one pod."""

    def __init__(self, server: Server) -> None:
        super().__init__(half_close=True)  # one case closes its sending side, and waits
        self.server = server

    def pick(self, host: bytes, random: float) -> Picked | None:
        return Picked(self.revision, "hello", "") if host.partition(b":")[0] == b"a" else None

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.dispatcher.pod_ready(self.revision, self.server.name, "127.0.0.1", self.server.port)
        return self


def line(seen: tuple[str, str, bytes]) -> str:
    method, target, body = seen
    return f"{method} {target} {len(body)} {hashlib.sha1(body).hexdigest()}"  # noqa: S324


async def answers(client: Client, case: Case) -> list[int]:
    """The statuses that come back, as far as they are expected to."""
    methods = [seen[0].encode() for seen in case.seen]
    found = []
    for status in case.statuses:
        answer = await client.answer(methods[0] if methods else b"GET")
        found.append(answer.status)
        if status != 100:
            del methods[:1]
    return found


@pytest.mark.parametrize("size", [1 << 20, 1], ids=["whole", "pieces"])
@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
@on_uvloop
async def test_real_servers_count_what_we_count(server: Server, case: Case, size: int) -> None:
    """Each case, in one piece and byte by byte: the answers in their order, what the server has seen whole,
    the same number by our own count, and whether the connection goes on. Another request is answered then,
    and what that one was is no surprise to the server either.
    """
    is_refused = server.name in case.refused_by
    assert server.news() == []  # nothing came late
    async with ToServer(server) as proxy:
        client = await proxy.client()
        step = max(size, len(case.data) // 500)
        for at in range(0, len(case.data), step):
            client.send(case.data[at : at + step])
            await asyncio.sleep(0)
        if case.sends_no_more:
            client.writer.write_eof()
        if is_refused:
            assert (await client.answer()).status == 400
        else:
            assert await answers(client, case) == list(case.statuses)
        if case.is_last:
            assert await client.ended()
            client.hang_up()
            client = await proxy.client()
        assert (await client.ask(FENCE)).status == 200
        counts = proxy.revision.counts
        ours = counts.requests - counts.hung_up - sum(counts.refused.values())
        expected = [] if is_refused else [line(seen) for seen in case.seen]
        assert server.news() == [*expected, line(("GET", "/fence", b""))]
        assert ours == len(expected) + is_refused + 1
