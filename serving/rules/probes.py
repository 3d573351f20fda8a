"""Probes of a container (Knative, pkg/apis/serving/k8s_validation.go)."""

from typing import Any

from serving.reading import is_whole
from serving.rules.rule import Rule, need, one_of, within
from serving.rules.shape import INT32, INT_OR_TEXT, TEXT, Shape, listed, record, ruled, said, short

K8S = "k8s_validation.go"
HANDLERS = ("httpGet", "tcpSocket", "exec", "grpc")
_COUNT = f"[{', '.join(f'has(self.{each})' for each in HANDLERS)}].filter(is, is).size()"
_NUMBER = ruled(INT32, within(0, None, "{} is out of bounds: must be a whole number of at least 0", K8S))


def _handlers(probe: Any) -> int:
    return sum(each in probe for each in HANDLERS)


_SOME = Rule(
    "", f"needs one of {', '.join(HANDLERS)}", K8S, lambda probe: _handlers(probe) > 0, f"{_COUNT} > 0"
)
_ONE = Rule(
    "",
    f"may have only one of {', '.join(HANDLERS)}",
    K8S,
    lambda probe: _handlers(probe) < 2,
    f"{_COUNT} < 2",
)
_ONCE = Rule(
    "successThreshold",
    "must be 1 for this kind of probe",
    K8S,
    lambda probe: probe.get("successThreshold", 1) in (0, 1),  # a tuple: the value may be of any type
    "!has(self.successThreshold) || self.successThreshold in [0, 1]",
)


def _uncounted(field: str) -> Rule:
    """With periodSeconds 0 a probe is run as often as is useful: nothing of it can be counted."""
    return Rule(
        field,
        "must not be set when periodSeconds is 0; set periodSeconds too",
        K8S,
        lambda probe: probe.get("periodSeconds") != 0 or not probe.get(field),
        f"!has(self.periodSeconds) || self.periodSeconds != 0 || !has(self.{field}) || self.{field} == 0",
    )


def port() -> Shape:
    """A port by number or by name; 0 is the container's own."""
    return ruled(
        {**INT_OR_TEXT, "maxLength": 63},
        Rule(
            "",
            "{} is out of bounds: must be from 1 to 65535",
            K8S,
            lambda value: not is_whole(value) or 0 <= value <= 65535,
            "type(self) != int || (self >= 0 && self <= 65535)",
        ),
    )


def http_get() -> Shape:
    path = ruled(
        short(4096),
        Rule(
            "",
            "{} must begin with '/'",
            K8S,
            lambda value: isinstance(value, str) and (not value or value.startswith("/")),
            "self == '' || self.startsWith('/')",
        ),
    )
    scheme = ruled(TEXT, one_of(("HTTP", "HTTPS", ""), "must be HTTP or HTTPS", K8S))
    header = record(name=TEXT, value=TEXT)
    return record(path=path, port=port(), host=TEXT, scheme=scheme, httpHeaders=listed(header, most=100))


def program() -> Shape:
    """What an exec handler runs."""
    return ruled(record(command=listed(TEXT)), need("command", "name the program to run", K8S))


def readiness_probe() -> Shape:
    rules = (_ONE, _uncounted("failureThreshold"), _uncounted("timeoutSeconds"))
    return said("A TCP connect to the port unless given.", ruled(_probe(), *rules))


def other_probe(description: str) -> Shape:
    return said(description, ruled(_probe(), _SOME, _ONE, _ONCE))


def _probe() -> Shape:
    return record(
        httpGet=http_get(),
        tcpSocket=record(port=port(), host=TEXT),
        exec=program(),
        grpc=record(
            port=ruled(INT32, within(0, 65535, "{} is out of bounds: must be from 1 to 65535", K8S)),
            service=TEXT,
        ),
        initialDelaySeconds=_NUMBER,
        periodSeconds=_NUMBER,
        timeoutSeconds=_NUMBER,
        successThreshold=_NUMBER,
        failureThreshold=_NUMBER,
    )
