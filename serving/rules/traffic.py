"""``spec.traffic`` of a Service or a Route (Knative, pkg/apis/serving/v1/route_validation.go)."""

from collections.abc import Iterator
from typing import Any

from kube.names import is_dns1035_label
from kube.objects import name
from kube.resources import ROUTES, SERVICES
from serving.config_network import TAG_TEMPLATE
from serving.reading import mappings
from serving.rules.containers import subdomain
from serving.rules.policy import OBJECT, Offence, Policy, PolicyRule, Subject, first
from serving.rules.rule import Rule, need, pattern, text, within
from serving.rules.shape import FLAG, INT64, TEXT, Shape, listed, record, ruled, said, short

ROUTE = "route_validation.go"
MOST = 100
DNS_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
LABEL_RULE = "must be a DNS label: lower-case letters, digits and '-', a letter first, at most 63 characters"
FOLLOWS_LATEST: Shape = {"latestRevision": True, "percent": 100}
UNKNOWN_FIELD = "must not set the field; the url of an entry is found in the status"


def traffic_wanted(*, is_service: bool) -> Shape:
    """``spec.traffic``."""
    fields = _fields()
    fields["percent"] = {**fields["percent"], "default": 0}
    entry = ruled(
        record(**fields),
        *(_SERVICE_RULES if is_service else _ROUTE_RULES),
        _LATEST,
        _NOT_LATEST,
        unknown=UNKNOWN_FIELD,
    )
    shape = ruled(listed(entry, most=MOST), _SUM)
    return {**shape, "default": [FOLLOWS_LATEST]} if is_service else shape


def traffic_told() -> Shape:
    """``status.traffic``."""
    plain = {
        name: {key: value for key, value in field.items() if key in {"type", "format", "description"}}
        for name, field in _fields().items()
    }
    return listed(record(**plain, url=TEXT))


def _fields() -> dict[str, Shape]:
    label = text(DNS_1035, f"invalid value {{}}: not a DNS 1035 label; it {LABEL_RULE}", ROUTE, longest=63)
    return {
        "tag": said("Gives the entry a host of its own.", ruled(short(253), label)),
        "revisionName": said(
            "A certain revision.",
            ruled(short(253), subdomain("invalid value {}: no name of a revision", ROUTE)),
        ),
        "configurationName": said("The latest ready revision of a Configuration.", short(253)),
        "latestRevision": said("Whether the latest ready revision is followed.", FLAG),
        "percent": said(
            "The share of requests; all sum to 100.",
            ruled(INT64, within(0, 100, "{} is out of bounds: must be from 0 to 100", ROUTE)),
        ),
    }


def _total(entries: Any) -> int:
    return sum(each.get("percent") or 0 for each in entries if isinstance(each, dict))


class _Sum(Rule):
    """Says what the percentages sum to, where that can be said."""

    def told(self, value: Any) -> str:
        return f"Traffic targets sum to {_total(value)}, {self.message}"

    def rendered(self, *, is_text: bool) -> dict[str, str]:
        told = f"Traffic targets sum to something else, {self.message}"
        return {**Rule.rendered(self, is_text=is_text), "message": told}


def _is_hundred(entries: Any) -> bool:
    percents = [each.get("percent") or 0 for each in entries if isinstance(each, dict)]
    return not entries or any(not isinstance(each, int) for each in percents) or sum(percents) == 100


_SUM = _Sum(
    "",
    "want 100 in all",
    ROUTE,
    _is_hundred,
    "size(self) == 0 || self.map(entry, has(entry.percent) ? entry.percent : 0).sum() == 100",
)
_LATEST = Rule(
    "latestRevision",
    "may not be true together with revisionName; leave one of them out",
    ROUTE,
    lambda entry: not entry.get("revisionName") or entry.get("latestRevision") is not True,
    "!has(self.revisionName) || self.revisionName == '' || !has(self.latestRevision) || !self.latestRevision",
)
_NOT_LATEST = Rule(
    "latestRevision",
    "may not be false without a revisionName; name one, or set it to true",
    ROUTE,
    lambda entry: bool(entry.get("revisionName")) or entry.get("latestRevision") is not False,
    "(has(self.revisionName) && self.revisionName != '') || !has(self.latestRevision) || self.latestRevision",
)
_SERVICE_RULES = (
    Rule(
        "configurationName",
        "must not set the field: a Service leads to its own Configuration",
        ROUTE,
        lambda entry: not entry.get("configurationName"),
        "!has(self.configurationName) || self.configurationName == ''",
    ),
)
_ROUTE_RULES = (
    Rule(
        "",
        "expected exactly one of configurationName and revisionName",
        ROUTE,
        lambda entry: bool(entry.get("revisionName")) != bool(entry.get("configurationName")),
        "(has(self.revisionName) && self.revisionName != '') != "
        "(has(self.configurationName) && self.configurationName != '')",
    ),
)
NEEDED = need("spec.traffic", "say which configurationName or revisionName is served", ROUTE)
"""Of a Route: without entries it leads nowhere."""


