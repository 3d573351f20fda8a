"""Names, labels and annotations of our objects and of revision templates."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kube.names import is_dns1035_label
from kube.objects import annotations, labels, name
from kube.resources import CONFIGURATIONS, ROUTES, SERVICES
from serving.config_domain import CLUSTER_LOCAL, VISIBILITY_LABEL
from serving.marks import ROLLOUT_ANNOTATIONS
from serving.rules import autoscaling
from serving.rules.pods import MADE
from serving.rules.policy import NOTES, OBJECT, SAME_TEMPLATE, Offence, Policy, PolicyRule, Subject
from serving.rules.rule import Rule, at, pattern
from serving.rules.texts import A_QUANTITY, WHOLE_SPAN, TextRule, Texts, number, problem
from serving.rules.traffic import DNS_1035, LABEL_RULE
from serving.targets import AUTOSCALING_PREFIX, PROGRESS_DEADLINE_ANNOTATION

META = "metadata_validation.go"
NETWORKING_PREFIX = "networking.knative.dev"
SIDECAR_PREFIX = "queue.sidecar.serving.knative.dev/"
SIDECAR_SHARE = f"{SIDECAR_PREFIX}resource-percentage"
OBJECTS = (SERVICES, CONFIGURATIONS, ROUTES)

NAME = Rule(
    "metadata.name",
    f"not a DNS 1035 label prefix: {{}} {LABEL_RULE}",
    META,
    lambda obj: not at(obj, "metadata.name") or is_dns1035_label(str(at(obj, "metadata.name"))),
    f"size(self.metadata.name) <= 63 && self.metadata.name.matches({pattern(DNS_1035)})",
)
"""Of a Service, Route or Configuration; hosts begin with it."""


def _foreign_name(subject: Subject) -> Iterator[Offence]:
    parent, given = name(subject.obj), at(subject.obj, "spec.template.metadata.name")
    if parent and given and not given.startswith(f"{parent}-"):
        yield (), (given, parent)


_TEMPLATE_META = "has({0}.spec.template) && has({0}.spec.template.metadata)"
_TEMPLATE_NAME = (
    f"{_TEMPLATE_META} && has({{0}}.spec.template.metadata.name) ? {{0}}.spec.template.metadata.name : ''"
)
NAMES_POLICY = Policy(
    name="names",
    kinds=(SERVICES, CONFIGURATIONS),
    base=OBJECT,
    looked_at=lambda subject: at(subject.obj, "spec.template.metadata.name"),
    untouched="variables.given == variables.former",
    variables=(
        ("given", _TEMPLATE_NAME.format("object")),
        ("former", f"oldObject == null ? '' : ({_TEMPLATE_NAME.format('oldObject')})"),
    ),
    rules=(
        PolicyRule(
            "spec.template.metadata.name",
            "'{}' must have the prefix \"{}-\"; or leave it out for a generated name",
            META,
            _foreign_name,
            "variables.given == '' || variables.given.startsWith(object.metadata.name + '-')",
            (),
            ("variables.given", "object.metadata.name"),
        ),
    ),
)
"""A template that names its revision."""


# annotations and labels of the object itself


def _misplaced(subject: Subject) -> Iterator[Offence]:
    for key in annotations(subject.obj):
        if key.startswith(AUTOSCALING_PREFIX):
            yield (key,), ()


def _private(subject: Subject) -> Iterator[Offence]:
    visibility = labels(subject.obj).get(VISIBILITY_LABEL)
    if visibility not in {None, CLUSTER_LOCAL}:
        yield (), (visibility,)


Notes = Callable[[Subject], Mapping[str, str]]


def _checked(
    keys: tuple[str, ...], rules: Texts, of: Notes, *, prefix: str = "", is_prefix: bool = False
) -> Iterator[PolicyRule]:
    """Annotations of some names (or that begin with them): each rule where those before it hold."""
    named = " || ".join(f"key.startsWith('{key}')" if is_prefix else f"key == '{key}'" for key in keys)
    for place, rule in enumerate(rules):

        def find(subject: Subject, rule: TextRule = rule, before: Texts = rules[:place]) -> Iterator[Offence]:
            for key, text in of(subject).items():
                if not (key.startswith(keys) if is_prefix else key in keys):
                    continue
                if not problem(before, text) and not rule.holds(text):
                    yield (key,), (text,)

        value = "variables.notes[key]"
        before = "".join(f" && ({each.on(value)})" for each in rules[:place])
        bad = f"variables.notes.filter(key, ({named}){before} && !({rule.on(value)}))"
        yield PolicyRule(
            f"{prefix}{{}}",
            rule.message,
            META,
            find,
            f"size({bad}) == 0",
            (f"{bad}[0]",),
            (f"variables.notes[{bad}[0]]",) if "{}" in rule.message else (),
            keys=", ".join(f"{key}*" if is_prefix else key for key in keys),
        )


_OWN = "(has(X.metadata.annotations) ? X.metadata.annotations : {})"
_LABEL = (
    f"('{VISIBILITY_LABEL}' in variables.labels ? variables.labels['{VISIBILITY_LABEL}'] : '{CLUSTER_LOCAL}')"
)
_BAD_KEYS = f"variables.notes.filter(key, key.startsWith('{AUTOSCALING_PREFIX}'))"

OBJECT_POLICY = Policy(
    name="metadata",
    kinds=OBJECTS,
    base=OBJECT,
    looked_at=lambda subject: (annotations(subject.obj), labels(subject.obj)),
    untouched="variables.notes == variables.formerNotes && variables.labels == variables.formerLabels",
    variables=(
        ("notes", _OWN.replace("X", "object")),
        ("formerNotes", f"oldObject == null ? {{}} : {_OWN.replace('X', 'oldObject')}"),
        ("labels", _OWN.replace("X", "object").replace("annotations", "labels")),
        (
            "formerLabels",
            f"oldObject == null ? {{}} : {_OWN.replace('X', 'oldObject').replace('annotations', 'labels')}",
        ),
    ),
    rules=(
        PolicyRule(
            "metadata.annotations.{}",
            'autoscaling annotations must be put under "spec.template.metadata.annotations" to work',
            META,
            _misplaced,
            f"size({_BAD_KEYS}) == 0",
            (f"{_BAD_KEYS}[0]",),
            keys=f"{AUTOSCALING_PREFIX}*",
        ),
        *_checked(
            ROLLOUT_ANNOTATIONS,
            WHOLE_SPAN,
            lambda subject: annotations(subject.obj),
            prefix="metadata.annotations.",
        ),
        PolicyRule(
            f"metadata.labels.{VISIBILITY_LABEL}",
            f"invalid value '{{}}': must be {CLUSTER_LOCAL}; leave the label out for a public host",
            META,
            _private,
            f"{_LABEL} == '{CLUSTER_LOCAL}'",
            (),
            (_LABEL,),
        ),
    ),
)


# annotations of a revision or its template

_NOT_HERE: Texts = (
    TextRule(
        "invalid key name: belongs on the Service or Route, not on the template", lambda _: False, "false"
    ),
)
_SHARE: Texts = (
    A_QUANTITY,
    *number(
        lambda value: 0.1 <= value <= 100,
        "{} >= 0.1 && {} <= 100.0",
        "is out of bounds: must be from 0.1 to 100",
    )[1:],
)
"""Resources of Knative's queue-proxy: without effect here, refused only where Knative refuses them."""
SIDECAR_QUANTITIES = tuple(
    f"{SIDECAR_PREFIX}{resource}-resource-{bound}"
    for resource in ("cpu", "memory", "ephemeral-storage")
    for bound in ("request", "limit")
)
_RELEVANT = (AUTOSCALING_PREFIX, PROGRESS_DEADLINE_ANNOTATION, NETWORKING_PREFIX, SIDECAR_PREFIX)
_IS_RELEVANT = " || ".join(f"key.startsWith('{each}')" for each in _RELEVANT)
_SAME_RELEVANT = (
    f"variables.notes.all(key, !({_IS_RELEVANT}) || (key in variables.formerNotes && "
    "variables.formerNotes[key] == variables.notes[key])) && "
    f"variables.formerNotes.all(key, !({_IS_RELEVANT}) || key in variables.notes)"
)


