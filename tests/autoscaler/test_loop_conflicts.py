"""The whole loop in virtual time: writes that are refused although nobody else wrote."""

import asyncio

from autoscaler.edge.leader import Leader
from autoscaler.lifecycle import Activity
from testkit.scaling.stage import play, replicas, until, written
from testkit.scaling.world import FakeActivator, FakeApi


def test_a_conflict_about_something_else_costs_a_moment() -> None:
    """The number stands as it was: the same is written again, once, without waiting for a tick."""

    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(100)
        api.conflicts = 3
        activator.arrive(1)
        await until(101)
        assert written(api) == [1]

    play(scene)


def test_a_server_that_refuses_each_write_is_not_hammered() -> None:
    """A few tries at each tick; once it takes writes again, one does it."""

    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(100)
        api.conflicts = 1000
        activator.arrive(1)
        await until(120)
        assert written(api) == []
        assert 8 <= 1000 - api.conflicts <= 60
        api.conflicts = 0
        await until(123)
        assert written(api) == [1]
        assert replicas(api) == 1

    play(scene)


def test_a_refused_write_to_zero_is_written_later_though_no_pod_is_left_to_remind_of_it() -> None:
    """A pod that was deleted meanwhile, and that a quota keeps from coming again, say."""

    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(100)
        activator.arrive(1)
        await until(150)
        activator.arrive(0)
        (revision,) = leader.revisions.values()
        while revision.lifecycle.activity is not Activity.INACTIVE:
            await asyncio.sleep(0.1)
        (pod,) = (path for path in api.objects if "/pods/" in path)
        api.remove(pod)
        api.conflicts = 20
        await until(300)
        assert (api.conflicts, replicas(api)) == (0, 0)

    play(scene)
