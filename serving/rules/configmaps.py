"""What the config maps of the system namespace may say, in CEL.

Here their parsers (`serving.config_*`) are asked; a rule of this file says the same of one key in the
parser's words. What no expression can tell, the controller that reads the map tells by an Event and goes on
with what held before.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from serving.config_autoscaler import LARGEST_SCALE
from serving.config_defaults import RESOURCES
from serving.config_deployment import SPREAD
from serving.config_features import ALWAYS_OFF, ALWAYS_OFF_PREFIXES, EMPTY_DIR, ON
from serving.config_gc import DISABLED
from serving.config_network import DOMAIN_TEMPLATE, NOT_SUPPORTED
from serving.config_values import FALSE, TRUE
from serving.rules.containers import DNS_LABEL
from serving.rules.rule import pattern, quoted
from serving.rules.texts import DURATION

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


def _text(key: str) -> str:
    return f"{DATA}['{key}'].trim()"


def _is_given(key: str) -> str:
    return f"'{key}' in {DATA}"


def _if_given(key: str, cel: str, *, can_be_blank: bool = False) -> str:
    blank = f"{_text(key)} == '' || " if can_be_blank else ""
    return f"!({_is_given(key)}) || {blank}{cel}"


def _matching(
    keys: Iterable[str], expression: str, message: str, *, can_be_blank: bool = True, quotes: bool = True
) -> Rules:
    """Texts that must match as a whole."""
    shown = "'{}'" if quotes else "{}"
    return [
        ConfigMapRule(
            key,
            f"{shown} {message}",
            _if_given(key, f"{_text(key)}.matches({pattern(expression)})", can_be_blank=can_be_blank),
            (f"{DATA}['{key}']",),
        )
        for key in keys
    ]


def _among(keys: Iterable[str], choices: Iterable[str], message: str, *, can_be_blank: bool = True) -> Rules:
    listed = ", ".join(map(quoted, choices))
    return [
        ConfigMapRule(
            key,
            f"'{{}}' {message}",
            _if_given(key, f"{_text(key)} in [{listed}]", can_be_blank=can_be_blank),
            (f"{DATA}['{key}']",),
        )
        for key in keys
    ]


def _flags(keys: Iterable[str]) -> Rules:
    listed = ", ".join(map(quoted, TRUE + FALSE))
    return [
        ConfigMapRule(
            key,
            "'{}' is not true or false",
            _if_given(key, f"{_text(key)}.lowerAscii() in [{listed}]", can_be_blank=True),
            (f"{DATA}['{key}']",),
        )
        for key in keys
    ]


def _value(key: str, expression: str, read: str, default: str) -> tuple[str, str]:
    """A variable that has a key's value; the default where it is absent or cannot be read."""
    sound = f"{_is_given(key)} && {_text(key)}.matches({pattern(expression)})"
    return _name(key), f"{sound} ? {read}({_text(key)}) : {default}"


def _name(key: str) -> str:
    return "valueOf" + key.title().replace("-", "")


def _of(key: str) -> str:
    return f"variables.{_name(key)}"


def _check(key: str, message: str, cel: str, *words: str) -> ConfigMapRule:
    return ConfigMapRule(key, message, cel, words)


# config-autoscaler

_SCALES = {"initial-scale": "1", "min-scale": "0", "max-scale": "0", "max-scale-limit": "0"}
_NUMBERS = {
    "max-scale-up-rate": "1000.0",
    "max-scale-down-rate": "2.0",
    "container-concurrency-target-percentage": "70.0",
    "container-concurrency-target-default": "100.0",
    "requests-per-second-target-default": "200.0",
    "target-burst-capacity": "211.0",
    "panic-window-percentage": "10.0",
    "panic-threshold-percentage": "200.0",
    "activator-capacity": "100.0",
}
_SPANS = {
    "stable-window": "60s",
    "scale-to-zero-grace-period": "30s",
    "scale-to-zero-pod-retention-period": "0s",
    "scale-down-delay": "0s",
}
_YES_OR_NO = ("1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False")
_SHARE = _of("container-concurrency-target-percentage")
_FRACTION = f"({_SHARE} > 1.0 ? {_SHARE} / 100.0 : {_SHARE})"


