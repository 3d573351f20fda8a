"""What is refused at apply time: each row names the field and what the message must contain."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kube.objects import Obj
from kube.resources import CONFIGMAPS, CONFIGURATIONS, PODS, REVISIONS, ROUTES, SERVICES, Resource
from serving.configs import parse_configs
from serving.rules.defaults import fill_in
from serving.rules.rows import rows
from serving.validation import Refused, admit
from testkit.serving.examples import (
    BOX,
    BY_ITSELF,
    C0,
    CHANGES,
    GOOD,
    GOOD_MAPS,
    OF_MAPS,
    UNKNOWN,
    WITH_MAPS,
    Example,
    annotated,
    config_map,
    revision,
    service,
)


def refusals(
    obj: Obj, *, resource: Resource = SERVICES, old: Obj | None = None, configs: dict[str, Any] | None = None
) -> list[tuple[str, str]]:
    try:
        admit(resource, obj, old, configs or {})
    except Refused as refused:
        return [(each.path, each.message) for each in refused.errors]
    return []


def test_the_sample_is_taken() -> None:
    assert refusals(service()) == []


@pytest.mark.parametrize("example", [*BY_ITSELF, *CHANGES, *WITH_MAPS], ids=str)
def test_what_is_wrong_is_refused_by_its_path(example: Example) -> None:
    """Nothing else is found fault with, the parts of a row that breaks two rules apart."""
    old = example.old and admit(example.resource, example.old, None, {})
    found = refusals(example.obj, resource=example.resource, old=old, configs=example.configs)
    assert any(path == example.path and example.message in text for path, text in found), found
    assert len({path.split("[")[0] for path, _ in found}) == 1


@pytest.mark.parametrize(("path", "value", "field"), UNKNOWN)
def test_a_field_that_a_revision_does_not_have_is_refused(path: str, value: Any, field: str) -> None:
    found = refusals(service(**{path: value}))
    assert [each for each, _ in found] == [field]
    assert "must not set the field" in found[0][1]


@pytest.mark.parametrize("obj", GOOD, ids=lambda obj: obj["kind"])
def test_what_is_right_is_taken(obj: Obj) -> None:
    resource = {each.kind: each for each in (SERVICES, ROUTES, REVISIONS)}[obj["kind"]]
    assert refusals(obj, resource=resource) == []


@pytest.mark.parametrize(("name", "data"), GOOD_MAPS)
def test_a_good_config_map_is_taken(name: str, data: dict[str, str]) -> None:
    assert refusals(config_map(name, data), resource=CONFIGMAPS) == []


def test_every_rule_has_an_example() -> None:
    """Each row of the table is met by something that is refused."""
    told = []
    for example in [*BY_ITSELF, *CHANGES, *WITH_MAPS, *OF_MAPS]:
        old = example.old and admit(example.resource, example.old, None, {})
        told += refusals(example.obj, resource=example.resource, old=old, configs=example.configs)
    alone = [str(row) for row in rows() if not any(row.is_met_by(*each) for each in told)]
    assert alone == []


def test_the_limits_of_config_autoscaler_hold() -> None:
    configs = {
        "config-autoscaler": {"max-scale-limit": "5", "max-scale": "5", "allow-zero-initial-scale": "true"}
    }
    assert refusals(annotated(initial_scale="0"), configs=configs) == []
    assert "must be from 1 to 5" in refusals(annotated(max_scale="6"), configs=configs)[0][1]
    assert "max-scale=0 (unlimited)" in refusals(annotated(max_scale="0"), configs=configs)[0][1]


def test_networking_annotations_belong_on_the_service() -> None:
    obj = service()
    obj["spec"]["template"]["metadata"]["annotations"] = {"networking.knative.dev/http-protocol": "x"}
    assert "invalid key name" in refusals(obj)[0][1]


def test_all_refusals_come_together() -> None:
    obj = service(spec__traffic=[{"percent": 90}], **{C0 + "image": None, C0 + "ports__0__containerPort": 0})
    assert len(refusals(obj)) == 3


def test_defaults_of_the_schema_are_filled_in() -> None:
    spec = admit(SERVICES, service(), None, {})["spec"]
    assert spec["traffic"] == [{"latestRevision": True, "percent": 100}]
    assert spec["template"] == service()["spec"]["template"]
    tagged = service(spec__traffic=[{"percent": 100}, {"tag": "t"}])
    assert [each["percent"] for each in admit(SERVICES, tagged, None, {})["spec"]["traffic"]] == [100, 0]


def pod(configs: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """The spec of a revision of the manifest, as the controller makes it."""
    obj = {"metadata": {"name": "hello-00001"}, "spec": service(**changes)["spec"]["template"]["spec"]}
    fill_in(REVISIONS, obj, parse_configs(configs or {}).defaults)
    found: dict[str, Any] = obj["spec"]
    return found


def test_a_revision_gets_the_defaults_of_the_config_maps() -> None:
    spec = pod()
    assert (spec["timeoutSeconds"], spec["containerConcurrency"], spec["enableServiceLinks"]) == (
        300,
        0,
        False,
    )
    assert "responseStartTimeoutSeconds" not in spec
    assert spec["containers"][0]["name"] == "user-container"
    assert spec["containers"][0]["readinessProbe"] == {"tcpSocket": {"port": 0}, "successThreshold": 1}
    assert pod({"config-defaults": {"revision-idle-timeout-seconds": "60"}})["idleTimeoutSeconds"] == 60


@pytest.mark.parametrize(("total", "start"), [(300, None), (600, 300), (299, None)])
def test_the_response_start_timeout_is_a_default_only_below_the_total(total: int, start: int | None) -> None:
    assert pod(spec__template__spec__timeoutSeconds=total).get("responseStartTimeoutSeconds") == start


def test_a_probe_with_a_period_gets_its_counts() -> None:
    probe = {"httpGet": {"path": "/up"}, "periodSeconds": 5}
    filled = pod(**{C0 + "readinessProbe": probe})["containers"][0]["readinessProbe"]
    assert filled == {**probe, "successThreshold": 1, "failureThreshold": 3, "timeoutSeconds": 1}


def test_several_containers_get_numbered_names_and_one_serves() -> None:
    obj = service()
    boxes = obj["spec"]["template"]["spec"]["containers"]
    boxes.append({"image": "side:1"})
    assert refusals(obj) == []
    revision = {"metadata": {"name": "hello-00001"}, "spec": copy.deepcopy(obj["spec"]["template"]["spec"])}
    fill_in(REVISIONS, revision, parse_configs({}).defaults)
    first, second = revision["spec"]["containers"]
    assert (first["name"], second["name"]) == ("user-container-0", "user-container-1")
    assert "readinessProbe" in first
    assert "readinessProbe" not in second
    assert "multi-container is disabled" in str(
        refusals(obj, configs={"config-features": {"multi-container": "disabled"}})
    )
    del boxes[0]["ports"]
    assert "exactly one" in refusals(obj)[0][1]


def test_what_is_given_is_not_changed() -> None:
    obj = service()
    before = copy.deepcopy(obj)
    admit(SERVICES, obj, None, {})
    assert obj == before


def test_a_revision_never_changes() -> None:
    changed = copy.deepcopy(revision())
    changed["spec"]["containers"][0]["image"] = "other:2"
    assert refusals(changed, resource=REVISIONS, old=revision())[0][0] == "spec"
    relabelled = copy.deepcopy(revision())
    relabelled["metadata"]["labels"] = {"a": "b"}
    assert refusals(relabelled, resource=REVISIONS, old=revision()) == []


def test_a_change_of_config_defaults_leaves_what_exists_alone() -> None:
    """What stricter limits exclude stays writable, but for a change of the template itself."""
    configs = {"config-defaults": {"revision-timeout-seconds": "60", "max-revision-timeout-seconds": "60"}}
    long = {"spec__template__spec__timeoutSeconds": 300}
    old = admit(SERVICES, service(**long), None, {})
    again = service(metadata__labels={"team": "red"}, spec__traffic=[{"percent": 100, "tag": "x"}], **long)
    assert admit(SERVICES, again, old, configs)["spec"]["template"] == old["spec"]["template"]
    marked = revision(spec__timeoutSeconds=300)
    marked["metadata"]["annotations"] = {"serving.knative.dev/routes": "hello"}
    assert refusals(marked, resource=REVISIONS, old=revision(spec__timeoutSeconds=300), configs=configs) == []
    assert refusals(service(**long, **{C0 + "image": "other:2"}), old=old, configs=configs) != []


def test_a_named_template_needs_a_new_name_for_a_change() -> None:
    old = admit(SERVICES, service(spec__template__metadata__name="hello-one"), None, {})
    changed = copy.deepcopy(old)
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "other:2"
    assert refusals(changed, old=old)[0][0] == "spec.template.metadata.name"
    changed["spec"]["template"]["metadata"]["name"] = "hello-two"
    assert refusals(changed, old=old) == []


def test_a_status_can_be_written_when_the_rules_became_stricter() -> None:
    old = admit(SERVICES, service(spec__template__spec__timeoutSeconds=600), None, {})
    new = {**copy.deepcopy(old), "status": {"observedGeneration": 1}}
    stricter = {"config-defaults": {"max-revision-timeout-seconds": "300"}}
    assert refusals(new, old=old, configs=stricter) == []
    assert refusals(old, configs=stricter) != []


def test_a_route_names_a_configuration_or_a_revision() -> None:
    def route(*traffic: dict[str, Any]) -> Obj:
        return {"metadata": {"name": "r", "namespace": "n"}, "spec": {"traffic": list(traffic)}}

    assert refusals(route({"configurationName": "hello", "percent": 100}), resource=ROUTES) == []
    assert refusals(route({"percent": 100}), resource=ROUTES)[0][0] == "spec.traffic[0]"
    assert refusals(route(), resource=ROUTES)[0][0] == "spec.traffic"


def test_a_configuration_is_checked_like_a_service() -> None:
    obj = {"metadata": {"name": "c", "namespace": "n"}, "spec": {"template": {"spec": {"containers": [{}]}}}}
    assert refusals(obj, resource=CONFIGURATIONS)[0][0] == f"{BOX}.image"


@pytest.mark.parametrize("example", OF_MAPS, ids=str)
def test_a_bad_value_in_a_config_map_is_refused_by_its_key(example: Example) -> None:
    found = refusals(example.obj, resource=CONFIGMAPS)
    assert [path for path, _ in found] == [example.path]
    assert example.message in found[0][1]


def test_config_maps_elsewhere_and_other_kinds_are_left_alone() -> None:
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


@settings(deadline=None)
@given(spec=st.dictionaries(words, json_values))
def test_no_shape_of_an_object_does_more_than_being_refused(spec: dict[str, Any]) -> None:
    refusals({"metadata": {"name": "hello", "namespace": "default"}, "spec": spec})
