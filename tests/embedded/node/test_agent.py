"""The agent: which pods live on its node, and what outlives it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from embedded.edge.node import agent
from embedded.edge.node.linux import proc
from embedded.node.capacity import Capacity
from kube.objects import Obj
from kube.resources import NODES, PODS
from testkit.api.fake_api import FakeApi
from testkit.node.world import NodeWorld, container, is_ready, pid_of, pod, port_of, waiting_reason
from testkit.waiting import until


async def test_a_pod_gets_a_node_an_address_and_becomes_ready(world: NodeWorld) -> None:
    """nodeName, loopback address, a port outside the ephemeral range, Running, all conditions True."""
    async with world.running():
        await world.create(pod())
        found = await world.ready()
    status = found["status"]
    low, high = proc.ephemeral_ports()
    assert found["spec"]["nodeName"] == "zerogate-node"
    assert (status["phase"], status["podIP"]) == ("Running", "127.0.0.1")
    assert not low <= port_of(found) <= high
    assert {entry["type"]: entry["status"] for entry in status["conditions"]} == dict.fromkeys(
        ("Initialized", "Ready", "ContainersReady", "PodScheduled"), "True"
    )
    assert container(found)["started"]
    assert container(found)["restartCount"] == 0


async def test_what_does_not_fit_waits_until_it_fits(world: NodeWorld) -> None:
    """Beyond allocatable: Pending, PodScheduled False Unschedulable; room made starts it."""
    wish = {"resources": {"requests": {"cpu": "700m"}}}
    async with world.running(capacity=Capacity(1, 2**30, 10)):
        await world.create(pod("first", container=wish))
        await world.ready("first")
        await world.create(pod("second", container=wish))
        found = await world.pod_where(
            lambda p: p.get("status", {}).get("conditions"), "a condition", "second"
        )
        (entry,) = found["status"]["conditions"]
        assert (entry["type"], entry["status"], entry["reason"]) == ("PodScheduled", "False", "Unschedulable")
        assert entry["message"] == "0/1 nodes are available: 1 Insufficient cpu."
        await world.delete("first")
        await world.ready("second")


async def test_the_node_registers_itself(world: NodeWorld) -> None:
    """Labels, capacity, Ready True."""
    async with world.running():

        async def look() -> Obj | None:
            found = (await world.client.list(NODES))["items"]
            return found[0] if found and found[0].get("status", {}).get("conditions") else None

        found = await world.until(look, "the node")
    assert found["metadata"]["labels"]["zerogate.dev/process-node"] == "true"
    assert {e["type"]: e["status"] for e in found["status"]["conditions"]}["Ready"] == "True"
    assert found["status"]["allocatable"]["pods"] == "110"


class Troubled(FakeApi):
    """The second heartbeat is never answered, the third one refused."""

    def __init__(self) -> None:
        super().__init__()
        self.beats = 0

    async def request(self, method: str, path: str, **rest: Any) -> tuple[int, dict[str, Any]]:
        if method == "PATCH" and path.endswith("/nodes/zerogate-node/status"):
            self.beats += 1
            if self.beats == 2:
                await asyncio.Event().wait()
            if self.beats == 3:
                return 401, {"kind": "Status", "code": 401, "reason": "Unauthorized", "message": "no"}
        return await super().request(method, path, **rest)


async def test_a_heartbeat_that_is_refused_or_never_answered_is_soon_followed_by_another(
    tmp_path: Path,
) -> None:
    """A node that is silent for 50 seconds is taken for lost, and its pods for unready."""
    api = Troubled()
    async with NodeWorld(tmp_path, api).running(heartbeat=0.2):
        await until(lambda: api.beats == 6, "another heartbeat", 30)


async def test_what_another_one_wrote_over_a_pods_readiness_is_put_right(world: NodeWorld) -> None:
    """Kubernetes calls all pods of a node unready that it has not heard of; the node knows better."""
    async with world.running():
        await world.create(pod())
        found = await world.ready()
        overruled = [
            {**each, "status": "False"} if each["type"] == "Ready" else each
            for each in found["status"]["conditions"]
        ]
        writes = len(world.api.writes)
        answer = await world.client.patch(
            PODS, "default", "p", {"status": {"conditions": overruled}}, kind="merge", subresource="status"
        )
        assert not is_ready(answer)
        await world.ready()
        statuses = [path for method, path, _ in world.api.writes[writes:] if path.endswith("/pods/p/status")]
        assert len(statuses) == 2, "theirs and ours"


async def test_an_orderly_stop_ends_processes_and_keeps_pods(world: NodeWorld) -> None:
    """After Ctrl-C: no process, the pod not ready; at the next start it runs again, on its port, and that
    counts as no restart: a program is not to blame for the end of its node.
    """
    async with world.running():
        await world.create(pod())
        before = await world.ready()
    assert not proc.is_alive(pid_of(before))
    between = await world.get()
    assert between is not None
    assert not is_ready(between)
    async with world.running():
        after = await world.pod_where(lambda p: is_ready(p) and pid_of(p) != pid_of(before), "a new process")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert (container(after)["restartCount"], container(after)["lastState"]) == (0, {})
    assert port_of(after) == port_of(before)


async def test_a_pod_that_waits_for_its_image_is_not_restarted_by_a_new_agent(world: NodeWorld) -> None:
    """What never ran has no restarts, however often the agent comes and goes."""
    await world.create(pod(container={"command": [], "image": "nobody"}))
    for _ in range(2):
        async with world.running():
            await world.pod_where(lambda p: waiting_reason(p) == "ImagePullBackOff", "the back-off")
    (world.folder / "app.py").write_text("import time; time.sleep(60)")
    await world.set_images("- {image: nobody, command: [python3, app.py]}")
    async with world.running():
        found = await world.pod_where(lambda p: "running" in container(p)["state"], "the process")
    assert container(found)["restartCount"] == 0


async def test_a_killed_agent_leaves_no_orphan_to_its_successor(
    world: NodeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 of the agent: the next one ends the old process, also a daemon that left its group, and starts
    the same pod anew, once."""
    script = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\nprint(os.getpid(), flush=True)\ntime.sleep(60)"
    )
    await world.start()
    await world.create(pod(script=script))
    found = await world.pod_where(lambda p: world.log(p).count("\n") == 2, "both processes")
    old = [int(line) for line in world.log(found).split()]
    # The agent's end without any of its clean-up, as a kill -9 leaves it.
    with monkeypatch.context() as patched:
        patched.setattr(agent.Node, "stop", _nothing)
        await world.stop()
    assert all(proc.is_alive(pid) for pid in old)
    async with world.running():
        await world.pod_where(
            lambda p: container(p)["restartCount"] == 1 and world.log(p).count("\n") == 2, "the new life"
        )
        assert not any(proc.is_alive(pid) for pid in old)
        await until(lambda: len(list((world.folder / "run").glob("*.json"))) == 1, "one record")


async def _nothing(_self: agent.Node) -> None:
    return None
