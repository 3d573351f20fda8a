"""A real Kubernetes control plane out of plain processes: etcd, API server, controller manager, scheduler.

No container runs here ("API level"): pods are run by `zerogate node`, or by nobody. By hand, from the top of
the checkout: `python -m testkit.kubernetes.control_plane FOLDER` keeps one up until Ctrl-C.
"""

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from embedded.edge.lock import kubeconfig_text, make_lock
from testkit import kubectl
from testkit.kubernetes.certificates import issue_client
from testkit.ports import free_port
from testkit.processes import kill_with_parent

HERE = Path(__file__).parent
SERVICE_RANGE = "10.96.0.0/16"
SERVICE_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "10.96.0.1")
ISSUER = "https://kubernetes.default.svc.cluster.local"
PATIENCE = 90.0
"""Seconds that a part may take to come up on a busy machine."""
CONTROLLERS = "*,-nodeipam,-node-route-controller"
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "userGroups": ["system:serviceaccounts:zerogate-system"]},
        {"level": "None"},
    ],
}


def build(level: str = "api") -> Path:
    """The folder with the programs; those that are missing are built first, which takes minutes."""
    done = subprocess.run([HERE / "build.sh", level], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RuntimeError("the control plane can't be built; its last words are above")
    return Path(done.stdout.strip())


class Cluster:
    """A cluster that somebody runs; `kubeconfig` is an administrator's."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        """`folder` is for files of ours."""
        self.kubeconfig = kubeconfig
        self.folder = folder

    def kubectl(self, *arguments: str) -> str:
        """What kubectl prints for the administrator. Raises RuntimeError with what it complains of."""
        done = subprocess.run(
            ["kubectl", *arguments],
            env=kubectl.environment(os.environ, self.kubeconfig),
            check=False, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done.stdout.strip()

    def kubeconfig_of(self, account: str, namespace: str = "zerogate-system") -> Path:
        """A kubeconfig of a ServiceAccount, which must exist; its token is good for an hour."""
        token = self.kubectl("create", "token", account, "-n", namespace, "--duration", "1h")
        config = json.loads(self.kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
        config["users"][0]["user"] = {"token": token}
        file = self.folder / f"kubeconfig-{namespace}-{account}"
        file.write_text(json.dumps(config))
        return file


class GivenCluster(Cluster):
    """A cluster of the developer's (kind, k3s, a real one); it has no audit log that we could read."""

    def __init__(self, kubeconfig: Path) -> None:
        super().__init__(kubeconfig, Path(tempfile.mkdtemp(prefix="zerogate-tests-")))


class ControlPlane(Cluster):
    """A cluster of ours in one folder. `audit_log` has a JSON line for each request of our accounts."""

    def __init__(self, folder: Path, *, address: str = "127.0.0.1") -> None:
        """`address` is where the API server listens: loopback, or one that pods can reach."""
        super().__init__(folder / "kubeconfig", folder)
        self.address = address
        self.port = free_port(address)
        self.audit_log = folder / "audit.jsonl"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._token = ""

    @property
    def authority(self) -> Path:
        """Who signed the certificate with which the API server asks nodes for logs."""
        return self.folder / "pki" / "ca.crt"

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://{self.address}:{self.port}"

    def start(self) -> None:
        """Up and ready, or a RuntimeError that ends with the last lines of what failed."""
        programs = build()
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._start(programs)
        except BaseException:
            self.stop()
            raise

    def _start(self, programs: Path) -> None:
        lock = make_lock(self.folder / "pki", [*SERVICE_NAMES, self.address])
        issue_client(self.folder / "pki", "nodes", "kube-apiserver", "system:masters")
        self._make_account_key()
        self._token = lock.token
        (self.folder / "tokens.csv").write_text(f'{lock.token},admin,admin,"system:masters"\n')
        (self.folder / "audit.yaml").write_text(json.dumps(AUDIT_POLICY))
        self.kubeconfig.write_text(kubeconfig_text(self.server, lock.ca, lock.token))
        etcd = self._start_etcd(programs)
        self._start_api_server(programs, etcd)
        self._start_controllers(programs)
        self.wait("the account of the first namespace", self._has_default_account)

    def _start_etcd(self, programs: Path) -> str:
        client, peer = (f"http://127.0.0.1:{free_port('127.0.0.1')}" for _ in range(2))
        self.run(
            "etcd", programs / "etcd",
            "--data-dir", self.folder / "etcd", "--unsafe-no-fsync", "--log-level", "warn",
            "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"default={peer}",
        )  # fmt: skip
        self.wait("etcd", lambda: _answers(f"{client}/health"))
        return client

    def _start_api_server(self, programs: Path, etcd: str) -> None:
        pki = self.folder / "pki"
        self.run(
            "kube-apiserver", programs / "kube-apiserver",
            "--etcd-servers", etcd, "--bind-address", self.address, "--advertise-address", self._advertised(),
            "--secure-port", self.port, "--cert-dir", pki,
            "--tls-cert-file", pki / "server.crt", "--tls-private-key-file", pki / "server.key",
            "--token-auth-file", self.folder / "tokens.csv", "--authorization-mode", "RBAC",
            "--allow-privileged", "--service-cluster-ip-range", SERVICE_RANGE,
            "--service-account-issuer", ISSUER,
            "--service-account-key-file", pki / "accounts.pub",
            "--service-account-signing-key-file", pki / "accounts.key",
            "--audit-policy-file", self.folder / "audit.yaml", "--audit-log-path", self.audit_log,
            "--kubelet-preferred-address-types", "InternalIP",
            "--kubelet-client-certificate", pki / "nodes.crt", "--kubelet-client-key", pki / "nodes.key",
        )  # fmt: skip
        self.wait("the API server", lambda: self.get("/readyz") == "ok")

    def _advertised(self) -> str:
        """Endpoints of the Service `kubernetes` must not be loopback; nobody asks there at API level."""
        return "192.0.2.1" if self.address.startswith("127.") else self.address

    def _start_controllers(self, programs: Path) -> None:
        managers = [free_port("127.0.0.1") for _ in range(2)]
        common: list[object] = [
            "--kubeconfig", self.kubeconfig, "--authentication-kubeconfig", self.kubeconfig,
            "--authorization-kubeconfig", self.kubeconfig, "--leader-elect=false",
            "--bind-address", "127.0.0.1", "--kube-api-qps", 1000, "--kube-api-burst", 2000,
        ]  # fmt: skip
        self.run(
            "kube-controller-manager", programs / "kube-controller-manager", *common,
            "--secure-port", managers[0], "--cert-dir", self.folder / "manager",
            "--root-ca-file", self.folder / "pki" / "ca.crt",
            "--service-account-private-key-file", self.folder / "pki" / "accounts.key",
            "--controllers", CONTROLLERS, "--horizontal-pod-autoscaler-sync-period", "2s",
        )  # fmt: skip
        self.run(
            "kube-scheduler", programs / "kube-scheduler", *common,
            "--secure-port", managers[1], "--cert-dir", self.folder / "scheduler",
        )  # fmt: skip
        for what, port in zip(("the controller manager", "the scheduler"), managers, strict=True):
            self.wait(what, lambda port=port: _answers(f"https://127.0.0.1:{port}/healthz"))

    def _make_account_key(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        folder = self.folder / "pki"
        (folder / "accounts.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        (folder / "accounts.pub").write_bytes(
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )

    def _has_default_account(self) -> bool:
        return "uid" in json.loads(self.get("/api/v1/namespaces/default/serviceaccounts/default"))["metadata"]

    # What the tests use.

    def run(self, name: str, *command: object) -> None:
        """Start a part of the cluster; its output goes to NAME.log."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                # Collecting garbage four times more rarely costs memory, which is there, and saves CPU time.
                env={**os.environ, "GOGC": "400"},
                preexec_fn=kill_with_parent,  # noqa: PLW1509 - tests start it from their only thread
            )  # fmt: skip

    def wait(self, what: str, check: Callable[..., Any]) -> None:
        """Until the check is true; a RuntimeError when a part has ended or time ran out."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                if check():
                    return
            except (OSError, ValueError, KeyError):
                pass  # not yet there
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended with {process.returncode}:\n{self._last_words(name)}")
            if time.monotonic() > end:
                told = "\n".join(f"{name}: {self._last_words(name)}" for name in self.processes)
                raise RuntimeError(f"{what} did not come up in {PATIENCE:g} s\n{told}")
            time.sleep(0.05)

    def _last_words(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-1500:]

    def get(self, path: str) -> str:
        """The API server's answer to the administrator. Raises OSError."""
        asked = urllib.request.Request(self.server + path, headers={"Authorization": f"Bearer {self._token}"})
        tls = ssl.create_default_context(cafile=str(self.folder / "pki" / "ca.crt"))
        with urllib.request.urlopen(asked, timeout=5, context=tls) as answer:
            return str(answer.read().decode())

    def stop(self) -> None:
        """End all parts, those that were started last first."""
        while self.processes:
            _, process = self.processes.popitem()
            process.terminate()
            try:
                process.wait(5 if len(self.processes) > 1 else 2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(url: str) -> bool:
    """Whether a part says that it is well; who it is does not matter here, it is our own child."""
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    with urllib.request.urlopen(url, timeout=2, context=trusting) as answer:
        return int(answer.status) == 200


def main() -> None:
    """Keep one up until Ctrl-C."""
    given = sys.argv[1] if len(sys.argv) > 1 else ""
    folder = Path(given or tempfile.mkdtemp(prefix="control-plane-")).resolve()
    plane = ControlPlane(folder)
    begun = time.monotonic()
    plane.start()
    sys.stdout.write(f"up after {time.monotonic() - begun:.1f} s\nexport KUBECONFIG={plane.kubeconfig}\n")
    sys.stdout.flush()
    try:
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    finally:
        plane.stop()
        if not given:
            shutil.rmtree(folder)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    main()