def _whole_seconds(key: str) -> ConfigMapRule:
    value = _of(key)
    return _check(key, "must be whole seconds", f"{value} == duration(string({value}.getSeconds()) + 's')")


AUTOSCALER = ConfigMapRules(
    "config-autoscaler",
    "autoscaler/config/config.go",
    (
        *_among(
            ("enable-scale-to-zero", "allow-zero-initial-scale"),
            _YES_OR_NO,
            "is neither true nor false",
            can_be_blank=False,
        ),
        *_matching(_SCALES, "[+-]?[0-9]+", "is no whole number", can_be_blank=False),
        *(
            _check(
                key,
                f"{{}} must be at least 0 and at most {LARGEST_SCALE}",
                f"size({DATA}[?'{key}'].orValue('0')) < 18 && "
                f"{_of(key)} >= 0 && {_of(key)} <= {LARGEST_SCALE}",
                f"{DATA}['{key}']",
            )
            for key in _SCALES
        ),
        *_matching(_NUMBERS, NUMBER, "is no number", can_be_blank=False),
        *_matching(_SPANS, DURATION, "is no duration; write it like 60s, 1m30s or 300ms", can_be_blank=False),
        _check(
            "container-concurrency-target-percentage",
            "{} must be above 0 and at most 100",
            f"{_SHARE} > 0.0 && {_SHARE} <= 100.0",
            f"{DATA}['container-concurrency-target-percentage']",
        ),
        _check(
            "initial-scale",
            "0 needs allow-zero-initial-scale: true",
            f"{_of('initial-scale')} != 0 || {DATA}[?'allow-zero-initial-scale'].orValue('') in "
            "['1', 't', 'T', 'true', 'TRUE', 'True']",
        ),
        _check(
            "min-scale",
            "{} is more than max-scale, {}",
            f"{_of('max-scale')} == 0 || {_of('min-scale')} <= {_of('max-scale')}",
            _of("min-scale"),
            _of("max-scale"),
        ),
        _check(
            "max-scale",
            "{} must be between 1 and max-scale-limit, {}",
            f"{_of('max-scale-limit')} == 0 || ({_of('max-scale')} >= 1 && "
            f"{_of('max-scale')} <= {_of('max-scale-limit')})",
            _of("max-scale"),
            _of("max-scale-limit"),
        ),
        *(
            _check(key, "{} must be more than 1", f"{_of(key)} > 1.0", _of(key))
            for key in ("max-scale-up-rate", "max-scale-down-rate")
        ),
        _check(
            "container-concurrency-target-default",
            "{} x {} (container-concurrency-target-percentage) must be at least 0.01",
            f"{_of('container-concurrency-target-default')} * {_FRACTION} >= 0.01",
            _of("container-concurrency-target-default"),
            _FRACTION,
        ),
        _check(
            "requests-per-second-target-default",
            "must be at least 0.01",
            f"{_of('requests-per-second-target-default')} >= 0.01",
        ),
        _check(
            "target-burst-capacity",
            "must be at least 0, or -1 for no limit",
            f"{_of('target-burst-capacity')} >= 0.0 || {_of('target-burst-capacity')} == -1.0",
        ),
        _check("activator-capacity", "must be at least 1", f"{_of('activator-capacity')} >= 1.0"),
        _check(
            "stable-window",
            "must be between 6s and 1h",
            f"{_of('stable-window')} >= duration('6s') && {_of('stable-window')} <= duration('1h')",
        ),
        _whole_seconds("stable-window"),
        _whole_seconds("scale-down-delay"),
        _check(
            "panic-window-percentage",
            "must be between 1 and 100",
            f"{_of('panic-window-percentage')} >= 1.0 && {_of('panic-window-percentage')} <= 100.0",
        ),
        _check(
            "scale-to-zero-grace-period",
            "must be more than 0",
            f"{_of('scale-to-zero-grace-period')} > duration('0s')",
        ),
        *(
            _check(key, "must not be negative", f"{_of(key)} >= duration('0s')")
            for key in ("scale-to-zero-pod-retention-period", "scale-down-delay")
        ),
    ),
    (
        *(_value(key, WHOLE, "int", default) for key, default in _SCALES.items()),
        *(_value(key, NUMBER, "double", default) for key, default in _NUMBERS.items()),
        *(_value(key, DURATION, "duration", f"duration('{default}')") for key, default in _SPANS.items()),
    ),
)


