"""What fits on a node."""

from typing import Any

import pytest

from embedded.node.capacity import Capacity, misfits, requests_of, shortages


def asking(
    cpu: str | None = None, memory: str | None = None, *, limits: dict[str, str] | None = None
) -> dict[str, Any]:
    asked = {part: value for part, value in (("cpu", cpu), ("memory", memory)) if value}
    return {"spec": {"containers": [{"resources": {"requests": asked, "limits": limits or {}}}]}}


@pytest.mark.parametrize(
    ("standing", "wanted", "expected"),
    [
        ([], asking("2", "1Gi"), []),
        ([asking("1500m")], asking("500m"), []),
        ([asking("1500m")], asking("501m"), ["Insufficient cpu"]),
        ([asking(memory="1Gi")], asking(memory="1"), []),
        ([asking(memory="1Gi")], asking(memory="2Ki"), ["Insufficient memory"]),
        ([asking(), asking(), asking()], asking(), ["Too many pods"]),
        ([asking("3")], asking(), []),
        ([], asking(limits={"cpu": "3"}), ["Insufficient cpu"]),
    ],
)
def test_what_fits(standing: list[dict[str, Any]], wanted: dict[str, Any], expected: list[str]) -> None:
    """The sum of requests against allocatable; a limit without a request is one; none asked, none lacked."""
    assert shortages(Capacity(2, 2**30, 3), standing, wanted) == expected


def test_a_capacity_is_spelled_as_kubernetes_does() -> None:
    """Whole cores, or millicores; memory in Ki."""
    assert Capacity(2, 2**30, 3).as_resources() == {"cpu": "2", "memory": "1048576Ki", "pods": "3"}
    assert Capacity(1.5, 2048, 3).as_resources()["cpu"] == "1500m"
    assert requests_of(asking("nonsense")).cpu == 0


def test_a_pod_goes_where_the_labels_are_that_it_asks_for() -> None:
    """All of them, with their values; without a wish anywhere."""
    labels = {"kubernetes.io/os": "linux", "disk": "fast"}
    told = ["node(s) didn't match Pod's node affinity/selector"]
    for asked, found in (
        (None, []),
        ({"disk": "fast"}, []),
        ({"disk": "fast", "kubernetes.io/os": "linux"}, []),
        ({"disk": "slow"}, told),
        ({"disk": "fast", "zone": "a"}, told),
    ):
        assert misfits(labels, {"spec": {"nodeSelector": asked}}) == found
