"""On the wire: what is malformed is refused, the connection ends, and no pod ever sees it."""

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activator.http.http1 import BadRequest, check_unfinished
from activator.settings import ProxySettings
from testkit.proxy.clock import Clock
from testkit.proxy.harness import GET, HOST, Proxy, Request, on_uvloop, post, read_answer, until
from testkit.proxy.malformed import REFUSED_BODIES, REFUSED_REQUESTS

CHUNKED = b"POST / HTTP/1.1\r\nHost: " + HOST + b"\r\nTransfer-Encoding: chunked\r\n\r\n"


@on_uvloop
async def test_malformed_heads_are_400_and_the_end() -> None:
    """Each gets 400 bad-request and a closed connection; what is hidden behind it is not read as a
    request.
    """
    async with Proxy() as proxy:
        pod = await proxy.ready()
        for name, head in REFUSED_REQUESTS.items():
            client = await proxy.client()
            answer = await client.ask(
                head.replace(b"Host: a\r\n", b"Host: " + HOST + b"\r\n") + b"5\r\n\r\n" + GET
            )
            assert (name, answer.status, answer.reason) == (name, 400, "bad-request")
            assert answer.value(b"Connection") == b"close"
            assert await client.ended()
        assert pod.requests == []
        assert proxy.listener.gate.refused == {"bad-request": len(REFUSED_REQUESTS)}


@on_uvloop
async def test_malformed_bodies_are_400_and_the_end() -> None:
    """Also when the request waits, and when its head has gone to a pod already: the pod's connection is
    cut then.
    """
    async with Proxy() as proxy:
        held = {}
        for name, body in REFUSED_BODIES.items():
            held[name] = await proxy.client()
            held[name].send(CHUNKED + body)
        for name, client in held.items():
            answer = await client.answer()
            assert (name, answer.status, answer.reason) == (name, 400, "bad-request")
            assert await client.ended()
        pod = await proxy.ready()
        for name, body in REFUSED_BODIES.items():
            client = await proxy.client()
            before = pod.connections
            client.send(CHUNKED)
            await until(lambda before=before: pod.connections > before)
            answer = await client.ask(body)
            assert (name, answer.status, answer.reason) == (name, 400, "bad-request")
        assert pod.requests == []


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost: a\n",
        b"\x00",
        b" ",
    ],
    ids=["TLS", "bare LF", "one bare LF", "NUL", "space"],
)
@on_uvloop
async def test_what_cannot_become_a_head_is_not_waited_for(data: bytes) -> None:
    """400 at once, not after the head's time is over: the proxy's clock stands still."""
    async with Proxy(clock=Clock()) as proxy:
        client = await proxy.client()
        assert (await client.ask(data)).status == 400


@pytest.mark.parametrize(
    "data", [b"Content-Length: 5\r\n", b"GET\x01"], ids=["a header", "a control character"]
)
def test_what_cannot_become_a_head_is_refused_byte_by_byte_too(data: bytes) -> None:
    """However slowly it comes, it is refused at the first byte that cannot be."""

    def feed() -> None:
        for end in range(1, len(data) + 1):
            check_unfinished(data[:end], max(end - 4, 0))

    with pytest.raises(BadRequest):
        feed()


