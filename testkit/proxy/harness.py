"""A proxy with real sockets on uvloop, pods as small asyncio servers, and clients that send bytes."""

import asyncio
import contextlib
import dataclasses
import functools
import random
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

import uvloop

from activator.edge.http.dispatch import Dispatcher
from activator.edge.http.downstream import RESET
from activator.edge.http.listener import Listener
from activator.hold.throttle import Room
from activator.revision import Revision
from activator.routes import Picked
from activator.settings import ProxySettings
from serving.targets import scale_target
from testkit import waiting

HOST = b"hello.default.example.com"
GET = b"GET / HTTP/1.1\r\nHost: " + HOST + b"\r\n\r\n"
DEADLINE = 180.0
"""Seconds after which a test has hung. A machine that is five times slower, and busy, is no defect."""

PATIENT = ProxySettings(connect_timeout=60.0, unreachable_after=60.0)
"""What a proxy has that is given no settings: a connect is not late because the machine stood still."""


def on_uvloop(test: Callable[..., Any]) -> Callable[..., Any]:
    """Run an async test on the loop that production uses, with a deadline."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(DEADLINE):
                await test(*args, **kwargs)

        uvloop.run(bounded())

    return run


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection so that the other side gets a reset, not an end."""
    if not writer.transport.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()


async def until(condition: Callable[..., Any], within: float = 90.0) -> None:
    """Wait for a condition, longer than any deadline of a connection."""
    await waiting.until(condition, within=within)


def post(body: bytes = b"", *more: bytes, method: bytes = b"POST") -> bytes:
    lines = [method + b" / HTTP/1.1", b"Host: " + HOST, b"Content-Length: %d" % len(body), *more]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def ok(body: bytes = b"Hello World!\n", *more: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *more, b"", body])


class _Head:
    """The header lines of a request or an answer."""

    lines: list[bytes]

    def values(self, name: bytes) -> list[bytes]:
        found = [line.partition(b":") for line in self.lines]
        return [value.strip() for key, _, value in found if key.lower() == name.lower()]

    def value(self, name: bytes) -> bytes | None:
        values = self.values(name)
        return values[0] if values else None


class Answer(_Head):
    """An answer as a client reads it: status, header lines, content, trailers; `raw` is every byte of it."""

    def __init__(self, head: bytes, body: bytes, trailers: bytes = b"") -> None:
        self.head = head
        self.status = int(head.split(b" ", 2)[1])
        self.lines = head.split(b"\r\n")[1:-2]
        self.body = body
        self.trailers = trailers

    def __repr__(self) -> str:
        return f"<Answer {self.head!r} {self.body[:80]!r}>"

    @property
    def reason(self) -> str:
        return (self.value(b"Zerogate-Reason") or b"").decode()


