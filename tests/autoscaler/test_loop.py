"""The whole loop in virtual time: reports in, replicas out.

Seconds are counted from the beginning of each scenario; the leader leads from second 0.
"""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from autoscaler.edge.leader import Leader
from autoscaler.kpa.replay import replay, told_decision
from autoscaler.messages import Bye, Cordon, Uncordon
from tests.autoscaler.virtual_time import run
from tests.autoscaler.world import (
    EPOCH,
    FakeActivator,
    FakeApi,
    config,
    deployment,
    leading,
    reporting,
)

HELLO = "/apis/apps/v1/namespaces/default/deployments/hello"
Scene = Callable[[FakeApi, Leader, FakeActivator], Awaitable[None]]


async def until(second: float) -> None:
    await asyncio.sleep(second - asyncio.get_running_loop().time())


def replicas(api: FakeApi) -> int:
    return int(api.objects[HELLO]["spec"]["replicas"])


def written(api: FakeApi) -> list[int]:
    return [number for _, _, number in api.writes]


def play(scene: Scene, *, settings: dict[str, str] | None = None, **target: Any) -> FakeApi:
    """One activator, one revision `hello`, a fresh leader."""

    async def scenario() -> FakeApi:
        api = FakeApi()
        api.put("configmaps", config(**(settings or {})))
        api.put("deployments", deployment(**({"target": "10"} | target)))
        async with leading(api) as leader:
            activator = FakeActivator("a", leader)
            async with reporting(activator):
                await scene(api, leader, activator)
        return api

    return run(scenario())


async def busy_then_silent(api: FakeApi, activator: FakeActivator) -> None:
    """50 in flight from second 100 to 200."""
    await until(100)
    activator.arrive(50)
    await until(200)
    assert replicas(api) == 5
    activator.arrive(0)


def test_a_request_at_zero_gets_a_pod_without_waiting_for_a_tick() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(101.23)
        activator.arrive(1)
        await asyncio.sleep(0.001)
        assert api.writes == [(EPOCH + 101.23, "hello", 1)]
        await asyncio.sleep(1)
        assert "Scaled: 0 → 1: request waiting" in api.events()

    play(scene)


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
        assert 290 <= api.writes[-1][0] - EPOCH <= 293.1
        falling = written(api)[written(api).index(5) :]
        assert falling == sorted(falling, reverse=True)

    api = play(scene)
    assert any(
        text.startswith("Scaled: 1 → 0: no load, and idle for the grace period of 30 s")
        for text in api.events()
    )


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
        gaps = [later - earlier for earlier, later in itertools.pairwise(heard)]
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


def test_a_silent_activator_vetoes_going_down_for_a_minute_and_no_longer() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        other = FakeActivator("other", leader)
        async with reporting(other):
            await until(100)
            activator.arrive(50)
            await until(200)
            other.is_mute = True
            activator.arrive(0)
            await until(260)
            assert replicas(api) == 5
            assert leader.sight.silent(leader.now()).keys() == {"other"}
            await until(400)
            assert replicas(api) == 0
            assert written(api)[2] < 5
            assert api.writes[2][0] - EPOCH >= 200 + 3 + 60 - 1
        assert any(text.startswith("ActivatorSilent: activator other") for text in api.events())

    play(scene)


def test_an_activator_that_said_good_bye_is_not_waited_for() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        other = FakeActivator("other", leader)
        await busy_then_silent(api, activator)
        leader.received(other, Bye("other"))
        leader.closed(other)
        await until(295)
        assert replicas(api) == 0

    play(scene)


def test_an_expected_activator_that_never_came_vetoes_too() -> None:
    async def scenario() -> None:
        api = FakeApi()
        api.put("configmaps", config())
        api.put("deployments", deployment(target="10"))
        expected = {"a"}
        async with leading(api, expected=lambda: expected) as leader:
            activator = FakeActivator("a", leader)
            async with reporting(activator):
                await until(100)
                activator.arrive(50)
                await until(195)
                expected.add("never")
                activator.arrive(0)
                await until(255)
                assert replicas(api) == 5
                expected.remove("never")
                await until(270)
                assert replicas(api) < 5

    run(scenario())


def test_a_new_leader_takes_nothing_away_for_a_stable_window() -> None:
    """Its windows are empty; what it does not see may be there. A request still gets more pods."""

    async def scenario() -> None:
        api = FakeApi()
        api.put("configmaps", config())
        api.put("deployments", deployment(target="10", replicas=7))
        await asyncio.sleep(1)
        async with leading(api, epoch=2) as leader:
            activator = FakeActivator("a", leader)
            async with reporting(activator):
                activator.arrive(15)
                await until(58)
                assert replicas(api) == 7
                await until(80)
                assert replicas(api) == 2
                activator.load = 100
                await until(90)
                assert replicas(api) == 10
            assert all(order.epoch >= 2 << 24 for order in activator.orders if isinstance(order, Cordon))

    run(scenario())


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


