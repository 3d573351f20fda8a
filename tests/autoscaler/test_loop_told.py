"""The whole loop in virtual time: what is told of it afterwards."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from autoscaler.edge.leader import Leader
from autoscaler.kpa.replay import replay, told_decision
from testkit.scaling.stage import play, until
from testkit.scaling.world import FakeActivator, FakeApi


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
        lines = [json.dumps(line) for line in leader.fleet.revisions["default", "hello"].history.lines()]  # type: ignore[union-attr] # it has one
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
