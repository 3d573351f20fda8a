"""Cold starts with real containers: the programs are Deployments of a node of the tests, pods are containers.

`make bench-node` runs it as root; results/node.json is what it leaves. A number says how many wakes.
"""

import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import report
from testkit.machines.containers import NodeMachine, node_with_images
from testkit.machines.laptop import host, service
from testkit.waiting import wait_for

NAME = "hello"
REVISION = f"{NAME}-00001"
SETTLING = 1.0
"""Seconds between the end of a pod and the next request: the node clears its container away."""


def wake(machine: NodeMachine) -> dict[str, float]:
    """Seconds until the first byte at zero pods, and where they went (in ms, as Server-Timing tells)."""
    wait_for("no pod", lambda: not machine.get("pods")["items"], 60)
    time.sleep(SETTLING)
    printed = machine.curl(host(NAME), "-D", "-", "-w", "%{time_starttransfer}")
    phases = {name: float(value) for name, value in re.findall(r"(\w+);dur=([\d.]+)", printed)}
    return {"first_byte": float(printed.splitlines()[-1]), **phases}


def wakes(machine: NodeMachine, count: int) -> dict[str, Any]:
    """Some wakes, one after the other."""
    machine.start()
    machine.quick_windows()
    machine.apply(service(NAME, env={"DELAY": "0"}))
    machine.wait_ready(NAME)
    found = []
    for number in range(count):
        found.append(wake(machine))
        print(f"wake {number + 1}: {found[-1]}", flush=True)
    columns = {key: [one[key] for one in found if key in one] for key in found[0]}
    return {
        "wakes": count,
        "load_average": os.getloadavg(),
        "p50": {key: report.percentile(values, 0.5) for key, values in columns.items()},
        "p99": {key: report.percentile(values, 0.99) for key, values in columns.items()},
    }


def main() -> None:
    """Bring a node up, wake a Service some times, write the figures."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as folder:
        node = node_with_images(Path(folder) / "node")
        try:
            result = wakes(NodeMachine(Path(folder), node.plane), count)
        finally:
            node.stop()
    print(report.written("node", result))


if __name__ == "__main__":
    main()
