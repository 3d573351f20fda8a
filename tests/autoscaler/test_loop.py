"""The whole loop in virtual time: from zero, to as many pods as it takes, and back."""

import asyncio
from typing import Any

import pytest

from autoscaler.edge.leader import Leader
from testkit.loop.virtual_time import run
from testkit.scaling.stage import HELLO, busy_then_silent, play, replicas, until, written
from testkit.scaling.world import EPOCH, FakeActivator, FakeApi, config, deployment, leading, reporting


def test_a_request_at_zero_gets_a_pod_without_waiting_for_a_tick() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(101.23)
        activator.arrive(1)
        await asyncio.sleep(0.001)
        assert api.writes == [(EPOCH + 101.23, "hello", 1)]

    play(scene)


@pytest.mark.parametrize("is_plain", [False, True])
def test_a_wake_is_one_write_here(is_plain: bool) -> None:
    """A Revision's status will say that it woke; a plain Deployment has none, and gets an Event instead."""

    async def scenario() -> None:
        api = FakeApi()
        api.put("configmaps", config())
        api.put("deployments", deployment("hello", is_plain=is_plain))
        async with leading(api) as leader:
            activator = FakeActivator("a", leader)
            api.requests.clear()
            activator.arrive(1)
            await asyncio.sleep(5)
            assert api.events() == (["Scaled: 0 → 1: request waiting"] if is_plain else [])
            writes = [path for method, path in api.requests if method != "GET"]
            assert len(writes) == (2 if is_plain else 1), writes
            assert written(api) == [1]

    run(scenario())


@pytest.mark.parametrize(
    ("load", "target", "pods"), [(50, "10", 5), (35, "10", 4), (95, "10", 10), (50, "20", 3), (10, "10", 1)]
)
@pytest.mark.parametrize("start", [100.0, 100.2, 100.45, 100.7, 101.5, 101.99])
def test_a_burst_gets_as_many_pods_as_it_needs_and_never_more(
    load: int, target: str, pods: int, start: float
) -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(start)
        activator.arrive(load)
        await until(start + 10)
        assert replicas(api) == pods
        await until(start + 100)
        assert replicas(api) == pods
        assert written(api) == sorted(written(api))

    play(scene, target=target)


def test_after_the_last_request_pods_go_and_after_ninety_seconds_the_last_one() -> None:
    """Knative's defaults: a stable window of a minute, then half a minute of grace, and the tick after."""

    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await busy_then_silent(api, activator)
        await until(289)
        assert replicas(api) == 1
        await until(295)
        assert replicas(api) == 0
        assert written(api)[-1:] == [0]
        assert 290 <= api.writes[-1][0] - EPOCH <= 292.1
        falling = written(api)[written(api).index(5) :]
        assert falling == sorted(falling, reverse=True)

    api = play(scene)
    assert any(
        text.startswith("Scaled: 1 → 0: no load, and idle for the grace period of 30 s")
        for text in api.events()
    )


def test_a_changed_config_map_holds_from_the_next_decision_on() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(100)
        activator.arrive(50)
        await until(150)
        assert replicas(api) == 5
        api.put("configmaps", config(max_scale="7", container_concurrency_target_percentage="50"))
        await until(153)
        assert replicas(api) == 7
        api.put("configmaps", config(max_scale="nonsense"))
        await until(160)
        assert replicas(api) == 7
        assert [text for text in api.events() if text.startswith("BadValue")] == [
            "BadValue: not taken over, the former values hold: max-scale: 'nonsense' is no whole number"
        ]

    play(scene)


def test_windows_as_short_as_they_can_be() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await busy_then_silent(api, activator)
        await until(211)
        assert replicas(api) == 0

    play(scene, settings={"stable_window": "6s", "scale_to_zero_grace_period": "1s"})


def test_a_plain_deployment_keeps_its_pods_until_a_request_came_this_way() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(400)
        assert replicas(api) == 3
        activator.arrive(1)
        await until(410)
        activator.arrive(0)
        await until(600)
        assert replicas(api) == 0

    play(scene, replicas=3, is_plain=True)


def test_a_plain_deployment_that_a_request_woke_goes_down_under_the_next_leader_too() -> None:
    """That we wrote its number last tells that a request came this way; others' numbers do not."""

    async def scenario() -> None:
        api = FakeApi()
        api.put("configmaps", config())
        for name, manager in (("woken", "zerogate-autoscaler"), ("made", "kubectl")):
            one = deployment(name, replicas=1, is_plain=True)
            fields: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
            one["metadata"]["managedFields"] = [{"manager": manager, "fieldsV1": fields}]
            api.put("deployments", one)
        async with leading(api) as leader, reporting(FakeActivator("a", leader)):
            await until(400)
        told = {
            name: api.objects[HELLO.replace("hello", name)]["spec"]["replicas"] for name in ("woken", "made")
        }
        assert told == {"woken": 0, "made": 1}

    run(scenario())


