"""A request that cannot be served is told why, and served as soon as the cause is gone."""

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from testkit.machines.laptop import Machine
from testkit.waiting import wait_for

SERVER = """
import http.server, os, socket
class Ok(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers()
        self.wfile.write(b"ok")
class Server(http.server.HTTPServer):
    address_family = {family}
Server(({address!r}, {port}), Ok).serve_forever()
"""
GOOD = SERVER.format(family="socket.AF_INET", address="127.0.0.1", port='int(os.environ["PORT"])')
LOOPBACK6 = SERVER.format(family="socket.AF_INET6", address="::1", port='int(os.environ["PORT"])')
ELSEWHERE = SERVER.format(family="socket.AF_INET", address="127.0.0.1", port="0")


def program(name: str, folder: Path) -> dict[str, Any]:
    container = {"image": "local", "command": [sys.executable, "app.py"], "workingDir": str(folder)}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def known(response: str) -> str:
    """The response, "" while there is no route yet."""
    return "" if " 404 " in response.splitlines()[0] else response


@pytest.mark.long
@pytest.mark.parametrize(
    ("code", "cause"),
    [(LOOPBACK6, "listens on ::1:"), (ELSEWHERE, "not on $PORT ("), ("raise SystemExit(3)", "exit code 3")],
    ids=["loopback of IPv6 alone", "a port of its own", "a crash"],
)
def test_a_waiting_request_is_told_the_cause_and_a_corrected_program_serves_at_once(
    machine: Machine, tmp_path: Path, code: str, cause: str
) -> None:
    """Well before the progress deadline of ten minutes, and without deleting a pod."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "app.py").write_text(code)
    machine.start()
    machine.apply(program("app", folder))
    host = "app.default.example.com"
    head = wait_for("a response", lambda: known(machine.curl(host, "-i")), 60)
    assert " 503 " in head.splitlines()[0]
    assert "Zerogate-Reason: cannot-start" in head
    assert "Retry-After: " in head
    assert cause in head
    began = time.monotonic()
    (folder / "app.py").write_text(GOOD)
    if "SystemExit" not in code:
        machine.kubectl("delete", "pod", "-l", "serving.knative.dev/service=app", "--wait=false")
    wait_for("the corrected program", lambda: machine.status(host) == 200, 20)
    assert time.monotonic() - began < 10
