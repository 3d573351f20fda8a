"""Lists: selectors, pages, versions."""

import base64
import json

import pytest

from kube.resources import CONFIGMAPS, DEPLOYMENTS, NAMESPACES, PODS, REPLICASETS, Resource
from testkit.contract.engine import Answer, Engine
from testkit.contract.objects import config_map, pod

LABELS = {"a": {"app": "x"}, "b": {"app": "x", "tier": "t"}, "c": {"app": "y"}, "d": {"tier": "t"}}
OURS = "mine=yes"  # a real API server puts a config map of its own into each namespace


@pytest.fixture
def path(engine: Engine, namespace: str) -> str:
    for name, labels in LABELS.items():
        engine.create(CONFIGMAPS, config_map(name, namespace=namespace, labels={"mine": "yes", **labels}))
    return CONFIGMAPS.path(namespace)


def names(answer: Answer) -> str:
    assert answer.status == 200, answer
    return "".join(item["metadata"]["name"] for item in answer.body["items"])


def test_label_selectors(engine: Engine, path: str) -> None:
    """Equality, sets, existence; several terms are all to hold."""
    for selector, wanted in {
        "app=x": "ab",
        "app==x": "ab",
        "app!=x": "cd",
        "app": "abc",
        "!app": "d",
        "app in (x,y)": "abc",
        "app in (x, z),tier": "b",
        "app notin (x)": "cd",
        "app notin (x),app": "c",
        "app=x,tier=t": "b",
        "app=": "",
        "  app = x ": "ab",
        "": "abcd",
    }.items():
        answer = engine.request(
            "GET", path, query={"labelSelector": f"{OURS},{selector}" if selector else OURS}
        )
        assert (selector, names(answer)) == (selector, wanted)


def test_unreadable_label_selectors(engine: Engine, path: str) -> None:
    """400, not an empty list."""
    for selector in ("a=b=c", "app in x", "app in (x", "app=a b", "=x", ",", "app=a,,tier", "a b"):
        answer = engine.request("GET", path, query={"labelSelector": selector})
        assert (selector, answer.status, answer.reason) == (selector, 400, "BadRequest")


def test_field_selectors(engine: Engine, path: str, namespace: str) -> None:
    """Every kind has name and namespace."""
    for selector, wanted in {
        "metadata.name=b": "b",
        "metadata.name==b": "b",
        "metadata.name!=b": "acd",
        f"metadata.namespace={namespace}": "abcd",
        "metadata.namespace=other": "",
        "metadata.name=a,metadata.name=b": "",
    }.items():
        answer = engine.request("GET", path, query={"fieldSelector": selector, "labelSelector": OURS})
        assert (selector, names(answer)) == (selector, wanted)


def test_field_selectors_of_pods(engine: Engine, namespace: str) -> None:
    """What schedulers, nodes and kubectl select by."""
    engine.create(
        PODS, {"metadata": {"name": "p", "namespace": namespace}, "spec": pod(nodeName="nowhere")["spec"]}
    )
    path = PODS.path(namespace)
    for selector, wanted in {
        "spec.nodeName=nowhere": "p",
        "spec.nodeName!=nowhere": "",
        "spec.nodeName=": "",
        "status.phase=Pending": "p",
        "status.phase!=Running,metadata.name=p": "p",
        "spec.restartPolicy=Always": "p",
        "spec.schedulerName=default-scheduler": "p",
        "status.podIP=": "p",
    }.items():
        answer = engine.request("GET", path, query={"fieldSelector": selector})
        assert (selector, names(answer)) == (selector, wanted)
    answer = engine.request("GET", path, query={"fieldSelector": "spec.image=x"})
    assert (answer.status, answer.message) == (400, "field label not supported: spec.image")
    engine.request("DELETE", f"{path}/p", {"gracePeriodSeconds": 0})


@pytest.mark.parametrize("resource", [CONFIGMAPS, DEPLOYMENTS, REPLICASETS], ids=lambda found: found.kind)
def test_fields_that_cannot_be_selected_by(engine: Engine, namespace: str, resource: Resource) -> None:
    """400 with the fields there are."""
    answer = engine.request("GET", resource.path(namespace), query={"fieldSelector": "status.phase=x"})
    told = '"status.phase" is not a known field selector: only "metadata.name", "metadata.namespace"'
    assert (answer.status, answer.message) == (400, told)
    answer = engine.request("GET", resource.path(namespace), query={"fieldSelector": "metadata.name"})
    assert answer.status == 400


def test_other_kinds_fields(engine: Engine, namespace: str) -> None:
    """Namespaces by their phase, secrets by their type, events by what they are about."""
    for path, selector in (
        (NAMESPACES.path(), f"status.phase=Active,metadata.name={namespace}"),
        (f"/api/v1/namespaces/{namespace}/secrets", "type=Opaque"),
        (f"/api/v1/namespaces/{namespace}/services", "spec.type=ClusterIP"),
        (f"/api/v1/namespaces/{namespace}/events", "involvedObject.name=x,reason=y,type=Normal"),
        ("/api/v1/nodes", "spec.unschedulable=false,metadata.name=nobody"),
    ):
        answer = engine.request("GET", path, query={"fieldSelector": selector})
        assert (path, answer.status) == (path, 200)
    assert names(
        engine.request("GET", NAMESPACES.path(), query={"fieldSelector": f"metadata.name={namespace}"})
    )


