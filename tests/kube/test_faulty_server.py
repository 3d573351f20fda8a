"""The client before a server that is slow, busy, rotates its tokens, answers nonsense, or never."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self

import pytest
from aiohttp import web
from aiohttp.web_request import BaseRequest

from kube.edge import http
from kube.edge.client import ApiError, Client
from kube.edge.credentials import Credentials, load_credentials
from kube.edge.events import EventRecorder
from kube.edge.http import HttpTransport
from kube.edge.informer import Change, Informer
from kube.objects import Obj
from kube.resources import CONFIGMAPS
from testkit.waiting import until

FOUND: Obj = {"kind": "ConfigMap", "metadata": {"namespace": "d", "name": "x", "resourceVersion": "1"}}


def cut(request: BaseRequest) -> None:
    """End the connection of a request, and nothing is answered."""
    assert request.transport is not None
    request.transport.abort()


class Server:
    """Answers as the test's function does; keeps what was asked and when."""

    def __init__(self, answer: Callable[..., Any]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, float, str]] = []
        self.url = ""

    async def _handle(self, request: BaseRequest) -> web.Response:
        self.asked.append((request.method, time.monotonic(), request.headers.get("Authorization", "")))
        found: web.Response = await self.answer(request, len(self.asked))
        return found

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = site.name.rstrip("/")
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._runner.cleanup()


@contextlib.asynccontextmanager
async def client_of(server: Server, credentials: Credentials | None = None) -> AsyncIterator[Client]:
    """A client of the server, closed in the end."""
    client = Client(HttpTransport(credentials or Credentials(server.url, None), user_agent="t"), manager="t")
    try:
        yield client
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def informer_of(client: Client) -> AsyncIterator[tuple[Informer, list[Any]]]:
    """A running informer and the changes that it told."""
    changes: list[Change] = []
    informer = Informer(client, CONFIGMAPS, namespace="d", on_change=changes.append)
    running = asyncio.create_task(informer.run())
    try:
        yield informer, changes
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def busy(status: int, retry_after: str) -> web.Response:
    body = {"kind": "Status", "code": status, "reason": "TooManyRequests", "message": "busy"}
    return web.json_response(body, status=status, headers={"Retry-After": retry_after})


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("verb", ["get", "patch", "create"])
async def test_what_was_turned_away_is_sent_again_after_the_time_named(status: int, verb: str) -> None:
    """Whatever it was: a server that answers 429 or 503 with Retry-After did nothing."""

    async def answer(_request: BaseRequest, number: int) -> web.Response:
        return busy(status, "1") if number == 1 else web.json_response(FOUND)

    async with Server(answer) as server, client_of(server) as client:
        calls = {
            "get": lambda: client.get(CONFIGMAPS, "d", "x"),
            "patch": lambda: client.patch(CONFIGMAPS, "d", "x", {}, kind="merge"),
            "create": lambda: client.create(CONFIGMAPS, FOUND),
        }
        assert await calls[verb]() == FOUND
    (_, first, _), (_, second, _) = server.asked
    assert 1.0 <= second - first < 5.0


async def test_who_is_sent_away_for_long_is_told_and_does_not_wait() -> None:
    """The caller gets the refusal at once, with the time that the server named."""

    async def answer(_request: BaseRequest, _number: int) -> web.Response:
        return busy(429, "3600")

    async with Server(answer) as server, client_of(server) as client:
        with pytest.raises(ApiError) as refused:
            await client.get(CONFIGMAPS, "d", "x")
    assert (refused.value.status, refused.value.retry_after, len(server.asked)) == (429, 3600.0, 1)


async def test_a_read_whose_connection_broke_is_sent_once_more_and_a_write_is_not() -> None:
    async def answer(request: BaseRequest, number: int) -> web.Response:
        if number in {1, 3}:
            cut(request)
        return web.json_response(FOUND)

    async with Server(answer) as server, client_of(server) as client:
        assert await client.get(CONFIGMAPS, "d", "x") == FOUND
        assert len(server.asked) == 2
        with pytest.raises(ApiError) as failure:
            await client.patch(CONFIGMAPS, "d", "x", {}, kind="merge")
    assert failure.value.is_unreachable
    assert len(server.asked) == 3


