"""What becomes of traffic while the API server fails, each fault made by a proxy before a real one.

The programs run as processes under their own accounts and reach the API server through the proxy; kubectl,
Kubernetes' own controllers and the scheduler do not. `FAULT_SECONDS` says how long the server is away (15, or
60 in `make soak`), `FAULT_RESULTS` names a JSON file for what was observed.
"""

import contextlib
import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from testkit.kubernetes.control_plane import ControlPlane
from testkit.kubernetes.fault_proxy import FaultProxy
from testkit.kubernetes.programs import NODE, SYSTEM, Programs
from testkit.load import Load
from testkit.machines.laptop import QUICK_WINDOWS, host, service
from testkit.paths import CONFIG
from testkit.provenance import described
from testkit.waiting import wait_for

DOWN = float(os.environ.get("FAULT_SECONDS", "15"))
RESULTS = os.environ.get("FAULT_RESULTS", "")
AT_ONCE, PER_SECOND = 250, 15
"""Requests that the four programs may send while a fault lasts: some twenty watches begin again, each a few
times quickly, and then every few seconds."""
STORMS: dict[str, dict[str, Any]] = {
    "slow": {"delay": 2.0},
    "watches-dropped": {"watch_life": 0.3},
    "gone": {"gone": "answer"},
    "gone-in-watch": {"gone": "event"},
    "busy": {"busy_each": 3, "retry_after": 1},
    "conflict": {"conflict_each": 2},
}
NAMES = (*STORMS, "down", "silent", "expired")


