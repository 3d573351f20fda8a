"""Autoscaling annotations of a revision template (Knative, pkg/apis/autoscaling/annotation_validation.go).

Beyond Knative: the class ``hpa.autoscaling.knative.dev`` is refused, since nothing here would scale by it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from kube.resources import REVISIONS
from serving.config_autoscaler import AutoscalerConfig
from serving.configs import COMPILED
from serving.refusals import Errors
from serving.rules.policy import Offence, PolicyRule, Subject
from serving.rules.rule import quoted
from serving.rules.texts import TextRule, Texts, between, choice, conditions, number, problem, span, whole
from serving.targets import AUTOSCALING_PREFIX, OLD_SPELLINGS, autoscaling_annotations

KPA = "kpa.autoscaling.knative.dev"
ANNOTATIONS = "annotation_validation.go"
Check = Callable[[str], str]
"""From an annotation's text to what is wrong with it, "" when nothing is."""

_CLASS: Texts = (
    TextRule(
        f"invalid value '{{}}': nothing here scales by it; leave the annotation out for {KPA}",
        lambda text: text == KPA or not text.endswith(".knative.dev"),
        f"{{}} == '{KPA}' || !{{}}.endsWith('.knative.dev')",
    ),
)

TEXTS: Mapping[str, Texts] = {
    "class": _CLASS,
    "metric": choice("concurrency", "rps"),
    "target": number(lambda value: value >= 0.01, "{} >= 0.01", "should be at least 0.01"),
    "target-utilization-percentage": between(1, 100),
    "target-burst-capacity": number(
        lambda value: value >= 0 or value == -1, "({} >= 0.0 || {} == -1.0)", "must be at least 0, or -1"
    ),
    "window": span(6.0, only_whole=True),
    "panic-window-percentage": between(1, 100),
    "panic-threshold-percentage": between(110, 1000),
    "min-scale": whole(0),
    "max-scale": whole(0),
    "activation-scale": whole(2),
    "initial-scale": whole(0),
    "scale-down-delay": span(0.0, only_whole=True),
    "scale-to-zero-pod-retention-period": span(0.0, only_whole=False),
    "metric-aggregation-algorithm": choice("", "linear", "weighted-exponential", "weightedExponential"),
}
"""Each annotation by itself."""

CHECKS: Mapping[str, Check] = {key: partial(problem, rules) for key, rules in TEXTS.items()}

KPA_ONLY = ("metric", "metric-aggregation-algorithm")
"""Annotations whose values another class may choose for itself."""


def spellings(key: str) -> list[str]:
    """How an annotation may be spelled, today's spelling first."""
    old = [each for each, new in OLD_SPELLINGS.items() if new == key]
    return [AUTOSCALING_PREFIX + each for each in (key, *old)]


def _spelled(key: str, subject: Subject) -> str:
    """The key as the user spelled it."""
    return next((each for each in spellings(key) if each in subject.notes), AUTOSCALING_PREFIX + key)


def keys_variable(key: str) -> tuple[str, str]:
    """The variable of a policy that has the spellings which an object uses."""
    name = key.title().replace("-", "")
    listed = ", ".join(map(quoted, spellings(key)))
    return f"keysOf{name}", f"[{listed}].filter(key, key in variables.notes)"


def _keys(key: str) -> str:
    return f"variables.{keys_variable(key)[0]}"


def _is_absent(key: str) -> str:
    """Asked first and of most objects: cheaper than which spelling was used."""
    return " && ".join(f"!('{each}' in variables.notes)" for each in spellings(key))


def _text(key: str) -> str:
    return f"variables.notes[{_keys(key)}[0]]"


VARIABLES = tuple(keys_variable(key) for key in TEXTS)


def _alone(key: str, rules: Texts) -> Iterator[PolicyRule]:
    """An annotation by itself: each rule where those before it hold."""
    another = f"(!({_is_absent('class')}) && {_text('class')} != '{KPA}')"
    free = f"{another} || " if key in KPA_ONLY else ""
    for place, rule in enumerate(rules):

        def find(subject: Subject, rule: TextRule = rule, before: Texts = rules[:place]) -> Iterator[Offence]:
            values = autoscaling_annotations(subject.notes)
            text = values.get(key)
            if text is None or (key in KPA_ONLY and values.get("class", KPA) != KPA):
                return
            if not problem(before, text) and not rule.holds(text):
                yield (_spelled(key, subject),), (text,)

        before = "".join(f"!({each.on(_text(key))}) || " for each in rules[:place])
        yield PolicyRule(
            "{}",
            rule.message,
            ANNOTATIONS,
            find,
            f"{_is_absent(key)} || {free}{before}({rule.on(_text(key))})",
            (f"{_keys(key)}[0]",),
            (_text(key),) if "{}" in rule.message else (),
            keys=AUTOSCALING_PREFIX + key,
        )


def _scale(key: str, subject: Subject) -> int:
    """A number of pods; 0 where none is given that makes sense."""
    text = autoscaling_annotations(subject.notes).get(key, "0")
    return 0 if CHECKS[key](text) else int(text)


