"""Protobuf bodies of Kubernetes' own kinds, as some of kubectl's commands send them (`create deployment` …).

Answers are always JSON, which every client reads. Source of the numbers: protobuf.json, made by
tools/make_protobuf.py; of the envelope: Kubernetes apimachinery, pkg/runtime/serializer/protobuf.
"""

import base64
import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from kube.objects import Obj, format_micro_time, format_time

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_DEPTH = 64
_FIRST_YEAR = -62135596800  # the zero of Go's times, written where there is no time

Wire = tuple[int, int | bytes]
"""A field's number and its value: an integer or a run of bytes."""


def decode_object(body: bytes) -> Obj:
    """The object of a request's body as JSON. Raises ValueError."""
    if not body.startswith(_MAGIC):
        raise ValueError("the body does not begin with the mark of Kubernetes' protobuf envelope")
    envelope = dict(_fields(body[len(_MAGIC) :]))
    head = dict(_fields(_bytes(envelope.get(1, b""))))
    api_version, kind = (_bytes(head.get(number, b"")).decode() for number in (1, 2))
    message = _tables()["kinds"].get(f"{api_version}/{kind}") or _tables()["kinds"].get(f"v1/{kind}")
    if message is None:
        raise ValueError(f"{api_version} {kind} is not known as protobuf here; send JSON")
    found = _message(message, _bytes(envelope.get(2, b"")), 0)
    return {"apiVersion": api_version, "kind": kind, **found}


@cache
def _tables() -> Any:
    return json.loads(files(__package__).joinpath("protobuf.json").read_text(encoding="utf-8"))


@cache
def _fields_of(message: str) -> dict[int, tuple[str, str, bool]]:
    """Number → (JSON name, type, leaves zero values out)."""
    found = {}
    for number, text in _tables()["messages"][message].items():
        name, _, code = text.partition(" ")
        found[int(number)] = (name, code.rstrip("?"), code.endswith("?"))
    return found


def _message(message: str, data: bytes, depth: int) -> Obj:
    if depth > _MAX_DEPTH:
        raise ValueError("the body is nested too deeply")
    known = _fields_of(message)
    found: Obj = {}
    for number, value in _fields(data):
        if number not in known:
            continue  # of a newer release
        name, code, skips_zero = known[number]
        if code[0] == "[":
            found.setdefault(name, []).extend(_elements(code[1:], value, depth))
        elif code[0] == "{":
            found.setdefault(name, {}).update([_pair(code[1:], _bytes(value), depth)])
        else:
            decoded = _value(code, value, depth)
            if not name:
                found.update(decoded)
            elif decoded is not None and not (skips_zero and decoded in ("", 0)):
                found[name] = decoded
    return found


def _elements(code: str, value: int | bytes, depth: int) -> list[Any]:
    if code in {"i", "b"} and isinstance(value, bytes):  # packed
        return [_value(code, number, depth) for number in _varints(value)]
    return [_value(code, value, depth)]


def _pair(code: str, entry: bytes, depth: int) -> tuple[str, Any]:
    """An entry of a map: key 1, value 2; either may be left out when it is empty."""
    parts = dict(_fields(entry))
    value = parts.get(2, 0 if code in {"i", "b"} else b"")
    return _bytes(parts.get(1, b"")).decode(), _value(code, value, depth)


def _value(code: str, value: int | bytes, depth: int) -> Any:
    if code == "i":
        return _signed(value)
    if code == "b":
        return bool(_signed(value))
    data = _bytes(value)
    if code == "s":
        return data.decode()
    if code == "y":
        return base64.b64encode(data).decode()
    if code in _SPECIAL:
        return _special(code, dict(_fields(data)))
    return _message(code, data, depth + 1)


_SPECIAL = ("t", "u", "q", "x", "j")


def _special(code: str, parts: dict[int, int | bytes]) -> Any:
    """Messages that JSON writes as one value."""
    if code == "q":
        return _bytes(parts.get(1, b"")).decode()
    if code == "x":
        is_text = _signed(parts.get(1, 0)) == 1
        return _bytes(parts.get(3, b"")).decode() if is_text else _signed(parts.get(2, 0))
    if code == "j":
        return json.loads(_bytes(parts.get(1, b"")) or b"null")
    seconds = _signed(parts.get(1, 0))
    if 1 not in parts or seconds == _FIRST_YEAR:
        return None
    if code == "t":
        return format_time(seconds)
    return format_micro_time(seconds + _signed(parts.get(2, 0)) / 1e9)


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number stands where text or a message is expected")  # noqa: TRY004 - malformed data
    return value


def _signed(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ValueError("text stands where a number is expected")  # noqa: TRY004 - malformed data
    return value - (1 << 64) if value >= 1 << 63 else value


def _fields(data: bytes) -> Iterator[Wire]:
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        if kind == _BYTES:
            size, position = _varint(data, position)
        elif kind in {_FIXED64, _FIXED32}:
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind} is not used by Kubernetes")
        if position + size > len(data):
            raise ValueError("the body ends in the middle of a field")
        yield number, data[position : position + size]
        position += size


def _varints(data: bytes) -> Iterator[int]:
    position = 0
    while position < len(data):
        value, position = _varint(data, position)
        yield value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise ValueError("the body ends in the middle of a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & ((1 << 64) - 1), position
        shift += 7
