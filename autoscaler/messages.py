"""The link's vocabulary: what activators and the autoscaler's leader say to each other.

One WebSocket binary frame is one message. Reports use the field numbers of Knative's `WireStatMessages`
(Knative pkg/autoscaler/metrics/stat.proto), so that Knative's autoscaler reads ours and we read its
activator's; everything else has a number from 100 on, which a peer that does not know it skips.

`encode(message)` gives the frame's bytes, `decode(data)` the message or `MalformedMessage`.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

from google.protobuf.message import DecodeError

from autoscaler import link_pb2

VERSION = 1
"""Of the protocol, said in `Hello`. Fields may be added under the same version."""

ARE_YOU_THERE = b"\n"
"""Sent by the autoscaler to the address at which an activator takes requests of others: any response says
that its process runs.
"""
AT_ONCE = 0
"""The cut of a report that did not wait for one."""


class MalformedMessage(Exception):  # noqa: N818 - says what it is; "Error" would add nothing
    """The peer sent a frame that is no message. The link is closed, the peer connects anew."""


class Stat(NamedTuple):
    """What one activator saw of one revision in one cut.

    concurrency: time-weighted mean of requests in flight (waiting ones too); requests: arrivals in the cut;
    timestamp: unix seconds, 0 = the time of receipt.
    """

    namespace: str
    revision: str
    concurrency: float
    requests: float
    timestamp: int = 0


class PodLoad(NamedTuple):
    """Requests of one activator in flight at one pod."""

    namespace: str
    revision: str
    pod_uid: str
    in_flight: int


class PodSlots(NamedTuple):
    """Slots of one pod's hard limit."""

    pod_uid: str
    slots: int


class Claim(NamedTuple):
    """Who owns a revision's hard limit, as an activator was told last."""

    namespace: str
    revision: str
    activator: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Hello:
    """Up, the first frame: who reports here.

    `process` differs in each process that ever has this name; "" from one that owns no limits and forwards
    nothing. `peer_address`, "host:port", is where others forward requests to, showing `peer_secret`.
    """

    activator: str
    pod_uid: str
    version: int
    process: str = ""
    peer_address: str = ""
    peer_secret: str = ""
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True)
class Welcome:
    """Down, the answer to `Hello`. Orders of an older epoch are void. `names_owners`: it will say who owns
    each hard limit.
    """

    epoch: int
    leader: str
    names_owners: bool = False


@dataclass(frozen=True, slots=True)
class Stats:
    """Up, each second, also when empty (it is the heartbeat too).

    cut: its number, which grows by one each second on the sender's monotonic clock, or `AT_ONCE`. second: the
    unix second on the sender's wall clock, 0 if it is not told; nothing is decided by it.
    """

    activator: str
    cut: int
    stats: tuple[Stat, ...]
    second: int = 0


@dataclass(frozen=True, slots=True)
class Pods:
    """Up, with each cut: where this activator's requests are."""

    in_flight: tuple[PodLoad, ...]


@dataclass(frozen=True, slots=True)
class Cordoned:
    """Up: the order is known; sent on receipt and again when `in_flight` reaches 0."""

    pod_uid: str
    epoch: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class Bye:
    """Up: this activator drains and counts no longer."""

    activator: str


@dataclass(frozen=True, slots=True)
class Leaving:
    """Up: this activator begins to drain and wants to own nothing any more."""


@dataclass(frozen=True, slots=True)
class Occupied:
    """Up, from each activator that is not the owner, on each `Owner` and whenever it changes: the slots that
    its requests still have at the revision's pods. It takes no further ones under this epoch.
    """

    namespace: str
    revision: str
    epoch: int
    pods: tuple[PodSlots, ...] = ()


@dataclass(frozen=True, slots=True)
class Cordon:
    """Down: choose this pod no more. Ends by `Uncordon`, or `expires_in` s after the last such order."""

    namespace: str
    revision: str
    pod_uid: str
    epoch: int
    expires_in: float


@dataclass(frozen=True, slots=True)
class Uncordon:
    """Down: choose this pod again."""

    namespace: str
    revision: str
    pod_uid: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Owner:
    """Down: this activator holds the revision's hard concurrency limit; the others forward to `address`,
    showing `secret`.

    `is_granted`, to the owner alone: it may take all slots but those `reserved` for requests of others.
    `is_former_stopped`: the owner before answers nothing any more; requests that were sent to it and may be
    repeated are to be sent to this one.
    """

    namespace: str
    revision: str
    activator: str
    epoch: int
    address: str = ""
    secret: str = ""
    is_granted: bool = False
    reserved: tuple[PodSlots, ...] = ()
    is_former_stopped: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """Down: a pod's address before the API tells it; a hint."""

    namespace: str
    revision: str
    pod_uid: str
    address: str


