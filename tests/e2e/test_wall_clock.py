"""The wall clock of all programs of a laptop is set while requests are in flight: nothing happens."""

import os
import threading
import time
from pathlib import Path

import pytest

from testkit.machines.laptop import Machine, host, service
from testkit.paths import ROOT
from testkit.waiting import wait_for

STEPPED = """
import os, time
_real, _last = time.time, [0.0, -1.0]
def _time():
    now = time.monotonic()
    if now - _last[1] > 0.05:
        _last[1] = now
        try:
            with open(os.environ["OFFSET_FILE"]) as file:
                _last[0] = float(file.read() or 0)
        except (OSError, ValueError):
            pass
    return _real() + _last[0]
time.time = _time
"""
SLOW = 6
CLIENTS = 6


@pytest.mark.long
@pytest.mark.parametrize("step", [-600, 600, -86_400, 86_400])
def test_a_wall_clock_that_is_set_scales_nothing_down_and_loses_no_request(tmp_path: Path, step: int) -> None:
    """In every process at once. Windows of six seconds, requests as long as they; then sleep and a wake."""
    (tmp_path / "sitecustomize.py").write_text(STEPPED)
    offset = tmp_path / "offset"
    offset.write_text("0")
    path = f"{tmp_path}{os.pathsep}{ROOT}"
    machine = Machine(tmp_path, environment={"OFFSET_FILE": str(offset), "PYTHONPATH": path})
    statuses: list[int] = []
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            statuses.append(machine.status(host("steady")))

    try:
        machine.start()
        machine.quick_windows()
        machine.apply(
            service("steady", env={"DELAY": f"{SLOW}s"}, annotations={"autoscaling.knative.dev/target": "2"})
        )
        machine.wait_ready("steady")
        clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        machine.wait_pods("steady-00001", CLIENTS // 2)
        time.sleep(7)
        offset.write_text(str(step))
        ends = time.monotonic() + 25
        while time.monotonic() < ends:
            assert machine.pod_count("steady-00001") >= CLIENTS // 2
            time.sleep(0.5)
        is_over.set()
        for client in clients:
            client.join()
        assert set(statuses) == {200}
        assert "silent" not in machine.output
        assert "Leading, epoch 2" not in machine.output
        machine.wait_pods("steady-00001", 0)
        assert machine.status(host("steady")) == 200
        wait_for("one pod", lambda: machine.pod_count("steady-00001") == 1)
    finally:
        is_over.set()
        machine.kill()
