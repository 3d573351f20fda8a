"""What a failed test shows beside its traceback: the last words of our programs, and how the objects stand.

Many a failure shows only on a busy machine that nobody can log in to; the report has to do.
"""

import json
import subprocess
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

LINES = 60
"""Of each program's log."""
EVENTS = 80
STANDING = "nodes,leases,ksvc,configurations,routes,revisions.serving.knative.dev,deployments,pods"
LONGEST = 20_000
"""Characters of one section."""
Section = tuple[str, str]
Kubectl = Callable[..., str]


def sections(kubectl: Kubectl, folder: Path, admin: Mapping[str, int]) -> Iterator[Section]:
    """Title and text, the objects first. `folder` has the programs' logs, `admin` the port of each."""
    yield "objects", _objects(kubectl)
    yield "events", _last(_asked(kubectl, "get", "events", "-A", "--sort-by=.lastTimestamp"), EVENTS)
    for instance, port in admin.items():
        yield f"/debug/state of {instance}", _state(port)
    for file in sorted(folder.glob("*.log")):
        yield file.name, _last(file.read_text(errors="replace"), LINES)


def _objects(kubectl: Kubectl) -> str:
    """A line for each object, and one for each of its conditions."""
    text = _asked(kubectl, "get", STANDING, "-A", "-o", "json")
    try:
        return "\n".join(line for obj in json.loads(text)["items"] for line in _standing(obj))
    except ValueError:
        return text


def _standing(obj: dict[str, Any]) -> Iterator[str]:
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    told = {
        "replicas": spec.get("replicas"),
        "ready": status.get("readyReplicas"),
        "phase": status.get("phase"),
        "node": spec.get("nodeName"),
        "holder": spec.get("holderIdentity"),
        "renewed": spec.get("renewTime"),
        "deleted": meta.get("deletionTimestamp"),
    }
    shown = " ".join(f"{name}={value}" for name, value in told.items() if value is not None)
    yield f"{obj['kind']} {meta.get('namespace', '')}/{meta['name']} {shown}"
    for each in status.get("conditions") or ():
        why = f" {each['reason']}: {each.get('message', '')}" if each.get("reason") else ""
        yield f"    {each['type']}={each['status']} since {each.get('lastTransitionTime')}{why}"


def _state(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/debug/state", timeout=5) as answer:
            return json.dumps(json.load(answer), indent=1)[:LONGEST]
    except (OSError, ValueError) as error:
        return f"not told: {error}"


def _asked(kubectl: Kubectl, *arguments: str) -> str:
    try:
        return kubectl(*arguments)
    except (AssertionError, RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        return f"not told: {error}"


def _last(text: str, lines: int) -> str:
    return "\n".join(text.splitlines()[-lines:])[-LONGEST:]