def test_a_plain_deployment_whose_pods_are_not_seen_is_left_alone() -> None:
    """Its pod template lacks the label: what runs there nobody here knows."""

    async def scenario() -> None:
        api = FakeApi()
        api.put("configmaps", config())
        blind = deployment(replicas=3, is_plain=True, max_scale="1")
        blind["spec"]["template"] = {"metadata": {"labels": {"app": "hello"}}}
        api.put("deployments", blind)
        async with leading(api) as leader:
            activator = FakeActivator("a", leader)
            async with reporting(activator):
                await until(100)
                activator.arrive(20)
                await until(200)
                activator.arrive(0)
                await until(500)
            assert "lacks the label" in leader.state()["revisions"]["default/hello"]["reason"]
        assert (replicas(api), written(api)) == (3, [])

    run(scenario())


def test_a_revision_of_ours_that_nobody_asks_for_goes_to_zero() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(88)
        assert replicas(api) == 1
        await until(97)
        assert replicas(api) == 0

    play(scene, replicas=1)


def test_min_scale_holds_without_load_and_ends_with_the_last_route() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(5)
        assert replicas(api) == 2
        await until(300)
        assert replicas(api) == 2
        notes = api.objects[HELLO]["metadata"]["annotations"]
        api.change(HELLO, annotations={**notes, "zerogate.dev/reachable": "false"})
        await until(340)
        assert replicas(api) == 0

    play(scene, min_scale="2")


def test_an_activation_that_fails_is_given_up_and_tried_again_by_a_later_request() -> None:
    async def scenario() -> None:
        api = FakeApi(starts=False)
        api.put("configmaps", config())
        target = deployment(target="10")
        target["metadata"]["annotations"]["serving.knative.dev/progress-deadline"] = "120s"
        api.put("deployments", target)
        async with leading(api) as leader:
            activator = FakeActivator("a", leader)
            async with reporting(activator):
                await until(100)
                activator.arrive(1)
                await until(130)
                activator.arrive(0)
                await until(245)
                assert replicas(api) == 1
                await until(256)
                assert replicas(api) == 0
                notes = api.objects[HELLO]["metadata"]["annotations"]
                assert notes["zerogate.dev/given-up"].startswith("not ready after 15")
                activator.arrive(1)
                await until(258)
                assert replicas(api) == 0  # left alone for ten seconds
                await until(270)
                assert replicas(api) == 1
                assert "zerogate.dev/given-up" not in api.objects[HELLO]["metadata"]["annotations"]

    run(scenario())


def test_what_was_given_up_is_tried_again_as_soon_as_its_template_changes() -> None:
    """The refusal of its requests is dropped with it, before any request comes."""

    async def scenario() -> None:
        api = FakeApi(starts=False)
        api.put("configmaps", config())
        target = deployment(target="10")
        target["metadata"]["annotations"]["serving.knative.dev/progress-deadline"] = "120s"
        api.put("deployments", target)
        async with leading(api) as leader:
            activator = FakeActivator("a", leader)
            async with reporting(activator):
                await until(100)
                activator.arrive(1)
                await until(130)
                activator.arrive(0)
                await until(256)
                notes = api.objects[HELLO]["metadata"]["annotations"]
                assert notes["zerogate.dev/given-up"].startswith("not ready after 15")
                template = api.objects[HELLO]["spec"]["template"]
                api.change(HELLO, template={**template, "spec": {"containers": [{"image": "mended"}]}})
                await until(256.2)
                assert "zerogate.dev/given-up" not in api.objects[HELLO]["metadata"]["annotations"]
                activator.arrive(1)
                await until(256.4)
                assert replicas(api) == 1

    run(scenario())


def test_what_is_given_up_goes_to_zero_only_with_that_word() -> None:
    """Else the controller would take it for one that was ready. The word is tried again until it stands."""

    async def scenario() -> None:
        api = FakeApi(starts=False)
        api.put("configmaps", config())
        target = deployment(target="10")
        target["metadata"]["annotations"]["serving.knative.dev/progress-deadline"] = "120s"
        api.put("deployments", target)
        async with leading(api) as leader:
            activator = FakeActivator("a", leader)
            async with reporting(activator):
                await until(100)
                activator.arrive(1)
                await until(130)
                activator.arrive(0)
                await until(245)
                api.busy = 5
                await until(257)
                assert (api.busy < 5, replicas(api)) == (True, 1)
                await until(280)
                assert (api.busy, replicas(api)) == (0, 0)
                notes = api.objects[HELLO]["metadata"]["annotations"]
                assert notes["zerogate.dev/given-up"].startswith("not ready after 15")

    run(scenario())


def test_another_class_of_autoscaler_is_left_to_its_own() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(100)
        activator.arrive(50)
        await until(150)
        assert written(api) == []

    other: Any = {"class": "mine"}
    play(scene, **other)
