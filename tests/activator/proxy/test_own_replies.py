"""Each reply of the gateway itself is told in the log; a flood of them is told once a second."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from activator.edge.refusals import Refusals
from activator.http.replies import HEAD_TIMEOUT, MAYBE_SENT, NO_ROUTE, QUEUE_FULL
from activator.quiet import Quiet
from testkit.proxy.harness import GET, Proxy, make_revision, until


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
