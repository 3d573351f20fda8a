"""Deleting: preconditions, finalizers, what goes with an owner and what stays, namespaces."""

from collections.abc import Callable
from typing import Any

import pytest

from kube.objects import Obj
from kube.resources import (
    CONFIGMAPS,
    CORE_SERVICES,
    DEPLOYMENTS,
    NAMESPACES,
    PODS,
    REPLICASETS,
    SERVICEACCOUNTS,
)
from testkit.contract.engine import APPLY, Engine
from testkit.contract.objects import config_map, deployment, pod, replica_set
from testkit.waiting import wait_for


def options(**more: Any) -> Obj:
    return {"apiVersion": "v1", "kind": "DeleteOptions", **more}


@pytest.fixture
def path(engine: Engine, namespace: str) -> str:
    engine.create(CONFIGMAPS, config_map(namespace=namespace))
    return CONFIGMAPS.path(namespace, "x")


def is_gone(engine: Engine, path: str) -> bool:
    return engine.request("GET", path).status == 404


def test_a_deletion_answers_what_is_gone(engine: Engine, path: str) -> None:
    """A Status of success with name, kind and UID."""
    uid = engine.get(path)["metadata"]["uid"]
    answer = engine.request("DELETE", path)
    assert (answer.status, answer.body["status"]) == (200, "Success")
    assert answer.body["details"] == {"name": "x", "kind": "configmaps", "uid": uid}
    assert is_gone(engine, path)


def test_preconditions(engine: Engine, path: str) -> None:
    """Another UID or version: 409, and it stays."""
    meta = engine.get(path)["metadata"]
    answer = engine.request("DELETE", path, options(preconditions={"uid": "other"}))
    assert (answer.status, answer.reason) == (409, "Conflict")
    told = f"the UID in the precondition (other) does not match the UID in record ({meta['uid']})"
    fate = "The object might have been deleted and then recreated"
    assert answer.message == f'Operation cannot be fulfilled on ConfigMap "x": {told}. {fate}'
    answer = engine.request("DELETE", path, options(preconditions={"resourceVersion": "1"}))
    assert (answer.status, answer.message.rpartition(". ")[2]) == (409, "The object might have been modified")
    right = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
    assert engine.request("DELETE", path, options(preconditions=right)).status == 200


REFUSED = [
    ("policy", options(propagationPolicy="Some"), {}, 422, "Invalid", "propagationPolicy: Unsupported"),
    ("two of them", options(propagationPolicy="Orphan", orphanDependents=True), {}, 422, "Invalid", "both"),
    ("grace of no number", None, {"gracePeriodSeconds": "x"}, 400, "BadRequest", ""),
    ("unknown dry run", None, {"dryRun": "Some"}, 422, "Invalid", "dryRun"),
]  # fmt: skip


