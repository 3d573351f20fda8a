"""A cache with own writes ahead of it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from embedded.workloads.backlog import PATIENCE, Backlog
from kube.objects import Obj, key

OWNER = {"metadata": {"uid": "o", "namespace": "d", "name": "o"}}


def obj(name: str = "a", version: int = 1, owner: str = "o", uid: Any = None) -> Obj:
    references = [{"uid": owner, "kind": "X", "name": owner, "controller": True}] if owner else []
    meta = {
        "name": name,
        "namespace": "d",
        "uid": uid or f"u-{name}",
        "resourceVersion": str(version),
        "ownerReferences": references,
    }
    return {"metadata": meta}


def test_an_own_write_counts_before_it_is_seen() -> None:
    """And older news of the cache does not take it back."""
    view = Backlog()
    view.see(("d", "a"), obj(version=1))
    view.wrote(obj(version=5), 0.0)
    view.see(("d", "a"), obj(version=3))
    assert view.children(OWNER)[0]["metadata"]["resourceVersion"] == "5"
    view.see(("d", "a"), obj(version=5))
    view.see(("d", "a"), obj(version=6))
    assert view.children(OWNER)[0]["metadata"]["resourceVersion"] == "6"


def test_what_we_deleted_counts_as_going() -> None:
    """Until it is gone."""
    view = Backlog()
    view.see(("d", "a"), obj())
    view.deleted("u-a", 0.0)
    assert view.children(OWNER)[0]["metadata"]["deletionTimestamp"]
    view.see(("d", "a"), None)
    assert view.children(OWNER) == []


def test_orphans_are_shown_to_every_owner_of_their_namespace() -> None:
    """They may be adopted."""
    view = Backlog()
    view.see(("d", "a"), obj(owner=""))
    assert len(view.children(OWNER)) == 1
    assert view.children({"metadata": {"uid": "o", "namespace": "else"}}) == []


def test_a_write_that_never_shows_up_is_given_up() -> None:
    """The object came and went while the watch was broken."""
    view = Backlog()
    view.wrote(obj(), 0.0)
    assert view.forget_stale(PATIENCE - 1) == []
    assert view.forget_stale(PATIENCE) == [("d", "a")]
    assert view.children(OWNER) == []


NAMES = st.sampled_from(["a", "b", "c"])
MOVES = st.lists(
    st.tuples(st.sampled_from(["see", "gone", "wrote", "stale"]), NAMES, st.sampled_from(["o", "p", ""]))
)


@given(MOVES)
def test_the_index_equals_a_recount(moves: list[tuple[str, str, str]]) -> None:
    """Whatever is seen and written: children are the objects with that owner, plus the orphans."""
    view = Backlog()
    for version, (move, name, owner) in enumerate(moves):
        if move == "gone":
            view.see(("d", name), None)
        elif move == "stale":
            view.forget_stale(version * 10.0)
        elif move == "see":
            view.see(("d", name), obj(name, version, owner))
        else:
            view.wrote(obj(name, version, owner), version * 10.0)
        wanted = {
            where
            for where, each in view.objects.items()
            if not each["metadata"]["ownerReferences"] or each["metadata"]["ownerReferences"][0]["uid"] == "o"
        }
        assert {key(each) for each in view.children(OWNER)} == wanted
