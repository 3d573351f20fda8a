"""Routes and plain Deployments in, hosts that lead to revisions out."""

from typing import Any

import pytest

from activator.hold.throttle import Room
from activator.hosts import Hosts
from activator.routes import Router
from kube.objects import Obj
from serving.routing import Rules
from serving.targets import ScaleTarget, scale_target
from testkit.proxy.harness import make_revision

HELLO = "hello.default.example.com"
PLAIN = "web.default.example.com"

ROOM = Room(1, 1)


def route(
    *traffic: dict[str, Any],
    created: str = "2026-01-01T00:00:00Z",
    name: str = "hello",
    url: str = f"http://{HELLO}",
) -> Obj:
    meta = {"namespace": "default", "name": name, "creationTimestamp": created}
    return {"metadata": meta, "status": {"url": url, "traffic": list(traffic)}}


def plain(host: str, name: str = "web") -> ScaleTarget:
    meta = {"namespace": "default", "name": name, "annotations": {"zerogate.dev/host": host}}
    return scale_target({"metadata": meta, "spec": {}})


class Served:
    """Both listeners' routers over three known revisions."""

    def __init__(self, *, alias: bool = False) -> None:
        known = {("default", name): make_revision(ROOM, revision=name) for name in ("r1", "r2", "web")}
        self.public = Router(known, is_local=False)
        self.local = Router(known, is_local=True)
        self.hosts = Hosts([self.public, self.local], localhost_alias=alias)

    def at(self, host: str, random: float = 0.0) -> str | None:
        picked = self.public.pick(host.encode(), random)
        return picked.revision.key[1] if picked else None


@pytest.fixture
def served() -> Served:
    return Served()


def test_a_route_comes_changes_and_goes(served: Served) -> None:
    """Each state of a Route replaces the former one whole, tags included."""
    served.hosts.route_changed(("default", "hello"), route({"revisionName": "r1", "percent": 100}))
    assert served.at(HELLO) == "r1"
    tagged = {"revisionName": "r2", "percent": 20, "tag": "canary", "url": f"http://canary-{HELLO}"}
    served.hosts.route_changed(("default", "hello"), route({"revisionName": "r1", "percent": 80}, tagged))
    assert [served.at(HELLO, each) for each in (0.79, 0.81)] == ["r1", "r2"]
    assert served.at(f"canary-{HELLO}") == "r2"
    served.hosts.route_changed(("default", "hello"), route({"revisionName": "r2", "percent": 100}))
    assert served.at(HELLO) == "r2"
    assert served.at(f"canary-{HELLO}") is None
    served.hosts.route_changed(("default", "hello"), None)
    assert served.at(HELLO) is None


def test_localhost_names_when_asked_for() -> None:
    """With the alias a Route opens in a browser of the same machine; without it does not."""
    for alias, found in [(True, "r1"), (False, None)]:
        served = Served(alias=alias)
        served.hosts.route_changed(("default", "hello"), route({"revisionName": "r1", "percent": 100}))
        assert served.at("hello.default.localhost") == found


def test_names_of_the_cluster_are_not_public(served: Served) -> None:
    """A Route's inner name is served on the local listener alone."""
    served.hosts.route_changed(("default", "hello"), route({"revisionName": "r1", "percent": 100}))
    inner = b"hello.default.svc.cluster.local"
    assert served.public.pick(inner, 0.0) is None
    picked = served.local.pick(inner, 0.0)
    assert picked is not None
    assert picked.revision.key[1] == "r1"


def test_a_host_has_one_owner_and_the_next_in_line_inherits(served: Served) -> None:
    """The oldest Route has the host; when it goes the other one gets it."""
    older = route({"revisionName": "r1", "percent": 100})
    younger = route({"revisionName": "r2", "percent": 100}, created="2026-02-01T00:00:00Z", name="copy")
    served.hosts.route_changed(("default", "copy"), younger)
    served.hosts.route_changed(("default", "hello"), older)
    assert served.at(HELLO) == "r1"
    served.hosts.route_changed(("default", "hello"), None)
    assert served.at(HELLO) == "r2"


def test_a_plain_deployment_has_the_host_of_its_annotation(served: Served) -> None:
    """It is served while the annotation stands."""
    served.hosts.target_changed(("default", "web"), plain(PLAIN))
    assert served.at(PLAIN) == "web"
    served.hosts.target_changed(("default", "web"), None)
    assert served.at(PLAIN) is None


def test_a_foreign_host_needs_the_administrators_word(served: Served) -> None:
    """A host outside the own namespace's is served once config-domain-claims says so."""
    served.hosts.target_changed(("default", "web"), plain("shop.example.org"))
    assert served.at("shop.example.org") is None
    served.hosts.rules_changed(Rules(claims={"shop.example.org": "default"}))
    assert served.at("shop.example.org") == "web"
    served.hosts.rules_changed(Rules())
    assert served.at("shop.example.org") is None
