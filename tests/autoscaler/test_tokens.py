"""Which ServiceAccount tokens open the link, and for how long an answer of the API server holds."""

import base64
import json
import math

import pytest

from autoscaler.tokens import FRESH, KEPT, REMEMBERED, KnownTokens, expiry, problem_of, review_of

NOW = 1_000_000.0
ACCOUNT = "system:serviceaccount:zerogate-system:zerogate-activator"


def jwt(**claims: object) -> str:
    """A token of three parts; nobody here looks at the signature."""
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"head.{part}.signature"


def answered(**status: object) -> dict[str, object]:
    good = {"authenticated": True, "audiences": ["zerogate-link"], "user": {"username": ACCOUNT}}
    return {**review_of("t"), "status": {**good, **status}}


def test_a_review_asks_for_our_audience_alone() -> None:
    assert review_of("t")["spec"] == {"token": "t", "audiences": ["zerogate-link"]}


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        ({}, ""),
        ({"authenticated": False, "error": "token has expired"}, "token has expired"),
        ({"authenticated": False}, "the API server does not know it"),
        ({"audiences": ["https://kubernetes.default.svc"]}, "not made for the audience zerogate-link"),
        ({"audiences": None}, "not made for the audience zerogate-link"),
        ({"user": {"username": "system:serviceaccount:default:zerogate-activator"}}, "it is of system:"),
        ({"user": {"username": "system:serviceaccount:zerogate-system:default"}}, "it is of system:"),
        ({"user": None}, "it is of nobody"),
    ],
)
def test_only_a_token_of_the_activators_account_for_our_audience_is_believed(
    status: dict[str, object], problem: str
) -> None:
    found = problem_of(answered(**status), "zerogate-system")
    assert problem in found
    assert bool(found) is bool(problem)


def test_an_answer_without_a_status_is_no_yes() -> None:
    assert problem_of(review_of("t"), "zerogate-system")


def test_a_good_token_is_fresh_for_seconds_and_kept_for_minutes() -> None:
    known = KnownTokens()
    assert not known.is_kept("t", NOW)
    known.found_good("t", NOW)
    assert known.is_fresh("t", NOW + FRESH - 1)
    assert not known.is_fresh("t", NOW + FRESH)
    assert known.is_kept("t", NOW + KEPT - 1)
    assert not known.is_kept("t", NOW + KEPT)
    assert not known.is_kept("other", NOW)


def test_a_token_is_never_believed_past_its_own_end() -> None:
    known, token = KnownTokens(), jwt(exp=NOW + 5)
    known.found_good(token, NOW)
    assert known.is_fresh(token, NOW + 4)
    assert not known.is_fresh(token, NOW + 5)
    assert not known.is_kept(token, NOW + 5)


def test_a_token_that_was_refused_is_forgotten() -> None:
    known = KnownTokens()
    known.found_good("t", NOW)
    known.found_bad("t")
    assert not known.is_kept("t", NOW)


def test_no_more_tokens_are_remembered_than_that() -> None:
    """The oldest goes; one that is used again is not old."""
    known = KnownTokens()
    known.found_good("first", NOW)
    known.found_good("second", NOW)
    known.found_good("first", NOW)
    for number in range(REMEMBERED - 1):
        known.found_good(str(number), NOW)
    assert known.is_kept("first", NOW)
    assert not known.is_kept("second", NOW)


@pytest.mark.parametrize(
    "token", ["", "secret", "a.b.c", "a.!.c", jwt(sub="x"), jwt(exp="soon"), jwt(exp=None)]
)
def test_a_token_without_an_end_that_can_be_read_has_none(token: str) -> None:
    assert expiry(token) == math.inf
