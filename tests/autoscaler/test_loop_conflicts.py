"""The whole loop in virtual time: writes that are refused although nobody else wrote."""

from autoscaler.edge.leader import Leader
from tests.autoscaler.stage import play, replicas, until, written
from tests.autoscaler.world import FakeActivator, FakeApi


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