@pytest.mark.parametrize("row", [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused_deletions(
    engine: Engine, path: str, row: tuple[Obj | None, dict[str, str], int, str, str]
) -> None:
    """It stays."""
    body, query, status, reason, text = row
    answer = engine.request("DELETE", path, body, query=query)
    assert (answer.status, answer.reason) == (status, reason)
    assert text in answer.message
    assert not is_gone(engine, path)


def test_a_collection_is_deleted_by_selector(engine: Engine, namespace: str) -> None:
    """The others stay; the answer lists what was there."""
    path = CONFIGMAPS.path(namespace)
    for name in "abc":
        engine.create(CONFIGMAPS, config_map(name, namespace=namespace, labels={"l": name}))
    answer = engine.request("DELETE", path, query={"labelSelector": "l in (a,b)"})
    assert (answer.status, answer.body["kind"]) == (200, "ConfigMapList")
    assert [item["metadata"]["name"] for item in answer.body["items"]] == ["a", "b"]
    found = engine.request("GET", path, query={"labelSelector": "l"}).body["items"]
    assert [item["metadata"]["name"] for item in found] == ["c"]


def test_finalizers_hold_an_object(engine: Engine, namespace: str) -> None:
    """Until the last of them is taken away; meanwhile it can be changed, and no finalizer added."""
    body = config_map(namespace=namespace, finalizers=["a.test/1", "a.test/2"])
    engine.create(CONFIGMAPS, body)
    path = CONFIGMAPS.path(namespace, "x")
    answer = engine.request("DELETE", path)
    marked = answer.body["metadata"]
    assert (answer.status, answer.body["kind"], marked["deletionGracePeriodSeconds"]) == (200, "ConfigMap", 0)
    assert engine.request("DELETE", path).body["metadata"]["deletionTimestamp"] == marked["deletionTimestamp"]
    answer = engine.request("POST", CONFIGMAPS.path(namespace), config_map())
    assert (answer.status, answer.reason) == (409, "AlreadyExists")
    assert answer.message == 'object is being deleted: configmaps "x" already exists'
    answer = engine.patch(path, {"metadata": {"finalizers": [*marked["finalizers"], "a.test/3"]}})
    assert (answer.status, set(answer.causes)) == (422, {"metadata.finalizers"})
    told = 'can be added if the object is being deleted, found new finalizers []string{"a.test/3"}'
    assert f"Forbidden: no new finalizers {told}" in answer.message
    for changed in (
        engine.patch(path, {"data": {"b": "2"}}),
        engine.patch(path, {"metadata": {"deletionTimestamp": None}}),
        engine.patch(path, config_map(data={"c": "3"}), APPLY, fieldManager="m"),
        engine.patch(path, {"metadata": {"finalizers": ["a.test/2"]}}),
    ):
        assert changed.body["metadata"]["deletionTimestamp"] == marked["deletionTimestamp"]
    with engine.watch(path.rpartition("/")[0], {"fieldSelector": "metadata.name=x"}) as watch:
        assert next(watch)["type"] == "ADDED"
        answer = engine.patch(path, {"metadata": {"finalizers": None}})
        assert (answer.status, answer.body["metadata"].get("finalizers")) == (200, None)
        assert next(watch)["type"] == "DELETED"
    assert is_gone(engine, path)


def test_the_generation_rises_with_a_deletion(engine: Engine, namespace: str) -> None:
    """Of kinds that count it."""
    made = deployment()
    made["metadata"] |= {"namespace": namespace, "finalizers": ["a.test/1"]}
    engine.create(DEPLOYMENTS, made)
    path = DEPLOYMENTS.path(namespace, "d")
    assert engine.request("DELETE", path).body["metadata"]["generation"] == 2
    engine.patch(path, {"metadata": {"finalizers": None}})


@pytest.fixture
def family(engine: Engine, namespace: str) -> tuple[str, Callable[..., Any]]:
    """A config map that owns another: (owner's path, child's path)."""
    owner = engine.create(CONFIGMAPS, config_map("owner", namespace=namespace))

    def bear(name: str = "child", **more: Any) -> str:
        reference = {
            "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"], **more,
        }  # fmt: skip
        engine.create(CONFIGMAPS, config_map(name, namespace=namespace, ownerReferences=[reference]))
        return CONFIGMAPS.path(namespace, name)

    return CONFIGMAPS.path(namespace, "owner"), bear


@pytest.mark.parametrize("body", [None, options(), options(propagationPolicy="Background")])
def test_in_the_background_children_go_after_their_owner(
    engine: Engine, family: tuple[str, Callable[..., Any]], body: Obj | None
) -> None:
    """The owner at once."""
    owner, bear = family
    child = bear()
    assert engine.request("DELETE", owner, body).body["status"] == "Success"
    assert is_gone(engine, owner)
    wait_for("the child to go", lambda: is_gone(engine, child))


@pytest.mark.parametrize("body", [options(propagationPolicy="Orphan"), options(orphanDependents=True)])
def test_orphans_stay_without_an_owner(
    engine: Engine, family: tuple[str, Callable[..., Any]], body: Obj
) -> None:
    """Their reference is taken away."""
    owner, bear = family
    child = bear()
    assert engine.request("DELETE", owner, body).status == 200
    wait_for("the owner to go", lambda: is_gone(engine, owner))
    wait_for("the reference to go", lambda: "ownerReferences" not in engine.get(child)["metadata"])


def test_in_the_foreground_children_go_first(
    engine: Engine, namespace: str, family: tuple[str, Callable[..., Any]]
) -> None:
    """Those that block their owner's deletion hold it, by a finalizer."""
    owner, bear = family
    child = bear(blockOwnerDeletion=True)
    other = bear("other")
    engine.patch(child, {"metadata": {"finalizers": ["a.test/1"]}})
    engine.patch(other, {"metadata": {"finalizers": ["a.test/1"]}})
    answer = engine.request("DELETE", owner, options(propagationPolicy="Foreground"))
    assert answer.body["metadata"]["finalizers"] == ["foregroundDeletion"]
    for path in (child, other):
        wait_for("a deletion", lambda path=path: "deletionTimestamp" in engine.get(path)["metadata"])
    assert not is_gone(engine, owner)
    engine.patch(child, {"metadata": {"finalizers": None}})
    wait_for("the owner to go", lambda: is_gone(engine, owner))
    assert not is_gone(engine, other), "it did not block"
    engine.patch(other, {"metadata": {"finalizers": None}})


def test_a_child_of_two_goes_with_the_second(
    engine: Engine, namespace: str, family: tuple[str, Callable[..., Any]]
) -> None:
    """And forgets the first."""
    owner, bear = family
    child = bear()
    second = engine.create(CONFIGMAPS, config_map("second", namespace=namespace))
    references = engine.get(child)["metadata"]["ownerReferences"]
    references.append({**references[0], "name": "second", "uid": second["metadata"]["uid"]})
    engine.patch(child, {"metadata": {"ownerReferences": references}})
    engine.request("DELETE", owner)
    wait_for(
        "the first to be forgotten",
        lambda: [each["name"] for each in engine.get(child)["metadata"]["ownerReferences"]] == ["second"],
    )
    engine.request("DELETE", CONFIGMAPS.path(namespace, "second"))
    wait_for("the child to go", lambda: is_gone(engine, child))


def test_a_child_of_nobody_goes(engine: Engine, namespace: str) -> None:
    """An owner's name without its UID is no owner."""
    engine.create(CONFIGMAPS, config_map("owner", namespace=namespace))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "none"}
    engine.create(CONFIGMAPS, config_map("child", namespace=namespace, ownerReferences=[reference]))
    wait_for("the child to go", lambda: is_gone(engine, CONFIGMAPS.path(namespace, "child")))


