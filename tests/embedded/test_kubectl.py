"""The real kubectl against the served API: what people type must do what they expect."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from embedded.edge.lock import kubeconfig_text, make_lock
from embedded.edge.server import serve
from testkit.api.world import MERGE, PODS, World, config_map, deployment, pod
from testkit.paths import CONFIG
from testkit.waiting import until

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl on this machine")
RUNNING = {
    "phase": "Running",
    "podIP": "127.0.0.1",
    "conditions": [{"type": "Ready", "status": "True"}],
    "containerStatuses": [
        {
            "name": "main",
            "ready": True,
            "restartCount": 0,
            "image": "hello:1",
            "imageID": "",
            "state": {"running": {"startedAt": "2023-11-14T22:13:20Z"}},
        }
    ],
}


class Shell:
    """Runs kubectl in an environment of its own."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.folder = folder
        self.environment = {
            **os.environ,
            "KUBECONFIG": str(folder / "kubeconfig"),
            "KUBECACHEDIR": str(folder / "cache"),
            "EDITOR": "sed -i s/hello:1/hello:2/",
        }

    async def start(self, command: str, given: object = None) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            "kubectl", *command.split(), env=self.environment,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        if given is not None:
            process.stdin.write(yaml.safe_dump(given).encode())
        process.stdin.close()
        return process

    async def run(self, command: str, given: object = None) -> tuple[int, str, str]:
        process = await self.start(command, given)
        out, err = await asyncio.wait_for(process.communicate(), 120)
        return process.returncode or 0, out.decode(), err.decode()

    async def __call__(self, command: str, given: object = None) -> str:
        code, out, err = await self.run(command, given)
        assert code == 0, (command, err)
        return out.strip()

    async def refused(self, command: str, given: object = None) -> str:
        code, _, err = await self.run(command, given)
        assert code != 0, command
        return err


@pytest.fixture
async def kubectl(tmp_path: Path) -> AsyncIterator[Shell]:
    world = World()
    world.api.log_folder = tmp_path / "logs"
    lock = make_lock(tmp_path / "lock")
    server = await serve(world.api, lock)
    (tmp_path / "kubeconfig").write_text(
        kubeconfig_text(f"https://127.0.0.1:{server.port}", lock.ca, lock.token)
    )
    yield Shell(world, tmp_path)
    await server.close()
    world.store.close()


async def test_apply_from_the_clients_side(kubectl: Shell) -> None:
    """created, unchanged, configured; a misspelt field is refused and changes nothing."""
    body = deployment("web")
    assert await kubectl("apply -f -", body) == "deployment.apps/web created"
    assert await kubectl("apply -f -", body) == "deployment.apps/web unchanged"
    body["spec"]["template"]["spec"]["containers"][0]["image"] = "hello:2"
    assert await kubectl("apply -f -", body) == "deployment.apps/web configured"
    revision = kubectl.world.store.revision
    wrong = deployment("web", replicas=3)
    wrong["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    assert 'unknown field "spec.template.spec.containers[0].imagee"' in await kubectl.refused(
        "apply -f -", wrong
    )
    assert 'unknown field "datta"' in await kubectl.refused("create -f -", {**config_map("c"), "datta": {}})
    assert kubectl.world.store.revision == revision


async def test_apply_from_the_servers_side(kubectl: Shell) -> None:
    """Owns its fields: another manager is refused, unless it insists."""
    body = config_map("a", {"k": "1"})
    assert await kubectl("apply --server-side -f -", body) == "configmap/a serverside-applied"
    assert await kubectl("apply --server-side -f -", body) == "configmap/a serverside-applied"
    other = config_map("a", {"k": "2"})
    assert ".data.k" in await kubectl.refused("apply --server-side --field-manager=me -f -", other)
    await kubectl("apply --server-side --field-manager=me --force-conflicts -f -", other)
    assert await kubectl("get cm a -o jsonpath={.data.k}") == "2"


async def test_create_and_dry_run(kubectl: Shell) -> None:
    """The generators of kubectl, which speak protobuf; a dry run leaves nothing behind."""
    assert await kubectl("create namespace team") == "namespace/team created"
    assert await kubectl("create configmap c --from-literal=a=b -n team") == "configmap/c created"
    assert await kubectl("create secret generic s --from-literal=a=b") == "secret/s created"
    assert (
        await kubectl("create deployment d --image=hello:1 --replicas=2 --port=80")
        == "deployment.apps/d created"
    )
    assert await kubectl("get secret s -o jsonpath={.data.a}") == "Yg=="
    assert await kubectl("get deployment d -o jsonpath={..containerPort}") == "80"
    assert await kubectl("create configmap x --dry-run=server -o name") == "configmap/x"
    assert "NotFound" in await kubectl.refused("get configmap x")
    assert await kubectl("delete namespace team") == 'namespace "team" deleted'
    assert 'namespaces "team" not found' in await kubectl.refused("create configmap c -n team")


