"""Our own replies: a status and a token for programs, a sentence for people."""

import json

import pytest

from activator.http import replies
from activator.http.replies import CANNOT_START, NO_ROUTE, QUEUE_FULL, Refusal, render, wants_json

TOKENS = {
    "no-route": 404,
    "bad-request": 400,
    "head-too-large": 431,
    "head-timeout": 408,
    "queue-full": 503,
    "cannot-start": 503,
    "activation-timeout": 504,
    "upstream-unreachable": 502,
    "maybe-sent": 502,
    "bad-answer": 502,
    "total-timeout": 504,
    "response-start-timeout": 504,
    "idle-timeout": 504,
}


def test_every_reason_has_its_status() -> None:
    """The table of the documentation."""
    found = [each for each in vars(replies).values() if isinstance(each, Refusal)]
    assert {each.reason: each.status for each in found} == TOKENS


def test_plain_text() -> None:
    """Without a wish for JSON it is one line of text."""
    head, _, body = render(NO_ROUTE, as_json=False, close=False).partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 404 Not Found",
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Length: %d" % len(body),
        b"Zerogate-Reason: no-route",
        b"Cache-Control: no-store",
    ]
    assert body == b"No service answers to this host.\n"


def test_problem_document() -> None:
    """RFC 9457, with the token as a member of its own."""
    head, _, body = render(QUEUE_FULL.after(7), as_json=True, close=True).partition(b"\r\n\r\n")
    assert b"\r\nContent-Type: application/problem+json\r\n" in head
    assert b"\r\nRetry-After: 7\r\nConnection: close" in head
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": QUEUE_FULL.text,
        "reason": "queue-full",
    }


def test_a_detail_with_line_ends_stays_in_the_body() -> None:
    """Whatever a cause contains, it can't become a header."""
    head, _, body = render(CANNOT_START.because("a\r\nX-Evil: 1"), as_json=False, close=False).partition(
        b"\r\n\r\n"
    )
    assert b"X-Evil" not in head
    assert b"X-Evil" in body


def test_head_requests_get_no_body() -> None:
    """But the length that it would have."""
    answer = render(NO_ROUTE, as_json=False, close=False, without_body=True)
    assert answer.endswith(b"\r\n\r\n")
    assert b"Content-Length: 33" in answer


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (b"", False),
        (b"Accept: */*\r\n", False),
        (b"accept: text/html, application/xml\r\n", False),
        (b"ACCEPT: application/json\r\n", True),
        (b"Accept: text/plain, application/problem+json;q=0.5\r\n", True),
        (b"X-Accept: application/json\r\n", False),
    ],
)
def test_who_wants_json(accept: bytes, expected: bool) -> None:
    """Only who names it."""
    assert wants_json(b"GET / HTTP/1.1\r\n" + accept + b"\r\n") == expected
