"""Which host leads where, and who owns it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.objects import Obj
from serving.routing import HostClaims, HostRoute, HostTable, Rules, Split, host_of, host_table, route_claims
from serving.targets import ScaleTarget, scale_target


def route(
    name: str = "hello",
    namespace: str = "default",
    *,
    traffic: list[dict[str, Any]] | None = None,
    created: str = "2026-01-01T00:00:00Z",
    url: str | None = None,
) -> Obj:
    return {
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": created},
        "status": {
            "url": url or f"http://{name}.{namespace}.example.com",
            "traffic": traffic or [{"revisionName": f"{name}-00001", "percent": 100, "latestRevision": True}],
        },
    }


def plain(
    name: str = "shop", namespace: str = "default", *, host: str, created: str = "2026-01-01T00:00:00Z"
) -> ScaleTarget:
    return scale_target(
        {
            "metadata": {
                "name": name,
                "namespace": namespace,
                "creationTimestamp": created,
                "annotations": {"zerogate.dev/host": host},
            }
        }
    )


def public(table: HostTable) -> dict[str, HostRoute]:
    return {host: entry for host, entry in table.hosts.items() if not entry.cluster_local}


def test_a_routes_host_gets_its_splits_and_each_tag_a_host_of_its_own() -> None:
    traffic = [
        {"revisionName": "hello-00001", "percent": 80},
        {
            "revisionName": "hello-00002",
            "percent": 20,
            "tag": "canary",
            "url": "http://canary-hello.default.example.com",
        },
        {
            "revisionName": "hello-00003",
            "percent": 0,
            "tag": "next",
            "url": "http://next-hello.default.example.com",
        },
    ]
    hosts = public(host_table([route(traffic=traffic)], [], localhost_alias=False))
    assert set(hosts) == {f"{each}hello.default.example.com" for each in ("", "canary-", "next-")}
    assert hosts["hello.default.example.com"].splits == (
        Split("default", "hello-00001", 80),
        Split("default", "hello-00002", 20),
    )
    assert hosts["canary-hello.default.example.com"].splits == (Split("default", "hello-00002", 100),)
    assert hosts["next-hello.default.example.com"].tag == "next"


def test_entries_of_the_same_revision_are_merged() -> None:
    traffic = [{"revisionName": "hello-00001", "percent": 60}, {"revisionName": "hello-00001", "percent": 40}]
    table = host_table([route(traffic=traffic)], [], localhost_alias=False)
    assert table.hosts["hello.default.example.com"].splits == (Split("default", "hello-00001", 100),)


def test_the_laptop_answers_also_as_localhost() -> None:
    traffic = [{"revisionName": "a", "percent": 100, "tag": "t", "url": "http://t-hello.default.example.com"}]
    hosts = public(host_table([route(traffic=traffic)], [], localhost_alias=True))
    assert hosts["hello.default.localhost"].splits == hosts["hello.default.example.com"].splits
    assert hosts["t-hello.default.localhost"].tag == "t"


def test_internal_names_are_cluster_local() -> None:
    table = host_table([route()], [], localhost_alias=True)
    for host in ("hello.default", "hello.default.svc", "hello.default.svc.cluster.local"):
        assert table.hosts[host].cluster_local


def test_a_cluster_local_route_has_no_public_name() -> None:
    table = host_table([route(url="http://hello.default.svc.cluster.local")], [], localhost_alias=True)
    assert public(table) == {}
    assert "hello.default.svc.cluster.local" in table.hosts
    assert table.taken == ()


def test_the_oldest_route_keeps_the_host_and_the_other_is_told() -> None:
    older = route("canary-hello", created="2026-01-01T00:00:00Z")
    traffic = [
        {
            "revisionName": "x",
            "percent": 100,
            "tag": "canary",
            "url": "http://canary-hello.default.example.com",
        }
    ]
    younger = route("hello", traffic=traffic, created="2026-01-02T00:00:00Z")
    table = host_table([younger, older], [], localhost_alias=True)
    assert table.hosts["canary-hello.default.example.com"].owner == "canary-hello"
    assert table.hosts["canary-hello.default.localhost"].owner == "canary-hello"
    assert [(each.name, each.owner) for each in table.taken] == [("hello", "canary-hello")]
    assert table.taken[0].message == "canary-hello.default.example.com belongs to Route default/canary-hello."


def test_a_route_comes_before_an_older_deployment() -> None:
    deployment = plain(host="hello.default.example.com", created="2025-01-01T00:00:00Z")
    table = host_table([route()], [deployment], localhost_alias=True)
    assert table.hosts["hello.default.example.com"].owner_kind == "Route"
    assert [each.kind for each in table.taken] == ["Deployment"]


@pytest.mark.parametrize(
    ("host", "claims", "served"),
    [
        ("shop.default.example.com", {}, True),
        ("shop.default.localhost", {}, True),
        ("shop.default.svc.cluster.local", {}, True),
        ("shop.other.example.com", {}, False),
        ("example.com", {}, False),
        ("www.shop.org", {}, False),
        ("www.shop.org", {"www.shop.org": "default"}, True),
        ("www.shop.org", {"www.shop.org": "other"}, False),
        ("shop.default.example.com", {"shop.default.example.com": "other"}, False),
    ],
)
def test_a_host_outside_the_own_namespace_needs_a_domain_claim(
    host: str, claims: dict[str, str], served: bool
) -> None:
    table = host_table([], [plain(host=host)], localhost_alias=False, rules=Rules(claims=claims))
    assert (host in table.hosts) is served
    assert len(table.taken) == (0 if served else 1)


def test_a_refused_host_says_what_to_add() -> None:
    table = host_table([], [plain(host="www.shop.org")], localhost_alias=False)
    assert 'add "www.shop.org: default" to config-domain-claims' in table.taken[0].message


def test_a_route_without_traffic_keeps_its_host_but_serves_nothing() -> None:
    waiting = route(created="2025-01-01T00:00:00Z")
    waiting["status"]["traffic"] = []
    deployment = plain(host="hello.default.example.com")
    table = host_table([waiting], [deployment], localhost_alias=True)
    assert "hello.default.example.com" not in table.hosts
    assert [each.name for each in table.taken] == ["shop"]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://Hello.Default.example.com:8080/path", "hello.default.example.com"),
        ("hello.example.com.", "hello.example.com"),
        ("", ""),
        (None, ""),
    ],
)
def test_host_of(url: str | None, host: str) -> None:
    assert host_of(url) == host


steps = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "t-a", "t-b"]),
        st.sampled_from(["", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]),
        st.booleans(),
    ),
    max_size=12,
)


@given(steps)
def test_claims_kept_up_to_date_equal_a_table_made_afresh(history: list[tuple[str, str, bool]]) -> None:
    claims = HostClaims()
    routes: dict[str, Any] = {}
    for name, created, is_tagged in history:
        if not created:
            routes.pop(name, None)
            claims.replace("Route", ("default", name), [])
            continue
        traffic = [{"revisionName": "x", "percent": 100}]
        if is_tagged:
            traffic.append({"revisionName": "x", "tag": "t", "url": f"http://t-{name}.default.example.com"})
        routes[name] = route(name, traffic=traffic, created=created)
        claims.replace("Route", ("default", name), route_claims(routes[name], localhost_alias=True))
    kept, fresh = claims.table(), host_table(routes.values(), [], localhost_alias=True)
    assert kept.hosts == fresh.hosts
    assert set(kept.taken) == set(fresh.taken)
