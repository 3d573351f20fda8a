"""The same machine with a real API server: our programs one by one, each a process under its own account."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from testkit.kubernetes.control_plane import Cluster
from testkit.machines.laptop import Machine
from testkit.paths import CONFIG, ROOT
from testkit.ports import free_port
from testkit.processes import end_with_parent
from testkit.waiting import wait_for

SYSTEM = "zerogate-system"
PROGRAMS = ("controller", "autoscaler", "node", "activator")
OURS = "ksvc,routes.serving.knative.dev,configurations,revisions"


class ClusterMachine(Machine):
    """Controller, autoscaler, node and activator against a control plane that outlives them.

    The node runs pods as processes of this machine, as on a laptop.
    """

    engine = "kubernetes"

    def __init__(self, folder: Path, plane: Cluster) -> None:
        super().__init__(folder)
        self.plane = plane
        self.kubeconfig = plane.kubeconfig
        self.link = free_port()
        self.local_gateway = free_port()
        self.logs = free_port()
        self.programs: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def output(self) -> str:
        """All that the programs have printed."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("program-*.log")))

    def start(self, *arguments: str, cwd: Path | None = None, is_ready: bool = True) -> None:
        """Install what is shipped, start the programs; wait until the gateway serves."""
        assert not is_ready or not arguments or arguments[0] == "-f", "only `-f FILE` is known here"
        self.lives += 1
        self._install()
        for program in PROGRAMS:
            self._start_program(program, cwd or self.folder)
        wait_for("the node", lambda: "Ready" in self.kubectl("get", "node", self._node, check=False), 60)
        self.kubectl("taint", "node", self._node, "zerogate.dev/process-node-", check=False)
        wait_for("a ready node", self._is_node_ready, 60)
        wait_for("the gateway", lambda: self.status_or_none("nobody.example.com") == 404, 60)
        for file in arguments[1::2]:
            self.kubectl("apply", "-f", file)

    @property
    def _node(self) -> str:
        return f"node-{self.gateway}"

    def _is_node_ready(self) -> bool:
        node = self.get("node", self._node)
        is_ready = {"type": "Ready", "status": "True"}
        conditions = node["status"].get("conditions") or []
        return any(is_ready.items() <= each.items() for each in conditions) and not node["spec"].get("taints")

    def _install(self) -> None:
        self.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(CONFIG))
        for file in ("config-images.yaml", "node.yaml"):
            self.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CONFIG / file))
        self.kubectl("wait", "--for=condition=Established", "crd", "-l", "app.kubernetes.io/name=zerogate")

    def _arguments(self, program: str) -> list[str]:
        admin = f"--admin=127.0.0.1:{free_port()}"
        return {
            "controller": [admin],
            "autoscaler": [
                admin, f"--link=127.0.0.1:{self.link}", f"--link-address=127.0.0.1:{self.link}",
                "--link-auth=token-review",
            ],
            "node": [f"--name={self._node}", f"--data={self.data}", *self._logs()],
            "activator": [
                f"--admin=127.0.0.1:{self.admin}", f"--link-token-file={self._link_token()}",
                "--drain-delay=0s", "--error-details",
                f"--gateway=127.0.0.1:{self.gateway}", f"--local-gateway=127.0.0.1:{self.local_gateway}",
            ],
        }[program]  # fmt: skip

    def _logs(self) -> list[str]:
        authority = self.plane.folder / "pki" / "ca.crt"
        if not authority.exists():  # a cluster of the developer's, whose API server has another one
            return []
        return [f"--logs=127.0.0.1:{free_port()}", f"--client-ca-file={authority}"]

    def _link_token(self) -> Path:
        account = ("zerogate-activator", "-n", SYSTEM)
        token = self.kubectl("create", "token", *account, "--audience=zerogate-link", "--duration=1h")
        file = self.folder / "link-token"
        file.write_text(token)
        return file

    def _start_program(self, program: str, cwd: Path) -> None:
        account = self.plane.kubeconfig_of(f"zerogate-{program}")
        with (self.folder / f"program-{program}.log").open("ab") as log:
            self.programs[program] = subprocess.Popen(
                [sys.executable, "-m", "zerogate", program, *self._arguments(program)],
                stdout=log, stderr=subprocess.STDOUT, cwd=cwd,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - the parent starts it from its main thread
                env={**self.environment, "PYTHONPATH": str(ROOT), "KUBECONFIG": str(account)},
            )  # fmt: skip

    def status_or_none(self, host: str) -> int | None:
        """The status code for a Host, None while nobody listens."""
        done = self.curl_result(host, "-o", os.devnull, "-w", "%{http_code}")
        return int(done.stdout) if done.returncode == 0 else None

    def stop(self, number: int = signal.SIGTERM, deadline: float = 90.0) -> int:
        """End the programs by a signal, the activator first, the node last; the worst exit status."""
        worst = 0
        for program in ("activator", "controller", "autoscaler", "node"):
            process = self.programs.pop(program, None)
            if process is not None and process.poll() is None:
                process.send_signal(number)
                worst = max(worst, abs(process.wait(deadline)))
        return worst

    def kill(self) -> None:
        """Leave neither processes nor objects behind: the control plane is others' too."""
        try:
            if self.lives:
                self._clear()
        finally:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                for process in self.programs.values():
                    process.kill()
            self.kubectl("delete", "node", self._node, "--ignore-not-found", check=False)

    def _clear(self) -> None:
        """Delete what tests made in the namespace `default`, and wait until its pods are gone."""
        ends_pods = {"node", "autoscaler", "activator"} <= self.programs.keys()
        at_once = () if ends_pods else ("--grace-period=0", "--force")
        for kinds in (OURS, "deployments"):
            self.kubectl("delete", kinds, "--all", "--wait=false", check=False)
        self.kubectl("delete", "pods", "--all", "--wait=false", *at_once, check=False)
        wait_for("the pods to go", lambda: not self._all_pods(), 60)

    def _all_pods(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("pods")["items"]
        return found
