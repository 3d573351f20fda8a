"""Streams: what is sent arrives before the next is, and little of a large body is ever kept."""

import asyncio
import threading
from typing import Any

import pytest

from testkit.proxy import streams
from testkit.proxy.gateway import Gateway
from testkit.proxy.harness import GET, Proxy, on_uvloop

MIB = 1 << 20
STREAMS = 8
SIZE = 32 * MIB
"""Of each stream; all of them together have 256 MiB."""
EVENT = b"event: tick\r\ndata: %d\r\n\r\n"
KIND = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


@pytest.mark.parametrize("is_chunked", [True, False])
@on_uvloop
async def test_an_event_arrives_before_the_next_is_sent(is_chunked: bool) -> None:
    """The pod sends each server-sent event only when the client has the one before."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(KIND + (b"Transfer-Encoding: chunked\r\n\r\n" if is_chunked else b"\r\n"))
        for number in range(100):
            event = EVENT % number
            writer.write(b"%x\r\n%b\r\n" % (len(event), event) if is_chunked else event)
            assert await client_has.get() == number
        writer.write(b"0\r\n\r\n" if is_chunked else b"")

    client_has: asyncio.Queue[Any] = asyncio.Queue()
    async with Proxy() as proxy:
        await proxy.ready(serve=serve)
        client = await proxy.client()
        client.send(GET)
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(KIND)
        for number in range(100):
            event = EVENT % number
            assert await client.reader.readuntil(b"\r\n") == b"%x\r\n" % len(event)
            assert await client.reader.readexactly(len(event)) == event
            assert await client.reader.readuntil(b"\r\n") == b"\r\n"
            client_has.put_nowait(number)
        assert await client.reader.readuntil(b"0\r\n\r\n") == b"0\r\n\r\n"


@pytest.mark.parametrize("direction", ["down", "up"])
def test_a_large_body_never_fills_the_gateway(direction: str) -> None:
    """Senders are fast, receivers take nothing at first and then all: 256 MiB pass in eight streams, and the
    gateway's memory grows by less than 1 MiB for each.
    """
    may_read = threading.Event()
    serve = streams.answer_of(SIZE) if direction == "down" else streams.taking(SIZE, may_read)
    with streams.pod(serve) as port, Gateway() as gateway:
        gateway.ready(port)
        before = gateway.forget_peak()["peak"]
        clients = [streams.asked(gateway.address, SIZE, direction) for _ in range(STREAMS)]
        gateway.settled(lambda state: state["in_flight"] == STREAMS)
        gateway.settled(lambda state: state["stopped"] == STREAMS)
        may_read.set()
        for connection, sender in clients:
            head = streams.head(connection)
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            streams.drink(connection, SIZE if direction == "down" else len(b"taken"))
            if sender is not None:
                sender.join()
            connection.close()
        state = gateway.settled(lambda state: state["in_flight"] == 0)
        assert state["cut"] == 0
        assert (state["peak"] - before) / STREAMS < MIB
