"""Objects that went while their owners stayed."""

from kube.objects import Obj
from kube.resources import DEPLOYMENTS, REVISIONS
from serving.lost import Lost


def owned(name: str, owner: str) -> Obj:
    reference = {"kind": "Revision", "name": "r", "uid": owner, "controller": True}
    return {"metadata": {"name": name, "namespace": "default", "ownerReferences": [reference]}}


def test_what_went_is_known_until_it_is_there_again_or_its_owner_went_too() -> None:
    lost = Lost()
    for name in ("one", "two"):
        lost.went(DEPLOYMENTS, owned(name, "uid-1"))
    assert lost.has(DEPLOYMENTS, owned("one", "uid-1"))
    assert not lost.has(DEPLOYMENTS, owned("one", "uid-2")), "another owner's was never there"
    assert not lost.has(REVISIONS, owned("one", "uid-1"))
    lost.made(DEPLOYMENTS, owned("one", "uid-1"))
    assert not lost.has(DEPLOYMENTS, owned("one", "uid-1"))
    lost.forget({"metadata": {"uid": "uid-1"}})
    assert not lost.has(DEPLOYMENTS, owned("two", "uid-1"))
    assert repr(lost) == "<Lost 0>"


def test_one_that_belongs_to_nobody_is_no_trouble() -> None:
    lost = Lost()
    lost.made(DEPLOYMENTS, {"metadata": {"name": "one", "namespace": "default"}})
    assert not lost.has(DEPLOYMENTS, {"metadata": {"name": "one", "namespace": "default"}})
