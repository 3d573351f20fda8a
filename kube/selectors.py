"""Label selectors and field selectors."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kube.objects import Obj

_EQUAL = re.compile(r"([^\s=!,()]+)\s*(==|=|!=)\s*([^\s=!,()]*)")
_SET = re.compile(r"([^\s=!,()]+)\s+(in|notin)\s*\(([^()]*)\)")
_EXISTS = re.compile(r"(!?)\s*([^\s=!,()]+)")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term. `operator` is In, NotIn, Exists or DoesNotExist; NotIn also matches an absent label."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels fulfil the term."""
        value = labels.get(self.key)
        if self.operator == "In":
            return value is not None and value in self.values
        if self.operator == "NotIn":
            return value is None or value not in self.values
        return (value is not None) == (self.operator == "Exists")


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must hold; without any, everything matches."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels fulfil every term."""
        return all(requirement.matches(labels) for requirement in self.requirements)


def parse_label_selector(text: str) -> Selector:
    """Read `a=b,c!=d,e in (f,g),h,!i`. Raises ValueError naming the part that makes no sense."""
    found = []
    for part in _split(text):
        if match := _SET.fullmatch(part):
            values = frozenset(value.strip() for value in match[3].split(","))
            found.append(Requirement(match[1], "In" if match[2] == "in" else "NotIn", values))
        elif match := _EQUAL.fullmatch(part):
            operator = "NotIn" if match[2] == "!=" else "In"
            found.append(Requirement(match[1], operator, frozenset([match[3]])))
        elif match := _EXISTS.fullmatch(part):
            found.append(Requirement(match[2], "DoesNotExist" if match[1] else "Exists"))
        else:
            raise ValueError(f"unable to parse requirement: {part!r} in label selector {text!r}")
    return Selector(tuple(found))


def _split(text: str) -> list[str]:
    """Split at the commas outside parentheses. Raises ValueError where nothing stands between two."""
    if not text.strip():
        return []
    parts = [part.strip() for part in re.split(r",(?![^(]*\))", text)]
    if "" in parts:
        raise ValueError(f"found ',', expected: !, identifier, or 'end of string' in {text!r}")
    return parts


def selector_of(spec: Obj | None) -> Selector:
    """The selector of a `{"matchLabels": …, "matchExpressions": …}`; None selects everything."""
    spec = spec or {}
    found = [
        Requirement(key, "In", frozenset([value])) for key, value in (spec.get("matchLabels") or {}).items()
    ]
    found += [
        Requirement(entry["key"], entry["operator"], frozenset(entry.get("values") or ()))
        for entry in spec.get("matchExpressions") or ()
    ]
    return Selector(tuple(found))


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """Terms (path, must be equal, value) over dotted paths of an object."""

    terms: tuple[tuple[str, bool, str], ...] = ()

    def matches(self, obj: Obj) -> bool:
        """Whether the object's fields fulfil every term; an absent field reads as ""."""
        return all((_field(obj, path) == value) == equal for path, equal, value in self.terms)


def parse_field_selector(text: str) -> FieldSelector:
    """Read `spec.nodeName=a,status.phase!=Failed`. Raises ValueError."""
    terms = []
    for part in _split(text):
        match = re.fullmatch(r"([^=!]+?)\s*(==|=|!=)\s*(.*)", part)
        if match is None:
            raise ValueError(f"invalid field selector: {part!r} in {text!r}; write path=value or path!=value")
        terms.append((match[1], match[2] != "!=", match[3]))
    return FieldSelector(tuple(terms))


def _field(obj: Obj, path: str) -> str:
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
        if value is None:
            return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
