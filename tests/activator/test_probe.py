"""Pods are asked often, cheaply and one try at a time, and an answer is believed only if it is one."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activator.cluster.rhythm import FIRST_TIMEOUT, LONGEST_TIMEOUT, SLOWEST, SLOWEST_IDLE, STEP, Rhythm
from activator.edge.cluster import probe as probe_module
from activator.edge.cluster.probe import Aim, Prober, aim_at, answers, is_yes, request_head
from serving.targets import Probe, scale_target
from testkit.waiting import until

TCP = Probe("none", "", (), 8080, "", trusted_early=True)
HTTP = Probe("http", "/ready", (("X-From", "kubelet"),), 8080, "http", trusted_early=True)


def test_tries_are_5_ms_apart_for_a_second_then_double_to_250_ms() -> None:
    """The pauses of a pod that something waits for, and of one that nothing waits for."""
    for is_urgent, slowest in [(True, SLOWEST), (False, SLOWEST_IDLE)]:
        rhythm = Rhythm(10.0)
        assert [rhythm.pause(now, crowd=1, is_urgent=is_urgent) for now in (10.0, 10.5, 10.99)] == [STEP] * 3
        later = [rhythm.pause(11.0 + each, crowd=1, is_urgent=is_urgent) for each in range(12)]
        assert later[:3] == [2 * STEP, 4 * STEP, 8 * STEP]
        assert later[-1] == slowest
        rhythm.quicken(30.0)
        assert rhythm.pause(30.5, crowd=1, is_urgent=is_urgent) == STEP


def test_a_crowd_of_pods_is_asked_less_often_each() -> None:
    """A hundred pods together get no more tries than twenty."""
    assert Rhythm(0.0).pause(0.5, crowd=100, is_urgent=True) == 5 * STEP


def test_a_slow_answer_gets_longer_next_time() -> None:
    """Timeouts grow from 300 ms, and end."""
    rhythm = Rhythm(0.0)
    assert rhythm.timeout == FIRST_TIMEOUT
    for _ in range(20):
        rhythm.timed_out()
    assert rhythm.timeout == LONGEST_TIMEOUT


@pytest.mark.parametrize(
    ("line", "yes"),
    [
        (b"HTTP/1.1 200 OK\r\n", True),
        (b"HTTP/1.0 204\r\n", True),
        (b"HTTP/1.1 302 Found\r\n", True),
        (b"HTTP/1.1 404 Not Found\r\n", False),
        (b"HTTP/1.1 503 Service Unavailable\r\n", False),
        (b"HTTP/1.1\r\n", False),
        (b"SSH-2.0-OpenSSH 200 x\r\n", False),
        (b"", False),
    ],
)
def test_which_status_is_a_yes(line: bytes, yes: bool) -> None:
    """200 to 399, as for the kubelet."""
    assert is_yes(line) == yes


def test_the_probe_asks_as_declared() -> None:
    """Path and headers are the manifest's."""
    head = request_head(Aim("10.0.0.7", 9000, HTTP))
    assert head.startswith(b"GET /ready HTTP/1.1\r\nHost: 10.0.0.7:9000\r\n")
    assert b"\r\nX-From: kubelet\r\n" in head
    assert head.endswith(b"\r\nConnection: close\r\n\r\n")


def test_where_a_pod_is_asked() -> None:
    """On the pod's own port, or on the probe's when that is another one."""
    container = {"ports": [{"containerPort": 8080}], "readinessProbe": {"tcpSocket": {"port": 9090}}}
    for declared, asked in [({}, 20001), (container, 9090)]:
        spec = {"template": {"spec": {"containers": [declared]}}}
        target = scale_target({"metadata": {"name": "hello", "namespace": "default"}, "spec": spec})
        assert aim_at("127.0.0.1", 20001, target).port == asked


@contextlib.asynccontextmanager
async def pod(*answer_lines: bytes) -> AsyncIterator[Any]:
    """A server that answers what is asked with the lines in turn, the last one again and again."""
    lines = [*answer_lines] or [b""]
    seen = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(lines.pop(0) if len(lines) > 1 else lines[0])
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], seen


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found


async def test_a_listening_pod_answers() -> None:
    """A connect is an answer where no path is declared."""
    async with pod() as (port, _):
        assert await answers(Aim("127.0.0.1", port, TCP))


async def test_a_pod_that_does_not_listen_refuses() -> None:
    """Nobody there: an OSError, which means not yet."""
    with pytest.raises(OSError):  # noqa: PT011 - refused or reset, as the kernel likes
        await answers(Aim("127.0.0.1", free_port(), TCP))


async def test_a_connection_to_itself_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ends are equal: a socket bound to the port that it connects to answers nobody."""
    port = free_port()
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    monkeypatch.setattr(socket, "socket", lambda *_: made)
    assert not await answers(Aim("127.0.0.1", port, TCP))


async def test_a_declared_path_has_to_say_yes() -> None:
    """The readiness path's status decides."""
    for line, yes in [(b"HTTP/1.1 200 OK\r\n\r\n", True), (b"HTTP/1.1 503 No\r\n\r\n", False), (b"?", False)]:
        async with pod(line) as (port, seen):
            assert await answers(Aim("127.0.0.1", port, HTTP)) is yes
            assert seen[0].startswith(b"GET /ready ")


@contextlib.asynccontextmanager
async def prober() -> AsyncIterator[tuple[Prober, asyncio.Queue[Any]]]:
    answered: asyncio.Queue[Any] = asyncio.Queue()
    made = Prober(answered.put_nowait)
    running = asyncio.create_task(made.run())
    await asyncio.sleep(0)
    try:
        yield made, answered
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_pod_is_found_the_moment_it_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod that begins to listen while it is asked is told by the next try, and once."""
    port, tries = free_port(), 0

    async def counted(aim: Aim) -> bool:
        nonlocal tries
        tries += 1
        return await answers(aim)

    monkeypatch.setattr(probe_module, "answers", counted)
    async with prober() as (asking, answered):
        asking.ask("u1", Aim("127.0.0.1", port, TCP), lambda: True)
        await until(lambda: tries > 2, "tries in vain")
        assert answered.empty()
        async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port):
            before = tries  # the last of them may be under way, and be refused
            assert await asyncio.wait_for(answered.get(), 60) == "u1"
        assert before <= tries <= before + 1
        assert "u1" not in asking


async def test_a_path_is_asked_until_it_says_yes() -> None:
    """A pod that answers 503 at first is asked on."""
    async with (
        prober() as (asking, answered),
        pod(b"HTTP/1.1 503 No\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n") as (
            port,
            seen,
        ),
    ):
        asking.ask("u1", Aim("127.0.0.1", port, HTTP), lambda: True)
        assert await asyncio.wait_for(answered.get(), 60) == "u1"
        assert len(seen) == 2


async def test_a_forgotten_pod_is_asked_no_more() -> None:
    """After `forget` no answer comes, even if the pod begins to listen."""
    port = free_port()
    async with prober() as (asking, answered):
        asking.ask("u1", Aim("127.0.0.1", port, TCP), lambda: True)
        asking.ask("u2", Aim("127.0.0.1", port, TCP), lambda: True)
        asking.forget("u1")
        async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port):
            assert await asyncio.wait_for(answered.get(), 60) == "u2"
            assert answered.empty()
