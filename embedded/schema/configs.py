"""What Kubernetes refuses in config maps and secrets."""

import base64
from collections.abc import Iterator

from embedded.schema import naming
from embedded.schema.types import FieldProblem
from kube.objects import Obj

MAX_DATA = 1024 * 1024  # bytes of all values together
_NEEDED = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
}


def with_string_data(secret: Obj) -> Obj:
    """The secret as it is stored: `stringData` is a way of writing `data`."""
    plain = secret.get("stringData") or {}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
    kept = {part: value for part, value in secret.items() if part != "stringData"}
    return {**kept, "data": {**(secret.get("data") or {}), **encoded}} if encoded else kept


def config_map_problems(obj: Obj, old: Obj | None) -> Iterator[FieldProblem]:
    """The problems of a config map whose JSON types are right."""
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    yield from _keys(data, "data")
    yield from _keys(binary, "binaryData")
    for key in data.keys() & binary.keys():
        yield FieldProblem(f"data[{key}]", f'Invalid value: "{key}": duplicate of key present in binaryData')
    size = sum(len(text.encode()) for text in data.values()) + sum(map(_decoded_size, binary.values()))
    yield from _size(size, "[]")
    yield from _immutable(obj, old, "data", "binaryData")


def secret_problems(secret: Obj, old: Obj | None) -> Iterator[FieldProblem]:
    """The problems of a secret whose JSON types are right."""
    obj = with_string_data(secret)
    data, kind = obj.get("data") or {}, obj.get("type") or "Opaque"
    yield from _keys(data, "data")
    yield from _size(sum(map(_decoded_size, data.values())), "data")
    for key in _NEEDED.get(kind, ()):
        if key not in data:
            yield FieldProblem(f"data[{key}]", "Required value")
    if old is not None and kind != old.get("type"):
        yield FieldProblem("type", f'Invalid value: "{kind}": field is immutable')
    yield from _immutable(obj, old, "data")


def _keys(entries: Obj, path: str) -> Iterator[FieldProblem]:
    for key in entries:
        complaints = naming.config_key(key)
        if key in (".", ".."):
            complaints.append(f"must not be '{key}'")
        elif key.startswith(".."):
            complaints.append("must not start with '..'")
        for words in complaints:
            yield FieldProblem(f"{path}[{key}]", f'Invalid value: "{key}": {words}')


def _decoded_size(text: str) -> int:
    return len(text) // 4 * 3 - text[-2:].count("=")


def _size(size: int, path: str) -> Iterator[FieldProblem]:
    if size > MAX_DATA:
        yield FieldProblem(path, f"Too long: may not be more than {MAX_DATA} bytes")


def _immutable(obj: Obj, old: Obj | None, *parts: str) -> Iterator[FieldProblem]:
    if not (old or {}).get("immutable"):
        return
    if not obj.get("immutable"):
        yield FieldProblem("immutable", "Forbidden: field is immutable when `immutable` is set")
    for part in parts:
        if (obj.get(part) or {}) != ((old or {}).get(part) or {}):
            yield FieldProblem(part, "Forbidden: field is immutable when `immutable` is set")