async def test_the_ways_of_looking(kubectl: Shell) -> None:
    """Tables, wide, YAML, JSONPath, own columns, by label, everywhere, by name."""
    for name in ("a", "b"):
        await kubectl("apply -f -", pod(name, node="n1", labels={"app": name}))
    kubectl.world.ok("PATCH", f"{PODS}/a/status", {"status": RUNNING}, MERGE)
    lines = (await kubectl("get pods")).splitlines()
    assert lines[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert lines[1].split()[:3] == ["a", "1/1", "Running"]
    assert lines[2].split()[:3] == ["b", "0/1", "Pending"]
    assert (await kubectl("get pod a -o wide")).splitlines()[1].split()[5:7] == ["127.0.0.1", "n1"]
    assert yaml.safe_load(await kubectl("get pod a -o yaml"))["spec"]["containers"][0]["image"] == "hello:1"
    assert await kubectl("get pods -o jsonpath={.items[*].metadata.name}") == "a b"
    columns = await kubectl("get pods -o custom-columns=N:.metadata.name,P:.status.phase")
    assert [line.split() for line in columns.splitlines()] == [["N", "P"], ["a", "Running"], ["b", "Pending"]]
    assert await kubectl("get pods -l app=b -o name") == "pod/b"
    assert "default" in (await kubectl("get po -A")).splitlines()[1]
    assert await kubectl("get pods --field-selector status.phase=Running -o name") == "pod/a"
    assert "No resources found" in (await kubectl.run("get pods -n kube-system"))[2]
    assert "pod/a" in await kubectl("get all -o name")
    listed = await kubectl("api-resources --no-headers")
    assert {"pods", "deployments", "configmaps", "nodes", "leases"} <= {
        x.split()[0] for x in listed.splitlines()
    }


async def test_watching(kubectl: Shell) -> None:
    """get -w prints what is there, then each change, deletions too."""
    await kubectl("create configmap a --from-literal=k=v")
    process = await kubectl.start("get configmaps -w")
    assert process.stdout is not None
    assert (await process.stdout.readline()).split() == [b"NAME", b"DATA", b"AGE"]
    assert (await process.stdout.readline()).split()[:2] == [b"a", b"1"]
    await until(lambda: kubectl.world.store._collections["configmaps"].listeners, "the watch to begin")
    await kubectl("create configmap b --from-literal=k=v --from-literal=l=w")
    assert (await process.stdout.readline()).split()[:2] == [b"b", b"2"]
    await kubectl("delete configmap b")
    assert (await process.stdout.readline()).split()[:2] == [b"b", b"2"]
    process.kill()
    await process.communicate()


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("strategic", '{"spec":{"template":{"spec":{"containers":[{"name":"main","workingDir":"/x"}]}}}}'),
        ("merge", '{"spec":{"replicas":5}}'),
        ("json", '[{"op":"replace","path":"/spec/replicas","value":6}]'),
    ],
)
async def test_patches(kubectl: Shell, kind: str, patch: str) -> None:
    """Each of the three languages; the image that a strategic patch does not name stays."""
    await kubectl("create -f -", deployment("d"))
    assert await kubectl(f"patch deployment d --type={kind} -p {patch}") == "deployment.apps/d patched"
    found = json.loads(await kubectl("get deployment d -o json"))["spec"]
    assert found["template"]["spec"]["containers"][0]["image"] == "hello:1"
    assert found["replicas"] == {"strategic": 1, "merge": 5, "json": 6}[kind]


async def test_changing_and_deleting(kubectl: Shell) -> None:
    """scale, label, annotate, edit, set image, rollout restart, replace, delete with its ways of waiting."""
    await kubectl("create -f -", deployment("d"))
    assert await kubectl("scale deployment d --replicas=3") == "deployment.apps/d scaled"
    assert "Expected replicas" in await kubectl.refused(
        "scale deployment d --replicas=1 --current-replicas=9"
    )
    assert await kubectl("label deployment d tier=web") == "deployment.apps/d labeled"
    assert await kubectl("annotate deployment d note=x") == "deployment.apps/d annotated"
    assert await kubectl("edit deployment d") == "deployment.apps/d edited"
    assert await kubectl("set image deployment/d main=hello:3") == "deployment.apps/d image updated"
    assert await kubectl("rollout restart deployment d") == "deployment.apps/d restarted"
    found = json.loads(await kubectl("get deployment d -o json"))
    assert found["spec"]["replicas"] == 3
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "hello:3"
    assert found["metadata"]["labels"] == {"tier": "web"}
    assert found["metadata"]["generation"] == 5
    assert "the object has been modified" in await kubectl.refused(
        "replace -f -", {**found, "metadata": {**found["metadata"], "resourceVersion": "1"}}
    )
    assert await kubectl("delete deployment d --cascade=foreground") == 'deployment.apps "d" deleted'
    assert "NotFound" in await kubectl.refused("delete deployment d")
    await kubectl("create -f -", pod("p", node="n1"))
    assert await kubectl("delete pod p --wait=false") == 'pod "p" deleted'
    assert "Terminating" in await kubectl("get pod p")
    assert "force deleted" in await kubectl("delete pod p --force --grace-period=0")


