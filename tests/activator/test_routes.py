"""Hosts lead to revisions by weight and tag, however the client spells them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.hold.throttle import Room
from activator.routes import SPARE_SPELLINGS, Picked, Router, normalised
from serving.routing import HostRoute, Split
from testkit.proxy.harness import make_revision

ROOM = Room(1, 1)


def host_route(host: str, *shares: tuple[str, int], tag: str = "", is_local: bool = False) -> HostRoute:
    splits = tuple(Split("default", name, percent) for name, percent in shares)
    return HostRoute(host, "default", "hello", "Route", tag, splits, is_local)


def router(
    *routes: HostRoute, revisions: tuple[str, str, str] = ("r1", "r2", "r3"), is_local: bool = False
) -> Router:
    known = {("default", name): make_revision(ROOM, revision=name) for name in revisions}
    made = Router(known, is_local=is_local)
    made.replace({route.host: route for route in routes})
    return made


def picked(hosts: Router, host: bytes, random: float) -> Picked:
    found = hosts.pick(host, random)
    assert found is not None
    return found


HELLO = host_route("hello.default.example.com", ("r1", 100))


@pytest.mark.parametrize(
    ("spelled", "host"),
    [
        (b"hello.example.com", "hello.example.com"),
        (b"Hello.EXAMPLE.com:8080", "hello.example.com"),
        (b"hello.example.com.", "hello.example.com"),
        (b"hello.example.com.:80", "hello.example.com"),
        (b"hello.example.com:", "hello.example.com"),
        (b"127.0.0.1:8080", "127.0.0.1"),
        (b"[::1]", "[::1]"),
        (b"[::1]:8080", "[::1]"),
        (b"[2001:DB8::1]:80", "[2001:db8::1]"),
        (b"[::1", ""),
        (b"[::1]8080", ""),
        (b"hello:http", ""),
        (b"hello:80:80", ""),
        (b"h\xc3\xa9llo", ""),
        (b"", ""),
    ],
)
def test_a_host_is_known_by_its_name(spelled: bytes, host: str) -> None:
    """Case, port and final dot do not matter; what is no host is none."""
    assert normalised(spelled) == host


@pytest.mark.parametrize(
    "spelled",
    [b"hello.default.example.com", b"HELLO.default.example.com:8080", b"hello.default.example.com."],
)
def test_every_spelling_leads_to_the_revision(spelled: bytes) -> None:
    """A request finds its revision under each spelling of the host, the first time and later."""
    hosts = router(HELLO)
    for _ in range(2):
        found = picked(hosts, spelled, 0.5)
        assert (found.revision.key[1], found.route, found.tag) == ("r1", "hello", "")


@pytest.mark.parametrize("spelled", [b"", b"other.default.example.com", b"[::1", b"default.example.com"])
def test_unknown_hosts_lead_nowhere(spelled: bytes) -> None:
    """A host that nobody owns has no revision."""
    assert router(HELLO).pick(spelled, 0.0) is None


@pytest.mark.parametrize(
    ("random", "revision"), [(0.0, "r1"), (0.799, "r1"), (0.801, "r2"), (0.999999, "r2")]
)
def test_shares_are_in_per_cent(random: float, revision: str) -> None:
    """80/20: four fifths of the random numbers lead to the first revision."""
    hosts = router(host_route("hello", ("r1", 80), ("r2", 20)))
    assert picked(hosts, b"hello", random).revision.key[1] == revision


def test_a_tag_names_itself() -> None:
    """A tag's host leads to its revision and says by which tag."""
    hosts = router(host_route("canary-hello", ("r2", 100), tag="canary"))
    found = picked(hosts, b"canary-hello", 0.0)
    assert (found.revision.key[1], found.tag) == ("r2", "canary")


