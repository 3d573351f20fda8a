"""The two engines as processes: `zerogate up`, and a real control plane with our node and controller."""

import contextlib
import functools
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from testkit.contract.engine import Engine
from testkit.kubernetes.control_plane import ControlPlane
from testkit.machines.laptop import Machine
from testkit.paths import ROOT
from testkit.ports import free_port
from testkit.processes import end_with_parent
from testkit.waiting import wait_for

SYSTEM = "zerogate-system"
NODE = "contract-node"
TAINT = "zerogate.dev/process-node"

# A program that says when it is asked to end, and what it does then.
STUBBORN = """
import http.server, os, signal, sys
def asked(*_):
    print("asked to end", flush=True)
    if "stubborn" not in sys.argv:
        os._exit(0)
signal.signal(signal.SIGTERM, asked)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if os.path.exists(os.environ.get("SICK", "/nowhere")) else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
print("listening", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"""
IMAGES = [
    {"image": f"contract/{name}*", "command": ["{python}", "-c", STUBBORN, name]}
    for name in ("polite", "stubborn")
]
IMAGES += [  # without a server: they start at once, one to talk until it is asked to end, one to fail
    {
        "image": "contract/talker*",
        "command": [
            "sh",
            "-c",
            "trap 'echo asked to end; exit' TERM; echo one; echo two; while :; do sleep 9 & wait; done",
        ],
    },
    {"image": "contract/failing*", "command": ["sh", "-c", "echo it fails; exit 3"]},
]


class ClusterOfOthers(Protocol):
    """What we need of the fixture `control_plane`."""

    kubeconfig: Path
    folder: Path

    def kubeconfig_of(self, account: str) -> Path: ...


@contextlib.contextmanager
def embedded(folder: Path) -> Iterator[Engine]:
    """`zerogate up` with an empty folder."""
    machine = Machine(folder)
    try:
        machine.start()
        engine = Engine("embedded", machine.kubeconfig, folder, logs=machine.data / "logs")
        _add_images(engine)
        yield engine
    finally:
        machine.kill()


@contextlib.contextmanager
def kubernetes(plane: ClusterOfOthers, folder: Path) -> Iterator[Engine]:
    """A real control plane, `zerogate node` as its only node, and `zerogate controller`.

    A cluster that the developer gave gets our definitions and our controller, but no node of ours.
    """
    is_given = bool(os.environ.get("KUBECONFIG_FOR_TESTS"))
    engine = Engine(
        "kubernetes", plane.kubeconfig, folder, logs=None if is_given else folder / "node" / "logs"
    )
    if isinstance(plane, ControlPlane):
        engine.compact = functools.partial(_compact, plane)
    _install(engine)
    programs = {"controller": ["--admin", f"127.0.0.1:{free_port()}"]}
    if not is_given:
        programs["node"] = [
            "--name", NODE, "--data", str(folder / "node"),
            "--logs", f"127.0.0.1:{free_port()}", "--client-ca-file", str(plane.folder / "pki" / "ca.crt"),
        ]  # fmt: skip
        _add_images(engine)
    with contextlib.ExitStack() as running:
        for name, arguments in programs.items():
            running.enter_context(_program(engine, name, arguments, plane.kubeconfig_of(f"zerogate-{name}")))
        if not is_given:
            _admit_all_pods(engine)
        yield engine
        _clear(engine)


def _compact(plane: ControlPlane, version: str) -> None:
    """Let etcd forget, as an API server does every five minutes."""
    command = [str(word) for word in plane.processes["etcd"].args]  # type: ignore[union-attr] # a list, as we made it
    address = command[command.index("--listen-client-urls") + 1]
    body = json.dumps({"revision": version, "physical": True}).encode()
    with urllib.request.urlopen(f"{address}/v3/kv/compaction", body, timeout=10) as answer:
        assert answer.status == 200


@contextlib.contextmanager
def _program(engine: Engine, name: str, arguments: list[str], kubeconfig: Path) -> Iterator[None]:
    with (engine.folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "zerogate", name, *arguments],
            stdout=log, stderr=subprocess.STDOUT, cwd=engine.folder,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - the parent starts it from its main thread
            env={**os.environ, "PYTHONPATH": str(ROOT), "KUBECONFIG": str(kubeconfig)},
        )  # fmt: skip
    try:
        yield
        assert process.poll() is None, (
            f"{name} ended by itself:\n{(engine.folder / f'{name}.log').read_text()[-2000:]}"
        )
    finally:
        process.terminate()
        try:
            process.wait(90)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _install(engine: Engine) -> None:
    """What is in config/, as an administrator would."""
    config = ROOT / "config"
    apply = ("apply", "--server-side", "--force-conflicts")
    engine.kubectl(*apply, "-k", str(config))
    engine.kubectl(*apply, "-f", str(config / "node.yaml"), "-f", str(config / "config-images.yaml"))
    engine.kubectl("wait", "--for=condition=Established", "--timeout=180s", "crd", "--all")


def _add_images(engine: Engine) -> None:
    """Make the tests' own images known to the node."""
    path = f"/api/v1/namespaces/{SYSTEM}/configmaps/config-images"
    known: dict[str, Any] = engine.get(path)["data"]
    # A list in JSON is the end of a list in YAML, entry by entry.
    text = known["images.yaml"] + "\n".join(f"- {json.dumps(image)}" for image in IMAGES) + "\n"
    answer = engine.patch(path, {"data": {"images.yaml": text}})
    assert answer.status == 200, answer


def _admit_all_pods(engine: Engine) -> None:
    """The only node of this cluster takes every pod: its taint is for clusters with other nodes."""

    def is_ready() -> bool:
        answer = engine.request("GET", f"/api/v1/nodes/{NODE}")
        conditions = answer.body["status"].get("conditions") or () if answer.status == 200 else ()
        return any(found["type"] == "Ready" and found["status"] == "True" for found in conditions)

    wait_for("the node to be ready", is_ready)
    engine.kubectl("taint", "node", NODE, f"{TAINT}-")


def _clear(engine: Engine) -> None:
    """Others use the control plane as well: none of our pods is to wait for a node that is gone."""

    def is_clear() -> bool:
        found = engine.get("/api/v1/namespaces")["items"]
        return engine.namespaces.isdisjoint(item["metadata"]["name"] for item in found)

    wait_for("the tests' namespaces to go", is_clear, 60, 0.25)
    engine.request("DELETE", f"/api/v1/nodes/{NODE}")
