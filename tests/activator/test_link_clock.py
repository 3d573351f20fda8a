"""Reports are cut by the monotonic clock: a wall clock that is set changes nothing but a date."""

import asyncio
import itertools
import time

import pytest

from activator.edge.link.link import Identity, Link
from activator.link.reports import Reports
from testkit.loop.virtual_time import run

EPOCH = 1_800_000_000.25
STEPS = [-86_400, -600, -1, 1, 600, 86_400]


class Cuts(Reports):
    """Reports that write down when each cut was made, on the clock of the loop."""

    def __init__(self) -> None:
        super().__init__("me")
        self.made: list[tuple[float, int]] = []
        self.seconds: list[int] = []

    def cut(self, now: float, number: int, second: int = 0) -> None:
        super().cut(now, number, second)
        self.made.append((asyncio.get_running_loop().time(), number))
        self.seconds.append(second)


class Wall:
    """A wall clock that runs with the loop's and can be set."""

    def __init__(self) -> None:
        self.offset = 0.0

    def time(self) -> float:
        return EPOCH + asyncio.get_running_loop().time() + self.offset


async def cutting(wall: Wall, step: float) -> Cuts:
    """Ten seconds, a step of the wall clock, and ten more."""
    cuts = Cuts()
    link = Link(Identity("me", "", lambda: ""), cuts, on_order=lambda _order: None, on_change=lambda: None)
    running = asyncio.create_task(link.run())
    await asyncio.sleep(10)
    wall.offset = step
    await asyncio.sleep(10)
    link.leave()
    await running
    return cuts


@pytest.mark.parametrize("step", STEPS)
def test_reports_are_cut_each_second_whatever_the_wall_clock_does(
    step: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set back or forward by seconds, minutes or a day: a cut each second, and each number is one more."""
    wall = Wall()
    monkeypatch.setattr(time, "time", wall.time)
    cuts = run(cutting(wall, step))
    times = [at for at, _ in cuts.made]
    assert len(times) == 20
    assert all(later - at == pytest.approx(1) for at, later in itertools.pairwise(times))
    assert [number for _, number in cuts.made] == list(range(1, 21))


def test_cuts_begin_on_the_half_second_and_tell_the_wall_clock_as_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half a second of delay then moves no report into another second of the autoscaler's windows."""
    wall = Wall()
    monkeypatch.setattr(time, "time", wall.time)
    cuts = run(cutting(wall, -600))
    assert all((EPOCH + at) % 1 == pytest.approx(0.5, abs=0.01) for at, _ in cuts.made)
    assert cuts.seconds[0] == int(EPOCH)
    assert cuts.seconds[-1] == int(EPOCH) + 19 - 600


def test_a_process_that_was_stopped_numbers_its_next_cut_by_the_seconds_that_passed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A number that only counted cuts would place the load of a minute in the past."""
    wall = Wall()
    monkeypatch.setattr(time, "time", wall.time)

    async def scenario() -> list[tuple[float, int]]:
        cuts, loop = Cuts(), asyncio.get_running_loop()
        link = Link(
            Identity("me", "", lambda: ""), cuts, on_order=lambda _order: None, on_change=lambda: None
        )
        running = asyncio.create_task(link.run())
        await asyncio.sleep(3)
        monkeypatch.setattr(loop._jumping, "now", loop.time() + 60)  # type: ignore[attr-defined]
        await asyncio.sleep(2)
        link.leave()
        await running
        return cuts.made

    made = run(scenario())
    assert all(number == pytest.approx(at - made[0][0] + 1, abs=1.01) for at, number in made)
    assert made[-1][1] >= 64
