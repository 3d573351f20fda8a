"""Of all that a patch could do, the activator's account may do one thing: wake a labelled Deployment."""

import asyncio

import pytest

from kube.edge.client import ApiError, Client
from kube.edge.credentials import load_credentials
from kube.edge.http import HttpTransport
from kube.resources import DEPLOYMENTS

LABEL = "zerogate.dev/scale"
WAKE = {"spec": {"replicas": 1}}
RECREATE = {"type": "Recreate", "rollingUpdate": None}
ONLY_WAKES = "wakes a Deployment from 0 replicas to 1 and does nothing else"
ONLY_REPLICAS = "changes nothing of a Deployment's spec but replicas"
NO_METADATA = "changes nothing of a Deployment's metadata"
ONLY_LABELLED = "only Deployments with the label"


def deployment(name, replicas, labels):
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


def spec(**fields):
    return {"spec": {"replicas": 1, **fields}}


def image(name):
    return spec(template={"spec": {"containers": [{"name": "c", "image": name}]}})


REFUSED = [
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
async def clients(installed):
    """The administrator's, and one that has the activator's token."""
    made = [
        Client(HttpTransport(await load_credentials(str(file)), user_agent="a test"), manager="test")
        for file in (installed.kubeconfig, installed.kubeconfig_of("zerogate-activator"))
    ]
    yield made
    for client in made:
        await client.close()


async def test_the_activator_may_wake_and_nothing_else(clients):
    """Each refusal says why, and changes nothing."""
    admin, activator = clients

    async def fresh(name, replicas, labels):
        return await admin.create(DEPLOYMENTS, deployment(name, replicas, labels))

    async def attempt(name, patch):
        return await activator.patch(DEPLOYMENTS, "default", name, patch, kind="merge")

    try:
        await fresh("wakes", 0, {LABEL: "true"})
        end = asyncio.get_running_loop().time() + 30
        # Policies that were just applied are not yet in force.
        while asyncio.get_running_loop().time() < end:
            try:
                await attempt("wakes", {"spec": {"replicas": 0}})
            except ApiError:
                break
        woken = await attempt("wakes", WAKE)
        assert woken["spec"]["replicas"] == 1

        for number, (_, replicas, labels, patch, why) in enumerate(REFUSED):
            name = f"sleeps-{number}"
            before = await fresh(name, replicas, labels)
            with pytest.raises(ApiError) as refusal:
                await attempt(name, patch)
            assert why in refusal.value.message
            after = await admin.get(DEPLOYMENTS, "default", name)
            assert (after["spec"], after["metadata"]["labels"] if labels else {}) == (before["spec"], labels)
    finally:
        found = await admin.list(DEPLOYMENTS, "default")
        for each in found["items"]:
            await admin.delete(DEPLOYMENTS, "default", each["metadata"]["name"], propagation="Background")


async def test_the_activator_may_not_scale_make_or_delete(clients):
    """It has no right to, so the policy need not say it."""
    admin, activator = clients
    await admin.create(DEPLOYMENTS, deployment("theirs", 0, {LABEL: "true"}))
    try:
        for attempt in (
            activator.patch(DEPLOYMENTS, "default", "theirs", WAKE, kind="merge", subresource="scale"),
            activator.create(DEPLOYMENTS, deployment("ours", 1, {LABEL: "true"})),
            activator.patch(
                DEPLOYMENTS, "default", "ours", deployment("ours", 1, {LABEL: "true"}), kind="apply"
            ),
            activator.delete(DEPLOYMENTS, "default", "theirs"),
            activator.get(DEPLOYMENTS, "default", "theirs"),
        ):
            with pytest.raises(ApiError) as refusal:
                await attempt
            assert refusal.value.status == 403
    finally:
        await admin.delete(DEPLOYMENTS, "default", "theirs", propagation="Background")
