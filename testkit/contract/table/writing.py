"""The verbs that write: apply, create, edit, patch, replace, annotate, label."""

import json
import re

from testkit.contract.table.cells import Cell, verb
from testkit.contract.table.kinds import merged
from testkit.waiting import wait_for


@verb("apply")
def apply(cell: Cell) -> None:
    """created, unchanged, configured."""
    body = cell.sample()
    assert cell("apply", "-f", "-", given=body) == f"{cell.told} created"
    assert cell("apply", "-f", "-", given=body) == f"{cell.told} unchanged"
    assert cell("apply", "-f", "-", given=cell.changed_sample()) == f"{cell.told} configured"
    assert cell.has_changed()
    last = cell.stored()["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]
    assert json.loads(last)["metadata"]["labels"]["case"] == cell.name


@verb("apply --server-side")
def apply_server_side(cell: Cell) -> None:
    """Owns its fields, also those that it applied from the client's side before; another manager is refused,
    unless it insists.
    """
    side = ("apply", "--server-side", "-f", "-")
    cell("apply", "-f", "-", given=cell.sample())
    done = cell.run(*side, given=cell.sample())
    assert (done.stdout.strip(), done.stderr) == (f"{cell.told} serverside-applied", "")
    other = cell.sample()
    other["metadata"]["labels"]["case"] = "another"
    text = cell.refused(*side, "--field-manager=me", given=other)
    assert 'conflict with "kubectl": .metadata.labels.case' in text
    assert cell.value("metadata.labels.case") == cell.name
    forced = (*side, "--field-manager=me", "--force-conflicts")
    assert cell(*forced, given=merged(other, cell.kind.change)) == f"{cell.told} serverside-applied"
    assert cell.value("metadata.labels.case") == "another"
    assert cell.has_changed()


@verb("create")
def create(cell: Cell) -> None:
    """Once; a dry run leaves nothing behind."""
    body = cell.sample()
    dry = cell("create", "-f", "-", "--dry-run=server", given=body)
    assert dry == f"{cell.told} created (server dry run)"
    assert cell.is_gone()
    assert cell("create", "-f", "-", given=body) == f"{cell.told} created"
    uid = cell.value("metadata.uid")
    text = cell.refused("create", "-f", "-", given=body)
    plural, group = cell.kind.resource.plural, cell.kind.resource.group
    kinds = f"{plural}.{group}" if group else plural
    wanted = f'error when creating "STDIN": {kinds} "{cell.name}" already exists'
    assert text == f"Error from server (AlreadyExists): {wanted}"
    assert cell.value("metadata.uid") == uid


@verb("edit")
def edit(cell: Cell) -> None:
    """What the editor leaves is stored; where it leaves all as it was, nothing is."""
    cell.make()
    editor = str(cell.table.editor)
    assert cell("edit", cell.typed, EDITOR=editor) == f"{cell.told} edited"
    assert cell.value("metadata.labels.edited") == "yes"
    done = cell.run("edit", cell.typed, EDITOR=editor)
    assert (done.returncode, done.stderr.strip()) == (0, "Edit cancelled, no changes made.")


@verb("patch --type=merge")
def patch_merge(cell: Cell) -> None:
    """The kind's change, then nothing new."""
    cell.make()
    words = ("patch", cell.typed, "--type=merge", "-p", json.dumps(cell.kind.change))
    assert cell(*words) == f"{cell.told} patched"
    assert cell.has_changed()
    # A controller may have had something to add to it, as to a Node that takes no more pods.
    wait_for("nothing new", lambda: cell(*words) == f"{cell.told} patched (no change)")


@verb("patch --type=json")
def patch_json(cell: Cell) -> None:
    """All operations or none."""
    cell.make()
    add = {"op": "add", "path": "/metadata/labels/patched", "value": "yes"}
    failing = {"op": "test", "path": "/metadata/labels/case", "value": "another"}
    cell.refused("patch", cell.typed, "--type=json", "-p", json.dumps([add, failing]))
    assert cell.value("metadata.labels.patched") is None
    assert cell("patch", cell.typed, "--type=json", "-p", json.dumps([add])) == f"{cell.told} patched"
    assert cell.value("metadata.labels.patched") == "yes"


@verb("patch --type=strategic")
def patch_strategic(cell: Cell) -> None:
    """The default of Kubernetes' own kinds; custom ones do not know it."""
    cell.make()
    words = ("patch", cell.typed, "--type=strategic", "-p", json.dumps(cell.kind.change))
    if cell.kind.is_custom:
        text = cell.refused(*words)
        assert "application/strategic-merge-patch+json" in text
        assert "unknown format" in text
        return
    assert cell(*words) == f"{cell.told} patched"
    assert cell.has_changed()


@verb("replace")
def replace(cell: Cell) -> None:
    """Whole; not what was read before somebody else's write."""
    read = cell.make()
    cell.patch({"metadata": {"labels": {"meanwhile": "yes"}}})
    text = cell.refused("replace", "-f", "-", given=read)
    assert "Operation cannot be fulfilled" in text
    assert "the object has been modified" in text

    def read_and_replace() -> bool:
        fresh = cell.stored()
        fresh["metadata"]["labels"]["replaced"] = "yes"
        done = cell.run("replace", "-f", "-", given=fresh)
        if "the object has been modified" in done.stderr:  # by its controller: a writer reads again
            return False
        assert (done.returncode, done.stdout.strip()) == (0, f"{cell.told} replaced"), done
        return True

    wait_for("no write between reading and replacing", read_and_replace)
    assert cell.value("metadata.labels.replaced") == "yes"


@verb("replace --force")
def replace_by_force(cell: Cell) -> None:
    """Deleted and made again."""
    before = cell.make()["metadata"]["uid"]
    told = cell("replace", "--force", "-f", "-", given=cell.changed_sample()).splitlines()
    assert told[0].startswith(f'{cell.kind.told} "{cell.name}" deleted')
    assert told[1] == f"{cell.told} replaced"
    assert cell.value("metadata.uid") != before
    assert cell.has_changed()


@verb("annotate")
def annotate(cell: Cell) -> None:
    """Set, kept from an accident, taken away."""
    cell.make()
    assert cell("annotate", cell.typed, "note=one") == f"{cell.told} annotated"
    assert "--overwrite is false" in cell.refused("annotate", cell.typed, "note=two")
    assert cell.value("metadata.annotations.note") == "one"
    assert cell("annotate", cell.typed, "note-") == f"{cell.told} annotated"
    assert cell.value("metadata.annotations.note") is None


@verb("label")
def label(cell: Cell) -> None:
    """Set, not again, taken away."""
    cell.make()
    assert cell("label", cell.typed, "tier=web") == f"{cell.told} labeled"
    assert cell.value("metadata.labels.tier") == "web"
    assert cell("label", cell.typed, "tier=web") == f"{cell.told} not labeled"
    assert cell("label", cell.typed, "tier-") == f"{cell.told} unlabeled"
    assert cell.value("metadata.labels.tier") is None


@verb("diff")
def diff(cell: Cell) -> None:
    """Status 0 and silence where nothing would change; status 1 and the change alone where it would."""
    cell.make()
    assert cell("diff", "-f", "-", given=cell.sample()) == ""
    done = cell.run("diff", "-f", "-", given=cell.changed_sample())
    assert done.returncode == 1, done.stderr
    lines = [line for line in done.stdout.splitlines() if re.match(r"[+-](?![+-]{2} |  generation:)", line)]
    shown = "***" if cell.kind.name == "Secret" else json.dumps(cell.kind.changed).strip('"')
    assert any(line.startswith("+") and shown in line for line in lines), done.stdout
    assert len(lines) <= 5, done.stdout
    assert not cell.has_changed()
