"""An `up` with several gateway processes, and a look into each of them."""

import json
import urllib.request
from pathlib import Path
from typing import Any

from kube.objects import Obj
from testkit.machines.laptop import Machine
from testkit.processes import children

NAME = "worked"
ESTABLISHED = "01"


class Crewed(Machine):
    """An `up` with several workers and one Service."""

    def begin(self, workers: int, manifest: Obj) -> None:
        self.start("--workers", str(workers))
        self.apply(manifest)
        self.wait_ready(NAME)

    def workers(self) -> list[str]:
        """Their names, by the admin page."""
        return sorted(self.state().get("activators", ()))

    def state(self) -> dict[str, Any]:
        """What /debug/state tells, {} while it does not."""
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.admin}/debug/state",
            headers={"Authorization": f"Bearer {(self.data / 'token').read_text()}"},
        )
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except OSError:
            return {}

    def processes(self) -> dict[str, int]:
        """Process numbers of the workers, by their names."""
        found = {}
        for process in children(self.started.pid):
            try:
                command = Path(f"/proc/{process}/cmdline").read_bytes()
            except OSError:
                continue
            if b"zerogate.edge.worker" in command:
                told = json.loads(command.rstrip(b"\0").rpartition(b"\0")[2])
                found[told["identity"]] = process
        return found

    def connections_of(self, process: int) -> int:
        """How many of the gateway's connections a process has."""
        ours = f"0100007F:{self.gateway:04X}"
        lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
        inodes = {line[9] for line in lines if (line[1], line[3]) == (ours, ESTABLISHED)}
        return sum(_link(each) in inodes for each in Path(f"/proc/{process}/fd").iterdir())


def _link(descriptor: Path) -> str:
    """The inode of a socket, "" for what is none, or was closed meanwhile."""
    try:
        return str(descriptor.readlink()).removeprefix("socket:[").removesuffix("]")
    except OSError:
        return ""
