"""What is refused at apply time: each row names the field and what the message must contain."""

import copy

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kube.resources import CONFIGMAPS, CONFIGURATIONS, PODS, REVISIONS, ROUTES, SERVICES
from serving.validation import Refused, admit

MANIFEST = """
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: hello, namespace: default}
spec:
  template:
    metadata:
      annotations: {autoscaling.knative.dev/target: "10"}
    spec:
      containers:
      - image: registry.example.com/hello:v1
        ports: [{name: http1, containerPort: 8080}]
        env: [{name: TARGET, value: World}]
"""
POD = "spec.template.spec"
BOX = f"{POD}.containers[0]"
NOTE = "spec.template.metadata.annotations.autoscaling.knative.dev/"


def service(**changes):
    """The manifest with values put at dotted paths; None removes the field."""
    obj = yaml.safe_load(MANIFEST)
    for path, value in changes.items():
        put(obj, path, value)
    return obj


def put(obj, path, value):
    *way, last = path.replace("__", ".").split(".")
    for step in way:
        obj = obj[int(step)] if isinstance(obj, list) else obj.setdefault(step, {})
    if value is None:
        obj.pop(last, None)
    elif isinstance(obj, list):
        obj[int(last)] = value
    else:
        obj[last] = value


def refusals(obj, *, resource=SERVICES, old=None, configs=None):
    try:
        admit(resource, obj, old, configs or {})
    except Refused as refused:
        return [(each.path, each.message) for each in refused.errors]
    return []


def annotated(**values):
    obj = service()
    obj["spec"]["template"]["metadata"]["annotations"] = {
        "autoscaling.knative.dev/" + key.replace("_", "-"): value for key, value in values.items()
    }
    return obj


def test_the_sample_is_taken():
    assert refusals(service()) == []


