"""The same machine with real containers: our programs are Deployments, from the manifests we ship."""

import os
import signal
import subprocess
from pathlib import Path

from testkit.kubernetes.control_plane import Cluster
from testkit.kubernetes.node import Node, layer_of
from testkit.machines.laptop import Machine
from testkit.paths import ROOT
from testkit.waiting import wait_for
from tools.image.archive import Image, write

IMAGE = ROOT / "build" / "image" / "zerogate.tar"
SAMPLES = (
    "dev.local/helloworld-go:1",
    "registry.cn-hangzhou.aliyuncs.com/knative-sample/helloworld-go:160e4dc8",
)
SYSTEM = "zerogate-system"
PROGRAMS = ("controller", "autoscaler", "activator")
OURS = "ksvc,routes.serving.knative.dev,configurations,revisions"
EXITS = (
    "PROGRAM:.status.containerStatuses[0].name,STATUS:.status.containerStatuses[0].state.terminated.exitCode"
)


def node_with_images(folder: Path) -> Node:
    """A node, started, with `make image`'s archive and the sample's image under both of its names."""
    assert IMAGE.exists(), f"{IMAGE} is missing: run make image"
    folder.mkdir(exist_ok=True)
    node = Node(folder)
    hello = layer_of(node.build() / "helloworld", folder)
    archives = [IMAGE]
    for number, name in enumerate(SAMPLES):
        archives.append(folder / f"sample-{number}.tar")
        # The same delay that the image table gives it on a laptop.
        write(Image(name, [hello], ["/helloworld"], env=["DELAY=10ms"]), archives[-1])
    node.start(archives)
    return node


class NodeMachine(Machine):
    """What `kubectl apply -k config/` made. It outlives a test; `kill` takes away what the test applied."""

    engine = "node"

    def __init__(self, folder: Path, plane: Cluster) -> None:
        super().__init__(folder)
        self.plane = plane
        self.kubeconfig = plane.kubeconfig

    @property
    def door(self) -> str:
        """The activators' Service: its balancer's address where there is one, or its cluster address."""
        service = self.get("service", "zerogate-activator", "-n", SYSTEM)
        given = service["status"]["loadBalancer"].get("ingress") or [{"ip": service["spec"]["clusterIP"]}]
        return f"{given[0].get('ip') or given[0]['hostname']}:80"

    @property
    def output(self) -> str:
        """All that the programs have printed since they were started."""
        return "".join(self._logs(program) for program in PROGRAMS)

    def _logs(self, program: str) -> str:
        selector = f"app.kubernetes.io/name=zerogate-{program}"
        return self.kubectl("logs", "-n", SYSTEM, "-l", selector, "--tail=-1", check=False)

    def start(self, *arguments: str, cwd: Path | None = None, is_ready: bool = True) -> None:
        """Install, two replicas each; wait until all are available and the gateway serves."""
        self.lives += 1
        self.kubectl("apply", "-k", str(ROOT / "config"))
        self.kubectl("scale", "deployment", "--all", "-n", SYSTEM, "--replicas=2")
        self.wait_available()
        wait_for("the gateway", lambda: self.curl_result("nobody.example.com").stdout, 30)
        for file in arguments[1::2]:
            self.kubectl("apply", "-f", file)

    def wait_available(self) -> None:
        """Until each Deployment of the system has rolled out."""
        for program in PROGRAMS:
            asked = ("rollout", "status", f"deployment/zerogate-{program}", "-n", SYSTEM, "--watch=false")
            wait_for(program, lambda asked=asked: "successfully" in self.kubectl(*asked), 180, 0.25)

    def wait_ready(self, service: str, *, namespace: str = "default", deadline: float = 180.0) -> None:
        """As elsewhere; containers take their second."""
        super().wait_ready(service, namespace=namespace, deadline=deadline)

    def stop(self, number: int = signal.SIGTERM, deadline: float = 120.0) -> int:
        """End all programs as a cluster does; the worst exit status of their containers."""
        watch = subprocess.Popen(
            ["kubectl", "get", "pods", "-n", SYSTEM, "--watch", f"-o=custom-columns={EXITS}"],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
        )  # fmt: skip
        try:
            self.kubectl("scale", "deployment", "--all", "-n", SYSTEM, "--replicas=0")
            wait_for("the programs' end", lambda: not self.get("pods", "-n", SYSTEM)["items"], deadline)
        finally:
            watch.terminate()
        told = [line.split() for line in watch.communicate()[0].splitlines()]
        codes = {program: int(status) for program, status in told if status.isdigit()}
        assert codes.keys() == set(PROGRAMS), told
        return max(codes.values())

    def kill(self) -> None:
        """Take away what a test applied, and wait until its containers are gone."""
        self.kubectl("delete", OURS, "--all", "--wait=false", check=False)
        self.kubectl("delete", "deployments,pods", "--all", "--wait=false", check=False)
        wait_for("the pods to go", lambda: not self.get("pods")["items"], 90, 0.5)

    def processes(self, program: str) -> list[Path]:
        """/proc/PID of the program's containers on this machine."""
        ours = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                words = (path / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"/usr/local/bin/zerogate" in words and program.encode() in words:
                ours.append(path)
        return ours
