"""`zerogate up` as it is run, with all that a revision can have switched on; its pods are nginx."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.proxy.cores import Plan, inherited, moved
from bench.proxy.names import OURS
from bench.proxy.parts import filled
from bench.proxy.peers import FOLDER, Peer
from testkit.machines.laptop import Machine, host
from testkit.processes import children
from testkit.waiting import wait_for

NAME = "proxied"
HOST = host(NAME)
REVISIONS = (f"{NAME}-00001", f"{NAME}-00002")


class Gateway:
    """One `up`: the gateway's processes on the proxy's cores; control process and pods on the rest."""

    def __init__(self, folder: Path, plan: Plan, workers: int, native: str) -> None:
        """`native`: as $ZEROGATE_NATIVE."""
        self.folder = folder
        self.machine = Machine(folder, environment={"ZEROGATE_NATIVE": native})
        self._plan = plan
        self._workers = workers

    @property
    def up(self) -> int:
        """The control process: the embedded API, the autoscaler, the controllers, the node agent."""
        if self.machine.process is None:
            raise RuntimeError("it was not started")
        return self.machine.process.pid

    def workers(self) -> list[int]:
        """The gateway's processes."""
        return [child for child in children(self.up) if b"zerogate.edge.worker" in _command(child)]

    def start(self) -> None:
        """Both revisions ready, each with its pod."""
        self.folder.joinpath("mebibyte").write_bytes(b"x" * (1 << 20))
        with inherited(self._plan.rest):
            self.machine.start("--in-memory", "--workers", str(self._workers))
        found = wait_for("the gateway", self._all_workers)
        for worker in found:
            moved(worker, self._plan.proxy)
        for number in (1, 2):
            self.machine.apply(self._service(number))
            self.machine.wait_ready(NAME)
        self.machine.apply(self._service(2, REVISIONS))
        self.machine.wait_ready(NAME)

    def _all_workers(self) -> list[int]:
        found = self.workers()
        return found if len(found) == self._workers else []

    def _service(self, number: int, shares: tuple[str, ...] = ()) -> dict[str, Any]:
        config = self.folder / "pod.conf"
        config.write_text(filled(FOLDER / "pod.conf", {"folder": self.folder}))
        run = f'sed "s/@PORT@/$PORT/g" {config} > pod-$PORT.conf && exec nginx -p . -c $PWD/pod-$PORT.conf'
        container = {
            "image": "local", "command": ["sh", "-c", run], "workingDir": str(self.folder),
            "env": [{"name": "NUMBER", "value": str(number)}],
        }  # fmt: skip
        annotations = {"autoscaling.knative.dev/min-scale": "1", "autoscaling.knative.dev/max-scale": "1"}
        limits = {
            "containerConcurrency": 100,
            "timeoutSeconds": 300,
            "responseStartTimeoutSeconds": 60,
            "idleTimeoutSeconds": 60,
        }
        template = {"metadata": {"annotations": annotations}, "spec": {"containers": [container], **limits}}
        traffic = [{"revisionName": each, "percent": 100 // len(shares)} for each in shares]
        return {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": NAME, "namespace": "default"},
            "spec": {"template": template, **({"traffic": traffic} if traffic else {})},
        }

    def add_hosts(self, routes: int, tags: int) -> None:
        """`routes` Routes with so many tags each, and a host for each tag: t00-r00.default.example.com."""
        self.machine.apply(*(_route(f"r{number:02}", tags) for number in range(routes)))
        last = f"t{tags - 1:02}-r{routes - 1:02}.default.example.com"
        wait_for("the last host", lambda: self.machine.status(last) == 200, 120)
        self.machine.kubectl(
            "wait", "routes.serving.knative.dev", "--all", "--for=condition=Ready", "--timeout=120s"
        )

    def pods(self) -> list[str]:
        """Addresses of the two pods."""

        def found() -> list[str]:
            pods = self.machine.pods()
            have = [
                f"{pod['status']['podIP']}:{pod['metadata']['annotations']['zerogate.dev/port']}"
                for pod in pods
                if pod["status"].get("podIP")
            ]
            return have if len(have) == len(REVISIONS) else []

        return list(wait_for("two pods", found))

    def peer(self, name: str = OURS) -> Peer:
        """As one of those that are compared: all processes of `up` but the pods."""
        return Peer(name, self.machine.gateway, (self.up, *self.workers()), (self.up,))


def _command(process: int) -> bytes:
    return Path(f"/proc/{process}/cmdline").read_bytes()


def _route(name: str, tags: int) -> dict[str, Any]:
    traffic = [
        {"revisionName": REVISIONS[0], "tag": f"t{number:02}", "percent": 0 if number else 100}
        for number in range(tags)
    ]
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Route",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"traffic": traffic},
    }


@contextmanager
def running(folder: Path, plan: Plan, workers: int = 1, native: str = "auto") -> Iterator[Gateway]:
    """A gateway until the block ends."""
    folder.mkdir()
    gateway = Gateway(folder, plan, workers, native)
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.machine.kill()
