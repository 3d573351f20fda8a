"""The activator whole: real sockets, a real pod, an API server in memory, an autoscaler that is played."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from activator.cluster import wake
from activator.edge.cluster.waking import Waking
from activator.edge.http.dispatch import STOOD_STILL
from activator.edge.program import Program, Settings
from activator.revision import Revision
from activator.settings import ProxySettings
from autoscaler.messages import (
    AT_ONCE,
    Bye,
    Claim,
    Cordon,
    Cordoned,
    Hello,
    Leaving,
    Occupied,
    Owner,
    PodSlots,
    Stats,
    Uncordon,
)
from kube.objects import Obj
from kube.resources import CONFIGMAPS, DEPLOYMENTS, LEASES, PODS, ROUTES
from testkit.proxy.fake_api import FakeApi, deployment, lease, plain_deployment, pod, route
from testkit.proxy.fake_autoscaler import TOKEN, fake_autoscaler
from testkit.waiting import until

HELLO = "hello.default.example.com"
UID = "uid-p1"
KEY = ("default", "hello-00001")
GIVEN_UP = {"zerogate.dev/given-up": "no pod came up in time"}


class Pod:
    """A pod's process: an HTTP server that says its name once it `may_answer`. `heads`: of its requests."""

    def __init__(self, says: str = "hello") -> None:
        self.says, self.served = says, 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.heads: list[bytes] = []
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                await self.may_answer.wait()
                body = self.says.encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                self.served += 1
        writer.close()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.sleep(0.01)  # the handlers see the end, so that no warning tells of them


@contextlib.asynccontextmanager
async def process(**how: Any) -> AsyncIterator[Pod]:
    made = Pod(**how)
    try:
        yield made
    finally:
        await made.close()


class Gateway:
    """A running activator and what a client and an operator do with it."""

    def __init__(self, program: Program, session: aiohttp.ClientSession) -> None:
        self.program, self._session = program, session

    async def get(
        self, host: str = HELLO, *, at: int = 0, within: float = 90.0, headers: dict[str, str] | None = None
    ) -> tuple[int, str, Any]:
        """(status, body, headers) of one request."""
        address = self.program.addresses[at]
        timeout = aiohttp.ClientTimeout(total=within)
        url = f"http://{address[0]}:{address[1]}/"
        async with self._session.get(
            url, headers={"Host": host, **(headers or {})}, timeout=timeout
        ) as answer:
            return answer.status, await answer.text(), answer.headers

    def asks(self, **how: Any) -> asyncio.Task[Any]:
        return asyncio.create_task(self.get(**how))

    async def admin(self, path: str, token: str = "") -> tuple[int, str]:
        port = self.program.admin_addresses[0].rpartition(":")[2]
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self._session.get(f"http://127.0.0.1:{port}{path}", headers=headers) as answer:
            return answer.status, await answer.text()

    @property
    def revision(self) -> Revision:
        return self.program.revisions[KEY]

    async def until(self, condition: Callable[..., Any]) -> None:
        await until(condition, "the condition", within=60.0)


