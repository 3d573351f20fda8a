"""Asking containers how they are, and telling their pod when the answers amount to news.

A gRPC probe is asked as TCP only. Until a container first answers it is asked more often than its period says
(see `Probe.pace`); those early failures count for nothing.
"""

import asyncio
import contextlib
import os
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from embedded.edge.node.linux.process import spawn, why_not_started
from embedded.node.pod_status import LOOPBACK
from embedded.node.probing import Kind, Probe, Tally

_HEAD = 1024
_OUTPUT = 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether the container is fine, and why not."""

    is_fine: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a command probe runs in: the container's environment and folder."""

    env: Mapping[str, str]
    folder: str


async def ask(probe: Probe, surroundings: Surroundings) -> Answer:
    """Ask once; every failure is an answer."""
    try:
        async with asyncio.timeout(probe.timeout):
            if probe.action == "exec":
                return await _run(probe.command, surroundings)
            return await (_connect(probe) if probe.action == "tcp" else _get(probe))
    except TimeoutError:
        return Answer(is_fine=False, text=f"no answer within {probe.timeout:g} s")
    except OSError as error:
        # The event loops word it differently; the number means the same.
        return Answer(is_fine=False, text=os.strerror(error.errno) if error.errno else str(error))
    except asyncio.IncompleteReadError:
        return Answer(is_fine=False, text="the connection was closed without an answer")
    except asyncio.LimitOverrunError:
        return Answer(is_fine=False, text="the answer is no HTTP")


async def _connect(probe: Probe) -> Answer:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)  # noqa: FBT003 - the standard library has it so
        await loop.sock_connect(sock, (probe.host or LOOPBACK, probe.port))
        return _unless_self(sock.getsockname(), sock.getpeername())


def _unless_self(own: object, peer: object) -> Answer:
    """A free port in the ephemeral range can connect to itself: both ends are one, and nobody listens."""
    if own == peer:
        return Answer(is_fine=False, text="the connection reached itself: nobody listens")
    return Answer(is_fine=True)


async def _get(probe: Probe) -> Answer:
    context = None
    if probe.scheme == "https":
        # As the kubelet does: a probe asks whether it works, not who it is.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host = probe.host or LOOPBACK
    reader, writer = await asyncio.open_connection(host, probe.port, ssl=context, limit=_HEAD)
    try:
        met = _unless_self(writer.get_extra_info("sockname"), writer.get_extra_info("peername"))
        if not met.is_fine:
            return met
        writer.write(_request(probe, host))
        line = (await reader.readuntil(b"\n")).split()
    finally:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            await writer.wait_closed()
    status = int(line[1]) if len(line) > 1 and line[0].startswith(b"HTTP/") and line[1].isdigit() else 0
    is_fine = 200 <= status < 400
    return Answer(is_fine, "" if is_fine else f"HTTP probe failed with statuscode: {status}")


def _request(probe: Probe, host: str) -> bytes:
    headers = {name.title(): value for name, value in probe.headers}
    headers.setdefault("Host", f"{host}:{probe.port}")
    headers.setdefault("User-Agent", "kube-probe/zerogate")
    headers.setdefault("Accept", "*/*")
    headers["Connection"] = "close"
    lines = [f"GET {probe.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _run(command: tuple[str, ...], surroundings: Surroundings) -> Answer:
    output = os.memfd_create("probe", os.MFD_CLOEXEC)
    try:
        process = spawn(command, surroundings.env, surroundings.folder, output)
        try:
            code = await process.wait()
        finally:
            process.kill()
            await process.wait()
        text = os.pread(output, _OUTPUT, 0).decode(errors="replace").strip()
    except OSError as error:
        return Answer(is_fine=False, text=why_not_started(error, command, surroundings.folder))
    finally:
        os.close(output)
    return Answer(code == 0, text or f"exit code {code}")


@dataclass(frozen=True, slots=True)
class Listener:
    """Whom the probes of a container tell."""

    on_verdict: Callable[[Kind, bool], None]
    on_failure: Callable[[Kind, Answer], None]


async def watch(
    probes: Mapping[Kind, Probe], surroundings: Surroundings, listener: Listener, *, is_once: bool
) -> None:
    """Run a container's probes until cancelled: the startup probe first, then the others side by side.

    `on_verdict` hears of each change of mind, `on_failure` of each failure that counts. `is_once`: readiness
    is not asked again after the first success.
    """
    if "startup" in probes:
        await _follow("startup", probes["startup"], surroundings, listener, is_once=True)
    async with asyncio.TaskGroup() as group:
        for kind in ("liveness", "readiness"):
            if kind in probes:
                once = is_once and kind == "readiness"
                group.create_task(_follow(kind, probes[kind], surroundings, listener, is_once=once))


async def _follow(
    kind: Kind, probe: Probe, surroundings: Surroundings, listener: Listener, *, is_once: bool
) -> None:
    began = time.monotonic()
    await asyncio.sleep(probe.initial_delay)
    tally, verdict, counted = Tally(probe), None, began + probe.initial_delay
    is_eager = kind != "liveness"
    while True:
        answer = await ask(probe, surroundings)
        now = time.monotonic()
        if answer.is_fine or not is_eager or now - counted >= probe.period:
            counted = now
            news = tally.observe(answered=answer.is_fine)
            if not answer.is_fine:
                listener.on_failure(kind, answer)
            if news is not None and news is not verdict:
                verdict = news
                listener.on_verdict(kind, verdict)
                if verdict and is_once:
                    return
            is_eager = is_eager and not verdict
        await asyncio.sleep(probe.pace(now - began) if is_eager else probe.period)
