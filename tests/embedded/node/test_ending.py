"""The ends of pods: in order, late, at once."""

import asyncio
import time

from embedded.edge.node.linux import proc
from kube.objects import Obj
from testkit.node.world import NodeWorld, container, pid_of, pod, port_of, python
from testkit.waiting import until


async def test_a_deleted_pod_gets_sigterm_and_goes(world: NodeWorld) -> None:
    """The process ends on SIGTERM; pod, logs and record are gone after it."""
    async with world.running():
        await world.create(pod())
        found = await world.ready()
        await world.delete()
        await world.gone()
        assert not proc.is_alive(pid_of(found))
        assert not list((world.folder / "run").glob("*.json"))


async def test_a_process_that_ignores_sigterm_is_killed_after_the_grace_period(world: NodeWorld) -> None:
    """With one second of grace it outlives SIGTERM by that second, and its child goes as well."""
    script = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: open(f'told-{os.getpid()}', 'w').close())\n"
        "os.fork(); print(os.getpid(), flush=True)\n"
        "while True: time.sleep(1)"
    )
    async with world.running():
        await world.create(pod(script=script, terminationGracePeriodSeconds=1))
        found = await world.pod_where(lambda p: world.log(p).count("\n") == 2, "both processes")
        pids = [int(line) for line in world.log(found).split()]
        began = time.monotonic()
        await world.delete()

        async def is_gone() -> bool:
            return await world.get() is None

        # The grace period that a pod has by default would end later.
        await world.until(is_gone, "the pod to go", within=25.0)
        assert time.monotonic() - began > 0.8
        await until(lambda: not any(map(proc.is_alive, pids)), "both processes to end")
    assert {each.name for each in world.folder.glob("told-*")} == {f"told-{pid}" for pid in pids}


async def test_pre_stop_comes_before_sigterm(world: NodeWorld) -> None:
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


async def test_pre_stop_sleep_keeps_the_pod_serving(world: NodeWorld) -> None:
    """During `preStop: sleep` the process goes on."""
    async with world.running():
        await world.create(pod(container={"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}))
        found = await world.ready()
        began = time.monotonic()
        await world.delete()
        while time.monotonic() - began < 0.9:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port_of(found))
            except ConnectionError:  # at the earliest when the second is over, however late we come to look
                break
            writer.close()
            await writer.wait_closed()
            await asyncio.sleep(0.05)
        await world.gone()
        assert time.monotonic() - began >= 0.9


ENDS_POLITELY = """
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: (open('term', 'w').write('asked'), os._exit(0)))
print('up', flush=True)
while True: time.sleep(1)
"""


def sleeper(seconds: int, grace: int, script: str = ENDS_POLITELY) -> Obj:
    """A pod whose preStop sleeps, and which writes the file `term` on SIGTERM."""
    hook = {"lifecycle": {"preStop": {"sleep": {"seconds": seconds}}}}
    return pod(script=script, container=hook, terminationGracePeriodSeconds=grace)


async def test_a_shorter_deletion_cuts_a_running_pre_stop_sleep(world: NodeWorld) -> None:
    """The second DELETE counts from its own arrival; SIGTERM follows when its grace period is over."""
    async with world.running():
        await world.create(sleeper(60, 60))
        await world.pod_where(lambda p: world.log(p) == "up\n", "the process")
        await world.delete()
        await world.event("Killing")
        began = time.monotonic()
        await world.delete(grace=1)
        await world.gone()
        took = time.monotonic() - began
    assert (world.folder / "term").read_text() == "asked"
    assert took >= 0.9


async def test_a_longer_deletion_changes_nothing(world: NodeWorld) -> None:
    """A DELETE with a longer grace period than the running one is ignored, by the API and by the node."""
    async with world.running():
        await world.create(sleeper(2, 60))
        await world.pod_where(lambda p: world.log(p) == "up\n", "the process")
        await world.delete(grace=1)
        await world.event("Killing")
        await world.delete(grace=60)
        await world.gone()
    assert (world.folder / "term").read_text() == "asked"


async def test_a_pre_stop_as_long_as_the_grace_period_still_leaves_time_for_sigterm(world: NodeWorld) -> None:
    """The hook is cut when the grace period is over, then the process gets SIGTERM, as from the kubelet."""
    async with world.running():
        await world.create(sleeper(1, 1))
        await world.pod_where(lambda p: world.log(p) == "up\n", "the process")
        began = time.monotonic()
        await world.delete()
        await world.gone()
        took = time.monotonic() - began
    assert (world.folder / "term").read_text() == "asked"
    assert took >= 0.9


async def test_a_process_that_ignores_sigterm_after_a_long_pre_stop_is_killed_two_seconds_later(
    world: NodeWorld,
) -> None:
    """The extension of two seconds is the only one."""
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    async with world.running():
        await world.create(sleeper(60, 60, script))
        await world.pod_where(lambda p: world.log(p) == "up\n", "the process")
        await world.delete()
        await world.event("Killing")
        began = time.monotonic()
        await world.delete(grace=1)
        await world.gone(within=20)
        assert time.monotonic() - began >= 1 + 1.9


async def test_a_shorter_deletion_counts_after_sigterm_too(world: NodeWorld) -> None:
    """Without a preStop the process has SIGTERM already; SIGKILL comes sooner."""
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    async with world.running():
        await world.create(pod(script=script, terminationGracePeriodSeconds=60))
        await world.pod_where(lambda p: world.log(p) == "up\n", "the process")
        await world.delete()
        await world.event("Killing")
        await world.delete(grace=1)
        await world.gone(within=20)


async def test_a_forced_deletion_ends_the_process_at_once(world: NodeWorld) -> None:
    """kubectl delete --grace-period=0 --force: the object goes first, the process with it."""
    async with world.running():
        await world.create(
            pod(script="import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)")
        )
        found = await world.pod_where(lambda p: "running" in container(p).get("state", {}), "the process")
        await world.delete(grace=0)
        await world.gone()

        async def is_dead() -> bool:
            return not proc.is_alive(pid_of(found))

        await world.until(is_dead, "the process to end", within=25.0)