@contextlib.asynccontextmanager
async def gateway(api: FakeApi, leader: str = "", **changes: Any) -> AsyncIterator[Gateway]:
    settings = Settings(
        public=(("127.0.0.1", 0),),
        local=(("127.0.0.1", 0),),
        admin="127.0.0.1:0",
        token=TOKEN,
        link_address=leader,
        identity="me",
        proxy=ProxySettings(error_details=True),
        **changes,
    )
    program = Program(api.client(), settings)
    running = asyncio.create_task(program.run())
    async with aiohttp.ClientSession() as session:
        made = Gateway(program, session)
        await made.until(lambda: not program.unready() or running.done())
        try:
            yield made
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still for seconds ends no link."""
    monkeypatch.setattr("activator.edge.link.link.HANDSHAKE", 60.0)
    monkeypatch.setattr("activator.edge.link.link.HEARTBEAT", 60.0)


@pytest.fixture
async def api() -> FakeApi:
    made = FakeApi()
    made.put(DEPLOYMENTS, deployment())
    made.put(ROUTES, route(("hello-00001", 100)))
    return made


def is_at_once(message: Hello | Stats) -> bool:
    return isinstance(message, Stats) and message.cut == AT_ONCE


async def test_a_request_from_zero_is_held_until_the_pod_listens(
    api: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    """Report at once, a pod, its first connect, the answer: and one line that says where the time went."""
    caplog.set_level(logging.INFO, "zerogate.activator")
    async with fake_autoscaler() as leader, process() as server, gateway(api, leader.address) as here:
        await here.until(lambda: here.program.link.is_up)
        asked = here.asks()
        told = await leader.hears(is_at_once)
        assert told.stats[0][:2] == KEY
        api.scale("hello-00001-deployment", 1)
        api.put(PODS, pod())
        await here.until(lambda: here.revision.phases.scheduled)
        api.put(PODS, pod(port=server.port))
        await here.until(lambda: UID in here.program.endpoints.prober)
        assert not asked.done()
        await server.listen()  # the prober alone finds out: the API server never says that the pod is ready
        status, body, headers = await asked
        assert (status, body) == (200, "hello")
        timing = headers["Server-Timing"]
        assert [part in timing for part in ("decide;", "schedule;", "start;")] == [True] * 3
        lines = [line.message for line in caplog.records if " woke in " in line.message]
        assert len(lines) == 1
        assert lines[0].startswith("hello-00001 woke in ")
        assert (await here.get())[:2] == (200, "hello")
        assert (
            'zerogate_activator_wakes_total{namespace="default",revision="hello-00001"} 1.0'
            in (await here.admin("/metrics"))[1]
        )


async def test_without_an_autoscaler_the_activator_wakes_it_itself(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link is down: the activator writes the first replica, without the patience that it has with one."""
    monkeypatch.setattr(wake, "PATIENCE", 3600.0)
    async with process() as server, gateway(api) as here:
        asked = here.asks()
        await here.until(lambda: here.revision.target.replicas == 1)
        assert [step["op"] for step in api.patches[0][1]] == ["test", "replace"]
        await server.listen()
        api.put(PODS, pod(port=server.port))
        assert (await asked)[0] == 200
        assert len(api.patches) == 1


async def test_with_an_autoscaler_the_activator_waits_longer(api: FakeApi) -> None:
    """A leader that does not act is given 1.5 s."""
    async with fake_autoscaler() as leader, gateway(api, leader.address) as here:
        await here.until(lambda: here.program.link.is_up)
        begun = time.monotonic()
        asked = here.asks()
        await here.until(lambda: api.patches)
        assert time.monotonic() - begun > 1.4
        asked.cancel()


async def test_the_wake_is_tried_until_the_api_is_back(api: FakeApi) -> None:
    """An API server that is away costs time, not the request."""
    api.is_away = True
    async with gateway(api) as here:
        asked = here.asks()
        await here.until(lambda: len(api.patches) >= 2)
        assert not asked.done()
        api.is_away = False
        await here.until(lambda: here.revision.target.replicas == 1)
        asked.cancel()


