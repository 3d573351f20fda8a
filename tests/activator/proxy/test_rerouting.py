"""A request that waits goes where its Route leads now, not to a revision that is gone or lost the host."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator

import pytest

from activator.edge.cluster.endpoints import Endpoints, Hooks
from activator.edge.http.dispatch import Dispatcher
from activator.edge.http.listener import Listener
from activator.hold.throttle import Room
from activator.hosts import Hosts
from activator.link.orders import Orders
from activator.revision import Revision
from activator.routes import Router
from kube.edge.informer import Change
from kube.objects import Obj, key
from testkit.proxy.fake_api import deployment, route
from testkit.proxy.harness import (
    GET,
    HOST,
    Client,
    Pod,
    Proxy,
    Request,
    hello,
    on_uvloop,
    post,
    read_request,
    until,
)

FIRST, SECOND = "hello-00001", "hello-00002"
LIMIT = 2.0
"""Seconds within which a response counts as at once, on a busy machine."""


class World:
    """Routes and Deployments in, requests through real sockets."""

    def __init__(self) -> None:
        self.room = Room(100, 1 << 20)
        self.revisions: dict[tuple[str, str], Revision] = {}
        self.router = Router(self.revisions, is_local=True)
        self.dispatcher = Dispatcher(on_first=lambda _: None, on_waiting=lambda _: None, clock=time.monotonic)
        self.listener = Listener()
        hooks = Hooks(
            make=lambda target: Revision(target, process=self.room, random=random.random),
            on_target=lambda _: None,
            on_gone=lambda _: None,
        )
        hosts = Hosts([self.router], localhost_alias=False)
        self.endpoints = Endpoints(self.revisions, hosts, self.dispatcher, Orders(), hooks)
        self._known: dict[tuple[str, str], Obj] = {}
        self.clients: list[Client] = []
        self.ever: list[Revision] = []
        self.pods: list[Pod] = []

    def target(self, name: str, *, is_there: bool = True) -> None:
        """A revision's Deployment comes or goes."""
        obj = deployment(name, replicas=0)
        self.endpoints.target_changed(Change(key(obj), None, obj if is_there else None))
        if is_there:
            self.ever.append(self[name])

    def route(self, *shares: tuple[object, ...]) -> None:
        """The Route leads to these; none: it is deleted."""
        obj = route(*shares)
        self.endpoints.route_changed(Change(key(obj), None, obj if shares else None))

    def __getitem__(self, name: str) -> Revision:
        return self.revisions["default", name]

    async def client(self) -> Client:
        client = Client(*await asyncio.open_connection(*self.listener.address))
        self.clients.append(client)
        return client

    async def held(self, name: str, data: bytes = GET) -> Client:
        """A client whose request waits for this revision."""
        before = self[name].throttle.waiting
        client = await self.client()
        client.send(data)
        await until(lambda: self[name].throttle.waiting == before + 1)
        return client

    async def ready(self, name: str) -> Pod:
        pod = await Pod(hello, uid=f"pod of {name}").start()
        self.pods.append(pod)
        self.dispatcher.pod_ready(self[name], pod.uid, "127.0.0.1", pod.port)
        return pod


@contextlib.asynccontextmanager
async def world() -> AsyncIterator[World]:
    """Two revisions, of which the first has the Route; every count is zero at the end."""
    made = World()
    await made.listener.start(("127.0.0.1", 0), made.router, made.dispatcher)
    made.target(FIRST)
    made.target(SECOND)
    made.route((FIRST, 100))
    try:
        yield made
        for client in made.clients:
            client.hang_up()
        await until(lambda: not made.listener.gate.connections)
        for revision in made.ever:
            assert revision.load.in_flight == 0
            assert (revision.throttle.busy, revision.throttle.waiting) == (0, 0)
            assert (revision.throttle.own.requests, revision.throttle.own.bytes) == (0, 0)
        assert (made.room.requests, made.room.bytes) == (0, 0)
        counts = [revision.counts for revision in made.ever]
        responses = sum(sum(each.answers) + each.hung_up for each in counts)
        assert responses == sum(each.requests for each in counts)
    finally:
        made.listener.close()
        for pod in made.pods:
            await pod.stop()
        made.dispatcher.close()


