"""A node with real containers beside our control plane: containerd, runc, kubelet, kube-proxy. Needs root.

Everything of the node lives in namespaces of its own (network, mounts, processes) that one process holds.
When it ends, however it ends, the kernel takes away processes, mounts, interfaces, rules and settings with
it; images and containers lie in its memory file systems. Only its control groups stay, empty, until they are
removed. By hand, from the top of the checkout: `python -m testkit.kubernetes.node FOLDER [IMAGE.tar]...`
keeps one up until Ctrl-C.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from testkit.kubernetes.control_plane import SERVICE_RANGE, ControlPlane, build
from testkit.processes import kill_with_parent
from tools.image.archive import Image, write

NAME = "node-1"
LINK = "zerogate0"
HOST, NODE = "10.89.0.1", "10.89.0.2"
POD_RANGE = "10.88.0.0/16"
PAUSE = "dev.local/pause:1"
CONTAINERD = "/run/containerd/containerd.sock"
CGROUP = "zerogate-node"
HOLDING = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
NEEDED = {
    "containerd": "containerd", "ctr": "containerd", "runc": "runc", "iptables": "iptables", "ip": "iproute2",
    "nsenter": "util-linux", "/usr/lib/cni/ptp": "containernetworking-plugins",
}  # fmt: skip

# The kubelet sets these for the whole machine; inside it finds files that say so already.
TUNABLES = {
    "vm/overcommit_memory": 1, "vm/panic_on_oom": 0, "kernel/panic": 10, "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1_000_000, "kernel/keys/root_maxbytes": 25_000_000,
}  # fmt: skip

# Each pod hangs on a link of its own, so all that it sends is routed, and seen by kube-proxy's rules.
NETWORK = {
    "cniVersion": "0.4.0",
    "name": "pods",
    "plugins": [
        {
            "type": "ptp",
            "ipam": {
                "type": "host-local", "dataDir": "/run/ipam",
                "ranges": [[{"subnet": POD_RANGE}]], "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
    ],
}  # fmt: skip

RUNTIME = f"""version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "{CONTAINERD}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/run/cni"
"""

KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "address": NODE,
    "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
    "authorization": {"mode": "AlwaysAllow"},
    "cgroupDriver": "cgroupfs",
    "cgroupRoot": f"/{CGROUP}",
    "containerRuntimeEndpoint": f"unix://{CONTAINERD}",
    "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
    "failCgroupV1": False,
    "failSwapOn": False,
    "imageGCHighThresholdPercent": 100,
    "makeIPTablesUtilChains": False,
    "maxPods": 250,
    "resolvConf": "/run/resolv.conf",
}


def missing() -> list[str]:
    """Debian's packages that this machine lacks."""
    return sorted({package for command, package in NEEDED.items() if not shutil.which(command)})


