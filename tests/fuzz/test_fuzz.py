"""Fuzzing of the data plane without sockets: what clients send, and what pods answer."""

import importlib.util
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import zerogate
from activator.edge.http.dispatch import Dispatcher
from activator.edge.http.downstream import Downstream
from activator.edge.http.relay import Exchange
from activator.hold.balance import Pod
from activator.hold.throttle import Throttle
from activator.http import bodies
from testkit import cache
from testkit.fuzz import answers, requests
from testkit.fuzz.campaign import CORPUS, TARGETS, Run

SECONDS = int(os.environ.get("FUZZ_SECONDS", "20"))
MODULES = {"requests": requests, "answers": answers}
SEEDS = {
    f"{target}/{path.name}": (target, path.read_bytes())
    for target in TARGETS
    for path in sorted((CORPUS / target).iterdir())
}


def perform_all() -> None:
    for target, data in SEEDS.values():
        MODULES[target].one_input(data)


@pytest.mark.parametrize("name", SEEDS)
def test_a_seed_holds(name: str) -> None:
    """Each play of the corpus ends well, and all counts are back at zero."""
    target, data = SEEDS[name]
    MODULES[target].one_input(data)


codes = st.integers(0, 100) | st.integers(0xC0, 0xE5)


@pytest.mark.parametrize("target", TARGETS)
@given(conditions=st.integers(0, 63), script=st.lists(codes, max_size=24))
def test_any_play_holds(target: str, conditions: int, script: list[int]) -> None:
    """Plays made at random end as well as those of the corpus."""
    MODULES[target].one_input(bytes((conditions, *script)))


def cut_as_if_whole(self: Downstream) -> None:
    self.hung_up()
    self.transport.close()


def forget_who_left(self: Dispatcher, exchange: Exchange) -> None:
    self._part(exchange, self.clock())


def reuse_always(self: Exchange, content: bytes) -> None:
    self.down.transport.write(content)
    dispatcher = self.down.gate.dispatcher
    dispatcher.ended(self, dispatcher.clock(), reuse=True)
    self.down.answered(dispatcher.clock())


def keep_the_slot(self: Throttle[Any], pod: Pod) -> None:
    return None


def any_size(self: bodies.ChunkedBody, data: bytes, at: int, content: list[bytes]) -> int:
    end = data.find(b"\r\n", at)
    if end < 0:
        return -1
    self._left = int(data[at:end].partition(b";")[0].strip(), 16)
    self._step = self._data if self._left else self._trailers
    return end + 2


FAULTS = {
    "a broken answer ends as if it were whole": (Downstream, "cut", cut_as_if_whole),
    "who left still counts": (Dispatcher, "abandoned", forget_who_left),
    "what broke off is used again": (Exchange, "_finish", reuse_always),
    "slots are not given back": (Throttle, "release", keep_the_slot),
    "a chunk's size may be anything": (bodies.ChunkedBody, "_size", any_size),
}


@pytest.mark.skipif(zerogate.IS_NATIVE, reason="nothing can be planted in compiled classes")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """The corpus alone fails when the data plane has such a fault."""
    monkeypatch.setattr(*FAULTS[fault])
    with pytest.raises((AssertionError, ValueError)):
        perform_all()


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    """Both targets side by side, each in a process; a run begins with the inputs of earlier runs."""
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris has no wheel for this Python or processor")
    return {target: Run(target, SECONDS, cache.folder() / "fuzz") for target in TARGETS}


@pytest.mark.long
@pytest.mark.parametrize("target", TARGETS)
def test_fuzzing_finds_nothing(runs: dict[str, Run], target: str) -> None:
    """And it is no idle time: it reaches code that the corpus alone does not."""
    found = runs[target].wait()
    assert not found.finding
    assert found.executions > 200
    assert found.edges[1] > runs[target].seed_edges
