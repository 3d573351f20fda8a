"""The Deployment of a revision: its whole content, and what an update leaves alone."""

import copy
from typing import Any

import pytest

from kube.objects import Obj, annotations, labels
from kube.resources import REVISIONS
from serving.configs import COMPILED, parse_configs
from serving.reconcile.deployment import adapted, make_deployment
from serving.rules.defaults import fill_in
from serving.targets import Probe, scale_target, waits_for_requests

SHIPPED = parse_configs({"config-deployment": {"automount-service-account-token": "false"}})


def revision(*, annotations: dict[str, str] | None = None, state: str = "active", **container: Any) -> Obj:
    spec = {"containers": [{"image": "hello:v1", "ports": [{"containerPort": 3000}], **container}]}
    obj = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": {
            "name": "hello-00001",
            "namespace": "default",
            "uid": "u-9",
            "labels": {
                "team": "red",
                "serving.knative.dev/service": "hello",
                "serving.knative.dev/configuration": "hello",
                "serving.knative.dev/routingState": state,
            },
            "annotations": {
                "autoscaling.knative.dev/target": "10",
                "note": "kept",
                "serving.knative.dev/routes": "hello",
                "serving.knative.dev/routingStateModified": "2026-01-01T00:00:00Z",
                **(annotations or {}),
            },
        },
        "spec": spec,
    }
    fill_in(REVISIONS, obj, COMPILED.defaults)
    return obj


GOLDEN_LABELS = {
    "app": "hello-00001",
    "team": "red",
    "serving.knative.dev/service": "hello",
    "serving.knative.dev/configuration": "hello",
    "serving.knative.dev/revision": "hello-00001",
    "serving.knative.dev/revisionUID": "u-9",
    "zerogate.dev/scale": "true",
}
GOLDEN = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "hello-00001-deployment",
        "namespace": "default",
        "annotations": {
            "autoscaling.knative.dev/target": "10",
            "note": "kept",
            "zerogate.dev/container-concurrency": "0",
            "zerogate.dev/timeout-seconds": "300",
            "zerogate.dev/port": "3000",
            "zerogate.dev/reachable": "true",
        },
        "ownerReferences": [
            {
                "apiVersion": "serving.knative.dev/v1",
                "kind": "Revision",
                "name": "hello-00001",
                "uid": "u-9",
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    },
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"serving.knative.dev/revisionUID": "u-9"}},
        "progressDeadlineSeconds": 600,
        "revisionHistoryLimit": 0,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
        "template": {
            "metadata": {
                "labels": GOLDEN_LABELS,
                "annotations": {
                    "note": "kept",
                    "kubectl.kubernetes.io/default-container": "user-container",
                },
            },
            "spec": {
                "containers": [
                    {
                        "name": "user-container",
                        "image": "hello:v1",
                        "ports": [{"name": "user-port", "containerPort": 3000, "protocol": "TCP"}],
                        "env": [
                            {"name": "PORT", "value": "3000"},
                            {"name": "K_REVISION", "value": "hello-00001"},
                            {"name": "K_CONFIGURATION", "value": "hello"},
                            {"name": "K_SERVICE", "value": "hello"},
                        ],
                        "readinessProbe": {
                            "tcpSocket": {"port": 3000},
                            "periodSeconds": 1,
                            "successThreshold": 1,
                            "failureThreshold": 3,
                            "timeoutSeconds": 1,
                        },
                        "lifecycle": {"preStop": {"sleep": {"seconds": 300}}},
                        "terminationMessagePolicy": "FallbackToLogsOnError",
                    }
                ],
                "terminationGracePeriodSeconds": 300,
                "enableServiceLinks": False,
                "automountServiceAccountToken": False,
                "affinity": {
                    "podAntiAffinity": {
                        "preferredDuringSchedulingIgnoredDuringExecution": [
                            {
                                "weight": 100,
                                "podAffinityTerm": {
                                    "labelSelector": {
                                        "matchLabels": {"serving.knative.dev/revision": "hello-00001"}
                                    },
                                    "topologyKey": "kubernetes.io/hostname",
                                },
                            }
                        ]
                    }
                },
            },
        },
    },
}


def test_the_whole_deployment() -> None:
    made = make_deployment(revision(), SHIPPED)
    digest = made["metadata"].pop("labels")
    assert digest.pop("serving.knative.dev/deployment-hash")
    assert digest == GOLDEN_LABELS
    assert made == GOLDEN


