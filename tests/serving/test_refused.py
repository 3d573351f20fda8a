"""What an API server took that it should have refused: nothing is made of it, a condition says why."""

import pytest

from kube.resources import CONFIGURATIONS, DEPLOYMENTS, REVISIONS, ROUTES, SERVICES
from serving.configs import parse_configs
from testkit.serving.cluster import Cluster
from testkit.serving.examples import revision, service

IMAGE = "spec__template__spec__containers__0__image"


@pytest.fixture
def lax(cluster: Cluster) -> Cluster:
    """A cluster that takes everything."""
    cluster.admits = False
    return cluster


def test_no_revision_is_made_of_a_template_that_is_refused(lax: Cluster) -> None:
    lax.apply(SERVICES, service(spec__template__spec__timeoutSeconds=601))
    assert lax.names(REVISIONS) == []
    state, reason, message = lax.condition(SERVICES, "hello")
    assert (state, reason) == ("False", "RevisionFailed")
    assert "spec.template.spec.timeoutSeconds: 601 is out of bounds: must be from 0 to 600" in message
    assert lax.condition(CONFIGURATIONS, "hello")[2] == message


def test_it_is_made_once_the_config_map_allows_it(lax: Cluster) -> None:
    lax.apply(SERVICES, service(spec__template__spec__timeoutSeconds=601))
    lax.world.configure(parse_configs({"config-defaults": {"max-revision-timeout-seconds": "900"}}))
    lax.due.update(dict.fromkeys(lax.world.all_work()))
    lax.settle()
    assert lax.names(REVISIONS) == ["hello-00001"]


def test_a_refused_update_leaves_the_former_revision_serving(lax: Cluster) -> None:
    lax.apply(SERVICES, service())
    lax.scale("hello-00001", 1)
    before = lax.get(ROUTES, "hello")["status"]["traffic"]
    lax.apply(SERVICES, service(**{IMAGE: "two words"}))
    assert lax.names(REVISIONS) == ["hello-00001"]
    assert lax.condition(SERVICES, "hello")[0] == "False"
    assert lax.get(ROUTES, "hello")["status"]["traffic"] == before


def test_entries_that_are_refused_are_not_followed(lax: Cluster) -> None:
    lax.apply(SERVICES, service())
    lax.scale("hello-00001", 1)
    before = lax.get(ROUTES, "hello")["status"]["traffic"]
    lax.apply(SERVICES, service(spec__traffic=[{"percent": 100, "tag": "x" * 60}]))
    state, reason, message = lax.condition(ROUTES, "hello", "AllTrafficAssigned")
    assert (state, reason) == ("False", "Refused")
    assert message.startswith("spec.traffic[0].tag: 'xxx")
    assert lax.get(ROUTES, "hello")["status"]["traffic"] == before
    lax.apply(SERVICES, service(spec__traffic=[{"percent": 100, "tag": "x"}]))
    assert lax.condition(SERVICES, "hello")[0] == "True"


def test_entries_that_were_followed_stay_so_when_the_config_maps_become_stricter(lax: Cluster) -> None:
    lax.apply(SERVICES, service(spec__traffic=[{"percent": 100, "tag": "x" * 40}]))
    lax.scale("hello-00001", 1)
    long = {"config-network": {"tag-template": "a-long-prefix-for-tags-{{.Tag}}-{{.Name}}"}}
    lax.world.configure(parse_configs(long))
    lax.due.update(dict.fromkeys(lax.world.all_work()))
    lax.settle()
    assert lax.condition(SERVICES, "hello")[0] == "True"


def test_nothing_runs_for_a_revision_of_a_users_own_that_is_refused(lax: Cluster) -> None:
    lax.apply(REVISIONS, revision(spec__containerConcurrency=1001))
    assert lax.names(DEPLOYMENTS) == []
    state, reason, message = lax.condition(REVISIONS, "hello-00001", "ResourcesAvailable")
    assert (state, reason) == ("False", "Refused")
    assert message == "spec.containerConcurrency: 1001 is out of bounds: must be from 0 to 1000"
