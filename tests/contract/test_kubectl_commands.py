"""What people type at kubectl beside verbs of a kind (test_kubectl_table.py): the same on both engines."""

import json
import re

import pytest

from kube.resources import NODES
from testkit.contract.engine import Engine
from testkit.contract.table.kinds import KINDS
from testkit.contract.table.reading import rows


def told(engine: Engine, namespace: str, *words: str) -> str:
    """What kubectl prints, in the namespace."""
    return engine.kubectl(*words, "-n", namespace).strip()


def test_generators_make_objects(engine: Engine, namespace: str) -> None:
    """create KIND and run, which send what they made as protobuf or JSON."""
    made = [
        ("create configmap c --from-literal=a=b", "configmap/c created", "configmap/c", "{.data.a}", "b"),
        ("create secret generic s --from-literal=a=b", "secret/s created", "secret/s", "{.data.a}", "Yg=="),
        (
            "create deployment d --image=contract/talker:1 --replicas=0 --port=80",
            "deployment.apps/d created", "deployment/d", "{..containerPort}", "80",
        ),
        (
            "create service clusterip e --tcp=80:8080", "service/e created",
            "service/e", "{.spec.ports[0].targetPort}", "8080",
        ),
        (
            "run p --image=contract/talker:1 --labels=a=b --env=X=Y", "pod/p created",
            "pod/p", "{.spec.containers[0].env[0].value}{.metadata.labels.a}", "Yb",
        ),
    ]  # fmt: skip
    for command, answer, typed, path, value in made:
        assert told(engine, namespace, *command.split()) == answer
        assert told(engine, namespace, "get", typed, "-o", f"jsonpath={path}") == value
    assert told(engine, namespace, "delete", "pod", "p", "--now").startswith('pod "p" deleted')


def test_what_is_served_is_listed(engine: Engine) -> None:
    """api-resources, api-versions: each kind of the table, with its short names and its scope."""
    found = {}
    for line in engine.kubectl("api-resources", "--no-headers", "--verbs=list,create").splitlines():
        plural, *names, version, namespaced, word = line.split()
        found[version, word] = (plural, names, namespaced)
    for kind in KINDS:
        plural, _, namespaced = found[kind.resource.api_version, kind.resource.kind]
        assert (plural, namespaced) == (kind.resource.plural, str(kind.resource.namespaced).lower())
    short = {
        word: found[version, word][1] for version, word in (("apps/v1", "Deployment"), ("v1", "ConfigMap"))
    }
    assert short == {"Deployment": ["deploy"], "ConfigMap": ["cm"]}
    assert found["serving.knative.dev/v1", "Service"][1] == ["kservice,ksvc"]
    versions = engine.kubectl("api-versions").split()
    assert {"v1", "apps/v1", "serving.knative.dev/v1", "coordination.k8s.io/v1"} <= set(versions)


def test_all_is_many_kinds(engine: Engine, namespace: str) -> None:
    """`get all`, and several kinds in one command."""
    told(engine, namespace, "create", "deployment", "d", "--image=contract/talker:1", "--replicas=0")
    told(engine, namespace, "create", "service", "clusterip", "e", "--tcp=80:8080")
    names = told(engine, namespace, "get", "all", "-o", "name").split()
    assert {"deployment.apps/d", "service/e"} <= set(names)
    assert told(engine, namespace, "get", "svc,deploy", "-o", "name").split() == [
        "service/e",
        "deployment.apps/d",
    ]
    done = engine.kubectl_result("get", "deploy/d", "svc/none", "-n", namespace, "-o", "name")
    assert (done.returncode, done.stdout) == (1, "deployment.apps/d\n")
    assert done.stderr == 'Error from server (NotFound): services "none" not found\n'


def test_who_may_what(engine: Engine, namespace: str) -> None:
    """auth can-i and whoami for the administrator."""
    assert (
        told(engine, namespace, "auth", "can-i", "create", "deployments.apps", "--subresource=scale") == "yes"
    )
    assert told(engine, namespace, "auth", "can-i", "*", "*") == "yes"
    assert "system:masters" in told(engine, namespace, "auth", "whoami")


