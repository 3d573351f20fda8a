"""The link reports levels on time, obeys orders, and comes back by itself."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from activator.edge.link import link as link_module
from activator.edge.link.link import Identity, Link, Target
from activator.hold.throttle import Room
from activator.link.load import Phase
from activator.link.reports import Reports
from activator.revision import Revision
from autoscaler.edge.certificate import make_certificate
from autoscaler.messages import AT_ONCE, Bye, Cordon, Hello, Message, Pods, Stats, Uncordon
from serving.targets import scale_target
from testkit.loop.virtual_time import run
from testkit.proxy.fake_autoscaler import TOKEN, fake_autoscaler
from testkit.waiting import until


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still for seconds ends no link, and nothing but what a test looks for can end it
    in time.
    """
    monkeypatch.setattr(link_module, "HANDSHAKE", 1000.0)
    monkeypatch.setattr(link_module, "HEARTBEAT", 1000.0)


def revision() -> Revision:
    target = scale_target({"metadata": {"namespace": "default", "name": "hello"}, "spec": {}})
    return Revision(target, process=Room(100, 1 << 20), random=lambda: 0.5)


class Linked:
    """A link that runs, its reports, and what it passed on."""

    def __init__(self, token: str | Callable[..., Any] = TOKEN) -> None:
        self.reports = Reports("me")
        self.orders: asyncio.Queue[Any] = asyncio.Queue()
        self.changes: asyncio.Queue[Any] = asyncio.Queue()
        self.link = Link(
            Identity("me", "pod-1", token if callable(token) else lambda: token),
            self.reports,
            on_order=self.orders.put_nowait,
            on_change=lambda: self.changes.put_nowait(self.link.is_up),
        )

    def first_request(self, to: Revision) -> None:
        assert to.load.enter(time.monotonic())
        self.reports.at_once(to)
        self.link.notify()

    async def becomes(self, *, up: bool) -> None:
        async with asyncio.timeout(60):
            while await self.changes.get() is not up:
                pass


@contextlib.asynccontextmanager
async def linked(
    address: str = "", token: str | Callable[..., Any] = TOKEN, certificate: str = ""
) -> AsyncIterator[Linked]:
    made = Linked(token)
    made.link.aim(Target(address, certificate))
    running = asyncio.create_task(made.link.run())
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def is_at_once(message: Hello | Stats) -> bool:
    return isinstance(message, Stats) and message.cut == AT_ONCE


def is_cut(message: Hello | Stats) -> bool:
    return isinstance(message, Stats) and message.cut != AT_ONCE


async def test_hello_is_first_and_cuts_fall_on_the_half_second() -> None:
    """The first frame says who we are; then come cuts, empty or not; the wall-clock second is data."""
    async with fake_autoscaler() as leader, linked(leader.address) as here:
        await here.becomes(up=True)
        assert here.link.leader is not None
        assert here.link.leader.leader == "fake"
        assert leader.heard[0] == Hello("me", "pod-1", 1)
        cut = await leader.hears(is_cut)
        arrived = time.time()
        assert (cut.activator, cut.stats) == ("me", ())
        assert cut.second <= arrived
        assert await leader.hears(lambda message: isinstance(message, Pods)) == Pods(())
        assert (await leader.hears(is_cut)).cut > cut.cut


@pytest.mark.parametrize("start", [0.0, 0.25, 0.5, 0.75])
def test_each_second_has_its_cut_on_time(monkeypatch: pytest.MonkeyPatch, start: float) -> None:
    """At the half second of the wall clock as it was at the start, numbered from 1; none is left out."""

    async def scene() -> list[tuple[float, int, int]]:
        loop = asyncio.get_running_loop()
        told: list[tuple[float, int, int]] = []

        def cut(_self: Reports, _now: float, number: int, second: int) -> None:
            told.append((wall(), number, second))

        def wall() -> float:
            return 1000.0 + start + loop.time()

        monkeypatch.setattr(link_module, "time", SimpleNamespace(time=wall, monotonic=loop.time))
        monkeypatch.setattr(Reports, "cut", cut)
        async with linked():
            await asyncio.sleep(5.0)
        return told

    first = 1000 if start < 0.5 else 1001
    assert run(scene())[:4] == [(first + n + 0.5, n + 1, first + n) for n in range(4)]