C0 = "spec__template__spec__containers__0__"
FIELD_ROWS = [
    ("spec__template", None, "spec.template", "missing field"),
    ("spec__template__spec__containers", None, f"{POD}.containers", "missing field"),
    (C0 + "image", None, f"{BOX}.image", "image: local"),
    (C0 + "image", "two words", f"{BOX}.image", "failed to parse image reference"),
    (C0 + "name", "queue-proxy", f"{BOX}.name", "reserved"),
    (C0 + "name", "Web_1", f"{BOX}.name", "lower-case"),
    (C0 + "nodePort", 3, f"{BOX}.nodePort", "must not set the field"),
    (C0 + "ports__0__containerPort", 0, f"{BOX}.ports[0].containerPort", "from 1 to 65535"),
    (C0 + "ports__0__containerPort", 65536, f"{BOX}.ports[0].containerPort", "from 1 to 65535"),
    (C0 + "ports__0__containerPort", True, f"{BOX}.ports[0].containerPort", "from 1 to 65535"),
    (C0 + "ports__0__containerPort", 8012, f"{BOX}.ports[0].containerPort", "reserved"),
    (C0 + "ports__0__name", "grpc", f"{BOX}.ports[0].name", "h2c"),
    (C0 + "ports__0__protocol", "UDP", f"{BOX}.ports[0].protocol", "must be TCP"),
    (C0 + "ports__0__hostPort", 80, f"{BOX}.ports[0].hostPort", "must not set the field"),
    (C0 + "ports", [{"containerPort": 1}, {"containerPort": 2}], f"{BOX}.ports", "more than one port"),
    (C0 + "env", [{"name": "PORT", "value": "1"}], f"{BOX}.env[0].name", "reserved environment variable"),
    (C0 + "env", [{"name": "K_SERVICE"}], f"{BOX}.env[0].name", "reserved environment variable"),
    (C0 + "env", [{"value": "x"}], f"{BOX}.env[0].name", "missing"),
    (C0 + "env", [{"name": "1=2"}], f"{BOX}.env[0].name", "no name of an environment variable"),
    (
        C0 + "env",
        [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}],
        f"{BOX}.env[0].valueFrom.fieldRef",
        "must not set the field",
    ),
    (C0 + "resources", {"limits": {"cpu": "much"}}, f"{BOX}.resources.limits.cpu", "quantity"),
    (
        C0 + "resources",
        {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}},
        f"{BOX}.resources.requests.cpu",
        "less than or equal",
    ),
    (C0 + "volumeMounts", [{"name": "v", "mountPath": "/v"}], f"{BOX}.volumeMounts[0].name", "not found"),
    (
        C0 + "readinessProbe",
        {"periodSeconds": 1, "httpGet": {}, "grpc": {}},
        f"{BOX}.readinessProbe",
        "only one",
    ),
    (
        C0 + "readinessProbe",
        {"periodSeconds": 0, "failureThreshold": 2, "httpGet": {}},
        f"{BOX}.readinessProbe.failureThreshold",
        "periodSeconds is 0",
    ),
    (
        C0 + "readinessProbe",
        {"httpGet": {"path": "up"}},
        f"{BOX}.readinessProbe.httpGet.path",
        "must begin with '/'",
    ),
    (C0 + "livenessProbe", {"timeoutSeconds": 1}, f"{BOX}.livenessProbe", "needs one of"),
    (
        C0 + "livenessProbe",
        {"httpGet": {}, "timeoutSeconds": -1},
        f"{BOX}.livenessProbe.timeoutSeconds",
        "at least 0",
    ),
    (
        C0 + "livenessProbe",
        {"httpGet": {}, "successThreshold": 2},
        f"{BOX}.livenessProbe.successThreshold",
        "must be 1",
    ),
    ("spec__template__spec__nodeSelector", {"a": "b"}, f"{POD}.nodeSelector", "must not set the field"),
    (
        "spec__template__spec__volumes",
        [{"name": "v", "emptyDir": {}}],
        f"{POD}.volumes[0].name",
        "not mounted",
    ),
    ("spec__template__spec__timeoutSeconds", 601, f"{POD}.timeoutSeconds", "max-revision-timeout-seconds"),
    ("spec__template__spec__timeoutSeconds", -1, f"{POD}.timeoutSeconds", "out of bounds"),
    (
        "spec__template__spec__responseStartTimeoutSeconds",
        301,
        f"{POD}.responseStartTimeoutSeconds",
        "from 0 to 300",
    ),
    ("spec__template__spec__idleTimeoutSeconds", -1, f"{POD}.idleTimeoutSeconds", "from 0 to 300"),
    ("spec__template__spec__containerConcurrency", -1, f"{POD}.containerConcurrency", "from 0 to 1000"),
    ("spec__template__spec__containerConcurrency", 1001, f"{POD}.containerConcurrency", "from 0 to 1000"),
    ("spec__template__metadata__name", "other-1", "spec.template.metadata.name", 'prefix "hello-"'),
    ("spec__template__metadata__name", "hello_1", "spec.template.metadata.name", "DNS 1035"),
    ("metadata__name", "Hello", "metadata.name", "DNS 1035"),
    ("metadata__name", "1hello", "metadata.name", "DNS 1035"),
    (
        "metadata__labels",
        {"networking.knative.dev/visibility": "private"},
        "metadata.labels.networking.knative.dev/visibility",
        "cluster-local",
    ),
    (
        "metadata__annotations",
        {"autoscaling.knative.dev/min-scale": "1"},
        "metadata.annotations.autoscaling.knative.dev/min-scale",
        "spec.template.metadata.annotations",
    ),
    (
        "metadata__annotations",
        {"serving.knative.dev/rollout-duration": "1.5s"},
        "metadata.annotations.serving.knative.dev/rollout-duration",
        "whole seconds",
    ),
]


@pytest.mark.parametrize(("path", "value", "field", "message"), FIELD_ROWS)
def test_a_bad_field_is_refused_by_its_path(path, value, field, message):
    found = refusals(service(**{path: value}))
    assert [each for each, _ in found] == [field]
    assert message in found[0][1]


TRAFFIC_ROWS = [
    (
        [{"percent": 80}, {"percent": 10, "revisionName": "hello-00001"}],
        "spec.traffic",
        "sum to 90, want 100",
    ),
    ([{"percent": 101}, {"percent": -1}], "spec.traffic[0].percent", "from 0 to 100"),
    ([{"percent": 100, "tag": "Not_A_Tag"}], "spec.traffic[0].tag", "DNS 1035"),
    ([{"percent": 100, "tag": "x" * 60}], "spec.traffic[0].tag", "too long"),
    ([{"percent": 100, "tag": "t"}, {"tag": "t"}], "spec.traffic[1].tag", "multiple definitions for 't'"),
    (
        [{"percent": 100, "revisionName": "hello-00001", "latestRevision": True}],
        "spec.traffic[0].latestRevision",
        "together with revisionName",
    ),
    ([{"percent": 100, "latestRevision": False}], "spec.traffic[0].latestRevision", "without a revisionName"),
    ([{"percent": 100, "revisionName": "No Name"}], "spec.traffic[0].revisionName", "no name of a revision"),
    ([{"percent": 100, "configurationName": "hello"}], "spec.traffic[0].configurationName", "must not set"),
    ([{"percent": 100, "url": "http://x"}], "spec.traffic[0].url", "status"),
]


