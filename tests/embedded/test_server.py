"""The two doors of the API: HTTPS with its lock, and calls within the process."""

import asyncio
import io
import json
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from embedded.api.bodies import MAX_BODY
from embedded.edge.local import LocalTransport
from embedded.edge.lock import Lock, make_lock
from embedded.edge.server import ApiServer, serve
from kube.edge.client import ApiError, Client
from kube.edge.credentials import Credentials
from kube.edge.http import HttpTransport
from kube.edge.informer import Informer
from kube.resources import CONFIGMAPS as CONFIG_MAPS
from kube.resources import DEPLOYMENTS
from testkit.api.world import CONFIGMAPS, MERGE, PODS, World, config_map, deployment, pod
from testkit.waiting import until


class Door:
    """A served API, a client with the credential, and the API behind it."""

    def __init__(self, world: World, server: ApiServer, lock: Lock) -> None:
        self.world = world
        self.server = server
        self.lock = lock
        tls = ssl.create_default_context(cadata=lock.ca)
        self.url = f"https://127.0.0.1:{server.port}"
        self.credentials = Credentials(self.url, tls, {"Authorization": f"Bearer {lock.token}"})
        self.session = aiohttp.ClientSession(self.url, connector=aiohttp.TCPConnector(ssl=tls))

    async def ask(self, method: str, path: str, *, token: str | None = None, **more: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token or self.lock.token}", **more.pop("headers", {})}
        async with self.session.request(method, path, headers=headers, **more) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text.startswith("{") else text


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    world = World()
    world.api.log_folder = tmp_path / "logs"
    lock = make_lock(tmp_path / "lock")
    server = await serve(world.api, lock)
    found = Door(world, server, lock)
    yield found
    await found.session.close()
    await server.close()
    world.store.close()


# -- the lock --------------------------------------------------------------------------------------------

INTRUDERS = [
    ("no credential", {"headers": {"Authorization": ""}}, 401),
    ("a wrong credential", {"token": "wrong"}, 401),
    ("a foreign host", {"headers": {"Host": "evil.example"}}, 403),
    ("a host that begins well", {"headers": {"Host": "localhost.evil.example:8001"}}, 403),
    ("a web page", {"headers": {"Origin": "https://evil.example"}}, 403),
    ("a sandboxed web page", {"headers": {"Origin": "null"}}, 403),
    ("a form", {"headers": {"Content-Type": "application/x-www-form-urlencoded"}}, 415),
    ("plain text", {"headers": {"Content-Type": "text/plain"}}, 415),
]


@pytest.mark.parametrize(("how", "code"), [row[1:] for row in INTRUDERS], ids=[row[0] for row in INTRUDERS])
async def test_intruders_are_turned_away(door: Door, how: dict[str, Any], code: int) -> None:
    """Each with its status, as a Status object; nothing is changed."""
    how = {key: dict(value) if isinstance(value, dict) else value for key, value in how.items()}
    how.setdefault("headers", {}).setdefault("Content-Type", "application/json")
    revision = door.world.store.revision
    status, body = await door.ask("POST", CONFIGMAPS, data=json.dumps(config_map("a")), **how)
    assert (status, body["code"], body["kind"]) == (code, code, "Status")
    assert door.world.store.revision == revision


async def test_all_paths_but_health_are_locked(door: Door) -> None:
    """Probes need no credential; version and discovery do."""
    for path in ("/healthz", "/livez", "/readyz"):
        assert await door.ask("GET", path, token="none") == (200, "ok")
    for path in ("/version", "/api", "/openapi/v3", "/", "/healthz/x", CONFIGMAPS):
        assert (await door.ask("GET", path, token="none"))[0] == 401


async def test_plain_http_gets_nowhere(door: Door) -> None:
    """The port speaks TLS alone."""
    with pytest.raises(aiohttp.ClientError):
        await door.session.get(f"http://127.0.0.1:{door.server.port}/healthz")


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_a_body_too_large_is_refused(door: Door, is_chunked: bool) -> None:
    """413, whether it says its size or not."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY // 65536 + 2):
            yield b"x" * 65536

    data: Any = pieces() if is_chunked else io.BytesIO(b"x" * (MAX_BODY + 1))
    try:
        status, _ = await door.ask(
            "POST", CONFIGMAPS, data=data, headers={"Content-Type": "application/json"}
        )
    except aiohttp.ClientConnectionError:
        return  # the server closed while we were still sending: refused as well
    assert status == 413


# -- the API over HTTPS ----------------------------------------------------------------------------------


async def test_objects_warnings_and_yaml(door: Door) -> None:
    """What is written comes back; a misspelt field is warned of; YAML both ways."""
    body = {**config_map("a", {"k": "grün"}), "datta": {}}
    headers = {"Authorization": f"Bearer {door.lock.token}"}
    async with door.session.post(CONFIGMAPS, json=body, headers=headers) as answer:
        assert answer.status == 201
        assert answer.headers["Warning"] == '299 - "unknown field \\"datta\\""'
    status, found = await door.ask("GET", f"{CONFIGMAPS}/a")
    assert (status, found["data"]) == (200, {"k": "grün"})
    status, text = await door.ask("GET", f"{CONFIGMAPS}/a", headers={"Accept": "application/yaml"})
    assert yaml.safe_load(text) == found
    status, listed = await door.ask("GET", CONFIGMAPS, headers={"Accept": "application/json"})
    assert [item["metadata"]["name"] for item in listed["items"]] == ["a"]
    status, refused = await door.ask("GET", f"{CONFIGMAPS}/b")
    assert (status, refused["reason"]) == (404, "NotFound")


async def test_a_defect_is_an_internal_error(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 as a Status; the server goes on."""
    monkeypatch.setattr(door.world.api, "handle", lambda _: 1 / 0)
    status, body = await door.ask("GET", CONFIGMAPS)
    assert (status, body["reason"]) == (500, "InternalError")
    monkeypatch.undo()
    assert (await door.ask("GET", CONFIGMAPS))[0] == 200