# config-defaults

_WHOLES = {
    "revision-timeout-seconds": "300",
    "max-revision-timeout-seconds": "600",
    "revision-response-start-timeout-seconds": _of("revision-timeout-seconds"),
    "revision-idle-timeout-seconds": "0",
    "container-concurrency": "0",
    "container-concurrency-max-limit": "1000",
}
_QUANTITIES = [f"revision-{each}-{bound}" for bound in ("request", "limit") for each in RESOURCES]
_UNLIMITED = "allow-container-concurrency-zero"


def _template(fields: Iterable[str]) -> str:
    """A template in which these fields stand, and no others."""
    names = [rf"\.(?:{each})\.[A-Za-z0-9_-]+" if each in _MAPS else rf"\.{each}" for each in fields]
    if set(_MAPS) & set(fields):
        names.append(rf'index\s+\.(?:{"|".join(_MAPS)})\s+"[^"]+"')
    return rf"(?:[^{{}}]|\{{\{{-?\s*(?:{'|'.join(names)})\s*-?\}}\}})*"


def _place(field: str) -> str:
    """As a message shows how a field is written."""
    return "{{." + field + (".x" if field in _MAPS else "") + "}}"


_MAPS = ("Annotations", "Labels")
_NAMES = ("Name", "Namespace", *_MAPS)


def _wholes(keys: Iterable[str], lowest: int = 0) -> Rules:
    bounds = [_check(key, f"{{}} is less than {lowest}", f"{_of(key)} >= {lowest}", _of(key)) for key in keys]
    return [*_matching(keys, WHOLE, "is not a whole number"), *bounds]


def _at_most(key: str, other: str, words: str) -> ConfigMapRule:
    return _check(key, words, f"{_of(key)} <= {_of(other)}", _of(key), _of(other))


DEFAULTS = ConfigMapRules(
    "config-defaults",
    "config/defaults.go",
    (
        *_wholes([key for key in _WHOLES if key != "container-concurrency-max-limit"]),
        *_wholes(["container-concurrency-max-limit"], 1),
        *_flags((_UNLIMITED,)),
        *(
            _check(
                key,
                '\'{}\' is not a quantity like "100m" or "64Mi"',
                _if_given(key, f"isQuantity({_text(key)})", can_be_blank=True),
                f"{DATA}['{key}']",
            )
            for key in _QUANTITIES
        ),
        _check(
            "container-name-template",
            "is not understood; use {{.Name}}, {{.Namespace}}, {{.Annotations.x}}, {{.Labels.x}}",
            _if_given(
                "container-name-template",
                f"{_text('container-name-template')}.matches({pattern(_template(_NAMES))})",
            ),
        ),
        _at_most(
            "revision-timeout-seconds",
            "max-revision-timeout-seconds",
            "{} is more than max-revision-timeout-seconds, {}",
        ),
        *(
            _at_most(key, "revision-timeout-seconds", "{} is more than revision-timeout-seconds, {}")
            for key in ("revision-response-start-timeout-seconds", "revision-idle-timeout-seconds")
        ),
        _at_most(
            "container-concurrency",
            "container-concurrency-max-limit",
            "{} is more than container-concurrency-max-limit, {}",
        ),
        _check(
            "container-concurrency",
            f"0 is excluded by {_UNLIMITED}",
            f"{_of('container-concurrency')} != 0 || "
            f"!({DATA}[?'{_UNLIMITED}'].orValue('').trim().lowerAscii() in ['0', 'f', 'false'])",
        ),
    ),
    tuple(_value(key, WHOLE, "int", default) for key, default in _WHOLES.items()),
)