@pytest.mark.parametrize(("traffic", "field", "message"), TRAFFIC_ROWS)
def test_bad_traffic_is_refused_by_its_path(traffic, field, message):
    found = refusals(service(spec__traffic=traffic))
    assert field in [path for path, _ in found]
    assert any(message in text for path, text in found if path == field)


@pytest.mark.parametrize(
    "traffic",
    [
        [
            {"percent": 80, "revisionName": "hello-00001"},
            {"percent": 20, "latestRevision": True, "tag": "canary"},
        ],
        [{"percent": 100, "revisionName": "gone-00009"}],
        [{"percent": 100}, {"tag": "next", "latestRevision": True}],
    ],
)
def test_good_traffic_is_taken_even_to_a_revision_that_does_not_exist(traffic):
    assert refusals(service(spec__traffic=traffic)) == []


ANNOTATION_ROWS = [
    ({"class": "hpa.autoscaling.knative.dev"}, "class", "nothing here scales by it"),
    ({"metric": "cpu"}, "metric", "concurrency or rps"),
    ({"target": "0"}, "target", "at least 0.01"),
    ({"target": "many"}, "target", "must be a number"),
    ({"target": "nan"}, "target", "at least 0.01"),
    ({"target_utilization_percentage": "101"}, "target-utilization-percentage", "from 1 to 100"),
    ({"target_burst_capacity": "-2"}, "target-burst-capacity", "at least 0, or -1"),
    ({"window": "5s"}, "window", "from 6s to 1h"),
    ({"window": "61m"}, "window", "from 6s to 1h"),
    ({"window": "6500ms"}, "window", "whole seconds"),
    ({"window": "60"}, "window", "must be a duration"),
    ({"panic_window_percentage": "0.5"}, "panic-window-percentage", "from 1 to 100"),
    ({"panic_threshold_percentage": "109"}, "panic-threshold-percentage", "from 110 to 1000"),
    ({"min_scale": "-1"}, "min-scale", "out of bounds"),
    ({"min_scale": "1.5"}, "min-scale", "whole number"),
    ({"min_scale": "5", "max_scale": "3"}, "max-scale", "max-scale=3 is less than min-scale=5"),
    ({"max_scale": "2147483648"}, "max-scale", "out of bounds"),
    ({"activation_scale": "1"}, "activation-scale", "out of bounds"),
    ({"activation_scale": "2", "min_scale": "3"}, "activation-scale", "less than min-scale=3"),
    ({"activation_scale": "4", "max_scale": "3"}, "activation-scale", "more than max-scale=3"),
    ({"initial_scale": "0"}, "initial-scale", "not allowed by the cluster"),
    ({"scale_down_delay": "61m"}, "scale-down-delay", "out of bounds"),
    ({"scale_to_zero_pod_retention_period": "-1s"}, "scale-to-zero-pod-retention-period", "out of bounds"),
    ({"metric_aggregation_algorithm": "median"}, "metric-aggregation-algorithm", "weighted-exponential"),
    ({"minScale": "x"}, "minScale", "whole number"),
]


@pytest.mark.parametrize(("values", "key", "message"), ANNOTATION_ROWS)
def test_a_bad_autoscaling_annotation_is_refused_by_its_key(values, key, message):
    found = refusals(annotated(**values))
    assert [path for path, _ in found] == [NOTE + key]
    assert message in found[0][1]


@pytest.mark.parametrize(
    "values",
    [
        {"class": "mine.example.com", "metric": "queue-length"},
        {"target": "0.01", "window": "6s", "target_burst_capacity": "-1"},
        {"min_scale": "1", "max_scale": "0", "initial_scale": "3"},
        {"scale_to_zero_pod_retention_period": "1.5s", "activation_scale": "2"},
        {"something_new": "whatever"},
    ],
)
def test_good_autoscaling_annotations_are_taken(values):
    assert refusals(annotated(**values)) == []


