"""Pods as processes: from the wish to the address, to the restart, to the end."""

import asyncio
import time

import pytest

from embedded.edge.node import agent
from embedded.edge.node.linux import proc
from embedded.node.capacity import Capacity
from kube.resources import CONFIGMAPS, NODES
from tests.embedded.node.world import NodeWorld, container, is_ready, pod, port_of, python, waiting_reason
from tests.embedded.waiting import until


@pytest.fixture
def world(tmp_path):
    return NodeWorld(tmp_path)


def pid_of(found):
    return int(container(found)["containerID"].removeprefix("process://").split("-")[0])


async def test_a_pod_gets_a_node_an_address_and_becomes_ready(world):
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


async def test_the_address_is_published_before_the_pod_is_ready(world):
    """Port and address stand in the API while the program is still starting: the gateway tries it itself."""
    async with world.running():
        await world.create(pod(script="import time; time.sleep(60)"))
        found = await world.pod_where(lambda each: each.get("status", {}).get("podIP"), "an address")
        assert port_of(found) > 0
        assert not is_ready(found)
        assert found["status"]["phase"] == "Running"


async def test_what_a_process_is_started_with(world, monkeypatch):
    """Environment of the container, PORT and HOSTNAME, no secrets of the shell; workingDir; the log."""
    monkeypatch.setenv("SHELL_SECRET", "x")
    (world.folder / "sub").mkdir()
    script = (
        "import os; print(os.getcwd(), sorted(os.environ.items()), flush=True); import time; time.sleep(60)"
    )
    wish = {"env": [{"name": "GREETING", "value": "hi $(HOSTNAME)"}], "workingDir": "sub"}
    async with world.running():
        await world.create(pod(script=script, container=wish))
        found = await world.pod_where(lambda each: world.log(each).endswith("\n"), "a line in the log")
        text = world.log(found)
    assert text.startswith(str(world.folder / "sub"))
    assert "('GREETING', 'hi p')" in text
    assert f"('PORT', '{port_of(found)}')" in text
    assert "SHELL_SECRET" not in text


async def test_env_from_config_map_and_secret(world):
    """valueFrom waits for what does not exist yet, and says so."""
    wish = {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "a"}}}]}
    script = "import os, time; print(os.environ['A'], flush=True); time.sleep(60)"
    async with world.running():
        await world.create(pod(script=script, container=wish))
        found = await world.pod_where(waiting_reason, "a reason")
        assert waiting_reason(found) == "CreateContainerConfigError"
        assert container(found)["state"]["waiting"]["message"] == 'configmap "cm" not found'
        meta = {"name": "cm", "namespace": "default"}
        data = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "found"}}
        await world.client.create(CONFIGMAPS, data)
        await world.pod_where(lambda each: world.log(each) == "found\n", "the value")


async def test_an_image_of_the_table(world):
    """The table's command runs with the interpreter of the agent; its env is below the container's."""
    script = "import os, time; print(os.environ['A'], os.environ['B'], flush=True); time.sleep(60)"
    (world.folder / "app.py").write_text(script)
    await world.start()
    await world.set_images('- {image: "hello*", command: [python3, app.py], env: {A: "table", B: "table"}}')
    try:
        wish = {"command": [], "image": "hello:1", "env": [{"name": "B", "value": "pod"}]}
        await world.create(pod(container=wish))
        await world.pod_where(lambda each: world.log(each) == "table pod\n", "output of the table's command")
    finally:
        await world.stop()


async def test_an_unknown_image_is_told_and_tried_again_when_the_table_changes(world):
    """ErrImagePull, then ImagePullBackOff with what to do; an edit of config-images starts it at once."""
    async with world.running():
        await world.create(pod(container={"command": [], "image": "nobody/knows"}))
        found = await world.pod_where(lambda p: waiting_reason(p) == "ImagePullBackOff", "the back-off")
        assert found["status"]["phase"] == "Pending"
        text = container(found)["state"]["waiting"]["message"]
        assert "config-images" in text
        assert "nobody/knows" in text
        (world.folder / "app.py").write_text("import time; time.sleep(60)")
        await world.set_images('- {image: "nobody/*", command: [python3, app.py]}')
        await world.pod_where(lambda p: "running" in container(p)["state"], "the process", within=2)


