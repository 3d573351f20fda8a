"""What the programs cost and how fast they are beside a real API server.

`make bench-cluster` runs it; results/cluster.json and results/cluster.png are what it leaves. Parts may be
named: `python -m bench.cluster wakes idle thousand`.

Times of the API server are its audit log's (microseconds, same clock); a write is accepted when its answer is
complete. The programs run as config/ has them, each under its own account; pods are processes of `zerogate
node` or, for the thousand Services, exist on paper (`bench/kubelet.py`).
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench import report
from bench.audit import AuditLog, Line, counted
from kube.edge.client import ApiError, Client
from kube.edge.credentials import load_credentials
from kube.edge.http import HttpTransport
from kube.edge.informer import Informer
from kube.objects import Obj, is_true
from kube.resources import SERVICES
from testkit.kubernetes.control_plane import ControlPlane
from testkit.kubernetes.programs import SYSTEM, Programs
from testkit.machines.laptop import QUICK_WINDOWS, host, service
from testkit.paths import CONFIG, ROOT
from testkit.waiting import wait_for

OURS = ("activator", "autoscaler", "controller")
ROUNDS = 3
SLEEPERS = 40
"""Services that are woken one after the other in each round."""
IDLE = 30.0
"""Seconds of silence that are measured in each round."""
AFTERMATH = 3.0
"""Seconds after a wake in which a write belongs to it."""
THOUSAND = 1000
GIVEN_UP = 300
"""Seconds after which Services that are not ready count as never."""
IMAGE = "bench.local/listener:1"


class Bar(NamedTuple):
    """A figure and what it must stay below. `values` has one for each round."""

    what: str
    unit: str
    values: list[float]
    most: float
    is_included: bool = False

    @property
    def is_met(self) -> bool:
        """Whether each round stayed below."""
        worst = max(self.values)
        return worst <= self.most if self.is_included else worst < self.most

    def row(self) -> list[str]:
        """As a row of the table."""
        middle = report.percentile(self.values, 0.5)
        numbers = [f"{value:.4g}" for value in (min(self.values), middle, max(self.values))]
        sign = "≤" if self.is_included else "<"
        return [
            f"{self.what}, {self.unit}",
            *numbers,
            f"{sign} {self.most:g}",
            "yes" if self.is_met else "NO",
        ]


def say(text: str) -> None:
    """Progress, for who waits."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


class Stage:
    """A control plane of its own with our programs beside it."""

    def __init__(self, folder: Path) -> None:
        self.plane = ControlPlane(folder / "plane")
        self.folder = folder
        self.programs = Programs(self.plane, folder)
        self.audit = AuditLog(self.plane.audit_log)

    def start(self, *programs: str) -> None:
        """Install config/ and start the programs; their Deployments there get no pods."""
        self.plane.start()
        kubectl = self.plane.kubectl
        kubectl("apply", "-k", str(CONFIG))
        kubectl("apply", "-f", str(CONFIG / "node.yaml"), "-f", str(CONFIG / "config-images.yaml"))
        kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=30s")
        kubectl("scale", "deployment", "--all", "-n", SYSTEM, "--replicas=0")
        images = [
            {"image": IMAGE, "command": [sys.executable, "-I", "-S", str(ROOT / "bench" / "listener.py")]}
        ]
        self.configure("config-images", **{"images.yaml": json.dumps(images)})
        self.programs.start(*programs)
        wait_for("the gateway", self._is_open, 60)

    def configure(self, name: str, **data: str) -> None:
        """Change keys of a config map."""
        patch = json.dumps({"data": data})
        self.plane.kubectl("patch", "configmap", name, "-n", SYSTEM, "--type=merge", "-p", patch)

    def _is_open(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.programs.gateway)) == 0

    def apply(self, *objects: Obj) -> None:
        """`kubectl apply` of objects."""
        file = self.folder / "applied.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        self.plane.kubectl("apply", "-f", str(file))

    def pod_count(self) -> int:
        """Pods of all Services that are there, those on their way out too."""
        return len(json.loads(self.plane.get("/api/v1/namespaces/default/pods"))["items"])

    def unready(self) -> int:
        """Services that are not ready."""
        path = "/apis/serving.knative.dev/v1/namespaces/default/services"
        return sum(not is_true(each, "Ready") for each in json.loads(self.plane.get(path))["items"])

    def stop(self) -> None:
        """End everything."""
        try:
            self.programs.stop()
        finally:
            self.plane.stop()