# config-deployment

DEPLOYMENT = ConfigMapRules(
    "config-deployment",
    "deployment/config.go",
    (
        *_matching(("progress-deadline",), DURATION, 'is not a duration like "600s"'),
        _whole_seconds("progress-deadline"),
        _check("progress-deadline", "must be more than 0", f"{_of('progress-deadline')} > duration('0s')"),
        _check(
            "runtime-class-name",
            "runtime classes are not supported; remove the key",
            f"{DATA}[?'runtime-class-name'].orValue('').trim() == ''",
        ),
        *_among(
            ("default-affinity-type",), (SPREAD, "none"), f"is none of {SPREAD}, none", can_be_blank=False
        ),
        *_flags(("pod-is-always-schedulable", "automount-service-account-token")),
        *_wholes(["pre-stop-sleep-seconds"]),
    ),
    (
        _value("progress-deadline", DURATION, "duration", "duration('600s')"),
        _value("pre-stop-sleep-seconds", WHOLE, "int", "3"),
    ),
)


# Maps whose keys are the user's own.


def _entries(bad: str, message: str, *words: str) -> ConfigMapRule:
    """``bad`` of the entry ``key``; keys that begin with "_" are examples."""
    found = f"{DATA}.filter(key, !key.startsWith('_') && {bad})"
    told = tuple(word.replace("KEY", f"{found}[0]") for word in words)
    return ConfigMapRule("{}", message, f"size({found}) == 0", (f"{found}[0]", *told))


_SELECTOR = 'leave the value empty, or write "selector: {label: value}"'
_NO_SELECTOR = r"(?s)^\s*(?:[^:{]*[^:{\s][^:{]*|.*\bselector:[ \t]*(?:[^\s{#&][^\n]*|\n\s*-\s.*))$"
DOMAIN = ConfigMapRules(
    "config-domain",
    "route/config/domain.go",
    (
        _entries(f"(size(key) > 253 || !key.matches({pattern(SUBDOMAIN)}))", "is no domain name"),
        _entries(
            f"{DATA}[key].matches(r'{_NO_SELECTOR}') && !{DATA}[key].trim().startsWith('#')",
            f"its value is not understood; {_SELECTOR}",
        ),
    ),
)
CLAIMS = ConfigMapRules(
    "config-domain-claims",
    "ours",
    (
        _entries(f"(size(key) > 253 || !key.lowerAscii().matches({pattern(SUBDOMAIN)}))", "is no host name"),
        _entries(
            f"(size({DATA}[key].trim()) > 63 || !{DATA}[key].trim().matches({pattern(DNS_LABEL)}))",
            "'{}' is no namespace; the value is the namespace that may have the host",
            f"{DATA}[KEY]",
        ),
    ),
)

_OFF = ", ".join(map(quoted, ALWAYS_OFF))
_PREFIXED = " || ".join(f"key.startsWith('{each}')" for each in ALWAYS_OFF_PREFIXES)
_SWITCHED_ON = ", ".join(map(quoted, ON))
FEATURES = ConfigMapRules(
    "config-features",
    "config/features.go",
    (
        _entries(
            f"(key in [{_OFF}] || (({_PREFIXED}) && key != '{EMPTY_DIR}')) && "
            f"{DATA}[key].trim().lowerAscii() in [{_SWITCHED_ON}]",
            "is not supported; leave it disabled",
        ),
    ),
)


# config-gc

