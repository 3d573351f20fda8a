"""A `zerogate up` under test: real processes, real kubectl, real sockets.

`cluster_machine` has the same for the programs one by one against a real API server.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from testkit import kubectl
from testkit.api_server import ApiServer
from testkit.diagnosis import Section, sections
from testkit.paths import ROOT
from testkit.ports import free_port
from testkit.processes import end_with_parent
from testkit.waiting import wait_for

# Windows of seconds instead of minutes, so that a whole life passes within a test.
QUICK_WINDOWS = {"stable-window": "6s", "scale-to-zero-grace-period": "1s"}


class Machine:
    """One data folder, and the `up` that runs on it (again, after a restart)."""

    engine = "embedded"

    def __init__(self, folder: Path, *, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.kubeconfig = self.data / "kubeconfig"
        self.gateway = free_port()
        self.api = free_port()
        self.admin = free_port()
        self.environment = {**os.environ, **(environment or {})}
        self.process: subprocess.Popen[bytes] | None = None
        self.lives = 0

    @property
    def door(self) -> str:
        """Where requests arrive: ADDRESS:PORT."""
        return f"127.0.0.1:{self.gateway}"

    @property
    def output(self) -> str:
        """All that the present `up` has printed."""
        path = self.folder / f"up-{self.lives}.log"
        return path.read_text() if path.exists() else ""

    @property
    def command(self) -> list[str]:
        """How it is started; the ports are the test's own."""
        return [
            sys.executable, "-m", "zerogate", "up",
            "--gateway", f"127.0.0.1:{self.gateway}", "--api", f"127.0.0.1:{self.api}",
            "--admin", f"127.0.0.1:{self.admin}", "--data", str(self.data),
        ]  # fmt: skip

    def start(self, *arguments: str, cwd: Path | None = None, is_ready: bool = True) -> None:
        """Start `up`; wait until it says that it is ready."""
        self.lives += 1
        with (self.folder / f"up-{self.lives}.log").open("wb") as log:
            self.process = subprocess.Popen(
                [*self.command, *arguments],
                stdout=log, stderr=subprocess.STDOUT, cwd=cwd or self.folder,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - the parent starts it from its main thread
                env={"PYTHONPATH": str(ROOT), **self.environment},
            )  # fmt: skip
        if is_ready:
            wait_for("up to be ready", self._is_ready, 30)

    @property
    def started(self) -> subprocess.Popen[bytes]:
        """The process; it was started."""
        assert self.process is not None
        return self.process

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"up ended:\n{self.output}"
        return "export KUBECONFIG=" in self.output

    def stop(self, number: int = signal.SIGINT, deadline: float = 60.0) -> int:
        """End it by a signal, as Ctrl-C does; its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(deadline)

    def kill(self) -> None:
        """Leave nothing behind, however the test ended."""
        if self.process is not None and self.process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def last_words(self) -> Iterator[Section]:
        """What the report of a failed test shows, if anything was started."""
        if self.lives:
            yield from sections(self.kubectl, self.folder, {"zerogate": self.admin})

    def kubectl(self, *arguments: str, given: str | None = None, check: bool = True) -> str:
        """What kubectl prints, stderr last."""
        done = self.kubectl_result(*arguments, given=given)
        assert not check or done.returncode == 0, (
            f"kubectl {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        )
        return done.stdout + done.stderr

    def kubectl_result(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """The same with its exit status."""
        return subprocess.run(
            ["kubectl", *arguments], input=given, capture_output=True, text=True, timeout=60, check=False,
            env=kubectl.environment(self.environment, self.kubeconfig, self.folder),
        )  # fmt: skip

    def get(self, *arguments: str) -> Any:
        """`kubectl get … -o json`, decoded."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def apply(self, *manifests: dict[str, Any]) -> str:
        """`kubectl apply` of objects."""
        text = "\n".join(json.dumps(manifest) for manifest in manifests)
        return self.kubectl("apply", "-f", "-", given=text)

    def configure(self, name: str, **data: str) -> None:
        """Change keys of a config map of the system namespace, as a user would."""
        patch = json.dumps({"data": data})
        self.kubectl("patch", "configmap", name, "-n", "zerogate-system", "--type=merge", "-p", patch)

    def quick_windows(self) -> None:
        """Make silence short."""
        self.configure("config-autoscaler", **QUICK_WINDOWS)

    def wait_ready(self, service: str, *, namespace: str = "default", deadline: float = 180.0) -> None:
        """Until the Service says READY True for what was applied last."""
        self.kubectl(
            "wait", f"ksvc/{service}", "-n", namespace, "--for=condition=Ready", f"--timeout={deadline:g}s"
        )

    def pods(self, selector: str = "") -> list[dict[str, Any]]:
        """Return the pods of the namespace `default` that are not being deleted."""
        query = {"labelSelector": selector} if selector else {}
        found = ApiServer(self.kubeconfig).get("/api/v1/namespaces/default/pods", **query)["items"]
        return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]

    def pod_count(self, revision: str) -> int:
        """How many pods of a revision there are."""
        return len(self.pods(f"serving.knative.dev/revision={revision}"))

    def wait_pods(self, revision: str, count: int, deadline: float = 60.0) -> None:
        """Until the revision has so many pods."""
        wait_for(f"{count} pods of {revision}", lambda: self.pod_count(revision) == count, deadline, 0.25)

    def curl(self, host: str, *arguments: str, path: str = "/") -> str:
        """The body that curl prints for a Host."""
        done = self.curl_result(host, *arguments, path=path)
        assert done.returncode == 0, f"curl failed ({done.returncode}): {done.stderr}"
        return done.stdout

    def curl_result(self, host: str, *arguments: str, path: str = "/") -> subprocess.CompletedProcess[str]:
        """The same with its exit status."""
        return subprocess.run(
            ["curl", "-sS", "-m", "60", "-H", f"Host: {host}", *arguments, f"http://{self.door}{path}"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def status(self, host: str, *arguments: str, path: str = "/") -> int:
        """The status code for a Host."""
        return int(self.curl(host, "-o", os.devnull, "-w", "%{http_code}", *arguments, path=path))


def service(name: str, *, env: dict[str, str] | None = None, **template: Any) -> dict[str, Any]:
    """A Service of the sample image. `template` may give annotations and containers' further fields."""
    annotations = {"autoscaling.knative.dev/target": "10", **template.pop("annotations", {})}
    container = {
        "image": "dev.local/helloworld-go:1",
        "ports": [{"name": "http1", "containerPort": 8080}],
        "env": [{"name": key, "value": value} for key, value in (env or {}).items()],
        **template.pop("container", {}),
    }
    spec = {"containers": [container], **template.pop("spec", {})}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": template.pop("namespace", "default")},
        "spec": {"template": {"metadata": {"annotations": annotations}, "spec": spec}, **template},
    }


def host(name: str, namespace: str = "default") -> str:
    """The host that the shipped domain gives a Service."""
    return f"{name}.{namespace}.example.com"