class Client:
    """A connection to the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self, method: bytes = b"GET") -> Answer:
        """Read one answer; IncompleteReadError or ConnectionError when it is cut."""
        return await read_answer(self.reader, method)

    async def ask(self, data: bytes, method: bytes = b"GET") -> Answer:
        self.send(data)
        return await self.answer(method)

    async def ended(self) -> bool:
        """Whether the proxy closed the connection, and sent nothing before."""
        with contextlib.suppress(ConnectionError):
            return await self.reader.read(1) == b""
        return True

    def hang_up(self) -> None:
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def read_answer(reader: asyncio.StreamReader, method: bytes = b"GET") -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    answer = Answer(head, b"")
    if method == b"HEAD" or answer.status < 200 or answer.status in (204, 304):
        return answer
    if answer.value(b"Transfer-Encoding") == b"chunked":
        answer.body, answer.trailers = await read_chunks(reader)
    elif (length := answer.value(b"Content-Length")) is not None:
        answer.body = await reader.readexactly(int(length))
    else:
        answer.body = await reader.read()
    return answer


async def read_chunks(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    content = b""
    while True:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        if not size:
            break
        content += await reader.readexactly(size)
        assert await reader.readexactly(2) == b"\r\n"
    trailers = b""
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        trailers += line
    return content, trailers


class Request(_Head):
    """A request as a pod sees it."""

    def __init__(self, head: bytes, body: bytes, trailers: bytes, writer: asyncio.StreamWriter) -> None:
        self.head = head
        self.line = head.split(b"\r\n")[0]
        self.method = self.line.split(b" ")[0]
        self.lines = head.split(b"\r\n")[1:-2]
        self.body = body
        self.trailers = trailers
        self.writer = writer

    async def reply(self, data: bytes) -> None:
        if self.writer.transport.is_closing():
            raise ConnectionResetError("the proxy has left")
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        reset(self.writer)


async def hello(request: Request) -> None:
    await request.reply(ok())


class Pod:
    """A server. `behave(request)` answers each request; `serve(reader, writer)` may be replaced as a
    whole.
    """

    def __init__(
        self,
        behave: Callable[..., Any] = hello,
        *,
        uid: str = "pod-1",
        serve: Callable[..., Any] | None = None,
    ) -> None:
        self.behave = behave
        self.uid = uid
        self.serve = serve or self._serve
        self.requests: list[Request] = []
        self.connections = 0
        self.most = 0
        self.now = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._server: Any = None

    async def start(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def refuse_from_now(self) -> None:
        """As a process that has exited: its port refuses, its connections are closed."""
        self._server.close()
        for writer in [*self._writers]:
            writer.transport.abort()

    async def stop(self) -> None:
        self.refuse_from_now()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        task = asyncio.create_task(self.serve(reader, writer))
        self._tasks.add(task)
        try:
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await read_request(reader, writer)
            self.requests.append(request)
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                await self.behave(request)
            finally:
                self.now -= 1
            if writer.transport.is_closing():
                return


async def in_pieces(writer: asyncio.StreamWriter, data: bytes, size: int) -> None:
    """Send data in pieces of this size, each by itself as far as the kernel lets it."""
    for at in range(0, len(data), size):
        writer.write(data[at : at + size])
        await writer.drain()
        await asyncio.sleep(0)


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request:
    request = Request(await reader.readuntil(b"\r\n\r\n"), b"", b"", writer)
    if request.value(b"Expect") is not None:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if request.value(b"Transfer-Encoding") == b"chunked":
        request.body, request.trailers = await read_chunks(reader)
    elif (length := request.value(b"Content-Length")) is not None:
        request.body = await reader.readexactly(int(length))
    return request


def make_revision(room: Room, **fields: Any) -> Revision:
    """A revision of a plain Deployment; `fields` replace those of its scale target."""
    target = scale_target({"metadata": {"namespace": "default", "name": "hello"}, "spec": {}})
    target = dataclasses.replace(target, **fields)
    return Revision(target, process=room, random=random.random)


class Told(Protocol):
    """What the proxy is told of a pod."""

    @property
    def uid(self) -> str: ...

    @property
    def port(self) -> int: ...


class OneHost:
    """Routes HOST to one revision, as `activator.routes.Router` does many."""

    revision: Revision

    def pick(self, host: bytes, random: float) -> Picked | None:
        return Picked(self.revision, "hello", "") if host.partition(b":")[0] == HOST else None

    def pick_tagged(self, host: bytes, tag: bytes, random: float) -> Picked | None:
        return self.pick(host, random)

    def knows(self, host: bytes) -> bool:
        return self.pick(host, 0.0) is not None


class Proxy(OneHost):
    """The proxy under test with one revision; leaving it checks that every count is back at zero."""

    def __init__(
        self,
        *,
        settings: ProxySettings | None = None,
        clock: Callable[[], float] = time.monotonic,
        **fields: Any,
    ) -> None:
        self.room = Room(100_000, 256 << 20)
        self.settings = settings or PATIENT
        self.revision = make_revision(self.room, **fields)
        self.first: list[Revision] = []
        self.waits: list[Revision] = []
        self.cold_starts: list[tuple[float, dict[str, Any]]] = []
        self.empty: list[str] = []
        self.dispatcher = Dispatcher(
            on_first=self.first.append,
            on_waiting=self.waits.append,
            clock=clock,
            settings=self.settings,
        )
        self.dispatcher.on_cold_start = lambda _revision, *told: self.cold_starts.append(told)
        self.dispatcher.on_pod_empty = lambda _revision, uid: self.empty.append(uid)
        self.listener = Listener()
        self._pods: list[Pod] = []
        self._clients: list[Client] = []

    async def __aenter__(self) -> Self:
        await self.listener.start(("127.0.0.1", 0), self, self.dispatcher)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.hang_up()
        try:
            if error is None:
                await until(lambda: not self.listener.gate.connections)
                self.check_settled()
        finally:
            self.listener.close()
            self.dispatcher.revision_gone(self.revision)
            for pod in self._pods:
                await pod.stop()
            self.dispatcher.close()

    def check_settled(self) -> None:
        revision = self.revision
        assert (revision.load.in_flight, self.left) == (0, self.entered)
        assert (revision.throttle.busy, revision.throttle.waiting) == (0, 0)
        assert (self.room.requests, self.room.bytes) == (0, 0)
        assert (revision.throttle.own.requests, revision.throttle.own.bytes) == (0, 0)
        assert all(pod.in_flight == pod.connecting == 0 for pod in revision.throttle.pods.values())

    async def client(self) -> Client:
        client = Client(*await asyncio.open_connection(*self.listener.address))
        self._clients.append(client)
        return client

    async def start(self, pod: Pod) -> Pod:
        """Start a pod, not yet known to the proxy."""
        self._pods.append(pod)
        return await pod.start()

    async def ready(self, behave: Callable[..., Any] = hello, **options: Any) -> Pod:
        """Start a pod and tell the proxy."""
        pod = await self.start(Pod(behave, **options))
        self.tell(pod)
        return pod

    def tell(self, pod: Told) -> None:
        self.dispatcher.pod_ready(self.revision, pod.uid, "127.0.0.1", pod.port)

    def gone(self, pod: Pod) -> None:
        self.dispatcher.pod_gone(self.revision, pod.uid)

    @property
    def waiting(self) -> int:
        return self.revision.throttle.waiting

    @property
    def entered(self) -> int:
        """Requests that the load has counted."""
        return self.revision.counts.requests

    @property
    def left(self) -> int:
        """Those of them that it counts no more."""
        return self.entered - self.revision.load.in_flight
