"""What fits on a node."""

import pytest

from embedded.node.capacity import Capacity, requests_of, shortages


def asking(cpu=None, memory=None, *, limits=None):
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
def test_what_fits(standing, wanted, expected):
    """The sum of requests against allocatable; a limit without a request is one; none asked, none lacked."""
    assert shortages(Capacity(2, 2**30, 3), standing, wanted) == expected


def test_a_capacity_is_spelled_as_kubernetes_does():
    """Whole cores, or millicores; memory in Ki."""
    assert Capacity(2, 2**30, 3).as_resources() == {"cpu": "2", "memory": "1048576Ki", "pods": "3"}
    assert Capacity(1.5, 2048, 3).as_resources()["cpu"] == "1500m"
    assert requests_of(asking("nonsense")).cpu == 0
