"""The verbs of what runs: scale, rollout, logs, set."""

import re

from kube.resources import EVENTS
from testkit.contract.table.cells import Cell, verb
from testkit.contract.table.kinds import AGE
from testkit.contract.table.reading import rows
from testkit.waiting import wait_for

_TEMPLATE_ENV = "spec.template.spec.containers.0.env"


@verb("scale")
def scale(cell: Cell) -> None:
    """To a number, if there are as many as one thinks; what can't be scaled says so."""
    cell.make()
    if cell.kind.name not in {"Deployment", "ReplicaSet"}:
        text = cell.refused("scale", cell.typed, "--replicas=2")
        assert text.startswith("Error from server (NotFound): ")
        found = (
            f'"{cell.name}" not found'
            if cell.kind.is_custom
            else "the server could not find the requested resource"
        )
        assert text.endswith(found)
        return
    assert "Expected replicas to be 5, was 0" in cell.refused(
        "scale", cell.typed, "--replicas=1", "--current-replicas=5"
    )
    assert cell("scale", cell.typed, "--replicas=1") == f"{cell.told} scaled"
    assert cell.value("spec.replicas") == 1
    wait_for("the pod", lambda: cell.value("status.replicas") == 1)
    cell("scale", cell.typed, "--replicas=0")


def revision(cell: Cell, text: str) -> str:
    """The Deployment's number after its template got an environment variable of that text."""
    before = (cell.stored()["metadata"].get("annotations") or {}).get("deployment.kubernetes.io/revision")
    container = {"name": "main", "image": "contract/talker:1", "env": [{"name": "TEXT", "value": text}]}
    cell.patch({"spec": {"template": {"spec": {"containers": [container]}}}})
    return next_revision(cell, before)


def begun(cell: Cell) -> None:
    """The Deployment is there, and its first ReplicaSet."""
    cell.make()
    assert next_revision(cell, None) == "1"


def next_revision(cell: Cell, before: str | None) -> str:
    """The Deployment's number once it is another one."""

    def look() -> str | None:
        found = (cell.stored()["metadata"].get("annotations") or {}).get("deployment.kubernetes.io/revision")
        return found if found != before else None

    found: str = wait_for("the next revision", look)
    return found


@verb("rollout status")
def rollout_status(cell: Cell) -> None:
    """Waits until all pods are new and available."""
    cell.make()
    cell.patch({"spec": {"replicas": 1}})
    lines = cell("rollout", "status", cell.typed, "--timeout=180s").splitlines()
    assert lines[-1] == f'deployment "{cell.name}" successfully rolled out'
    assert all(line.startswith(("Waiting for deployment", "deployment ")) for line in lines)
    assert cell.value("status.availableReplicas") == 1
    cell.patch(
        {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "contract/missing:1"}]}}}}
    )
    text = cell.refused("rollout", "status", cell.typed, "--timeout=1s")
    assert text == "error: timed out waiting for the condition"


@verb("rollout restart")
def rollout_restart(cell: Cell) -> None:
    """A template of a new time, so new pods."""
    begun(cell)
    assert cell("rollout", "restart", cell.typed) == f"{cell.told} restarted"
    assert cell.value("spec.template.metadata.annotations")["kubectl.kubernetes.io/restartedAt"]
    assert next_revision(cell, "1") == "2"


@verb("rollout undo")
def rollout_undo(cell: Cell) -> None:
    """The template before, or that of a number."""
    begun(cell)
    assert [revision(cell, "one"), revision(cell, "two")] == ["2", "3"]
    assert cell("rollout", "undo", cell.typed) == f"{cell.told} rolled back"
    assert cell.value(_TEMPLATE_ENV) == [{"name": "TEXT", "value": "one"}]
    assert next_revision(cell, "3") == "4"
    assert cell("rollout", "undo", cell.typed, "--to-revision=1") == f"{cell.told} rolled back"
    assert cell.value(_TEMPLATE_ENV) is None
    assert "unable to find specified revision 99" in cell.refused(
        "rollout", "undo", cell.typed, "--to-revision=99"
    )


@verb("rollout history")
def rollout_history(cell: Cell) -> None:
    """A line for each template that is still known."""
    begun(cell)
    assert revision(cell, "one") == "2"
    cell.patch({"metadata": {"annotations": {"kubernetes.io/change-cause": "a new text"}}})
    revision(cell, "two")
    head, *lines = cell("rollout", "history", cell.typed).splitlines()
    assert head.strip() == cell.told
    found = [re.split(r"\s{2,}", line.strip()) for line in lines]
    assert found[0] == ["REVISION", "CHANGE-CAUSE"]
    assert [line[0] for line in found[1:]] == ["1", "2", "3"]
    assert found[3] == ["3", "a new text"]
    assert re.search(r"TEXT:\s+one", cell("rollout", "history", cell.typed, "--revision=2"))


@verb("rollout pause")
def rollout_pause(cell: Cell) -> None:
    """A changed template waits."""
    cell.make()
    assert cell("rollout", "pause", cell.typed) == f"{cell.told} paused"
    assert cell.value("spec.paused") is True
    assert "already paused" in cell.refused("rollout", "pause", cell.typed)
    text = cell.refused("rollout", "restart", cell.typed)
    assert "can't restart paused deployment (run rollout resume first)" in text


@verb("rollout resume")
def rollout_resume(cell: Cell) -> None:
    """It waits no more."""
    cell.make()
    cell.patch({"spec": {"paused": True}})
    assert cell("rollout", "resume", cell.typed) == f"{cell.told} resumed"
    assert not cell.value("spec.paused")
    assert "is not paused" in cell.refused("rollout", "resume", cell.typed)


# -- logs ------------------------------------------------------------------------------------------------