def test_the_server_tells_what_it_is(engine: Engine) -> None:
    """version, cluster-info, its health."""
    found = json.loads(engine.kubectl("version", "-o", "json").partition("WARNING")[0])["serverVersion"]
    assert re.fullmatch(r"v1\.\d+\.\d+\S*", found["gitVersion"])
    assert (found["major"], int(found["minor"].rstrip("+")) >= 30) == ("1", True)
    assert "Kubernetes control plane" in engine.kubectl("cluster-info")
    assert engine.kubectl("get", "--raw", "/readyz") == "ok"


@pytest.mark.parametrize("what", ["pods", "nodes"])
def test_top_is_for_clusters_that_measure(engine: Engine, what: str) -> None:
    """Neither engine brings the metrics API; kubectl says that it is missing."""
    done = engine.kubectl_result("top", what)
    assert (done.returncode, done.stderr.strip()) == (1, "error: Metrics API not available")


def test_a_second_autoscaler_is_kubernetes_own(engine: Engine, namespace: str) -> None:
    """`kubectl autoscale` makes an HPA on a cluster; on a laptop one is told what scales there."""
    told(engine, namespace, "create", "deployment", "d", "--image=contract/talker:1", "--replicas=0")
    done = engine.kubectl_result("autoscale", "deployment", "d", "--max=3", "-n", namespace)
    if engine.name == "embedded":
        assert done.returncode == 1
        assert (
            "horizontalpodautoscalers are not offered here; label the Deployment zerogate.dev/scale"
            in done.stderr
        )
    else:
        assert done.stdout.strip() == "horizontalpodautoscaler.autoscaling/d autoscaled"


def test_settings_of_a_template(engine: Engine, namespace: str) -> None:
    """set resources and set serviceaccount, as `set image` and `set env` of the table."""
    told(engine, namespace, "create", "deployment", "d", "--image=contract/talker:1", "--replicas=0")
    limited = told(engine, namespace, "set", "resources", "deployment", "d", "--limits=cpu=100m")
    assert limited == "deployment.apps/d resource requirements updated"
    named = told(engine, namespace, "set", "serviceaccount", "deployment", "d", "other")
    assert named == "deployment.apps/d serviceaccount updated"
    spec = engine.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/d")["spec"]["template"]["spec"]
    assert spec["containers"][0]["resources"] == {"limits": {"cpu": "100m"}}
    assert spec["serviceAccountName"] == "other"


def test_a_node_is_taken_out_and_back(engine: Engine, namespace: str) -> None:
    """cordon, uncordon, taint."""
    name = f"{namespace}-node"
    engine.create(NODES, {"metadata": {"name": name}})
    try:
        assert engine.kubectl("cordon", name).strip() == f"node/{name} cordoned"
        (row,) = rows(engine.kubectl("get", "node", name).strip())
        assert row["STATUS"].endswith(",SchedulingDisabled")
        assert engine.kubectl("uncordon", name).strip() == f"node/{name} uncordoned"
        assert engine.kubectl("taint", "node", name, "a=b:PreferNoSchedule").strip() == f"node/{name} tainted"
        taints = engine.get(NODES.path(name=name))["spec"]["taints"]
        assert {"key": "a", "value": "b", "effect": "PreferNoSchedule"} in taints
        assert engine.kubectl("taint", "node", name, "a-").strip() == f"node/{name} untainted"
    finally:
        engine.request("DELETE", NODES.path(name=name))


def test_what_is_not_there_is_said_in_the_same_words(engine: Engine, namespace: str) -> None:
    """Unknown kinds, names, namespaces and fields."""
    said = {
        ("get", "nonsense"): 'error: the server doesn\'t have a resource type "nonsense"',
        ("get", "pod", "none"): 'Error from server (NotFound): pods "none" not found',
        ("logs", "none"): 'error: error from server (NotFound): pods "none" not found in namespace',
        (
            "rollout",
            "status",
            "deploy/none",
        ): 'Error from server (NotFound): deployments.apps "none" not found',
        ("explain", "pod.nonsense"): 'error: field "nonsense" does not exist',
    }
    for words, text in said.items():
        done = engine.kubectl_result(*words, "-n", namespace)
        assert done.returncode == 1
        assert done.stderr.startswith(text), done.stderr
    done = engine.kubectl_result("create", "configmap", "c", "-n", "no-such-namespace")
    wanted = 'error: failed to create configmap: namespaces "no-such-namespace" not found'
    assert (done.returncode, done.stderr.strip()) == (1, wanted)
