"""Rules that a custom resource's schema cannot see: metadata, one part against another, config maps; pure.

A cluster is given them as ValidatingAdmissionPolicies. As a policy tells no field, each rule writes the
field's path into what it says; `find` does the same here.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from kube.objects import Obj, annotations
from kube.resources import REVISIONS, Resource
from serving.configs import Configs
from serving.reading import mapping
from serving.refusals import Errors, FieldError
from serving.rules.rule import quoted

Variables = tuple[tuple[str, str], ...]
"""Names and the expressions of CEL that they stand for; ``variables.<name>`` in a rule."""
Words = tuple[Any, ...]
Offence = tuple[Words, Words]
"""What stands for the "{}" of a path, and for those of a message."""


@dataclass(frozen=True, slots=True)
class Subject:
    """An object whose schema holds, and the config maps it is held against."""

    resource: Resource
    obj: Obj
    configs: Configs

    @property
    def is_revision(self) -> bool:
        return self.resource == REVISIONS

    @property
    def spec(self) -> Obj:
        return mapping(self.obj.get("spec"))

    @property
    def pod(self) -> Obj:
        """The revision's spec, of a template where it is one."""
        return self.spec if self.is_revision else mapping(mapping(self.spec.get("template")).get("spec"))

    @property
    def described(self) -> Any:
        """Where a revision is described: its spec, or the template from which a new one will be made."""
        return self.spec if self.is_revision else self.spec.get("template")

    @property
    def notes(self) -> dict[str, str]:
        """The revision's annotations, of a template where it is one."""
        return annotations(self.obj if self.is_revision else mapping(self.spec.get("template")))


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One thing that objects must keep to.

    "{}" in ``path`` and ``message`` stand for what ``find`` gives with each offence; ``path_words`` and
    ``message_words`` are the same for the first offence in CEL, whose ``cel`` is true when there is none.
    """

    path: str
    message: str
    origin: str
    find: Callable[[Subject], Iterable[Offence]]
    cel: str
    path_words: tuple[str, ...] = ()
    message_words: tuple[str, ...] = ()
    variables: Variables = ()
    keys: str = ""
    """Where ``path`` is a key that the user chose: which keys these are, for people."""

    def errors(self, subject: Subject) -> Errors:
        """Every offence; paths begin where the policy's do."""
        for path_words, message_words in self.find(subject):
            yield FieldError(self.path.format(*path_words), self.message.format(*message_words))


@dataclass(frozen=True, slots=True)
class Base:
    """Where a policy's paths begin: in CEL an expression, here a function of the object."""

    cel: str
    of: Callable[[Subject], str]


OBJECT = Base("''", lambda _: "")
POD = Base(
    "(object.kind == 'Revision' ? 'spec.' : 'spec.template.spec.')",
    lambda subject: "spec." if subject.is_revision else "spec.template.spec.",
)
NOTES = Base(
    "(object.kind == 'Revision' ? 'metadata.annotations.' : 'spec.template.metadata.annotations.')",
    lambda subject: "metadata.annotations." if subject.is_revision else "spec.template.metadata.annotations.",
)


SAME_TEMPLATE = (
    "has(object.spec.template) && has(oldObject.spec.template) && "
    "object.spec.template == oldObject.spec.template"
)
SAME_DESCRIPTION = f"(object.kind == 'Revision' ? object.spec == oldObject.spec : {SAME_TEMPLATE})"
"""Whether an update leaves the revision as it is: no new one will be made."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules of some kinds of objects; ``config`` names the config map that is their parameter, if any.

    ``looked_at`` is what of an object the rules depend on: where an update leaves that alone, they do not
    count, so that what was taken once stays writable. ``untouched`` says the same in CEL.
    """

    name: str
    kinds: tuple[Resource, ...]
    base: Base
    looked_at: Callable[[Subject], Any]
    untouched: str
    rules: tuple[PolicyRule, ...]
    variables: Variables = ()
    config: str = ""

    def errors(self, subject: Subject, old: Obj | None) -> Errors:
        """What this policy refuses in an object, or in its change."""
        if subject.resource not in self.kinds:
            return
        if old is not None:
            former = Subject(subject.resource, old, subject.configs)
            if self.looked_at(subject) == self.looked_at(former):
                return
        for rule in self.rules:
            for error in rule.errors(subject):
                yield FieldError(self.base.of(subject) + error.path, error.message)


def filled(template: str, words: tuple[str, ...]) -> str:
    """A template as a CEL expression that puts the words in the places of "{}"."""
    parts = template.split("{}")
    out = [quoted(parts[0])] if parts[0] else []
    for word, after in zip(words, parts[1:], strict=True):
        out.append(f"string({word})")
        if after:
            out.append(quoted(after))
    return " + ".join(out) or "''"


def first(bad: str, items: str, one: str) -> str:
    """CEL: the index of the first of the ``items`` that is bad; -1 when none is."""
    return f"{items}.map({one}, {bad}).indexOf(true)"