@pytest.mark.parametrize("data", [GET, post(b"abc")], ids=["GET", "POST"])
@on_uvloop
async def test_a_held_request_follows_its_route_to_the_next_revision(data: bytes) -> None:
    """Its body comes with it, and it counts as concurrency of the revision that it waits for."""
    async with world() as made:
        client = await made.held(FIRST, data)
        made.route((SECOND, 100))
        assert (made[FIRST].throttle.waiting, made[SECOND].throttle.waiting) == (0, 1)
        assert (made[FIRST].load.in_flight, made[SECOND].load.in_flight) == (0, 1)
        pod = await made.ready(SECOND)
        assert (await client.answer()).status == 200
        assert pod.requests[0].body == data.partition(b"\r\n\r\n")[2]
        assert pod.requests[0].values(b"X-Forwarded-For") == [b"127.0.0.1"]
        assert made[SECOND].counts.answers[2] == 1


@on_uvloop
async def test_a_held_request_goes_at_once_if_the_next_revision_has_a_pod() -> None:
    """Nobody waits for the revision that never came up."""
    async with world() as made:
        client = await made.held(FIRST)
        await made.ready(SECOND)
        made.route((SECOND, 100))
        began = time.monotonic()
        assert (await client.answer()).status == 200
        assert time.monotonic() - began < LIMIT


@on_uvloop
async def test_requests_stay_with_a_revision_that_keeps_a_share() -> None:
    """And one that lost its share keeps none."""
    async with world() as made:
        clients = [await made.held(FIRST) for _ in range(10)]
        made.route((FIRST, 50), (SECOND, 50))
        assert made[FIRST].throttle.waiting == 10
        made.route((FIRST, 0), (SECOND, 100))
        assert (made[FIRST].throttle.waiting, made[SECOND].throttle.waiting) == (0, 10)
        await made.ready(SECOND)
        assert {(await client.answer()).status for client in clients} == {200}


@on_uvloop
async def test_a_held_request_of_a_host_that_is_gone_gets_404() -> None:
    """The Route is deleted before its Deployments are."""
    async with world() as made:
        client = await made.held(FIRST)
        made.route()
        answer = await client.answer()
        assert (answer.status, answer.reason) == (404, "no-route")


@on_uvloop
async def test_a_held_request_of_a_tag_that_is_gone_gets_404_and_others_stay() -> None:
    """A tag's host is a host of its own."""
    async with world() as made:
        made.route((FIRST, 100), (FIRST, 0, "old"))
        stays = await made.held(FIRST)
        tagged = await made.held(FIRST, GET.replace(b"Host: ", b"Host: old-"))
        made.route((FIRST, 100))
        assert (await tagged.answer()).reason == "no-route"
        assert made[FIRST].throttle.waiting == 1
        await made.ready(FIRST)
        assert (await stays.answer()).status == 200


@on_uvloop
async def test_a_held_request_waits_until_the_revision_of_its_route_is_known() -> None:
    """A Route may be heard of before the Deployment that it names."""
    async with world() as made:
        client = await made.held(FIRST)
        made.route(("hello-00003", 100))
        await asyncio.sleep(0.05)
        assert made[FIRST].throttle.waiting == 1
        made.target("hello-00003")
        await until(lambda: made["hello-00003"].throttle.waiting == 1)
        await made.ready("hello-00003")
        assert (await client.answer()).status == 200


