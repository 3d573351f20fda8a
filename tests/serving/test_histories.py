"""What becomes of a Service: applied, updated, shifted, rolled back, broken, deleted."""

import copy
from typing import Any

import pytest

from kube.objects import Obj, annotations, labels
from kube.resources import CONFIGURATIONS, DEPLOYMENTS, REVISIONS, ROUTES, SERVICES, Resource
from serving.configs import parse_configs
from testkit.serving.cluster import Cluster

MARKED = {"app": "shop", "zerogate.dev/scale": "true"}
HOSTED = {"zerogate.dev/host": "shop.default.example.com"}
ONE, TWO, THREE = (f"hello-0000{number}" for number in (1, 2, 3))


def service(
    name: str = "hello",
    *,
    target: str = "World",
    traffic: list[dict[str, Any]] | None = None,
    image: str = "example.com/hello:v1",
    **template: Any,
) -> Obj:
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "labels": {"team": "red"}},
        "spec": {
            "template": {
                "metadata": {"annotations": {"autoscaling.knative.dev/target": "10"}, **template},
                "spec": {"containers": [{"image": image, "env": [{"name": "TARGET", "value": target}]}]},
            },
            **({"traffic": traffic} if traffic else {}),
        },
    }


def plain_deployment(*, annotations: dict[str, str], labels: dict[str, str] = MARKED) -> Obj:
    """One that a user wrote; `labels` are those of its pods."""
    return {
        "metadata": {"name": "shop", "labels": MARKED, "annotations": annotations},
        "spec": {"selector": {"matchLabels": {"app": "shop"}}, "template": {"metadata": {"labels": labels}}},
    }


def update(cluster: Cluster, **changes: Any) -> None:
    old = cluster.get(SERVICES, "hello")
    new = service(**changes)
    cluster.apply(SERVICES, {**new, "metadata": {**old["metadata"], **new["metadata"]}})


@pytest.fixture
def ready(cluster: Cluster) -> Cluster:
    """A cluster with the Service hello, ready with one pod."""
    cluster.apply(SERVICES, service())
    cluster.scale(ONE, 1)
    cluster.writes.clear()
    cluster.notes.clear()
    return cluster


def shares(cluster: Cluster, resource: Resource = ROUTES) -> list[tuple[str, int, str]]:
    traffic = cluster.get(resource, "hello")["status"].get("traffic", [])
    return [(each["revisionName"], each["percent"], each.get("tag", "")) for each in traffic]


def test_apply_makes_every_object_at_once(cluster: Cluster) -> None:
    cluster.apply(SERVICES, service())
    assert cluster.names(CONFIGURATIONS) == cluster.names(ROUTES) == ["hello"]
    assert cluster.names(REVISIONS) == [ONE]
    assert cluster.names(DEPLOYMENTS) == [f"{ONE}-deployment"]
    status = cluster.get(SERVICES, "hello")["status"]
    assert status["url"] == "http://hello.default.example.com" or "svc.cluster.local" in status["url"]
    assert status["latestCreatedRevisionName"] == ONE
    assert "latestReadyRevisionName" not in status
    assert cluster.condition(SERVICES, "hello")[0] == "Unknown"


def test_the_url_is_in_the_configured_domain(make_cluster: type[Cluster]) -> None:
    cluster = make_cluster({"config-domain": {"example.com": ""}})
    cluster.apply(SERVICES, service())
    assert cluster.get(SERVICES, "hello")["status"]["url"] == "http://hello.default.example.com"
    assert cluster.get(ROUTES, "hello")["status"]["address"] == {
        "url": "http://hello.default.svc.cluster.local"
    }


def test_a_ready_pod_makes_all_of_it_ready(ready: Cluster) -> None:
    for resource, name in (
        (REVISIONS, ONE),
        (CONFIGURATIONS, "hello"),
        (ROUTES, "hello"),
        (SERVICES, "hello"),
    ):
        assert ready.condition(resource, name) == ("True", "", "")
        meta, status = ready.get(resource, name)["metadata"], ready.get(resource, name)["status"]
        assert status["observedGeneration"] == meta["generation"]
    assert shares(ready) == shares(ready, SERVICES) == [(ONE, 100, "")]
    assert ready.condition(ROUTES, "hello", "CertificateProvisioned")[:2] == ("True", "TLSNotEnabled")
    assert ready.condition(REVISIONS, ONE, "Active")[0] == "True"