@pytest.mark.parametrize("is_whole", [True, False])
@on_uvloop
async def test_an_answers_head_too_large(is_whole: bool) -> None:
    """502, with the end of the head in sight or not; one byte less is fine."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: "
    sizes = iter([2000, 2001])

    async def long(request: Request) -> None:
        data = head + b"x" * (next(sizes) - len(head) - 4) + b"\r\n\r\n"
        await request.reply(data if is_whole else data[:1990])
        if not is_whole:
            await asyncio.sleep(0.02)  # most likely the two are read one by one; the answer is the same
            await request.reply(data[1990:])

    async with Proxy(settings=ProxySettings(max_head=2000)) as proxy:
        await proxy.ready(long)
        client = await proxy.client()
        assert (await client.ask(GET)).status == 200
        answer = await client.ask(GET)
        assert (answer.status, answer.reason) == (502, "bad-answer")


@on_uvloop
async def test_empty_lines_before_a_request_are_tolerated() -> None:
    """As old clients send them after a body; alone they are nothing."""
    async with Proxy() as proxy:
        await proxy.ready()
        client = await proxy.client()
        for data in [
            b"\r\n" + GET,
            b"\r\n\r\n" + GET + b"\r\n",
            GET,
            post(b"x") + b"\r\n",
            b"\r\n\r\n\r\n" + GET,
        ]:
            assert (await client.ask(data)).status == 200
        for byte in b"\r\n\r\n" + GET:
            client.send(bytes((byte,)))
            await asyncio.sleep(0)
        assert (await client.answer()).status == 200


@pytest.mark.parametrize("is_whole", [True, False])
@on_uvloop
async def test_a_head_too_large(is_whole: bool) -> None:
    """431, with the end of the head in sight or not; one byte less is fine."""
    async with Proxy(settings=ProxySettings(max_head=2000)) as proxy:
        await proxy.ready()
        client = await proxy.client()
        start, end = GET[:-2] + b"X: ", b"\r\n\r\n"
        fits = start + b"x" * (2000 - len(start) - len(end)) + end
        assert (await client.ask(fits)).status == 200
        client.send(fits[:-4] + b"x" + (end if is_whole else b"x" * 4))
        answer = await client.answer()
        assert (answer.status, answer.reason) == (431, "head-too-large")
        assert await client.ended()


@on_uvloop
async def test_a_head_too_slow() -> None:
    """A client that dribbles gets 408 when its time is over, not later because of the dribbling."""
    clock = Clock()
    async with Proxy(settings=ProxySettings(head_timeout=8.0), clock=clock) as proxy:
        client = await proxy.client()
        await until(lambda: proxy.listener.gate.connections)
        (connection,) = proxy.listener.gate.connections
        for count in range(1, 9):
            client.send(GET[count - 1 : count])
            await until(lambda count=count: len(connection.buffer) == count)
            await clock.forward(0.875, proxy)
        assert proxy.listener.gate.refused == {}
        await clock.forward(1.0, proxy)
        assert proxy.listener.gate.refused == {"head-timeout": 1}
        answer = await client.answer()
        assert (answer.status, answer.reason) == (408, "head-timeout")
        assert await client.ended()


@on_uvloop
async def test_an_idle_connection_is_closed() -> None:
    """After the keep-alive timeout, whether it carried a request or not; silence in a request does not
    count.
    """

    release = asyncio.Event()

    async def slow(request: Request) -> None:
        await release.wait()
        await request.reply(b"HTTP/1.1 204 No Content\r\n\r\n")

    clock = Clock()
    async with Proxy(settings=ProxySettings(keep_alive_timeout=8.0), clock=clock) as proxy:
        pod = await proxy.ready()
        silent, busy, used = [await proxy.client() for _ in range(3)]
        connections = proxy.listener.gate.connections
        await until(lambda: len(connections) == 3)
        await used.ask(GET)
        pod.behave = slow
        answer = asyncio.create_task(busy.ask(GET))
        await until(lambda: pod.now == 1)
        await clock.forward(7.875, proxy)
        assert len(connections) == 3
        await clock.forward(0.125, proxy)
        assert await silent.ended()
        assert await used.ended()
        await until(lambda: len(connections) == 1)
        await clock.forward(8.0, proxy)
        release.set()
        assert (await answer).status == 204


@on_uvloop
async def test_a_client_that_never_reads_is_let_go() -> None:
    """Its connection ends when the total timeout is over, and its load with it."""

    async def pour(request: Request) -> None:
        await request.reply(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(1000):
            await request.reply(b"x" * 100_000)

    clock = Clock()
    async with Proxy(clock=clock, timeout=8.0) as proxy:
        await proxy.ready(pour)
        client = await proxy.client()
        transport: Any = client.writer.transport
        transport.pause_reading()
        client.send(GET)
        await until(lambda: proxy.listener.gate.connections)
        (connection,) = proxy.listener.gate.connections
        await until(lambda: not connection.flow.is_writable)
        await clock.forward(7.875, proxy)
        assert (proxy.revision.load.in_flight, proxy.revision.counts.cut) == (1, 0)
        await clock.forward(0.125, proxy)
        assert proxy.revision.counts.cut == 1
        await until(lambda: proxy.revision.load.in_flight == 0)  # once the loop has told of the end


@on_uvloop
async def test_an_answer_counts_until_the_kernel_has_it() -> None:
    """The load ends when the client has taken the answer, the pod's slot when the pod has given it."""
    big = b"x" * 20_000_000

    async def all_at_once(request: Request) -> None:
        await request.reply(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(big) + big)

    async with Proxy() as proxy:
        await proxy.ready(all_at_once)
        client = await proxy.client()
        client.send(GET + GET)
        assert (await client.answer()).body == big
        assert (await client.answer()).body == big
        await until(lambda: proxy.revision.load.in_flight == 0)
        assert proxy.entered == proxy.left == 2


SCRIPT = [
    (GET, b"GET"),
    (post(b"body"), b"POST"),
    (CHUNKED + b"3\r\nabc\r\n1;x\r\nd\r\n0\r\nX-T: 1\r\n\r\n", b"POST"),
    (b"HEAD / HTTP/1.1\r\nHost: " + HOST + b"\r\nConnection: keep-alive\r\n\r\n", b"HEAD"),
    (b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n", b"GET"),
    (GET, b"GET"),
]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(1, sum(len(data) for data, _ in SCRIPT)), max_size=12))
def test_any_split_of_an_exchange_gives_the_same_bytes(cuts: list[int]) -> None:
    """However requests are cut into pieces, the pod and the client see the same."""
    data = b"".join(part for part, _ in SCRIPT)
    places = sorted({0, *cuts, len(data)})

    @on_uvloop
    async def exchange() -> None:
        async with Proxy() as proxy:
            pod = await proxy.ready(echo)
            client = await proxy.client()
            for start, end in itertools.pairwise(places):
                client.send(data[start:end])
                await asyncio.sleep(0.0005)  # most likely each piece is read by itself
            answers = [await read_answer(client.reader, method) for _, method in SCRIPT]
            assert [answer.status for answer in answers] == [200, 200, 200, 200, 404, 200]
            assert [answer.body for answer in answers][:4] == [b"", b"body", b"abcd", b""]
            assert [request.trailers for request in pod.requests] == [b"", b"", b"X-T: 1\r\n", b"", b""]

    exchange()


async def echo(request: Request) -> None:
    body = b"" if request.method == b"HEAD" else request.body
    await request.reply(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