@contextmanager
def staged(*programs: str) -> Iterator[Stage]:
    """A stage in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="zerogate-bench-") as folder:
        stage = Stage(Path(folder))
        try:
            stage.start(*programs)
            yield stage
        finally:
            stage.stop()


@contextmanager
def sleepers() -> Iterator[Stage]:
    """A stage with Services that have gone to zero."""
    with staged("controller", "autoscaler", "activator", "node") as stage:
        stage.programs.admit_all_pods()
        stage.configure("config-autoscaler", **QUICK_WINDOWS)
        names = [sleeper(number) for number in range(SLEEPERS)]
        stage.apply(*(service(name, container={"image": IMAGE}) for name in names))
        wait_for(f"{SLEEPERS} Services to be ready", lambda: stage.unready() == 0, 180, 0.5)
        asleep(stage)
        yield stage


def sleeper(number: int) -> str:
    """Its name."""
    return f"sleeper-{number}"


def asleep(stage: Stage) -> None:
    """Wait until nothing runs any more."""
    wait_for("zero pods", lambda: stage.pod_count() == 0, 120, 0.5)


class Wake(NamedTuple):
    """One cold request. Unix seconds: sent, its pod listened, its first byte arrived."""

    name: str
    sent: float
    listened: float
    answered: float


def wake(stage: Stage, name: str) -> Wake:
    """Send a request to a Service at zero."""
    with socket.create_connection(("127.0.0.1", stage.programs.gateway), timeout=60) as client:
        sent = time.time()
        client.sendall(b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % host(name).encode())
        data = client.recv(65536)
        answered = time.time()
        while more := client.recv(65536):
            data += more
    head, _, body = data.partition(b"\r\n\r\n")
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise SystemExit(f"a request failed: {data[:300]!r}")
    return Wake(name, sent, float(body), answered)


def accepted(stage: Stage, woken: Wake) -> Line:
    """The first successful write of the Service's replicas after the request, whoever wrote it."""
    deployment = f"{woken.name}-00001-deployment"
    found = [
        line
        for line in stage.audit.lines
        if line.verb == "patch" and line.resource in {"deployments/scale", "deployments"}
        and line.name == deployment and line.received >= woken.sent and line.status == 200
    ]  # fmt: skip
    return min(found, key=lambda line: line.done)


def wakes(rounds: int) -> dict[str, Any]:
    """Wake one Service after the other; then look into the audit log."""
    say(f"wakes: {SLEEPERS} Services in {rounds} rounds")
    result: dict[str, Any] = {"rounds": []}
    with sleepers() as stage:
        for number in range(rounds):
            woken = []
            for which in range(SLEEPERS):
                woken.append(wake(stage, sleeper(which)))
                time.sleep(0.2)
            time.sleep(AFTERMATH)
            result["rounds"].append(of_round(stage, woken))
            say(f"wakes: round {number + 1}: {json.dumps(result['rounds'][-1]['figures'])}")
            asleep(stage)
    return result


def of_round(stage: Stage, woken: list[Wake]) -> dict[str, Any]:
    """Figures of one round; milliseconds."""
    stage.audit.look()
    patches = [accepted(stage, each) for each in woken]
    to_patch = [1000 * (patch.done - each.sent) for patch, each in zip(patches, woken, strict=True)]
    to_byte = [1000 * (each.answered - each.listened) for each in woken]
    writes = [line for each in woken for line in writes_of(stage, each)]
    return {
        "figures": {
            "request_to_patch_p50": report.percentile(to_patch, 0.5),
            "request_to_patch_p99": report.percentile(to_patch, 0.99),
            "listening_to_byte_p50": report.percentile(to_byte, 0.5),
            "listening_to_byte_p99": report.percentile(to_byte, 0.99),
            "writes_per_wake": len(writes) / len(woken),
        },
        "request_to_patch": to_patch,
        "listening_to_byte": to_byte,
        "request_to_byte": [1000 * (each.answered - each.sent) for each in woken],
        "patched_by": counted(patches),
        "writes": counted(writes),
        "node_writes": counted(
            line for line in stage.audit.between(woken[0].sent, woken[-1].answered + AFTERMATH, ["node"])
            if line.is_write
        ),
    }  # fmt: skip


def writes_of(stage: Stage, woken: Wake) -> list[Line]:
    """What our three programs wrote for one wake: to anything whose name begins with the Service's."""
    lines = stage.audit.between(woken.sent, woken.answered + AFTERMATH, OURS)
    return [
        line
        for line in lines
        if line.is_write and line.name.startswith((f"{woken.name}-0", f"{woken.name}."))
    ]


