"""Values that are written as texts, in annotations and config maps: what makes one sound; pure.

Each maker gives rules to be asked in turn: a later one may rely on the earlier.
"""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kube.duration import parse_duration
from kube.quantity import parse_quantity
from serving.rules.rule import pattern, quoted

MAX_INT32 = 2**31 - 1
HOUR = 3600.0
DURATION = r"[+-]?(?:0|(?:(?:[0-9]{1,10}\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)"
_DECIMAL = r"[+-]?(?:[0-9]{1,18}\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?"
_NUMBER = rf"{_DECIMAL}|[+-]?(?i:nan|inf|infinity)"


@dataclass(frozen=True, slots=True)
class TextRule:
    """In ``message`` "{}" stands for the text, in ``cel`` for the expression that has it."""

    message: str
    holds: Callable[[str], bool]
    cel: str

    def on(self, expression: str) -> str:
        """The rule in CEL, of what the expression has."""
        return self.cel.replace("{}", expression)


Texts = tuple[TextRule, ...]


def problem(rules: Texts, text: str) -> str:
    """What is wrong with a text; "" when nothing is."""
    return next((rule.message.format(text) for rule in rules if not rule.holds(text)), "")


def matching(expression: str, message: str) -> TextRule:
    """The text as a whole must match."""
    compiled = re.compile(expression)
    return TextRule(
        message,
        lambda text: compiled.fullmatch(text) is not None,
        f"{{}}.matches({pattern(expression)})",
    )


def choice(*choices: str) -> Texts:
    allowed = ", ".join(map(quoted, choices))
    wanted = " or ".join(each for each in choices if each)
    return (
        TextRule(
            f"invalid value '{{}}': must be {wanted}", lambda text: text in choices, f"{{}} in [{allowed}]"
        ),
    )


def whole(lowest: int, highest: int = MAX_INT32) -> Texts:
    return (
        matching("-?[0-9]+", "invalid value '{}': must be a whole number"),
        TextRule(
            f"{{}} is out of bounds: must be from {lowest} to {highest}",
            lambda text: len(text) <= 18 and lowest <= int(text) <= highest,
            f"size({{}}) <= 18 && int({{}}) >= {lowest} && int({{}}) <= {highest}",
        ),
    )


def number(is_allowed: Callable[[float], bool], allowed: str, wanted: str) -> Texts:
    """A finite number; ``allowed`` is the same as ``is_allowed`` in CEL, of ``{}``, a double."""

    def holds(text: str) -> bool:
        return math.isfinite(float(text)) and is_allowed(float(text))

    cel = f"{{}}.matches({pattern(_DECIMAL)}) && {allowed.replace('{}', 'double({})')}"
    return (
        matching(_NUMBER, "invalid value '{}': must be a number"),
        TextRule(f"invalid value '{{}}': {wanted}", holds, cel),
    )


def between(lowest: float, highest: float) -> Texts:
    """A number between two, both included."""
    return number(
        lambda value: lowest <= value <= highest,
        f"{{}} >= {lowest:.1f} && {{}} <= {highest:.1f}",
        f"must be from {lowest:g} to {highest:g}",
    )


def span(lowest: float, *, only_whole: bool) -> Texts:
    """A duration of at most an hour; ``lowest`` in seconds."""
    bounds = TextRule(
        f"{{}} is out of bounds: must be from {lowest:g}s to 1h",
        lambda text: lowest <= parse_duration(text) <= HOUR,
        f"duration({{}}) >= duration('{lowest:g}s') && duration({{}}) <= duration('1h')",
    )
    return (A_DURATION, bounds, WHOLE_SECONDS) if only_whole else (A_DURATION, bounds)


A_DURATION = matching(DURATION, "invalid value '{}': must be a duration like \"60s\"")
NOT_NEGATIVE = TextRule(
    "{} must be at least 0s", lambda text: parse_duration(text) >= 0, "duration({}) >= duration('0s')"
)
WHOLE_SECONDS = TextRule(
    "{} is too precise: must be whole seconds",
    lambda text: parse_duration(text) == int(parse_duration(text)),
    "duration({}) == duration(string(duration({}).getSeconds()) + 's')",
)
WHOLE_SPAN: Texts = (A_DURATION, NOT_NEGATIVE, WHOLE_SECONDS)


def _is_quantity(text: str) -> bool:
    try:
        parse_quantity(text)
    except ValueError:
        return False
    return True


A_QUANTITY = TextRule("invalid value '{}': must be a quantity", _is_quantity, "isQuantity({})")


def conditions(rules: Iterable[TextRule], expression: str) -> str:
    """All rules in CEL, of one expression."""
    return " && ".join(f"({rule.on(expression)})" for rule in rules) or "true"