async def test_a_first_request_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not wait for the cut, which never comes here, and is taken as told once it was written."""

    async def never(_self: Link) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Link, "_cut", never)
    hello = revision()
    async with fake_autoscaler() as leader, linked(leader.address) as here:
        await here.becomes(up=True)
        await until(lambda: not here.link._due.is_set(), "what is told of itself when a link is made")
        here.first_request(hello)
        told = await leader.hears(is_at_once)
        assert told.stats[0][:4] == ("default", "hello", 1, 1)
        assert hello.load.phase is Phase.REPORTED


async def test_a_first_request_without_a_leader_is_told_when_one_comes() -> None:
    """What could not be written is not lost."""
    hello = revision()
    async with linked() as here:
        here.first_request(hello)
        await asyncio.sleep(0)
        assert hello.load.phase is Phase.FIRST
        async with fake_autoscaler() as leader:
            here.link.aim(Target(leader.address))
            assert (await leader.hears(is_at_once)).stats[0][1] == "hello"


async def test_the_link_comes_back_and_follows_the_leader() -> None:
    """A link that was closed is made anew; when another one leads it is made to that one."""
    async with fake_autoscaler() as leader, fake_autoscaler() as next_leader, linked(leader.address) as here:
        await here.becomes(up=True)
        await leader.link.close()
        await here.becomes(up=False)
        await here.becomes(up=True)
        assert leader.links == 2
        here.link.aim(Target(next_leader.address))
        await here.becomes(up=False)
        await here.becomes(up=True)
        assert next_leader.links == 1


async def test_orders_are_passed_on() -> None:
    """Cordon and uncordon reach whoever obeys, in order."""
    orders: list[Message] = [Cordon("default", "hello", "u1", 1, 10.0), Uncordon("default", "hello", "u1", 1)]
    async with fake_autoscaler() as leader, linked(leader.address) as here:
        await here.becomes(up=True)
        for order in orders:
            await leader.say(order)
        async with asyncio.timeout(60):
            assert [await here.orders.get() for _ in orders] == orders


async def test_a_frame_that_is_no_message_ends_the_link() -> None:
    """Garbage is not guessed at: the link is made anew."""
    async with fake_autoscaler() as leader, linked(leader.address) as here:
        await here.becomes(up=True)
        await leader.link.send_bytes(b"\xff\xff\xff")
        await here.becomes(up=False)
        await here.becomes(up=True)


async def test_goodbye_is_the_last_word() -> None:
    """A drained activator says bye, and the link's task ends."""
    async with fake_autoscaler() as leader:
        here = Linked()
        here.link.aim(Target(leader.address))
        running = asyncio.create_task(here.link.run())
        await here.becomes(up=True)
        here.link.leave()
        await leader.hears(lambda message: message == Bye("me"))
        await asyncio.wait_for(running, 60)


async def test_leaving_without_a_leader_takes_no_time() -> None:
    """While nobody listens there is nobody to say goodbye to."""
    here = Linked()
    running = asyncio.create_task(here.link.run())
    await asyncio.sleep(0)
    here.link.leave()
    await asyncio.wait_for(running, 60)


async def test_a_wrong_token_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """401 is a fault of the set-up: it is logged as such, and the link stays down."""
    async with fake_autoscaler() as leader, linked(leader.address, token="wrong") as here:
        async with asyncio.timeout(60):
            while "the token is not accepted" not in caplog.text:
                await asyncio.sleep(0.01)
        assert not here.link.is_up


async def test_the_token_is_read_anew_at_each_connect() -> None:
    """A kubelet renews it; what stands in the file when a link is made is what counts."""
    tokens = iter(["old", TOKEN, TOKEN])
    async with fake_autoscaler() as leader, linked(leader.address, token=lambda: next(tokens)) as here:
        await here.becomes(up=True)
        assert leader.tokens == ["old", TOKEN]


async def test_a_token_that_cannot_be_read_is_told_and_looked_for_again(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """A volume that is mounted late costs a moment, not the link."""
    file = tmp_path / "token"
    async with fake_autoscaler() as leader, linked(leader.address, token=file.read_text) as here:
        async with asyncio.timeout(60):
            while "the token can't be read" not in caplog.text:
                await asyncio.sleep(0.01)
        file.write_text(TOKEN)
        await here.becomes(up=True)


async def test_the_certificate_on_the_lease_is_the_one_that_is_spoken_to() -> None:
    """Self-signed, for no name: its fingerprint is all that counts."""
    certificate = make_certificate()
    async with (
        fake_autoscaler(certificate.tls) as leader,
        linked(leader.address, certificate=certificate.fingerprint) as here,
    ):
        await here.becomes(up=True)


@pytest.mark.parametrize(
    ("pinned", "told"),
    [
        # Its id is fixed: processes of a parallel run collect the same names.
        pytest.param(
            make_certificate().fingerprint,
            "another certificate than the one on the leader's Lease",
            id="other",
        ),
        ("abc", "fromhex"),
        ("abcd", "fingerprint has invalid length"),
    ],
)
async def test_to_another_certificate_no_token_is_shown(
    caplog: pytest.LogCaptureFixture, pinned: str, told: str
) -> None:
    """Whoever took over the address learns nothing."""
    async with (
        fake_autoscaler(make_certificate().tls) as stranger,
        linked(stranger.address, certificate=pinned) as here,
    ):
        async with asyncio.timeout(60):
            while told not in caplog.text:
                await asyncio.sleep(0.01)
        assert not here.link.is_up
        assert stranger.tokens == []


async def test_a_leader_that_does_not_answer_is_left_for_the_next_at_once() -> None:
    """Its node is gone without a word; the Lease names another one."""
    asked = asyncio.Event()

    async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()  # the request, and then the end
        writer.close()

    server = await asyncio.start_server(says_nothing, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server, fake_autoscaler() as leader, linked(f"{host}:{port}") as here:
        await asked.wait()
        here.link.aim(Target(leader.address))
        await here.becomes(up=True)


@pytest.mark.parametrize("address", ["127.0.0.1:1", ""])
async def test_nobody_there_blocks_nothing(address: str) -> None:
    """Without a leader cuts are taken and dropped; nothing piles up."""
    async with linked(address) as here:
        async with asyncio.timeout(60):
            while here.reports._cut is None:
                await asyncio.sleep(0.05)
        assert not here.link.is_up


async def test_a_link_that_is_renewed_passes_nothing_on_that_came_by_the_old_one() -> None:
    """It may be older than what the leader has decided since: the new link tells what holds."""
    old, new = Cordon("n", "r", "p", 1, 5.0), Cordon("n", "r", "p", 2, 5.0)
    async with fake_autoscaler() as leader, linked(leader.address) as here:
        await here.becomes(up=True)
        await leader.hears(lambda message: isinstance(message, Hello))
        await leader.say(old)
        here.link.renew()
        await leader.hears(lambda message: isinstance(message, Hello))
        await leader.say(new)
        async with asyncio.timeout(3):
            assert await here.orders.get() == new