def test_children_carry_names_labels_and_owners(ready: Cluster) -> None:
    configuration, revision = ready.get(CONFIGURATIONS, "hello"), ready.get(REVISIONS, ONE)
    assert labels(configuration)["team"] == "red"
    assert labels(configuration)["serving.knative.dev/service"] == "hello"
    assert labels(revision)["serving.knative.dev/configurationGeneration"] == "1"
    assert labels(revision)["serving.knative.dev/routingState"] == "active"
    assert annotations(revision)["serving.knative.dev/routes"] == "hello"
    deployment = ready.get(DEPLOYMENTS, f"{ONE}-deployment")
    owners = [
        each["metadata"]["ownerReferences"][0]["kind"] for each in (configuration, revision, deployment)
    ]
    assert owners == ["Service", "Configuration", "Revision"]


def test_a_settled_cluster_writes_nothing_more(ready: Cluster) -> None:
    ready.due.update(dict.fromkeys(ready.world.all_work()))
    ready.settle()
    assert ready.writes == []
    assert ready.notes == []


def test_a_revision_without_pods_stays_ready_and_tells_that_it_idles(ready: Cluster) -> None:
    ready.scale(ONE, 0, ready=1)
    assert ready.writes == []
    ready.scale(ONE, 0)
    assert ready.condition(REVISIONS, ONE)[0] == "True"
    assert ready.condition(REVISIONS, ONE, "Active")[:2] == ("False", "NoTraffic")
    assert ready.condition(SERVICES, "hello")[0] == "True"
    assert ready.writes == [("SetStatus", "Revision", ONE)]


def test_a_wake_costs_one_write(ready: Cluster) -> None:
    ready.scale(ONE, 0)
    ready.writes.clear()
    ready.scale(ONE, 1, ready=0)
    ready.scale(ONE, 1, ready=1)
    assert ready.writes == [("SetStatus", "Revision", ONE)]
    status = ready.get(REVISIONS, ONE)["status"]
    assert (status["actualReplicas"], status["desiredReplicas"]) == (1, 1)
    assert ready.condition(REVISIONS, ONE, "Active")[0] == "True"


def test_an_update_moves_traffic_only_when_the_new_revision_is_ready(ready: Cluster) -> None:
    update(ready, target="Grey")
    assert ready.names(REVISIONS) == [ONE, TWO]
    assert shares(ready) == [(ONE, 100, "")]
    assert ready.condition(SERVICES, "hello")[0] == "Unknown"
    ready.scale(TWO, 1)
    assert shares(ready) == [(TWO, 100, "")]
    status = ready.get(SERVICES, "hello")["status"]
    assert (status["latestCreatedRevisionName"], status["latestReadyRevisionName"]) == (TWO, TWO)
    assert ready.condition(SERVICES, "hello")[0] == "True"


def test_the_old_revision_is_kept_in_reserve(ready: Cluster) -> None:
    update(ready, target="Grey")
    ready.scale(TWO, 1)
    assert labels(ready.get(REVISIONS, ONE))["serving.knative.dev/routingState"] == "reserve"
    reachable = [
        annotations(ready.get(DEPLOYMENTS, f"{revision}-deployment"))["zerogate.dev/reachable"]
        for revision in (ONE, TWO)
    ]
    assert reachable == ["false", "true"]
    template = ready.get(DEPLOYMENTS, f"{ONE}-deployment")["spec"]["template"]
    assert "zerogate.dev/reachable" not in template["metadata"]["annotations"]


def test_labels_annotations_and_traffic_make_no_revision(ready: Cluster) -> None:
    again = copy.deepcopy(ready.get(SERVICES, "hello"))
    again["metadata"]["labels"] = {"team": "blue"}
    again["metadata"]["annotations"] = {"note": "x"}
    again["spec"]["traffic"] = [{"revisionName": ONE, "percent": 100, "tag": "stable"}]
    ready.apply(SERVICES, again)
    assert ready.names(REVISIONS) == [ONE]
    assert labels(ready.get(CONFIGURATIONS, "hello"))["team"] == "blue"
    assert shares(ready) == [(ONE, 100, "stable")]