async def test_a_server_that_accepts_and_never_answers_is_unreachable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A read ends by its deadline and is not repeated; so does a watch that gets no head."""
    # Long enough for the request to arrive first, on the slowest machine.
    monkeypatch.setattr(http, "REQUEST_TIMEOUT", 2.0)
    monkeypatch.setattr(http, "WATCH_BEGINS", 2.0)

    async def answer(_request: BaseRequest, _number: int) -> None:
        await asyncio.Event().wait()

    async with Server(answer) as server, client_of(server) as client:
        for call in (
            client.get(CONFIGMAPS, "d", "x"),
            anext(aiter(client.watch(CONFIGMAPS, query={"resourceVersion": "1"}))),
        ):
            async with asyncio.timeout(60):
                with pytest.raises(ApiError) as failure:
                    await call
            assert failure.value.is_unreachable
        assert len(server.asked) == 2


async def test_a_token_that_was_rotated_is_read_again(tmp_path: Path) -> None:
    """A kubeconfig's own token too: 401 makes us look for new credentials, once for all who wait."""
    file = tmp_path / "kubeconfig"

    async def answer(request: BaseRequest, _number: int) -> web.Response:
        if request.headers["Authorization"] != "Bearer new":
            return web.json_response({"kind": "Status", "code": 401, "reason": "Unauthorized"}, status=401)
        return web.json_response(FOUND)

    def write(token: str) -> None:
        file.write_text(
            "contexts: [{name: c, context: {cluster: k, user: u}}]\ncurrent-context: c\n"
            f"clusters: [{{name: k, cluster: {{server: '{server.url}'}}}}]\n"
            f"users: [{{name: u, user: {{token: {token}}}}}]\n"
        )

    async with Server(answer) as server:
        write("old")
        async with client_of(server, await load_credentials(str(file))) as client:
            with pytest.raises(ApiError) as refused:
                await client.get(CONFIGMAPS, "d", "x")
            assert refused.value.status == 401
            assert len(server.asked) == 1, "nothing new was found, so nothing is sent again"
            write("new")
            transport: Any = client._transport
            transport._looked_for_new = -http.RENEWED_EACH
            assert await asyncio.gather(*(client.get(CONFIGMAPS, "d", "x") for _ in range(3))) == [FOUND] * 3
    assert [proof for _, _, proof in server.asked].count("Bearer old") <= 4


async def test_a_token_file_that_cannot_be_read_is_an_api_error_and_not_the_end(tmp_path: Path) -> None:
    """The kubelet swaps it under our feet; the next request reads it again."""

    async def answer(_request: BaseRequest, _number: int) -> web.Response:
        return web.json_response(FOUND)

    async with Server(answer) as server:
        credentials = Credentials(server.url, None, token_file=tmp_path / "token")
        async with client_of(server, credentials) as client:
            with pytest.raises(ApiError, match="token"):
                await client.patch(CONFIGMAPS, "d", "x", {}, kind="merge")
            (tmp_path / "token").write_text("t\n")
            assert await client.get(CONFIGMAPS, "d", "x") == FOUND
    assert server.asked[-1][2] == "Bearer t"


@pytest.mark.parametrize(
    "body", ["<html>sign in</html>", "[]", "null", '{"kind":"Status"}', '{"metadata":{},"items":3}']
)
async def test_what_is_no_list_is_not_an_empty_one(body: str) -> None:
    """A page of whatever stands before the API server must not look as if everything was deleted."""

    async def answer(request: BaseRequest, _number: int) -> web.Response:
        if "watch" in request.query:
            return web.json_response({"kind": "Status", "code": 410, "reason": "Expired"}, status=410)
        if not is_broken:
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": [FOUND]})
        return web.Response(text=body)

    is_broken = False
    async with (
        Server(answer) as server,
        client_of(server) as client,
        informer_of(client) as (informer, changes),
    ):
        await until(lambda: informer.objects)
        is_broken = True
        lists = len(server.asked)
        await until(lambda: len(server.asked) > lists + 2)
        assert [*informer.objects] == [("d", "x")]
        assert len(changes) == 1


async def test_a_line_that_is_no_event_breaks_the_watch_and_nothing_else() -> None:
    """It is taken up again where it stood, without a new list."""

    async def answer(request: BaseRequest, number: int) -> web.Response:
        if "watch" not in request.query:
            return web.json_response({"metadata": {"resourceVersion": "7"}, "items": [FOUND]})
        assert request.query["resourceVersion"] == "7"
        if number == 2:
            return web.Response(text='{"type":"ADDED"}\n')
        await asyncio.Event().wait()
        raise AssertionError("it never ends")

    async with Server(answer) as server, client_of(server) as client, informer_of(client):
        await until(lambda: len(server.asked) == 3)