def speaking(cell: Cell, image: str = "contract/talker:1") -> None:
    """The cell's object, with a pod that has started and containers `main` and `other`."""
    body = cell.sample()
    pod = body["spec"] if cell.kind.name == "Pod" else body["spec"]["template"]["spec"]
    pod["containers"] = [{"name": "main", "image": image}, {"name": "other", "image": "contract/talker:1"}]
    if cell.kind.name != "Pod":
        labels = {"app": cell.name}
        body["spec"] |= {"replicas": 1, "selector": {"matchLabels": labels}}
        body["spec"]["template"]["metadata"]["labels"] = labels
    cell.engine.create(cell.kind.resource, body)
    wait_for("its lines", lambda: cell.run("logs", cell.typed, "-c", "other").stdout == "one\ntwo\n")


@verb("logs")
def logs(cell: Cell) -> None:
    """By its own name, or that of what made the pod: all lines of the first container."""
    speaking(cell)
    done = cell.run("logs", cell.typed)
    assert (done.returncode, done.stdout) == (0, "one\ntwo\n")
    assert 'Defaulted container "main" out of: main, other' in done.stderr


@verb("logs -c")
def logs_of_container(cell: Cell) -> None:
    """Of one container; of one that the pod has not, a refusal."""
    speaking(cell)
    assert cell("logs", cell.typed, "-c", "other") == "one\ntwo"
    assert cell.refused("logs", cell.typed, "-c", "nobody")
    text = cell("logs", cell.typed, "--all-containers", "--prefix")
    assert (
        len([line for line in text.splitlines() if re.match(r"\[pod/.*/(main|other)\] (one|two)", line)]) == 4
    )


@verb("logs --tail")
def logs_tail(cell: Cell) -> None:
    """The last lines, with their times where asked."""
    speaking(cell)
    assert cell("logs", cell.typed, "-c", "main", "--tail=1") == "two"
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z two",
        cell("logs", cell.typed, "-c", "main", "--tail=1", "--timestamps"),
    )
    assert cell("logs", cell.typed, "-c", "main", "--since=1h") == "one\ntwo"
    assert cell("logs", cell.typed, "-c", "main", "--limit-bytes=5") == "one\nt"


@verb("logs -f")
def logs_followed(cell: Cell) -> None:
    """Until the container ends, its last words included."""
    speaking(cell)
    with cell.running("logs", "-f", cell.typed, "-c", "main") as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["one\n", "two\n"]
        cell.engine.request("DELETE", cell.path(), {"propagationPolicy": "Background"})
        rest, _ = process.communicate(timeout=60)
        assert (process.returncode, rest) == (0, "asked to end\n")


@verb("logs --previous")
def logs_of_the_run_before(cell: Cell) -> None:
    """Of the container that ended before this one."""
    speaking(cell, "contract/failing:1")
    wait_for("a second run", lambda: cell.run("logs", cell.typed, "-c", "main", "--previous").returncode == 0)
    assert cell("logs", cell.typed, "-c", "main", "--previous") == "it fails"
    text = cell.refused("logs", cell.typed, "-c", "other", "--previous")
    assert 'previous terminated container "other"' in text
    assert "not found" in text


# -- set, autoscale, expose ------------------------------------------------------------------------------


@verb("set image")
def set_image(cell: Cell) -> None:
    """A container's image; what has none says so."""
    cell.make()
    done = cell("set", "image", cell.typed, "main=contract/talker:2")
    assert done == f"{cell.told} image updated"
    path = "spec.containers.0.image" if cell.kind.name == "Pod" else "spec.template.spec.containers.0.image"
    assert cell.value(path) == "contract/talker:2"


@verb("set env")
def set_env(cell: Cell) -> None:
    """A variable of all containers."""
    cell.make()
    assert cell("set", "env", cell.typed, "TEXT=one") == f"{cell.told} env updated"
    assert cell.value(_TEMPLATE_ENV) == [{"name": "TEXT", "value": "one"}]
    assert cell("set", "env", cell.typed, "--list").splitlines()[-1] == "TEXT=one"


@verb("expose")
def expose(cell: Cell) -> None:
    """A Service with the selector of what is exposed."""
    cell.make()
    name = f"{cell.name}-exposed"
    done = cell("expose", cell.kind.word, cell.name, "--port=80", "--target-port=8080", f"--name={name}")
    assert done == f"service/{name} exposed"
    found = cell.engine.get(f"/api/v1/namespaces/{cell.namespace}/services/{name}")["spec"]
    assert found["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 8080}]
    assert found["selector"]


@verb("events")
def events(cell: Cell) -> None:
    """What happened to it, oldest first."""
    made = cell.make()
    resource, meta = cell.kind.resource, made["metadata"]
    place = cell.namespace if resource.namespaced else "default"
    event = {
        "metadata": {"name": f"{cell.name}-event", "namespace": place},
        "involvedObject": {
            "apiVersion": resource.api_version, "kind": resource.kind, "name": cell.name, "uid": meta["uid"],
            "namespace": meta.get("namespace", ""),
        },
        "reason": "Tested", "message": "it is tested", "type": "Warning", "source": {"component": "table"},
        "firstTimestamp": meta["creationTimestamp"], "lastTimestamp": meta["creationTimestamp"], "count": 1,
    }  # fmt: skip
    cell.engine.create(EVENTS, event)
    text = cell.engine.kubectl("events", "--for", cell.typed, "--types=Warning", "-n", place)
    (row,) = rows(text.strip())
    assert re.fullmatch(AGE, row.pop("LAST SEEN"))
    told = f"{resource.kind}/{cell.name}"
    assert row == {"TYPE": "Warning", "REASON": "Tested", "OBJECT": told, "MESSAGE": "it is tested"}