def test_applying_the_same_again_changes_nothing(ready: Cluster) -> None:
    update(ready)
    assert ready.names(REVISIONS) == [ONE]
    assert ready.writes == []


def test_a_grey_release_splits_and_gives_the_tag_a_host(ready: Cluster) -> None:
    traffic = [
        {"revisionName": ONE, "percent": 80},
        {"latestRevision": True, "percent": 20, "tag": "canary"},
    ]
    update(ready, target="Grey", traffic=traffic)
    assert shares(ready) == [(ONE, 80, ""), (ONE, 20, "canary")], (
        "the new one is not ready: latest is the old"
    )
    ready.scale(TWO, 1)
    assert shares(ready) == [(ONE, 80, ""), (TWO, 20, "canary")]
    last = ready.get(SERVICES, "hello")["status"]["traffic"][1]
    assert last["url"].startswith("http://canary-hello.default.")
    assert last["latestRevision"] is True
    for revision in (ONE, TWO):
        assert labels(ready.get(REVISIONS, revision))["serving.knative.dev/routingState"] == "active"


def test_a_rollback_leads_to_the_old_revision_without_a_new_one(ready: Cluster) -> None:
    update(ready, target="Grey")
    ready.scale(TWO, 1)
    ready.scale(ONE, 0)
    update(ready, target="Grey", traffic=[{"revisionName": ONE, "percent": 100}])
    assert ready.names(REVISIONS) == [ONE, TWO]
    assert shares(ready) == [(ONE, 100, "")]
    assert ready.condition(SERVICES, "hello")[0] == "True"
    assert labels(ready.get(REVISIONS, TWO))["serving.knative.dev/routingState"] == "reserve"
    assert labels(ready.get(REVISIONS, ONE))["serving.knative.dev/routingState"] == "active"


def container(**state: Any) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "user-container", "ready": False, **state}]}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, "message": message}}}


FAILURES = [
    (
        container(**waiting("ImagePullBackOff", "no image; add it to config-images")),
        "ResourcesAvailable",
        "ImagePullBackOff",
        "add it to config-images",
    ),
    (
        container(
            **waiting("CrashLoopBackOff", "back-off 10s"),
            lastState={"terminated": {"exitCode": 3, "message": "no such file"}},
        ),
        "ContainerHealthy",
        "ExitCode3",
        "Container failed with: exit code 3, CrashLoopBackOff: no such file",
    ),
    (
        container(state={"terminated": {"exitCode": 0, "reason": "Completed"}}),
        "ContainerHealthy",
        "ExitCode0",
        "Completed",
    ),
    (
        {
            "conditions": [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "Unschedulable",
                    "message": "0/1 nodes fit",
                }
            ]
        },
        "ResourcesAvailable",
        "Unschedulable",
        "0/1 nodes fit",
    ),
    (
        {
            "phase": "Running",
            "message": "container user-container listens on 9999, not on $PORT (8080)",
            "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}],
        },
        "ContainerHealthy",
        "WrongPort",
        "listens on 9999, not on $PORT",
    ),
]


@pytest.mark.parametrize(("status", "condition", "reason", "message"), FAILURES)
def test_a_pod_that_cannot_start_says_why_at_once(
    cluster: Cluster, status: dict[str, Any], condition: str, reason: str, message: str
) -> None:
    cluster.apply(SERVICES, service())
    cluster.pod(ONE, **status)
    assert cluster.condition(REVISIONS, ONE, condition)[:2] == ("False", reason)
    assert message in cluster.condition(REVISIONS, ONE)[2]
    assert cluster.condition(CONFIGURATIONS, "hello")[:2] == ("False", "RevisionFailed")
    state, why, words = cluster.condition(SERVICES, "hello")
    assert (state, why) == ("False", "RevisionFailed")
    assert message in words
    cluster.scale(ONE, 1)
    assert cluster.condition(SERVICES, "hello")[0] == "True"