async def test_a_watch_that_is_silent_for_long_is_begun_anew_where_it_stood(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Dead or only quiet, nobody can tell: no new list, and nothing that happened meanwhile is lost."""
    monkeypatch.setattr(http, "WATCH_SILENCE", 0.3)
    later: Obj = {**FOUND, "metadata": {**FOUND["metadata"], "name": "y", "resourceVersion": "9"}}

    lists = 0

    async def answer(request: BaseRequest, number: int) -> web.Response:
        nonlocal lists
        if "watch" not in request.query:
            lists += 1
            return web.json_response({"metadata": {"resourceVersion": "7"}, "items": [FOUND]})
        assert request.query["allowWatchBookmarks"] == "true"
        assert 300 <= int(request.query["timeoutSeconds"]) <= 600
        stream = web.StreamResponse()
        await stream.prepare(request)
        if number > 2:
            assert request.query["resourceVersion"] in {"7", "9"}
            await stream.write(json.dumps({"type": "ADDED", "object": later}).encode() + b"\n")
        await asyncio.Event().wait()
        raise AssertionError("it never ends")

    async with Server(answer) as server, client_of(server) as client, informer_of(client) as (informer, _):
        await until(lambda: ("d", "y") in informer.objects)
        assert len(server.asked) >= 3
    assert lists == 1


async def test_a_storm_of_410_is_met_with_longer_and_longer_pauses() -> None:
    """Each 410 asks for a new list; two seconds of it must not cost hundreds."""

    async def answer(request: BaseRequest, _number: int) -> web.Response:
        if "watch" in request.query:
            return web.json_response({"kind": "Status", "code": 410, "reason": "Expired"}, status=410)
        return web.json_response({"metadata": {"resourceVersion": "7"}, "items": [FOUND]})

    async with Server(answer) as server, client_of(server) as client, informer_of(client):
        await until(lambda: len(server.asked) > 10)
    times = [time for _, time, _ in server.asked]
    assert times[10] - times[0] > 1.0  # 1.55 s at least; pauses that do not grow add up to 0.75 s at most


async def test_a_long_list_comes_in_pages_and_begins_again_when_the_server_forgot_its_beginning() -> None:
    """1,200 objects are three answers; 410 in the middle tells of nothing by halves."""
    items = [
        {"metadata": {"namespace": "d", "name": f"n{n:04}", "resourceVersion": "1"}} for n in range(1200)
    ]
    has_failed = False

    async def answer(request: BaseRequest, _number: int) -> web.Response:
        nonlocal has_failed
        if "watch" in request.query:
            assert request.query["resourceVersion"] == "7"
            await asyncio.Event().wait()
        begin, size = int(request.query.get("continue", "0")), int(request.query["limit"])
        if begin == 500 and not has_failed:
            has_failed = True
            assert not informer.objects
            return web.json_response({"kind": "Status", "code": 410, "reason": "Expired"}, status=410)
        meta = {"resourceVersion": "7"}
        if begin + size < len(items):
            meta["continue"] = str(begin + size)
        return web.json_response({"metadata": meta, "items": items[begin : begin + size]})

    async with Server(answer) as server, client_of(server) as client, informer_of(client) as (informer, _):
        await until(lambda: len(server.asked) == 6)
        assert len(informer.objects) == 1200


async def test_an_event_waits_until_the_server_is_back() -> None:
    """What happened while it was away is told afterwards, once; what it refuses is dropped."""
    stored: list[Obj] = []

    async def answer(request: BaseRequest, number: int) -> web.Response:
        body = await request.json()
        if number <= 2:
            cut(request)
        if body["reason"] == "Refused":
            return web.json_response({"kind": "Status", "code": 422, "reason": "Invalid"}, status=422)
        if body["metadata"]["name"] in [event["metadata"]["name"] for event in stored]:
            return web.json_response({"kind": "Status", "code": 409, "reason": "AlreadyExists"}, status=409)
        stored.append(body)
        if len(stored) == 1:
            cut(request)
        return web.json_response(body)

    involved = {"kind": "Pod", "apiVersion": "v1", "metadata": {"namespace": "d", "name": "p", "uid": "1"}}
    async with Server(answer) as server, client_of(server) as client:
        recorder = EventRecorder(client, "zerogate-test")
        running = asyncio.create_task(recorder.run())
        for reason in ("First", "Refused", "Second"):
            recorder.emit(involved, "Normal", reason, "told")
        await until(lambda: len(stored) == 2)
        running.cancel()
    assert [event["reason"] for event in stored] == ["First", "Second"]