_SAME_NOTES = f"(object.kind == 'Revision' ? ({_SAME_RELEVANT}) : {SAME_TEMPLATE})"


def _relevant(subject: Subject) -> Any:
    """Of a Revision the annotations of which there are rules: the controller writes others."""
    if not subject.is_revision:
        return subject.described
    return {key: text for key, text in subject.notes.items() if key.startswith(_RELEVANT)}


def _notes(subject: Subject) -> Mapping[str, str]:
    return subject.notes


NOTES_POLICY = Policy(
    name="annotations",
    kinds=MADE,
    base=NOTES,
    looked_at=_relevant,
    untouched=_SAME_NOTES,
    variables=(*autoscaling.VARIABLES, *(autoscaling.scale_variable(key) for key in autoscaling.SCALES)),
    rules=(
        *autoscaling.RULES,
        *_checked((PROGRESS_DEADLINE_ANNOTATION,), WHOLE_SPAN, _notes),
        *_checked((NETWORKING_PREFIX,), _NOT_HERE, _notes, is_prefix=True),
        *_checked(SIDECAR_QUANTITIES, (A_QUANTITY,), _notes),
        *_checked((SIDECAR_SHARE,), _SHARE, _notes),
    ),
)
SCALES_POLICY = Policy(
    name="scales",
    kinds=MADE,
    base=NOTES,
    looked_at=_relevant,
    untouched=_SAME_NOTES,
    variables=autoscaling.LIMIT_VARIABLES,
    rules=autoscaling.LIMIT_RULES,
    config="config-autoscaler",
)