@on_uvloop
async def test_a_deleted_revision_sends_its_requests_to_the_next() -> None:
    """If the Route leads there; else they get 404."""
    async with world() as made:
        client = await made.held(FIRST)
        made.route((FIRST, 50), (SECOND, 50))
        made.target(FIRST, is_there=False)
        assert made[SECOND].throttle.waiting == 1
        made.target(SECOND, is_there=False)
        assert (await client.answer()).reason == "no-route"


@on_uvloop
async def test_patience_goes_on_where_the_request_goes() -> None:
    """What it has waited counts, and the bounds of its new revision hold."""
    async with world() as made:
        first, second = await made.held(FIRST), await made.held(FIRST)
        since = [exchange.since for exchange in made[FIRST].throttle.queued()]
        made[SECOND].throttle.own.max_requests = 1
        made.route((SECOND, 100))
        assert (await second.answer()).reason == "queue-full"
        assert [exchange.since for exchange in made[SECOND].throttle.queued()] == since[:1]
        await made.ready(SECOND)
        assert (await first.answer()).status == 200


async def broken(request: Request) -> None:
    """The pod is killed some time after its revision was deleted."""
    await asyncio.sleep(0.2)
    request.reset()


@pytest.mark.parametrize("count", [1, 20])
@on_uvloop
async def test_a_request_that_comes_back_from_the_pod_of_a_deleted_revision_gets_404_at_once(
    count: int,
) -> None:
    """It does not wait for a pod that can never come; one that may not be repeated is 502 as ever."""
    async with Proxy(progress_deadline=20.0) as proxy:
        await proxy.ready(broken)
        clients = [await proxy.client() for _ in range(count)]
        for client in clients:
            client.send(GET)
        other = await proxy.client()
        other.send(post(b"x"))
        await until(lambda: proxy.revision.throttle.busy == count + 1)
        proxy.dispatcher.revision_gone(proxy.revision)
        began = time.monotonic()
        found = [await client.answer() for client in clients]
        assert {(answer.status, answer.reason) for answer in found} == {(404, "no-route")}
        assert (await other.answer()).reason == "maybe-sent"
        assert time.monotonic() - began < LIMIT
        await until(lambda: not proxy.dispatcher._restless)


@on_uvloop
async def test_a_connection_of_a_deleted_revision_has_no_more_to_wait_for() -> None:
    """Whoever still has the revision's object in hand, another activator for one, gets 404 at once."""
    async with Proxy(progress_deadline=20.0) as proxy:
        client = await proxy.client()
        client.send(GET)
        await until(lambda: proxy.waiting == 1)
        proxy.dispatcher.revision_gone(proxy.revision)
        assert (await client.answer()).reason == "no-route"
        assert (await client.ask(GET)).reason == "no-route"
        assert (await client.ask(post(b"abc"))).reason == "no-route"


@on_uvloop
async def test_a_connect_that_fails_after_its_revision_is_gone_is_404() -> None:
    """The request had a slot, and no byte of it was sent."""
    async with Proxy(progress_deadline=20.0) as proxy:
        pod = await proxy.ready()
        pod.refuse_from_now()
        client = await proxy.client()
        client.send(GET)
        await until(lambda: proxy.revision.counts.requests == 1)
        proxy.dispatcher.revision_gone(proxy.revision)
        assert (await client.answer()).reason == "no-route"


async def answer_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    request = await read_request(reader, writer)
    await asyncio.sleep(0.1)
    await hello(request)


@on_uvloop
async def test_a_request_in_flight_is_not_touched_by_its_route() -> None:
    """It is answered by the pod that has it, though its revision is gone meanwhile."""
    async with Proxy() as proxy:
        await proxy.ready(serve=answer_slowly)
        client = await proxy.client()
        client.send(GET)
        await until(lambda: proxy.revision.throttle.busy == 1)
        proxy.dispatcher.reroute(proxy.revision)
        proxy.dispatcher.revision_gone(proxy.revision)
        assert (await client.answer()).status == 200
    assert HOST in GET
