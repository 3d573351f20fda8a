"""Pods that are deleted by whomever: they end when their requests have ended, and not before.

The app ends at once on SIGTERM, requests or not.
"""

import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from testkit.kubernetes.control_plane import Cluster
from testkit.machines.cluster import ClusterMachine
from testkit.machines.laptop import Machine, host, service
from testkit.waiting import SLOWER, wait_for

NAME = "slow"
SELECTOR = f"serving.knative.dev/service={NAME}"
REQUESTS = 6


def up_with(machine: Machine, *, delay: float, **spec: int) -> str:
    """A Service whose responses take `delay` seconds and which has one pod; the pod's name."""
    one = {f"autoscaling.knative.dev/{each}-scale": "1" for each in ("min", "max")}
    machine.apply(service(NAME, env={"DELAY": f"{delay:g}s"}, annotations=one, spec=dict(spec)))
    machine.wait_ready(NAME)
    (pod,) = wait_for("one ready pod", lambda: machine.pods(SELECTOR))
    return str(pod["metadata"]["name"])


def all_pods(machine: Machine) -> list[str]:
    """The names of the Service's pods, those that are being deleted included."""
    return machine.kubectl("get", "pods", "-l", SELECTOR, "-o", "name").split()


def is_there(machine: Machine, pod: str) -> bool:
    return f"pod/{pod}" in all_pods(machine)


@contextmanager
def requests_in_flight(machine: Machine) -> Iterator[list[str]]:
    """POST requests, which are not retried once bytes reached a pod, that the pod has accepted when the body
    runs. After it, the list has the status and the body of each response.
    """
    responses: list[str] = []

    def post(_: int) -> str:
        return machine.curl(host(NAME), "-X", "POST", "-d", "x", "-w", "%{http_code}")

    def in_flight() -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{machine.admin}/metrics", timeout=10) as page:
            found = re.findall(rf'in_flight_requests{{.*"{NAME}-00001".*}} (.+)', page.read().decode())
        return sum(map(float, found)) == REQUESTS

    with ThreadPoolExecutor(REQUESTS) as clients:
        sent = clients.map(post, range(REQUESTS))
        wait_for("the requests to be in flight", in_flight, every=0.1)
        yield responses
        responses += sent


def delete_pod(machine: Machine, pod: str) -> None:
    machine.kubectl("delete", "pod", pod, "--wait=false")


def evict_pod(machine: Machine, pod: str) -> None:
    """As `kubectl drain` does."""
    eviction = (
        f'{{"apiVersion": "policy/v1", "kind": "Eviction", '
        f'"metadata": {{"name": "{pod}", "namespace": "default"}}}}'
    )
    path = f"/api/v1/namespaces/default/pods/{pod}/eviction"
    machine.kubectl("create", "--raw", path, "-f", "-", given=eviction)


def restart(machine: Machine, pod: str) -> None:
    machine.kubectl("rollout", "restart", f"deployment/{NAME}-00001-deployment")


def delete_service(machine: Machine, pod: str) -> None:
    machine.kubectl("delete", "ksvc", NAME, "--wait=false")


@pytest.mark.parametrize("end", [delete_pod, evict_pod, restart, delete_service])
def test_requests_survive_the_deletion_of_their_pod(up: Machine, end: Callable[[Machine, str], None]) -> None:
    """Requests of eight seconds get their responses; then the pod is gone within three seconds."""
    pod = up_with(up, delay=8)
    with requests_in_flight(up) as responses:
        end(up, pod)
        wait_for("the deletion", lambda: pod not in [each["metadata"]["name"] for each in up.pods()], 60)
    assert responses == ["Hello World!\n200"] * REQUESTS
    wait_for("the pod to go", lambda: not is_there(up, pod), 3)


def test_an_idle_pod_that_is_deleted_is_gone_within_three_seconds(up: Machine) -> None:
    """Its grace period is 300 seconds; its successor serves."""
    pod = up_with(up, delay=0)
    up.kubectl("delete", "pod", pod, "--wait=false")
    wait_for("the pod to go", lambda: not is_there(up, pod), 3)
    assert up.status(host(NAME)) == 200


def test_a_pod_waits_for_the_requests_of_all_gateway_processes(machine: Machine) -> None:
    """Whichever of two workers its requests came through."""
    machine.start("--workers", "2")
    pod = up_with(machine, delay=8)
    with requests_in_flight(machine) as responses:
        delete_pod(machine, pod)
    assert responses == ["Hello World!\n200"] * REQUESTS
    wait_for("the pod to go", lambda: not is_there(machine, pod), 3)


@pytest.fixture
def cluster(control_plane: Cluster, tmp_path: Path) -> Iterator[ClusterMachine]:
    """The programs one by one, each of which can be ended."""
    made = ClusterMachine(tmp_path, control_plane)
    made.start()
    yield made
    made.kill()


def test_without_the_autoscaler_a_pod_ends_with_its_grace_period(cluster: ClusterMachine) -> None:
    """Nobody shortens it; requests that take less get their responses."""
    pod = up_with(cluster, delay=3, timeoutSeconds=6)
    autoscaler = cluster.programs.pop("autoscaler")
    autoscaler.terminate()  # so that its lease is free for the next test's
    assert autoscaler.wait(60) == 0
    with requests_in_flight(cluster) as responses:
        began = time.monotonic()
        delete_pod(cluster, pod)
    assert responses == ["Hello World!\n200"] * REQUESTS
    wait_for("the pod to go", lambda: not is_there(cluster, pod), 6 + 3)
    assert 5.5 < time.monotonic() - began < (6 + 3) * SLOWER
