"""What Prometheus gets to see: plain counters of the revisions, read when it asks.

Only revisions that exist become labels, so that no client can invent time series.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from activator.edge.http.gate import Gate
from activator.revision import Revision
from kube.objects import Key

PREFIX = "zerogate_activator"
LABELS = ("namespace", "revision")

Value = Callable[[Revision], float]


@dataclass(frozen=True, slots=True)
class _Family:
    """One metric of each revision: name without prefix, help, kind, and where its number stands."""

    name: str
    help: str
    is_counter: bool
    value: Value


FAMILIES = (
    _Family("requests_total", "Requests received.", is_counter=True, value=lambda r: r.counts.requests),
    _Family(
        "request_seconds_total",
        "Sum of the durations of answered requests.",
        is_counter=True,
        value=lambda r: r.counts.seconds,
    ),
    _Family(
        "held_requests_total",
        "Requests that had to wait for a pod.",
        is_counter=True,
        value=lambda r: r.counts.held,
    ),
    _Family(
        "repeated_attempts_total",
        "Attempts at a pod after the first one of a request.",
        is_counter=True,
        value=lambda r: r.counts.repeated,
    ),
    _Family(
        "hung_up_requests_total",
        "Requests whose client left before the end of the answer.",
        is_counter=True,
        value=lambda r: r.counts.hung_up,
    ),
    _Family(
        "cut_responses_total",
        "Answers broken off by a pod or a timeout after they began.",
        is_counter=True,
        value=lambda r: r.counts.cut,
    ),
    _Family(
        "in_flight_requests",
        "Requests being held or served now.",
        is_counter=False,
        value=lambda r: r.load.in_flight,
    ),
    _Family(
        "waiting_requests", "Requests waiting now.", is_counter=False, value=lambda r: r.throttle.waiting
    ),
    _Family(
        "ready_pods",
        "Pods that requests may go to.",
        is_counter=False,
        value=lambda r: sum(pod.state == "ready" and not pod.greeting for pod in r.throttle.pods.values()),
    ),
)


@dataclass(slots=True)
class Wakes:
    """Cold starts of one revision: how many, and how long they took together."""

    count: int = 0
    seconds: float = 0.0


class RevisionMetrics:
    """A collector over the revisions and the gates of all listeners."""

    def __init__(
        self,
        revisions: Mapping[Key, Revision],
        wakes: Mapping[Key, Wakes],
        *,
        gates: Callable[[], Iterable[Gate]],
        is_linked: Callable[[], bool],
    ) -> None:
        self._revisions = revisions
        self._wakes = wakes
        self._gates = gates
        self._is_linked = is_linked

    def collect(self) -> Iterable[Metric]:
        """All families with a sample for each revision."""
        revisions = list(self._revisions.values())
        yield GaugeMetricFamily(
            f"{PREFIX}_link_up",
            "Whether an autoscaler listens (1) or not (0).",
            value=float(self._is_linked()),
        )
        for each in FAMILIES:
            family = _family(each.name, each.help, LABELS, is_counter=each.is_counter)
            for revision in revisions:
                family.add_metric(revision.key, each.value(revision))
            yield family
        yield from _by_label(revisions)
        yield from self._wake_families()
        yield from _by_gate(self._gates())

    def _wake_families(self) -> Iterator[Metric]:
        total = _family("wakes_total", "Cold starts that ended with an answer.", LABELS, is_counter=True)
        seconds = _family(
            "wake_seconds_total", "Sum of the durations of cold starts.", LABELS, is_counter=True
        )
        for key, wakes in self._wakes.items():
            total.add_metric(key, wakes.count)
            seconds.add_metric(key, wakes.seconds)
        yield from (total, seconds)


def _by_label(revisions: Iterable[Revision]) -> Iterator[Metric]:
    answers = _family("responses_total", "Answers by class.", (*LABELS, "code_class"), is_counter=True)
    refused = _family(
        "refused_requests_total",
        "Replies of the activator itself, by reason.",
        (*LABELS, "reason"),
        is_counter=True,
    )
    for revision in revisions:
        for hundreds, count in enumerate(revision.counts.answers):
            if count:
                answers.add_metric((*revision.key, f"{hundreds}xx"), count)
        for reason, count in revision.counts.refused.items():
            refused.add_metric((*revision.key, reason), count)
    yield from (answers, refused)


def _by_gate(gates: Iterable[Gate]) -> Iterator[Metric]:
    """What belongs to no revision, all listeners together."""
    open_now, accepted, pauses = 0, 0, 0
    refused: dict[str, int] = {}
    for gate in gates:
        open_now += len(gate.connections)
        accepted += gate.accepted
        pauses += gate.pauses
        for reason, count in gate.refused.items():
            refused[reason] = refused.get(reason, 0) + count
    yield GaugeMetricFamily(f"{PREFIX}_client_connections", "Connections of clients.", value=open_now)
    yield CounterMetricFamily(
        f"{PREFIX}_accepted_connections_total", "Connections of clients ever accepted.", value=accepted
    )
    yield CounterMetricFamily(
        f"{PREFIX}_accept_pauses_total",
        "Times that accepting stopped for want of file descriptors.",
        value=pauses,
    )
    family = _family(
        "unrouted_requests_total",
        "Requests refused before a revision was known, by reason.",
        ("reason",),
        is_counter=True,
    )
    for reason, count in refused.items():
        family.add_metric((reason,), count)
    yield family


def _family(
    name: str, text: str, labels: tuple[str, ...], *, is_counter: bool
) -> CounterMetricFamily | GaugeMetricFamily:
    if is_counter:
        return CounterMetricFamily(f"{PREFIX}_{name}", text, labels=labels)
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=labels)


def exposition(metrics: RevisionMetrics) -> bytes:
    """The text format, version 0.0.4."""
    registry = CollectorRegistry()
    registry.register(metrics)
    return generate_latest(registry)