def test_a_request_may_name_a_tag() -> None:
    """Where that is allowed: a tag whose revision is known leads there, whatever the shares; any other goes
    by the shares. A host that is unknown stays so.
    """
    tags = {name: Split("default", revision, 100) for name, revision in [("new", "r3"), ("lost", "r9")]}
    route = replace(host_route("hello", ("r1", 50), ("r2", 50)), tags=tuple(tags.items()))
    for is_allowed, found in [(True, ["r3", "r2", "r2"]), (False, ["r2", "r2", "r2"])]:
        hosts = router()
        hosts.replace({"hello": route}, by_tag_header=is_allowed)
        tagged = [hosts.pick_tagged(b"hello", tag, 0.7) for tag in (b"new", b"lost", b"other")]
        assert [each and each.revision.key[1] for each in tagged] == found
        assert tagged[0] is not None
        assert tagged[0].tag == ("new" if is_allowed else "")
        assert hosts.pick_tagged(b"nobody", b"new", 0.7) is None


def test_local_hosts_are_not_public() -> None:
    """A cluster-local host is unknown to the public listener and known to the local one."""
    local = host_route("hello.default.svc.cluster.local", ("r1", 100), is_local=True)
    assert router(local).pick(b"hello.default.svc.cluster.local", 0.0) is None
    assert (
        picked(router(local, is_local=True), b"hello.default.svc.cluster.local", 0.0).revision.key[1] == "r1"
    )


def test_a_share_of_an_unknown_revision_goes_to_the_known_ones() -> None:
    """No request is lost because one revision of a split is not known yet; without any there is no way."""
    hosts = router(host_route("hello", ("r1", 50), ("new", 50)))
    assert {picked(hosts, b"hello", each / 10).revision.key[1] for each in range(10)} == {"r1"}
    assert router(host_route("hello", ("new", 100))).pick(b"hello", 0.0) is None


def test_a_change_counts_for_the_next_request() -> None:
    """Cached spellings never outlive the host's entry or the set of revisions."""
    known = {("default", "r1"): make_revision(ROOM, revision="r1")}
    hosts = Router(known, is_local=False)
    hosts.settle("hello", host_route("hello", ("r1", 100)))
    assert picked(hosts, b"hello", 0.0).revision.key[1] == "r1"
    known["default", "r2"] = make_revision(ROOM, revision="r2")
    hosts.settle("hello", host_route("hello", ("r2", 100)))
    assert picked(hosts, b"hello", 0.0).revision.key[1] == "r2"
    del known["default", "r2"]
    hosts.forget()
    assert hosts.pick(b"hello", 0.0) is None
    hosts.settle("hello", None)
    assert not hosts.hosts()


def test_invented_spellings_do_not_pile_up() -> None:
    """However many spellings clients invent, what is remembered is bounded."""
    hosts = router(HELLO)
    for port in range(SPARE_SPELLINGS + 10):
        assert hosts.pick(f"hello.default.example.com:{port}".encode(), 0.0) is not None
    assert len(hosts._spelled) <= SPARE_SPELLINGS + 1


def test_each_of_many_hosts_is_remembered() -> None:
    """However many hosts there are, each is resolved once."""
    names = [f"h{number}.example.com" for number in range(2 * SPARE_SPELLINGS)]
    hosts = router(*(host_route(name, ("r1", 100)) for name in names))
    ways = [hosts.pick(name.encode(), 0.0) for name in names]
    again = [hosts.pick(name.encode(), 0.0) for name in names]
    assert all(one is other for one, other in zip(ways, again, strict=True))


@given(st.lists(st.integers(min_value=0, max_value=100), min_size=1, max_size=3).filter(any))
def test_each_share_gets_its_part_of_the_random_numbers(percents: list[int]) -> None:
    """Over evenly spread random numbers each revision is picked in proportion to its share."""
    names = ["r1", "r2", "r3"][: len(percents)]
    hosts = router(host_route("hello", *zip(names, percents, strict=True)))
    total, rounds = sum(percents), 2000
    counts = dict.fromkeys(names, 0)
    for each in range(rounds):
        counts[picked(hosts, b"hello", each / rounds).revision.key[1]] += 1
    for name, percent in zip(names, percents, strict=True):
        assert counts[name] == pytest.approx(rounds * percent / total, abs=2)