def test_a_pod_that_is_just_starting_is_no_failure(cluster: Cluster) -> None:
    cluster.apply(SERVICES, service())
    cluster.pod(ONE, **container(**waiting("ContainerCreating")))
    assert cluster.condition(REVISIONS, ONE)[:2] == ("Unknown", "Deploying")


LOST = {"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown", "message": "nobody saw it"}}


@pytest.mark.parametrize(
    "state",
    [
        {"state": LOST},
        {"state": {"running": {}}, "lastState": LOST},
        {**waiting("ContainerCreating"), "lastState": LOST},
        {"state": {"running": {}}, "lastState": {"terminated": {"exitCode": 143, "reason": "Error"}}},
    ],
)
def test_an_end_that_is_over_or_that_nobody_saw_is_no_failure(ready: Cluster, state: dict[str, Any]) -> None:
    """A node that died took its containers along; one that runs again gets its chance: no word of trouble."""
    ready.scale(ONE, 1, ready=0)
    ready.pod(ONE, **container(**state))
    assert ready.condition(REVISIONS, ONE)[0] == "True"
    assert ready.notes == []


@pytest.mark.parametrize(
    ("type_", "status", "reason"),
    [("Progressing", "False", "ProgressDeadlineExceeded"), ("ReplicaFailure", "True", "FailedCreate")],
)
def test_what_the_deployment_says_against_it_is_copied(
    cluster: Cluster, type_: str, status: str, reason: str
) -> None:
    cluster.apply(SERVICES, service())
    deployment = copy.deepcopy(cluster.get(DEPLOYMENTS, f"{ONE}-deployment"))
    deployment["status"] = {
        "conditions": [{"type": type_, "status": status, "reason": reason, "message": "why"}]
    }
    cluster.objects[DEPLOYMENTS, ("default", f"{ONE}-deployment")] = deployment
    cluster.tell(DEPLOYMENTS, ("default", f"{ONE}-deployment"), deployment)
    cluster.settle()
    assert cluster.condition(REVISIONS, ONE, "ResourcesAvailable") == ("False", reason, "why")


def test_a_failing_new_revision_leaves_traffic_on_the_old_one(ready: Cluster) -> None:
    update(ready, target="Broken")
    ready.pod(TWO, **FAILURES[0][0])
    assert shares(ready) == [(ONE, 100, "")]
    status = ready.get(SERVICES, "hello")["status"]
    assert (status["latestCreatedRevisionName"], status["latestReadyRevisionName"]) == (TWO, ONE)
    assert ready.condition(SERVICES, "hello", "RoutesReady")[0] == "True"
    assert ready.condition(SERVICES, "hello")[:2] == ("False", "RevisionFailed")
    ready.scale(TWO, 0)
    assert ready.condition(REVISIONS, TWO)[1] == "ImagePullBackOff", "the reason outlives the pods"
    update(ready, target="Good")
    ready.scale(THREE, 1)
    assert shares(ready) == [(THREE, 100, "")]


def test_a_revision_that_never_came_up_and_was_given_up_says_so(cluster: Cluster) -> None:
    cluster.apply(SERVICES, service())
    cluster.scale(ONE, 0, given_up="not ready after 630 s", is_complete=True)
    assert cluster.condition(REVISIONS, ONE) == (
        "False",
        "ProgressDeadlineExceeded",
        "Initial scale was never achieved.",
    )


def test_a_revision_whose_pod_came_and_went_unseen_was_ready(cluster: Cluster) -> None:
    """The controller's watch may have been away for so long. Only what was ready goes to zero without a word
    of having been given up; a Deployment that was not looked at since says nothing.
    """
    cluster.apply(SERVICES, service())
    cluster.scale(ONE, 0)
    assert cluster.condition(REVISIONS, ONE)[:2] == ("Unknown", "Deploying")
    cluster.scale(ONE, 0, is_complete=True)
    assert cluster.condition(REVISIONS, ONE)[0] == "True"
    assert cluster.condition(SERVICES, "hello")[0] == "True"
    cluster.scale(ONE, 1, ready=0)
    cluster.scale(ONE, 0, given_up="not ready after 630 s", is_complete=True)
    assert cluster.condition(REVISIONS, ONE)[0] == "True", "it is proven"


