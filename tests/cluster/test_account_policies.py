"""What the accounts of activator and autoscaler may patch is less than Roles can say; policies can."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kube.edge.client import ApiError, Client
from kube.edge.credentials import load_credentials
from kube.edge.http import HttpTransport
from kube.objects import Obj
from kube.objects import name as name_of
from kube.resources import DEPLOYMENTS, PODS, Resource
from testkit.kubernetes.control_plane import ControlPlane

LABEL = "zerogate.dev/scale"
WAKE = {"spec": {"replicas": 1}}
RECREATE = {"type": "Recreate", "rollingUpdate": None}
ONLY_WAKES = "wakes a Deployment from 0 replicas to 1 and does nothing else"
ONLY_REPLICAS = "changes nothing of a Deployment's spec but replicas"
NO_METADATA = "changes nothing of a Deployment's metadata"
ONLY_LABELLED = "only Deployments with the label"


def deployment(name: str, replicas: int, labels: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": "x"}]},
            },
        },
    }


def spec(**fields: Any) -> dict[str, Any]:
    return {"spec": {"replicas": 1, **fields}}


def image(name: str) -> dict[str, Any]:
    return spec(template={"spec": {"containers": [{"name": "c", "image": name}]}})


REFUSED: list[tuple[str, int, dict[str, str], Obj, str]] = [
    ("0 to 2", 0, {LABEL: "true"}, {"spec": {"replicas": 2}}, f"{ONLY_WAKES}, not from 0 to 2"),
    ("1 to 0", 1, {LABEL: "true"}, {"spec": {"replicas": 0}}, f"{ONLY_WAKES}, not from 1 to 0"),
    ("1 to 2", 1, {LABEL: "true"}, {"spec": {"replicas": 2}}, f"{ONLY_WAKES}, not from 1 to 2"),
    ("label", 0, {LABEL: "true"}, {"metadata": {"labels": {"a": "b"}}, **WAKE}, NO_METADATA),
    ("nothing changed", 1, {LABEL: "true"}, {"spec": {"replicas": 1}}, f"{ONLY_WAKES}, not from 1 to 1"),
    ("no label", 0, {}, WAKE, ONLY_LABELLED),
    ("another label", 0, {LABEL: "false"}, WAKE, ONLY_LABELLED),
    ("its own label", 0, {}, {"metadata": {"labels": {LABEL: "true"}}, **WAKE}, ONLY_LABELLED),
    ("another image", 0, {LABEL: "true"}, image("evil"), ONLY_REPLICAS),
    ("paused", 0, {LABEL: "true"}, spec(paused=True), ONLY_REPLICAS),
    ("strategy", 0, {LABEL: "true"}, spec(strategy=RECREATE), ONLY_REPLICAS),
    ("minReadySeconds", 0, {LABEL: "true"}, spec(minReadySeconds=9), ONLY_REPLICAS),
    ("history", 0, {LABEL: "true"}, spec(revisionHistoryLimit=0), ONLY_REPLICAS),
    ("deadline", 0, {LABEL: "true"}, spec(progressDeadlineSeconds=9), ONLY_REPLICAS),
    ("annotation", 0, {LABEL: "true"}, {"metadata": {"annotations": {"a": "b"}}, **WAKE}, NO_METADATA),
    ("finalizer", 0, {LABEL: "true"}, {"metadata": {"finalizers": ["a.b/c"]}, **WAKE}, NO_METADATA),
]  # fmt: skip


@pytest.fixture
async def clients(installed: ControlPlane) -> AsyncIterator[dict[str, Client]]:
    """By account; "" is the administrator's. What they made is deleted afterwards."""
    files = {"": installed.kubeconfig}
    files |= {name: installed.kubeconfig_of(f"zerogate-{name}") for name in ("activator", "autoscaler")}
    made = {
        name: Client(HttpTransport(await load_credentials(str(file)), user_agent="a test"), manager="test")
        for name, file in files.items()
    }
    yield made
    admin = made[""]
    for each in (await admin.list(DEPLOYMENTS, "default"))["items"]:
        await admin.delete(DEPLOYMENTS, "default", name_of(each), propagation="Background")
    for client in made.values():
        await client.close()


async def in_force(attempt: Any) -> None:
    """Wait until what is to be refused is refused: policies that were just applied take a moment."""
    end = asyncio.get_running_loop().time() + 30
    while asyncio.get_running_loop().time() < end:
        try:
            await attempt()
        except ApiError:
            return
        await asyncio.sleep(0.1)


async def test_the_activator_may_wake_and_nothing_else(clients: dict[str, Client]) -> None:
    """Each refusal says why, and changes nothing."""
    admin, activator = clients[""], clients["activator"]

    async def attempt(name: str, patch: Obj) -> Obj:
        return await activator.patch(DEPLOYMENTS, "default", name, patch, kind="merge")

    await admin.create(DEPLOYMENTS, deployment("wakes", 0, {LABEL: "true"}))
    await in_force(lambda: attempt("wakes", {"spec": {"replicas": 0}}))
    woken = await attempt("wakes", WAKE)
    assert woken["spec"]["replicas"] == 1

    for number, (_, replicas, labels, patch, why) in enumerate(REFUSED):
        name = f"sleeps-{number}"
        before = await admin.create(DEPLOYMENTS, deployment(name, replicas, labels))
        with pytest.raises(ApiError) as refusal:
            await attempt(name, patch)
        assert why in refusal.value.message
        after = await admin.get(DEPLOYMENTS, "default", name)
        assert (after["spec"], after["metadata"].get("labels", {})) == (before["spec"], labels)


