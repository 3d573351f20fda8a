"""The link on a cluster: TLS with a certificate of its own, and tokens that the API server reviews."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest

from autoscaler.edge import doorkeeper
from autoscaler.edge.certificate import make_certificate
from autoscaler.edge.doorkeeper import TokenReviews
from autoscaler.edge.link import LinkServer
from autoscaler.messages import Hello, Welcome, decode, encode
from kube.edge.client import ApiError, Before, Client
from testkit.scaling.link import Listening

ACCOUNT = "system:serviceaccount:zerogate-system:zerogate-activator"


class Reviewer:
    """An API server that knows one token. `hangs`, `is_away`: what it does instead of answering."""

    def __init__(self) -> None:
        self.reviews: list[str] = []
        self.good = "good"
        self.is_away = False
        self.hangs = False

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        body: Any = None,
        content_type: str = "",
        before: Before | None = None,
    ) -> tuple[int, Any]:
        assert (method, path) == ("POST", "/apis/authentication.k8s.io/v1/tokenreviews")
        if self.hangs:
            await asyncio.Event().wait()
        if self.is_away:
            raise ApiError(0, "Unreachable", "refused")
        token = body["spec"]["token"]
        self.reviews.append(token)
        status: dict[str, Any] = {"authenticated": token == self.good}
        if token == self.good:
            status |= {"audiences": body["spec"]["audiences"], "user": {"username": ACCOUNT}}
        return 201, {**body, "status": status}

    def watch(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[Any]:
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing is open."""


def asking(api: Reviewer) -> TokenReviews:
    return TokenReviews(Client(api, manager="t"), "zerogate-system")


async def test_a_good_token_is_asked_about_once_in_a_while() -> None:
    api = Reviewer()
    door = asking(api)
    assert [await door.refusal("good") for _ in range(3)] == [None] * 3
    assert api.reviews == ["good"]


async def test_no_token_and_a_wrong_one_are_401() -> None:
    api = Reviewer()
    door = asking(api)
    for token in ("", "wrong", "wrong"):
        refused = await door.refusal(token)
        assert refused is not None
        assert refused.status == 401
    assert api.reviews == ["wrong", "wrong"], "each time anew: it may be good by now"


async def test_while_the_api_server_is_away_a_known_token_holds_and_others_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Away, or without an answer in time: 503 for those that were never seen, not 401."""
    monkeypatch.setattr(doorkeeper, "ANSWER_WITHIN", 0.05)
    api = Reviewer()
    door = asking(api)
    assert await door.refusal("good") is None
    monkeypatch.setattr("autoscaler.tokens.FRESH", 0.0)
    for way in ("is_away", "hangs"):
        setattr(api, way, True)
        assert await door.refusal("good") is None
        refused = await door.refusal("new")
        assert refused is not None
        assert refused.status == 503
    api.is_away = api.hangs = False
    api.good = "new"
    refused = await door.refusal("good")
    assert refused is not None
    assert refused.status == 401
    assert await door.refusal("new") is None


@contextlib.asynccontextmanager
async def linked(api: Reviewer) -> AsyncIterator[tuple[str, str, aiohttp.ClientSession]]:
    certificate = make_certificate()
    server = LinkServer(asking(api), certificate.tls)
    server.leader = Listening()
    async with server.listening("127.0.0.1", 0) as address, aiohttp.ClientSession() as session:
        yield address, certificate.fingerprint, session


async def test_the_pinned_certificate_and_a_good_token_open_the_link() -> None:
    async with linked(Reviewer()) as (address, fingerprint, session):
        pinned = aiohttp.Fingerprint(bytes.fromhex(fingerprint))
        headers = {"Authorization": "Bearer good"}
        async with session.ws_connect(f"https://{address}/link", headers=headers, ssl=pinned) as socket:
            await socket.send_bytes(encode(Hello("a", "uid", 1)))
            assert decode(await socket.receive_bytes(timeout=60)) == Welcome(7, "me", names_owners=True)


async def test_without_tls_there_is_no_link() -> None:
    async with linked(Reviewer()) as (address, _, session):
        with pytest.raises((aiohttp.ClientError, OSError)):
            await session.ws_connect(f"http://{address}/link", headers={"Authorization": "Bearer good"})


def test_each_start_makes_another_certificate() -> None:
    first, second = make_certificate(), make_certificate()
    assert first.fingerprint != second.fingerprint
    assert first.tls.minimum_version is ssl.TLSVersion.TLSv1_3
