"""A rule stands once: what it says, how Python and how CEL find out whether it is kept; pure.

CEL is the language in which an API server checks objects without a webhook. The embedded API asks ``holds``;
a cluster's API server is given ``cel``. That both mean the same is proven row by row in the tests.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from serving.reading import is_whole

MISSING = "missing field: "
"""How the message of a rule begins that wants a field to be there."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one part of an object must keep to; it stands in the schema, at that part.

    ``path`` is relative to the part ("" is the part itself). In ``message`` "{}" stands for the value found
    there. ``cel`` is true of ``self`` when all is well; with ``oldSelf`` in it the rule is one of updates,
    and ``holds`` is given both.
    """

    path: str
    message: str
    origin: str
    holds: Callable[..., bool]
    cel: str

    @property
    def is_of_updates(self) -> bool:
        return "oldSelf" in self.cel

    def told(self, value: Any) -> str:
        """The message about a part that breaks the rule."""
        return self.message.format(shown(at(value, self.path)))

    def rendered(self, *, is_text: bool) -> dict[str, str]:
        """As `x-kubernetes-validations` has it. Values are shown of texts alone: their length is bounded."""
        plain = re.sub(r"(invalid value )?\{\}(: | )?", "", self.message)
        out = {"rule": self.cel, "message": plain}
        if is_text and "{}" in self.message:
            # The API server itself begins with "Invalid value".
            before, after = self.message.removeprefix("invalid value ").split("{}")
            out["messageExpression"] = f"{quoted(before + chr(39))} + self + {quoted(chr(39) + after)}"
        if self.path:
            out["fieldPath"] = f".{self.path}"
        if self.message.startswith(MISSING):
            out["reason"] = "FieldValueRequired"
        return out


def at(value: Any, path: str) -> Any:
    """The value below dotted names; None where there is none."""
    for step in filter(None, path.split(".")):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def shown(value: Any) -> str:
    """A value in a message."""
    return repr(value)


def quoted(text: str) -> str:
    """A text as CEL writes it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def pattern(expression: str) -> str:
    """A regular expression of the whole text, as CEL writes it."""
    return f"r'^(?:{expression})$'" if "'" not in expression else quoted(f"^(?:{expression})$")


def need(path: str, remedy: str, origin: str) -> Rule:
    """A field must be there, and not empty."""
    steps = path.split(".")
    there = [f"has(self.{'.'.join(steps[: count + 1])})" for count in range(len(steps))]
    return Rule(
        path,
        MISSING + remedy,
        origin,
        lambda part: bool(at(part, path)),
        " && ".join([*there, f"size(self.{path}) > 0"]),
    )


def text(expression: str, message: str, origin: str, *, longest: int = 0) -> Rule:
    """A text that isn't empty must match as a whole; ``longest`` is in characters, 0 is no limit."""
    compiled = re.compile(expression)
    length = f"size(self) <= {longest} && " if longest else ""
    return Rule(
        "",
        message,
        origin,
        lambda value: (
            isinstance(value, str)
            and (not value or (len(value) <= (longest or len(value)) and bool(compiled.fullmatch(value))))
        ),
        f"self == '' || ({length}self.matches({pattern(expression)}))",
    )


def within(lowest: int, highest: int | None, message: str, origin: str) -> Rule:
    """A whole number must be between two, both included; ``highest`` None is no limit."""
    above = "" if highest is None else f" && self <= {highest}"
    return Rule(
        "",
        message,
        origin,
        lambda value: is_whole(value) and lowest <= value and (highest is None or value <= highest),
        f"self >= {lowest}{above}",
    )


def one_of(choices: Iterable[Any], message: str, origin: str) -> Rule:
    allowed = tuple(choices)
    listed = ", ".join(map(_literal, allowed))
    return Rule("", message, origin, lambda value: value in allowed, f"self in [{listed}]")


def none_of(choices: Iterable[Any], message: str, origin: str) -> Rule:
    refused = tuple(choices)
    listed = ", ".join(map(_literal, refused))
    return Rule("", message, origin, lambda value: value not in refused, f"!(self in [{listed}])")


def _literal(value: Any) -> str:
    return quoted(value) if isinstance(value, str) else str(value)
