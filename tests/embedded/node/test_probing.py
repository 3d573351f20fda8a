"""Probes as declared, and what rows of answers mean."""

from typing import Any

import pytest

from embedded.node.probing import EAGER, Probe, Tally, port_of, probe_of, probes_of

PORTS = [{"name": "http1", "containerPort": 8080}, {"name": "metrics", "containerPort": 9090}]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (8080, 31000),
        (None, 31000),
        (0, 31000),
        ("http1", 31000),
        ("8080", 31000),
        ("metrics", 9090),
        (7070, 7070),
    ],
)
def test_the_serving_port_means_the_pods_own(wanted: int | str | None, expected: int) -> None:
    """By name, by number or left out; any other port is what it is."""
    assert port_of({"ports": PORTS}, wanted, 31000, 8080) == expected


def test_another_containers_ports_are_left_alone() -> None:
    """Without a port of its own, 8080 is 8080."""
    assert port_of({}, 8080, 0, 8080) == 8080


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"tcpSocket": {"port": 8080}}, Probe("tcp", 31000)),
        ({"grpc": {"port": 8080}, "periodSeconds": 2}, Probe("tcp", 31000, period=2.0)),
        ({"tcpSocket": {}, "periodSeconds": 0}, Probe("tcp", 31000, period=1.0)),
        (
            {"httpGet": {"path": "up", "scheme": "HTTPS", "httpHeaders": [{"name": "A", "value": "b"}]}},
            Probe("http", 31000, path="/up", scheme="https", headers=(("A", "b"),)),
        ),
        (
            {"exec": {"command": ["a"]}, "failureThreshold": 5, "terminationGracePeriodSeconds": 0},
            Probe("exec", 31000, command=("a",), failure_threshold=5, grace=0.0),
        ),
    ],
)
def test_probes_are_read_with_kubernetes_defaults(declared: dict[str, Any], expected: Probe) -> None:
    """10 s period, 1 s timeout, 3 failures; gRPC is asked as TCP."""
    assert probe_of({"ports": PORTS}, declared, 31000, 8080) == expected


def test_a_serving_container_without_a_readiness_probe_is_asked_for_its_port() -> None:
    """Others are ready when they run."""
    assert probes_of({}, 31000, 8080) == {"readiness": Probe("tcp", 31000, period=1.0)}
    assert probes_of({}, 0, 8080) == {}
    assert probes_of({}, 31000, 0) == {}


def test_the_first_tries_are_eager_and_slow_down() -> None:
    """25 ms apart in the first second, then ever slower, never slower than the period; commands are dear."""
    probe = Probe("tcp", 1, period=0.5)
    paces = [probe.pace(elapsed) for elapsed in (0.0, 0.9, 5.0, 100.0)]
    assert paces == [EAGER, EAGER, 0.25, 0.5]
    assert Probe("exec").pace(0.0) == EAGER * 10
    assert Probe("tcp").pace(1000.0) == 1.0


@pytest.mark.parametrize(
    ("answers", "verdicts"),
    [
        ("++", [True, True]),
        ("---", [None, None, False]),
        ("--+--", [None, None, True, None, None]),
        ("---+", [None, None, False, True]),
    ],
)
def test_a_verdict_takes_enough_equal_answers_in_a_row(answers: str, verdicts: list[bool | None]) -> None:
    """One success, three failures; the other kind starts the count anew."""
    tally = Tally(Probe("tcp"))
    assert [tally.observe(answered=answer == "+") for answer in answers] == verdicts
