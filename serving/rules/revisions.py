"""A revision's template in a Service or Configuration, its timeouts, and what may not change."""

from collections.abc import Iterator

from kube.objects import Obj
from serving.reading import mapping
from serving.rules.pods import MADE, NEEDS_CONTAINER, revision_spec
from serving.rules.policy import POD, SAME_DESCRIPTION, Offence, Policy, PolicyRule, Subject
from serving.rules.probes import K8S
from serving.rules.rule import MISSING, Rule, at, need, text
from serving.rules.shape import TEXTS, Shape, record, ruled, said, short
from serving.rules.traffic import DNS_1035, LABEL_RULE

TEMPLATE_NEEDED = Rule(
    "spec.template",
    f"{MISSING}describe the container to run",
    "configuration_validation.go",
    lambda obj: bool(at(obj, "spec.template")),
    "has(self.spec) && has(self.spec.template) && "
    "(has(self.spec.template.metadata) || has(self.spec.template.spec))",
)
CONTAINERS_NEEDED = need("spec.containers", NEEDS_CONTAINER, K8S)
"""Of a Revision and of a template."""


def template() -> Shape:
    """``spec.template`` of a Service or Configuration."""
    stamp = {"type": "string", "nullable": True}  # what generators leave behind: creationTimestamp: null
    label = text(DNS_1035, f"not a DNS 1035 label: {{}} {LABEL_RULE}", "metadata_validation.go", longest=63)
    meta = record(name=ruled(short(253), label), labels=TEXTS, annotations=TEXTS, creationTimestamp=stamp)
    shape = ruled(record(metadata=meta, spec=revision_spec()), _NEEDED_IN_TEMPLATE, RENAMED)
    return said("What a revision is made from.", shape)


_NEEDED_IN_TEMPLATE = Rule(
    "spec.containers",
    f"{MISSING}{NEEDS_CONTAINER}",
    K8S,
    lambda obj: not obj or bool(at(obj, "spec.containers")),
    CONTAINERS_NEEDED.cel,
)


def _is_renamed(new: Obj, old: Obj) -> bool:
    given = at(new, "metadata.name")
    return not given or given != at(old, "metadata.name") or old == new


RENAMED = Rule(
    "metadata.name",
    "saw changes without a name change: revisions never change, so choose another name",
    "configuration_validation.go",
    _is_renamed,
    "!has(self.metadata) || !has(self.metadata.name) || self.metadata.name == '' || "
    "!has(oldSelf.metadata) || !has(oldSelf.metadata.name) || "
    "self.metadata.name != oldSelf.metadata.name || self == oldSelf",
)
"""A named template needs a new name when anything else of it changes."""


IMMUTABLE = Rule(
    "spec",
    "immutable fields changed: change the Service or Configuration that made it instead",
    "revision_validation.go",
    lambda new, old: mapping(new.get("spec")) == mapping(old.get("spec")),
    "has(self.spec) == has(oldSelf.spec) && (!has(self.spec) || self.spec == oldSelf.spec)",
)
"""A Revision's spec is for ever."""


# limits of config-defaults


def _total(subject: Subject) -> Iterator[Offence]:
    value, highest = subject.pod.get("timeoutSeconds"), subject.configs.defaults.max_revision_timeout
    if value is not None and not 0 <= value <= highest:
        yield (), (value, highest)


def _within_total(field: str) -> PolicyRule:
    def find(subject: Subject) -> Iterator[Offence]:
        limit = subject.pod.get("timeoutSeconds") or subject.configs.defaults.revision_timeout
        value = subject.pod.get(field)
        if value is not None and not 0 <= value <= limit:
            yield (), (value, limit)

    value = f"variables.pod.{field}"
    return PolicyRule(
        field,
        "{} is out of bounds: must be from 0 to {}, the timeoutSeconds",
        "revision_validation.go",
        find,
        f"!has({value}) || ({value} >= 0 && {value} <= variables.total)",
        (),
        (value, "variables.total"),
    )


def _concurrency(subject: Subject) -> Iterator[Offence]:
    config, value = subject.configs.defaults, subject.pod.get("containerConcurrency")
    lowest, highest = 0 if config.allow_unlimited_concurrency else 1, config.max_container_concurrency
    if value is not None and not lowest <= value <= highest:
        yield (), (value, lowest, highest)


def _number(key: str, default: int) -> str:
    """A whole number of the config map, in CEL."""
    value = f"params.data['{key}'].trim()"
    return (
        f"has(params.data) && '{key}' in params.data && {value}.matches('^[+]?[0-9]{{1,10}}$') ? "
        f"int({value}) : {default}"
    )


_TIMEOUT = "variables.pod.timeoutSeconds"
_CONCURRENCY = "variables.pod.containerConcurrency"
_ZERO = "allow-container-concurrency-zero"

LIMITS = Policy(
    name="limits",
    kinds=MADE,
    base=POD,
    looked_at=lambda subject: subject.described,
    untouched=SAME_DESCRIPTION,
    variables=(
        ("longest", _number("max-revision-timeout-seconds", 600)),
        ("usual", _number("revision-timeout-seconds", 300)),
        ("total", f"has({_TIMEOUT}) && {_TIMEOUT} > 0 ? {_TIMEOUT} : variables.usual"),
        (
            "lowest",
            (
                f"has(params.data) && '{_ZERO}' in params.data && "
                f"params.data['{_ZERO}'].trim().lowerAscii() in ['0', 'f', 'false'] ? 1 : 0"
            ),
        ),
        ("highest", _number("container-concurrency-max-limit", 1000)),
    ),
    config="config-defaults",
    rules=(
        PolicyRule(
            "containerConcurrency",
            "{} is out of bounds: must be from {} to {}",
            "revision_validation.go",
            _concurrency,
            f"!has({_CONCURRENCY}) || ({_CONCURRENCY} >= variables.lowest && "
            f"{_CONCURRENCY} <= variables.highest)",
            (),
            (_CONCURRENCY, "variables.lowest", "variables.highest"),
        ),
        PolicyRule(
            "timeoutSeconds",
            "{} is out of bounds: must be from 0 to {}, the max-revision-timeout-seconds of config-defaults",
            "revision_validation.go",
            _total,
            f"!has({_TIMEOUT}) || ({_TIMEOUT} >= 0 && {_TIMEOUT} <= variables.longest)",
            (),
            (_TIMEOUT, "variables.longest"),
        ),
        _within_total("responseStartTimeoutSeconds"),
        _within_total("idleTimeoutSeconds"),
    ),
)
