"""The arithmetic of rollouts: tables from Kubernetes' own rules, and properties over whole histories."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from embedded.workloads.sizing import Limits, Size, limits_of, resize, roll


@pytest.mark.parametrize(
    ("rolling", "desired", "expected"),
    [
        ({}, 4, Limits(1, 1)),
        ({}, 10, Limits(3, 2)),
        ({}, 1, Limits(1, 0)),
        ({}, 0, Limits(0, 0)),
        ({"maxSurge": 0, "maxUnavailable": 0}, 3, Limits(0, 1)),
        ({"maxSurge": "100%", "maxUnavailable": "0%"}, 3, Limits(3, 0)),
        ({"maxSurge": 2, "maxUnavailable": 5}, 3, Limits(2, 3)),
    ],
)
def test_surge_is_rounded_up_and_unavailable_down(
    rolling: dict[str, Any], desired: int, expected: Limits
) -> None:
    """25 % by default; both 0 would never move, so one may be unavailable."""
    assert limits_of({"type": "RollingUpdate", "rollingUpdate": rolling}, desired) == expected


@pytest.mark.parametrize(
    ("desired", "limits", "new", "old", "expected"),
    [
        # a first rollout, and one that is through
        (3, Limits(1, 0), Size("n", 0), [], {"n": 3}),
        (3, Limits(1, 0), Size("n", 3, 3), [Size("o", 0)], {}),
        # growing as the surge allows, then waiting for the new pod
        (4, Limits(1, 1), Size("n", 0), [Size("o", 4, 4)], {"n": 1}),
        (4, Limits(1, 1), Size("n", 1, 0), [Size("o", 4, 4)], {"o": 3}),
        (4, Limits(1, 0), Size("n", 1, 0), [Size("o", 4, 4)], {}),
        (4, Limits(1, 0), Size("n", 1, 1), [Size("o", 4, 4)], {"o": 3}),
        # pods that never served go first, whatever the new ones do
        (10, Limits(2, 2), Size("n", 0), [Size("o", 10, 8)], {"n": 2}),
        (10, Limits(0, 2), Size("n", 0), [Size("o", 10, 8)], {"o": 8}),
        (3, Limits(1, 0), Size("n", 1, 0), [Size("a", 1, 0), Size("b", 2, 2)], {}),
        (3, Limits(1, 1), Size("n", 0, 0), [Size("a", 2, 0), Size("b", 2, 2)], {"a": 0}),
        # the new set shrinks when less is wanted
        (2, Limits(1, 0), Size("n", 5, 5), [], {"n": 2}),
    ],
)
def test_the_next_step_of_a_rolling_update(
    desired: int, limits: Limits, new: Size, old: list[Size], expected: dict[str, Any]
) -> None:
    """First the new set grows, then the old ones shrink as far as serving pods allow."""
    assert roll(desired, limits, new, old) == expected


@pytest.mark.parametrize(
    ("desired", "new", "old", "expected"),
    [
        (5, Size("n", 2, 2), [], {"n": 5}),
        (0, Size("n", 2, 2), [], {"n": 0}),
        (5, Size("n", 0), [], {"n": 5}),
        (5, None, [Size("o", 3, 3)], {"o": 5}),
        (5, None, [], {}),
        # a new set that is whole sends the others away
        (4, Size("n", 4, 4, 5), [Size("o", 1, 1, 5)], {"n": 4, "o": 0}),
        # amid an update each keeps its share: 10 + 2 surge over 8 : 4, twice as many wanted
        (20, Size("n", 4, 4, 12), [Size("o", 8, 8, 12)], {"n": 7, "o": 15}),
        (5, Size("n", 4, 4, 12), [Size("o", 8, 8, 12)], {"n": 2, "o": 5}),
        (0, Size("n", 4, 4, 12), [Size("o", 8, 8, 12)], {"n": 0, "o": 0}),
    ],
)
def test_scaling_amid_an_update_keeps_shares(
    desired: int, new: Size | None, old: list[Size], expected: dict[str, Any]
) -> None:
    """A change of size never decides a rollout."""
    limits = Limits(2, 0)
    assert resize(desired, limits, new, old) == expected


@given(
    desired=st.integers(0, 30),
    surge=st.integers(0, 10),
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=5),
)
@example(desired=1, surge=1, sizes=[1, 1, 1, 1])
def test_shares_add_up_to_what_is_wanted(desired: int, surge: int, sizes: list[int]) -> None:
    """Proportional scaling leaves nothing over and never makes a set negative."""
    limits = Limits(surge, 0)
    old = [Size(f"o{place}", size, 0, sum(sizes)) for place, size in enumerate(sizes[1:])]
    found = resize(desired, limits, Size("n", sizes[0], 0, sum(sizes)), old)
    assert all(size >= 0 for size in found.values())
    assert sum(found.values()) == (desired + surge if desired else 0)


@given(
    desired=st.integers(0, 20),
    surge=st.integers(0, 6),
    unavailable=st.integers(0, 6),
    replicas=st.lists(st.integers(0, 20), min_size=1, max_size=4),
    data=st.data(),
)
def test_a_rolling_update_converges_within_its_bounds(
    desired: int, surge: int, unavailable: int, replicas: list[int], data: st.DataObject
) -> None:
    """From any sizes, with pods that become ready at any speed: never more than desired + surge (or than
    there were), serving pods never taken below desired - unavailable, and in the end only the new set.
    """
    limits = limits_of({"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}, desired)
    sizes = {f"o{place}": size for place, size in enumerate(replicas)} | {"n": 0}
    ready = {name: data.draw(st.integers(0, size), name) for name, size in sizes.items()}
    most = max(desired + limits.surge, sum(sizes.values()))
    for _ in range(400):
        old = [Size(name, sizes[name], ready[name]) for name in sizes if name != "n"]
        step = roll(desired, limits, Size("n", sizes["n"], ready["n"]), old)
        serving = sum(ready.values())
        for name, size in step.items():
            # The ReplicaSet takes pods that do not serve first.
            ready[name] = min(ready[name], size)
            sizes[name] = size
        assert sum(sizes.values()) <= most
        if any(name != "n" for name in step):
            assert sum(ready.values()) >= min(serving, desired - limits.unavailable)
        if not step:
            late = [name for name in sizes if ready[name] < sizes[name]]
            if not late:
                break
            lucky = data.draw(st.sampled_from(late))
            ready[lucky] += 1
    assert sizes == {name: desired if name == "n" else 0 for name in sizes}