class Proxied:
    """The four programs behind a proxy, each with a token that is read from a file, as a pod's is."""

    names = ("controller", "autoscaler", "node", "activator")

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane = plane
        self.folder = folder
        self.programs = Programs(plane, folder)
        self.proxy = FaultProxy(plane.server, plane.authority, folder / "proxy")

    def start(self) -> None:
        kubectl = self.plane.kubectl
        kubectl("apply", "-k", str(CONFIG))
        kubectl("apply", "-f", str(CONFIG / "node.yaml"), "-f", str(CONFIG / "config-images.yaml"))
        kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=180s")
        kubectl("scale", "deployment", "--all", "-n", SYSTEM, "--replicas=0")
        windows = json.dumps({"data": QUICK_WINDOWS})
        kubectl("patch", "configmap", "config-autoscaler", "-n", SYSTEM, "--type=merge", "-p", windows)
        self.proxy.start()
        (self.folder / "authority.crt").write_text(self.proxy.authority)
        for name in self.names:
            self.renew_token(name)
            self.programs.start(name, kubeconfig=self._kubeconfig(name))
        self.programs.admit_all_pods()

    def _kubeconfig(self, name: str) -> Path:
        cluster = {"server": self.proxy.url, "certificate-authority": str(self.folder / "authority.crt")}
        config = {
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"tokenFile": str(self.token_file(name))}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        file = self.folder / f"kubeconfig-{name}"
        file.write_text(json.dumps(config))
        return file

    def token_file(self, name: str) -> Path:
        return self.folder / f"token-{name}"

    def renew_token(self, name: str) -> None:
        """Give the program a new token; it finds it by itself."""
        account = ("token", f"zerogate-{name}", "-n", SYSTEM, "--duration", "1h")
        self.token_file(name).write_text(self.plane.kubectl("create", *account))

    def stop(self) -> None:
        """Leave neither programs nor objects behind."""
        self.plane.kubectl("delete", "ksvc", "--all", "--wait=false")
        self.programs.stop()
        self.plane.kubectl("delete", "node", NODE, "--ignore-not-found")
        if self.proxy.port:
            self.proxy.stop()

    # What a user does, past the proxy.

    def apply(self, *services: Any) -> None:
        objects = {"apiVersion": "v1", "kind": "List", "items": [*services]}
        file = self.folder / "applied.json"
        file.write_text(json.dumps(objects))
        self.plane.kubectl("apply", "-f", str(file))

    def delete(self, name: str) -> None:
        self.plane.kubectl("delete", "ksvc", name, "--wait=false")

    def wait_ready(self, name: str) -> None:
        ready = ("--for=condition=Ready", "--timeout=120s")
        subprocess.run(
            ["kubectl", "wait", f"ksvc/{name}", *ready],
            env={**os.environ, "KUBECONFIG": str(self.plane.kubeconfig)}, check=True, timeout=150,
        )  # fmt: skip

    def pods(self, revision: str) -> int:
        """How many there are that are not on their way out."""
        path = "/api/v1/namespaces/default/pods?labelSelector=serving.knative.dev/revision%3D"
        found = json.loads(self.plane.get(path + revision))["items"]
        return len([pod for pod in found if "deletionTimestamp" not in pod["metadata"]])

    def wait_pods(self, revision: str, count: int) -> None:
        wait_for(f"{count} pods of {revision}", lambda: self.pods(revision) == count, 240, 0.25)

    def ask(self, name: str, seconds: int = 10) -> int:
        """The status code of a request, 0 for none."""
        done = subprocess.run(
            ["curl", "-s", "-m", str(seconds), "-o", os.devnull, "-w", "%{http_code}",
             "-H", f"Host: {host(name)}", f"http://127.0.0.1:{self.programs.gateway}/"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return int(done.stdout or 0)


@pytest.fixture(scope="module")
def cluster(own_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    """The programs, a Service that stays warm, and one for each fault that goes to zero."""
    made = Proxied(own_plane, tmp_path_factory.mktemp("faults"))
    try:
        made.start()
        made.apply(
            service("warm", annotations={"autoscaling.knative.dev/min-scale": "1"}),
            *(service(f"cold-{name}") for name in NAMES),
        )
        for name in ("warm", *(f"cold-{name}" for name in NAMES)):
            made.wait_ready(name)
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, Any]]:
    """What was observed, by fault; written when all is over."""
    found: dict[str, Any] = {}
    yield found
    if RESULTS:
        Path(RESULTS).write_text(json.dumps({"machine": described(), **found}, indent=1) + "\n")


class Watched:
    """One fault: traffic that ought to go on, a cold request, and what the programs ask meanwhile."""

    def __init__(self, cluster: Proxied, name: str, pool: ThreadPoolExecutor) -> None:
        self.cluster = cluster
        self.name = name
        self.revision = f"cold-{name}-00001"
        cluster.wait_pods(self.revision, 0)
        self.begun = time.monotonic()
        self.answered = 0.0
        self.load = Load(f"127.0.0.1:{cluster.programs.gateway}", host("warm"), 2)
        self._pool = pool
        self.cold: Future[tuple[int, float]] | None = None

    def ask(self) -> Any:
        """Send the cold request; a future of its status and seconds."""
        return self._pool.submit(self._ask)

    def _ask(self) -> Any:
        begun = time.monotonic()
        status = self.cluster.ask(f"cold-{self.name}", 240)
        self.answered = time.monotonic()
        return status, self.answered - begun

    def told(self, waited: float) -> dict[str, Any]:
        """Check what holds for each fault; what was observed."""
        seconds = time.monotonic() - self.begun
        asked = self.cluster.proxy.since(self.begun)
        wakes = [
            each
            for each in asked
            if each.method == "PATCH"
            and each.status == 200
            and f"/deployments/{self.revision}-" in each.path
            and each.at < self.answered
        ]
        by_status = Counter(str(each.status) for each in asked)
        assert self.load.outcome.failures == []
        assert self.load.outcome.good > 10 * seconds, "warm traffic went on all the time"
        assert len(asked) <= AT_ONCE + PER_SECOND * seconds, f"busy: {by_status} in {seconds:.0f} s"
        assert len(wakes) == 1, f"woken more than once: {wakes}"
        assert self.cluster.pods(self.revision) <= 1, "one pod, or already gone again"
        return {
            "seconds": round(seconds, 1),
            "cold_request_seconds": round(waited, 1),
            "warm_requests": self.load.outcome.good,
            "warm_failures": 0,
            "warm_slowest_seconds": round(self.load.outcome.slowest, 3),
            "api_requests": len(asked),
            "api_requests_by_status": dict(by_status),
            "api_requests_in_busiest_second": max(
                Counter(int(each.at) for each in asked).values(), default=0
            ),
        }


@contextlib.contextmanager
def watched(cluster: Proxied, name: str) -> Iterator[Watched]:
    """The fault's story, with warm traffic all the while."""
    with ThreadPoolExecutor() as pool:
        story = Watched(cluster, name, pool)
        with story.load:
            yield story


def recovered(cluster: Proxied, name: str) -> None:
    """Afterwards: what was made, changed and deleted behind the fault's back is known, and pods go again."""
    cluster.wait_ready(f"fresh-{name}")
    wait_for("the new host", lambda: cluster.ask(f"fresh-{name}") == 200, 60)
    wait_for("the deleted host to be gone", lambda: cluster.ask(f"old-{name}") == 404, 60)
    cluster.wait_pods(f"cold-{name}-00001", 0)
    cluster.delete(f"fresh-{name}")


def change_behind(cluster: Proxied, name: str) -> None:
    """What the programs can learn of by their watches alone."""
    cluster.delete(f"old-{name}")
    cluster.apply(service(f"fresh-{name}"))


@pytest.fixture
def known(cluster: Proxied, name: str) -> None:
    """A Service that will be deleted while the fault lasts."""
    cluster.apply(service(f"old-{name}"))
    cluster.wait_ready(f"old-{name}")
    wait_for("its host", lambda: cluster.ask(f"old-{name}") == 200, 60)


@pytest.mark.parametrize("name", STORMS)
def test_under_a_bad_api_server_warm_traffic_goes_on_and_a_cold_request_is_answered(
    cluster: Proxied, results: dict[str, Any], known: set[Any], name: str
) -> None:
    """While it is slow by two seconds; cuts each watch after 0.3 s; tells 410 to each; tells each third
    request to come back in a second; refuses each second write with 409. One pod is started, once.
    """
    with watched(cluster, name) as story, cluster.proxy.having(**STORMS[name]):
        cluster.proxy.cut_watches()
        cold = story.ask()
        change_behind(cluster, name)
        status, waited = cold.result(240)
        assert status == 200
        cluster.wait_ready(f"fresh-{name}")
    results[name] = story.told(waited)
    recovered(cluster, name)


@pytest.mark.parametrize("name", ["down"])
def test_while_the_api_server_is_away_warm_traffic_goes_on_and_a_cold_request_waits(
    cluster: Proxied, results: dict[str, Any], known: set[Any], name: str
) -> None:
    """Connections are reset, then refused; the request is answered once it is back."""
    with watched(cluster, name) as story:
        cluster.proxy.go_down()
        cold = story.ask()
        change_behind(cluster, name)
        time.sleep(DOWN)  # the fault's own length
        assert not cold.done()
        cluster.proxy.come_back()
        status, waited = cold.result(240)
        assert status == 200
    results[name] = {"away_seconds": DOWN, **story.told(waited)}
    recovered(cluster, name)


@pytest.mark.parametrize("name", ["silent"])
def test_while_the_api_server_takes_requests_and_never_answers_it_is_the_same(
    cluster: Proxied, results: dict[str, Any], known: set[Any], name: str
) -> None:
    """Each wait has an end; what was asked in vain is asked again."""
    with watched(cluster, name) as story:
        with cluster.proxy.having(is_silent=True):
            cluster.proxy.cut_watches()
            cold = story.ask()
            change_behind(cluster, name)
            time.sleep(DOWN)
            assert not cold.done()
        status, waited = cold.result(240)
        assert status == 200
    results[name] = {"silent_seconds": DOWN, **story.told(waited)}
    recovered(cluster, name)


@pytest.mark.parametrize("name", ["expired"])
def test_while_all_tokens_are_refused_a_cold_request_waits_for_new_ones(
    cluster: Proxied, results: dict[str, Any], known: set[Any], name: str
) -> None:
    """The tokens' files change, as the kubelet changes them, and nobody is restarted."""
    with watched(cluster, name) as story:
        old = {cluster.token_file(program).read_text() for program in cluster.names}
        with cluster.proxy.having(expired=old):
            cluster.proxy.cut_watches()
            cold = story.ask()
            change_behind(cluster, name)
            time.sleep(5.0)
            assert not cold.done()
            for program in cluster.names:
                cluster.renew_token(program)
            status, waited = cold.result(240)
        assert status == 200
    results[name] = story.told(waited)
    recovered(cluster, name)
