"""A verb of the table, and what a cell of it has at hand."""

import contextlib
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kube.objects import Obj, is_true
from kube.resources import CONFIGMAPS, Resource
from testkit.contract.engine import Answer, Engine
from testkit.contract.table.kinds import KINDS, Kind, at
from testkit.waiting import wait_for

Check = Callable[["Cell"], None]
VERBS: dict[str, Check] = {}
PATIENCE = 60.0
# Adds a label below the sample's own; a second time it finds nothing to do.
EDITOR = """\
#!/bin/sh
grep -q 'edited: "yes"' "$1" || sed -i 's/^    case: .*/&\\n    edited: "yes"/' "$1"
"""


def verb(name: str) -> Callable[[Check], Check]:
    """A column of the table; the function checks one kind on one engine."""

    def add(check: Check) -> Check:
        VERBS[name] = check
        return check

    return add


class Table:
    """One engine with the namespace and the objects that cells share."""

    def __init__(self, engine: Engine, namespace: str) -> None:
        self.engine = engine
        self.namespace = namespace
        self._shared: dict[str, str] = {}
        self._lock = threading.RLock()
        self.editor = engine.folder / "editor.sh"  # written before the first cell: they run at the same time
        self.editor.write_text(EDITOR)
        self.editor.chmod(0o755)

    def shared(self, kind: Kind) -> str:
        """The name of an object that cells only look at; it is as its columns say."""
        with self._lock:
            if kind.name not in self._shared:
                self._shared[kind.name] = self._node() if kind.name == "Node" else self._make(kind)
            return self._shared[kind.name]

    def wait_for_garbage_collection(self) -> None:
        """Until children of our kinds go with their owner: before, their owner would go without them."""
        with self._lock:
            if "collected" in self._shared:
                return
            owner = self.engine.config_map(self.namespace, "owner")
            reference = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "name": "owner",
                "uid": owner["metadata"]["uid"],
            }
            custom = [kind for kind in KINDS if kind.is_custom]
            for kind in custom:
                obj = kind.sample(f"child-{kind.name}", self.namespace)
                obj["metadata"]["ownerReferences"] = [reference]
                self.engine.create(kind.resource, obj)
            self.engine.request("DELETE", CONFIGMAPS.path(self.namespace, "owner"))
            paths = [kind.resource.path(self.namespace, f"child-{kind.name}") for kind in custom]

            def are_gone() -> bool:
                return all(self.engine.request("GET", path).status == 404 for path in paths)

            wait_for("the children to go", are_gone, 120)
            self._shared["collected"] = "owner"

    def _node(self) -> str:
        """A node that is one, with the label that the others have."""
        nodes = self.engine.get("/api/v1/nodes")["items"]
        name: str = next(node["metadata"]["name"] for node in nodes if is_true(node, "Ready"))
        answer = self.engine.patch(f"/api/v1/nodes/{name}", {"metadata": {"labels": {"case": name}}})
        assert answer.status == 200, answer
        return name

    def _make(self, kind: Kind) -> str:
        name = f"shared-{kind.name.lower()}"
        self.engine.create(kind.resource, kind.sample(name, self.namespace))
        if kind.condition:
            wanted = (f"--for=condition={kind.condition}", "--timeout=180s")
            self.engine.kubectl("wait", f"{kind.word}/{name}", "-n", self.namespace, *wanted)
        return name


@dataclass(frozen=True)
class Cell:
    """One kind and one verb on one engine."""

    table: Table
    kind: Kind
    name: str

    @property
    def engine(self) -> Engine:
        """The engine under test."""
        return self.table.engine

    @property
    def namespace(self) -> str:
        """Where the cell's objects are."""
        return self.table.namespace

    @property
    def told(self) -> str:
        """How kubectl names the cell's own object: `deployment.apps/x`."""
        return f"{self.kind.told}/{self.name}"

    @property
    def typed(self) -> str:
        """How a user names it: `deployment/x`."""
        return f"{self.kind.word}/{self.name}"

    # kubectl

    def run(self, *words: str, given: Any = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """kubectl in the cell's namespace."""
        text = given if given is None or isinstance(given, str) else json.dumps(given)
        return self.engine.kubectl_result(*words, *self.place, given=text, environment=environment or None)

    @property
    def place(self) -> tuple[str, ...]:
        """`-n NAMESPACE`, where the kind has one."""
        return ("-n", self.namespace) if self.kind.resource.namespaced else ()

    def __call__(self, *words: str, given: Any = None, **environment: str) -> str:
        """What it prints where it succeeds; it has to."""
        done = self.run(*words, given=given, **environment)
        assert done.returncode == 0, (
            f"kubectl {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done.stdout.strip()

    def refused(self, *words: str, given: Any = None) -> str:
        """What it says where it fails with status 1; it has to."""
        done = self.run(*words, given=given)
        assert done.returncode == 1, (
            f"kubectl {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done.stderr.strip()

    @contextlib.contextmanager
    def running(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """kubectl while the body runs, and not for longer than a minute: then its output ends."""
        process = self.engine.kubectl_process(*words, *self.place)
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()
            process.communicate()

    # The cell's object

    def sample(self, name: str = "", **labels: str) -> Obj:
        """As a user writes it."""
        return self.kind.sample(name or self.name, self.namespace, **labels)

    def changed_sample(self) -> Obj:
        """The same with the kind's change."""
        return self.kind.changed_sample(self.name, self.namespace)

    def make(self, name: str = "", **labels: str) -> Obj:
        """The object is there; as stored."""
        return self.engine.create(self.kind.resource, self.sample(name, **labels))

    def path(self, name: str = "", resource: Resource | None = None) -> str:
        """Its path in the API."""
        resource = resource or self.kind.resource
        return resource.path(self.namespace if resource.namespaced else "", name or self.name)

    def answer(self, name: str = "") -> Answer:
        """What the API says of it."""
        return self.engine.request("GET", self.path(name))

    def stored(self, name: str = "") -> Obj:
        """As it stands in the API."""
        found: Obj = self.engine.get(self.path(name))
        return found

    def is_gone(self, name: str = "") -> bool:
        """Whether there is none."""
        return self.answer(name).status == 404

    def patch(self, patch: Obj) -> None:
        """A change past kubectl."""
        answer = self.engine.patch(self.path(), patch)
        assert answer.status == 200, answer

    def value(self, path: str) -> Any:
        """What stands at a path of the stored object."""
        return at(self.stored(), path)

    def has_changed(self) -> bool:
        """Whether the kind's change is in the API."""
        return bool(self.value(self.kind.path) == self.kind.changed)

    def wait_for_children(self) -> list[Obj]:
        """The objects that a controller makes for it, once there are any."""
        resource = self.kind.child
        assert resource is not None
        uid = self.stored()["metadata"]["uid"]

        def look() -> list[Obj]:
            found = self.engine.get(resource.path(self.namespace))["items"]
            return [obj for obj in found if uid in owners_of(obj)]

        children: list[Obj] = wait_for(f"children of {self.told}", look)
        return children


def owners_of(obj: Obj) -> list[str]:
    """The UIDs of its owners."""
    return [owner["uid"] for owner in obj["metadata"].get("ownerReferences") or ()]
