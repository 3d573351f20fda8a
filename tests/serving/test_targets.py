"""What data plane and autoscaler read off a Deployment."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.objects import Obj
from serving.targets import Probe, scale_target, waits_for_requests


def deployment(
    *,
    container: dict[str, Any] | None = None,
    annotations: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    spec: dict[str, Any] | None = None,
    status: dict[str, Any] | str | None = None,
) -> Obj:
    return {
        "metadata": {
            "name": "hello-00001-deployment",
            "namespace": "shop",
            "uid": "u-1",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"zerogate.dev/scale": "true", **(labels or {})},
            "annotations": annotations or {},
        },
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "hello"}},
            "template": {"spec": {"containers": [container or {"name": "web"}]}},
            **(spec or {}),
        },
        "status": status or {},
    }


def test_a_revision_is_named_by_its_label_and_a_plain_deployment_by_its_own_name() -> None:
    made = scale_target(deployment(labels={"serving.knative.dev/revision": "hello-00001"}))
    plain = scale_target(deployment(annotations={"zerogate.dev/host": "Shop.Shop.example.com"}))
    assert (made.key, made.is_plain, made.host) == (("shop", "hello-00001"), False, "")
    assert (plain.key, plain.is_plain) == (("shop", "hello-00001-deployment"), True)
    assert plain.host == "shop.shop.example.com"


def test_a_bare_deployment_gets_the_defaults() -> None:
    target = scale_target(deployment())
    assert (target.port, target.protocol, target.container_concurrency) == (8080, "http1", 0)
    assert (target.timeout, target.response_start_timeout, target.idle_timeout) == (300.0, 0.0, 0.0)
    assert (target.progress_deadline, target.given_up, target.reachable) == (600.0, "", True)
    assert (target.replicas, target.ready_replicas) == (3, 0)
    assert target.pod_selector == {"app": "hello"}
    assert target.probe == Probe("none", "", (), 8080, "", trusted_early=True)
    assert target.problems == ()


@pytest.mark.parametrize(
    ("key", "text", "field", "default"),
    [
        ("zerogate.dev/container-concurrency", "-1", "container_concurrency", 0),
        ("zerogate.dev/timeout-seconds", "0", "timeout", 300.0),
        ("zerogate.dev/timeout-seconds", "nan", "timeout", 300.0),
        ("zerogate.dev/idle-timeout-seconds", "soon", "idle_timeout", 0.0),
        ("zerogate.dev/port", "70000", "port", 8080),
        ("zerogate.dev/half-close", "yes", "half_close", False),
        ("serving.knative.dev/progress-deadline", "10 minutes", "progress_deadline", 600.0),
    ],
)
def test_an_annotation_that_does_not_parse_leaves_the_default_and_is_named(
    key: str, text: str, field: str, default: float
) -> None:
    target = scale_target(deployment(annotations={key: text}))
    assert getattr(target, field) == default
    assert len(target.problems) == 1
    assert target.problems[0].startswith(f"{key}: {text!r}")


def test_annotations_are_read() -> None:
    target = scale_target(
        deployment(
            annotations={
                "zerogate.dev/container-concurrency": "7",
                "zerogate.dev/timeout-seconds": "20",
                "zerogate.dev/response-start-timeout-seconds": "2.5",
                "zerogate.dev/idle-timeout-seconds": "9",
                "zerogate.dev/half-close": "true",
                "zerogate.dev/given-up": "TimedOut",
                "zerogate.dev/reachable": "false",
                "serving.knative.dev/progress-deadline": "1m30s",
            }
        )
    )
    assert (target.container_concurrency, target.timeout) == (7, 20.0)
    assert (target.response_start_timeout, target.idle_timeout) == (2.5, 9.0)
    assert (target.given_up, target.reachable, target.progress_deadline) == ("TimedOut", False, 90.0)
    assert target.half_close


def test_old_spellings_are_read_and_todays_wins() -> None:
    target = scale_target(
        deployment(
            annotations={
                "autoscaling.knative.dev/minScale": "1",
                "autoscaling.knative.dev/min-scale": "2",
                "autoscaling.knative.dev/maxScale": "5",
                "autoscaling.knative.dev/target": "10",
            }
        )
    )
    assert target.autoscaling == {"min-scale": "2", "max-scale": "5", "target": "10"}


@pytest.mark.parametrize(
    ("ports", "port", "protocol"),
    [
        ([], 8080, "http1"),
        ([{"containerPort": 9000}], 9000, "http1"),
        ([{"containerPort": 9000, "name": "metrics"}, {"containerPort": 3000, "name": "h2c"}], 3000, "h2c"),
        ([{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 3000}], 3000, "http1"),
    ],
)
def test_the_serving_port_is_the_one_with_a_serving_name_or_the_first(
    ports: list[dict[str, Any]], port: int, protocol: str
) -> None:
    target = scale_target(deployment(container={"name": "web", "ports": ports}))
    assert (target.port, target.protocol) == (port, protocol)


def test_the_port_annotation_chooses_among_the_ports_of_a_plain_deployment() -> None:
    ports = [{"containerPort": 3000, "name": "http"}, {"containerPort": 4000, "name": "h2c"}]
    target = scale_target(deployment(container={"ports": ports}, annotations={"zerogate.dev/port": "3000"}))
    assert (target.port, target.protocol) == (3000, "http1")


@pytest.mark.parametrize(
    ("container", "probe"),
    [
        ({"readinessProbe": {"tcpSocket": {"port": 0}}}, Probe("tcp", "", (), 8080, "", trusted_early=True)),
        (
            {
                "ports": [{"name": "admin", "containerPort": 9900}],
                "readinessProbe": {
                    "httpGet": {"path": "/up", "port": "admin", "httpHeaders": [{"name": "X", "value": "1"}]}
                },
            },
            Probe("http", "/up", (("X", "1"),), 9900, "http", trusted_early=True),
        ),
        (
            {"readinessProbe": {"exec": {"command": ["x"]}}},
            Probe("exec", "", (), 8080, "", trusted_early=False),
        ),
        (
            {"readinessProbe": {"tcpSocket": {}}, "startupProbe": {"tcpSocket": {}}},
            Probe("tcp", "", (), 8080, "", trusted_early=False),
        ),
        ({"readinessProbe": {"grpc": {"port": 5}}}, Probe("grpc", "", (), 5, "", trusted_early=False)),
    ],
)
def test_the_probe_is_the_serving_containers_own(container: dict[str, Any], probe: Probe) -> None:
    assert scale_target(deployment(container=container)).probe == probe


@pytest.mark.parametrize(
    ("grace", "sleep", "waits"), [(None, 30, True), (None, 29, False), (60, 60, True), (60, 30, False)]
)
def test_a_pod_waits_for_requests_if_its_pre_stop_sleeps_for_the_whole_grace_period(
    grace: int | None, sleep: int, waits: bool
) -> None:
    """A shorter sleep leaves SIGTERM a part of the grace period, which belongs to the program."""
    hook = {"lifecycle": {"preStop": {"sleep": {"seconds": sleep}}}}
    spec: Obj = {"containers": [{"name": "other"}, {"name": "c", **hook}]}
    if grace is not None:
        spec["terminationGracePeriodSeconds"] = grace
    assert waits_for_requests(spec) is waits


@pytest.mark.parametrize("hook", [{}, {"exec": {"command": ["sleep", "30"]}}, {"sleep": None}])
def test_another_pre_stop_does_not_wait_for_requests(hook: Obj) -> None:
    assert not waits_for_requests({"containers": [{"lifecycle": {"preStop": hook}}]})


words = st.sampled_from(["spec", "containers", "ports", "containerPort", "readinessProbe", "httpGet", "port"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 99999) | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=6,
)


@given(spec=st.dictionaries(st.sampled_from(["replicas", "selector", "template", "strategy"]), json_values))
def test_no_content_of_a_spec_raises(spec: dict[str, Any]) -> None:
    target = scale_target({"metadata": {"name": "x", "namespace": "y"}, "spec": spec})
    assert target.key == ("y", "x")


@given(
    values=st.dictionaries(st.sampled_from(["zerogate.dev/timeout-seconds", "zerogate.dev/port"]), st.text())
)
def test_no_text_of_an_annotation_raises(values: dict[str, str]) -> None:
    target = scale_target(deployment(annotations=values))
    assert target.timeout > 0
    assert 1 <= target.port <= 65535