async def test_a_watch_streams_until_its_timeout(door: Door) -> None:
    """One line an event, then a proper end; nothing stays subscribed."""
    transport = HttpTransport(door.credentials, user_agent="test")
    door.world.ok("POST", CONFIGMAPS, config_map("a"))
    seen = []
    async for event in transport.watch(CONFIGMAPS, query={"watch": "1", "timeoutSeconds": "1"}):
        seen.append((event["type"], event["object"]["metadata"]["name"]))
        if event["type"] == "ADDED":
            door.world.ok("DELETE", f"{CONFIGMAPS}/a")
    assert seen == [("ADDED", "a"), ("DELETED", "a")]
    await transport.close()
    assert door.world.store._collections["configmaps"].listeners == []


async def test_a_client_that_leaves_is_forgotten(door: Door) -> None:
    """Its watch ends on the server as well."""
    headers = {"Authorization": f"Bearer {door.lock.token}"}
    answer = await door.session.get(f"{CONFIGMAPS}?watch=1", headers=headers)
    listeners = door.world.store._collections["configmaps"].listeners
    assert len(listeners) == 1
    answer.close()
    await until(lambda: not listeners, "the watch to end")


async def test_closing_ends_the_watches(door: Door) -> None:
    """Clients see a proper end, and closing does not wait for their timeouts."""
    headers = {"Authorization": f"Bearer {door.lock.token}"}
    async with door.session.get(f"{CONFIGMAPS}?watch=1", headers=headers) as answer:
        closing = asyncio.create_task(door.server.close())
        assert await answer.content.read() == b""
        await asyncio.wait_for(closing, 60)


@pytest.mark.parametrize("kind", ["http", "local"])
async def test_an_informer_follows_through_both_doors(door: Door, kind: str) -> None:
    """The client and the cache of our own programs, over HTTPS and within the process."""
    transport: Any = LocalTransport(door.world.api, "test")
    if kind == "http":
        transport = HttpTransport(door.credentials, user_agent="test")
    client = Client(transport, manager="test")
    door.world.ok("POST", CONFIGMAPS, config_map("a"))
    informer = Informer(client, CONFIG_MAPS, namespace="default")
    task = asyncio.create_task(informer.run())
    await asyncio.wait_for(informer.synced.wait(), 60)
    made = await client.create(
        CONFIG_MAPS, {**config_map("b"), "metadata": {"name": "b", "namespace": "default"}}
    )
    await client.patch(CONFIG_MAPS, "default", "b", {"data": {"k": "2"}}, kind="merge")
    await client.delete(CONFIG_MAPS, "default", "a", uid=informer.objects["default", "a"]["metadata"]["uid"])
    await until(lambda: list(informer.objects) == [("default", "b")], "the deletion to be seen")
    assert informer.objects["default", "b"]["data"] == {"k": "2"}
    assert made["data"] == {"k": "v"}, "what was given out is never changed"
    with pytest.raises(ApiError) as refused:
        await client.get(CONFIG_MAPS, "default", "a")
    assert refused.value.is_not_found
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await client.close()


async def test_a_refused_watch_within_the_process_is_an_api_error() -> None:
    """As over HTTP; and a timeout ends the iterator."""
    transport = LocalTransport(World().api)
    with pytest.raises(ApiError):
        await anext(aiter(transport.watch("/api/v1/gadgets", query={})))
    assert [event async for event in transport.watch(CONFIGMAPS, query={"timeoutSeconds": "1"})] == []


# -- logs ------------------------------------------------------------------------------------------------

RUNNING = [{"name": "main", "state": {"running": {"startedAt": "2023-11-14T22:13:20Z"}}}]
ENDED = [
    {"name": "main", "state": {"terminated": {"exitCode": 0}}, "lastState": {"terminated": {"exitCode": 1}}}
]


