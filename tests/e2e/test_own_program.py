"""The newcomer's next step: a program of their own."""

import json
from pathlib import Path

from testkit.machines.laptop import Machine, host
from testkit.paths import ROOT
from testkit.waiting import wait_for

APP = """
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = f"my own: {os.environ['K_SERVICE']} {self.headers['Host']}\\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"""


def test_a_program_that_listens_on_port_is_a_service(laptop: Machine, tmp_path: Path) -> None:
    """`command: [python3, app.py]` and a workingDir are all it takes."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "app.py").write_text(APP)
    manifest = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "mine"},
        "spec": {"template": {"spec": {"containers": [
            {"image": "local", "command": ["python3", "app.py"], "workingDir": str(folder)}
        ]}}},
    }  # fmt: skip
    laptop.apply(manifest)
    laptop.wait_ready("mine")
    name = f"mine.default.localhost:{laptop.gateway}"
    assert laptop.curl(name) == f"my own: mine {name}\n"
    laptop.wait_pods("mine-00001", 0)
    assert laptop.curl(host("mine")).startswith("my own: mine")


def test_the_sample_of_the_readme_works(laptop: Machine) -> None:
    """The manifest that README shows under *Your own program* runs as it stands there."""
    text = (ROOT / "README.md").read_text()
    section = text.split("## Your own program", 1)[1].split("\n## ", 1)[0]
    program = section.split("```python\n", 1)[1].split("```", 1)[0]
    manifest = section.split("```yaml\n", 1)[1].split("```", 1)[0]
    (laptop.folder / "app.py").write_text(program)
    laptop.kubectl("apply", "-f", "-", given=manifest)
    name = json.loads(laptop.kubectl("get", "ksvc", "-o", "json"))["items"][0]["metadata"]["name"]
    laptop.wait_ready(name)
    assert wait_for("an answer", lambda: laptop.curl(host(name)))
