"""The controller against the embedded API, in one process: what it watches, asks and does."""

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import yaml

from embedded.api import Api
from embedded.edge.local import LocalTransport
from embedded.store import Store
from kube.edge.client import ApiError, Client
from kube.objects import Obj
from kube.resources import (
    CONFIGMAPS,
    CONFIGURATIONS,
    CRDS,
    DEPLOYMENTS,
    EVENTS,
    NAMESPACES,
    REVISIONS,
    ROUTES,
    SERVICES,
    Resource,
)
from serving.crds import custom_resources
from serving.edge import queue as queue_module
from serving.edge.controller import Settings
from serving.edge.controller import run as run_controller
from serving.edge.queue import WorkQueue
from serving.validation import admit
from testkit.loop.virtual_time import run
from testkit.paths import CONFIG

DEADLINE = 60.0


class Counting(LocalTransport):
    """Counts what is written, Events aside, and what is read."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, "zerogate-controller")
        self.writes: list[tuple[str, str]] = []
        self.reads: list[str] = []

    async def request(self, method: str, path: str, **more: Any) -> tuple[int, Obj]:
        if method == "GET":
            self.reads.append(path)
        elif "/events" not in path:
            self.writes.append((method, path))
        return await super().request(method, path, **more)


class Bench:
    """An API, the controller, and a client to look with."""

    def __init__(self) -> None:
        self.maps: dict[str, Any] = {}
        self.api = Api(Store(None), admit=self.admit, clock=time.time)
        self.client = Client(LocalTransport(self.api), manager="test")
        self.transport: Any = Counting(self.api)
        self.task: Any = None

    def admit(self, resource: Resource, obj: Obj, old: Obj | None) -> Obj:
        return admit(resource, obj, old, self.maps)

    async def install(self) -> None:
        for crd in custom_resources():
            await self.client.create(CRDS, crd)
        with contextlib.suppress(ApiError):
            await self.client.create(NAMESPACES, {"metadata": {"name": "zerogate-system"}})
        for path in CONFIG.glob("config-*.yaml"):
            await self.client.create(CONFIGMAPS, yaml.safe_load(path.read_text()))

    def start(self) -> None:
        client = Client(self.transport, manager="zerogate-controller")
        self.task = asyncio.create_task(run_controller(client, Settings(localhost_alias=True)))

    async def stop(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    async def get(self, resource: Resource, name: str) -> Any:
        try:
            return await self.client.get(resource, "default", name)
        except ApiError as error:
            if error.is_not_found:
                return None
            raise

    async def until(self, holds: Callable[..., Any]) -> Any:
        """Wait for a condition; a dead controller or a minute ends it."""
        end = time.monotonic() + DEADLINE
        while not (found := await holds()):
            if self.task is not None and self.task.done():
                self.task.result()
            assert time.monotonic() < end, "not in time"
            await asyncio.sleep(0.002)
        return found

    async def is_ready(self, resource: Resource, name: str, status: str = "True") -> bool:
        obj = await self.get(resource, name)
        conditions = (obj or {}).get("status", {}).get("conditions", [])
        return any(each["type"] == "Ready" and each["status"] == status for each in conditions)

    async def set_ready_pods(self, revision: str, count: int = 1) -> None:
        """What the Deployment controller would say."""
        found = await self.until(lambda: self.get(DEPLOYMENTS, f"{revision}-deployment"))
        status = {"readyReplicas": count, "replicas": count}
        await self.client.replace(DEPLOYMENTS, {**found, "status": status}, subresource="status")


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    await bench.install()
    bench.start()
    yield bench
    await bench.stop()


def service(target: str = "World", **metadata: Any) -> Obj:
    obj = yaml.safe_load((CONFIG / "samples" / "helloworld-go.yaml").read_text())
    obj["metadata"] |= {"namespace": "default", **metadata}
    obj["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = target
    found: Obj = obj
    return found


NAME, ONE, TWO = "helloworld-go", "helloworld-go-00001", "helloworld-go-00002"


async def test_a_service_becomes_all_its_objects_and_ready(bench: Bench) -> None:
    await bench.client.create(SERVICES, service())
    await bench.set_ready_pods(ONE)
    await bench.until(lambda: bench.is_ready(SERVICES, NAME))
    found = await bench.get(SERVICES, NAME)
    assert found["status"]["url"] == f"http://{NAME}.default.example.com"
    assert found["status"]["latestReadyRevisionName"] == ONE
    assert await bench.is_ready(CONFIGURATIONS, NAME)
    assert await bench.is_ready(ROUTES, NAME)
    assert await bench.is_ready(REVISIONS, ONE)


async def test_what_is_settled_is_not_written_again(bench: Bench) -> None:
    """Asked anew about everything the controller finds its own work as it left it."""
    await bench.client.create(SERVICES, service())
    await bench.set_ready_pods(ONE)
    await bench.until(lambda: bench.is_ready(SERVICES, NAME))
    await bench.stop()
    bench.transport.writes.clear()
    bench.start()
    await bench.client.create(SERVICES, service(name="other"))
    await bench.set_ready_pods("other-00001")
    await bench.until(lambda: bench.is_ready(SERVICES, "other"))
    assert bench.transport.writes
    assert [path for _, path in bench.transport.writes if NAME in path] == []


async def test_an_update_and_a_deletion(bench: Bench) -> None:
    await bench.client.create(SERVICES, service())
    await bench.set_ready_pods(ONE)
    await bench.until(lambda: bench.is_ready(SERVICES, NAME))
    patch = {"spec": {"template": service("Grey")["spec"]["template"]}}
    await bench.client.patch(SERVICES, "default", NAME, patch, kind="merge")
    await bench.set_ready_pods(TWO)

    async def is_moved() -> bool:
        route = await bench.get(ROUTES, NAME)
        return bool(route["status"]["traffic"][0]["revisionName"] == TWO)

    await bench.until(is_moved)
    await bench.client.delete(SERVICES, "default", NAME)

    async def is_gone() -> bool:
        left = [await bench.client.list(each, "default") for each in (ROUTES, REVISIONS, DEPLOYMENTS)]
        return not any(each["items"] for each in left)

    await bench.until(is_gone)


async def test_a_config_map_is_read_live_and_a_bad_one_is_not_taken(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await bench.client.create(SERVICES, service())
    await bench.until(lambda: bench.get(ROUTES, NAME))

    async def has_domain(domain: str) -> bool:
        route = await bench.get(ROUTES, NAME)
        return bool(route.get("status", {}).get("url", "").endswith(f".{domain}"))

    await bench.until(lambda: has_domain("example.com"))
    await bench.client.patch(
        CONFIGMAPS,
        "zerogate-system",
        "config-domain",
        {"data": {"example.com": None, "new.org": ""}},
        kind="merge",
    )
    await bench.until(lambda: has_domain("new.org"))
    bench.api.cluster.admit = lambda _, obj, __: obj
    with caplog.at_level(logging.ERROR, "zerogate.controller"):
        bad = {"data": {"domain-template": "{{.Name}}.{{.Domain}}"}}
        await bench.client.patch(CONFIGMAPS, "zerogate-system", "config-network", bad, kind="merge")

        async def is_told() -> bool:
            return any("config-network" in each.message for each in caplog.records)

        await bench.until(is_told)
    assert await has_domain("new.org")


async def test_readiness_is_told_by_an_event(bench: Bench) -> None:
    await bench.client.create(SERVICES, service())
    await bench.set_ready_pods(ONE)

    async def is_told() -> bool:
        events = await bench.client.list(EVENTS, "default")
        return {"RevisionReady", "Ready"} <= {each["reason"] for each in events["items"]}

    await bench.until(is_told)


async def test_it_takes_up_what_was_left_half_done(bench: Bench) -> None:
    """Stopped at any point and started again it comes to the same end."""
    await bench.stop()
    await bench.client.create(SERVICES, service())
    bench.start()
    await bench.until(lambda: bench.get(REVISIONS, ONE))
    await bench.stop()
    bench.start()
    await bench.set_ready_pods(ONE)
    await bench.until(lambda: bench.is_ready(SERVICES, NAME))


async def test_many_services_at_once(bench: Bench) -> None:
    names = [f"s-{number}" for number in range(30)]
    for name in names:
        await bench.client.create(SERVICES, service(name=name))
    for name in names:
        await bench.set_ready_pods(f"{name}-00001")
    for name in names:
        await bench.until(lambda name=name: bench.is_ready(SERVICES, name))


async def test_what_is_on_its_way_is_not_written_while_there_is_more_to_do(bench: Bench) -> None:
    """Of fifty at once fewer stations are told than of fifty one by one (12 statuses each)."""
    await bench.stop()
    names = [f"s-{number}" for number in range(50)]
    for name in names:
        await bench.client.create(SERVICES, service(name=name))
    bench.start()
    for name in names:
        await bench.set_ready_pods(f"{name}-00001")
    for name in names:
        await bench.until(lambda name=name: bench.is_ready(SERVICES, name))
    statuses = [path for _, path in bench.transport.writes if path.endswith("/status")]
    assert len(statuses) < 50 * 8


class Late(Counting):
    """An API whose watches tell of everything a moment later than it happens; refusals are counted."""

    def __init__(self, api: Api) -> None:
        super().__init__(api)
        self.refused: list[str] = []

    async def request(self, method: str, path: str, **more: Any) -> tuple[int, Obj]:
        await asyncio.sleep(0.001)
        status, body = await super().request(method, path, **more)
        if status == 409:
            self.refused.append(path)
        return status, body

    async def watch(self, path: str, **more: Any) -> AsyncIterator[dict[str, Any]]:
        async for event in super().watch(path, **more):
            await asyncio.sleep(0.03)
            yield event


async def test_what_was_just_written_is_known_before_the_watch_tells_of_it() -> None:
    """So nothing is written by old news, and no write of a status is refused because of the one before it."""
    bench = Bench()
    bench.transport = Late(bench.api)
    await bench.install()
    bench.start()
    await bench.client.create(SERVICES, service())
    await bench.set_ready_pods(ONE)
    await bench.until(lambda: bench.is_ready(SERVICES, NAME))
    await bench.stop()
    assert [path for path in bench.transport.refused if path.endswith("/status")] == []


class Held(Counting):
    """An API whose watches of Revisions tell nothing while `is_held`."""

    def __init__(self, api: Api) -> None:
        super().__init__(api)
        self.made: list[str] = []
        """Names of Deployments. A second request for one, before the watch tells of it, is refused: it counts
        for nothing.
        """
        self.may_tell = asyncio.Event()
        self.may_tell.set()

    async def watch(self, path: str, **more: Any) -> AsyncIterator[dict[str, Any]]:
        async for event in super().watch(path, **more):
            if path == REVISIONS.path(""):
                await self.may_tell.wait()
            yield event

    async def request(self, method: str, path: str, **more: Any) -> tuple[int, Obj]:
        status, body = await super().request(method, path, **more)
        if (method, path, status) == ("POST", DEPLOYMENTS.path("default"), 201):
            self.made.append(body["metadata"]["name"])
        return status, body


@pytest.fixture
async def held() -> AsyncIterator[Bench]:
    bench = Bench()
    bench.transport = Held(bench.api)
    await bench.install()
    bench.start()
    await bench.client.create(SERVICES, service())
    await bench.set_ready_pods(ONE)
    await bench.until(lambda: bench.is_ready(SERVICES, NAME))
    yield bench
    await bench.stop()


async def test_what_goes_with_its_owner_is_not_made_again_however_late_the_owners_end_is_heard_of(
    held: Bench,
) -> None:
    """Kubernetes collects what has lost its owner: each one made would be made, and collected, in vain."""
    held.transport.may_tell.clear()
    asked = len(held.transport.reads)
    await held.client.delete(SERVICES, "default", NAME)

    async def is_asked_for() -> list[str]:
        return [path for path in held.transport.reads[asked:] if path == REVISIONS.path("default")]

    await held.until(is_asked_for)
    assert await held.get(DEPLOYMENTS, f"{ONE}-deployment") is None
    held.transport.may_tell.set()
    await held.client.create(SERVICES, service(name="next"))
    await held.set_ready_pods("next-00001")
    await held.until(lambda: held.is_ready(SERVICES, "next"))
    assert held.transport.made == [f"{ONE}-deployment", "next-00001-deployment"]


async def test_what_somebody_deleted_is_made_again(held: Bench) -> None:
    await held.client.delete(DEPLOYMENTS, "default", f"{ONE}-deployment")
    await held.until(lambda: held.get(DEPLOYMENTS, f"{ONE}-deployment"))
    await held.client.delete(ROUTES, "default", NAME)
    await held.until(lambda: held.get(ROUTES, NAME))


def in_virtual_time(test: Callable[..., Any]) -> Callable[..., None]:
    """Run an async test with a clock that jumps: no pause is longer because the machine was busy."""

    @functools.wraps(test)
    def play(*args: Any, **kwargs: Any) -> None:
        run(test(*args, **kwargs))

    return play


@in_virtual_time
async def test_the_rest_of_a_key_comes_when_all_is_calm() -> None:
    queue: WorkQueue[Any] = WorkQueue()
    for key in ("a", "b"):
        queue.add(key)
    assert await queue.take() == "a"
    assert queue.can_wait("a")
    queue.done("a", is_rest_left=True)
    queue.add("c")
    begun = asyncio.get_running_loop().time()
    assert await queue.take() == "b"
    assert await queue.take() == "c"
    assert queue.can_wait("c"), "there was news just now"
    assert await queue.take() == "a"
    assert asyncio.get_running_loop().time() - begun == pytest.approx(queue_module.CALM)
    assert not queue.can_wait("a")
    queue.done("a")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.take(), 0.01)


@in_virtual_time
async def test_the_rest_of_a_key_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """News of it take it along; others in line hold it up for a while and no longer."""
    monkeypatch.setattr(queue_module, "PATIENCE", 0.05)
    queue: WorkQueue[Any] = WorkQueue()
    for key in ("a", "b", "c"):
        queue.add(key)
    assert await queue.take() == "a"
    queue.add("a")
    queue.done("a", is_rest_left=True)
    assert [await queue.take() for _ in range(3)] == ["b", "c", "a"]
    for key in ("b", "c"):
        queue.done(key)
        queue.add(key)
    queue.done("a", is_rest_left=True)
    await asyncio.sleep(0.06)
    assert await queue.take() == "a"
    assert not queue.can_wait("a")


@in_virtual_time
async def test_a_key_is_in_line_once_and_never_worked_on_twice_at_a_time() -> None:
    queue: WorkQueue[Any] = WorkQueue()
    for key in ("a", "b", "a"):
        queue.add(key)
    assert await queue.take() == "a"
    queue.add("a")
    assert await queue.take() == "b"
    queue.done("b")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.take(), 0.01)
    queue.done("a")
    assert await queue.take() == "a"


@in_virtual_time
async def test_a_failure_waits_longer_each_time_and_a_success_forgets() -> None:
    queue: WorkQueue[Any] = WorkQueue()
    delays = []
    for _ in range(3):
        queue.add("a")
        await queue.take()
        delays.append(queue.failed("a"))
    assert delays == [0.01, 0.02, 0.04]
    assert await asyncio.wait_for(queue.take(), 1.0) == "a"
    queue.done("a")
    queue.add("a")
    await queue.take()
    assert queue.failed("a") == 0.01


@in_virtual_time
async def test_the_earlier_of_two_times_counts() -> None:
    queue: WorkQueue[Any] = WorkQueue()
    queue.add_after("a", 60.0)
    queue.add_after("a", 0.005)
    queue.add_after("a", 60.0)
    assert await asyncio.wait_for(queue.take(), 1.0) == "a"