def test_a_proven_revision_may_be_routed_to_although_its_last_pod_crashed(ready: Cluster) -> None:
    update(ready, target="Grey")
    ready.scale(TWO, 1)
    ready.scale(ONE, 1, ready=0)
    ready.pod(ONE, **FAILURES[1][0])
    ready.scale(ONE, 0)
    assert ready.condition(REVISIONS, ONE)[0] == "False"
    update(ready, target="Grey", traffic=[{"revisionName": ONE, "percent": 100}])
    assert shares(ready) == [(ONE, 100, "")]


def test_before_anything_is_ready_requests_go_to_the_latest_one_made(cluster: Cluster) -> None:
    """So that they are held until it is ready, or told why it can't be."""
    cluster.apply(SERVICES, service())
    assert shares(cluster) == [(ONE, 100, "")]
    assert cluster.condition(ROUTES, "hello")[:2] == ("Unknown", "RevisionMissing")
    cluster.pod(ONE, **FAILURES[0][0])
    assert shares(cluster) == [(ONE, 100, "")]
    assert cluster.condition(ROUTES, "hello")[:2] == ("False", "RevisionMissing")
    update(cluster, target="Mended")
    assert shares(cluster) == [(TWO, 100, "")]
    cluster.scale(TWO, 1)
    assert cluster.condition(SERVICES, "hello")[0] == "True"
    assert shares(cluster) == [(TWO, 100, "")]


def test_one_bad_entry_leaves_the_old_routing(ready: Cluster) -> None:
    traffic = [{"revisionName": ONE, "percent": 50}, {"revisionName": "hello-00009", "percent": 50}]
    update(ready, traffic=traffic)
    assert shares(ready) == [(ONE, 100, "")]
    expected = ("False", "RevisionMissing", 'Revision "hello-00009" referenced in traffic not found.')
    assert ready.condition(ROUTES, "hello", "AllTrafficAssigned") == expected
    assert ready.condition(SERVICES, "hello") == expected


def test_a_route_may_not_lead_to_another_services_revision(ready: Cluster) -> None:
    ready.apply(SERVICES, service("other"))
    ready.scale("other-00001", 1)
    update(ready, traffic=[{"revisionName": "other-00001", "percent": 100}])
    assert ready.condition(ROUTES, "hello")[1:] == (
        "RevisionNotOwned",
        'Revision "other-00001" belongs to Service "other".',
    )


def test_a_route_of_its_own_follows_a_configuration(ready: Cluster) -> None:
    route = {
        "metadata": {"name": "other"},
        "spec": {"traffic": [{"configurationName": "hello", "percent": 100}]},
    }
    ready.apply(ROUTES, route)
    assert ready.get(ROUTES, "other")["status"]["traffic"][0]["revisionName"] == ONE
    assert annotations(ready.get(REVISIONS, ONE))["serving.knative.dev/routes"] == "hello,other"
    ready.delete(ROUTES, "other")
    assert annotations(ready.get(REVISIONS, ONE))["serving.knative.dev/routes"] == "hello"


def test_a_route_to_nothing_says_what_is_missing(cluster: Cluster) -> None:
    route = {"metadata": {"name": "r"}, "spec": {"traffic": [{"configurationName": "none", "percent": 100}]}}
    cluster.apply(ROUTES, route)
    assert cluster.condition(ROUTES, "r", "AllTrafficAssigned")[:2] == ("False", "ConfigurationMissing")


def test_deleting_the_service_deletes_everything_and_it_can_come_again(ready: Cluster) -> None:
    ready.delete(SERVICES, "hello")
    assert ready.objects == {}
    ready.apply(SERVICES, service())
    ready.scale(ONE, 1)
    assert ready.condition(SERVICES, "hello")[0] == "True"


