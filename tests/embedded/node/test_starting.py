"""From a pod to its processes."""

from typing import Any

import pytest

from kube.objects import annotations
from kube.resources import CONFIGMAPS
from testkit.node.world import NodeWorld, container, is_ready, pod, port_of, waiting_reason


async def test_the_address_is_published_before_the_pod_is_ready(world: NodeWorld) -> None:
    """Port and address stand in the API while the program is still starting: the gateway tries it itself."""
    async with world.running():
        await world.create(pod(script="import time; time.sleep(60)"))
        found = await world.pod_where(lambda each: each.get("status", {}).get("podIP"), "an address")
        assert port_of(found) > 0
        assert not is_ready(found)
        assert found["status"]["phase"] == "Running"


async def test_what_a_process_is_started_with(world: NodeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment of the container, PORT and HOSTNAME, no secrets of the shell; workingDir; the log."""
    monkeypatch.setenv("SHELL_SECRET", "x")
    (world.folder / "sub").mkdir()
    script = (
        "import os; print(os.getcwd(), sorted(os.environ.items()), flush=True); import time; time.sleep(60)"
    )
    wish = {"env": [{"name": "GREETING", "value": "hi $(HOSTNAME)"}], "workingDir": "sub"}
    async with world.running():
        await world.create(pod(script=script, container=wish))
        found = await world.pod_where(
            lambda each: "zerogate.dev/port" in annotations(each) and world.log(each).endswith("\n"),
            "its port and a line in the log",
        )
        text = world.log(found)
    assert text.startswith(str(world.folder / "sub"))
    assert "('GREETING', 'hi p')" in text
    assert f"('PORT', '{port_of(found)}')" in text
    assert "SHELL_SECRET" not in text


async def test_env_from_config_map_and_secret(world: NodeWorld) -> None:
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


async def test_an_image_of_the_table(world: NodeWorld) -> None:
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


async def test_an_unknown_image_is_told_and_tried_again_when_the_table_changes(world: NodeWorld) -> None:
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
        await world.pod_where(lambda p: "running" in container(p)["state"], "the process")


async def test_a_mistake_in_the_table_keeps_the_old_one(world: NodeWorld) -> None:
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


@pytest.mark.parametrize(
    ("wish", "text"),
    [
        ({"command": ["no-such-program"]}, "exec: 'no-such-program' can't be started (in PATH)"),
        ({"command": ["./nope"]}, "exec: './nope' can't be started (in "),
        ({"workingDir": "/no/such"}, "workingDir /no/such can't be entered"),
    ],
)
async def test_a_command_that_cannot_be_started(world: NodeWorld, wish: dict[str, Any], text: str) -> None:
    """It counts as a crash with exit code 128 and says what was not found."""
    async with world.running():
        await world.create(pod(container=wish))
        found = await world.pod_where(lambda p: waiting_reason(p) == "CrashLoopBackOff", "the back-off")
    last = container(found)["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (128, "StartError")
    assert text in last["message"]
    assert text in container(found)["state"]["waiting"]["message"]
