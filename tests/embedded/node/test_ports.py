"""Ports for pods."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.node.ports import QUARANTINE, PortPool, parse_port_range, pod_port_range


@pytest.mark.parametrize(
    ("ephemeral", "expected"),
    [
        ((32768, 60999), (20000, 32767)),
        ((49152, 65535), (20000, 32767)),
        ((15000, 65000), (10000, 14999)),
        ((1024, 40000), (40001, 65535)),
        ((25000, 60999), (20000, 24999)),
        ((1024, 65535), (20000, 32767)),
    ],
)
def test_pods_get_ports_outside_the_ephemeral_range(
    ephemeral: tuple[int, int], expected: tuple[int, int]
) -> None:
    """The wanted range or the widest rest; a system that leaves none shares its own."""
    assert pod_port_range(ephemeral) == expected


def test_the_kernels_table_is_read() -> None:
    """Two numbers, a tab between them."""
    assert parse_port_range("32768\t60999\n") == (32768, 60999)


def test_a_port_rests_for_minutes() -> None:
    """Not while it is taken, not for three minutes after."""
    pool = PortPool(1, 3, start=2)
    assert list(pool.candidates(0.0)) == [2, 3, 1]
    pool.take(2)
    assert sorted(pool.candidates(0.0)) == [1, 3]
    pool.release(2, 10.0)
    assert sorted(pool.candidates(10.0 + QUARANTINE - 1)) == [1, 3]
    assert sorted(pool.candidates(10.0 + QUARANTINE)) == [1, 2, 3]


def test_a_pod_may_have_its_former_port_again() -> None:
    """The preferred port comes first, resting or not, if nobody has it and it is in the range."""
    pool = PortPool(1, 3, start=1)
    assert next(pool.candidates(0.0, preferred=3)) == 3
    assert 9 not in list(pool.candidates(0.0, preferred=9))
    pool.take(3)
    assert 3 not in list(pool.candidates(0.0, preferred=3))


@given(st.lists(st.booleans(), max_size=80), st.integers(0, 10**6))
def test_no_port_is_given_twice(moves: list[bool], start: int) -> None:
    """Whatever is taken and released in between."""
    pool, mine, now = PortPool(100, 110, start), [], 0.0
    for takes in moves:
        now += 20
        if takes:
            port = next(pool.candidates(now), None)
            if port is not None:
                assert port not in mine
                pool.take(port)
                mine.append(port)
        elif mine:
            pool.release(mine.pop(), now)