async def test_the_activator_may_not_scale_make_or_delete(clients: dict[str, Client]) -> None:
    """It has no right to, so the policy need not say it."""
    admin, activator = clients[""], clients["activator"]
    await admin.create(DEPLOYMENTS, deployment("theirs", 0, {LABEL: "true"}))
    ours = deployment("ours", 1, {LABEL: "true"})
    for attempt in (
        activator.patch(DEPLOYMENTS, "default", "theirs", WAKE, kind="merge", subresource="scale"),
        activator.create(DEPLOYMENTS, ours),
        activator.patch(DEPLOYMENTS, "default", "ours", ours, kind="apply"),
        activator.delete(DEPLOYMENTS, "default", "theirs"),
        activator.get(DEPLOYMENTS, "default", "theirs"),
    ):
        with pytest.raises(ApiError) as refusal:
            await attempt
        assert refusal.value.status == 403


async def the_pod(admin: Client) -> str:
    """The first pod that its Deployment was given."""
    async with asyncio.timeout(30):
        while not (found := (await admin.list(PODS, "default"))["items"]):
            await asyncio.sleep(0.1)
    return name_of(found[0])


def annotation(key: str, value: str | None) -> dict[str, Any]:
    return {"metadata": {"annotations": {key: value}}}


async def test_the_autoscaler_may_scale_and_mark_and_nothing_else(clients: dict[str, Client]) -> None:
    """Replicas through the scale sub-resource, and one annotation of Deployments and pods each."""
    admin, autoscaler = clients[""], clients["autoscaler"]
    await admin.create(DEPLOYMENTS, deployment("scaled", 1, {LABEL: "true"}))
    pod = await the_pod(admin)

    async def attempt(resource: Resource, name: str, patch: Obj, **more: Any) -> Obj:
        return await autoscaler.patch(resource, "default", name, patch, kind="merge", **more)

    await in_force(lambda: attempt(DEPLOYMENTS, "scaled", {"spec": {"replicas": 1, "paused": False}}))
    given_up, cost = "zerogate.dev/given-up", "controller.kubernetes.io/pod-deletion-cost"
    for text in ("for a reason", None):
        await attempt(DEPLOYMENTS, "scaled", annotation(given_up, text))
    await attempt(PODS, pod, annotation(cost, "7"))
    for replicas in (3, 1):
        await attempt(DEPLOYMENTS, "scaled", {"spec": {"replicas": replicas}}, subresource="scale")

    await admin.patch(DEPLOYMENTS, "default", "scaled", annotation("a", "b"), kind="merge")
    for resource, name, patch, why in (
        (DEPLOYMENTS, "scaled", {"spec": {"replicas": 2}}, "through the scale sub-resource"),
        (DEPLOYMENTS, "scaled", image("evil"), "changes nothing of a spec"),
        (DEPLOYMENTS, "scaled", annotation("a", "c"), "changes no metadata but"),
        (DEPLOYMENTS, "scaled", annotation("a", None), "changes no metadata but"),
        (DEPLOYMENTS, "scaled", annotation("new", "c"), "changes no metadata but"),
        (DEPLOYMENTS, "scaled", {"metadata": {"labels": {"a": "b"}}}, "changes no metadata but"),
        (PODS, pod, {"metadata": {"labels": {"a": "b"}}}, "changes no metadata but"),
        (PODS, pod, {"spec": {"activeDeadlineSeconds": 1}}, "changes nothing of a spec"),
    ):
        with pytest.raises(ApiError) as refusal:
            await attempt(resource, name, patch)
        assert why in refusal.value.message


def bound(name: str, labels: dict[str, str]) -> Obj:
    """A pod that a node should run: its deletion takes its grace period."""
    spec = {
        "nodeName": "nowhere",
        "terminationGracePeriodSeconds": 60,
        "containers": [{"name": "c", "image": "x"}],
    }
    meta = {"name": name, "namespace": "default", "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


async def test_the_autoscaler_may_shorten_a_deletion_and_nothing_else(clients: dict[str, Client]) -> None:
    """Of a pod of a scale target that somebody else has deleted, and not to zero."""
    admin, autoscaler = clients[""], clients["autoscaler"]
    pods = {"serving": {LABEL: "true"}, "leaving": {LABEL: "true"}, "other": {}}
    for name, labels in pods.items():
        await admin.create(PODS, bound(name, labels))
    try:
        await in_force(lambda: autoscaler.delete(PODS, "default", "other", grace_period=1))
        for name in ("leaving", "other"):
            await admin.delete(PODS, "default", name)
        for name, grace, why in (
            ("serving", 1, "only pods that are being deleted"),
            ("other", 1, "only pods with the label"),
            ("leaving", 0, "a grace period of at least one second"),
        ):
            with pytest.raises(ApiError) as refusal:
                await autoscaler.delete(PODS, "default", name, grace_period=grace)
            assert why in refusal.value.message
        assert "deletionTimestamp" not in (await admin.get(PODS, "default", "serving"))["metadata"]

        async def grace_period() -> int:
            found = await admin.get(PODS, "default", "leaving")
            return int(found["metadata"]["deletionGracePeriodSeconds"])

        await autoscaler.delete(PODS, "default", "leaving")  # without a period nothing changes
        assert await grace_period() == 60
        await autoscaler.delete(PODS, "default", "leaving", grace_period=1)
        assert await grace_period() == 1
    finally:
        for name in pods:
            await admin.delete(PODS, "default", name, grace_period=0)
