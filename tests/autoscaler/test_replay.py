"""Histories that Knative's own code decided: ours come out the same."""

import json
import math
from pathlib import Path

import pytest

from autoscaler.kpa.replay import BadHistory, go_number, replay

FOLDER = Path(__file__).parent / "kpa"
CASES = sorted(path for path in FOLDER.glob("*.jsonl") if ".expected" not in path.name)
SET_UP = '{"t":0,"config":{},"annotations":{},"containerConcurrency":0,"ready":0,"reachable":true}'


def test_the_histories_are_there() -> None:
    assert len(CASES) == 30


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_recorded_history_gives_knatives_decisions(case: Path) -> None:
    with case.open() as lines:
        told = [json.loads(line) for line in replay(lines)]
    wanted = [json.loads(line) for line in case.with_suffix(".expected.jsonl").read_text().splitlines()]
    assert len(told) == len(wanted)
    for ours, theirs in zip(told, wanted, strict=True):
        assert list(ours) == list(theirs)
        for name, value in theirs.items():
            if isinstance(value, float):
                assert math.isclose(ours[name], value, abs_tol=1e-6), (name, theirs)
            else:
                assert (type(ours[name]), ours[name]) == (type(value), value), (name, theirs)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_it_is_printed_byte_for_byte(case: Path) -> None:
    with case.open() as lines:
        assert list(replay(lines)) == case.with_suffix(".expected.jsonl").read_text().splitlines()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (0.7, "0.7"),
        (2.1, "2.1"),
        (-0.5, "-0.5"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (0.00001, "0.00001"),
        (0.0000012, "0.0000012"),
        (0.00000012, "1.2e-7"),
        (1e-10, "1e-10"),
        (1.5e300, "1.5e+300"),
    ],
)
def test_numbers_are_written_as_go_writes_them(value: float, text: str) -> None:
    assert go_number(value) == text
    assert float(text) == value


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nonsense", "line 2: Expecting value"),
        ("[]", "line 2: list indices"),
        ('{"decide": true}', "line 2: 't' is missing"),
        ('{"t": 1, "stat": {"concurrency": 1}}', "line 2: 'requests' is missing"),
        ('{"t": 1, "stat": {"concurrency": -1, "requests": 0}}', "line 2: -1 is no load"),
        ('{"t": 1, "stat": {"concurrency": NaN, "requests": 0}}', "line 2: nan is no load"),
        ('{"t": 1, "ready": "many"}', "line 2: invalid literal"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(line: str, problem: str) -> None:
    with pytest.raises(BadHistory) as refused:
        list(replay([SET_UP, line]))
    assert str(refused.value).startswith(problem)


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(BadHistory, match="line 1: stable-window: must be between 6s and 1h"):
        list(replay([SET_UP.replace('"config":{}', '"config":{"stable-window":"1s"}')]))
