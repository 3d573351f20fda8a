"""`config-defaults` and `config-deployment`: what a revision is made with."""

from serving.config_defaults import RESOURCES
from serving.config_deployment import SPREAD
from serving.rules.configmaps.rule import (
    DATA,
    MAP_FIELDS,
    WHOLE,
    ConfigMapRules,
    among,
    at_most,
    check,
    flags,
    if_given,
    matching,
    of,
    template,
    text,
    value,
    whole_seconds,
    wholes,
)
from serving.rules.rule import pattern
from serving.rules.texts import DURATION

_WHOLES = {
    "revision-timeout-seconds": "300",
    "max-revision-timeout-seconds": "600",
    "revision-response-start-timeout-seconds": of("revision-timeout-seconds"),
    "revision-idle-timeout-seconds": "0",
    "container-concurrency": "0",
    "container-concurrency-max-limit": "1000",
}
_QUANTITIES = [f"revision-{each}-{bound}" for bound in ("request", "limit") for each in RESOURCES]
_UNLIMITED = "allow-container-concurrency-zero"


_NAMES = ("Name", "Namespace", *MAP_FIELDS)


DEFAULTS = ConfigMapRules(
    "config-defaults",
    "config/defaults.go",
    (
        *wholes([key for key in _WHOLES if key != "container-concurrency-max-limit"]),
        *wholes(["container-concurrency-max-limit"], 1),
        *flags((_UNLIMITED,)),
        *(
            check(
                key,
                '\'{}\' is not a quantity like "100m" or "64Mi"',
                if_given(key, f"isQuantity({text(key)})", can_be_blank=True),
                f"{DATA}['{key}']",
            )
            for key in _QUANTITIES
        ),
        check(
            "container-name-template",
            "is not understood; use {{.Name}}, {{.Namespace}}, {{.Annotations.x}}, {{.Labels.x}}",
            if_given(
                "container-name-template",
                f"{text('container-name-template')}.matches({pattern(template(_NAMES))})",
            ),
        ),
        at_most(
            "revision-timeout-seconds",
            "max-revision-timeout-seconds",
            "{} is more than max-revision-timeout-seconds, {}",
        ),
        *(
            at_most(key, "revision-timeout-seconds", "{} is more than revision-timeout-seconds, {}")
            for key in ("revision-response-start-timeout-seconds", "revision-idle-timeout-seconds")
        ),
        at_most(
            "container-concurrency",
            "container-concurrency-max-limit",
            "{} is more than container-concurrency-max-limit, {}",
        ),
        check(
            "container-concurrency",
            f"0 is excluded by {_UNLIMITED}",
            f"{of('container-concurrency')} != 0 || "
            f"!({DATA}[?'{_UNLIMITED}'].orValue('').trim().lowerAscii() in ['0', 'f', 'false'])",
        ),
    ),
    tuple(value(key, WHOLE, "int", default) for key, default in _WHOLES.items()),
)


DEPLOYMENT = ConfigMapRules(
    "config-deployment",
    "deployment/config.go",
    (
        *matching(("progress-deadline",), DURATION, 'is not a duration like "600s"'),
        whole_seconds("progress-deadline"),
        check("progress-deadline", "must be more than 0", f"{of('progress-deadline')} > duration('0s')"),
        check(
            "runtime-class-name",
            "runtime classes are not supported; remove the key",
            f"{DATA}[?'runtime-class-name'].orValue('').trim() == ''",
        ),
        *among(
            ("default-affinity-type",), (SPREAD, "none"), f"is none of {SPREAD}, none", can_be_blank=False
        ),
        *flags(("pod-is-always-schedulable", "automount-service-account-token")),
        *wholes(["pre-stop-sleep-seconds"]),
    ),
    (
        value("progress-deadline", DURATION, "duration", "duration('600s')"),
        value("pre-stop-sleep-seconds", WHOLE, "int", "3"),
    ),
)
