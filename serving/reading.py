"""Reading JSON of any shape without raising: what is not as expected counts as absent."""

from typing import Any

from kube.objects import Obj


def mapping(value: Any) -> Obj:
    """The value when it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> list[Obj]:
    """The value when it is a list, each entry as an object."""
    return [mapping(each) for each in value] if isinstance(value, list) else []


def is_whole(value: Any) -> bool:
    """Whether the value is a whole number; JSON's true is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def whole(value: Any, default: int) -> int:
    """The value when it is a whole number, else the default."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default
