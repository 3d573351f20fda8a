"""The peers in turn, round by round, so that what else runs on the machine weighs on all of them."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from bench.proxy import wrk
from bench.proxy.cores import Plan, busy, used
from bench.proxy.peers import Peer

WARM_UP = 1.0
"""Seconds for which each peer is loaded before its first round."""


class Rounds(NamedTuple):
    """How many, and the seconds of each peer's turn."""

    number: int
    seconds: float


class Turn(NamedTuple):
    """What one peer did in one round: seconds, and shares of the proxy's cores."""

    requests: int
    seconds: float
    cpu: float
    control: float
    own_share: float
    others_share: float


T = TypeVar("T")


def in_turn(names: Sequence[str], rounds: Rounds, turn: Callable[[str, float], T]) -> dict[str, list[T]]:
    """`turn(name, seconds)` for each name and round; who is first changes from round to round."""
    for name in names:
        turn(name, WARM_UP)
    found: dict[str, list[T]] = {name: [] for name in names}
    for number in range(rounds.number):
        first = number % len(names)
        for name in (*names[first:], *names[:first]):
            found[name].append(turn(name, rounds.seconds))
    return found


def loaded(peer: Peer, load: wrk.Load, seconds: float, plan: Plan) -> Turn:
    """One turn of wrk. SystemExit: a request failed."""
    before = _Reading.of(peer, plan)
    try:
        answered = wrk.run(load, peer.port, seconds, plan.rest)
        after = _Reading.of(peer, plan)
    except (ValueError, OSError) as error:
        raise SystemExit(failed(peer.name, error)) from error
    wall = (after.at - before.at) * len(plan.proxy)
    cpu, control = after.cpu - before.cpu, after.control - before.control
    own = cpu - control
    others = max(0.0, after.busy - before.busy - own)
    return Turn(answered.requests, answered.seconds, cpu, control, own / wall, others / wall)


def failed(name: str, error: Exception) -> str:
    """What is said of a turn that does not count."""
    return (
        f"{name}: a request failed, so nothing of this run counts.\n{error}\n"
        "The logs are in the folder named below. On a machine with too much else to do, try again later; "
        "`--only ROW` runs one row alone."
    )


def told(turns: dict[str, list[Turn]], unit: Callable[[Turn], float]) -> dict[str, Any]:
    """The rounds of a figure as JSON: `values` by `unit`, and beside them what they were measured under."""

    def each(value: Callable[[Turn], float], digits: int) -> dict[str, list[float]]:
        return {name: [round(value(turn), digits) for turn in given] for name, given in turns.items()}

    return {
        "values": each(unit, 3),
        "requests_per_second": each(lambda turn: turn.requests / turn.seconds, 1),
        "control_process_share": each(lambda turn: turn.control / turn.cpu if turn.cpu else 0.0, 4),
        "own_share_of_core": each(lambda turn: turn.own_share, 3),
        "others_share_of_core": each(lambda turn: turn.others_share, 3),
    }


class _Reading(NamedTuple):
    at: float
    cpu: float
    control: float
    busy: float

    @classmethod
    def of(cls, peer: Peer, plan: Plan) -> "_Reading":
        return cls(time.monotonic(), used(peer.processes), used(peer.control), busy(plan.proxy))
