"""The small part of Go's templates in which Knative's config maps write hosts and container names.

Known are ``{{.Name}}`` and other fields, ``{{.Annotations.x}}``, ``{{.Labels.x}}`` and
``{{index .Labels "x"}}``. Anything else is refused, rather than rendered to something unexpected.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
_FIELD = re.compile(r"\.([A-Z]\w*)(?:\.([\w-]+))?")
_INDEX = re.compile(r'index\s+\.(Annotations|Labels)\s+"([^"]+)"')
_MAPS = ("Annotations", "Labels")


class TemplateError(ValueError):
    """The template cannot be read, or a value that it needs is missing."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A place to fill in: a field, or with ``key`` an entry of the Annotations or Labels."""

    field: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Values:
    """What a template is filled with."""

    fields: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Template:
    """Literal text and references in turn."""

    text: str
    parts: tuple[str | Ref, ...]

    def fields(self) -> set[str]:
        """The names of the fields that the template uses."""
        return {part.field for part in self.parts if isinstance(part, Ref)}

    def render(self, values: Values) -> str:
        """The filled-in text. Raises TemplateError when a label or annotation is missing."""
        return "".join(part if isinstance(part, str) else _value(part, values) for part in self.parts)


def parse_template(text: str, allowed: Collection[str]) -> Template:
    """Read a template that may use the ``allowed`` fields. Raises TemplateError."""
    parts: list[str | Ref] = []
    position = 0
    for match in _ACTION.finditer(text):
        parts.append(text[position : match.start()])
        parts.append(_reference(match[1], allowed))
        position = match.end()
    parts.append(text[position:])
    if any("{{" in part or "}}" in part for part in parts if isinstance(part, str)):
        raise TemplateError(f"{text!r} has a brace too many or too few")
    return Template(text, tuple(part for part in parts if part != ""))


def _reference(action: str, allowed: Collection[str]) -> Ref:
    plain, indexed = _FIELD.fullmatch(action), _INDEX.fullmatch(action)
    found = Ref(plain[1], plain[2] or "") if plain else Ref(indexed[1], indexed[2]) if indexed else None
    is_known = found is not None and found.field in allowed and bool(found.key) == (found.field in _MAPS)
    if found is None or not is_known:
        choices = ", ".join("{{." + each + (".x" if each in _MAPS else "") + "}}" for each in allowed)
        raise TemplateError(f"{{{{{action}}}}} is not understood; use {choices}")
    return found


def _value(part: Ref, values: Values) -> str:
    if not part.key:
        return values.fields[part.field]
    source = values.labels if part.field == "Labels" else values.annotations
    if not source.get(part.key):
        raise TemplateError(f"{part.field.lower()[:-1]} {part.key!r} is missing, which the template needs")
    return source[part.key]


def namespace_problem(template: Template) -> str:
    """Why a domain template could render one host for two namespaces; "" when it cannot.

    It cannot when the namespace is a whole label at a fixed place from the left, so when only text and the
    name (one label) stand before it: hosts of two namespaces then differ in that label.
    """
    ahead = ""
    for index, part in enumerate(template.parts):
        if isinstance(part, str):
            ahead += part
            continue
        if part.field == "Name":
            ahead += "x"
            continue
        if part.field != "Namespace":
            break
        follower = template.parts[index + 1] if index + 1 < len(template.parts) else "."
        starts, ends = (
            ahead in {"", "."} or ahead.endswith("."),
            isinstance(follower, str) and follower[0] == ".",
        )
        return "" if starts and ends else _APART
    return _APART


_APART = (
    "could give one host to two namespaces; let {{.Namespace}} stand between dots, "
    "with nothing but text and {{.Name}} before it"
)