def test_a_service_that_comes_again_waits_until_its_former_revision_is_gone(ready: Cluster) -> None:
    former = ready.get(REVISIONS, ONE)
    ready.delete(SERVICES, "hello")
    ready.objects[REVISIONS, ("default", ONE)] = former
    ready.tell(REVISIONS, ("default", ONE), former)
    ready.apply(SERVICES, service())
    assert ready.condition(CONFIGURATIONS, "hello")[:2] == ("Unknown", "RevisionDeleting")
    ready.delete(REVISIONS, ONE)
    ready.scale(ONE, 1)
    assert ready.condition(SERVICES, "hello")[0] == "True"


@pytest.mark.parametrize(
    "gone",
    [(CONFIGURATIONS, "hello"), (ROUTES, "hello"), (REVISIONS, ONE), (DEPLOYMENTS, f"{ONE}-deployment")],
)
def test_what_somebody_deletes_is_made_again(ready: Cluster, gone: tuple[Resource, str]) -> None:
    ready.delete(*gone)
    assert ready.get(*gone) is not None
    ready.scale(ONE, 1)
    assert ready.condition(SERVICES, "hello")[0] == "True"


def test_a_child_of_somebody_else_is_left_alone(cluster: Cluster) -> None:
    template = service()["spec"]["template"]
    head = {"apiVersion": "serving.knative.dev/v1", "kind": "Configuration", "metadata": {"name": "hello"}}
    cluster.apply(CONFIGURATIONS, {**head, "spec": {"template": template}})
    cluster.apply(SERVICES, service())
    assert cluster.condition(SERVICES, "hello", "ConfigurationsReady")[:2] == ("False", "NotOwned")


def test_a_template_may_bring_its_own_name(cluster: Cluster) -> None:
    cluster.apply(SERVICES, named("hello-blue"))
    assert cluster.names(REVISIONS) == ["hello-blue"]
    cluster.scale("hello-blue", 1)
    new = named("hello-green", target="Green")
    cluster.apply(SERVICES, {**new, "metadata": {**cluster.get(SERVICES, "hello")["metadata"]}})
    cluster.scale("hello-green", 1)
    assert shares(cluster) == [("hello-green", 100, "")]
    back = named("hello-blue")
    cluster.apply(SERVICES, {**back, "metadata": {**cluster.get(SERVICES, "hello")["metadata"]}})
    assert shares(cluster) == [("hello-blue", 100, "")], (
        "an identical spec under an earlier name is that revision"
    )


def test_a_name_that_is_taken_is_said(cluster: Cluster) -> None:
    cluster.apply(SERVICES, named("hello-blue"))
    cluster.scale("hello-blue", 1)
    green = named("hello-green", target="Green")
    cluster.apply(SERVICES, {**green, "metadata": {**cluster.get(SERVICES, "hello")["metadata"]}})
    other = named("hello-blue", target="Other")
    cluster.apply(SERVICES, {**other, "metadata": {**cluster.get(SERVICES, "hello")["metadata"]}})
    assert cluster.condition(SERVICES, "hello")[:2] == ("False", "RevisionNameTaken")


def named(revision: str, *, target: str = "World") -> Obj:
    obj = service(target=target)
    obj["spec"]["template"]["metadata"]["name"] = revision
    return obj


def test_a_host_that_is_taken_is_said_and_given_over_later(make_cluster: type[Cluster]) -> None:
    cluster = make_cluster({"config-domain": {"example.com": ""}}, localhost_alias=True)
    cluster.apply(SERVICES, service("canary-hello"))
    cluster.scale("canary-hello-00001", 1)
    traffic = [{"latestRevision": True, "percent": 100, "tag": "canary"}]
    cluster.apply(SERVICES, service(traffic=traffic))
    cluster.scale(ONE, 1)
    state, reason, message = cluster.condition(ROUTES, "hello", "IngressReady")
    assert (state, reason) == ("False", "HostTaken")
    assert message == "canary-hello.default.example.com belongs to Route default/canary-hello."
    assert cluster.condition(SERVICES, "canary-hello")[0] == "True"
    assert ("HostTaken", message) in cluster.notes
    cluster.delete(SERVICES, "canary-hello")
    assert cluster.condition(SERVICES, "hello")[0] == "True"