async def test_a_mistake_in_the_table_keeps_the_old_one(world):
    """The config map is refused with an event; pods start by the table that made sense last."""
    (world.folder / "app.py").write_text("import time; time.sleep(60)")
    await world.start()
    try:
        await world.set_images('- {image: "a*", command: [python3, app.py]}')
        await world.set_images("- {image: a}")
        await world.create(pod(container={"command": [], "image": "a"}))
        await world.pod_where(lambda p: "running" in container(p).get("state", {}), "the process")
    finally:
        await world.stop()


async def test_a_command_that_exits_is_restarted_with_back_off(world):
    """CrashLoopBackOff with the exit code in lastState, the log's end as message; restarts are counted."""
    wish = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    async with world.running():
        await world.create(pod(script="print('no luck'); raise SystemExit(3)", container=wish))
        found = await world.pod_where(
            lambda p: waiting_reason(p) == "CrashLoopBackOff" and container(p)["restartCount"] >= 2,
            "restarts",
        )
    last = container(found)["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"], last["message"]) == (3, "Error", "no luck")
    assert found["status"]["phase"] == "Running"
    assert not is_ready(found)


@pytest.mark.parametrize(
    ("wish", "text"),
    [
        ({"command": ["no-such-program"]}, "exec: 'no-such-program' can't be started (in PATH)"),
        ({"command": ["./nope"]}, "exec: './nope' can't be started (in "),
        ({"workingDir": "/no/such"}, "workingDir /no/such can't be entered"),
    ],
)
async def test_a_command_that_cannot_be_started(world, wish, text):
    """It counts as a crash with exit code 128 and says what was not found."""
    async with world.running():
        await world.create(pod(container=wish))
        found = await world.pod_where(lambda p: waiting_reason(p) == "CrashLoopBackOff", "the back-off")
    last = container(found)["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (128, "StartError")
    assert text in last["message"]
    assert text in container(found)["state"]["waiting"]["message"]


@pytest.mark.parametrize(
    ("policy", "code", "phase"),
    [("Never", 0, "Succeeded"), ("Never", 1, "Failed"), ("OnFailure", 0, "Succeeded")],
)
async def test_restart_policies(world, policy, code, phase):
    """A pod whose container may stay ended has an end."""
    async with world.running():
        await world.create(pod(script=f"raise SystemExit({code})", restartPolicy=policy))
        found = await world.pod_where(lambda p: p.get("status", {}).get("phase") == phase, phase)
        assert container(found)["restartCount"] == 0
        await world.delete()
        await world.gone()


async def test_a_deleted_pod_gets_sigterm_and_goes(world):
    """The process ends on SIGTERM; pod, logs and record are gone after it."""
    async with world.running():
        await world.create(pod())
        found = await world.ready()
        await world.delete()
        await world.gone()
        assert not proc.is_alive(pid_of(found))
        assert not list((world.folder / "run").glob("*.json"))


async def test_a_process_that_ignores_sigterm_is_killed_after_the_grace_period(world):
    """With one second of grace it lives for about one second, and its child goes as well."""
    script = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "os.fork(); print(os.getpid(), flush=True); time.sleep(60)"
    )
    async with world.running():
        await world.create(pod(script=script, terminationGracePeriodSeconds=1))
        found = await world.pod_where(lambda p: world.log(p).count("\n") == 2, "both processes")
        pids = [int(line) for line in world.log(found).split()]
        began = time.monotonic()
        await world.delete()
        await asyncio.sleep(0.3)
        assert all(proc.is_alive(pid) for pid in pids)
        await world.gone()
        took = time.monotonic() - began
        assert not any(proc.is_alive(pid) for pid in pids)
    assert 0.8 < took < 2.5


async def test_pre_stop_comes_before_sigterm(world):
    """preStop runs to its end, then SIGTERM; both within the grace period."""
    script = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (open('term','w').write(str(time.time())), os._exit(0)))\n"
        "print('up', flush=True)\n"
        "while True: time.sleep(1)"
    )
    hook = "import time; time.sleep(0.2); open('hook','w').write(str(time.time()))"
    lifecycle = {"preStop": {"exec": {"command": python(hook)}}}
    async with world.running():
        await world.create(pod(script=script, container={"lifecycle": lifecycle}))
        await world.pod_where(lambda p: world.log(p) == "up\n", "the process")
        await world.delete()
        await world.gone()
    hooked, ended = (float((world.folder / name).read_text()) for name in ("hook", "term"))
    assert hooked < ended


