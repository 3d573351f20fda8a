"""What a second attempt at a request must know of the first, and of its client."""

import asyncio
import socket
from dataclasses import replace
from typing import Self

from activator.edge.http.listener import Listener
from activator.settings import ProxySettings
from testkit.proxy.harness import GET, HOST, Proxy, Request, on_uvloop, reset, until

PUT_BEGUN = b"PUT / HTTP/1.1\r\nHost: " + HOST + b"\r\nContent-Length: 10\r\n\r\n12345"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nX: " + b"a" * 60_000 + b"\r\n\r\n"
LARGE = 64 << 20


@on_uvloop
async def test_a_second_attempt_reads_no_faster_than_its_client() -> None:
    """If interim responses of the first attempt filled the client's buffer, the second response waits."""
    attempts = 0

    async def behave(request: Request) -> None:
        raise AssertionError("not used")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal attempts
        attempts += 1
        await reader.readuntil(b"\r\n\r\n")
        if attempts == 1:
            writer.write(INTERIM * 3)
            await until(lambda: any(not each.flow.is_writable for each in proxy.listener.gate.connections))
            reset(writer)
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE)
        for _ in range(LARGE >> 20):
            writer.write(b"x" * (1 << 20))
            await writer.drain()

    loop = asyncio.get_running_loop()
    async with Proxy() as proxy:
        await proxy.ready(behave, serve=serve)
        with socket.socket() as client:
            client.setblocking(False)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await loop.sock_connect(client, proxy.listener.address)
            await until(lambda: len(proxy.listener.gate.connections) == 1)
            (down,) = proxy.listener.gate.connections
            down.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
            await loop.sock_sendall(client, PUT_BEGUN)
            while attempts < 2:  # a byte of the body finds the reset
                await asyncio.sleep(0.05)
                if attempts == 1 and not down.flow.is_writable:
                    await loop.sock_sendall(client, b"6")
            await asyncio.sleep(0.5)  # a slow machine reads less in it
            assert down.transport.get_write_buffer_size() < 4 << 20


@on_uvloop
async def test_an_address_that_is_no_address_costs_no_slot() -> None:
    """A connect that raises anything but OSError is a connect that failed: 502, and all counts are back."""
    async with Proxy(settings=ProxySettings(unreachable_after=0.1)) as proxy:
        proxy.dispatcher.pod_ready(proxy.revision, "odd", "bad..host", 80)
        client = await proxy.client()
        answer = await client.ask(GET)
        assert (answer.status, answer.reason) == (502, "upstream-unreachable")
        assert proxy.revision.throttle.pods["odd"].connecting == 0
        assert (proxy.revision.throttle.busy, proxy.revision.load.in_flight) == (0, 0)


@on_uvloop
async def test_a_drain_without_descriptors_ends_well() -> None:
    """Connections that nobody has accepted wait for a descriptor; EMFILE ends no drain and no client."""
    listener = Listener()
    refusals = 3

    class Scarce:
        """A listening socket for whose connections there is no descriptor at first."""

        def __init__(self, own: socket.socket) -> None:
            self._own = own

        def accept(self) -> tuple[socket.socket, object]:
            nonlocal refusals
            if refusals:
                refusals -= 1
                raise OSError(24, "Too many open files")
            return self._own.accept()

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self._own.close()

    async with Proxy(settings=replace(ProxySettings(), drain_idle=60.0)) as proxy:
        await proxy.ready()
        own = socket.create_server(("127.0.0.1", 0))
        own.setblocking(False)
        shared = own.dup()
        await listener.start(shared, proxy, proxy.dispatcher)
        listener._stop_listening()
        reader, writer = await asyncio.open_connection(*own.getsockname())
        await listener._accept_the_last(Scarce(own))  # type: ignore[arg-type] # all of a socket that it uses
        writer.write(GET)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert refusals == 0
        writer.close()
        listener.close()
        shared.close()