# entries against each other, and hosts


def _tags(subject: Subject) -> Iterator[tuple[int, str]]:
    for index, entry in enumerate(mappings(subject.spec.get("traffic"))):
        if entry.get("tag"):
            yield index, entry["tag"]


def _doubled(subject: Subject) -> Iterator[Offence]:
    seen: dict[str, int] = {}
    for index, tag in _tags(subject):
        if tag in seen:
            yield (index,), (tag, seen[tag])
        seen.setdefault(tag, index)


def _too_long(subject: Subject) -> Iterator[Offence]:
    parent = name(subject.obj)
    for index, tag in _tags(subject):
        label = subject.configs.network.tag_name(tag, parent)
        if parent and not is_dns1035_label(label):
            yield (index,), (tag, label)


_ENTRIES = "variables.entries"
_TAG = "(has(one.tag) ? one.tag : '')"
_ALL_TAGS = f"{_ENTRIES}.map(one, {_TAG})"
_TWICE = f"({_TAG} != '' && {_ALL_TAGS}.indexOf(one.tag) != {_ALL_TAGS}.lastIndexOf(one.tag))"
_FIRST_TWICE = f"{_ENTRIES}.filter(one, {_TWICE})[0].tag"
_UNTOUCHED = (
    "has(oldObject.spec.traffic) && has(object.spec.traffic) && object.spec.traffic == oldObject.spec.traffic"
)
_VARIABLES = (("entries", "has(object.spec.traffic) ? object.spec.traffic : []"),)

TAGS = Policy(
    name="tags",
    kinds=(SERVICES, ROUTES),
    base=OBJECT,
    looked_at=lambda subject: subject.spec.get("traffic"),
    untouched=_UNTOUCHED,
    variables=_VARIABLES,
    rules=(
        PolicyRule(
            "spec.traffic[{}].tag",
            "multiple definitions for '{}', also traffic[{}]; use it once",
            ROUTE,
            _doubled,
            f"!{_ENTRIES}.exists(one, {_TWICE})",
            (f"{_ALL_TAGS}.lastIndexOf({_FIRST_TWICE})",),
            (_FIRST_TWICE, f"{_ALL_TAGS}.indexOf({_FIRST_TWICE})"),
        ),
    ),
)

_TEMPLATE = (
    "(has(params.data) && 'tag-template' in params.data && params.data['tag-template'].contains('Tag') ? "
    f"params.data['tag-template'].trim() : '{TAG_TEMPLATE}')"
    ".replace('{{-', '{{').replace('-}}', '}}').replace('{{ ', '{{').replace(' }}', '}}')"
)
_LABEL = "variables.template.replace('{{.Tag}}', one.tag).replace('{{.Name}}', object.metadata.name)"
_LONG = f"({_TAG} != '' && (size({_LABEL}) > 63 || !{_LABEL}.matches({pattern(DNS_1035)})))"

HOSTS = Policy(
    name="hosts",
    kinds=(SERVICES, ROUTES),
    base=OBJECT,
    looked_at=lambda subject: subject.spec.get("traffic"),
    untouched=_UNTOUCHED,
    variables=(*_VARIABLES, ("template", _TEMPLATE)),
    config="config-network",
    rules=(
        PolicyRule(
            "spec.traffic[{}].tag",
            "'{}' is too long: its host would begin with '{}', 63 characters at most",
            "ours",
            _too_long,
            f"!{_ENTRIES}.exists(one, {_LONG})",
            (first(_LONG, _ENTRIES, "one"),),
            (
                f"{_ENTRIES}.filter(one, {_LONG})[0].tag",
                f"{_ENTRIES}.filter(one, {_LONG}).map(one, {_LABEL})[0]",
            ),
        ),
    ),
)
