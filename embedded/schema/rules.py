"""The rules that many fields share, in the words of Kubernetes' API server."""

from collections.abc import Iterable, Iterator
from typing import Any

from embedded.schema import naming
from embedded.schema.types import FieldProblem, joined
from kube.objects import Obj


def at_least_zero(obj: Obj, path: str, *keys: str) -> Iterator[FieldProblem]:
    """Numbers that may be left out, but not be less than none."""
    for key in keys:
        value = obj.get(key)
        if value is not None and value < 0:
            yield FieldProblem(f"{path}.{key}", f"Invalid value: {value}: must be greater than or equal to 0")


def in_range(value: int, path: str, low: int, high: int) -> Iterator[FieldProblem]:
    """A number between two."""
    if not low <= value <= high:
        yield FieldProblem(path, f"Invalid value: {value}: must be between {low} and {high}, inclusive")


def one_of(value: str, path: str, *allowed: str) -> Iterator[FieldProblem]:
    """One of a few words."""
    if value not in allowed:
        names = ", ".join(f'"{entry}"' for entry in allowed)
        yield FieldProblem(path, f'Unsupported value: "{value}": supported values: {names}')


def named(value: str, path: str, rule: naming.Rule) -> Iterator[FieldProblem]:
    """A name by one of the rules."""
    for words in rule(value):
        yield FieldProblem(path, f'Invalid value: "{value}": {words}')


def port(value: Any, path: str) -> Iterator[FieldProblem]:
    """A port by its number or its name."""
    if isinstance(value, str):
        yield from named(value, path, naming.port)
    else:
        yield from in_range(value or 0, path, 1, 65535)


def one_handler(obj: Obj, path: str, handlers: Iterable[str], what: str) -> Iterator[FieldProblem]:
    """Exactly one of some fields."""
    found = [key for key in handlers if obj.get(key) is not None]
    if not found:
        yield FieldProblem(path, f"Required value: must specify a {what}")
    for extra in found[1:]:
        yield FieldProblem(joined(path, extra), f"Forbidden: may not specify more than 1 {what}")


def unique(values: Iterable[tuple[str, str]]) -> Iterator[FieldProblem]:
    """(path, value) pairs of which none may come twice."""
    seen = set()
    for path, value in values:
        if value in seen:
            yield FieldProblem(path, f'Duplicate value: "{value}"')
        seen.add(value)