def test_the_data_plane_reads_what_the_controller_wrote() -> None:
    spec = {
        "containerConcurrency": 5,
        "timeoutSeconds": 20,
        "responseStartTimeoutSeconds": 9,
        "idleTimeoutSeconds": 7,
    }
    obj = revision(ports=[{"name": "h2c", "containerPort": 3000}])
    obj["spec"] |= spec
    target = scale_target(make_deployment(obj, SHIPPED))
    assert target.key == ("default", "hello-00001")
    assert (target.port, target.protocol, target.container_concurrency) == (3000, "h2c", 5)
    assert (target.timeout, target.response_start_timeout, target.idle_timeout) == (20.0, 9.0, 7.0)
    assert (target.service, target.configuration, target.is_plain) == ("hello", "hello", False)
    assert target.autoscaling == {"target": "10"}
    assert target.pod_selector == {"serving.knative.dev/revisionUID": "u-9"}
    assert target.probe == Probe("tcp", "", (), 3000, "", trusted_early=True)
    assert target.problems == ()


@pytest.mark.parametrize(
    ("annotation", "configs", "replicas"),
    [
        ({}, {}, 1),
        ({}, {"initial-scale": "2"}, 2),
        ({"autoscaling.knative.dev/initial-scale": "3"}, {"initial-scale": "2"}, 3),
        ({"autoscaling.knative.dev/initialScale": "3"}, {}, 3),
        ({"autoscaling.knative.dev/initial-scale": "0"}, {}, 1),
        ({"autoscaling.knative.dev/initial-scale": "0"}, {"allow-zero-initial-scale": "true"}, 0),
    ],
)
def test_a_deployment_begins_with_the_initial_scale(
    annotation: dict[str, str], configs: dict[str, str], replicas: int
) -> None:
    made = make_deployment(revision(annotations=annotation), parse_configs({"config-autoscaler": configs}))
    assert made["spec"]["replicas"] == replicas


def pre_stops(obj: Obj, **config: str) -> list[Any]:
    """The preStop of each container of the pods of a Revision."""
    pod = pod_spec(obj, **config)
    return [(each.get("lifecycle") or {}).get("preStop") for each in pod["containers"]]


def pod_spec(obj: Obj, **config: str) -> Any:
    """The spec of the pods of a Revision; underscores in keys of `config-deployment` stand for hyphens."""
    data = {key.replace("_", "-"): text for key, text in config.items()}
    configs = parse_configs({"config-deployment": data})
    return make_deployment(obj, configs)["spec"]["template"]["spec"]


OWN = {"exec": {"command": ["sync"]}}


def sleep(seconds: int) -> Obj:
    return {"sleep": {"seconds": seconds}}


@pytest.mark.parametrize("timeout", [1, 2, 300])
def test_a_pods_pre_stop_waits_for_its_whole_grace_period(timeout: int) -> None:
    """Every container waits, since an in-flight request may need each of them; so requests as long as
    timeoutSeconds survive the deletion of their pod.
    """
    obj = revision()
    obj["spec"]["timeoutSeconds"] = timeout
    obj["spec"]["containers"].append({"name": "side", "image": "side:1"})
    pod = pod_spec(obj)
    assert pre_stops(obj) == [sleep(timeout), sleep(timeout)]
    assert pod["terminationGracePeriodSeconds"] == timeout
    assert waits_for_requests(pod)


def test_a_pre_stop_of_the_user_is_never_cut() -> None:
    """A pod that has one does not wait for the autoscaler; its serving container sleeps for some seconds."""
    obj = revision(lifecycle={"preStop": OWN})
    assert pre_stops(obj) == [OWN]
    assert not waits_for_requests(pod_spec(obj))
    obj = revision()
    obj["spec"]["containers"].append({"name": "side", "image": "side:1", "lifecycle": {"preStop": OWN}})
    assert pre_stops(obj) == [sleep(3), OWN]
    assert pre_stops(obj, pre_stop_sleep_seconds="9") == [sleep(9), OWN]
    obj["spec"]["timeoutSeconds"] = 2
    assert pre_stops(obj) == [sleep(2), OWN]


def test_no_pod_gets_a_pre_stop_if_its_seconds_are_zero() -> None:
    assert pre_stops(revision(), pre_stop_sleep_seconds="0") == [None]
    assert not waits_for_requests(pod_spec(revision(), pre_stop_sleep_seconds="0"))