def scale_variable(key: str) -> tuple[str, str]:
    name = key.title().replace("-", "")
    sound = conditions(TEXTS[key], _text(key))
    # What does not match is not read: the conditions stand in the order in which they rely on each other.
    return f"numberOf{name}", f"!({_is_absent(key)}) && {sound} ? int({_text(key)}) : 0"


def _value(key: str) -> str:
    return f"variables.{scale_variable(key)[0]}"


SCALES = ("min-scale", "max-scale", "activation-scale")


def _against(key: str, other: str, message: str, is_bad: Callable[[int, int], bool], bad: str) -> PolicyRule:
    """A scale against another; ``bad`` is the same as ``is_bad`` in CEL, of ``{a}`` and ``{b}``."""

    def find(subject: Subject) -> Iterator[Offence]:
        a, b = _scale(key, subject), _scale(other, subject)
        if is_bad(a, b):
            yield (_spelled(key, subject),), (a, b)

    cel = bad.format(a=_value(key), b=_value(other))
    return PolicyRule(
        "{}",
        message,
        ANNOTATIONS,
        find,
        f"!({cel})",
        (f"{_keys(key)}[0]",),
        (_value(key), _value(other)),
        keys=AUTOSCALING_PREFIX + key,
    )


RULES = (
    *(rule for key, rules in TEXTS.items() for rule in _alone(key, rules)),
    _against(
        "max-scale",
        "min-scale",
        "max-scale={} is less than min-scale={}; raise it or lower min-scale",
        lambda a, b: 0 < a < b,
        "{a} > 0 && {a} < {b}",
    ),
    _against(
        "activation-scale",
        "min-scale",
        "activation-scale={} is less than min-scale={}",
        lambda a, b: 0 < a < b,
        "{a} > 0 && {a} < {b}",
    ),
    _against(
        "activation-scale",
        "max-scale",
        "activation-scale={} is more than max-scale={}",
        lambda a, b: 0 < b < a,
        "{b} > 0 && {a} > {b}",
    ),
)
"""Every annotation by itself, then the scales against each other."""


# what the config map has to say


def _above_the_limit(subject: Subject) -> Iterator[Offence]:
    text = autoscaling_annotations(subject.notes).get("max-scale")
    limit = subject.configs.autoscaler.max_scale_limit
    if not limit or text is None or CHECKS["max-scale"](text) or 1 <= int(text) <= limit:
        return
    yield (_spelled("max-scale", subject),), (text + ("" if int(text) else " (unlimited)"), limit)


def _zero(subject: Subject) -> Iterator[Offence]:
    text = autoscaling_annotations(subject.notes).get("initial-scale", "1")
    is_zero = not CHECKS["initial-scale"](text) and int(text) == 0
    if is_zero and not subject.configs.autoscaler.allow_zero_initial_scale:
        yield (_spelled("initial-scale", subject),), ()


_LIMIT = "variables.limit"
_TRUE = "['1', 't', 'T', 'true', 'TRUE', 'True']"
LIMIT_VARIABLES = (
    *(keys_variable(key) for key in ("max-scale", "initial-scale")),
    (
        "limit",
        (
            "has(params.data) && 'max-scale-limit' in params.data && "
            "params.data['max-scale-limit'].trim().matches('^[0-9]{1,10}$') ? "
            "int(params.data['max-scale-limit'].trim()) : 0"
        ),
    ),
)
_SOUND = conditions(TEXTS["max-scale"], _text("max-scale"))
LIMIT_RULES = (
    PolicyRule(
        "{}",
        "max-scale={}, must be from 1 to {}, the max-scale-limit of config-autoscaler",
        ANNOTATIONS,
        _above_the_limit,
        f"{_is_absent('max-scale')} || {_LIMIT} == 0 || !({_SOUND}) || "
        f"(int({_text('max-scale')}) >= 1 && int({_text('max-scale')}) <= {_LIMIT})",
        (f"{_keys('max-scale')}[0]",),
        (f"{_text('max-scale')} + (int({_text('max-scale')}) == 0 ? ' (unlimited)' : '')", _LIMIT),
        keys=f"{AUTOSCALING_PREFIX}max-scale",
    ),
    PolicyRule(
        "{}",
        "0 is not allowed by the cluster; set allow-zero-initial-scale in config-autoscaler",
        ANNOTATIONS,
        _zero,
        f"{_is_absent('initial-scale')} || !{_text('initial-scale')}.matches('^-?0+$') || "
        "(has(params.data) && 'allow-zero-initial-scale' in params.data && "
        f"params.data['allow-zero-initial-scale'] in {_TRUE})",
        (f"{_keys('initial-scale')}[0]",),
        keys=f"{AUTOSCALING_PREFIX}initial-scale",
    ),
)


def check(annotations: Mapping[str, str], config: AutoscalerConfig) -> Errors:
    """All of it for an object that no policy sees, a plain Deployment; paths are annotation keys."""
    obj = {"metadata": {"annotations": dict(annotations)}}
    subject = Subject(REVISIONS, obj, replace(COMPILED, autoscaler=config))
    for rule in (*RULES, *LIMIT_RULES):
        yield from rule.errors(subject)
