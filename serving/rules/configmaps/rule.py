"""One key of a config map, and makers of the rules that several keys share."""

from collections.abc import Iterable
from dataclasses import dataclass

from serving.config_values import FALSE, TRUE
from serving.rules.containers import DNS_LABEL
from serving.rules.rule import pattern, quoted

NUMBER = r"[+-]?(?:[0-9]{1,18}\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?"
WHOLE = "[+-]?[0-9]{1,18}"
SUBDOMAIN = rf"{DNS_LABEL}(\.{DNS_LABEL})*"
DATA = "variables.data"


@dataclass(frozen=True, slots=True)
class ConfigMapRule:
    """A value that the map's parser refuses; ``cel`` is true when all is well.

    "{}" in ``key`` and ``message`` stand for ``words``, expressions of CEL.
    """

    key: str
    message: str
    cel: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfigMapRules:
    """The rules of one map; ``origin`` is where Knative reads it."""

    name: str
    origin: str
    rules: tuple[ConfigMapRule, ...]
    variables: tuple[tuple[str, str], ...] = ()


Rules = list[ConfigMapRule]


def text(key: str) -> str:
    return f"{DATA}['{key}'].trim()"


def is_given(key: str) -> str:
    return f"'{key}' in {DATA}"


def if_given(key: str, cel: str, *, can_be_blank: bool = False) -> str:
    blank = f"{text(key)} == '' || " if can_be_blank else ""
    return f"!({is_given(key)}) || {blank}{cel}"


def matching(
    keys: Iterable[str], expression: str, message: str, *, can_be_blank: bool = True, quotes: bool = True
) -> Rules:
    """Texts that must match as a whole."""
    shown = "'{}'" if quotes else "{}"
    return [
        ConfigMapRule(
            key,
            f"{shown} {message}",
            if_given(key, f"{text(key)}.matches({pattern(expression)})", can_be_blank=can_be_blank),
            (f"{DATA}['{key}']",),
        )
        for key in keys
    ]


def among(keys: Iterable[str], choices: Iterable[str], message: str, *, can_be_blank: bool = True) -> Rules:
    listed = ", ".join(map(quoted, choices))
    return [
        ConfigMapRule(
            key,
            f"'{{}}' {message}",
            if_given(key, f"{text(key)} in [{listed}]", can_be_blank=can_be_blank),
            (f"{DATA}['{key}']",),
        )
        for key in keys
    ]


def flags(keys: Iterable[str]) -> Rules:
    listed = ", ".join(map(quoted, TRUE + FALSE))
    return [
        ConfigMapRule(
            key,
            "'{}' is not true or false",
            if_given(key, f"{text(key)}.lowerAscii() in [{listed}]", can_be_blank=True),
            (f"{DATA}['{key}']",),
        )
        for key in keys
    ]


def value(key: str, expression: str, read: str, default: str) -> tuple[str, str]:
    """A variable that has a key's value; the default where it is absent or cannot be read."""
    sound = f"{is_given(key)} && {text(key)}.matches({pattern(expression)})"
    return name(key), f"{sound} ? {read}({text(key)}) : {default}"


def name(key: str) -> str:
    return "valueOf" + key.title().replace("-", "")


def of(key: str) -> str:
    return f"variables.{name(key)}"


def check(key: str, message: str, cel: str, *words: str) -> ConfigMapRule:
    return ConfigMapRule(key, message, cel, words)


def whole_seconds(key: str) -> ConfigMapRule:
    value = of(key)
    return check(key, "must be whole seconds", f"{value} == duration(string({value}.getSeconds()) + 's')")


def wholes(keys: Iterable[str], lowest: int = 0) -> Rules:
    bounds = [check(key, f"{{}} is less than {lowest}", f"{of(key)} >= {lowest}", of(key)) for key in keys]
    return [*matching(keys, WHOLE, "is not a whole number"), *bounds]


def at_most(key: str, other: str, words: str) -> ConfigMapRule:
    return check(key, words, f"{of(key)} <= {of(other)}", of(key), of(other))


def entries(bad: str, message: str, *words: str) -> ConfigMapRule:
    """``bad`` of the entry ``key``; keys that begin with "_" are examples."""
    found = f"{DATA}.filter(key, !key.startsWith('_') && {bad})"
    told = tuple(word.replace("KEY", f"{found}[0]") for word in words)
    return ConfigMapRule("{}", message, f"size({found}) == 0", (f"{found}[0]", *told))


MAP_FIELDS = ("Annotations", "Labels")


def template(fields: Iterable[str]) -> str:
    """A template in which these fields stand, and no others."""
    names = [rf"\.(?:{each})\.[A-Za-z0-9_-]+" if each in MAP_FIELDS else rf"\.{each}" for each in fields]
    if set(MAP_FIELDS) & set(fields):
        names.append(rf'index\s+\.(?:{"|".join(MAP_FIELDS)})\s+"[^"]+"')
    return rf"(?:[^{{}}]|\{{\{{-?\s*(?:{'|'.join(names)})\s*-?\}}\}})*"


def place(field: str) -> str:
    """As a message shows how a field is written."""
    return "{{." + field + (".x" if field in MAP_FIELDS else "") + "}}"