def test_someone_elses_number_is_written_over_and_named_once() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(100)
        activator.arrive(50)
        await until(150)
        for second in (150, 160):
            fields = [{"manager": "argocd", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]
            api.change(HELLO, replicas=2, managedFields=fields)
            await until(second + 5)
            assert replicas(api) == 5
            api.change(HELLO, managedFields=[])
        told = [text for text in api.events() if text.startswith("OtherWriter")]
        assert len(told) == 1
        assert "argocd" in told[0]

    play(scene)


def test_a_lost_race_is_decided_anew_from_what_stands() -> None:
    """The activator's own wake was faster: nothing more is written."""

    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(100)
        leader.revisions["default", "hello"].replicas.stored = 3  # what a late watch would tell
        api.change(HELLO, replicas=1)
        leader.revisions["default", "hello"].replicas.stored = 3
        activator.arrive(50)
        await until(110)
        assert replicas(api) == 5

    play(scene)


def test_a_zero_that_kubernetes_leaves_out_of_a_scale_is_found_out() -> None:
    async def scenario() -> None:
        api = FakeApi(is_zero_absent=True)
        api.put("configmaps", config())
        api.put("deployments", deployment(target="10"))
        async with leading(api) as leader:
            activator = FakeActivator("a", leader)
            await until(100)
            activator.arrive(1)
            await asyncio.sleep(0.01)
        assert written(api) == [1]

    run(scenario())


def test_an_api_server_that_is_away_delays_a_wake_until_it_is_back() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(100)
        api.is_down = True
        activator.arrive(50)
        await until(120)
        assert replicas(api) == 0
        api.is_down = False
        await until(123)
        assert replicas(api) == 5

    play(scene)


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


def test_another_class_of_autoscaler_is_left_to_its_own() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(100)
        activator.arrive(50)
        await until(150)
        assert written(api) == []

    play(scene, **{"class": "mine"})


def test_the_history_replayed_prints_the_same_decisions() -> None:
    """Half an hour with bursts, silence, delay and a change of pods; what is kept begins in the middle."""
    decided: list[str] = []

    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        revision = leader.revisions["default", "hello"]
        decide = revision.scaler.decide

        def listen(now: float, ready: int, *, is_reachable: bool) -> Any:
            decision = decide(now, ready, is_reachable=is_reachable)
            decided.append(told_decision(now, decision))
            return decision

        revision.scaler = Overheard(revision.scaler, listen)  # type: ignore[assignment] # see there
        for second, load in enumerate(
            [3, 50, 0, 200, 17, 0, 0, 90, 5, 0, 33, 60, 1, 0, 0, 0, 0, 7, 140, 9] * 2
        ):
            await until(20 + second * 45.137)
            activator.arrive(load)
        lines = [json.dumps(line) for line in leader.fleet.revisions["default", "hello"].history.lines()]  # type: ignore[union-attr]
        assert len(lines) > 600
        told = list(replay(lines))[1:]
        base = json.loads(told[0])["t"] - json.loads(decided[-len(told)])["t"]
        for replayed, line in zip(told, decided[-len(told) :], strict=True):
            then, there = json.loads(line), json.loads(replayed)
            assert there.pop("t") - then.pop("t") == pytest.approx(base, abs=1e-4)
            assert there == then

    play(scene, scale_down_delay="20s")


class Overheard:
    """A scaler whose decisions are listened to."""

    def __init__(self, scaler: Any, decide: Callable[..., Any]) -> None:
        self._scaler, self.decide = scaler, decide

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scaler, name)


def test_state_tells_the_highest_panic_average_and_the_reason() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(100)
        activator.arrive(50)
        await until(150)
        state = leader.state()
        told = state["revisions"]["default/hello"]
        assert json.loads(json.dumps(state)) == state
        assert 49 <= told["highestPanicAverage"] <= 50
        assert told["reason"] == "50 requests in flight, target 10 (panic)" or told["reason"].startswith(
            "49."
        )
        assert (told["replicas"], told["ready"], told["activity"]) == (5, 5, "active")
        assert state["activators"] == {"a": {"isLinked": True, "silentFor": 0.0}}

    play(scene)


def test_a_revision_at_zero_costs_no_ticks() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(100)
        revision = leader.revisions["default", "hello"]
        made = revision.decisions
        await until(1000)
        assert revision.decisions == made <= 3

    play(scene)
