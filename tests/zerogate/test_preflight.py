"""What a cluster must be before a program begins, and what of it is known when."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from kube.edge.client import ApiError, Client
from kube.objects import Obj
from testkit.loop.virtual_time import run
from zerogate import shipped
from zerogate.doctor import cluster
from zerogate.doctor.cluster import KINDS, ClusterFacts, unfit
from zerogate.doctor.rights import PROGRAMS, Right, is_vital, review, rights_of
from zerogate.edge import preflight
from zerogate.errors import Failed

GOOD = {"major": "1", "minor": "34", "gitVersion": "v1.34.2"}


def deployment(namespace: str, name: str, **labels: Any) -> Obj:
    return {"metadata": {"namespace": namespace, "name": name, "labels": labels}}


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (ClusterFacts(), ""),
        (ClusterFacts(GOOD, KINDS), ""),
        (ClusterFacts({**GOOD, "minor": "30+"}, KINDS), ""),
        (ClusterFacts({"major": "2", "minor": "0"}, KINDS), ""),
        (ClusterFacts({"minor": "odd"}, KINDS), ""),
        (
            ClusterFacts({"major": "1", "minor": "29", "gitVersion": "v1.29.1"}),
            "v1.29.1 is too old; use 1.30",
        ),
        (ClusterFacts(GOOD, KINDS - {"routes"}), "does not know routes.serving.knative.dev; install them"),
        (
            ClusterFacts(GOOD, KINDS, [deployment("knative-serving", "controller")]),
            "Knative Serving is installed",
        ),
        (ClusterFacts(GOOD, KINDS, [deployment("knative-serving", "mine")]), ""),
        (
            ClusterFacts(GOOD, KINDS, [deployment("kn", "x", **{cluster.KNATIVE_LABEL: cluster.KNATIVE})]),
            "(Deployment kn/x)",
        ),
        (
            ClusterFacts(GOOD, KINDS, [], [Right("list", "apps", "deployments")]),
            "the controller may not list deployments.apps; run it as ServiceAccount zerogate-controller",
        ),
        (ClusterFacts(GOOD, KINDS, [], [Right("create", "", "events")]), ""),
    ],
)
def test_a_cluster_that_will_not_do_is_said_with_the_remedy(facts: ClusterFacts, said: str) -> None:
    """What is not known is no reason."""
    problem = unfit(facts, "controller")
    assert (said in problem) if said else problem == ""


def test_a_gateway_that_may_read_serves() -> None:
    assert is_vital("activator", Right("list", "apps", "deployments"))
    assert not is_vital("activator", Right("patch", "apps", "deployments"))


def test_the_rights_asked_about_are_those_of_the_shipped_roles() -> None:
    for program in PROGRAMS:
        rights = rights_of(shipped.program_manifests(program), "sys")
        assert Right("list", "apps", "deployments") in rights
        assert {right.namespace for right in rights if right.resource == "configmaps"} == {"sys"}
    assert (
        str(Right("get", "coordination.k8s.io", "leases", "sys", "one"))
        == "get leases.coordination.k8s.io one in sys"
    )


def test_a_review_asks_for_ourselves_or_for_an_account() -> None:
    right = Right("patch", "apps", "deployments/scale")
    spec = review(right)["spec"]
    assert spec == {
        "resourceAttributes": {
            "verb": "patch",
            "group": "apps",
            "resource": "deployments",
            "subresource": "scale",
        }
    }
    spec = review(right, "zerogate-autoscaler", "sys")["spec"]
    assert spec["user"] == "system:serviceaccount:sys:zerogate-autoscaler"
    assert "system:serviceaccounts:sys" in spec["groups"]


class Answers:
    """An API server that is away at first, and then says what it is."""

    def __init__(
        self, version: dict[str, str], *, away: int = 0, status: int = 0, unknown: int = 0, unbound: int = 0
    ) -> None:
        self.version, self.away, self.status = version, away, status
        self.unknown, self.unbound = unknown, unbound

    async def request(self, method: str, path: str, **_: Any) -> tuple[int, Any]:
        if self.away and path == "/version":
            self.away -= 1
            raise ApiError(self.status, "", "away")
        if path == "/version":
            return 200, self.version
        if path.startswith("/apis/serving") and self.unknown:
            self.unknown -= 1
            return 404, {"kind": "Status", "code": 404, "reason": "NotFound"}
        if path.startswith("/apis/serving"):
            return 200, {"resources": [{"name": kind} for kind in KINDS]}
        if method == "POST":
            self.unbound -= self.unbound > 0
            return 201, {"status": {"allowed": not self.unbound}}
        return 200, {"items": [], "metadata": {"resourceVersion": "1"}}

    def watch(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[Obj]:
        raise NotImplementedError

    async def close(self) -> None:
        pass


async def begin(answers: Answers, lasts: float) -> list[str]:
    """What becomes of a program that lasts so many seconds: a line when it began, and its failure."""
    told = []
    try:
        async with preflight.passed(Client(answers, manager="test"), "activator", "sys"):
            told.append("began")
            await asyncio.sleep(lasts)
            told.append("ended")
    except Failed as failed:
        told.append(str(failed))
    return told


OLD = {"major": "1", "minor": "20", "gitVersion": "v1.20.0"}
MISSING, UNBOUND = "activator: the cluster does not know", "activator: the activator may not list"
TOO_OLD = "activator: Kubernetes v1.20.0 is too old; use 1.30 or later"


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (Answers(GOOD), ["began", "ended"]),
        (Answers(OLD), [TOO_OLD]),
        (Answers(GOOD, away=2), ["began", "ended"]),
        (Answers(OLD, away=2), ["began", TOO_OLD]),
        (Answers(OLD, away=2, status=503), ["began", TOO_OLD]),
        (Answers(GOOD, unknown=2, unbound=5), ["began", "ended"]),
        (Answers(GOOD, unknown=10**6), [MISSING]),
        (Answers(GOOD, unbound=10**6), [UNBOUND]),
        (Answers(OLD, away=10**6), ["began", "ended"]),
        (Answers(OLD, away=10**6, status=403), ["began", "ended"]),
    ],
)
def test_only_a_definite_answer_ends_a_program(
    monkeypatch: pytest.MonkeyPatch, answers: Answers, told: list[str]
) -> None:
    """An API server that is away lets it begin; when its answer comes and is bad, it ends. One that takes in
    our definitions and Roles just now is given a moment.
    """
    monkeypatch.setattr(preflight, "AGAIN", 0.01)
    monkeypatch.setattr(preflight, "SETTLES", 0.5)
    clock = SimpleNamespace(monotonic=lambda: asyncio.get_running_loop().time())
    monkeypatch.setattr(preflight, "time", clock)
    found = run(begin(answers, 0.05 if "ended" in told else 600))
    assert [line.partition(" configurations")[0].partition(" routes")[0] for line in found] == told


async def test_a_program_that_swallows_its_cancellation_ends_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As those do that treat it as being asked to end."""
    monkeypatch.setattr(preflight, "AGAIN", 0.01)
    client = Client(Answers(OLD, away=1), manager="test")

    async def program() -> None:
        async with preflight.passed(client, "activator", "sys"):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(600)

    with pytest.raises(Failed, match="too old"):
        await program()
    this = asyncio.current_task()
    assert this is not None
    assert this.cancelling() == 0
