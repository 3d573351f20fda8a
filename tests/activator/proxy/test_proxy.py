"""What a client and a pod see of the proxy between them when nothing goes wrong."""

import asyncio
from typing import Any

import pytest

from activator.settings import ProxySettings
from testkit.proxy.harness import (
    GET,
    HOST,
    Pod,
    Proxy,
    Request,
    in_pieces,
    ok,
    on_uvloop,
    post,
    read_request,
    until,
)


@on_uvloop
async def test_a_warm_request_is_passed_on_and_answered() -> None:
    """The pod gets the request as it came, without hop-by-hop headers, and told who asked; the client gets
    the answer.
    """
    async with Proxy() as proxy:
        pod = await proxy.ready()
        client = await proxy.client()
        answer = await client.ask(
            b"GET /a?b=c HTTP/1.1\r\nhost: "
            + HOST
            + b":8080\r\nX-One: 1\r\nConnection: keep-alive, X-Named\r\n"
            b"Keep-Alive: timeout=5\r\nX-Named: gone\r\nTE: trailers\r\n"
            b"Upgrade: h2c\r\nx-one:  2 \r\nX-Two: 3\r\n\r\n"
        )
        assert (answer.status, answer.body) == (200, b"Hello World!\n")
        assert pod.requests[0].line == b"GET /a?b=c HTTP/1.1"
        assert pod.requests[0].lines == [
            b"host: " + HOST + b":8080",
            b"X-One: 1",
            b"x-one:  2 ",
            b"X-Two: 3",
            b"X-Forwarded-For: 127.0.0.1",
            b"X-Forwarded-Host: " + HOST + b":8080",
            b"X-Forwarded-Proto: http",
            b'Forwarded: for=127.0.0.1;host="' + HOST + b':8080";proto=http',
        ]


@on_uvloop
async def test_connections_are_kept_on_both_sides() -> None:
    """Many requests of one client come over one connection, and go over one."""
    async with Proxy() as proxy:
        pod = await proxy.ready()
        client = await proxy.client()
        for _ in range(20):
            assert (await client.ask(GET)).status == 200
        assert (proxy.listener.gate.accepted, pod.connections) == (1, 1)
        assert proxy.revision.counts.requests == 20
        assert proxy.revision.counts.answers[2] == 20


@on_uvloop
async def test_what_clients_must_not_say_is_dropped() -> None:
    """Knative-*, K-*, Zerogate-*, Proxy and Forwarded headers of clients do not reach the pod."""
    async with Proxy() as proxy:
        pod = await proxy.ready()
        client = await proxy.client()
        lies = [
            b"Knative-Serving-Namespace: x", b"K-Network-Probe: queue", b"Zerogate-Hop: 1",
            b"X-Forwarded-For: 6.6.6.6",
            b"X-Forwarded-Prefix: /x", b"Forwarded: for=6.6.6.6", b"Proxy-Authorization: basic eA==",
            b"Proxy-Connection: close", b"Proxy: http://6.6.6.6", b"Knative-Other: x",
        ]  # fmt: skip
        await client.ask(
            b"GET / HTTP/1.1\r\n" + b"\r\n".join([*lies, b"Host: " + HOST, b"Kept: 1"]) + b"\r\n\r\n"
        )
        lines = pod.requests[0].lines
        assert lines[:2] == [b"Host: " + HOST, b"Kept: 1"]
        assert not any(b"6.6.6.6" in line for line in lines)
        assert pod.requests[0].values(b"X-Forwarded-For") == [b"127.0.0.1"]


@on_uvloop
async def test_a_trusted_proxy_is_believed() -> None:
    """What a proxy in `trusted-proxies` says of its client is kept, and its own address added."""
    from ipaddress import ip_network  # noqa: PLC0415 - only here

    settings = ProxySettings(trusted_proxies=(ip_network("127.0.0.0/8"),))
    async with Proxy(settings=settings) as proxy:
        pod = await proxy.ready()
        client = await proxy.client()
        said = b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\n"
        await client.ask(b"GET / HTTP/1.1\r\n" + said + b"Host: " + HOST + b"\r\n\r\n")
        request = pod.requests[0]
        assert request.values(b"X-Forwarded-For") == [b"6.6.6.6, 127.0.0.1"]
        assert request.values(b"X-Forwarded-Proto") == [b"https"]
        assert request.values(b"X-Forwarded-Host") == [HOST]
        assert request.values(b"Forwarded")[0] == b"for=6.6.6.6"


