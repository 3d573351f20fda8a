"""Probes, restarts and what is told meanwhile."""

import pytest

from testkit.node.world import NodeWorld, container, is_ready, pid_of, pod, port_of, waiting_reason
from testkit.ports import free_port


async def test_a_command_that_exits_is_restarted_with_back_off(world: NodeWorld) -> None:
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
    ("policy", "code", "phase"),
    [("Never", 0, "Succeeded"), ("Never", 1, "Failed"), ("OnFailure", 0, "Succeeded")],
)
async def test_restart_policies(world: NodeWorld, policy: str, code: int, phase: str) -> None:
    """A pod whose container may stay ended has an end."""
    async with world.running():
        await world.create(pod(script=f"raise SystemExit({code})", restartPolicy=policy))
        found = await world.pod_where(lambda p: p.get("status", {}).get("phase") == phase, phase)
        assert container(found)["restartCount"] == 0
        await world.delete()
        await world.gone()


async def test_a_failing_liveness_probe_restarts(world: NodeWorld) -> None:
    """It ends the process, which starts again and is counted."""
    probe = {"exec": {"command": ["sh", "-c", "test ! -e sick"]}, "periodSeconds": 1, "failureThreshold": 1}
    async with world.running():
        await world.create(pod(container={"livenessProbe": probe}))
        found = await world.ready()
        (world.folder / "sick").write_text("")
        again = await world.pod_where(lambda p: container(p)["restartCount"] == 1, "the restart")
        (world.folder / "sick").unlink()
        assert pid_of(again) != pid_of(found)
        assert "failed liveness probe" in await world.event("Killing")


async def test_an_app_on_the_wrong_port_is_told_so(world: NodeWorld) -> None:
    """Condition and Event say where it listens and what to do; when it moves to $PORT, the pod is ready."""
    wrong = free_port()
    script = (
        "import os, socket, time\n"
        f"wrong = socket.create_server(('127.0.0.1', {wrong}))\n"
        "while not os.path.exists('moved'): time.sleep(0.01)\n"
        "right = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\n"
        "time.sleep(60)"
    )
    async with world.running():
        await world.create(pod(script=script))
        found = await world.pod_where(lambda p: p.get("status", {}).get("message"), "the message")
        text = f"listens on {wrong}, not on $PORT ({port_of(found)})"
        entries = {entry["type"]: entry for entry in found["status"]["conditions"]}
        assert text in found["status"]["message"]
        assert text in entries["Ready"]["message"]
        assert entries["Ready"]["status"] == "False"
        assert text in await world.event("WrongPort")
        (world.folder / "moved").write_text("")
        assert not (await world.ready())["status"].get("message")


async def test_a_startup_probe_holds_back_readiness(world: NodeWorld) -> None:
    """However ready the program is: it counts as started, and is asked, once its startup probe passed."""
    probe = {"exec": {"command": ["test", "-e", "started"]}, "periodSeconds": 1, "failureThreshold": 30}
    async with world.running():
        await world.create(pod(container={"startupProbe": probe}))
        found = await world.pod_where(lambda p: "running" in container(p).get("state", {}), "the process")
        assert (container(found)["started"], container(found)["ready"]) == (False, False)
        (world.folder / "started").write_text("")
        assert container(await world.ready())["started"]