def idle(rounds: int) -> dict[str, Any]:
    """Nobody asks for anything: what is asked of the API server, and what the programs cost."""
    result: dict[str, Any] = {"seconds": IDLE, "rounds": []}
    with sleepers() as stage:
        say(f"idle: {SLEEPERS} Services asleep, {IDLE:g} s in {rounds} rounds")
        time.sleep(10)
        for _ in range(rounds):
            before, begun = cpu(stage), time.time()
            time.sleep(IDLE)
            after, ended = cpu(stage), time.time()
            stage.audit.look()
            requests = [*stage.audit.between(begun, ended, OURS)]
            memory = {name: smaps(stage, name) for name in OURS}
            result["rounds"].append(
                {
                    "requests": counted(requests),
                    "other_than_watches_and_leases": [
                        line._asdict()
                        for line in requests
                        if line.verb != "watch" and line.resource != "leases"
                    ],
                    "millicores": {
                        name: 1000 * (after[name] - before[name]) / (ended - begun) for name in OURS
                    },
                    "pss_mib": {name: memory[name]["Pss"] for name in OURS},
                    "rss_mib": {name: memory[name]["Rss"] for name in OURS},
                }
            )
            say(f"idle: {json.dumps(result['rounds'][-1])}")
    return result


def cpu(stage: Stage) -> dict[str, float]:
    """Seconds of processor time that each program has had, the control plane's too."""
    found = {}
    processes = {name: process.pid for name, process in stage.plane.processes.items()}
    for name, pid in {**{name: stage.programs.pid(name) for name in OURS}, **processes}.items():
        fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
        found[name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def smaps(stage: Stage, name: str) -> dict[str, float]:
    """MiB by the kernel's own sum."""
    text = (Path("/proc") / str(stage.programs.pid(name)) / "smaps_rollup").read_text()
    lines = [line.split() for line in text.splitlines()[1:]]
    return {line[0].rstrip(":"): int(line[1]) / 1024 for line in lines}


def thousand(rounds: int) -> dict[str, Any]:
    """A thousand Services are created as fast as the API server takes them; until all are ready."""
    return {"rounds": [one_thousand() for _ in range(max(1, rounds - 2))]}


def one_thousand() -> dict[str, Any]:
    """One round, on a control plane of its own."""
    with staged("controller", "autoscaler", "activator") as stage:
        kubelet = subprocess.Popen(
            [sys.executable, str(ROOT / "bench" / "kubelet.py"), "4", "500"],
            env={**os.environ, "KUBECONFIG": str(stage.plane.kubeconfig), "PYTHONPATH": str(ROOT)},
        )
        try:
            wait_for("the nodes", lambda: open_nodes(stage) == 4, 60)
            say(f"thousand: {THOUSAND} Services at once")
            begun, before = time.time(), cpu(stage)
            readied = asyncio.run(all_ready(stage))
            ended, after = time.time(), cpu(stage)
        finally:
            kubelet.terminate()
            kubelet.wait(10)
        stage.audit.look()
        requests = [*stage.audit.between(begun, ended, OURS)]
        result = {
            "seconds": max(readied),
            "created_seconds": min(readied),
            "half_ready_seconds": report.percentile(readied, 0.5),
            "processor_seconds": {name: round(after[name] - before[name], 2) for name in after},
            "requests": counted(requests),
            "writes_per_service": sum(line.is_write for line in requests) / THOUSAND,
            "refused": counted(line for line in requests if line.status >= 400),
        }
    say(f"thousand: {json.dumps(result)}")
    return result


def open_nodes(stage: Stage) -> int:
    """Nodes that take pods."""
    nodes = json.loads(stage.plane.get("/api/v1/nodes"))["items"]
    return sum(is_true(node, "Ready") and not node["spec"].get("taints") for node in nodes)


async def all_ready(stage: Stage) -> list[float]:
    """Create them; seconds from the beginning until each was ready."""
    transport = HttpTransport(await load_credentials(str(stage.plane.kubeconfig)), user_agent="bench")
    client = Client(transport, manager="bench")
    begun = time.monotonic()
    readied: dict[str, float] = {}
    is_done = asyncio.Event()

    def changed(change: Any) -> None:
        if change.new is not None and is_true(change.new, "Ready"):
            readied.setdefault(change.key[1], time.monotonic() - begun)
            if len(readied) == THOUSAND:
                is_done.set()

    informer = asyncio.create_task(Informer(client, SERVICES, on_change=changed).run())
    gate = asyncio.Semaphore(50)

    async def create(number: int) -> None:
        async with gate:
            try:
                await client.create(SERVICES, service(f"mass-{number:04}", container={"image": IMAGE}))
            except ApiError as error:
                raise SystemExit(f"a Service was refused: {error}") from error

    try:
        await asyncio.gather(*(create(number) for number in range(THOUSAND)))
        say(f"thousand: all created after {time.monotonic() - begun:.1f} s")
        async with asyncio.timeout(GIVEN_UP):
            await is_done.wait()
    except TimeoutError:
        say(f"thousand: only {len(readied)} are ready after {GIVEN_UP} s")
        readied[""] = time.monotonic() - begun
    finally:
        informer.cancel()
        await client.close()
    return [*readied.values()]


PARTS: dict[str, Callable[[int], dict[str, Any]]] = {"wakes": wakes, "idle": idle, "thousand": thousand}


def bars(results: dict[str, Any]) -> list[Bar]:
    """All figures that were measured."""
    found = []
    if "wakes" in results:
        rounds = [each["figures"] for each in results["wakes"]["rounds"]]

        def figure(what: str, unit: str, key: str, most: float, *, is_included: bool = False) -> None:
            found.append(Bar(what, unit, [each[key] for each in rounds], most, is_included))

        figure("request → scale patch accepted, p50", "ms", "request_to_patch_p50", 10)
        figure("request → scale patch accepted, p99", "ms", "request_to_patch_p99", 30)
        figure("app listening → its first byte proxied, p50", "ms", "listening_to_byte_p50", 10)
        figure("app listening → its first byte proxied, p99", "ms", "listening_to_byte_p99", 25)
        figure("API writes per wake", "writes", "writes_per_wake", 2, is_included=True)
    if "idle" in results:
        rounds = results["idle"]["rounds"]
        polls = [float(len(each["other_than_watches_and_leases"])) for each in rounds]
        found += [
            Bar("idle: requests that are no watch and no Lease", "requests", polls, 0, is_included=True),
            Bar(
                "idle: three programs",
                "millicores",
                [sum(each["millicores"].values()) for each in rounds],
                15,
            ),
            Bar("idle: three programs, PSS", "MiB", [sum(each["pss_mib"].values()) for each in rounds], 300),
        ]
    if "thousand" in results:
        seconds = [each["seconds"] for each in results["thousand"]["rounds"]]
        found.append(Bar("1,000 Services at once: all ready", "s", seconds, 60))
    return found


def drawn(results: dict[str, Any], path: Path) -> None:
    """The two times of all wakes, sorted, as a picture."""
    import matplotlib as mpl  # noqa: PLC0415 - only who wants the picture needs it

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axis = plt.subplots(figsize=(8, 3.5))
    kinds = (
        ("request_to_patch", "request → scale patch accepted", "#1e5f74"),
        ("listening_to_byte", "app listening → its first byte", "#c98b2b"),
    )
    for key, label, colour in kinds:
        values = sorted(value for each in results["wakes"]["rounds"] for value in each[key])
        axis.plot(
            [100 * (place + 1) / len(values) for place in range(len(values))], values, colour, label=label
        )
    axis.set_xlabel("share of the wakes, %")
    axis.set_ylabel("ms")
    axis.set_ylim(bottom=0)
    axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Run the parts named, or all."""
    wanted = sys.argv[1:] or list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        sys.exit(f"no part {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    results: dict[str, Any] = {name: PARTS[name](ROUNDS) for name in wanted}
    settings = {
        "rounds": ROUNDS, "services_woken": SLEEPERS, "idle_seconds": IDLE, "services_at_once": THOUSAND,
        "windows": QUICK_WINDOWS, "kubernetes": kubernetes_version(),
    }  # fmt: skip
    found = bars(results)
    print(report.table([["figure", "min", "median", "max", "bar", "met"], *(bar.row() for bar in found)]))
    name = "cluster" if len(wanted) == len(PARTS) else "cluster-" + "-".join(wanted)
    where = report.written(
        name,
        {"settings": settings, "bars": [{**bar._asdict(), "met": bar.is_met} for bar in found], **results},
    )
    print(f"\n{where.relative_to(ROOT)}")
    if "wakes" in results:
        drawn(results, where.with_suffix(".png"))


def kubernetes_version() -> str:
    """Of the control plane, by the module that it is built from."""
    lines = (ROOT / "tests" / "cluster" / "go.mod").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.strip().startswith("k8s.io/kubernetes "))


if __name__ == "__main__":
    main()