async def test_rollout_status_follows_the_deployment(kubectl: Shell) -> None:
    """It waits, and says done when the status does."""
    await kubectl("create -f -", deployment("d"))
    process = await kubectl.start("rollout status deployment/d")
    assert process.stdout is not None
    assert b"Waiting for deployment" in await asyncio.wait_for(process.stdout.readline(), 120)
    done = {
        "observedGeneration": 1,
        "replicas": 1,
        "updatedReplicas": 1,
        "readyReplicas": 1,
        "availableReplicas": 1,
    }
    kubectl.world.ok(
        "PATCH", "/apis/apps/v1/namespaces/default/deployments/d/status", {"status": done}, MERGE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 120)
    assert b'deployment "d" successfully rolled out' in out


async def test_describing(kubectl: Shell) -> None:
    """Deployments with their events, pods, nodes."""
    made = kubectl.world.ok("POST", "/apis/apps/v1/namespaces/default/deployments", deployment("d"))
    meta = made["metadata"]
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Deployment", "name": "d", "namespace": "default", "uid": meta["uid"]},
        "reason": "ScalingReplicaSet",
        "message": "Scaled up",
        "type": "Normal",
        "source": {"component": "test"},
        "firstTimestamp": "2023-11-14T22:13:20Z",
        "lastTimestamp": "2023-11-14T22:13:20Z",
        "count": 1,
    }
    kubectl.world.ok("POST", "/api/v1/namespaces/default/events", event)
    text = await kubectl("describe deployment d")
    assert "hello:1" in text
    assert "ScalingReplicaSet" in text
    kubectl.world.ok("POST", PODS, pod("p", node="n1"))
    assert "Node:" in await kubectl("describe pod p")
    kubectl.world.ok("POST", "/api/v1/nodes", {"metadata": {"name": "n1"}})
    assert "p" in (await kubectl("describe node n1")).partition("Non-terminated Pods")[2]


async def test_logs(kubectl: Shell) -> None:
    """logs, --tail, -f until the container ends; a refusal says why."""
    uid = kubectl.world.ok("POST", PODS, pod("p", node="n1"))["metadata"]["uid"]
    assert "is waiting to start: ContainerCreating" in await kubectl.refused("logs p")
    kubectl.world.ok("PATCH", f"{PODS}/p/status", {"status": RUNNING}, MERGE)
    log = kubectl.folder / "logs" / f"default_p_{uid}" / "main.log"
    log.parent.mkdir(parents=True)
    log.write_text("one\ntwo\n")
    assert await kubectl("logs p") == "one\ntwo"
    assert (await kubectl("logs p --tail=1 --timestamps")).endswith("Z two")
    process = await kubectl.start("logs p -f --tail=1")
    assert process.stdout is not None
    assert await process.stdout.readline() == b"two\n"
    with log.open("a") as out:
        out.write("three\n")
    assert await process.stdout.readline() == b"three\n"
    ended = [{"name": "main", "state": {"terminated": {"exitCode": 0}}}]
    kubectl.world.ok("PATCH", f"{PODS}/p/status", {"status": {"containerStatuses": ended}}, MERGE)
    await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0


async def test_who_am_i(kubectl: Shell) -> None:
    """auth whoami and can-i."""
    assert "zerogate-admin" in await kubectl("auth whoami")
    assert await kubectl("auth can-i delete pods") == "yes"


async def test_knative_services_by_their_definitions(kubectl: Shell) -> None:
    """The shipped CRDs: ksvc, printer columns, strict fields, merge patches, get all."""
    assert (await kubectl(f"apply -f {CONFIG / 'crds.yaml'}")).count("created") == 4
    sample = yaml.safe_load((CONFIG / "samples" / "helloworld-go.yaml").read_text())
    assert await kubectl("apply -f -", sample) == "service.serving.knative.dev/helloworld-go created"
    assert await kubectl("apply -f -", sample) == "service.serving.knative.dev/helloworld-go unchanged"
    header = (await kubectl("get ksvc")).splitlines()[0].split()
    assert header == ["NAME", "URL", "LATESTCREATED", "LATESTREADY", "READY", "REASON"]
    sample["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    assert 'unknown field "spec.template.spec.containers[0].imagee"' in await kubectl.refused(
        "apply -f -", sample
    )
    patch = '{"spec":{"template":{"metadata":{"labels":{"a":"b"}}}}}'
    await kubectl(f"patch ksvc helloworld-go --type=merge -p {patch}")
    assert await kubectl("get ksvc helloworld-go -o jsonpath={.metadata.generation}") == "2"
    assert "service.serving.knative.dev/helloworld-go" in await kubectl("get all -o name")
    assert "helloworld-go:160e4dc8" in await kubectl("describe ksvc helloworld-go")
    assert await kubectl("delete ksvc --all") == 'service.serving.knative.dev "helloworld-go" deleted'