Message = (
    Hello | Welcome | Stats | Pods | Cordoned | Bye | Leaving | Occupied | Cordon | Uncordon | Owner | Address
)

_ROWS: dict[str, type[Claim | PodSlots]] = {"claims": Claim, "reserved": PodSlots, "pods": PodSlots}
"""Fields that are repeated, and what each of their rows is."""


def encode(message: Message) -> bytes:
    """The frame's bytes. Equal messages give equal bytes."""
    frame = link_pb2.Frame()
    match message:
        case Stats():
            _write_stats(message, frame)
        case Pods():
            frame.pods.SetInParent()
            for load in message.in_flight:
                frame.pods.in_flight.add(
                    namespace=load.namespace,
                    revision=load.revision,
                    pod_uid=load.pod_uid,
                    in_flight=load.in_flight,
                )
        case _:
            part = getattr(frame, type(message).__name__.lower())
            part.SetInParent()  # a message of defaults alone is still that message
            for name in type(message).__slots__:
                if name in _ROWS:
                    for row in getattr(message, name):
                        getattr(part, name).add(**row._asdict())
                else:
                    setattr(part, name, getattr(message, name))
    return frame.SerializeToString(deterministic=True)


def decode(data: bytes) -> Message:
    """The message in a frame; `MalformedMessage` when there is none, or more than one."""
    frame = link_pb2.Frame()
    try:
        frame.ParseFromString(data)
    except DecodeError as error:
        raise MalformedMessage(f"not a frame of the link: {error}") from error
    kind = frame.WhichOneof("other")
    if kind is None:
        return _read_stats(frame)
    if frame.messages:
        raise MalformedMessage(f"a report and {kind} in one frame")
    if kind == "pods":
        return Pods(tuple(_read_load(load) for load in frame.pods.in_flight))
    message_type = _TYPES[kind]
    part = getattr(frame, kind)
    message = message_type(*(_read_field(part, name) for name in message_type.__slots__))
    if isinstance(message, Cordoned) and message.in_flight < 0:
        raise MalformedMessage("a negative number of requests in flight")
    if any(row.slots < 0 for row in _slots_in(message)):
        raise MalformedMessage("a negative number of slots")
    if isinstance(message, Cordon) and not 0 <= message.expires_in < math.inf:
        raise MalformedMessage(f"an order that expires in {message.expires_in} s")
    return message


_Plain = Hello | Welcome | Cordoned | Bye | Leaving | Occupied | Cordon | Uncordon | Owner | Address
_TYPES: dict[str, type[_Plain]] = {kind.__name__.lower(): kind for kind in get_args(_Plain)}


def _read_field(part: Any, name: str) -> Any:
    """The field of a protobuf message as ours has it."""
    value, row = getattr(part, name), _ROWS.get(name)
    if row is None:
        return value
    return tuple(row(*(getattr(each, field) for field in row._fields)) for each in value)


def _slots_in(message: Message) -> tuple[PodSlots, ...]:
    match message:
        case Owner():
            return message.reserved
        case Occupied():
            return message.pods
    return ()


def _write_stats(message: Stats, frame: link_pb2.Frame) -> None:
    frame.cut = message.cut
    frame.sender = message.activator
    frame.second = message.second
    for row in message.stats:
        wire = frame.messages.add(namespace=row.namespace, name=row.revision)
        wire.stat.pod_name = message.activator
        wire.stat.average_concurrent_requests = row.concurrency
        wire.stat.request_count = row.requests
        wire.stat.timestamp = row.timestamp


def _read_stats(frame: link_pb2.Frame) -> Stats:
    """Knative's activator names no sender and no cut: its name is in each stat, each frame counts."""
    sender = frame.sender
    rows = []
    for wire in frame.messages:
        if not wire.HasField("stat"):
            continue
        stat = wire.stat
        sender = sender or stat.pod_name
        concurrency = stat.average_concurrent_requests - stat.average_proxied_concurrent_requests
        requests = stat.request_count - stat.proxied_request_count
        if not (0 <= concurrency < math.inf and 0 <= requests < math.inf):  # NaN compares false: refused too
            raise MalformedMessage(
                f"{wire.namespace}/{wire.name}: {concurrency} in flight, {requests} requests"
            )
        rows.append(Stat(wire.namespace, wire.name, concurrency, requests, stat.timestamp))
    if frame.cut < 0:
        raise MalformedMessage(f"cut {frame.cut}")
    return Stats(sender, frame.cut, tuple(rows), frame.second)


def _read_load(load: link_pb2.PodLoad) -> PodLoad:
    if load.in_flight < 0:
        raise MalformedMessage("a negative number of requests in flight")
    return PodLoad(load.namespace, load.revision, load.pod_uid, load.in_flight)