class Node:
    """One node and its control plane, in one folder; pods and Services answer at their addresses."""

    def __init__(self, folder: Path) -> None:
        """`folder` is for certificates and logs."""
        self.folder = folder
        self.programs = Path()
        self._holder: subprocess.Popen[bytes] | None = None
        self._plane: ControlPlane | None = None

    @property
    def plane(self) -> ControlPlane:
        """The control plane, once started."""
        assert self._plane is not None
        return self._plane

    @staticmethod
    def build() -> Path:
        """The folder with all programs; those that are missing are built first, which takes minutes."""
        return build("node")

    def start(self, images: Sequence[Path] = ()) -> None:
        """Up, with the images of these archives, and Ready; or a RuntimeError, and nothing is left."""
        if os.geteuid() != 0:
            raise RuntimeError("real containers need root")
        if missing():
            raise RuntimeError(f"missing: apt-get install {' '.join(missing())}")
        self.programs = self.build()
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._hold()
            self._furnish()
            self._connect()
            self._plane = ControlPlane(self.folder, address=HOST)
            self._plane.start()
            self._start(images)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the node and then the control plane. Nothing is left but the folder."""
        if self._holder is not None:
            self._holder.kill()
            self._holder.wait()
        if self._plane is not None:
            self._plane.stop()
        _remove_cgroups()

    def inside(self, *command: object) -> str:
        """What a command prints that runs among the node's processes. Raises RuntimeError."""
        done = subprocess.run(self._entered(*command), capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stderr}")
        return done.stdout

    def load(self, archive: Path) -> None:
        """Make an image known to the node."""
        self.inside("ctr", "-a", CONTAINERD, "-n", "k8s.io", "images", "import", archive)

    def _entered(self, *command: object) -> list[str]:
        return ["nsenter", f"--target={self._inner}", "--net", "--mount", "--pid", *map(str, command)]

    def _hold(self) -> None:
        """The namespaces, and the process that holds them; it dies with this one."""
        self._holder = subprocess.Popen(
            [*HOLDING, self.programs / "pause"],
            stdin=subprocess.DEVNULL, preexec_fn=kill_with_parent,  # noqa: PLW1509 - as the control plane's
        )  # fmt: skip
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        end = time.monotonic() + 10
        while (
            not (child := children.read_text().strip())
            or "pause" not in Path(f"/proc/{child}/comm").read_text()
        ):
            if self._holder.poll() is not None or time.monotonic() > end:
                raise RuntimeError("unshare does not work here: namespaces can't be made")
            time.sleep(0.01)
        self._inner = int(child)

    def _furnish(self) -> None:
        """File systems in memory where the parts of the node write; configurations; control groups."""
        for place in ("/run", "/var/lib", "/var/log"):
            self.inside("mount", "-t", "tmpfs", "-o", "mode=755", "node", place)
        for setting, value in TUNABLES.items():
            file = f"/run/{setting.replace('/', '-')}"
            self._write(file, f"{value}\n")
            self.inside("mount", "--bind", file, f"/proc/sys/{setting}")
        self.inside("mkdir", "/run/cni")
        self._write("/run/cni/10-pods.conflist", json.dumps(NETWORK))
        self._write("/run/containerd.toml", RUNTIME)
        self._write("/run/kubelet.json", json.dumps(KUBELET))
        self._write("/run/resolv.conf", "")
        _remove_cgroups()
        for group in _cgroups():
            group.mkdir()

    def _write(self, path: str, text: str) -> None:
        subprocess.run(
            self._entered("tee", path), input=text, text=True, check=True, stdout=subprocess.DEVNULL
        )

    def _connect(self) -> None:
        """One link between this machine and the node; it goes when the node goes."""
        link = ("ip", "link", "add", LINK, "type", "veth", "peer", "name", "eth0", "netns", str(self._inner))
        if (done := subprocess.run(link, capture_output=True, text=True, check=False)).returncode:
            raise RuntimeError(f"{LINK} can't be made ({done.stderr.strip()}); does another node run here?")
        for command in (
            ("addr", "add", f"{HOST}/24", "dev", LINK),
            ("link", "set", LINK, "up"),
            ("route", "add", POD_RANGE, "via", NODE),
            ("route", "add", SERVICE_RANGE, "via", NODE),
        ):
            subprocess.run(("ip", *command), check=True)
        self.inside("ip", "link", "set", "lo", "up")
        self.inside("ip", "addr", "add", f"{NODE}/24", "dev", "eth0")
        self.inside("ip", "link", "set", "eth0", "up")
        self._write("/proc/sys/net/ipv4/ip_forward", "1")

    def _start(self, images: Sequence[Path]) -> None:
        plane = self.plane
        plane.run("containerd", *self._entered("containerd", "--config", "/run/containerd.toml"))
        plane.wait("containerd", self._has_runtime)
        pause = self.folder / "pause.tar"
        write(Image(PAUSE, [layer_of(self.programs / "pause", self.folder)], ["/pause"]), pause)
        for archive in (pause, *images):
            self.load(archive)
        plane.run(
            "kubelet", *self._entered(
                self.programs / "kubelet", "--config", "/run/kubelet.json", "--kubeconfig", plane.kubeconfig,
                "--hostname-override", NAME, "--node-ip", NODE, "--cert-dir", "/run/kubelet",
            ),
        )  # fmt: skip
        plane.run(
            "kube-proxy", *self._entered(
                self.programs / "kube-proxy", "--kubeconfig", plane.kubeconfig, "--proxy-mode", "iptables",
                "--cluster-cidr", POD_RANGE, "--hostname-override", NAME,
                "--conntrack-max-per-core", 0, "--conntrack-tcp-timeout-established", 0,
                "--conntrack-tcp-timeout-close-wait", 0,
            ),
        )  # fmt: skip
        plane.wait("the node", self._is_ready)
        plane.wait("kube-proxy's rules", lambda: "10.96.0.1/32" in self.inside("iptables-save", "-t", "nat"))

    def _has_runtime(self) -> bool:
        with contextlib.suppress(RuntimeError):
            return bool(self.inside("ctr", "-a", CONTAINERD, "version"))
        return False

    def _is_ready(self) -> bool:
        conditions = json.loads(self.plane.get(f"/api/v1/nodes/{NAME}"))["status"]["conditions"]
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def layer_of(program: Path, folder: Path) -> Path:
    """A folder that holds just this program, as an image's layer."""
    layer = folder / f"layer-{program.name}"
    layer.mkdir(exist_ok=True)
    shutil.copy2(program, layer)
    return layer


def _cgroups() -> list[Path]:
    """The node's control group in each hierarchy (several in version 1, one in version 2)."""
    tops = [path.parent for pattern in ("cgroup.procs", "*/cgroup.procs") for path in _tops(pattern)]
    return [top / CGROUP for top in tops]


def _tops(pattern: str) -> list[Path]:
    found = sorted(Path("/sys/fs/cgroup").glob(pattern))
    return [path for path in found if path.parent.is_mount()]


def _remove_cgroups() -> None:
    """Those of this node, or of one that was killed; all processes in them are gone."""
    for group in _cgroups():
        for folder, _, _ in os.walk(group, topdown=False):
            Path(folder).rmdir()


def main() -> None:
    """Keep one up until Ctrl-C."""
    node = Node(Path(sys.argv[1]).resolve())
    begun = time.monotonic()
    node.start([Path(argument).resolve() for argument in sys.argv[2:]])
    sys.stdout.write(
        f"up after {time.monotonic() - begun:.1f} s\nexport KUBECONFIG={node.plane.kubeconfig}\n"
        f"among its processes: nsenter -t {node._inner} -n -m -p\n"
    )
    sys.stdout.flush()
    try:
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    finally:
        node.stop()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    main()
