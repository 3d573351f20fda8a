"""The verbs of an end: delete in its ways, and wait."""

from testkit.contract.table.cells import Cell, owners_of, verb
from testkit.waiting import wait_for


def deleted(cell: Cell, name: str = "") -> str:
    """How kubectl begins to tell of a deletion."""
    return f'{cell.kind.told} "{name or cell.name}" deleted'


@verb("delete NAME")
def delete(cell: Cell) -> None:
    """Gone when the command returns; a second time there is none."""
    cell.make()
    assert cell("delete", cell.typed).startswith(deleted(cell))
    assert cell.is_gone()
    text = cell.refused("delete", cell.typed)
    assert text.startswith("Error from server (NotFound): ")
    assert text.endswith(f'"{cell.name}" not found')
    assert cell("delete", cell.typed, "--ignore-not-found") == ""


@verb("delete -l")
def delete_by_label(cell: Cell) -> None:
    """Those with the label, no others."""
    for name in ("a", "b"):
        cell.make(f"{cell.name}-{name}", round=cell.name)
    other = f"{cell.name}-c"
    cell.make(other)
    lines = cell("delete", cell.kind.word, "-l", f"round={cell.name}").splitlines()
    assert [
        line.startswith(deleted(cell, f"{cell.name}-{name}")) for line, name in zip(lines, "ab", strict=True)
    ] == [
        True,
        True,
    ]
    assert cell.is_gone(f"{cell.name}-a")
    assert not cell.is_gone(other)


@verb("delete --all")
def delete_all(cell: Cell) -> None:
    """All of the namespace."""
    namespace = cell.engine.new_namespace()
    resource = cell.kind.resource
    for name in ("a", "b"):
        cell.engine.create(resource, cell.kind.sample(f"{cell.name}-{name}", namespace))
    text = cell.engine.kubectl("delete", cell.kind.word, "--all", "-n", namespace)
    for name in ("a", "b"):
        assert deleted(cell, f"{cell.name}-{name}") in text
        assert cell.engine.request("GET", resource.path(namespace, f"{cell.name}-{name}")).status == 404
    cell.engine.drop_namespace(namespace)


@verb("delete --force")
def delete_by_force(cell: Cell) -> None:
    """--grace-period=0: at once, with a warning."""
    cell.make()
    done = cell.run("delete", cell.typed, "--grace-period=0", "--force")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f'{cell.kind.told} "{cell.name}" force deleted')
    assert done.stderr.startswith("Warning: Immediate deletion does not wait for confirmation")
    wait_for("its end", cell.is_gone)


@verb("delete --cascade=orphan")
def delete_orphaning(cell: Cell) -> None:
    """Its children stay, without an owner."""
    if cell.kind.is_custom:
        cell.table.wait_for_garbage_collection()
    body = cell.sample()
    if cell.kind.name == "ReplicaSet":
        body["spec"]["replicas"] = 1
    cell.engine.create(cell.kind.resource, body)
    if cell.kind.child is None:
        assert cell("delete", cell.typed, "--cascade=orphan").startswith(deleted(cell))
        assert cell.is_gone()
        return
    (child,) = cell.wait_for_children()
    uid = cell.value("metadata.uid")
    assert cell("delete", cell.typed, "--cascade=orphan").startswith(deleted(cell))
    assert cell.is_gone()
    path = cell.path(child["metadata"]["name"], cell.kind.child)
    assert uid not in owners_of(cell.engine.get(path))
    cell.engine.request("DELETE", path)


@verb("delete --cascade=foreground")
def delete_children_first(cell: Cell) -> None:
    """Its children are gone before it is."""
    if cell.kind.is_custom:
        cell.table.wait_for_garbage_collection()
    cell.make()
    children = cell.wait_for_children() if cell.kind.child and cell.kind.name != "ReplicaSet" else []
    assert cell("delete", cell.typed, "--cascade=foreground").startswith(deleted(cell))
    assert cell.is_gone()
    for child in children:
        path = cell.path(child["metadata"]["name"], cell.kind.child)
        assert cell.engine.request("GET", path).status == 404


@verb("wait --for=condition")
def wait_for_condition(cell: Cell) -> None:
    """Met, or late."""
    name = cell.table.shared(cell.kind)
    typed, told = f"{cell.kind.word}/{name}", f"{cell.kind.told}/{name}"
    assert (
        cell("wait", typed, f"--for=condition={cell.kind.condition}", "--timeout=180s")
        == f"{told} condition met"
    )
    text = cell.refused("wait", typed, "--for=condition=Nonsense", "--timeout=100ms")
    assert text.startswith("error: timed out waiting for the condition on ")


@verb("wait --for=jsonpath")
def wait_for_field(cell: Cell) -> None:
    """Until a field has a value."""
    cell.make()
    words = ("wait", cell.typed, "--for=jsonpath={.metadata.labels.seen}=yes", "--timeout=180s")
    with cell.running(*words) as process:
        cell.patch({"metadata": {"labels": {"seen": "yes"}}})
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out.strip()) == (0, f"{cell.told} condition met"), err


@verb("wait --for=delete")
def wait_for_the_end(cell: Cell) -> None:
    """Until it is gone."""
    cell.make()
    with cell.running("wait", cell.typed, "--for=delete", "--timeout=180s") as process:
        cell.engine.request("DELETE", cell.path())
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert out.strip() in {"", f"{cell.told} condition met"}
