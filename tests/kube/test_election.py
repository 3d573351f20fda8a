"""Candidates, leaders and their terms on an API in memory: one leads, who leads no more writes nothing."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from aiohttp import web
from aiohttp.web_request import BaseRequest

from embedded.edge.local import LocalTransport
from kube.edge import fence, informer, lease
from kube.edge.client import ApiError, Client
from kube.edge.credentials import Credentials
from kube.edge.fence import Fenced, moment
from kube.edge.http import HttpTransport
from kube.edge.lease import Elector
from kube.lease import Moment, Term, Terms, epoch, holder
from kube.objects import Obj
from kube.resources import CONFIGMAPS
from testkit.api.world import MERGE, World, config_map
from testkit.loop.virtual_time import run
from testkit.waiting import until

QUICK = Terms(duration=1.0, renew=0.1, retry=0.1)
LEASE = "/apis/coordination.k8s.io/v1/namespaces/s/leases/l"


class LoopTime:
    """`time` of the modules under test, on the clock of the loop."""

    CLOCK_BOOTTIME = 0

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def clock_gettime(self, _clock: int) -> float:
        return self.monotonic()

    def time(self) -> float:
        return 1_700_000_000.0 + self.monotonic()


def in_virtual_time(test: Callable[..., Any]) -> Callable[..., None]:
    """Run an async test with a clock that jumps: a term is never over because the machine was busy."""

    @functools.wraps(test)
    def play(*args: Any, **kwargs: Any) -> None:
        with pytest.MonkeyPatch.context() as patched:
            for module in (fence, informer, lease):
                patched.setattr(module, "time", LoopTime())
            run(test(*args, **kwargs))

    return play


class Line:
    """A Transport to the API in memory. It can be cut, or fall silent; a write's answer is lost or late."""

    def __init__(self, world: World) -> None:
        self._inner = LocalTransport(world.api)
        self.is_cut = False
        self.is_silent = False
        self.next_answer = ""
        self.writes: list[str] = []

    async def request(
        self, method: str, path: str, *, before: Callable[..., Any] | None = None, **request: Any
    ) -> tuple[int, Obj]:
        if self.is_cut:
            raise ApiError(0, "Unreachable", "cut")
        if self.is_silent:
            await asyncio.Event().wait()
        if before is not None:
            before()
        answer = await self._inner.request(method, path, **request)
        if method == "GET":
            return answer
        self.writes.append(f"{method} {path.rsplit('/', 1)[-1]} {answer[0]}")
        fault, self.next_answer = self.next_answer, ""
        if fault == "lost":
            raise ApiError(0, "Unreachable", "the answer was lost")
        if fault == "late":
            await asyncio.Event().wait()
        return answer

    def watch(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[Any]:
        return self._inner.watch(path, query=query)

    async def close(self) -> None:
        pass


class Candidate:
    """One that stands for election; `led` has an epoch for each time it led, `now` the present leadership."""

    def __init__(self, world: World, name: str, terms: Terms = QUICK) -> None:
        self.line = Line(world)
        self.elector = Elector(Client(self.line, manager=name), ("s", "l"), name, annotations={"who": name})
        self.elector._terms = terms
        self.led: list[Any] = []
        self.now: Any = None
        self.failure: Exception | None = None
        self.rivals: list[Any] = []

    async def lead(self, leadership: lease.Leadership) -> None:
        assert not [rival for rival in self.rivals if rival.now], "two lead"
        self.led.append(leadership.epoch)
        self.now = leadership
        try:
            while self.failure is None:
                await asyncio.sleep(0.005)
            raise self.failure
        finally:
            self.now = None


def candidates(world: World, *names: str, terms: Terms = QUICK) -> list[Candidate]:
    made = [Candidate(world, name, terms) for name in names]
    for each in made:
        each.rivals = [other for other in made if other is not each]
    return made


@pytest.fixture
def world() -> World:
    made = World()
    for name in ("s", "default"):
        made.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    return made


@contextlib.asynccontextmanager
async def standing(candidate: Candidate) -> AsyncIterator[asyncio.Task[Any]]:
    running = asyncio.create_task(candidate.elector.run(candidate.lead))
    try:
        yield running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled() or running.exception() is candidate.failure


@in_virtual_time
async def test_a_leader_that_ends_hands_over_at_once(world: World) -> None:
    """The next one sees the Lease given back; it does not wait for the duration, nor for its next look."""
    first, second = candidates(world, "a", "b", terms=Terms())
    async with standing(first):
        await until(lambda: first.now)
        running = asyncio.create_task(second.elector.run(second.lead))
        await asyncio.sleep(0.05)
        assert not second.led
    await until(lambda: second.now, within=1.0)
    held = world.ok("GET", LEASE)
    assert (holder(held), held["metadata"]["annotations"]) == ("b", {"who": "b"})
    assert (first.led, second.led) == ([1], [2])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert holder(world.ok("GET", LEASE)) == ""


@in_virtual_time
async def test_a_leader_that_is_cut_off_stops_before_the_next_one_begins(world: World) -> None:
    """And stands again when the line is mended, and waits for its turn."""
    first, second = candidates(world, "a", "b")
    async with standing(first):
        await until(lambda: first.now)
        async with standing(second):
            first.line.is_cut = True
            await until(lambda: second.now)
            first.line.is_cut = False
            first.line.writes.clear()
            await asyncio.sleep(0.5)
            assert second.now
            assert not first.line.writes
        await until(lambda: first.now)
    assert (first.led, second.led) == ([1, 3], [2])


@in_virtual_time
async def test_a_leader_whose_lease_was_taken_stops_at_once_and_leaves_it_alone(world: World) -> None:
    (first,) = candidates(world, "a")
    async with standing(first):
        await until(lambda: first.now)
        world.ok("PATCH", LEASE, {"spec": {"holderIdentity": "b"}}, MERGE)
        await until(lambda: not first.now, within=0.8)
        await asyncio.sleep(0.2)
        assert holder(world.ok("GET", LEASE)) == "b"
        await until(lambda: first.now)
    assert first.led == [1, 2]


@in_virtual_time
async def test_two_of_one_name_say_what_is_wrong_and_do_not_drown_the_api_server(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Each takes the Lease for its own of a life before; a pod's name is no other's."""
    first, second = (Candidate(world, "a") for _ in range(2))
    async with standing(first), standing(second):
        await until(lambda: len(first.led) > 1 and len(second.led) > 1)
        begun = len(first.line.writes) + len(second.line.writes)
        await asyncio.sleep(1.0)
        assert len(first.line.writes) + len(second.line.writes) - begun < 100
    assert "Another process has our name, a" in caplog.text
    assert sorted(first.led + second.led) == list(range(1, len(first.led + second.led) + 1))


@pytest.mark.parametrize("what", ["annotated", "lost answer"])
@in_virtual_time
async def test_another_version_of_our_own_lease_is_still_ours(world: World, what: str) -> None:
    """Somebody annotated it, or a renewal arrived whose answer did not."""
    (first,) = candidates(world, "a")
    async with standing(first):
        await until(lambda: first.now)
        if what == "annotated":
            world.ok("PATCH", LEASE, {"metadata": {"annotations": {"note": "mine"}}}, MERGE)
        else:
            first.line.next_answer = "lost"
        await asyncio.sleep(1.5)
        assert first.now
        assert any(write.endswith("409") for write in first.line.writes)
    assert first.led == [1]


@in_virtual_time
async def test_a_lease_that_was_deleted_is_made_anew(world: World) -> None:
    (first,) = candidates(world, "a")
    async with standing(first):
        await until(lambda: first.now)
        world.ok("DELETE", LEASE)
        await until(lambda: len(first.led) == 2 and first.now)
        assert holder(world.ok("GET", LEASE)) == "a"


@in_virtual_time
async def test_a_renewal_that_is_never_answered_is_tried_again_in_time(world: World) -> None:
    """One connection that hangs costs no leadership."""
    (first,) = candidates(world, "a")
    async with standing(first):
        await until(lambda: first.now)
        first.line.next_answer = "late"
        await until(lambda: not first.line.next_answer)
        await asyncio.sleep(1.5)
        assert first.now
    assert first.led == [1]


@in_virtual_time
async def test_an_api_server_that_answers_no_more_ends_the_term_in_time(world: World) -> None:
    """Nobody waits for it longer than others wait for us."""
    (first,) = candidates(world, "a")
    async with standing(first):
        await until(lambda: first.now)
        first.line.is_silent = True
        await until(lambda: not first.now, within=2.0)


@in_virtual_time
async def test_a_candidate_is_back_soon_after_the_api_server_is(world: World) -> None:
    """Whatever it had asked in vain, list, watch or write, it asks again in time."""
    (first,) = candidates(world, "a")
    first.line.is_silent = True
    async with standing(first):
        await asyncio.sleep(0.2)
        first.line.is_silent = False
        await until(lambda: first.now, within=2.0)
        first.line.is_silent = True
        await until(lambda: not first.now)
        await asyncio.sleep(0.7)
        first.line.is_silent = False
        await until(lambda: first.now, within=2.0)
    assert first.led == [1, 2]


async def test_a_leader_that_ends_in_the_middle_of_a_renewal_still_gives_the_lease_back(world: World) -> None:
    (first,) = candidates(world, "a", terms=Terms(duration=15, renew=0.05))
    async with standing(first):
        await until(lambda: first.now)
        first.line.next_answer = "late"
        before = len(first.line.writes)
        await until(lambda: len(first.line.writes) > before)
    assert holder(world.ok("GET", LEASE)) == ""


async def test_a_failure_of_the_one_who_leads_is_the_end_and_the_lease_is_free(world: World) -> None:
    (first,) = candidates(world, "a", terms=Terms())
    async with standing(first) as running:
        await until(lambda: first.now)
        first.failure = RuntimeError("a defect")
        with pytest.raises(RuntimeError, match="a defect"):
            await running
        assert holder(world.ok("GET", LEASE)) == ""


@pytest.mark.parametrize("clock", ["steady", "wall"])
async def test_one_that_wakes_after_its_term_writes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, clock: str
) -> None:
    """Stopped for so long that another one leads; then all that it had begun goes on."""
    (first,) = candidates(world, "a", terms=Terms(renew=0.05))
    async with standing(first):
        await until(lambda: first.now)
        client = first.now.client
        await client.create(CONFIGMAPS, config_map("before", namespace="default"))
        slept = Moment(13.0 if clock == "steady" else 0.0, 13.0 if clock == "wall" else 0.0)

        def later() -> Moment:
            now = moment()
            return Moment(now.steady + slept.steady, now.wall + slept.wall)

        taken = {"holderIdentity": "b", "leaseTransitions": 2}
        world.ok("PATCH", LEASE, {"spec": taken}, MERGE)
        first.line.writes.clear()
        monkeypatch.setattr(fence, "moment", later)
        monkeypatch.setattr(lease, "moment", later)
        with pytest.raises(ApiError, match="another one may lead"):
            await client.create(CONFIGMAPS, config_map("after", namespace="default"))
        await client.get(CONFIGMAPS, "default", "before")
        await until(lambda: not first.now)
        assert not first.line.writes
        with pytest.raises(ApiError, match="another one may lead"):
            await client.create(CONFIGMAPS, config_map("after", namespace="default"))
    assert not first.line.writes
    assert epoch(world.ok("GET", LEASE)) == 2


@pytest.mark.parametrize("step", [-86_400.0, -600.0, 600.0, 86_400.0])
async def test_a_wall_clock_that_is_set_ends_no_leadership_and_refuses_no_write(
    world: Any, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    """Set forward, the leader proves that the Lease is its own, and goes on with the same epoch."""
    (first,) = candidates(world, "a", terms=Terms(renew=0.05))
    async with standing(first):
        await until(lambda: first.now)
        client = first.now.client

        def set_() -> Moment:
            now = moment()
            return Moment(now.steady, now.wall + step)

        monkeypatch.setattr(fence, "moment", set_)
        monkeypatch.setattr(lease, "moment", set_)
        await client.create(CONFIGMAPS, config_map("at-once", namespace="default"))
        await asyncio.sleep(0.3)
        await client.create(CONFIGMAPS, config_map("later", namespace="default"))
        assert first.now is not None
        assert epoch(world.ok("GET", LEASE)) == 1
    assert first.led == [1]


@contextlib.asynccontextmanager
async def busy_server() -> AsyncIterator[tuple[HttpTransport, list[Any]]]:
    """An API server that turns the first request of each pair away for a second; keeps what it was sent."""
    sent = []

    async def answer(request: BaseRequest) -> web.Response:
        sent.append((request.query.get("timeout"), await request.json()))
        if len(sent) % 2:
            return web.json_response({}, status=429, headers={"Retry-After": "1"})
        return web.json_response({"metadata": {}}, status=201)

    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    transport = HttpTransport(Credentials(site.name.rstrip("/"), None), user_agent="t")
    try:
        yield transport, sent
    finally:
        await transport.close()
        await runner.cleanup()


async def test_a_write_says_how_long_it_may_take_and_is_not_sent_when_its_turn_comes_too_late() -> None:
    """The term is looked at again in the step that hands the bytes over, not only when the write was asked
    for: it may have waited since for a connection, or because the server was busy.
    """
    term = Term()
    async with busy_server() as (transport, sent):
        client = Client(Fenced(transport, term), manager="t")
        term.begin(moment(), 1200.0)
        await client.create(CONFIGMAPS, config_map("x", namespace="default"))
        assert [body["metadata"]["name"] for _, body in sent] == ["x", "x"]
        first, second = (float(left.removesuffix("s")) for left, _ in sent)
        assert 1100.0 < first <= 1200.0
        assert second <= first - 1.0, "each try has what is left then"
        writing = asyncio.create_task(client.create(CONFIGMAPS, config_map("y", namespace="default")))
        await until(lambda: len(sent) == 3)
        term.end()
        with pytest.raises(ApiError, match="another one may lead") as refused:
            await writing
        assert refused.value.reason == "NotLeading"
        assert len(sent) == 3
        term.begin(moment(), 1200.0)
        await client.create(CONFIGMAPS, config_map("z", namespace="default"))
        assert sent[-1][1]["metadata"]["name"] == "z"
