"""The whole loop in virtual time: pods that somebody deletes are ended when their last request has ended."""

import asyncio
from collections.abc import Awaitable, Callable

from autoscaler.edge.leader import Leader
from autoscaler.messages import Bye, Cordon
from autoscaler.terminating import GATHERED_AFTER
from testkit.scaling.stage import HELLO, play, until
from testkit.scaling.world import EPOCH, FakeActivator, FakeApi, pod, reporting

Scene = Callable[[FakeApi, Leader, FakeActivator, str], Awaitable[None]]


def with_a_pod(scene: Scene, *, waits: bool = True, is_plain: bool = False) -> FakeApi:
    """At second 20 one pod serves; `scene` gets its path."""

    async def whole(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        api.put("pods", pod("hello-p", api.objects[HELLO], waits=waits))
        await until(20)
        await scene(api, leader, activator, "/api/v1/namespaces/default/pods/hello-p")

    return play(whole, replicas=1, is_plain=is_plain)


def ended_at(api: FakeApi) -> list[float]:
    """The seconds at which grace periods were shortened."""
    assert {grace for _, _, grace in api.deletions} <= {1}
    return [at - EPOCH for at, _, _ in api.deletions]


def test_an_idle_pod_that_is_deleted_is_gone_within_three_seconds() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator, path: str) -> None:
        api.end(path, 300)
        await until(23)
        assert path not in api.objects
        assert len(ended_at(api)) == 1

    with_a_pod(scene)


def test_a_pod_with_requests_in_flight_is_ended_when_the_last_of_them_has_ended() -> None:
    """Nothing happens meanwhile but that the order is renewed."""

    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator, path: str) -> None:
        (pod_uid,) = api.pods()
        activator.stuck.add(pod_uid)
        api.end(path, 300)
        await until(120)
        assert api.deletions == []
        assert sum(isinstance(order, Cordon) for order in activator.orders) >= 20
        activator.finish(pod_uid)
        await until(121.5)
        assert [round(at) for at in ended_at(api)] == [120]
        assert path not in api.objects

    with_a_pod(scene)


def test_a_pod_is_empty_only_if_all_activators_say_so() -> None:
    """Also one that was linked after the deletion."""

    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator, path: str) -> None:
        (pod_uid,) = api.pods()
        other = FakeActivator("b", leader)
        async with reporting(other):
            activator.stuck.add(pod_uid)
            other.stuck.add(pod_uid)
            api.end(path, 300)
            await until(30)
            late = FakeActivator("c", leader, is_mute=True)
            assert [type(order) for order in late.orders] == [Cordon]
            activator.finish(pod_uid)
            other.finish(pod_uid)
            await until(40)
            assert api.deletions == []
            late.finish(pod_uid)
            await until(42)
            assert len(ended_at(api)) == 1

    with_a_pod(scene)


def test_an_activator_that_has_drained_is_not_waited_for() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator, path: str) -> None:
        (pod_uid,) = api.pods()
        other = FakeActivator("b", leader)
        other.stuck.add(pod_uid)
        api.end(path, 300)
        await until(25)
        assert api.deletions == []
        leader.received(other, Bye("b"))
        leader.closed(other)
        await until(28)
        assert len(ended_at(api)) == 1

    with_a_pod(scene)


def test_an_activator_whose_link_broke_is_waited_for_as_long_as_a_veto_lasts() -> None:
    """It may serve on; after about a minute it counts as gone."""

    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator, path: str) -> None:
        other = FakeActivator("b", leader, is_mute=True)
        leader.closed(other)
        api.end(path, 300)
        await until(80)
        assert api.deletions == []
        await until(86)
        assert len(ended_at(api)) == 1

    with_a_pod(scene)


def test_a_deletion_that_fails_is_tried_again() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator, path: str) -> None:
        api.refused_deletions = 2
        api.end(path, 300)
        await until(35)
        assert [round(at) for at in ended_at(api)] == [30]
        assert path not in api.objects

    with_a_pod(scene)


def test_a_pod_whose_deployment_is_gone_is_ended_too() -> None:
    """`kubectl delete ksvc`: the Deployment goes first."""

    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator, path: str) -> None:
        (pod_uid,) = api.pods()
        activator.stuck.add(pod_uid)
        api.remove(HELLO)
        await until(21)
        assert not leader.revisions
        api.end(path, 300)
        await until(30)
        api.change(path, annotations={"changed": "meanwhile"})
        await until(31)
        assert api.deletions == []
        activator.finish(pod_uid)
        await until(33)
        assert path not in api.objects

    with_a_pod(scene)
    with_a_pod(scene, is_plain=True)


def test_a_pod_with_a_pre_stop_of_its_own_is_left_to_it() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator, path: str) -> None:
        api.end(path, 300)
        await until(60)
        assert api.deletions == []
        assert not activator.orders

    with_a_pod(scene, waits=False)


def test_a_new_leader_ends_the_pods_that_it_finds_once_the_activators_are_linked() -> None:
    """It gives its own orders; an activator may be late by some seconds."""

    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        found = pod("hello-p", api.objects[HELLO])
        api.put("pods", found)
        path = "/api/v1/namespaces/default/pods/hello-p"
        api.end(path, 300)
        await asyncio.sleep(2)
        late = FakeActivator("late", leader, is_mute=True)
        await until(GATHERED_AFTER + 10)
        assert api.deletions == []
        late.finish(found["metadata"]["uid"])
        await until(GATHERED_AFTER + 12)
        assert path not in api.objects

    play(scene, replicas=1)