def test_a_plain_deployment_is_told_that_its_host_is_taken(ready: Cluster) -> None:
    host = ready.get(ROUTES, "hello")["status"]["url"].removeprefix("http://")
    plain = plain_deployment(annotations={"zerogate.dev/host": host})
    ready.apply(DEPLOYMENTS, plain)
    assert ready.notes == [("HostTaken", f"{host} belongs to Route default/hello.")]


@pytest.mark.parametrize(
    ("annotations", "labels", "reason", "said"),
    [
        ({}, MARKED, "NoHost", "zerogate.dev/host"),
        (HOSTED, {"app": "shop"}, "NotSeen", 'zerogate.dev/scale: "true"'),
        (HOSTED | {"zerogate.dev/timeout-seconds": "soon"}, MARKED, "BadValue", "'soon' is not a number"),
        (
            HOSTED | {"autoscaling.knative.dev/target": "x"},
            MARKED,
            "BadValue",
            "autoscaling.knative.dev/target: ",
        ),
        (HOSTED, MARKED, "", ""),
    ],
)
def test_a_plain_deployment_is_told_what_is_missing(
    make_cluster: type[Cluster], annotations: dict[str, str], labels: dict[str, str], reason: str, said: str
) -> None:
    """By an Event that names the label or annotation; nothing of the Deployment is written."""
    cluster = make_cluster({"config-domain": {"example.com": ""}})
    cluster.apply(DEPLOYMENTS, plain_deployment(annotations=annotations, labels=labels))
    assert [told for told, _ in cluster.notes] == ([reason] if reason else [])
    assert all(said in message for _, message in cluster.notes)
    assert cluster.writes == []


def test_a_cluster_local_service_has_an_inner_url(make_cluster: type[Cluster]) -> None:
    cluster = make_cluster({"config-domain": {"example.com": ""}})
    obj = service()
    obj["metadata"]["labels"] = {"networking.knative.dev/visibility": "cluster-local"}
    cluster.apply(SERVICES, obj)
    assert cluster.get(SERVICES, "hello")["status"]["url"] == "http://hello.default.svc.cluster.local"


def test_a_change_of_the_domain_moves_the_url(ready: Cluster) -> None:
    ready.world.configure(parse_configs({"config-domain": {"new.org": ""}}))
    ready.due.update(dict.fromkeys(ready.world.all_work()))
    ready.settle()
    assert ready.get(SERVICES, "hello")["status"]["url"] == "http://hello.default.new.org"


def test_a_change_of_config_defaults_makes_no_revision(ready: Cluster) -> None:
    ready.maps = {"config-defaults": {"revision-idle-timeout-seconds": "30"}}
    ready.world.configure(parse_configs(ready.maps))
    ready.due.update(dict.fromkeys(ready.world.all_work()))
    ready.settle()
    update(ready)
    assert ready.names(REVISIONS) == [ONE]
    assert ready.condition(SERVICES, "hello")[0] == "True"


def test_several_services_in_several_namespaces_do_not_meet(cluster: Cluster) -> None:
    for home in ("red", "blue"):
        obj = service()
        obj["metadata"]["namespace"] = home
        cluster.apply(SERVICES, obj)
    urls = {cluster.get(SERVICES, "hello", home)["status"]["url"] for home in ("red", "blue")}
    assert len(urls) == 2


def test_a_new_revision_that_nobody_is_routed_to_is_put_in_reserve(ready: Cluster) -> None:
    update(ready, traffic=[{"revisionName": ONE, "percent": 100}])
    update(ready, target="Aside", traffic=[{"revisionName": ONE, "percent": 100}])
    assert labels(ready.get(REVISIONS, TWO))["serving.knative.dev/routingState"] == "reserve"
    assert shares(ready) == [(ONE, 100, "")]


def test_a_change_of_shares_is_told_once(ready: Cluster) -> None:
    traffic = [{"revisionName": ONE, "percent": 80}, {"latestRevision": True, "percent": 20, "tag": "canary"}]
    update(ready, target="Grey", traffic=traffic)
    ready.scale(TWO, 1)
    told = [message for reason, message in ready.notes if reason == "Routed"]
    assert len(told) == 1
    assert told[0].endswith(f": 80 % to {ONE}, 20 % to {TWO}.")
