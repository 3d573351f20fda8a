r"""The part of kubectl's JSONPath that printer columns use.

`.status.url`, `.metadata.annotations['a.b/c']`, `.a\.b`, `.spec.ports[0].port`, `[-1]`, `[*]`, `[0:2]`,
`..name`, `.status.conditions[?(@.type=="Ready")].status` (also `!=`, `<`, `<=`, `>`, `>=`, or a bare path:
it is there).
"""

import json
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Step = Callable[[Any], Iterator[Any]]  # the values below one value


class BadPath(ValueError):  # noqa: N818  said of the path, not of us
    """A path that cannot be read; the text says where."""


@dataclass(frozen=True, slots=True)
class Path:
    """A path, ready to be followed as often as there are objects."""

    steps: tuple[Step, ...]

    def find(self, obj: Any) -> list[Any]:
        """All values the path leads to; [] when it leads nowhere."""
        found = [obj]
        for step in self.steps:
            found = [below for value in found for below in step(value)]
        return found


@lru_cache(maxsize=512)
def parse(text: str) -> Path:
    """A path with or without the braces and the `$` that kubectl allows around it. Raises BadPath."""
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1].strip()
    return Path(tuple(_steps(inner.removeprefix("$"))))


_NAME = re.compile(r"(?:\\.|[^.\[\]\\\s])+")
_TOKEN = re.compile(r"\.\.|\.|\[")


def _steps(text: str) -> Iterator[Step]:
    at = 0
    if text and text[0] not in ".[":
        text = "." + text
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise BadPath(f"{text!r}: unexpected {text[at]!r} at {at}")
        at = token.end()
        if token[0] == "[":
            end = _closing(text, at)
            yield _bracket(text[at:end].strip())
            at = end + 1
            continue
        if token[0] == "..":
            yield _descend
        name = _NAME.match(text, at)
        if name is not None:
            yield _field(re.sub(r"\\(.)", r"\1", name[0]))
            at = name.end()
        elif at < len(text) and text[at] != "[":
            raise BadPath(f"{text!r}: a name is missing at {at}")


def _closing(text: str, start: int) -> int:
    """The index of the bracket that closes the one before `start`; quotes hide brackets."""
    depth, quote = 1, ""
    for at in range(start, len(text)):
        here = text[at]
        if quote:
            quote = "" if here == quote else quote
        elif here in "'\"":
            quote = here
        elif here == "[":
            depth += 1
        elif here == "]":
            depth -= 1
            if depth == 0:
                return at
    raise BadPath(f"{text!r}: a bracket is not closed")


def _bracket(text: str) -> Step:
    if text == "*":
        return _children
    if text.startswith("?(") and text.endswith(")"):
        return _filter(text[2:-1].strip())
    if text[:1] in ("'", '"') and text[-1:] == text[:1]:
        return _field(text[1:-1])
    numbers = [part.strip() for part in text.split(":")]
    if not all(re.fullmatch(r"-?\d*", part) for part in numbers) or not any(numbers) or len(numbers) > 3:
        raise BadPath(f"[{text}] is no index, name, slice or filter")
    if len(numbers) == 1:
        return _index(int(text))
    return _slice(slice(*(int(part) if part else None for part in numbers)))


def _field(name: str) -> Step:
    if name == "*":
        return _children

    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _descend(value: Any) -> Iterator[Any]:
    yield value
    for child in _children(value):
        yield from _descend(child)


def _index(at: int) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list) and -len(value) <= at < len(value):
            yield value[at]

    return step


def _slice(part: slice) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list):
            yield from value[part]

    return step


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_FILTER = re.compile(r"@(?P<path>[^=!<>]*?)\s*(?:(?P<comparison>==|!=|<=|>=|<|>)\s*(?P<literal>.+))?")


def _filter(text: str) -> Step:
    match = _FILTER.fullmatch(text)
    if match is None:
        raise BadPath(f"?({text}) is no filter")
    path = Path(tuple(_steps(match["path"])))
    compare = _COMPARISONS[match["comparison"]] if match["comparison"] else None
    wanted = _literal(match["literal"]) if compare else None

    def holds(entry: Any) -> bool:
        found = path.find(entry)
        if not found or compare is None:
            return bool(found)
        try:
            return compare(found[0], wanted)
        except TypeError:  # a number against a text
            return False

    def step(value: Any) -> Iterator[Any]:
        yield from (entry for entry in _children(value) if holds(entry))

    return step


def _literal(text: str) -> Any:
    if text[0] in "'\"" and text[-1] == text[0] and len(text) > 1:
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError:
        raise BadPath(f"{text!r} is neither a quoted text nor a number nor true or false") from None
