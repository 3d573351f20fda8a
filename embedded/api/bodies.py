"""Bodies: bytes and a content type into JSON, with the paths of fields that were given twice."""

import json
import math
from collections.abc import Hashable
from typing import Any

import yaml

from embedded.api import protobuf
from embedded.api.refusals import bad_request, unsupported_media_type
from embedded.schema.types import copy_json

MAX_BODY = 3 * 1024 * 1024
OBJECT_TYPES = ("application/json", "application/yaml", protobuf.MEDIA_TYPE)
PATCH_TYPES = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}
_YAML = ("application/yaml", "application/apply-patch+yaml")


def media_type(content_type: str) -> str:
    """`application/json; charset=utf-8` → `application/json`."""
    return content_type.partition(";")[0].strip().lower()


def decode(body: Any, content_type: str, known: tuple[str, ...] = OBJECT_TYPES) -> tuple[Any, list[str]]:
    """The body as JSON of our own, and the fields that stand in it twice.

    Bytes without a content type are JSON. Refuses other types (415) and what does not parse (400).
    """
    found = media_type(content_type) or OBJECT_TYPES[0]
    if found not in known:
        raise unsupported_media_type(found, known)
    if not isinstance(body, bytes):
        return copy_json(body), []
    try:
        if found == protobuf.MEDIA_TYPE:
            return protobuf.decode_object(body), []
        return _from_yaml(body) if found in _YAML else _from_json(body)
    except (ValueError, yaml.YAMLError) as error:
        what = found.rpartition("/")[2].rpartition("+")[2]
        raise bad_request(f"the body is no {what}: {error}") from error
    except RecursionError as error:
        raise bad_request("the body is nested too deeply") from error


class _Twice(dict[str, Any]):
    """An object of a body in which a key stood more than once."""

    repeated: tuple[str, ...] = ()


def _from_json(body: bytes) -> tuple[Any, list[str]]:
    seen: list[_Twice] = []

    def built(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        twice = _Twice(found)
        keys = [name for name, _ in pairs]
        twice.repeated = tuple(dict.fromkeys(name for name in keys if keys.count(name) > 1))
        seen.append(twice)
        return twice

    value = json.loads(body, object_pairs_hook=built, parse_constant=_refuse, parse_float=_finite)
    return value, _repeated(value, "") if seen else []


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large a number")
    return value


def _repeated(value: Any, path: str) -> list[str]:
    found: list[str] = []
    if isinstance(value, dict):
        if isinstance(value, _Twice):
            found += [f"{path}.{name}".lstrip(".") for name in value.repeated]
        for name, below in value.items():
            found += _repeated(below, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            found += _repeated(below, f"{path}[{index}]")
    return found


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: every key is text, and a date is text as well."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: ARG002, FBT001, FBT002 - the signature of the base class
        self.flatten_mapping(node)
        pairs = [(_text(self.construct_object(key, deep=True)), value) for key, value in node.value]
        found: dict[Hashable, Any] = {name: self.construct_object(value, deep=True) for name, value in pairs}
        if len(found) == len(pairs):
            return found
        twice = _Twice(found)  # type: ignore[arg-type] # the keys are text
        names = [name for name, _ in pairs]
        twice.repeated = tuple(dict.fromkeys(name for name in names if names.count(name) > 1))
        return twice  # type: ignore[return-value] # a dict with text keys


def _construct_map(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _construct_map)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _text(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, str | int | float):
        return str(key)
    raise ValueError(f"{key!r} can't be a key")


def _from_yaml(body: bytes) -> tuple[Any, list[str]]:
    value = yaml.load(body, Loader=_Loader)  # noqa: S506 - a safe loader: plain data only
    json.dumps(value, allow_nan=False)  # refuses .inf, sets and bytes
    return value, _repeated(value, "")