@on_uvloop
async def test_pods_zerogate_headers_are_dropped_from_answers() -> None:
    """A pod can't speak in our name, and its hop-by-hop headers end here."""

    async def lie(request: Request) -> None:
        await request.reply(
            ok(
                b"x",
                b"Zerogate-Reason: lie",
                b"Connection: x-hop",
                b"X-Hop: 1",
                b"Keep-Alive: x",
                b"Set-Cookie: a",
                b"Set-Cookie: b",
            )
        )

    async with Proxy() as proxy:
        await proxy.ready(lie)
        answer = await (await proxy.client()).ask(GET)
        assert answer.lines == [b"Content-Length: 1", b"Set-Cookie: a", b"Set-Cookie: b"]


@on_uvloop
async def test_an_unknown_host_is_404() -> None:
    """Nothing answers there: 404 no-route, and the connection goes on."""
    async with Proxy() as proxy:
        client = await proxy.client()
        answer = await client.ask(b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n")
        assert (answer.status, answer.reason) == (404, "no-route")
        answer = await client.ask(b"GET / HTTP/1.1\r\nHost: nobody\r\nAccept: application/json\r\n\r\n")
        assert answer.value(b"Content-Type") == b"application/problem+json"
        answer = await client.ask(b"HEAD / HTTP/1.1\r\nHost: nobody\r\n\r\n", b"HEAD")
        assert answer.status == 404


@on_uvloop
async def test_pipelined_requests_are_answered_in_order() -> None:
    """Requests that arrive in one piece are answered one after the other, ours and the pods' alike."""

    async def path(request: Request) -> None:
        await request.reply(ok(request.line))

    async with Proxy() as proxy:
        await proxy.ready(path)
        client = await proxy.client()
        one = b"GET /%d HTTP/1.1\r\nHost: " + HOST + b"\r\n\r\n"
        nobody = b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n"
        client.send(b"".join(one % n + nobody * 30 + post(b"x%d" % n) for n in range(20)) + one % 20)
        for n in range(20):
            assert (await client.answer()).body == b"GET /%d HTTP/1.1" % n
            for _ in range(30):
                assert (await client.answer()).status == 404
            assert (await client.answer()).body == b"POST / HTTP/1.1"
        assert (await client.answer()).body == b"GET /20 HTTP/1.1"


BODIES = [
    pytest.param(b"Content-Length: 26\r\n\r\nabcdefghijklmnopqrstuvwxyz", b"", id="length"),
    pytest.param(
        b"Transfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n19\r\nbcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n",
        b"",
        id="chunked",
    ),
    pytest.param(
        b"Transfer-Encoding: chunked\r\n\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n"
        b"000\r\nX-Sum: 1\r\nHost: evil\r\n\r\n",
        b"X-Sum: 1\r\n",
        id="trailers",
    ),
]


UNTIL_CLOSE = pytest.param(b"\r\nabcdefghijklmnopqrstuvwxyz", b"", id="until-close")


@pytest.mark.parametrize(("framed", "trailers"), BODIES)
@pytest.mark.parametrize("size", [1, 7, 10_000])
@on_uvloop
async def test_bodies_of_requests(framed: bytes, trailers: bytes, size: int) -> None:
    """A body reaches the pod whole, however it is framed and wherever it is cut."""
    async with Proxy() as proxy:
        pod = await proxy.ready()
        client = await proxy.client()
        for _ in range(2):
            await in_pieces(client.writer, b"PUT / HTTP/1.1\r\nHost: " + HOST + b"\r\n" + framed, size)
            assert (await client.answer()).status == 200
        assert [request.body for request in pod.requests] == [b"abcdefghijklmnopqrstuvwxyz"] * 2
        assert pod.requests[0].trailers == trailers


@pytest.mark.parametrize(
    ("framed", "trailers"), [*BODIES, pytest.param(b"\r\nabcdefghijklmnopqrstuvwxyz", b"", id="until-close")]
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@on_uvloop
async def test_bodies_of_answers(framed: bytes, trailers: bytes, size: int, version: bytes) -> None:
    """An answer reaches the client whole, in the framing that its version knows; 1.1 keeps its connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader, writer)
            await in_pieces(
                writer, b"HTTP/1.1 200 OK\r\n" + framed.replace(b"Host:", b"Content-Length:"), size
            )
            if framed.startswith(b"\r\n"):
                return

    async with Proxy() as proxy:
        await proxy.ready(serve=serve)
        client = await proxy.client()
        ask = b"GET / HTTP/" + version + b"\r\nHost: " + HOST + b"\r\n\r\n"
        for _ in range(2):
            answer = await client.ask(ask)
            assert answer.head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert answer.body == b"abcdefghijklmnopqrstuvwxyz"
            if version == b"1.0":
                assert await client.ended()
                client = await proxy.client()
            else:
                assert answer.trailers == trailers
        assert proxy.listener.gate.accepted == (3 if version == b"1.0" else 1)


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n"),
        (b"HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (b"HEAD", b"HTTP/1.1 200 OK\r\n\r\n"),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        (b"GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 13\r\nETag: x\r\n\r\n"),
    ],
)
@on_uvloop
async def test_answers_without_a_body(method: bytes, answer: bytes) -> None:
    """HEAD, 204 and 304 have none, whatever their header fields say, and the client's connection goes on."""

    async def bare(request: Request) -> None:
        await request.reply(answer)

    async with Proxy() as proxy:
        pod = await proxy.ready(bare)
        client = await proxy.client()
        for _ in range(2):
            got = await client.ask(method + b" / HTTP/1.1\r\nHost: " + HOST + b"\r\n\r\n", method)
            assert got.status == int(answer[9:12])
        assert (proxy.listener.gate.accepted, len(pod.requests)) == (1, 2)


@on_uvloop
async def test_interim_answers() -> None:
    """103 is passed on; a 100 only to a client that waits for one; HTTP/1.0 gets neither."""

    async def hints(request: Request) -> None:
        await request.reply(
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + ok()
        )

    async with Proxy() as proxy:
        await proxy.ready(hints)
        client = await proxy.client()
        assert (await client.ask(GET)).head == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        assert (await client.answer()).status == 200
        old = await proxy.client()
        assert (await old.ask(GET.replace(b"1.1", b"1.0"))).status == 200


@on_uvloop
async def test_a_client_that_expects_100_is_asked_for_its_body() -> None:
    """The pod's 100 reaches it, also when the request was held first; only then it sends the body."""
    async with Proxy() as proxy:
        client = await proxy.client()
        client.send(post(b"", b"Expect: 100-continue").replace(b"Content-Length: 0", b"Content-Length: 4"))
        await until(lambda: proxy.waiting)
        pod = await proxy.ready()
        assert (await client.answer()).status == 100
        assert (await client.ask(b"body")).status == 200
        assert pod.requests[0].body == b"body"


@on_uvloop
async def test_an_early_answer_gets_through() -> None:
    """A pod may answer before it has read the whole body: the client gets that answer, then the connection
    ends.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno\n")
        await reader.read()

    async with Proxy() as proxy:
        await proxy.ready(serve=serve)
        client = await proxy.client()
        client.send(post(b"x" * 10).replace(b"Content-Length: 10", b"Content-Length: 1000000"))
        answer = await client.answer()
        assert (answer.status, answer.body, answer.value(b"Connection")) == (413, b"no\n", b"close")
        client.send(b"x" * 500_000)
        assert await client.ended()


@on_uvloop
async def test_both_directions_stream_at_once() -> None:
    """A pod may answer while it reads; each piece is passed on when it comes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(5):
            piece = await reader.readexactly(6)
            writer.write(piece.upper())
        await reader.readuntil(b"0\r\n\r\n")
        writer.write(b"0\r\n\r\n")

    async with Proxy() as proxy:
        await proxy.ready(serve=serve)
        client = await proxy.client()
        client.send(b"POST / HTTP/1.1\r\nHost: " + HOST + b"\r\nTransfer-Encoding: chunked\r\n\r\n")
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert b"200 OK" in head
        for n in range(5):
            client.send(b"1\r\n%c\r\n" % (97 + n))
            assert await client.reader.readexactly(6) == b"1\r\n%c\r\n" % (65 + n)
        client.send(b"0\r\n\r\n")
        assert await client.reader.readexactly(5) == b"0\r\n\r\n"


@on_uvloop
async def test_connection_close_is_obeyed_on_either_side() -> None:
    """A client that asks for it gets Connection: close and the end; a pod that does is not used again."""

    async def last(request: Request) -> None:
        await request.reply(ok(b"x", b"Connection: close"))
        request.writer.close()

    async with Proxy() as proxy:
        pod = await proxy.ready(last)
        client = await proxy.client()
        assert (await client.ask(GET)).value(b"Connection") is None
        assert (await client.ask(GET)).value(b"Connection") is None
        answer = await client.ask(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert answer.value(b"Connection") == b"close"
        assert await client.ended()
        assert pod.connections == 3


@on_uvloop
async def test_http10_keep_alive() -> None:
    """An HTTP/1.0 client that asks for it keeps its connection, and is told so; the pod is spoken to in
    1.1.
    """
    async with Proxy() as proxy:
        pod = await proxy.ready()
        client = await proxy.client()
        for _ in range(2):
            answer = await client.ask(
                b"GET / HTTP/1.0\r\nHost: " + HOST + b"\r\nConnection: keep-alive\r\n\r\n"
            )
            assert answer.value(b"Connection") == b"keep-alive"
        assert pod.requests[0].line == b"GET / HTTP/1.1"


@on_uvloop
async def test_a_half_closed_client_gets_its_answer() -> None:
    """If its revision has the annotation and its request has a pod, a client that has closed its sending side
    is answered.
    """
    release = asyncio.Event()

    async def slow(request: Request) -> None:
        await release.wait()
        await request.reply(ok())

    async with Proxy(half_close=True) as proxy:
        pod = await proxy.ready(slow)
        client = await proxy.client()
        client.send(GET)
        await until(lambda: pod.requests)
        client.writer.write_eof()
        (connection,) = proxy.listener.gate.connections
        await until(lambda: connection.is_half_closed)
        release.set()
        assert (await client.answer()).status == 200
        assert await client.ended()


@on_uvloop
async def test_a_client_that_half_closes_behind_several_requests_gets_all_its_answers() -> None:
    """If the revision has the annotation, all requests before the FIN are answered in their order. A part of
    one is not waited for.
    """

    async def path(request: Request) -> None:
        await request.reply(ok(request.line))

    async with Proxy(half_close=True) as proxy:
        pod = await proxy.ready(path)
        client = await proxy.client()
        client.send(GET + post(b"x") + GET + GET[:-3])
        client.writer.write_eof()
        for method in (b"GET", b"POST", b"GET"):
            assert (await client.answer()).body == method + b" / HTTP/1.1"
        assert await client.ended()
        assert len(pod.requests) == 3


@on_uvloop
async def test_absolute_targets() -> None:
    """The absolute form is understood when it names the Host, and reaches the pod as a path."""
    async with Proxy() as proxy:
        pod = await proxy.ready()
        client = await proxy.client()
        for target, line in [
            (b"http://" + HOST + b"/a?b", b"GET /a?b HTTP/1.1"),
            (b"http://" + HOST, b"GET / HTTP/1.1"),
        ]:
            assert (await client.ask(GET.replace(b"GET /", b"GET " + target))).status == 200
            assert pod.requests[-1].line == line
        assert (await client.ask(GET.replace(b"GET /", b"OPTIONS *"))).status == 200
        assert pod.requests[-1].line == b"OPTIONS * HTTP/1.1"


@pytest.mark.parametrize("direction", ["up", "down"])
@on_uvloop
async def test_a_slow_reader_stops_a_fast_sender(direction: str) -> None:
    """What a slow side has not taken is not read from the fast side: 64 MiB pass, far less is ever kept."""
    size = 64 << 20
    taken = asyncio.Event()
    sent = 0

    async def pour(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        piece = b"x" * 65536
        while sent < size:
            writer.write(piece)
            sent += len(piece)
            await writer.drain()

    async def drink(reader: asyncio.StreamReader, left: int) -> None:
        while left:
            left -= len(await reader.read(1 << 20))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if direction == "down":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            await pour(writer)
        else:
            await taken.wait()
            await drink(reader, size)
            writer.write(ok())
        await reader.read()

    async with Proxy() as proxy:
        await proxy.ready(serve=serve)
        client = await proxy.client()
        if direction == "down":
            client.send(GET)
            pouring = None
            head = await client.reader.readuntil(b"\r\n\r\n")
            assert b"200" in head
        else:
            client.send(post(b"").replace(b"Content-Length: 0", b"Content-Length: %d" % size))
            pouring = asyncio.create_task(pour(client.writer))
        before = -1
        while not sent or before != sent:  # until nobody can send more
            before = sent
            await asyncio.sleep(0.05)
        assert sent < size // 2
        connection: Any = next(iter(proxy.listener.gate.connections))
        kept = connection.transport.get_write_buffer_size()
        kept += connection.exchange.up.transport.get_write_buffer_size()
        assert kept < 1 << 20
        taken.set()
        if pouring is None:
            await drink(client.reader, size)
        else:
            await pouring
            assert (await client.answer()).status == 200


@on_uvloop
async def test_least_in_flight_over_all_pods() -> None:
    """Requests in flight spread evenly over the pods that are there."""
    release = asyncio.Event()

    async def slow(request: Request) -> None:
        await release.wait()
        await request.reply(ok())

    async with Proxy() as proxy:
        pods = [await proxy.ready(slow, uid=f"pod-{n}") for n in range(5)]
        clients = [await proxy.client() for _ in range(20)]
        for client in clients:
            client.send(GET)
        await until(lambda: sum(pod.now for pod in pods) == 20)
        assert [pod.now for pod in pods] == [4] * 5
        release.set()
        for client in clients:
            assert (await client.answer()).status == 200


@on_uvloop
async def test_a_new_pod_is_known_by_its_address() -> None:
    """The same pod at another address is another server: the old connections are not used for it."""
    async with Proxy() as proxy:
        await proxy.ready()
        client = await proxy.client()
        await client.ask(GET)
        second = await proxy.start(Pod())
        proxy.tell(second)
        await client.ask(GET)
        assert len(second.requests) == 1
