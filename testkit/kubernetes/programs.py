"""Our programs beside a control plane, each a process of this machine under its own ServiceAccount."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from testkit.diagnosis import Section, sections
from testkit.kubernetes.control_plane import ControlPlane
from testkit.paths import CONFIG, ROOT
from testkit.ports import free_port
from testkit.processes import end_with_parent
from testkit.waiting import wait_for

SYSTEM = "zerogate-system"
NODE = "process-node"
TAINT = "zerogate.dev/process-node"


def container(program: str) -> dict[str, Any]:
    """The container that runs the program in a cluster, as config/ has it."""
    objects = yaml.safe_load_all((CONFIG / f"{program}.yaml").read_text())
    (deployment,) = [obj for obj in objects if obj["kind"] == "Deployment"]
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(found)


def install(plane: ControlPlane) -> None:
    """Apply config/ as README says, and what `zerogate node` needs beside it.

    What a test deleted or changed is as it is shipped again. Who scaled the activators to zero has switched
    off their autoscaler, which an apply does not change.
    """
    plane.kubectl("apply", "-k", str(CONFIG))
    plane.kubectl("apply", "-f", str(CONFIG / "node.yaml"), "-f", str(CONFIG / "config-images.yaml"))
    plane.kubectl("scale", "deployment/zerogate-activator", "-n", SYSTEM, "--replicas=2")
    plane.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=180s")


class Programs:
    """Instances by name ("controller-a"); what is to the left of the dash says which program it is."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane = plane
        self.folder = folder
        self.gateway = free_port()
        self.local_gateway = free_port()
        self.admin: dict[str, int] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *instances: str, kubeconfig: Path | None = None, flags: Sequence[str] = ()) -> None:
        """Start them as the Deployments in config/ do, but for addresses; `flags` are further ones."""
        for instance in instances:
            program = instance.partition("-")[0]
            with (self.folder / f"{instance}.log").open("ab") as log:
                self._running[instance] = subprocess.Popen(
                    [sys.executable, "-m", "zerogate", *self._arguments(program, instance), *flags],
                    stdout=log, stderr=log, cwd=self.folder,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - the parent starts it from its main thread
                    env={
                        **os.environ,
                        "PYTHONPATH": str(ROOT),
                        "POD_NAME": instance,
                        "KUBECONFIG": str(kubeconfig or self.plane.kubeconfig_of(f"zerogate-{program}")),
                    },
                )  # fmt: skip

    def _arguments(self, program: str, instance: str) -> list[str]:
        if program == "node":
            return [
                "node", f"--name={NODE}", f"--data={self.folder / 'node'}",
                f"--logs=127.0.0.1:{free_port()}", f"--client-ca-file={self.plane.authority}",
            ]  # fmt: skip
        admin = self.admin.setdefault(instance, free_port())
        here = [f"--admin=127.0.0.1:{admin}"]
        if program == "autoscaler":
            here += [f"--link=127.0.0.1:{free_port()}", "--link-auth=token-review"]
        if program == "activator":
            here += [
                f"--gateway=127.0.0.1:{self.gateway}", f"--local-gateway=127.0.0.1:{self.local_gateway}",
                f"--link-token-file={self._link_token()}", "--drain-delay=0s", "--peers=127.0.0.1:0",
            ]  # fmt: skip
        return [*container(program)["args"], *here]

    def _link_token(self) -> Path:
        """What a kubelet would project into the pod."""
        audience = ("--audience", "zerogate-link")
        file = self.folder / "link-token"
        file.write_text(self.plane.kubectl("create", "token", "zerogate-activator", "-n", SYSTEM, *audience))
        return file

    def admit_all_pods(self) -> None:
        """Take away the taint that keeps ordinary pods off a node of processes: there is no other node."""
        wait_for("the node", lambda: NODE in self.plane.kubectl("get", "nodes", "-o", "name"), 60)
        self.plane.kubectl("wait", f"node/{NODE}", "--for=condition=Ready", "--timeout=180s")
        self.plane.kubectl("taint", "node", NODE, f"{TAINT}-")

    def leader(self, lease: str) -> str:
        """Which instance holds the Lease, "" for none."""
        path = ("lease", lease, "-n", SYSTEM, "-o", "jsonpath={.spec.holderIdentity}")
        return self.plane.kubectl("get", *path)

    def pid(self, instance: str) -> int:
        """Its process."""
        return self._running[instance].pid

    def running(self) -> set[str]:
        """The instances that were started and not ended by us."""
        return set(self._running)

    def stop(self, *instances: str, number: int = signal.SIGTERM) -> list[int]:
        """End them, all where none is named; their exit statuses. Signal 0: those that are ending already."""
        ending = {name: self._running.pop(name) for name in instances or [*self._running]}
        for process in ending.values():
            process.send_signal(number)
        try:
            return [process.wait(90) for process in ending.values()]
        finally:
            for process in ending.values():
                with contextlib.suppress(ProcessLookupError):
                    process.kill()

    def signal(self, instance: str, number: int) -> None:
        """Have a signal do to it what it does."""
        self._running[instance].send_signal(number)

    def log(self, instance: str) -> str:
        """What it has printed."""
        return (self.folder / f"{instance}.log").read_text()

    def last_words(self) -> Iterator[Section]:
        """What the report of a failed test shows."""
        running = {instance: port for instance, port in self.admin.items() if instance in self._running}
        return sections(self.plane.kubectl, self.folder, running)