_AGES = ("retain-since-create-time", "retain-since-last-active-time")
_FEWEST, _MOST = "min-non-active-revisions", "max-non-active-revisions"
GC = ConfigMapRules(
    "config-gc",
    "gc/config.go",
    (
        *_wholes([_FEWEST]),
        *_matching((_MOST,), f"{DISABLED}|{WHOLE}", "is not a whole number"),
        _check(_MOST, "{} is less than 0", f"{_of(_MOST)} >= 0", _of(_MOST)),
        _check(
            _FEWEST,
            f"{{}} is more than {_MOST}, {{}}",
            f"{DATA}[?'{_MOST}'].orValue('').trim() == '{DISABLED}' || {_of(_FEWEST)} <= {_of(_MOST)}",
            _of(_FEWEST),
            _of(_MOST),
        ),
        *_matching(_AGES, f"{DISABLED}|{DURATION}", 'is not a duration like "600s"'),
        *(
            _check(key, f'must be at least 0, or "{DISABLED}"', f"{_of(key)} >= duration('0s')")
            for key in _AGES
        ),
    ),
    (
        _value(_FEWEST, WHOLE, "int", "20"),
        _value(_MOST, WHOLE, "int", "1000"),
        *(_value(key, DURATION, "duration", "duration('1h')") for key in _AGES),
    ),
)


# config-network

_HOST, _TAG = "domain-template", "tag-template"
_DOMAIN_FIELDS = ("Name", "Namespace", "Domain", *_MAPS)
_FIELD = r"\{{\{{-?\s*\.{}\s*-?\}}\}}"
_APART = rf"^(?:(?:[^{{}}]|{_FIELD.format('Name')})*\.)?{_FIELD.format('Namespace')}(?:\.|$)"
NETWORK = ConfigMapRules(
    "config-network",
    "networking/config.go",
    (
        *(
            _check(
                key,
                f"only '{only}' is supported; {remedy}",
                _if_given(key, f"{_text(key)}.lowerAscii() == '{only}'"),
            )
            for key, (only, remedy) in NOT_SUPPORTED.items()
        ),
        *_wholes(["rollout-duration"]),
        *(
            _check(
                key,
                f"is not understood; use {', '.join(map(_place, fields))}",
                _if_given(key, f"{_text(key)}.matches({pattern(_template(fields))})"),
            )
            for key, fields in ((_HOST, _DOMAIN_FIELDS), (_TAG, ("Tag", "Name")))
        ),
        _check(_HOST, "must give a host without a path", f"!{_of(_HOST)}.contains('/')"),
        _check(_HOST, "must contain {{.Name}}", f"{_of(_HOST)}.matches(r'{_FIELD.format('Name')}')"),
        _check(
            _HOST,
            "could give one host to two namespaces; let {{.Namespace}} stand between dots, "
            "with nothing but text and {{.Name}} before it",
            f"{_of(_HOST)}.matches(r'{_APART}')",
        ),
        _check(_TAG, "must contain {{.Tag}}", f"{_of(_TAG)}.matches(r'{_FIELD.format('Tag')}')"),
        _check(
            _TAG,
            "must give one DNS label, so it may contain no dot",
            f"!{_of(_TAG)}.replace('.Tag', '').replace('.Name', '').matches('[./]')",
        ),
        *_among(
            ("default-external-scheme",), ("http", "https"), "is none of http, https", can_be_blank=False
        ),
    ),
    (
        (_name(_HOST), f"{DATA}[?'{_HOST}'].orValue('{DOMAIN_TEMPLATE}').trim()"),
        (_name(_TAG), f"{DATA}[?'{_TAG}'].orValue('{{{{.Tag}}}}-{{{{.Name}}}}').trim()"),
        _value("rollout-duration", WHOLE, "int", "0"),
    ),
)
OBSERVABILITY = ConfigMapRules(
    "config-observability", "observability", tuple(_flags(("logging.enable-request-log",)))
)

MAPS = (
    AUTOSCALER,
    DEFAULTS,
    DEPLOYMENT,
    DOMAIN,
    CLAIMS,
    FEATURES,
    GC,
    NETWORK,
    OBSERVABILITY,
)