@pytest.mark.parametrize("policy", ["Background", "Foreground", "Orphan"])
def test_a_deployment_and_what_it_owns(engine: Engine, namespace: str, policy: str) -> None:
    """ReplicaSet and pod go with it, or stay as orphans."""
    made = deployment(replicas=1)
    made["spec"]["template"]["spec"]["nodeSelector"] = {"nowhere": "true"}  # the pods stay Pending
    engine.create(DEPLOYMENTS, {**made, "metadata": {"name": "d", "namespace": namespace}})
    places = [REPLICASETS.path(namespace), PODS.path(namespace)]

    def found(path: str) -> list[Obj]:
        found: list[Obj] = engine.request("GET", path, query={"labelSelector": "app=d"}).body["items"]
        return found

    wait_for("a ReplicaSet and a pod", lambda: all(found(path) for path in places))
    engine.request("DELETE", DEPLOYMENTS.path(namespace, "d"), options(propagationPolicy=policy))
    wait_for("the Deployment to go", lambda: is_gone(engine, DEPLOYMENTS.path(namespace, "d")))
    if policy == "Orphan":
        (orphan,), (kept,) = (found(path) for path in places)
        assert "ownerReferences" not in orphan["metadata"]
        assert kept["metadata"]["ownerReferences"][0]["uid"] == orphan["metadata"]["uid"]
    else:
        wait_for("all to go", lambda: not any(found(path) for path in places))