async def test_pre_stop_sleep_keeps_the_pod_serving(world):
    """During `preStop: sleep` the process goes on."""
    async with world.running():
        await world.create(pod(container={"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}))
        found = await world.ready()
        began = time.monotonic()
        await world.delete()
        await asyncio.sleep(0.5)
        _, writer = await asyncio.open_connection("127.0.0.1", port_of(found))
        writer.close()
        await writer.wait_closed()
        await world.gone()
        assert time.monotonic() - began >= 0.9


async def test_a_forced_deletion_ends_the_process_at_once(world):
    """kubectl delete --grace-period=0 --force: the object goes first, the process with it."""
    async with world.running():
        await world.create(
            pod(script="import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)")
        )
        found = await world.pod_where(lambda p: "running" in container(p).get("state", {}), "the process")
        await world.delete(grace=0)
        await world.gone()

        async def is_dead():
            return not proc.is_alive(pid_of(found))

        await world.until(is_dead, "the process to end", within=2)


async def test_an_app_on_the_wrong_port_is_told_so(world):
    """Condition and Event say where it listens and what to do; when it moves to $PORT, the pod is ready."""
    wish = {"env": [{"name": "LISTEN", "value": "18473"}]}
    async with world.running():
        await world.create(pod(container=wish))
        found = await world.pod_where(lambda p: p.get("status", {}).get("message"), "the message")
        text = f"listens on 18473, not on $PORT ({port_of(found)})"
        entries = {entry["type"]: entry for entry in found["status"]["conditions"]}
        assert text in found["status"]["message"]
        assert text in entries["Ready"]["message"]
        assert entries["Ready"]["status"] == "False"
        assert text in await world.event("WrongPort")


async def test_liveness_restarts_and_startup_holds_back_readiness(world):
    """A failing liveness probe ends the process; it starts again and is counted."""
    probe = {"exec": {"command": ["sh", "-c", "test ! -e sick"]}, "periodSeconds": 1, "failureThreshold": 1}
    async with world.running():
        await world.create(pod(container={"livenessProbe": probe}))
        found = await world.ready()
        (world.folder / "sick").write_text("")
        again = await world.pod_where(lambda p: container(p)["restartCount"] == 1, "the restart")
        (world.folder / "sick").unlink()
        assert pid_of(again) != pid_of(found)
        assert "failed liveness probe" in await world.event("Killing")


async def test_what_does_not_fit_waits_until_it_fits(world):
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


async def test_the_node_registers_itself(world):
    """Labels, capacity, Ready True."""
    async with world.running():

        async def look():
            found = (await world.client.list(NODES))["items"]
            return found[0] if found and found[0].get("status", {}).get("conditions") else None

        found = await world.until(look, "the node")
    assert found["metadata"]["labels"]["zerogate.dev/process-node"] == "true"
    assert {e["type"]: e["status"] for e in found["status"]["conditions"]}["Ready"] == "True"
    assert found["status"]["allocatable"]["pods"] == "110"


async def test_an_orderly_stop_ends_processes_and_keeps_pods(world):
    """After Ctrl-C: no process, the pod not ready; at the next start it runs again, on its port, and that
    counts as no restart: a program is not to blame for the end of its node.
    """
    async with world.running():
        await world.create(pod())
        before = await world.ready()
    assert not proc.is_alive(pid_of(before))
    between = await world.get()
    assert not is_ready(between)
    async with world.running():
        after = await world.pod_where(lambda p: is_ready(p) and pid_of(p) != pid_of(before), "a new process")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert (container(after)["restartCount"], container(after)["lastState"]) == (0, {})
    assert port_of(after) == port_of(before)


async def test_a_pod_that_waits_for_its_image_is_not_restarted_by_a_new_agent(world):
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


async def test_a_killed_agent_leaves_no_orphan_to_its_successor(world, monkeypatch):
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


async def _nothing(_self):
    return None