def test_a_failed_probe_restarts_a_container_after_some_seconds() -> None:
    """Kubernetes runs preStop before a restart, too; it must not take the whole grace period."""
    probe: Obj = {"tcpSocket": {}}
    obj = revision(livenessProbe=probe, startupProbe={**probe, "terminationGracePeriodSeconds": 20})
    container = pod_spec(obj)["containers"][0]
    assert container["livenessProbe"]["terminationGracePeriodSeconds"] == 3
    assert container["startupProbe"]["terminationGracePeriodSeconds"] == 20
    assert "terminationGracePeriodSeconds" not in container["readinessProbe"]
    container = pod_spec(revision(livenessProbe=probe, lifecycle={"preStop": OWN}))["containers"][0]
    assert "terminationGracePeriodSeconds" not in container["livenessProbe"]


def test_the_users_own_choices_stay() -> None:
    own = {"preStop": {"exec": {"command": ["sync"]}}}
    probe = {"httpGet": {"path": "/up", "port": 9000}, "periodSeconds": 7}
    obj = revision(lifecycle=own, readinessProbe=probe, terminationMessagePolicy="File")
    obj["spec"] |= {"serviceAccountName": "mine", "enableServiceLinks": True}
    pod = make_deployment(obj, SHIPPED)["spec"]["template"]["spec"]
    assert pod["containers"][0]["lifecycle"] == own
    assert pod["containers"][0]["terminationMessagePolicy"] == "File"
    assert pod["containers"][0]["readinessProbe"]["httpGet"] == {"path": "/up", "port": 9000}
    assert pod["containers"][0]["readinessProbe"]["periodSeconds"] == 7
    assert pod["enableServiceLinks"] is True
    assert "automountServiceAccountToken" not in pod


def test_only_the_serving_container_has_a_port_and_a_probe() -> None:
    obj = revision()
    obj["spec"]["containers"].append({"name": "side", "image": "side:1"})
    side = make_deployment(obj, SHIPPED)["spec"]["template"]["spec"]["containers"][1]
    assert "readinessProbe" not in side
    assert "PORT" not in [each["name"] for each in side["env"]]


def test_an_update_keeps_replicas_and_what_others_wrote() -> None:
    present = make_deployment(revision(), SHIPPED)
    present["spec"]["replicas"] = 7
    present["metadata"]["annotations"]["zerogate.dev/given-up"] = "TimedOut"
    present["metadata"]["labels"]["mine"] = "x"
    present["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] = "now"
    assert adapted(present, make_deployment(revision(), SHIPPED)) is None
    reserve: Any = adapted(present, make_deployment(revision(state="reserve"), SHIPPED))
    assert annotations(reserve)["zerogate.dev/reachable"] == "false"
    assert reserve["spec"] == present["spec"], "a change of routing does not roll the pods"
    slower = parse_configs({"config-deployment": {"progress-deadline": "9s"}})
    rolled: Any = adapted(present, make_deployment(revision(), slower))
    assert rolled["spec"]["replicas"] == 7
    assert rolled["spec"]["selector"] == present["spec"]["selector"]
    assert rolled["spec"]["progressDeadlineSeconds"] == 9
    assert annotations(rolled)["zerogate.dev/given-up"] == "TimedOut"
    assert labels(rolled)["mine"] == "x"


def test_an_autoscaling_annotation_that_the_revision_lost_goes() -> None:
    present = make_deployment(revision(annotations={"autoscaling.knative.dev/min-scale": "1"}), SHIPPED)
    after: Any = adapted(present, make_deployment(revision(), SHIPPED))
    assert "autoscaling.knative.dev/min-scale" not in annotations(after)


def test_making_a_deployment_changes_nothing_of_the_revision() -> None:
    obj = revision()
    before = copy.deepcopy(obj)
    make_deployment(obj, SHIPPED)
    assert obj == before


def test_a_long_name_is_cut_as_knative_cuts_it() -> None:
    obj = revision()
    obj["metadata"]["name"] = "x" * 60
    name = make_deployment(obj, SHIPPED)["metadata"]["name"]
    assert len(name) <= 63
    assert name.endswith("-deployment")


def test_the_data_plane_reads_the_half_close_annotation_of_a_revision() -> None:
    """It stands on the Deployment as it stands on the revision."""
    made = make_deployment(revision(annotations={"zerogate.dev/half-close": "true"}), COMPILED)
    assert scale_target(made).half_close
    assert not scale_target(make_deployment(revision(), COMPILED)).half_close
