"""The whole loop in virtual time: going down in two phases."""

import asyncio
from itertools import pairwise
from typing import Any

from autoscaler.edge.leader import Leader
from autoscaler.messages import Cordon, Uncordon
from testkit.scaling.stage import HELLO, busy_then_silent, play, replicas, until, written
from testkit.scaling.world import EPOCH, FakeActivator, FakeApi, reporting


def test_no_pod_is_taken_away_before_its_activators_say_that_it_is_empty() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(100)
        activator.arrive(50)
        await until(200)
        uids = api.pods()
        activator.stuck.update(uids)  # one long request in each pod
        activator.load = 5
        await until(280)
        assert len(activator.cordoned) == 3  # one step goes down by half at most
        assert replicas(api) == 5
        activator.finish(next(iter(activator.cordoned)))
        await until(284)
        assert replicas(api) == 4
        for _ in range(3):
            for uid in activator.cordoned.keys() & activator.stuck:
                activator.finish(uid)
            await asyncio.sleep(4)
        assert replicas(api) == 1
        await asyncio.sleep(4)
        left = api.pods()
        assert len(left) == 1
        assert not set(left) & set(activator.cordoned)

    play(scene)


def test_a_request_that_never_ends_keeps_its_pod_no_longer_than_the_timeout() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        notes = api.objects[HELLO]["metadata"]["annotations"]
        api.change(HELLO, annotations={**notes, "zerogate.dev/timeout-seconds": "40"})
        await until(100)
        activator.arrive(20)
        await until(200)
        activator.stuck.update(api.pods())
        activator.load = 5
        await until(300)
        cordoned_at = next(
            iter(leader.revisions["default", "hello"].replicas.scale_in.victims.values()), None
        )
        assert cordoned_at is None
        assert replicas(api) == 1
        down = api.writes[-1][0] - EPOCH
        assert down >= 200 + 40

    play(scene)


def test_a_request_for_a_cordoned_last_pod_is_a_veto() -> None:
    """The pod is given back and serves it."""

    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        other = FakeActivator("b", leader)
        async with reporting(other):
            await busy_then_silent(api, activator)
            await until(285)
            other.stuck.update(api.pods())
            await until(293)
            assert replicas(api) == 1
            assert set(api.pods()) <= activator.cordoned.keys()
            activator.arrive(1)
            await asyncio.sleep(0.001)
            assert not activator.cordoned.keys() & set(api.pods())
            assert not other.cordoned.keys() & set(api.pods())
            assert isinstance(activator.orders[-1], Uncordon)
            await until(350)
            assert replicas(api) == 1
            assert written(api)[-1] == 1

    play(scene)


def test_orders_are_renewed_before_they_run_out() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        heard: list[float] = []
        await until(100)
        activator.arrive(20)
        await until(200)
        activator.stuck.update(api.pods())
        activator.load = 5
        send = activator.send

        def listen(message: Any) -> None:
            if isinstance(message, Cordon):
                heard.append(asyncio.get_running_loop().time())
            send(message)

        activator.send = listen  # type: ignore[method-assign] # overhears what is sent
        await until(320)
        gaps = [later - earlier for earlier, later in pairwise(heard)]
        assert len(heard) > 10
        assert max(gaps) < Cordon("", "", "", 0, 10.0).expires_in / 2 + 2

    play(scene)


def test_a_new_link_hears_the_orders_that_stand_and_is_waited_for() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(100)
        activator.arrive(20)
        await until(200)
        activator.stuck.update(api.pods())
        activator.load = 5
        await until(270)
        late = FakeActivator("late", leader, is_mute=True)
        assert [type(order) for order in late.orders] == [Cordon]
        activator.finish(next(iter(activator.cordoned)))
        await until(272)
        assert replicas(api) == 2

    play(scene)


def test_pods_with_the_fewest_requests_go_first_and_kubernetes_is_told() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(100)
        activator.arrive(50)
        await until(200)
        busy = api.pods()[:2]
        activator.stuck.update(busy)
        activator.load = 15
        await until(275)
        assert replicas(api) == 2
        left = set(api.pods())
        assert left == set(busy)

    play(scene)