def test_the_limits_of_config_autoscaler_hold():
    configs = {
        "config-autoscaler": {"max-scale-limit": "5", "max-scale": "5", "allow-zero-initial-scale": "true"}
    }
    assert refusals(annotated(initial_scale="0"), configs=configs) == []
    assert "must be from 1 to 5" in refusals(annotated(max_scale="6"), configs=configs)[0][1]
    assert "max-scale=0 (unlimited)" in refusals(annotated(max_scale="0"), configs=configs)[0][1]


def test_networking_annotations_belong_on_the_service():
    obj = service()
    obj["spec"]["template"]["metadata"]["annotations"] = {"networking.knative.dev/http-protocol": "x"}
    assert "invalid key name" in refusals(obj)[0][1]


def test_all_refusals_come_together():
    obj = service(spec__traffic=[{"percent": 90}], **{C0 + "image": None, C0 + "ports__0__containerPort": 0})
    assert len(refusals(obj)) == 3


def test_defaults_are_filled_in():
    spec = admit(SERVICES, service(), None, {})["spec"]
    pod = spec["template"]["spec"]
    assert spec["traffic"] == [{"latestRevision": True, "percent": 100}]
    assert (pod["timeoutSeconds"], pod["containerConcurrency"], pod["enableServiceLinks"]) == (300, 0, False)
    assert "responseStartTimeoutSeconds" not in pod
    assert pod["containers"][0]["name"] == "user-container"
    assert pod["containers"][0]["readinessProbe"] == {"tcpSocket": {"port": 0}, "successThreshold": 1}


@pytest.mark.parametrize(("total", "start"), [(300, None), (600, 300), (299, None)])
def test_the_response_start_timeout_is_a_default_only_below_the_total(total, start):
    pod = admit(SERVICES, service(spec__template__spec__timeoutSeconds=total), None, {})["spec"]["template"][
        "spec"
    ]
    assert pod.get("responseStartTimeoutSeconds") == start


