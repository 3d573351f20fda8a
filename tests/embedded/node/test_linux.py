"""Processes, their records and their logs."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded.edge.node.linux import logfiles, proc
from embedded.edge.node.linux.machine import Ports
from embedded.edge.node.linux.process import Process, spawn, why_not_started
from embedded.edge.node.linux.records import VARIABLE, Records
from testkit.node.world import python
from testkit.waiting import until


@pytest.fixture
def output(tmp_path: Path) -> Iterator[int]:
    descriptor = logfiles.open_log(tmp_path / "c.log")
    yield descriptor
    os.close(descriptor)


def start(script: str, output: int, folder: str = "/", **env: Any) -> Process:
    return spawn(python(script), {"PATH": os.environ["PATH"], **env}, str(folder), output)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("pass", 0),
        ("raise SystemExit(7)", 7),
        ("import os; os.kill(os.getpid(), 9)", 137),
        ("import os; os.kill(os.getpid(), 15)", 143),
    ],
)
async def test_the_end_is_noticed_with_its_code(output: int, script: str, code: int) -> None:
    """A signal counts as 128 and its number."""
    process = start(script, output)
    assert await asyncio.wait_for(process.wait(), 60) == code
    assert not process.is_running


async def test_the_whole_group_ends_with_its_leader(output: int, tmp_path: Path) -> None:
    """Children of a leader that exited are killed: a container ends as a whole."""
    script = (
        "import os, time\nif os.fork() == 0: print(os.getpid(), flush=True); time.sleep(60)\ntime.sleep(0.2)"
    )
    process = start(script, output)
    assert await asyncio.wait_for(process.wait(), 60) == 0
    child = int((tmp_path / "c.log").read_text())
    await until(lambda: not proc.is_alive(child), "the child to go")


async def test_a_waiter_that_is_cancelled_leaves_the_process_alone(output: int) -> None:
    """Ending is a decision of its own."""
    process = start("import time; time.sleep(60)", output)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(process.wait(), 0.05)
    assert process.is_running
    process.kill()
    assert await asyncio.wait_for(process.wait(), 60) == 137


@pytest.mark.parametrize(
    ("argv", "folder", "told"),
    [
        (["no-such"], "/", "exec: 'no-such' can't be started (in PATH): No such file or directory"),
        (["./no-such"], "/", "exec: './no-such' can't be started (in /): No such file or directory"),
        (["true"], "/no/such", "workingDir /no/such can't be entered: No such file or directory"),
        (["/etc/passwd"], "/", "exec: '/etc/passwd' can't be started (in /): Permission denied"),
    ],
)
async def test_what_cannot_be_started_is_told(output: int, argv: list[str], folder: str, told: str) -> None:
    """Command or folder: the sentence names the one at fault."""
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the sentence is compared below
        spawn(argv, {"PATH": os.environ["PATH"]}, folder, output)
    assert why_not_started(caught.value, argv, folder) == told


async def test_records_find_what_a_predecessor_left(output: int, tmp_path: Path) -> None:
    """By the record, or by the environment when that is missing; found by both it counts once; another
    folder's processes stay.
    """
    mine, other = Records(tmp_path / "a"), Records(tmp_path / "b")
    sleeper = "import time; time.sleep(60)"
    recorded = start(sleeper, output)
    marked = start(sleeper, output, **{VARIABLE: mine.mark("pod", "c")})
    stranger = start(sleeper, output, **{VARIABLE: other.mark("pod", "c")})
    both = start(sleeper, output, **{VARIABLE: mine.mark("pod", "d")})
    mine.note("pod", "c", recorded.pid)
    mine.note("pod", "d", both.pid)
    assert await asyncio.to_thread(Records(tmp_path / "a").end_predecessors) == 3
    assert await asyncio.wait_for(recorded.wait(), 60) == 137
    assert await asyncio.wait_for(marked.wait(), 60) == 137
    assert await asyncio.wait_for(both.wait(), 60) == 137
    assert stranger.is_running
    stranger.kill()
    await stranger.wait()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1, "start": 1}'])
def test_a_broken_or_outdated_record_harms_nobody(tmp_path: Path, text: str) -> None:
    """A record cut off by a crash, or of an id that another process has by now: no kill, and it goes."""
    records = Records(tmp_path)
    (tmp_path / "run" / "x_c.json").write_text(text)
    assert records.end_predecessors() == 0
    assert not list((tmp_path / "run").glob("*.json"))


async def test_what_a_pod_leaves_outside_its_group_is_found(output: int, tmp_path: Path) -> None:
    """A daemon has its own session, but still the mark in its environment."""
    records = Records(tmp_path)
    script = "import os, time\nif os.fork() == 0: os.setsid(); print(os.getpid(), flush=True); time.sleep(60)"
    process = start(script + "\ntime.sleep(60)", output, **{VARIABLE: records.mark("pod", "c")})
    line = await until(lambda: (tmp_path / "c.log").read_text().strip(), "the daemon")
    process.kill()
    await process.wait()
    assert proc.is_alive(int(line))
    assert await asyncio.to_thread(records.end_pods, {"another"}) == 0
    assert await asyncio.to_thread(records.end_container, "pod", "c") == 1
    assert not proc.is_alive(int(line))


async def test_the_tree_of_a_process_and_its_sockets(output: int, tmp_path: Path) -> None:
    """Children count, also in a session of their own; their listeners are theirs."""
    script = (
        "import os, socket, time\nsock = socket.create_server(('127.0.0.1', 0))\n"
        "if os.fork() == 0: os.setsid()\n"
        "print(sock.getsockname()[1], flush=True); time.sleep(60)"
    )
    process = start(script, output)
    await until(lambda: (tmp_path / "c.log").read_text().count("\n") == 2, "two lines")
    port = int((tmp_path / "c.log").read_text().split()[0])
    tree = proc.process_tree(process.pid)
    assert len(tree) == 2
    assert proc.resident_bytes(tree) > 2**20
    inodes = proc.tree_sockets(process.pid)
    assert port in {each.port for each in proc.listeners() if each.inode in inodes}
    for pid in tree:
        os.kill(pid, signal.SIGKILL)
    await process.wait()


def test_a_log_is_kept_for_one_run_more(tmp_path: Path) -> None:
    """A restart begins a new file; the one before is `.log.1`."""
    path = tmp_path / "pod" / "c.log"
    for text in (b"one", b"two", b"three"):
        descriptor = logfiles.open_log(path)
        os.write(descriptor, text)
        os.close(descriptor)
    assert path.read_text() == "three"
    assert logfiles.previous(path).read_text() == "two"


def test_a_log_that_grew_too_large_is_cut_under_its_writer(tmp_path: Path) -> None:
    """The writer goes on in the same file; what was is in `.log.1`."""
    path = tmp_path / "c.log"
    descriptor = logfiles.open_log(path)
    os.write(descriptor, b"x" * 100)
    assert not logfiles.rotate(path, 100)
    assert logfiles.rotate(path, 99)
    os.write(descriptor, b"after")
    os.close(descriptor)
    assert path.read_bytes() == b"after"
    assert logfiles.previous(path).read_bytes() == b"x" * 100
    assert not logfiles.rotate(tmp_path / "none.log", 0)


def test_the_tail_of_a_log_begins_with_a_line(tmp_path: Path) -> None:
    """The last 2 KiB, without a first half of a line."""
    path = tmp_path / "c.log"
    path.write_text("".join(f"line {number}\n" for number in range(1000)))
    text = logfiles.tail(path)
    assert len(text) <= 2048
    assert text.startswith("line ")
    assert text.endswith("line 999")
    assert logfiles.tail(tmp_path / "none.log") == ""


def test_logs_of_pods_that_went_unseen_are_removed(tmp_path: Path) -> None:
    """At the agent's start only the logs of pods that still exist are kept."""
    pods = [{"metadata": {"namespace": "d", "name": each, "uid": f"u-{each}"}} for each in ("here", "gone")]
    for each in pods:
        os.close(logfiles.open_log(logfiles.pod_folder(tmp_path, each) / "c.log"))
    logfiles.remove_others(tmp_path, pods[:1])
    assert [each.name for each in (tmp_path / "logs").iterdir()] == ["d_here_u-here"]


def test_ports_that_somebody_listens_on_are_passed_over() -> None:
    """Taken by another program, on whatever address: the next one is tried."""
    ports = Ports()
    first = ports.allocate()
    second = ports.allocate()
    assert first != second
    ports.release(first)
    with socket.create_server(("127.0.0.1", first)):
        assert ports.allocate(preferred=first) != first
    assert ports.allocate(preferred=first) == first


def test_a_process_is_known_by_its_start_time() -> None:
    """A zombie is not alive, a process that is gone has no start time."""
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    deadline = time.monotonic() + 60
    while proc.is_alive(child.pid):
        assert time.monotonic() < deadline
    assert proc.start_time(child.pid) > 0
    child.wait()
    assert proc.start_time(child.pid) == 0
