"""What several gateway processes tell Prometheus, on one page: each sample says whose it is."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

LABEL = "worker"
"""A process that is replaced begins at zero again, so the samples of two are never added up here."""


def merged(pages: Mapping[str, bytes]) -> bytes:
    """One page of all, by the processes' names."""
    families: dict[str, Metric] = {}
    for worker, page in pages.items():
        for told in text_string_to_metric_families(page.decode()):
            family = families.setdefault(told.name, Metric(told.name, told.documentation, told.type))
            for sample in told.samples:
                labels = {**sample.labels, LABEL: worker}
                family.add_sample(sample.name, labels, sample.value)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(families.values()))
    return generate_latest(registry)


class _Families:
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families