class LogFile:
    """The log of pod `p`, written as its container would."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, text: str) -> None:
        with self.path.open("a") as out:
            out.write(text)

    def age(self, moment: float) -> None:
        os.utime(self.path, (moment, moment))

    def begin_anew(self, text: str) -> None:
        self.path.replace(self.path.with_name("main.log.1"))
        self.add(text)


@pytest.fixture
def logged(door: Door) -> LogFile:
    """A running pod `p`, and where its log goes."""
    made = door.world.ok("POST", PODS, pod("p", node="n"))
    door.world.ok("PATCH", f"{PODS}/p/status", {"status": {"containerStatuses": RUNNING}}, MERGE)
    folder = door.world.api.log_folder / f"default_p_{made['metadata']['uid']}"
    folder.mkdir(parents=True)
    return LogFile(folder / "main.log")


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", "one\ntwo\nthree\n"),
        ("tailLines=2", "two\nthree\n"),
        ("tailLines=0", ""),
        ("tailLines=99", "one\ntwo\nthree\n"),
        ("limitBytes=5", "one\nt"),
        ("container=main&tailLines=1", "three\n"),
        ("sinceSeconds=60", "one\ntwo\nthree\n"),
        ("sinceTime=2023-11-14T22:14:20Z", ""),
        ("timestamps=true&tailLines=1", "2023-11-14T22:13:20.000000Z three\n"),
    ],
)
async def test_parts_of_a_log(door: Door, logged: LogFile, query: str, text: str) -> None:
    """What kubectl logs can ask for; times are those of the file."""
    logged.add("one\ntwo\nthree\n")
    logged.age(door.world.now)
    assert await door.ask("GET", f"{PODS}/p/log?{query}") == (200, text)


@pytest.mark.parametrize("lines", [1, 1000, 7000])
async def test_the_tail_of_a_long_log(door: Door, logged: LogFile, lines: int) -> None:
    """Found from the end, over many blocks, also when the last line has no end yet."""
    logged.add("".join(f"line {number:05}\n" for number in range(20_000)) + "unfinished")
    _, text = await door.ask("GET", f"{PODS}/p/log?tailLines={lines}")
    found = text.split("\n")
    assert len(found) == lines
    assert found[-1] == "unfinished"


REFUSED_LOGS = [
    ("other/log", 404, "not found"),
    ("p/log?container=x", 400, "container x is not valid"),
    ("p/log?previous=true", 400, "previous terminated container"),
    ("p/log?tailLines=-1", 400, "tailLines"),
    ("p/log?sinceTime=noon", 400, "sinceTime"),
    ("waiting/log", 400, 'container "main" in pod "waiting" is waiting to start: ContainerCreating'),
    ("two/log", 400, "choose one of: [main side]"),
]


@pytest.mark.parametrize(("path", "code", "text"), REFUSED_LOGS)
async def test_refused_logs(door: Door, logged: LogFile, path: str, code: int, text: str) -> None:
    """Each with the reason that kubectl prints."""
    door.world.ok("POST", PODS, pod("waiting"))
    two = pod("two")
    two["spec"]["containers"].append({"name": "side", "image": "x:1"})
    door.world.ok("POST", PODS, two)
    status, body = await door.ask("GET", f"{PODS}/{path}")
    assert status == code
    assert text in body["message"]


async def test_a_log_is_followed_until_the_container_ends(door: Door, logged: LogFile) -> None:
    """What is written meanwhile comes at once, the end of the container ends the answer.

    After the next start both runs' logs can be read.
    """
    logged.add("first\n")
    headers = {"Authorization": f"Bearer {door.lock.token}"}
    async with door.session.get(f"{PODS}/p/log?follow=true", headers=headers) as answer:
        assert await answer.content.readline() == b"first\n"
        logged.add("second\n")
        assert await answer.content.readline() == b"second\n"
        logged.add("last\n")
        door.world.ok("PATCH", f"{PODS}/p/status", {"status": {"containerStatuses": ENDED}}, MERGE)
        assert await asyncio.wait_for(answer.content.read(), 60) == b"last\n"
    logged.begin_anew("next run\n")
    assert await door.ask("GET", f"{PODS}/p/log?previous=true") == (200, "first\nsecond\nlast\n")
    assert await door.ask("GET", f"{PODS}/p/log") == (200, "next run\n")


async def test_a_pod_that_wrote_nothing_has_an_empty_log(door: Door, logged: LogFile) -> None:
    """No file yet is no error."""
    assert await door.ask("GET", f"{PODS}/p/log") == (200, "")


# -- figures ---------------------------------------------------------------------------------------------


async def test_calls_within_the_process_never_wait() -> None:
    """A cold start's writes fit between two turns of the loop: no call yields."""
    world = World()
    client = Client(LocalTransport(world.api), manager="test")
    turns: list[Any] = []
    asyncio.get_running_loop().call_soon(turns.append, 1)
    body = deployment("d")
    body["metadata"]["namespace"] = "default"
    await client.create(DEPLOYMENTS, body)
    await client.patch(
        DEPLOYMENTS, "default", "d", {"spec": {"replicas": 2}}, kind="merge", subresource="scale"
    )
    assert turns == []
