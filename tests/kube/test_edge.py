"""The cache survives lost watches and expired versions; events are told once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from kube.edge.client import ApiError, Before, Client
from kube.edge.credentials import Credentials, NoCredentials, load_credentials
from kube.edge.events import EventRecorder
from kube.edge.http import HttpTransport
from kube.edge.informer import Change, Informer
from kube.objects import Obj
from kube.resources import CONFIGMAPS, EVENTS


def _config_map(name: str, version: int) -> Obj:
    return {"metadata": {"namespace": "d", "name": name, "resourceVersion": str(version)}}


class ScriptedApi:
    """Answers lists and watches in the order that a test wrote down, then stays silent."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.asked: list[tuple[str, Any]] = []

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        body: Any = None,
        content_type: str = "",
        before: Before | None = None,
    ) -> tuple[int, Obj]:
        self.asked.append((method, dict(query)))
        step = self.script.pop(0)
        if isinstance(step, ApiError):
            raise step
        return 200, step

    async def watch(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
        self.asked.append(("WATCH", query["resourceVersion"]))
        if not self.script:
            await asyncio.Event().wait()
        step = self.script.pop(0)
        for event in step:
            if isinstance(event, ApiError):
                raise event
            yield event

    async def close(self) -> None:
        pass


def _list(version: int, *items: Obj) -> Obj:
    return {"metadata": {"resourceVersion": str(version)}, "items": list(items)}


def _event(type_: str, obj: dict[str, Any]) -> dict[str, Any]:
    return {"type": type_, "object": obj}


async def _follow(
    api: ScriptedApi, until: Callable[..., Any]
) -> tuple[Informer, list[tuple[str, bool, bool]]]:
    changes: list[Change] = []
    informer = Informer(Client(api, manager="test"), CONFIGMAPS, on_change=changes.append)
    running = asyncio.create_task(informer.run())
    async with asyncio.timeout(60):
        while not until(informer, api):
            await asyncio.sleep(0.005)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    return informer, [(c.key[1], c.old is not None, c.new is not None) for c in changes]


async def test_list_then_watch_tells_each_difference_once() -> None:
    """Created, changed and deleted objects are told; a bookmark only moves the version."""
    api = ScriptedApi(
        _list(5, _config_map("a", 1)),
        [
            _event("ADDED", _config_map("b", 6)),
            _event("MODIFIED", _config_map("a", 7)),
            _event("BOOKMARK", _config_map("", 9)),
            _event("DELETED", _config_map("b", 10)),
        ],
    )
    informer, changes = await _follow(api, lambda _, api: ("WATCH", "10") in api.asked)
    assert list(informer.objects) == [("d", "a")]
    assert changes == [("a", False, True), ("b", False, True), ("a", True, True), ("b", True, False)]


async def test_an_expired_version_lists_again_and_tells_only_what_differs() -> None:
    """After 410 a lost deletion is found by comparing; what stayed the same is not told again."""
    gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    api = ScriptedApi(
        _list(5, _config_map("a", 1), _config_map("b", 2)),
        [_event("ERROR", gone)],
        _list(90, _config_map("a", 1), _config_map("c", 80)),
    )
    informer, changes = await _follow(api, lambda _, api: ("WATCH", "90") in api.asked)
    assert sorted(key[1] for key in informer.objects) == ["a", "c"]
    assert {obj["kind"] for obj in informer.objects.values()} == {"ConfigMap"}, "a list leaves the kind out"
    assert changes == [("a", False, True), ("b", False, True), ("b", True, False), ("c", False, True)]


async def test_a_server_that_is_away_is_asked_again() -> None:
    """Unreachable, then there: the cache fills, nobody had to restart it."""
    api = ScriptedApi(ApiError(0, "Unreachable", "refused"), _list(1, _config_map("a", 1)))
    informer, _ = await _follow(api, lambda informer, _: informer.synced.is_set())
    assert ("d", "a") in informer.objects


class MemoryApi:
    """Objects by path with optimistic concurrency: enough for Events."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self.version = 0
        self.is_away = False

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        body: Any = None,
        content_type: str = "",
        before: Before | None = None,
    ) -> tuple[int, Obj]:
        if self.is_away:
            raise ApiError(0, "Unreachable", "away")
        self.version += 1
        if method == "POST":
            path = f"{path}/{body['metadata']['name']}"
            return self._store(path, body)
        if path not in self.objects:
            return 404, {"kind": "Status", "code": 404, "reason": "NotFound", "message": "not found"}
        if method == "PUT":
            if body["metadata"]["resourceVersion"] != self.objects[path]["metadata"]["resourceVersion"]:
                return 409, {"kind": "Status", "code": 409, "reason": "Conflict", "message": "changed"}
            return self._store(path, body)
        if method == "PATCH":
            return self._store(path, {**self.objects[path], **body})
        return 200, self.objects[path]

    def _store(self, path: str, body: Obj) -> tuple[int, Obj]:
        meta = {**body["metadata"], "resourceVersion": str(self.version)}
        self.objects[path] = {**body, "metadata": meta}
        return 200, self.objects[path]

    async def watch(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield {}

    async def close(self) -> None:
        pass


async def test_a_repeated_event_raises_its_count() -> None:
    """`kubectl describe` shows one line (x2), not two."""
    api = MemoryApi()
    client = Client(api, manager="t")
    recorder = EventRecorder(client, "zerogate-test")
    running = asyncio.create_task(recorder.run())
    involved = {"kind": "Pod", "apiVersion": "v1", "metadata": {"namespace": "d", "name": "p", "uid": "1"}}
    for _ in range(2):
        recorder.emit(involved, "Warning", "BackOff", "again")
    recorder.emit(involved, "Normal", "Started", "other")
    async with asyncio.timeout(60):
        while len(api.objects) < 2:
            await asyncio.sleep(0.005)
    running.cancel()
    counts = {event["reason"]: event["count"] for event in api.objects.values()}
    assert counts == {"BackOff": 2, "Started": 1}
    assert all(path.startswith(EVENTS.path("d")) for path in api.objects)


async def test_a_server_that_refuses_connections_is_an_unreachable_api_error(unused_tcp_port: int) -> None:
    """Callers see one kind of failure, with the address in it."""
    transport = HttpTransport(Credentials(f"http://127.0.0.1:{unused_tcp_port}", None), user_agent="t")
    refused = f"no connection to 127.0.0.1:{unused_tcp_port}: Connection refused"
    with pytest.raises(ApiError, match=refused) as failure:
        await Client(transport, manager="t").get(CONFIGMAPS, "d", "x")
    await transport.close()
    assert failure.value.is_unreachable


@pytest.mark.parametrize("text", ["", "a: [", "contexts: []\ncurrent-context: x"])
async def test_a_kubeconfig_that_makes_no_sense_is_named(tmp_path: Path, text: str) -> None:
    """The error names the file."""
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    with pytest.raises(NoCredentials, match="kubeconfig"):
        await load_credentials(str(file))


async def test_a_missing_kubeconfig_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoCredentials, match="set KUBECONFIG"):
        await load_credentials(str(tmp_path / "none"))


async def test_a_token_in_a_kubeconfig_becomes_a_header(tmp_path: Path) -> None:
    """The plain case needs no library."""
    file = tmp_path / "kubeconfig"
    file.write_text(
        "contexts: [{name: c, context: {cluster: k, user: u}}]\ncurrent-context: c\n"
        "clusters: [{name: k, cluster: {server: 'http://127.0.0.1:1'}}]\n"
        "users: [{name: u, user: {token: t}}]\n"
    )
    assert (await load_credentials(str(file))).authorization() == {"Authorization": "Bearer t"}
