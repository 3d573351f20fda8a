"""`config-features`, `config-gc`, `config-observability`."""

from serving.config_features import ALWAYS_OFF, ALWAYS_OFF_PREFIXES, EMPTY_DIR, ON
from serving.config_gc import DISABLED
from serving.rules.configmaps.rule import (
    DATA,
    WHOLE,
    ConfigMapRules,
    check,
    entries,
    flags,
    matching,
    of,
    value,
    wholes,
)
from serving.rules.rule import quoted
from serving.rules.texts import DURATION

_OFF = ", ".join(map(quoted, ALWAYS_OFF))
_PREFIXED = " || ".join(f"key.startsWith('{each}')" for each in ALWAYS_OFF_PREFIXES)
_SWITCHED_ON = ", ".join(map(quoted, ON))
FEATURES = ConfigMapRules(
    "config-features",
    "config/features.go",
    (
        entries(
            f"(key in [{_OFF}] || (({_PREFIXED}) && key != '{EMPTY_DIR}')) && "
            f"{DATA}[key].trim().lowerAscii() in [{_SWITCHED_ON}]",
            "is not supported; leave it disabled",
        ),
    ),
)


_AGES = ("retain-since-create-time", "retain-since-last-active-time")
_FEWEST, _MOST = "min-non-active-revisions", "max-non-active-revisions"
GC = ConfigMapRules(
    "config-gc",
    "gc/config.go",
    (
        *wholes([_FEWEST]),
        *matching((_MOST,), f"{DISABLED}|{WHOLE}", "is not a whole number"),
        check(_MOST, "{} is less than 0", f"{of(_MOST)} >= 0", of(_MOST)),
        check(
            _FEWEST,
            f"{{}} is more than {_MOST}, {{}}",
            f"{DATA}[?'{_MOST}'].orValue('').trim() == '{DISABLED}' || {of(_FEWEST)} <= {of(_MOST)}",
            of(_FEWEST),
            of(_MOST),
        ),
        *matching(_AGES, f"{DISABLED}|{DURATION}", 'is not a duration like "600s"'),
        *(
            check(key, f'must be at least 0, or "{DISABLED}"', f"{of(key)} >= duration('0s')")
            for key in _AGES
        ),
    ),
    (
        value(_FEWEST, WHOLE, "int", "20"),
        value(_MOST, WHOLE, "int", "1000"),
        *(value(key, DURATION, "duration", "duration('1h')") for key in _AGES),
    ),
)


OBSERVABILITY = ConfigMapRules(
    "config-observability", "observability", tuple(flags(("logging.enable-request-log",)))
)
