"""What Prometheus sees, read at each scrape from the plain attributes of the leader."""

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from autoscaler.edge.leader import Leader
from autoscaler.revision import Revision

PREFIX = "zerogate_autoscaler_"
LABELS = ("namespace", "revision")

_GAUGES: tuple[tuple[str, str, Callable[[Revision], float]], ...] = (
    ("desired_pods", "Pods that the last decision asks for", lambda each: each.desired),
    ("wanted_replicas", "Replicas as last written or found", lambda each: each.replicas.current),
    ("actual_pods", "Ready pods", lambda each: each.ready),
    ("stable_load", "Load averaged over the stable window", lambda each: each.averages.stable),
    ("panic_load", "Load averaged over the panic window", lambda each: each.averages.panic),
    ("target_load", "Load that one pod shall have", lambda each: each.spec.target),
    ("panic_mode", "1 in panic: the number of pods never falls", lambda each: each.is_panicking),
    ("cordoned_pods", "Pods on their way out", lambda each: len(each.replicas.scale_in.victims)),
)


class LeaderMetrics(Collector):
    """`leader` returns None where another autoscaler leads."""

    def __init__(self, leader: Callable[[], Leader | None]) -> None:
        self._leader = leader

    def describe(self) -> Iterator[Metric]:
        """Nothing ahead of time: asking would need a leader."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        leader = self._leader()
        yield _gauge("is_leader", "1 where the decisions are made", float(leader is not None))
        if leader is None:
            return
        yield _gauge("link_connections", "Activators that are linked", len(leader.sight.linked()))
        yield _gauge(
            "blind_activators",
            "Activators that ought to report and do not",
            len(leader.sight.silent(leader.now())),
        )
        yield _counter("scale_writes_total", "Numbers of replicas written", leader.writes)
        yield _counter("late_ticks_total", "Decisions made more than a tick late", leader.late)
        revisions = list(leader.revisions.items())
        for name, help_, value in _GAUGES:
            family = GaugeMetricFamily(PREFIX + name, help_, labels=LABELS)
            for key, revision in revisions:
                family.add_metric(key, float(value(revision)))
            yield family
        decisions = CounterMetricFamily(PREFIX + "decisions_total", "Decisions made", labels=LABELS)
        for key, revision in revisions:
            decisions.add_metric(key, revision.decisions)
        yield decisions


def _gauge(name: str, help_: str, value: float) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, help_)
    family.add_metric([], value)
    return family


def _counter(name: str, help_: str, value: float) -> Metric:
    family = CounterMetricFamily(PREFIX + name, help_)
    family.add_metric([], value)
    return family
