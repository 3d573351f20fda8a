"""Each reply of the gateway itself is told in the log; a flood of them is told once a second."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from activator.edge.refusals import Refusals
from activator.http.replies import HEAD_TIMEOUT, MAYBE_SENT, NO_ROUTE, QUEUE_FULL
from activator.quiet import Quiet
from activator.settings import ProxySettings
from testkit.proxy.harness import GET, Proxy, Request, make_revision, ok, on_uvloop, until


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[..., Any]:
    """The log's lines as (level, message)."""
    caplog.set_level(logging.INFO, "zerogate.activator")
    return lambda: [(line.levelname, line.message) for line in caplog.records]


def test_one_of_a_kind_passes_each_second_and_says_how_many_did_not() -> None:
    """Kinds do not silence each other; the number of those kept back is told once."""
    quiet = Quiet()
    history = [("a", 0.0), ("a", 0.5), ("b", 0.6), ("a", 0.9), ("a", 1.0), ("a", 1.1), ("a", 2.5), ("a", 9.0)]
    assert [quiet.passes(kind, now) for kind, now in history] == [0, None, 0, None, 2, None, 1, 0]


def test_what_is_kept_of_many_kinds_is_bounded() -> None:
    """Kinds that have been quiet for a while are forgotten."""
    quiet = Quiet()
    for number in range(10_000):
        quiet.passes(number, number / 100)
    assert len(quiet) <= 2_000


def test_a_reply_names_revision_status_reason_and_time(told: Callable[..., Any]) -> None:
    """Faults are warnings; what a client did wrong is no more than information."""
    revision = make_revision(Proxy().room)
    refusals = Refusals(lambda: 0.0)
    refusals.of_request(MAYBE_SENT, revision, 0.0123)
    refusals.of_stranger(NO_ROUTE, b"nobody.example.com")
    refusals.of_stranger(NO_ROUTE, b"nobody.else")
    refusals.of_stranger(HEAD_TIMEOUT, b"")
    assert told() == [
        ("WARNING", "hello: replied 502 maybe-sent after 12 ms"),
        ("INFO", "Replied 404 no-route to a request for nobody.example.com"),
        ("INFO", "Replied 408 head-timeout: The head of the request took too long to arrive."),
    ]


async def test_the_proxy_tells_of_what_it_refuses(told: Callable[..., Any]) -> None:
    """By its revision, or by the host that nobody has."""
    async with Proxy(max_held_requests=1) as proxy:
        refusals = Refusals(proxy.dispatcher.clock)
        proxy.dispatcher.on_refused = refusals.of_request
        proxy.dispatcher.on_turned_away = refusals.of_stranger
        first, second, third = [await proxy.client() for _ in range(3)]
        first.send(GET)
        await until(lambda: proxy.waiting)
        second.send(GET)
        assert (await second.answer()).status == QUEUE_FULL.status
        third.send(b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n")
        assert (await third.answer()).status == NO_ROUTE.status
        first.hang_up()
        await until(lambda: not proxy.waiting)
    (refused, unknown) = told()
    assert refused[1].startswith("hello: replied 503 queue-full after ")
    assert unknown == ("INFO", "Replied 404 no-route to a request for nobody")


@pytest.mark.parametrize(
    ("response", "cause"),
    [
        (ok(b"abc", b"Content-Length: 3"), "more than one Content-Length"),
        (b"HTTP/1.1 999 Odd\r\n\r\n", "status code 999, which is not from 100 to 599"),
        (b"HTTP/1.1 20 OK\r\n\r\n", "malformed status code"),
        (b"HTTP/2 200 OK\r\n\r\n", "a status line that does not begin with HTTP/1.1 or HTTP/1.0"),
        (b"HTTP/1.1 200 O\x01K\r\n\r\n", "malformed reason phrase"),
        (b"HTTP/1.1 200 OK\r\nX : 1\r\n\r\n", "space before the colon of a header"),
        (b"HTTP/1.1 200 OK\r\nX\r\n\r\n", "a header without a colon"),
        (b"HTTP/1.1 200 OK\nX: 1\r\n\r\n", "line ends, NUL or carriage returns where none may be"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "a Transfer-Encoding other than chunked"),
    ],
)
@on_uvloop
async def test_the_log_has_the_cause_of_a_bad_answer(
    response: bytes, cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The same text that the client gets."""
    caplog.set_level(logging.INFO, "zerogate.activator")

    async def malformed(request: Request) -> None:
        await request.reply(response)

    async with Proxy() as proxy:
        proxy.dispatcher.on_refused = Refusals(proxy.dispatcher.clock).of_request
        await proxy.ready(malformed)
        answer = await (await proxy.client()).ask(GET)
    assert answer.reason == "bad-answer"
    assert answer.body.decode() == f"The service sent a malformed answer: {cause}\n"
    (line,) = caplog.records
    assert line.message.startswith("hello: replied 502 bad-answer after ")
    assert line.message.endswith(f" ms: {cause}")
    assert line.__dict__["data"]["detail"] == cause


@pytest.mark.parametrize("error_details", [True, False])
@on_uvloop
async def test_the_log_has_the_cause_of_a_503_also_if_the_client_does_not_get_it(
    error_details: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """`error_details` is about what clients may see."""
    caplog.set_level(logging.INFO, "zerogate.activator")
    async with Proxy(settings=ProxySettings(error_details=error_details)) as proxy:
        proxy.dispatcher.on_refused = Refusals(proxy.dispatcher.clock).of_request
        proxy.revision.trouble = "no such image"
        answer = await (await proxy.client()).ask(GET)
    assert (answer.reason, b"no such image" in answer.body) == ("cannot-start", error_details)
    (line,) = caplog.records
    assert line.message.endswith(" ms: no such image")


@on_uvloop
async def test_the_log_has_the_cause_of_a_malformed_request_body(caplog: pytest.LogCaptureFixture) -> None:
    """A 400 of a request that has a revision."""
    caplog.set_level(logging.INFO, "zerogate.activator")
    async with Proxy() as proxy:
        proxy.dispatcher.on_refused = Refusals(proxy.dispatcher.clock).of_request
        client = await proxy.client()
        head = GET[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"
        assert (await client.ask(head + b"zz\r\n")).reason == "bad-request"
    (line,) = caplog.records
    assert line.message.endswith(" ms: malformed chunk size")
