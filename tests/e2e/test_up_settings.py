"""`zerogate up` behind a proxy, with a local gateway, and at its end: real processes, two workers."""

import json
import os
import signal
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from testkit.machines.laptop import Machine
from testkit.ports import free_port
from testkit.waiting import wait_for

ECHO = """
import http.server, json, os, time
class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/slow":
            time.sleep(4)
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Echo).serve_forever()
"""
LOCAL = {"networking.knative.dev/visibility": "cluster-local"}


def echo(name: str, folder: Path, **metadata: Any) -> dict[str, Any]:
    container = {"image": "local", "command": ["python3", "echo.py"], "workingDir": str(folder)}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", **metadata},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def is_refused(port: int) -> bool:
    """Whether a connect is refused; one that hangs for a second is not."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


@pytest.mark.long
def test_what_is_set_of_up_is_effective_in_each_worker(machine: Machine, tmp_path: Path) -> None:
    """A trusted proxy's X-Forwarded-Proto reaches the app, whichever worker accepts; cluster-local Services
    answer on the local gateway alone. At the end whoever comes is refused while a request still runs.
    """
    (tmp_path / "echo.py").write_text(ECHO)
    local = free_port()
    machine.start(
        "--workers", "2", "--trusted-proxies", "127.0.0.0/8", "--local-gateway", f"127.0.0.1:{local}",
        "--drain-delay", "500ms",
    )  # fmt: skip
    machine.apply(echo("shown", tmp_path), echo("hidden", tmp_path, labels=LOCAL))
    machine.wait_ready("shown")
    machine.wait_ready("hidden")
    forwarded = ("-H", "X-Forwarded-Proto: https", "-H", "X-Forwarded-For: 9.9.9.9")
    for _ in range(20):
        seen = json.loads(machine.curl("shown.default.example.com", *forwarded))
        assert (seen["x-forwarded-proto"], seen["x-forwarded-for"].split(",")[0]) == ("https", "9.9.9.9")
    inside = "hidden.default.svc.cluster.local"
    assert machine.status(inside) == 404
    public, machine.gateway = machine.gateway, local
    assert machine.status(inside) == 200
    machine.gateway = public

    slow: list[int] = []
    asking = threading.Thread(
        target=lambda: slow.append(machine.status("shown.default.example.com", path="/slow"))
    )
    asking.start()
    wait_for("the slow request to run", lambda: machine.curl("shown.default.example.com") != "", 10)
    assert machine.process is not None
    machine.process.send_signal(signal.SIGTERM)
    wait_for("both doors to refuse", lambda: is_refused(public) and is_refused(local), 3)
    assert not slow, "the request in flight goes on"
    asking.join()
    assert slow == [200]
    assert machine.process.wait(20) == os.EX_OK