def test_a_probe_with_a_period_gets_its_counts():
    probe = {"httpGet": {"path": "/up"}, "periodSeconds": 5}
    obj = admit(SERVICES, service(**{C0 + "readinessProbe": probe}), None, {})
    filled = obj["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    assert filled == {**probe, "successThreshold": 1, "failureThreshold": 3, "timeoutSeconds": 1}


def test_several_containers_get_numbered_names_and_one_serves():
    sidecar = {"image": "side:1"}
    obj = service()
    obj["spec"]["template"]["spec"]["containers"].append(sidecar)
    first, second = admit(SERVICES, obj, None, {})["spec"]["template"]["spec"]["containers"]
    assert (first["name"], second["name"]) == ("user-container-0", "user-container-1")
    assert "readinessProbe" in first
    assert "readinessProbe" not in second
    del obj["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert "exactly one" in refusals(obj)[0][1]
    assert "multi-container is disabled" in str(
        refusals(obj, configs={"config-features": {"multi-container": "disabled"}})
    )


def test_what_is_given_is_not_changed():
    obj = service()
    before = copy.deepcopy(obj)
    admit(SERVICES, obj, None, {})
    assert obj == before


def revision(**changes):
    obj = {
        "metadata": {"name": "hello-00001", "namespace": "default"},
        "spec": service()["spec"]["template"]["spec"],
    }
    for path, value in changes.items():
        put(obj, path, value)
    return admit(REVISIONS, obj, None, {})


def test_a_revision_never_changes():
    changed = copy.deepcopy(revision())
    changed["spec"]["containers"][0]["image"] = "other:2"
    assert refusals(changed, resource=REVISIONS, old=revision())[0][0] == "spec"
    relabelled = copy.deepcopy(revision())
    relabelled["metadata"]["labels"] = {"a": "b"}
    assert refusals(relabelled, resource=REVISIONS, old=revision()) == []


def test_a_change_of_config_defaults_leaves_what_exists_alone():
    configs = {"config-defaults": {"revision-idle-timeout-seconds": "60", "revision-cpu-limit": "1"}}
    old = admit(SERVICES, service(), None, {})
    again = service(metadata__labels={"team": "red"})
    assert admit(SERVICES, again, old, configs)["spec"] == old["spec"]
    relabelled = copy.deepcopy(revision())
    relabelled["metadata"]["labels"] = {"a": "b"}
    assert admit(REVISIONS, relabelled, revision(), configs)["spec"] == revision()["spec"]
    fresh = admit(SERVICES, service(**{C0 + "image": "other:2"}), old, configs)
    assert fresh["spec"]["template"]["spec"]["idleTimeoutSeconds"] == 60


def test_a_named_template_needs_a_new_name_for_a_change():
    old = admit(SERVICES, service(spec__template__metadata__name="hello-one"), None, {})
    changed = copy.deepcopy(old)
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "other:2"
    assert refusals(changed, old=old)[0][0] == "spec.template.metadata.name"
    changed["spec"]["template"]["metadata"]["name"] = "hello-two"
    assert refusals(changed, old=old) == []


def test_a_status_can_be_written_when_the_rules_became_stricter():
    old = admit(SERVICES, service(spec__template__spec__timeoutSeconds=600), None, {})
    new = {**copy.deepcopy(old), "status": {"observedGeneration": 1}}
    stricter = {"config-defaults": {"max-revision-timeout-seconds": "300"}}
    assert refusals(new, old=old, configs=stricter) == []
    assert refusals(old, configs=stricter) != []


def test_a_route_names_a_configuration_or_a_revision():
    def route(*traffic):
        return {"metadata": {"name": "r", "namespace": "n"}, "spec": {"traffic": list(traffic)}}

    assert refusals(route({"configurationName": "hello", "percent": 100}), resource=ROUTES) == []
    assert refusals(route({"percent": 100}), resource=ROUTES)[0][0] == "spec.traffic[0]"
    assert refusals(route(), resource=ROUTES)[0][0] == "spec.traffic"


def test_a_configuration_is_checked_like_a_service():
    obj = {"metadata": {"name": "c", "namespace": "n"}, "spec": {"template": {"spec": {"containers": [{}]}}}}
    assert refusals(obj, resource=CONFIGURATIONS)[0][0] == f"{BOX}.image"


CONFIG_ROWS = [
    ("config-autoscaler", "stable-window", "5s"),
    ("config-defaults", "revision-timeout-seconds", "601"),
    ("config-defaults", "revision-idle-timeout-seconds", "301"),
    ("config-defaults", "container-concurrency", "1001"),
    ("config-defaults", "revision-cpu-limit", "lots"),
    ("config-defaults", "container-name-template", "{{.Nmae}}"),
    ("config-defaults", "allow-container-concurrency-zero", "maybe"),
    ("config-deployment", "progress-deadline", "0s"),
    ("config-deployment", "progress-deadline", "1500ms"),
    ("config-deployment", "default-affinity-type", "spread"),
    ("config-deployment", "pre-stop-sleep-seconds", "-1"),
    ("config-domain", "-bad-", ""),
    ("config-domain", "example.com", "selector: [1]"),
    ("config-domain-claims", "www.shop.org", "two words"),
    ("config-features", "kubernetes.podspec-nodeselector", "Enabled"),
    ("config-gc", "retain-since-create-time", "-1h"),
    ("config-gc", "min-non-active-revisions", "2000"),
    ("config-network", "domain-template", "{{.Name}}.{{.Domain}}"),
    ("config-network", "domain-template", "{{.Namespace}}.{{.Domain}}"),
    ("config-network", "domain-template", "{{.Name}}.{{.Namespace}}.{{.Domain}}/x"),
    ("config-network", "tag-template", "{{.Name}}"),
    ("config-network", "tag-template", "{{.Tag}}.{{.Name}}"),
    ("config-network", "external-domain-tls", "enabled"),
    ("config-network", "default-external-scheme", "ftp"),
]


@pytest.mark.parametrize(("name", "key", "value"), CONFIG_ROWS)
def test_a_bad_value_in_a_config_map_is_refused_by_its_key(name, key, value):
    obj = {"metadata": {"name": name, "namespace": "zerogate-system"}, "data": {key: value}}
    assert [path for path, _ in refusals(obj, resource=CONFIGMAPS)] == [f"data.{key}"]


def test_config_maps_elsewhere_and_other_kinds_are_left_alone():
    obj = {
        "metadata": {"name": "config-gc", "namespace": "default"},
        "data": {"min-non-active-revisions": "x"},
    }
    assert refusals(obj, resource=CONFIGMAPS) == []
    assert admit(PODS, {"metadata": {"name": "p"}}, None, {}) == {"metadata": {"name": "p"}}


words = st.sampled_from(
    [
        "containers",
        "image",
        "ports",
        "containerPort",
        "traffic",
        "tag",
        "percent",
        "template",
        "spec",
        "name",
        "env",
    ]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 99) | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


@given(spec=st.dictionaries(words, json_values))
def test_no_shape_of_an_object_does_more_than_being_refused(spec):
    refusals({"metadata": {"name": "hello", "namespace": "default"}, "spec": spec})
