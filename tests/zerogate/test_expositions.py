"""Metrics of several gateway processes on one page."""

from prometheus_client.parser import text_string_to_metric_families

from zerogate.edge.expositions import merged

PAGE = b"""# HELP held_requests Requests that wait.
# TYPE held_requests gauge
held_requests{revision="r"} %d
# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{revision="r"} 3
# HELP seconds Time.
# TYPE seconds histogram
seconds_bucket{le="0.1"} 1
seconds_bucket{le="+Inf"} 2
seconds_count 2
seconds_sum 0.5
"""


def test_each_sample_says_whose_it_is() -> None:
    """Nothing is added up, each family is there once, and Prometheus can read it."""
    page = merged({"gateway-1": PAGE % 1, "gateway-2": PAGE % 2}).decode()
    families = list(text_string_to_metric_families(page))
    assert [(each.name, each.type) for each in families] == [
        ("held_requests", "gauge"), ("requests", "counter"), ("seconds", "histogram"),
    ]  # fmt: skip
    assert 'held_requests{revision="r",worker="gateway-2"} 2.0' in page
    assert 'requests_total{revision="r",worker="gateway-1"} 3.0' in page
    assert len([sample for each in families for sample in each.samples]) == 2 * 6


def test_no_process_no_page() -> None:
    assert merged({}) == b""
