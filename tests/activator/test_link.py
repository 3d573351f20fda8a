"""The link reports levels on time, obeys orders, and comes back by itself."""

import asyncio
import contextlib
import time

import pytest

from activator.edge.link.link import Identity, Link
from activator.hold.throttle import Room
from activator.link.load import Phase
from activator.link.reports import Reports
from activator.revision import Revision
from autoscaler.messages import AT_ONCE, Bye, Cordon, Hello, Pods, Stats, Uncordon
from serving.targets import scale_target
from tests.activator.fake_autoscaler import TOKEN, fake_autoscaler


def revision():
    target = scale_target({"metadata": {"namespace": "default", "name": "hello"}, "spec": {}})
    return Revision(target, process=Room(100, 1 << 20), random=lambda: 0.5)


class Linked:
    """A link that runs, its reports, and what it passed on."""

    def __init__(self, token=TOKEN) -> None:
        self.reports = Reports("me")
        self.orders = asyncio.Queue()
        self.changes = asyncio.Queue()
        self.link = Link(
            Identity("me", "pod-1", token),
            self.reports,
            on_order=self.orders.put_nowait,
            on_change=lambda: self.changes.put_nowait(self.link.is_up),
        )

    def first_request(self, to):
        assert to.load.enter(time.monotonic())
        self.reports.at_once(to)
        self.link.notify()

    async def becomes(self, *, up):
        async with asyncio.timeout(5):
            while await self.changes.get() is not up:
                pass


@contextlib.asynccontextmanager
async def linked(address="", token=TOKEN):
    made = Linked(token)
    made.link.aim(address)
    running = asyncio.create_task(made.link.run())
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def is_at_once(message):
    return isinstance(message, Stats) and message.cut == AT_ONCE


def is_cut(message):
    return isinstance(message, Stats) and message.cut != AT_ONCE


async def test_hello_is_first_and_cuts_fall_on_the_half_second():
    """The first frame says who we are; then comes a cut each second, empty or not, numbered by its second."""
    async with fake_autoscaler() as leader, linked(leader.address) as here:
        await here.becomes(up=True)
        assert here.link.leader.leader == "fake"
        assert leader.heard[0] == Hello("me", "pod-1", 1)
        cut = await leader.hears(is_cut)
        arrived = time.time()
        assert (cut.activator, cut.stats) == ("me", ())
        assert cut.cut + 0.5 <= arrived < cut.cut + 0.9
        assert await leader.hears(lambda message: isinstance(message, Pods)) == Pods(())
        assert (await leader.hears(is_cut)).cut == cut.cut + 1


async def test_a_first_request_is_told_at_once():
    """It does not wait for the cut, and is taken as told once it was written."""
    hello = revision()
    async with fake_autoscaler() as leader, linked(leader.address) as here:
        await here.becomes(up=True)
        begun = time.monotonic()
        here.first_request(hello)
        told = await leader.hears(is_at_once)
        assert time.monotonic() - begun < 0.2
        assert told.stats[0][:4] == ("default", "hello", 1, 1)
        assert hello.load.phase is Phase.REPORTED


async def test_a_first_request_without_a_leader_is_told_when_one_comes():
    """What could not be written is not lost."""
    hello = revision()
    async with linked() as here:
        here.first_request(hello)
        await asyncio.sleep(0)
        assert hello.load.phase is Phase.FIRST
        async with fake_autoscaler() as leader:
            here.link.aim(leader.address)
            assert (await leader.hears(is_at_once)).stats[0][1] == "hello"


async def test_the_link_comes_back_and_follows_the_leader():
    """A link that was closed is made anew; when another one leads it is made to that one."""
    async with fake_autoscaler() as leader, fake_autoscaler() as next_leader, linked(leader.address) as here:
        await here.becomes(up=True)
        await leader.link.close()
        await here.becomes(up=False)
        await here.becomes(up=True)
        assert leader.links == 2
        here.link.aim(next_leader.address)
        await here.becomes(up=False)
        await here.becomes(up=True)
        assert next_leader.links == 1


async def test_orders_are_passed_on():
    """Cordon and uncordon reach whoever obeys, in order."""
    orders = [Cordon("default", "hello", "u1", 1, 10.0), Uncordon("default", "hello", "u1", 1)]
    async with fake_autoscaler() as leader, linked(leader.address) as here:
        await here.becomes(up=True)
        for order in orders:
            await leader.say(order)
        async with asyncio.timeout(3):
            assert [await here.orders.get() for _ in orders] == orders


async def test_a_frame_that_is_no_message_ends_the_link():
    """Garbage is not guessed at: the link is made anew."""
    async with fake_autoscaler() as leader, linked(leader.address) as here:
        await here.becomes(up=True)
        await leader.link.send_bytes(b"\xff\xff\xff")
        await here.becomes(up=False)
        await here.becomes(up=True)


async def test_goodbye_is_the_last_word():
    """A drained activator says bye, and the link's task ends."""
    async with fake_autoscaler() as leader:
        here = Linked()
        here.link.aim(leader.address)
        running = asyncio.create_task(here.link.run())
        await here.becomes(up=True)
        here.link.leave()
        await leader.hears(lambda message: message == Bye("me"))
        await asyncio.wait_for(running, 3)


async def test_leaving_without_a_leader_takes_no_time():
    """While nobody listens there is nobody to say goodbye to."""
    here = Linked()
    running = asyncio.create_task(here.link.run())
    await asyncio.sleep(0)
    here.link.leave()
    await asyncio.wait_for(running, 1)


async def test_a_wrong_token_is_told(caplog):
    """401 is a fault of the set-up: it is logged as such, and the link stays down."""
    async with fake_autoscaler() as leader, linked(leader.address, token="wrong") as here:
        async with asyncio.timeout(3):
            while "the token is not accepted" not in caplog.text:
                await asyncio.sleep(0.01)
        assert not here.link.is_up


@pytest.mark.parametrize("address", ["127.0.0.1:1", ""])
async def test_nobody_there_blocks_nothing(address):
    """Without a leader cuts are taken and dropped; nothing piles up."""
    async with linked(address) as here:
        async with asyncio.timeout(3):
            while here.reports._cut is None:
                await asyncio.sleep(0.05)
        assert not here.link.is_up
