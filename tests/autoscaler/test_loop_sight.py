"""The whole loop in virtual time: what is not seen, lost, refused, or written by others."""

import asyncio
import time

import pytest

from autoscaler.edge.leader import Leader
from autoscaler.edge.settings import Settings
from autoscaler.messages import Bye, Cordon, Cordoned
from autoscaler.objects import ready_pods
from kube.objects import Obj
from testkit.loop.virtual_time import run
from testkit.scaling.stage import HELLO, busy_then_silent, play, replicas, until, written
from testkit.scaling.world import EPOCH, FakeActivator, FakeApi, config, deployment, leading, reporting


def test_an_activator_whose_link_is_lost_vetoes_going_down_for_a_minute_and_no_longer() -> None:
    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        other = FakeActivator("other", leader)
        async with reporting(other):
            await until(100)
            activator.arrive(50)
            await until(200)
            other.is_mute = True
            leader.closed(other)
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


@pytest.mark.parametrize("silent_for", [100, 600, 7_200])
def test_nothing_is_scaled_down_while_a_linked_activator_does_not_report(silent_for: float) -> None:
    """It lives and serves requests that nobody counts. As soon as it reports, all goes on."""

    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(100)
        activator.arrive(50)
        await until(200)
        assert replicas(api) == 5
        activator.is_mute = True
        activator.load = 0
        await until(200 + silent_for)
        assert replicas(api) == 5
        if silent_for > 100:
            assert any("although it is linked" in text for text in api.events())
        activator.is_mute = False
        await until(200 + silent_for + 110)
        assert replicas(api) == 0

    play(scene)


def test_an_acknowledgement_is_no_report() -> None:
    """An activator that answers orders but reports no load is silent."""

    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(100)
        activator.arrive(50)
        await until(200)
        activator.is_mute = True
        activator.load = 0
        for second in range(201, 500):
            await until(second)
            leader.received(activator, Cordoned("none", 1, 0))
        assert replicas(api) == 5

    play(scene)


@pytest.mark.parametrize("step", [-86_400, -600, 600, 86_400])
def test_the_autoscaler_decides_by_a_clock_that_nobody_sets(
    step: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wall clock is set while it runs: its seconds go on as before."""
    clock, before = Settings("a").clock, time.time()
    monkeypatch.setattr(time, "time", lambda: before + step)
    assert clock() == pytest.approx(before, abs=5)


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


def test_a_ready_pod_of_the_gateways_service_that_never_reported_vetoes_going_down() -> None:
    """The Service's EndpointSlices say who ought to report; without any slice those count that did."""

    def slice_of(*ready: str) -> Obj:
        endpoints = [
            {"conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": name}} for name in ready
        ]
        return {"metadata": {"namespace": "zerogate-system", "name": "s"}, "endpoints": endpoints}

    async def scenario() -> None:
        api = FakeApi()
        api.put("configmaps", config())
        api.put("deployments", deployment(target="10"))
        async with leading(api, service="zerogate-activator") as leader:
            activator = FakeActivator("a", leader)
            async with reporting(activator):
                await until(100)
                assert leader.expected_activators() is None
                activator.arrive(50)
                await until(195)
                api.put("endpointslices", slice_of("a", "never"))
                activator.arrive(0)
                await until(255)
                assert replicas(api) == 5
                api.put("endpointslices", slice_of("a"))
                await until(270)
                assert replicas(api) < 5

    run(scenario())


@pytest.mark.parametrize(
    ("endpoint", "is_ready"),
    [
        ({"targetRef": {"kind": "Pod", "name": "p"}}, True),
        ({"conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": "p"}}, True),
        ({"conditions": {"ready": None}, "targetRef": {"kind": "Pod", "name": "p"}}, True),
        (
            {
                "conditions": {"ready": False, "serving": True, "terminating": True},
                "targetRef": {"kind": "Pod", "name": "p"},
            },
            False,
        ),
        ({"conditions": {"ready": True}}, False),
        ({"targetRef": {"kind": "Node", "name": "p"}}, False),
    ],
)
def test_ready_pods_are_those_that_a_slice_does_not_call_unready(endpoint: Obj, is_ready: bool) -> None:
    assert ready_pods([{"endpoints": [endpoint]}, {"endpoints": None}, {}]) == ({"p"} if is_ready else set())


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
    """The activator's own wake was faster than the watch told: nothing more is written."""

    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(100)
        api.change(HELLO, replicas=1)
        activator.arrive(5)
        assert leader.revisions["default", "hello"].replicas.writing == 1
        await until(110)
        assert (replicas(api), written(api)) == (1, [])
        assert ("PATCH", f"{HELLO}/scale") in api.requests

    play(scene)


def test_a_wake_is_one_write() -> None:
    """A Scale of zero has no number to test: the patch tests that, and nothing is read or tried before."""

    async def scene(api: FakeApi, leader: Leader, activator: FakeActivator) -> None:
        await until(100)
        before = len(api.requests)
        activator.arrive(1)
        await until(100.2)
        asked = [request for request in api.requests[before:] if "/deployments/" in request[1]]
        assert (written(api), asked) == ([1], [("PATCH", f"{HELLO}/scale")])

    play(scene)


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