def test_pages_together_are_one_list(engine: Engine, path: str) -> None:
    """Each object once, in order, as they were when the first page was asked for; then none is left."""
    whole = engine.request("GET", path, query={"labelSelector": OURS}).body
    page = engine.request("GET", path, query={"limit": "1"}).body
    assert page["metadata"]["remainingItemCount"] == len(engine.get(path)["items"]) - 1
    page = engine.request("GET", path, query={"limit": "3", "labelSelector": OURS}).body
    assert "remainingItemCount" not in page["metadata"], "with a selector it is not known"
    engine.request("DELETE", f"{path}/d")
    engine.create(
        CONFIGMAPS,
        config_map("e", namespace=page["items"][0]["metadata"]["namespace"], labels={"mine": "yes"}),
    )
    token = page["metadata"]["continue"]
    rest = engine.request("GET", path, query={"limit": "3", "labelSelector": OURS, "continue": token}).body
    assert page["items"] + rest["items"] == whole["items"]
    assert page["metadata"]["resourceVersion"] == rest["metadata"]["resourceVersion"]
    assert "continue" not in rest["metadata"]
    assert names(engine.request("GET", path, query={"limit": "0", "labelSelector": OURS})) == "abce"


def test_a_list_of_an_exact_version(engine: Engine, path: str) -> None:
    """As it was then; any version not older is the present one."""
    before = engine.request("GET", path, query={"labelSelector": OURS}).body
    version = before["metadata"]["resourceVersion"]
    engine.patch(f"{path}/a", {"data": {"a": "2"}})
    engine.request("DELETE", f"{path}/b")
    query = {"labelSelector": OURS, "resourceVersion": version}
    then = engine.request("GET", path, query={**query, "resourceVersionMatch": "Exact"}).body
    assert (then["items"], then["metadata"]["resourceVersion"]) == (before["items"], version)
    for more in ({}, {"resourceVersionMatch": "NotOlderThan"}):
        assert names(engine.request("GET", path, query={**query, **more})) == "acd"


def test_a_list_that_is_forgotten_is_gone(engine: Engine, path: str) -> None:
    """410 Expired; a page that cannot be continued says how to go on all the same."""
    first = engine.request("GET", path, query={"limit": "2", "labelSelector": OURS}).body["metadata"]
    if engine.name == "embedded":
        version, token = first["resourceVersion"], first["continue"]
        for number in range(600):  # more than it remembers of a kind
            engine.patch(f"{path}/a", {"data": {"a": str(number)}})
    elif engine.compact is None:
        pytest.skip("nobody else's etcd is compacted by a test")
    else:
        # An API server shows the last minutes from its memory: the token of an older page has to be made up.
        engine.compact(first["resourceVersion"])
        version, token = "5", _aged(first["continue"], 5)
    query = {"resourceVersion": version, "resourceVersionMatch": "Exact"}
    answer = engine.request("GET", path, query=query)
    assert (answer.status, answer.reason) == (410, "Expired")
    answer = engine.request("GET", path, query={"limit": "9", "labelSelector": OURS, "continue": token})
    assert (answer.status, answer.reason) == (410, "Expired")
    on = answer.body["metadata"]["continue"]
    rest = engine.request("GET", path, query={"limit": "9", "labelSelector": OURS, "continue": on})
    assert names(rest) == "cd"


def _aged(token: str, version: int) -> str:
    """A page's token as an older page had it."""
    told = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    aged = json.dumps({**told, "rv": version}).encode()
    return base64.urlsafe_b64encode(aged).decode().rstrip("=")


REFUSED = [
    ({"continue": "xyz"}, 400, "BadRequest", "continue key is not valid"),
    ({"resourceVersion": "x"}, 400, "BadRequest", "resourceVersion"),
    ({"limit": "x"}, 400, "BadRequest", ""),
    ({"timeoutSeconds": "x"}, 400, "BadRequest", ""),
    ({"resourceVersion": "9999999999"}, 504, "Timeout", "Too large resource version: 9999999999"),
    ({"resourceVersionMatch": "Exact"}, 422, "Invalid", "forbidden unless resourceVersion is provided"),
    ({"resourceVersionMatch": "Exact", "resourceVersion": "0"}, 422, "Invalid", 'resourceVersion "0"'),
    ({"resourceVersionMatch": "Some", "resourceVersion": "1"}, 422, "Invalid", "Unsupported value"),
]  # fmt: skip


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: "-".join(f"{k}={v}" for k, v in row[0].items()))
def test_refused_lists(engine: Engine, namespace: str, row: tuple[dict[str, str], int, str, str]) -> None:
    """Each with its code."""
    query, status, reason, text = row
    answer = engine.request("GET", CONFIGMAPS.path(namespace), query=query)
    assert (answer.status, answer.reason) == (status, reason)
    assert text in answer.message
    if status == 504:
        details = answer.body["details"]
        assert details["retryAfterSeconds"] == 1
        assert details["causes"][0]["reason"] == "ResourceVersionTooLarge"
