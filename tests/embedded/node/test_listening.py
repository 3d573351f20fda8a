"""Where a process listens, from the kernel's tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.node.listening import Listener, misplaced, parse_listeners

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0
   1: 00000000:7A12 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1 0 100 0 0 10 0
   2: 0100007F:1389 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 13 1 0 20 4 0 10 -1
"""
TCP6 = """  sl  local_address remote_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode
   0: 00000000000000000000000000000000:7A12 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 14 1 0 0 0
   1: 00000000000000000000000001000000:7A12 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 15 1 0 0 0
   2: 0000000000000000FFFF00000100007F:7A12 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 16 1 0 0 0
"""


def test_only_listeners_are_read() -> None:
    """Addresses come in the machine's byte order, 32 bits a word."""
    assert parse_listeners(TCP) == [Listener(5000, "127.0.0.1", 11), Listener(31250, "0.0.0.0", 12)]
    assert [each.address for each in parse_listeners(TCP6)] == ["::", "::1", "::ffff:7f00:1"]


def test_which_listeners_a_loopback_connection_reaches() -> None:
    """0.0.0.0, 127.0.0.1 and what stands for them in IPv6; not ::1."""
    assert [each.takes_loopback for each in parse_listeners(TCP) + parse_listeners(TCP6)] == [
        True, True, True, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("inodes", "told"),
    [
        ({12}, ""),
        ({11, 12}, ""),
        (set(), ""),
        ({99}, ""),
        ({11}, "listens on 5000, not on $PORT (31250)"),
        ({15}, "listens on ::1:31250, not on 127.0.0.1:31250"),
        ({13}, ""),
    ],
)
def test_an_app_elsewhere_is_found_out(inodes: set[int], told: str) -> None:
    """Right port and address: nothing to say; nowhere yet: nothing either."""
    found = misplaced(parse_listeners(TCP) + parse_listeners(TCP6), frozenset(inodes), 31250)
    assert found.startswith(told)
    assert bool(found) == bool(told)


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    """A kernel of another day may print something else: no listener then, no failure."""
    header = "sl local_address\n"
    assert parse_listeners(header + text.replace(" 0A ", " ")) == []
