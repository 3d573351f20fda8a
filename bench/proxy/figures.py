"""The figures, and what each must stay below. Pure: reads what the rounds gave, as the JSON has it."""

from statistics import median
from typing import Any, NamedTuple

from bench.proxy.names import GO, NGINX, ONE_HOST, ONE_WORKER, OURS

KNATIVE = 113 + 96
"""µs of CPU a request: the least of Knative's activator (113 to 127) and its queue proxy (96 to 120), both
measured on two cores such as these.
"""


class Bar(NamedTuple):
    """The median over the rounds of ours divided by another's (`against`), or of ours itself ("").

    `most` None: no bar, the number alone is told. `is_noise_added`: what the other's own rounds differ by is
    allowed beyond.
    """

    against: str
    most: float | None
    is_noise_added: bool = False
    source: str = ""


class Definition(NamedTuple):
    """One line of the table."""

    what: str
    unit: str
    bars: tuple[Bar, ...]
    digits: int = 1


OF_NGINX = Bar(NGINX, 1.5)
FIGURES = {
    "warm": Definition(
        "warm keep-alive GET, twelve headers, path and cookie differ",
        "µs CPU a request",
        (OF_NGINX, Bar(GO, 0.5), Bar("", round(KNATIVE / 6, 1), source="a sixth of Knative's data path")),
    ),
    "pure": Definition("the same without `make native`", "µs CPU a request", (OF_NGINX,)),
    "bare": Definition("warm keep-alive GET, one header", "µs CPU a request", (Bar(NGINX, None),)),
    "answers": Definition("answers of 1 MiB", "µs CPU a MiB", (OF_NGINX,)),
    "uploads": Definition("uploads of 1 MiB", "µs CPU a MiB", (OF_NGINX,)),
    "latency_p50": Definition("added to direct at 1,000 requests/s, p50", "ms", (Bar("", 0.3),), 3),
    "latency_p99": Definition("added to direct at 1,000 requests/s, p99", "ms", (Bar("", 1.0),), 3),
    "connections": Definition("a new connection for each request", "µs CPU a request", (OF_NGINX,)),
    "hosts": Definition(
        "10,000 hosts routed", "µs CPU a request", (Bar(ONE_HOST, 1.0, is_noise_added=True),)
    ),
    "workers": Definition("`--workers 2`", "requests/s", (Bar(ONE_WORKER, None),), 0),
}


class Judged(NamedTuple):
    """A bar with what was measured."""

    bar: Bar
    value: float
    most: float | None

    @property
    def is_met(self) -> bool:
        """Whether the median over the rounds is within."""
        return self.most is None or self.value <= self.most


def spread(values: list[float]) -> tuple[float, float, float]:
    """Least, median, most."""
    return min(values), median(values), max(values)


def ratios(figure: dict[str, Any], against: str) -> list[float]:
    """Ours by another's, round by round: both had the same neighbours."""
    values = figure["values"]
    return [ours / theirs for ours, theirs in zip(values[OURS], values[against], strict=True)]


def judged(key: str, figure: dict[str, Any]) -> list[Judged]:
    """Each bar of a figure for which there are values: a peer may be missing."""
    values = figure["values"]
    found = []
    for bar in FIGURES[key].bars:
        if not bar.against:
            found.append(Judged(bar, median(values[OURS]), bar.most))
        elif bar.against in values:
            low, middle, high = spread(values[bar.against])
            noise = (high - low) / middle if bar.is_noise_added else 0.0
            most = None if bar.most is None else bar.most + noise
            found.append(Judged(bar, median(ratios(figure, bar.against)), most))
    return found
