"""Each response has a Date (RFC 9110 6.6.1): the pod's, or else that of the gateway."""

import time
from email.utils import parsedate_to_datetime

import pytest

from activator.edge.http.dates import Dates
from activator.settings import ProxySettings
from testkit.proxy.harness import GET, HOST, Answer, Proxy, Request, ok, on_uvloop, post

HTTP_1_0 = b"GET / HTTP/1.0\r\nHost: " + HOST + b"\r\n\r\n"


def is_now(answer: Answer) -> bool:
    """Whether a response has exactly one Date, which is of this moment."""
    (date,) = answer.values(b"Date")
    assert date.endswith(b" GMT")
    return abs(parsedate_to_datetime(date.decode()).timestamp() - time.time()) < 60


def test_the_line_is_made_once_a_second_and_follows_the_clock_back() -> None:
    """A wall clock may be set."""
    now = 784111777.5
    dates = Dates(lambda: now)
    first = dates.line()
    assert first == b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    assert dates.line() is first
    now += 1
    assert dates.line() == b"Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n"
    now -= 3600
    assert dates.line() == b"Date: Sun, 06 Nov 1994 07:49:38 GMT\r\n"


@pytest.mark.parametrize(
    "response",
    [
        ok(),
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok(b"", b"X-Date: x"),
        b"HTTP/1.1 200 OK\r\nConnection: date\r\nDate: yesterday\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
    ],
)
@pytest.mark.parametrize("request_", [GET, HTTP_1_0], ids=["1.1", "1.0"])
@on_uvloop
async def test_a_response_without_a_date_gets_one(response: bytes, request_: bytes) -> None:
    """Of any status, however it is framed; 1xx before it get none."""

    async def undated(request: Request) -> None:
        await request.reply(response)

    async with Proxy() as proxy:
        await proxy.ready(undated)
        answer = await (await proxy.client()).ask(request_)
        if answer.status == 103:
            assert answer.value(b"Date") is None
            client = proxy._clients[-1]
            answer = await client.answer()
        assert is_now(answer)


@pytest.mark.parametrize("name", [b"Date", b"date", b"DATE"])
@on_uvloop
async def test_a_pods_date_stays(name: bytes) -> None:
    """As it is, in its place; none is added."""

    async def dated(request: Request) -> None:
        await request.reply(ok(b"x", name + b": yesterday", b"X-B: 1"))

    async with Proxy() as proxy:
        await proxy.ready(dated)
        answer = await (await proxy.client()).ask(GET)
        assert answer.lines == [b"Content-Length: 1", name + b": yesterday", b"X-B: 1"]


@on_uvloop
async def test_a_switch_of_protocols_has_a_date() -> None:
    """A 101 is a response as well."""

    async def switch(request: Request) -> None:
        await request.reply(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )

    async with Proxy(upgrades=frozenset((b"websocket",))) as proxy:
        await proxy.ready(switch)
        answer = await (await proxy.client()).ask(
            GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        assert answer.status == 101
        assert is_now(answer)


@on_uvloop
async def test_local_responses_have_a_date() -> None:
    """To an unknown host, a malformed request, a head too large or too slow, and for a pod's fault."""

    async def malformed(request: Request) -> None:
        await request.reply(b"nonsense\r\n\r\n")

    async with Proxy(settings=ProxySettings(max_head=500, head_timeout=0.2)) as proxy:
        await proxy.ready(malformed)
        for data, status in [
            (b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n", 404),
            (b"GET / HTTP/1.1\r\nHost: nobody\r\nAccept: application/json\r\n\r\n", 404),
            (b"nonsense\r\n\r\n", 400),
            (GET[:-2] + b"X: " + b"x" * 1000 + b"\r\n\r\n", 431),
            (b"GET / HT", 408),
            (GET, 502),
            (post(b"x"), 502),
        ]:
            answer = await (await proxy.client()).ask(data)
            assert (answer.status, is_now(answer)) == (status, True)