async def test_nobody_is_woken_for_a_client_that_left(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard looks at who waits when it is time."""
    monkeypatch.setattr(wake, "PATIENCE_ALONE", 3.0)  # by then the client has left, on the slowest machine
    async with gateway(api) as here:
        asked = here.asks()
        await here.until(lambda: here.revision.throttle.waiting)
        asked.cancel()
        await here.until(lambda: not here.revision.throttle.waiting)
        guards = here.program.waking._guards
        assert KEY in guards
        await here.until(lambda: KEY not in guards)
        assert not api.patches


async def test_what_was_given_up_is_refused_and_not_woken(api: FakeApi) -> None:
    """A target that the autoscaler gave up answers 503 at once; when it no longer is, requests wait again."""
    api.put(DEPLOYMENTS, deployment(annotations=GIVEN_UP))
    async with gateway(api) as here:
        status, body, headers = await here.get()
        assert (status, headers["Zerogate-Reason"]) == (503, "cannot-start")
        assert "no pod came up in time" in body
        assert not api.patches
        api.put(DEPLOYMENTS, deployment())
        await here.until(lambda: not here.revision.trouble)
        asked = here.asks()
        await here.until(lambda: api.patches)
        asked.cancel()


async def test_no_pod_can_start_is_said_to_all_who_wait(api: FakeApi) -> None:
    """An image that can't be pulled is a 503 for those who wait and those who come; a new pod ends that."""
    api.scale("hello-00001-deployment", 1)
    async with process() as server, gateway(api) as here:
        asked = [here.asks() for _ in range(3)]
        await here.until(lambda: here.revision.throttle.waiting == 3)
        api.put(PODS, pod(waiting="ImagePullBackOff"))
        for status, body, _ in await asyncio.gather(*asked):
            assert status == 503
            assert "ImagePullBackOff of p1" in body
        assert (await here.get())[0] == 503
        await server.listen()
        api.put(PODS, pod("p2", port=server.port))
        await here.until(lambda: not here.revision.trouble)
        assert (await here.get())[0] == 200


async def test_cordon_veto_uncordon(api: FakeApi) -> None:
    """A cordoned pod is acknowledged and not chosen; a request that waits there is told, and then served."""
    api.scale("hello-00001-deployment", 1)
    async with fake_autoscaler() as leader, process() as server, gateway(api, leader.address) as here:
        await server.listen()
        api.put(PODS, pod(port=server.port, ready=True))
        await here.until(lambda: here.program.link.is_up and here.revision.throttle.has_pod)
        assert (await here.get())[0] == 200
        await leader.hears(is_at_once)
        await leader.say(Cordon(*KEY, UID, 1, 600.0))
        assert await leader.hears(lambda message: isinstance(message, Cordoned)) == Cordoned(UID, 1, 0)
        asked = here.asks()
        assert (await leader.hears(is_at_once)).stats[0][:2] == KEY
        assert not asked.done()
        await leader.say(Uncordon(*KEY, UID, 1))
        assert (await asked)[0] == 200


PEERS = {"peers": ("127.0.0.1", 0)}


def is_occupied(message: Occupied | Stats) -> bool:
    return isinstance(message, Occupied)


@contextlib.asynccontextmanager
async def limited(api: FakeApi, leader: str = "") -> AsyncIterator[Gateway]:
    """A gateway among others, whose revision has a pod and a hard limit of one."""
    limit = {"zerogate.dev/container-concurrency": "1"}
    api.put(DEPLOYMENTS, deployment(replicas=1, annotations=limit))
    async with process() as server, gateway(api, leader, **PEERS) as here:
        await server.listen()
        api.put(PODS, pod(port=server.port, ready=True))
        await here.until(lambda: here.revision.throttle.pods)
        yield here


async def test_a_hard_limit_is_kept_by_whoever_the_autoscaler_names(api: FakeApi) -> None:
    """Nobody takes a slot before; the owner takes them once they are granted; the next one gets the rest."""
    async with fake_autoscaler() as leader:
        leader.names_owners = True
        async with limited(api, leader.address) as here:
            hello = await leader.hears(lambda message: isinstance(message, Hello))
            assert all((hello.process, hello.peer_address, hello.peer_secret))
            asked = here.asks()
            await leader.say(Owner(*KEY, "me", 5))
            await here.until(lambda: here.revision.throttle.waiting == 1)
            await leader.say(Owner(*KEY, "me", 5, is_granted=True, reserved=(PodSlots(UID, 1),)))
            await leader.say(Owner(*KEY, "other", 3, address="127.0.0.1:1"))
            await here.until(lambda: here.revision.throttle.reserved == {UID: 1})
            assert not asked.done()
            await leader.say(Owner(*KEY, "me", 5, is_granted=True))
            assert (await asked)[0] == 200
            await leader.say(Owner(*KEY, "other", 6))
            assert await leader.hears(is_occupied) == Occupied(*KEY, 6)
            assert here.program.owning.owners.claims() == (Claim(*KEY, "other", 6),)


async def test_an_owner_that_stood_still_takes_no_slot_before_the_leader_confirms_it(api: Any) -> None:
    """Not even for a request that came meanwhile and is read before any timer."""
    async with fake_autoscaler() as leader:
        leader.names_owners = True
        async with limited(api, leader.address) as here:
            await leader.hears(lambda message: isinstance(message, Hello))
            await leader.say(Owner(*KEY, "me", 5, is_granted=True))
            assert (await here.get())[0] == 200
            client = socket.create_connection(here.program.addresses[0])
            client.setblocking(False)
            await asyncio.sleep(0.1)
            client.sendall(f"GET / HTTP/1.1\r\nHost: {HELLO}\r\n\r\n".encode())
            time.sleep(STOOD_STILL + 0.3)  # noqa: ASYNC251 - this is the pause
            hello = await leader.hears(lambda message: isinstance(message, Hello))
            assert hello.claims == (Claim(*KEY, "me", 5),)
            assert leader.links == 2
            await asyncio.sleep(0.3)
            assert here.revision.throttle.is_barred
            assert (here.revision.throttle.busy, here.revision.throttle.waiting) == (0, 1)
            await leader.say(Owner(*KEY, "me", 5, is_granted=True))
            with client:
                loop = asyncio.get_running_loop()
                assert (await loop.sock_recv(client, 100)).startswith(b"HTTP/1.1 200")


async def test_without_an_autoscaler_a_hard_limit_is_kept_alone_after_a_moment(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be about to come: who has just started takes no slot that may be another one's."""
    monkeypatch.setattr("activator.edge.program.NAMED_WITHIN", 4.0)  # the request comes in these seconds
    async with limited(api) as here:
        asked = here.asks()
        await here.until(lambda: here.revision.counts.held == 1)
        assert (await asked)[0] == 200


async def test_who_drains_says_so_and_owns_nothing_any_more(api: FakeApi) -> None:
    async with fake_autoscaler() as leader, gateway(api, leader.address, **PEERS) as here:
        await here.until(lambda: here.program.link.is_up)
        here.program.stop()
        assert await leader.hears(lambda message: isinstance(message, Leaving)) == Leaving()
        assert await leader.hears(lambda message: isinstance(message, Bye)) == Bye("me")


async def test_an_order_runs_out_by_itself(api: FakeApi) -> None:
    """A leader that falls silent leaves no pod unused."""
    api.scale("hello-00001-deployment", 1)
    async with fake_autoscaler() as leader, process() as server, gateway(api, leader.address) as here:
        await server.listen()
        api.put(PODS, pod(port=server.port, ready=True))
        await here.until(lambda: here.program.link.is_up and here.revision.throttle.has_pod)
        await leader.say(Cordon(*KEY, UID, 1, 0.3))
        assert await leader.hears(lambda message: isinstance(message, Cordoned)) == Cordoned(UID, 1, 0)
        assert (await here.get())[0] == 200


async def test_a_cordoned_pod_is_reported_when_it_is_empty(api: FakeApi) -> None:
    """The acknowledgement counts what is in flight; when that is done another one says 0."""
    api.scale("hello-00001-deployment", 1)
    async with (
        fake_autoscaler() as leader,
        process() as server,
        gateway(api, leader.address) as here,
    ):
        await server.listen()
        api.put(PODS, pod(port=server.port, ready=True))
        await here.until(lambda: here.program.link.is_up and here.revision.throttle.has_pod)
        server.may_answer.clear()
        asked = here.asks()
        await here.until(lambda: here.revision.throttle.busy == 1)
        await leader.say(Cordon(*KEY, UID, 1, 600.0))
        for in_flight in (1, 0):
            acknowledged = await leader.hears(lambda message: isinstance(message, Cordoned))
            assert acknowledged.in_flight == in_flight
            server.may_answer.set()
        assert (await asked)[0] == 200


CASES = ("order after the deletion", "order before the deletion", "revision gone", "another address")


@pytest.mark.parametrize("case", CASES)
async def test_a_deleted_pod_is_reported_until_its_last_request_has_ended(api: FakeApi, case: str) -> None:
    """From the deletion timestamp on it gets no new request. Each order on it is acknowledged with its
    requests in flight, and with 0 once those have ended, even if its revision is gone.
    """

    async def reported() -> int:
        found = await leader.hears(lambda message: isinstance(message, Cordoned), within=10)
        assert (found.pod_uid, found.epoch) == (UID, 1)
        return int(found.in_flight)

    api.scale("hello-00001-deployment", 1)
    async with fake_autoscaler() as leader, process() as server, gateway(api, leader.address) as here:
        await server.listen()
        server.may_answer.clear()
        api.put(PODS, pod(port=server.port, ready=True))
        await here.until(lambda: here.program.link.is_up and here.revision.throttle.has_pod)
        asked = [here.asks(within=30) for _ in range(2)]
        await here.until(lambda: len(server.heads) == 2)
        throttle, order = here.revision.throttle, Cordon(*KEY, UID, 1, 10.0)
        if case == "order before the deletion":
            await leader.say(order)
            assert await reported() == 2
        if case == "another address":
            api.put(PODS, pod(port=server.port + 1, ready=True))
        if case == "revision gone":
            api.remove(ROUTES, "hello")
            api.remove(DEPLOYMENTS, "hello-00001-deployment")
            await here.until(lambda: KEY not in here.program.revisions)
        api.put(PODS, pod(port=server.port, ready=True, deleting=True))
        await here.until(lambda: not throttle.has_pod)
        for _ in range(0 if case == "order before the deletion" else 2):
            await leader.say(order)
            assert await reported() == 2
        server.may_answer.set()
        assert await reported() == 0
        assert [(await each)[0] for each in asked] == [200, 200]
        await leader.say(order)
        assert await reported() == 0


async def test_a_pod_under_an_order_from_before_does_not_join(api: FakeApi) -> None:
    """An order for a pod that is not known yet holds when the pod comes."""
    api.scale("hello-00001-deployment", 1)
    async with fake_autoscaler() as leader, process() as server, gateway(api, leader.address) as here:
        await server.listen()
        await here.until(lambda: here.program.link.is_up)
        await leader.say(Cordon(*KEY, UID, 1, 600.0))
        await leader.hears(lambda message: isinstance(message, Cordoned))
        api.put(PODS, pod(port=server.port, ready=True))
        asked = here.asks()
        await leader.hears(is_at_once)
        assert not here.revision.throttle.has_pod
        await leader.say(Uncordon(*KEY, UID, 1))
        assert (await asked)[0] == 200


async def test_a_deleted_pod_gets_no_new_request(api: FakeApi) -> None:
    """From the deletion timestamp on requests go to the other pod."""
    api.scale("hello-00001-deployment", 2)
    async with process(says="one") as one, process(says="two") as two, gateway(api) as here:
        for name, each in (("p1", one), ("p2", two)):
            await each.listen()
            api.put(PODS, pod(name, port=each.port, ready=True))
        await here.until(lambda: len(here.revision.throttle.pods) == 2)
        api.put(PODS, pod("p1", port=one.port, ready=True, deleting=True))
        await here.until(lambda: len(here.revision.throttle.pods) == 1)
        assert {(await here.get())[1] for _ in range(8)} == {"two"}


async def test_hosts_tags_and_names_of_the_cluster(api: FakeApi) -> None:
    """By weight, by tag, by inner name on the local listener alone; any other host is a 404."""
    api.put(DEPLOYMENTS, deployment("hello-00002", replicas=1))
    api.put(ROUTES, route(("hello-00001", 0), ("hello-00002", 100, "canary")))
    async with process() as server, gateway(api, localhost_alias=True) as here:
        await server.listen()
        api.put(PODS, pod(revision="hello-00002", port=server.port, ready=True))
        await here.until(lambda: here.program.revisions["default", "hello-00002"].throttle.has_pod)
        inner = "hello.default.svc.cluster.local"
        for host, at, status in [
            (HELLO, 0, 200),
            (f"canary-{HELLO}", 0, 200),
            ("hello.default.localhost", 0, 200),
            (inner, 0, 404),
            (inner, 1, 200),
            ("other.default.example.com", 0, 404),
        ]:
            assert ((await here.get(host, at=at))[0], host) == (status, host)


def config_map(name: str, **data: Any) -> Obj:
    return {"metadata": {"namespace": "zerogate-system", "name": name}, "data": data}


def told(server: Pod) -> list[str]:
    """What the latest request said of its way."""
    lines = server.heads[-1].decode().split("\r\n")
    return [line for line in lines if line.lower().startswith("knative-serving-")]


async def test_a_header_chooses_a_tag_only_where_that_is_switched_on(api: FakeApi) -> None:
    """Off it is dropped, as all that a client says of routing; on, it leads to the tag's revision, an unknown
    tag to none in particular, and pods are told. Switched on and off while the gateway runs.
    """
    names = {"hello-00001": "one", "hello-00002": "two"}
    api.put(DEPLOYMENTS, deployment("hello-00001", replicas=1))
    api.put(DEPLOYMENTS, deployment("hello-00002", replicas=1))
    api.put(ROUTES, route(("hello-00001", 100), ("hello-00002", 0, "canary")))
    default = ["Knative-Serving-Default-Route: true"]
    canary = ["Knative-Serving-Tag: canary"]
    asked = [
        (HELLO, {"Knative-Serving-Tag": "canary"}, "two", canary),
        (HELLO, {"knative-serving-tag": "CANARY"}, "two", canary),
        (HELLO, {"Knative-Serving-Tag": "canary", "Knative-Serving-Default-Route": "true"}, "two", canary),
        (HELLO, {"Knative-Serving-Tag": "nobody"}, "one", default),
        (HELLO, {"Knative-Serving-Tag": ""}, "one", default),
        (HELLO, {}, "one", default),
        (f"canary-{HELLO}", {}, "two", canary),
        (f"canary-{HELLO}", {"Knative-Serving-Tag": "nobody"}, "two", canary),
    ]
    async with process(says="one") as one, process(says="two") as two, gateway(api) as here:
        for number, (revision, server) in enumerate(zip(names, (one, two), strict=True)):
            await server.listen()
            made = pod(f"p{number}", revision=revision, port=server.port, ready=True)
            api.put(PODS, made)
        revisions = here.program.revisions.values()
        await here.until(lambda: all(each.throttle.has_pod for each in revisions))
        for is_on in (False, True, False):
            switch = {"tag-header-based-routing": "Enabled" if is_on else "Disabled"}
            api.put(CONFIGMAPS, config_map("config-features", **switch))
            await here.until(lambda is_on=is_on: here.program.public._by_tag_header is is_on)
            for host, headers, served_by, lines in asked:
                expected = served_by if is_on or host != HELLO else "one"
                assert (await here.get(host, headers=headers))[:2] == (200, expected)
                assert told(one if expected == "one" else two) == (lines if is_on else [])


async def test_a_plain_deployment_is_served_by_its_annotation(api: FakeApi) -> None:
    """Label and host annotation are all it takes; its pods are found by its selector."""
    api.put(CONFIGMAPS, config_map("config-domain-claims", **{"web.default.example.com": "default"}))
    api.put(DEPLOYMENTS, plain_deployment())
    async with process() as server, gateway(api) as here:
        await server.listen()
        labels = {"app": "web", "zerogate.dev/scale": "true"}
        api.put(PODS, pod(port=server.port, ready=True, labels=labels))
        assert (await here.get("web.default.example.com"))[:2] == (200, "hello")


async def test_a_deleted_revision_is_a_404_for_those_who_wait(api: FakeApi) -> None:
    """What is waited for will never come, and is said so."""
    async with gateway(api) as here:
        asked = here.asks()
        await here.until(lambda: here.revision.throttle.waiting)
        api.remove(DEPLOYMENTS, "hello-00001-deployment")
        assert (await asked)[0] == 404
        assert (await here.get())[0] == 404


async def test_the_leader_is_found_by_its_lease(api: FakeApi) -> None:
    """The link goes to the address on the Lease, and ends when nobody holds it."""
    async with fake_autoscaler() as leader, gateway(api) as here:
        assert not here.program.link.is_up
        api.put(LEASES, lease(leader.address))
        await here.until(lambda: here.program.link.is_up)
        api.put(LEASES, lease(leader.address, holder=""))
        await here.until(lambda: not here.program.link.is_up)


async def test_a_drain_finishes_what_is_in_flight_and_says_goodbye(api: FakeApi) -> None:
    """Not ready at once, the running request is answered, the autoscaler hears bye, and `run` returns."""
    api.scale("hello-00001-deployment", 1)
    async with fake_autoscaler() as leader, process() as server:
        await server.listen()
        api.put(PODS, pod(port=server.port, ready=True))
        settings = Settings(
            public=(("127.0.0.1", 0),),
            admin="127.0.0.1:0",
            link_address=leader.address,
            token=TOKEN,
            identity="me",
        )
        program = Program(api.client(), settings)
        running = asyncio.create_task(program.run())
        async with aiohttp.ClientSession() as session:
            here = Gateway(program, session)
            await here.until(
                lambda: program.link.is_up and program.addresses and here.revision.throttle.has_pod
            )
            server.may_answer.clear()
            asked = here.asks()
            await here.until(lambda: here.revision.throttle.busy == 1)
            program.stop()
            await here.until(lambda: program.unready() == "draining")
            assert (await here.admin("/readyz"))[0] == 503
            server.may_answer.set()
            assert (await asked)[0] == 200
            await leader.hears(lambda message: message == Bye("me"))
            await asyncio.wait_for(running, 60)


async def test_a_part_that_dies_ends_the_program(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect in the background is never passed over."""

    async def dies(_self: Waking) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("activator.edge.cluster.waking.Waking.run", dies)
    program = Program(api.client(), Settings(public=(), admin=""))
    with pytest.raises(RuntimeError, match="a defect"):
        await asyncio.wait_for(program.run(), 60)


async def test_a_taken_address_is_an_error(api: FakeApi) -> None:
    """What can't be listened on is told by an OSError."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        program = Program(api.client(), Settings(public=(taken.getsockname(),), admin=""))
        with pytest.raises(OSError, match="address already in use"):
            await asyncio.wait_for(program.run(), 60)


async def test_an_inherited_socket_stays_open(api: FakeApi) -> None:
    """A listening socket that the parent opened is served on, and still the parent's afterwards."""
    with socket.socket() as shared:
        shared.bind(("127.0.0.1", 0))
        shared.listen()
        program = Program(api.client(), Settings(public=(shared,), admin=""))
        running = asyncio.create_task(program.run())
        async with aiohttp.ClientSession() as session:
            here = Gateway(program, session)
            await here.until(lambda: not program.unready())
            assert (await here.get("nobody"))[0] == 404
        program.stop()
        await asyncio.wait_for(running, 60)
        assert shared.getsockname()[1]
