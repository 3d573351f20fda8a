"""The link's frames: what is sent is what is read, and Knative's programs read along."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.messages import (
    Address,
    Bye,
    Claim,
    Cordon,
    Cordoned,
    Hello,
    Leaving,
    MalformedMessage,
    Message,
    Occupied,
    Owner,
    PodLoad,
    Pods,
    PodSlots,
    Stat,
    Stats,
    Uncordon,
    Welcome,
    decode,
    encode,
)

names = st.text(max_size=20)
numbers = st.integers(0, 2**53)
loads = st.floats(0, 1e9)
claims = st.lists(st.builds(Claim, names, names, names, numbers), max_size=5).map(tuple)
slots = st.lists(st.builds(PodSlots, names, numbers), max_size=5).map(tuple)
messages = st.one_of(
    st.builds(Hello, names, names, numbers, names, names, names, claims),
    st.builds(Welcome, numbers, names, st.booleans()),
    st.builds(Leaving),
    st.builds(Occupied, names, names, numbers, slots),
    st.builds(
        Stats,
        st.text(min_size=1, max_size=20),
        numbers,
        st.lists(st.builds(Stat, names, names, loads, loads, numbers), max_size=5).map(tuple),
    ),
    st.builds(Pods, st.lists(st.builds(PodLoad, names, names, names, numbers), max_size=5).map(tuple)),
    st.builds(Cordoned, names, numbers, numbers),
    st.builds(Bye, names),
    st.builds(Cordon, names, names, names, numbers, loads),
    st.builds(Uncordon, names, names, names, numbers),
    st.builds(Owner, names, names, names, numbers, names, names, st.booleans(), slots),
    st.builds(Address, names, names, names, names),
)


@given(messages)
def test_what_is_sent_is_what_is_read(message: Message) -> None:
    assert decode(encode(message)) == message


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_malformed(data: bytes) -> None:
    try:
        message = decode(data)
    except MalformedMessage:
        return
    assert decode(encode(message)) is not None


def field(number: int, wire: int, body: bytes) -> bytes:
    """A protobuf field by hand; wire 0 varint, 1 double, 2 length-delimited."""
    tag = number << 3 | wire
    head = bytes([tag]) if tag < 128 else bytes([tag & 127 | 128, tag >> 7])
    return head + (bytes([len(body)]) if wire == 2 else b"") + body


def double(number: int, value: float) -> bytes:
    return field(number, 1, struct.pack("<d", value))


def texts(*values: bytes) -> bytes:
    """Text fields 1, 2, 3…"""
    return b"".join(field(number, 2, value) for number, value in enumerate(values, 1))


STAT = texts(b"act-1") + double(2, 1.5) + double(4, 2.0)
POD = texts(b"n", b"r", b"u")

GOLDEN = [
    (
        Stats("act-1", 5, (Stat("ns", "rev", 1.5, 2.0),)),
        field(1, 2, texts(b"ns", b"rev", STAT)) + field(100, 0, b"\x05") + field(105, 2, b"act-1"),
    ),
    (Stats("a", 0, ()), field(105, 2, b"a")),
    (Hello("a", "u", 1), field(101, 2, field(1, 2, b"a") + field(2, 2, b"u") + field(3, 0, b"\x01"))),
    (Pods((PodLoad("n", "r", "u", 3),)), field(102, 2, field(1, 2, POD + field(4, 0, b"\x03")))),
    (Pods(()), field(102, 2, b"")),
    (Cordoned("u", 2, 0), field(103, 2, field(1, 2, b"u") + field(2, 0, b"\x02"))),
    (Bye("a"), field(104, 2, field(1, 2, b"a"))),
    (Welcome(7, "l"), field(110, 2, field(1, 0, b"\x07") + field(2, 2, b"l"))),
    (
        Cordon("n", "r", "u", 2, 10.0),
        field(111, 2, POD + field(4, 0, b"\x02") + double(5, 10.0)),
    ),
    (Uncordon("n", "r", "u", 2), field(112, 2, POD + field(4, 0, b"\x02"))),
    (Owner("n", "r", "a", 2), field(113, 2, texts(b"n", b"r", b"a") + field(4, 0, b"\x02"))),
    (
        Owner("n", "r", "a", 2, "h:1", "s", is_granted=True, reserved=(PodSlots("u", 3),)),
        field(
            113,
            2,
            texts(b"n", b"r", b"a")
            + field(4, 0, b"\x02")
            + field(5, 2, b"h:1")
            + field(6, 2, b"s")
            + field(7, 0, b"\x01")
            + field(8, 2, field(1, 2, b"u") + field(2, 0, b"\x03")),
        ),
    ),
    (
        Occupied("n", "r", 2, (PodSlots("u", 3),)),
        field(
            106,
            2,
            texts(b"n", b"r") + field(3, 0, b"\x02") + field(4, 2, field(1, 2, b"u") + field(2, 0, b"\x03")),
        ),
    ),
    (Leaving(), field(107, 2, b"")),
    (
        Welcome(7, "l", names_owners=True),
        field(110, 2, field(1, 0, b"\x07") + field(2, 2, b"l") + field(3, 0, b"\x01")),
    ),
    (
        Hello("a", "u", 1, "p", "h:1", "s", (Claim("n", "r", "b", 2),)),
        field(
            101,
            2,
            field(1, 2, b"a")
            + field(2, 2, b"u")
            + field(3, 0, b"\x01")
            + field(4, 2, b"p")
            + field(5, 2, b"h:1")
            + field(6, 2, b"s")
            + field(7, 2, texts(b"n", b"r", b"b") + field(4, 0, b"\x02")),
        ),
    ),
    (Address("n", "r", "u", "10.0.0.9"), field(114, 2, POD + field(4, 2, b"10.0.0.9"))),
]


@pytest.mark.parametrize(("message", "data"), GOLDEN, ids=lambda value: type(value).__name__)
def test_the_bytes_of_each_message_stay_as_they_are(message: Message, data: bytes) -> None:
    """Programs of different versions meet during an update."""
    assert encode(message) == data
    assert decode(data) == message


def test_a_report_of_knatives_activator_is_read() -> None:
    """It names no cut and no sender, may lack the stat, and counts what came through an activator twice."""
    stat = (
        field(1, 2, b"activator-x")
        + double(2, 5.0)
        + double(3, 2.0)
        + double(4, 8.0)
        + double(5, 3.0)
        + double(6, 99.0)
    )
    data = field(1, 2, field(1, 2, b"ns") + field(2, 2, b"rev") + field(3, 2, stat)) + field(
        1, 2, field(1, 2, b"ns") + field(2, 2, b"no-stat")
    )  # fmt: skip
    assert decode(data) == Stats("activator-x", 0, (Stat("ns", "rev", 3.0, 5.0),))


def test_a_frame_of_a_later_version_is_read_without_what_is_new() -> None:
    assert decode(encode(Bye("a")) + field(200, 2, b"news")) == Bye("a")


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"text is no frame",
        encode(Stats("a", 1, (Stat("n", "r", math.nan, 0.0),))),
        encode(Stats("a", 1, (Stat("n", "r", math.inf, 0.0),))),
        encode(Stats("a", 1, (Stat("n", "r", -1.0, 0.0),))),
        encode(Stats("a", 1, (Stat("n", "r", 0.0, -1.0),))),
        encode(Stats("a", -1, ())),
        encode(Cordon("n", "r", "u", 1, math.nan)),
        encode(Cordon("n", "r", "u", 1, -1.0)),
        encode(Cordoned("u", 1, -1)),
        encode(Pods((PodLoad("n", "r", "u", -1),))),
        encode(Stats("a", 1, (Stat("n", "r", 0.0, 0.0),))) + encode(Bye("a")),
    ],
)
def test_what_cannot_be_meant_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode(data)
