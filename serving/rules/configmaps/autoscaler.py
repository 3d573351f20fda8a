"""`config-autoscaler`."""

from serving.config_autoscaler import LARGEST_SCALE
from serving.rules.configmaps.rule import (
    DATA,
    NUMBER,
    WHOLE,
    ConfigMapRules,
    among,
    check,
    matching,
    of,
    value,
    whole_seconds,
)
from serving.rules.texts import DURATION

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
_SHARE = of("container-concurrency-target-percentage")
_FRACTION = f"({_SHARE} > 1.0 ? {_SHARE} / 100.0 : {_SHARE})"


AUTOSCALER = ConfigMapRules(
    "config-autoscaler",
    "autoscaler/config/config.go",
    (
        *among(
            ("enable-scale-to-zero", "allow-zero-initial-scale"),
            _YES_OR_NO,
            "is neither true nor false",
            can_be_blank=False,
        ),
        *matching(_SCALES, "[+-]?[0-9]+", "is no whole number", can_be_blank=False),
        *(
            check(
                key,
                f"{{}} must be at least 0 and at most {LARGEST_SCALE}",
                f"size({DATA}[?'{key}'].orValue('0')) < 18 && {of(key)} >= 0 && {of(key)} <= {LARGEST_SCALE}",
                f"{DATA}['{key}']",
            )
            for key in _SCALES
        ),
        *matching(_NUMBERS, NUMBER, "is no number", can_be_blank=False),
        *matching(_SPANS, DURATION, "is no duration; write it like 60s, 1m30s or 300ms", can_be_blank=False),
        check(
            "container-concurrency-target-percentage",
            "{} must be above 0 and at most 100",
            f"{_SHARE} > 0.0 && {_SHARE} <= 100.0",
            f"{DATA}['container-concurrency-target-percentage']",
        ),
        check(
            "initial-scale",
            "0 needs allow-zero-initial-scale: true",
            f"{of('initial-scale')} != 0 || {DATA}[?'allow-zero-initial-scale'].orValue('') in "
            "['1', 't', 'T', 'true', 'TRUE', 'True']",
        ),
        check(
            "min-scale",
            "{} is more than max-scale, {}",
            f"{of('max-scale')} == 0 || {of('min-scale')} <= {of('max-scale')}",
            of("min-scale"),
            of("max-scale"),
        ),
        check(
            "max-scale",
            "{} must be between 1 and max-scale-limit, {}",
            f"{of('max-scale-limit')} == 0 || ({of('max-scale')} >= 1 && "
            f"{of('max-scale')} <= {of('max-scale-limit')})",
            of("max-scale"),
            of("max-scale-limit"),
        ),
        *(
            check(key, "{} must be more than 1", f"{of(key)} > 1.0", of(key))
            for key in ("max-scale-up-rate", "max-scale-down-rate")
        ),
        check(
            "container-concurrency-target-default",
            "{} x {} (container-concurrency-target-percentage) must be at least 0.01",
            f"{of('container-concurrency-target-default')} * {_FRACTION} >= 0.01",
            of("container-concurrency-target-default"),
            _FRACTION,
        ),
        check(
            "requests-per-second-target-default",
            "must be at least 0.01",
            f"{of('requests-per-second-target-default')} >= 0.01",
        ),
        check(
            "target-burst-capacity",
            "must be at least 0, or -1 for no limit",
            f"{of('target-burst-capacity')} >= 0.0 || {of('target-burst-capacity')} == -1.0",
        ),
        check("activator-capacity", "must be at least 1", f"{of('activator-capacity')} >= 1.0"),
        check(
            "stable-window",
            "must be between 6s and 1h",
            f"{of('stable-window')} >= duration('6s') && {of('stable-window')} <= duration('1h')",
        ),
        whole_seconds("stable-window"),
        whole_seconds("scale-down-delay"),
        check(
            "panic-window-percentage",
            "must be between 1 and 100",
            f"{of('panic-window-percentage')} >= 1.0 && {of('panic-window-percentage')} <= 100.0",
        ),
        check(
            "scale-to-zero-grace-period",
            "must be more than 0",
            f"{of('scale-to-zero-grace-period')} > duration('0s')",
        ),
        *(
            check(key, "must not be negative", f"{of(key)} >= duration('0s')")
            for key in ("scale-to-zero-pod-retention-period", "scale-down-delay")
        ),
    ),
    (
        *(value(key, WHOLE, "int", default) for key, default in _SCALES.items()),
        *(value(key, NUMBER, "double", default) for key, default in _NUMBERS.items()),
        *(value(key, DURATION, "duration", f"duration('{default}')") for key, default in _SPANS.items()),
    ),
)
