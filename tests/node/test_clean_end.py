"""A node leaves nothing behind on the machine that it ran on, however it ended.

These come before the tests that share one node: there is one at a time.
"""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from testkit.kubernetes.node import CGROUP, TUNABLES, Node
from testkit.paths import ROOT
from testkit.waiting import wait_for

SETTINGS = [*TUNABLES, "net/ipv4/ip_forward", "net/ipv4/conf/all/route_localnet"]
PLACES = ("/run", "/run/netns", "/var/lib", "/var/lib/cni", "/var/log", "/var/log/pods", "/etc/cni/net.d")


pytestmark = pytest.mark.own_node


def _printed(*command: Any) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _traces(folder: Path) -> dict[str, Any]:
    """What a node may leave: processes that know its folder or live apart from us, mounts, links, routes,
    rules, settings, files, control groups with something in them.
    """
    ours = os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116 - what the link points to is no file
    processes = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command, space = (path / "cmdline").read_bytes(), os.stat(path / "ns/pid").st_ino  # noqa: PTH116
        except OSError:
            continue
        if space != ours or (os.fsencode(folder) in command and int(path.name) != os.getpid()):
            processes.add((path.name, command))
    return {
        "processes": processes,
        "mounts": {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()},
        "links": _printed("ip", "-brief", "link"),
        "routes": _printed("ip", "route"),
        "rules": [line for line in _printed("iptables-save").splitlines() if line[0] in "-:*"],
        "settings": {name: Path("/proc/sys", name).read_text() for name in SETTINGS},
        "files": {place: sorted(Path(place).iterdir()) for place in PLACES if Path(place).exists()},
        "groups": [path for path in Path("/sys/fs/cgroup").rglob("cgroup.procs")
                   if CGROUP in path.parts and path.read_text()],
    }  # fmt: skip


def _is_as(before: Any, folder: Path) -> None:
    """The kernel takes its moment; after that nothing differs."""
    with contextlib.suppress(AssertionError):
        wait_for("the kernel", lambda: _traces(folder) == before, 10)
    assert _traces(folder) == before


def _groups() -> list[Path]:
    return [path for path in Path("/sys/fs/cgroup").glob(f"**/{CGROUP}") if path.is_dir()]


def test_a_start_that_fails_at_its_last_step_leaves_nothing(tmp_path: Path) -> None:
    """All parts run when an image turns out to be missing; then none does."""
    before = _traces(tmp_path)
    node = Node(tmp_path / "node")
    with pytest.raises(RuntimeError, match="no-such-image"):
        node.start([tmp_path / "no-such-image.tar"])
    assert (tmp_path / "node" / "containerd.log").exists()
    _is_as(before, tmp_path)
    assert _groups() == []


def test_after_kill_9_the_kernel_takes_all_away_and_the_next_start_the_rest(tmp_path: Path) -> None:
    """Who holds the node is killed: no process, mount, link or rule survives; control groups do, empty."""
    before = _traces(tmp_path)
    with (tmp_path / "output").open("w") as output:
        holder = subprocess.Popen(
            [sys.executable, "-m", "testkit.kubernetes.node", tmp_path / "first"], cwd=ROOT, stdout=output
        )
    wait_for("the node", lambda: "export KUBECONFIG=" in (tmp_path / "output").read_text(), 180)
    assert _traces(tmp_path) != before
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    _is_as(before, tmp_path)
    assert _groups() != []
    node = Node(tmp_path / "second")
    node.start()
    node.stop()
    _is_as(before, tmp_path)
    assert _groups() == []
