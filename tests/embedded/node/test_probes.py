"""Probes against real sockets and commands."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from embedded.edge.node import probes
from embedded.edge.node.linux import proc
from embedded.edge.node.probes import Answer, Listener, Surroundings, ask, watch
from embedded.node.probing import Kind, Probe
from testkit.waiting import until

HERE = Surroundings({"PATH": os.environ["PATH"], "WORD": "hush"}, "/")


@contextlib.asynccontextmanager
async def server(answer: bytes | None, heads: list[Any] | None = None, port: int = 0) -> AsyncIterator[int]:
    """Answers each connection that speaks; None never answers. All is closed at the end."""
    over, handlers = asyncio.Event(), set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        this = asyncio.current_task()
        assert this is not None
        handlers.add(this)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            if heads is not None:
                heads.append(head.decode())
            if answer is None:
                await over.wait()
            writer.write(answer or b"")
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    served = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield served.sockets[0].getsockname()[1]
    finally:
        served.close()
        over.set()
        await asyncio.gather(*handlers)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        found: int = sock.getsockname()[1]
        return found


@pytest.mark.parametrize(
    ("answer", "is_fine", "text"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True, ""),
        (b"HTTP/1.0 302 Found\r\n\r\n", True, ""),
        (b"HTTP/1.1 503 No\r\n\r\n", False, "HTTP probe failed with statuscode: 503"),
        (b"SSH-2.0 hello\r\n\r\n", False, "HTTP probe failed with statuscode: 0"),
        (b"", False, "the connection was closed without an answer"),
        (b"x" * 5000, False, "the answer is no HTTP"),
    ],
)
async def test_an_http_probe_wants_a_status_from_200_to_399(answer: bytes, is_fine: bool, text: str) -> None:
    """Whatever else comes is a failure that says what it saw."""
    async with server(answer) as port:
        assert await ask(Probe("http", port), HERE) == Answer(is_fine, text)


async def test_an_http_probe_sends_what_is_declared() -> None:
    """Path and headers; Host may be among them."""
    heads: list[str] = []
    probe: dict[str, Any] = {"path": "/up?x=1", "headers": (("host", "me"), ("X-A", "1"))}
    async with server(b"HTTP/1.1 204 No\r\n\r\n", heads) as port:
        assert (await ask(Probe("http", port, **probe), HERE)).is_fine
    assert heads[0].startswith("GET /up?x=1 HTTP/1.1\r\nHost: me\r\nX-A: 1\r\n")
    assert "Connection: close\r\n" in heads[0]


async def test_a_probe_does_not_wait_for_ever() -> None:
    """timeoutSeconds is the limit for connection and answer."""
    async with server(None) as port:
        assert await ask(Probe("http", port, timeout=0.05), HERE) == Answer(False, "no answer within 0.05 s")


async def test_a_tcp_probe_wants_a_listener() -> None:
    """Connected is fine, refused is not."""
    async with server(b"") as port:
        assert (await ask(Probe("tcp", port), HERE)).is_fine
    assert await ask(Probe("tcp", free_port()), HERE) == Answer(False, "Connection refused")


async def test_a_connection_to_itself_is_no_answer() -> None:
    """A connect from the very port that it goes to succeeds with nobody listening."""
    port = free_port()
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.connect(("127.0.0.1", port))
    try:
        assert sock.getsockname() == sock.getpeername()
        assert not probes._unless_self(sock.getsockname(), sock.getpeername()).is_fine
    finally:
        sock.close()


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("exit 0", Answer(True, "exit code 0")),
        ("echo bad; exit 3", Answer(False, "bad")),
        ('test "$WORD" = hush', Answer(True, "exit code 0")),
    ],
)
async def test_a_command_probe_wants_exit_code_zero(script: str, expected: Answer) -> None:
    """It runs in the container's environment."""
    assert await ask(Probe("exec", command=("sh", "-c", script), timeout=60.0), HERE) == expected


async def test_a_command_probe_that_is_late_is_ended(tmp_path: Path) -> None:
    """Its processes do not go on behind its back."""
    probe = Probe("exec", command=("sh", "-c", f"echo $$ >{tmp_path}/pid; sleep 600"), timeout=1.0)
    assert await ask(probe, HERE) == Answer(False, "no answer within 1 s")
    if pid := (tmp_path / "pid").read_text() if (tmp_path / "pid").exists() else "":  # it got so far
        await until(lambda: not proc.is_alive(int(pid)), "its end")


async def test_a_command_that_does_not_exist_is_a_failure() -> None:
    """No exception reaches the prober."""
    found = await ask(Probe("exec", command=("no-such",)), HERE)
    assert not found.is_fine
    assert "no-such" in found.text


class Told:
    def __init__(self) -> None:
        self.verdicts: list[tuple[str, bool]] = []
        self.failures: list[str] = []
        self.listener = Listener(
            lambda kind, verdict: self.verdicts.append((kind, verdict)),
            lambda kind, _answer: self.failures.append(kind),
        )


@contextlib.asynccontextmanager
async def watching(
    wanted: dict[Kind, Probe], told: Told, *, is_once: bool = False
) -> AsyncIterator[asyncio.Task[Any]]:
    task = asyncio.create_task(watch(wanted, HERE, told.listener, is_once=is_once))
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_readiness_follows_the_listener_closely() -> None:
    """Asked eagerly at first: early failures count for nothing, the first success is told at once."""
    told, port = Told(), free_port()
    async with watching({"readiness": Probe("tcp", port, period=1000.0)}, told):
        await asyncio.sleep(0.1)  # some questions in vain; with fewer of them the rest is as true
        assert (told.verdicts, told.failures) == ([], [])
        async with server(b"", port=port):
            await until(lambda: told.verdicts == [("readiness", True)], "readiness")


async def test_a_default_probe_ends_with_its_first_success() -> None:
    """A container that declares no probe is not bothered any more."""
    told = Told()
    async with server(b"") as port, watching({"readiness": Probe("tcp", port)}, told, is_once=True) as task:
        await asyncio.wait_for(task, 60)
    assert told.verdicts == [("readiness", True)]


async def test_the_startup_probe_holds_the_others_back(tmp_path: Path) -> None:
    """Liveness and readiness are not asked before it succeeded."""
    told, mark = Told(), tmp_path / "started"
    begun = ("test", "-e", str(mark))
    wanted: dict[Kind, Probe] = {
        "startup": Probe("exec", command=begun, period=0.02, failure_threshold=100_000),
        "readiness": Probe("exec", command=("true",), period=0.02),
    }
    async with watching(wanted, told):
        await asyncio.sleep(0.1)  # time to ask too early
        assert told.verdicts == []
        mark.write_text("")
        await until(lambda: len(told.verdicts) == 2, "both verdicts")
    assert told.verdicts == [("startup", True), ("readiness", True)]


async def test_readiness_is_lost_and_found(tmp_path: Path) -> None:
    """Three failures in a row take it away, one success gives it back."""
    told, mark = Told(), tmp_path / "well"
    mark.write_text("")
    wanted: dict[Kind, Probe] = {"readiness": Probe("exec", command=("test", "-e", str(mark)), period=0.02)}
    async with watching(wanted, told):
        await until(lambda: told.verdicts == [("readiness", True)], "readiness")
        mark.unlink()
        await until(lambda: told.verdicts[1:] == [("readiness", False)], "its loss")
        assert len(told.failures) >= 3
        mark.write_text("")
        await until(lambda: told.verdicts[2:] == [("readiness", True)], "its return")
