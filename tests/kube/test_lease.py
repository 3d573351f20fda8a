"""An election by Lease: there are never two leaders, and a silent one is replaced."""

from kube.lease import Sighting, Terms, released, taken

TERMS = Terms()
EMPTY = {"metadata": {"namespace": "s", "name": "l", "resourceVersion": "1"}, "spec": {}}


def _at(lease, version):
    return {**lease, "metadata": {**lease["metadata"], "resourceVersion": version}}


def test_a_lease_that_nobody_holds_is_free():
    seen = Sighting()
    seen.see(EMPTY, now=0)
    assert seen.is_free("me", now=0)


def test_a_held_lease_is_free_for_others_only_after_its_duration_without_a_renewal():
    held = taken(EMPTY, "other", {}, TERMS, now=1_000)
    seen = Sighting()
    seen.see(_at(held, "2"), now=50)
    assert not seen.is_free("me", now=64.9)
    assert seen.is_free("other", now=50)
    seen.see(_at(held, "3"), now=60)
    assert not seen.is_free("me", now=66)
    seen.see(_at(held, "3"), now=75)
    assert seen.is_free("me", now=75)


def test_each_new_leader_has_a_higher_epoch_and_a_renewal_keeps_it():
    first = taken(EMPTY, "a", {"address": "x"}, TERMS, now=1)
    again = taken(first, "a", {}, TERMS, now=2)
    second = taken(again, "b", {"address": "y"}, TERMS, now=3)
    assert [x["spec"]["leaseTransitions"] for x in (first, again, second)] == [1, 1, 2]
    assert again["spec"]["acquireTime"] == first["spec"]["acquireTime"]
    assert second["metadata"]["annotations"] == {"address": "y"}


def test_a_released_lease_is_free_at_once_and_the_epoch_still_grows():
    held = taken(EMPTY, "a", {}, TERMS, now=1)
    seen = Sighting()
    seen.see(_at(released(held), "9"), now=1)
    assert seen.is_free("b", now=1)
    assert taken(released(held), "b", {}, TERMS, now=2)["spec"]["leaseTransitions"] == 2
