"""A program that waits in back-off is started again as soon as somebody corrects it."""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from embedded.edge.node.linux.code import MOST, stamp
from embedded.node.backoff import Backoff, BackoffRule
from testkit.node.world import SERVER, container, pod, waiting_reason

LONG = BackoffRule(60.0, 300.0, 600.0)


async def crash_looping(world: Any, **more: Any) -> Any:
    """A pod that waits for a minute."""
    command = [sys.executable, "-S", "-E", "app.py"]
    await world.create(pod(container={"command": command, **more}))
    return await world.pod_where(lambda p: waiting_reason(p) == "CrashLoopBackOff", "back-off")


@pytest.mark.parametrize("more", [{}, {"workingDir": "code"}])
async def test_a_program_whose_file_comes_or_is_corrected_starts_at_once(
    world: Any, more: dict[str, str]
) -> None:
    """The file that the command names; with a workingDir any file in it. It does not wait for the minute."""
    folder = world.folder / more.get("workingDir", ".")
    (folder / "lib").mkdir(parents=True)
    if more:
        (folder / "lib" / "__init__.py").write_text("raise SystemExit(3)")
        (folder / "app.py").write_text("import sys; sys.path.insert(0, '.'); import lib\n")
    async with world.running(backoff=LONG, code_look=0.05):
        await crash_looping(world, **more)
        await asyncio.sleep(0.3)
        began = time.monotonic()
        (folder / ("lib/__init__.py" if more else "app.py")).write_text(SERVER)
        await world.ready()
        assert time.monotonic() - began < 10


async def test_a_file_that_is_written_all_the_time_ends_no_back_off(world: Any) -> None:
    """Else a neighbour's log would have a program that crashes started again for ever."""
    async with world.running(backoff=LONG, code_look=0.05):
        (world.folder / "code").mkdir()
        found = await crash_looping(world, workingDir="code")
        restarts = container(found)["restartCount"]
        for number in range(60):
            (world.folder / "code" / "data.txt").write_text("x" * number)
            await asyncio.sleep(0.02)
        assert container(await world.get())["restartCount"] == restarts


def test_what_is_put_right_begins_with_the_first_back_off_again() -> None:
    backoff = Backoff(BackoffRule())
    assert [backoff.ended(1.0) for _ in range(4)] == [0.0, 10.0, 20.0, 40.0]
    backoff.forget()
    assert [backoff.ended(1.0) for _ in range(2)] == [0.0, 10.0]


def test_a_stamp_is_of_code(tmp_path: Path) -> None:
    """Not of what programs write, of hidden files, or of others' packages; and it has an end."""
    before = stamp(str(tmp_path), ["python3", "-c", "print('\0')", "x" * 5000], is_whole=True)
    for name in ("a.log", ".hidden", "node_modules/x.js", ".venv/y.py", "__pycache__/z.py", "d.sqlite-wal"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    os.mkfifo(tmp_path / "pipe")
    assert stamp(str(tmp_path), [], is_whole=True) == before == frozenset()
    (tmp_path / "app.py").write_text("x")
    assert len(stamp(str(tmp_path), [], is_whole=True)) == 1
    assert stamp(str(tmp_path), [], is_whole=False) == frozenset()
    assert len(stamp(str(tmp_path), ["app.py", "missing.py"], is_whole=False)) == 1
    for number in range(20):
        (tmp_path / f"{number}.py").write_text("x")
    assert len(stamp(str(tmp_path), [], is_whole=True)) == 21 <= MOST
    assert stamp(str(tmp_path / "missing"), ["app.py"], is_whole=True) == frozenset()
