"""Asks pods whether they answer, long before Kubernetes says so: one try in flight per pod.

A try is a TCP connect, or the declared HTTP readiness path. A connect whose two ends are equal connected to
itself (a port of the ephemeral range, tried often enough, does that) and is no answer.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

from activator.cluster.rhythm import Rhythm
from serving.targets import Probe, ScaleTarget

log = logging.getLogger("zerogate.activator")

MAX_HEAD = 4096


@dataclass(frozen=True, slots=True)
class Aim:
    """What to ask: where, and how."""

    address: str
    port: int
    probe: Probe


def aim_at(address: str, port: int, target: ScaleTarget) -> Aim:
    """The probe of a pod that takes requests at `port`; a port of its own for probes is asked there."""
    probe = target.probe
    return Aim(address, port if probe.port in {0, target.port} else probe.port, probe)


class _Asked:
    """A pod that is being asked."""

    def __init__(self, aim: Aim, is_urgent: Callable[[], bool]) -> None:
        self.aim = aim
        self.is_urgent = is_urgent
        self.rhythm = Rhythm(time.monotonic())
        self.hurry = asyncio.Event()
        self.task: asyncio.Task[None] | None = None


class Prober:
    """The pods being asked. `on_answer` gets the UID of one that answered; it is not asked any more then."""

    def __init__(self, on_answer: Callable[[str], None]) -> None:
        self._on_answer = on_answer
        self._asked: dict[str, _Asked] = {}
        self._group: asyncio.TaskGroup | None = None

    def __repr__(self) -> str:
        return f"<Prober of {len(self._asked)} pods>"

    def __contains__(self, uid: object) -> bool:
        return uid in self._asked

    async def run(self) -> None:
        """Ask whom `ask` names; ends by cancellation, or by a defect in a try."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                for uid in self._asked:
                    self._begin(uid)
                await asyncio.Event().wait()
            finally:
                self._group = None

    def ask(self, uid: str, aim: Aim, is_urgent: Callable[[], bool]) -> None:
        """Ask this pod until it answers or `forget` is called. `is_urgent`: whether anything waits for it."""
        asked = self._asked.get(uid)
        if asked is not None and asked.aim == aim:
            return
        self.forget(uid)
        self._asked[uid] = _Asked(aim, is_urgent)
        self._begin(uid)

    def hurry(self, uid: str) -> None:
        """Something began to wait for this pod, or it changed: ask it now, and often again."""
        asked = self._asked.get(uid)
        if asked is not None:
            asked.rhythm.quicken(time.monotonic())
            asked.hurry.set()

    def forget(self, uid: str) -> None:
        """Ask this pod no more."""
        asked = self._asked.pop(uid, None)
        if asked is not None and asked.task is not None:
            asked.task.cancel()

    def _begin(self, uid: str) -> None:
        if self._group is not None:
            asked = self._asked[uid]
            asked.task = self._group.create_task(self._insist(uid, asked))

    async def _insist(self, uid: str, asked: _Asked) -> None:
        rhythm = asked.rhythm
        while not await self._try(asked):
            pause = rhythm.pause(time.monotonic(), crowd=len(self._asked), is_urgent=asked.is_urgent())
            asked.hurry.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await asked.hurry.wait()
        if self._asked.get(uid) is asked:
            del self._asked[uid]
            self._on_answer(uid)

    async def _try(self, asked: _Asked) -> bool:
        try:
            async with asyncio.timeout(asked.rhythm.timeout):
                return await answers(asked.aim)
        except TimeoutError:
            asked.rhythm.timed_out()
        except OSError:
            pass  # refused, reset, no route yet: all of them mean "not yet"
        return False


async def answers(aim: Aim) -> bool:
    """One try. Raises OSError when the pod refuses or can't be reached."""
    if aim.probe.kind == "http":
        return await _answers_http(aim)
    with await _connected(aim.address, aim.port) as connection:
        return not _is_own(connection)


async def _connected(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(0)
        await asyncio.get_running_loop().sock_connect(connection, (address, port))
    except BaseException:
        connection.close()
        raise
    return connection


def _is_own(connection: socket.socket) -> bool:
    """Whether the connection leads to itself."""
    return bool(connection.getsockname() == connection.getpeername())


async def _answers_http(aim: Aim) -> bool:
    """GET the readiness path; 200 to 399 is a yes, as for the kubelet."""
    connection = await _connected(aim.address, aim.port)
    if _is_own(connection):
        connection.close()
        return False
    tls = _unverified() if aim.probe.scheme == "https" else None
    reader, writer = await asyncio.open_connection(
        sock=connection, ssl=tls, server_hostname="" if tls else None, limit=MAX_HEAD
    )
    try:
        writer.write(request_head(aim))
        status_line = await reader.readline()
    except ValueError:
        return False  # no line end within MAX_HEAD bytes
    finally:
        writer.close()
    return is_yes(status_line)


def request_head(aim: Aim) -> bytes:
    """The probe's request; headers that the manifest declares come in place of ours."""
    host = f"[{aim.address}]" if ":" in aim.address else aim.address
    fields = {"Host": f"{host}:{aim.port}", "User-Agent": "zerogate-probe", "Accept": "*/*"}
    fields = {**fields, **dict(aim.probe.headers), "Connection": "close"}
    lines = [f"GET {aim.probe.path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def is_yes(status_line: bytes) -> bool:
    """Whether a status line says 200 to 399."""
    parts = status_line.strip().split(b" ", 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit():
        return False
    return 200 <= int(parts[1]) < 400


def _unverified() -> ssl.SSLContext:
    """Probes do not check certificates, just as the kubelet's do not."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