def test_a_replica_set_alone_can_leave_its_pods(engine: Engine, namespace: str) -> None:
    """`kubectl delete --cascade=orphan`."""
    made = replica_set(replicas=1, namespace=namespace)
    made["spec"]["template"]["spec"]["nodeSelector"] = {"nowhere": "true"}
    engine.create(REPLICASETS, made)
    path = PODS.path(namespace)
    (found,) = wait_for("a pod", lambda: engine.get(path)["items"])
    engine.request("DELETE", REPLICASETS.path(namespace, "r"), options(propagationPolicy="Orphan"))
    name = f"{path}/{found['metadata']['name']}"
    wait_for("an orphan", lambda: "ownerReferences" not in engine.get(name)["metadata"])


def test_a_namespace_goes_with_what_is_in_it(engine: Engine) -> None:
    """First Terminating, in which nothing new is taken; it waits for what a finalizer holds."""
    namespace = engine.new_namespace()
    made = engine.get(NAMESPACES.path(name=namespace))
    assert (made["status"], made["spec"]) == ({"phase": "Active"}, {"finalizers": ["kubernetes"]})
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": namespace}
    engine.create(CONFIGMAPS, config_map(namespace=namespace, finalizers=["a.test/1"]))
    engine.create(CONFIGMAPS, config_map("y", namespace=namespace))
    answer = engine.request("DELETE", NAMESPACES.path(name=namespace))
    assert (answer.status, answer.body["kind"], answer.body["status"]["phase"]) == (
        200,
        "Namespace",
        "Terminating",
    )
    wait_for("its contents to go", lambda: is_gone(engine, CONFIGMAPS.path(namespace, "y")))
    answer = engine.request("POST", CONFIGMAPS.path(namespace), config_map("z"))
    assert (answer.status, answer.reason) == (403, "Forbidden")
    told = f"unable to create new content in namespace {namespace} because it is being terminated"
    assert answer.message == f'configmaps "z" is forbidden: {told}'
    (cause,) = answer.body["details"]["causes"]
    assert (cause["reason"], cause["field"]) == ("NamespaceTerminating", "metadata.namespace")
    assert engine.get(NAMESPACES.path(name=namespace))["status"]["phase"] == "Terminating"
    engine.patch(CONFIGMAPS.path(namespace, "x"), {"metadata": {"finalizers": None}})
    wait_for("the namespace to go", lambda: is_gone(engine, NAMESPACES.path(name=namespace)))


def test_the_first_namespaces_stay(engine: Engine) -> None:
    """403."""
    for name in ("default", "kube-system"):
        answer = engine.request("DELETE", NAMESPACES.path(name=name))
        told = f'namespaces "{name}" is forbidden: this namespace may not be deleted'
        assert (answer.status, answer.reason, answer.message) == (403, "Forbidden", told)


def test_some_kinds_are_shown_once_more(engine: Engine, namespace: str) -> None:
    """Services and accounts: their deletion answers the object, as of a namespace or a pod."""
    for resource, spec in (
        (CORE_SERVICES, {"clusterIP": "None", "ports": [{"port": 80}]}),
        (SERVICEACCOUNTS, None),
    ):
        engine.create(
            resource, {"metadata": {"name": "s", "namespace": namespace}} | ({"spec": spec} if spec else {})
        )
        answer = engine.request("DELETE", resource.path(namespace, "s"))
        assert (answer.status, answer.body["kind"]) == (200, resource.kind)
        assert is_gone(engine, resource.path(namespace, "s"))


def test_a_pending_pod_goes_at_once(engine: Engine, namespace: str) -> None:
    """Nothing runs that would need its time."""
    engine.create(
        PODS, {**pod(nodeSelector={"nowhere": "true"}), "metadata": {"name": "p", "namespace": namespace}}
    )
    path = PODS.path(namespace, "p")
    answer = engine.request("DELETE", path)
    assert (answer.status, answer.body["kind"]) == (200, "Pod")
    wait_for("the pod to go", lambda: is_gone(engine, path), 5)
