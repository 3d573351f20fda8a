"""The verbs that look: get in every output, describe, explain."""

import json
import re

import yaml

from testkit.contract.table.cells import Cell, verb
from testkit.contract.table.kinds import Kind
from testkit.waiting import wait_for


def rows(text: str) -> list[dict[str, str]]:
    """A table as kubectl prints it: each row by heading."""
    lines = text.splitlines()
    starts = [(found.group(), found.start()) for found in re.finditer(r"\S+( \S+)*", lines[0])]
    ends = [start for _, start in starts[1:]] + [None]
    return [
        {name: line[start:end].strip() for (name, start), end in zip(starts, ends, strict=True)}
        for line in lines[1:]
    ]


def check_row(cell: Cell, row: dict[str, str], columns: dict[str, str]) -> None:
    """The headings in their order, and each cell by its pattern."""
    assert list(row) == list(columns)
    for name, pattern in {**columns, **cell.kind.differs.get(cell.engine.name, {})}.items():
        assert re.fullmatch(pattern, row.get(name, "")), (name, row)


def columns_of(kind: Kind, name: str) -> dict[str, str]:
    """The default table; events begin with their age instead of their name."""
    return dict(kind.columns) if kind.name == "Event" else {"NAME": name, **kind.columns}


def wide_of(kind: Kind, name: str) -> dict[str, str]:
    """What `-o wide` shows."""
    return dict(kind.wide) if kind.name == "Event" else {**columns_of(kind, name), **kind.wide}


@verb("get")
def get(cell: Cell) -> None:
    """The default table."""
    name = cell.table.shared(cell.kind)
    (row,) = rows(cell("get", cell.kind.word, name))
    check_row(cell, row, columns_of(cell.kind, name))


@verb("get -o wide")
def get_wide(cell: Cell) -> None:
    """With the columns that are left out otherwise."""
    name = cell.table.shared(cell.kind)
    (row,) = rows(cell("get", cell.kind.word, name, "-o", "wide"))
    check_row(cell, row, wide_of(cell.kind, name))


@verb("get -o json")
def get_json(cell: Cell) -> None:
    """The stored object, without the owners of fields."""
    name = cell.table.shared(cell.kind)

    def same() -> bool:
        found = json.loads(cell("get", cell.kind.word, name, "-o", "json"))
        stored = cell.stored(name)
        stored["metadata"].pop("managedFields", None)
        return bool(found == stored)

    wait_for("kubectl to say what the API says, with no write between the two", same)


@verb("get -o yaml")
def get_yaml(cell: Cell) -> None:
    """The same in YAML."""
    name = cell.table.shared(cell.kind)
    found = yaml.safe_load(cell("get", cell.kind.word, name, "-o", "yaml"))
    resource = cell.kind.resource
    assert (found["apiVersion"], found["kind"]) == (resource.api_version, resource.kind)
    assert found["metadata"]["name"] == name
    assert "managedFields" not in found["metadata"]


@verb("get -o name")
def get_name(cell: Cell) -> None:
    """As other commands take it."""
    name = cell.table.shared(cell.kind)
    assert cell("get", cell.kind.word, name, "-o", "name") == f"{cell.kind.told}/{name}"


@verb("get -o jsonpath")
def get_jsonpath(cell: Cell) -> None:
    """A list's fields."""
    name = cell.table.shared(cell.kind)
    path = "jsonpath={.items[*].metadata.labels.case}"
    assert cell("get", cell.kind.word, "-l", f"case={name}", "-o", path) == name


@verb("get -o custom-columns")
def get_custom_columns(cell: Cell) -> None:
    """Columns of one's own."""
    name = cell.table.shared(cell.kind)
    columns = "custom-columns=N:.metadata.name,NONE:.metadata.nothing,K:.kind"
    (row,) = rows(cell("get", cell.kind.word, name, "-o", columns))
    assert row == {"N": name, "NONE": "<none>", "K": cell.kind.resource.kind}


@verb("get -o go-template")
def get_go_template(cell: Cell) -> None:
    """Go's templates."""
    name = cell.table.shared(cell.kind)
    template = "go-template={{range .items}}{{.metadata.name}}{{end}}"
    assert cell("get", cell.kind.word, "-l", f"case={name}", "-o", template) == name


@verb("get --show-labels")
def get_show_labels(cell: Cell) -> None:
    """As a last column."""
    name = cell.table.shared(cell.kind)
    (row,) = rows(cell("get", cell.kind.word, name, "--show-labels"))
    assert list(row)[-1] == "LABELS"
    assert f"case={name}" in row["LABELS"].split(",")


@verb("get --watch")
def get_watch(cell: Cell) -> None:
    """What is there, then a line for each change, the deletion too."""
    cell.make()
    words = ("get", cell.kind.word, "-l", f"case={cell.name}", "--watch", "--show-labels")
    with cell.running(*words) as process:
        assert process.stdout is not None
        seen = (line.split() for line in process.stdout)
        assert next(seen)[-1] == "LABELS"
        first = next(seen)
        assert f"case={cell.name}" in first[-1]
        cell.patch({"metadata": {"labels": {"seen": "yes"}}})
        assert next(line for line in seen if "seen=yes" in line[-1])
        cell.engine.request("DELETE", cell.path())
        assert "seen=yes" in next(seen)[-1]


@verb("get -A")
def get_everywhere(cell: Cell) -> None:
    """With the namespace in front, where the kind has one."""
    name = cell.table.shared(cell.kind)
    done = cell.engine.kubectl_result("get", cell.kind.word, "-A", "-l", f"case={name}")
    (row,) = rows(done.stdout.strip())
    if not cell.kind.resource.namespaced:
        assert next(iter(row)) == "NAME"
        return
    assert next(iter(row)) == "NAMESPACE"
    assert row["NAMESPACE"] == cell.namespace


@verb("get -l")
def get_by_label(cell: Cell) -> None:
    """All that carry the label; none is no failure."""
    name = cell.table.shared(cell.kind)
    selector = f"case in (x, {name}),case!=x"
    assert cell("get", cell.kind.word, "-l", selector, "-o", "name") == f"{cell.kind.told}/{name}"
    done = cell.run("get", cell.kind.word, "-l", "case=nobody")
    where = f" in {cell.namespace} namespace." if cell.kind.resource.namespaced else ""
    assert (done.returncode, done.stdout, done.stderr.strip()) == (0, "", f"No resources found{where}")


@verb("get --field-selector")
def get_by_field(cell: Cell) -> None:
    """By name and by what else the kind knows; others are refused."""
    name = cell.table.shared(cell.kind)
    found = cell("get", cell.kind.word, "--field-selector", f"metadata.name={name}", "-o", "name")
    assert found == f"{cell.kind.told}/{name}"
    text = cell.refused("get", cell.kind.word, "--field-selector", "spec.nonsense=x")
    assert (
        "field label not supported: spec.nonsense" in text or '"spec.nonsense" is not a known field' in text
    )


@verb("get --sort-by")
def get_sorted(cell: Cell) -> None:
    """By a field, against the order of the names."""
    for name, rank in (("a", "2"), ("b", "1")):
        cell.make(f"{cell.name}-{name}", sorted=cell.name, rank=rank)
    words = (
        "get",
        cell.kind.word,
        "-l",
        f"sorted={cell.name}",
        "--no-headers",
        "-o",
        "custom-columns=N:.metadata.name",
    )
    assert cell(*words).split() == [f"{cell.name}-a", f"{cell.name}-b"]
    assert cell(*words, "--sort-by=.metadata.labels.rank").split() == [f"{cell.name}-b", f"{cell.name}-a"]


@verb("describe")
def describe(cell: Cell) -> None:
    """Its sections."""
    name = cell.table.shared(cell.kind)
    text = cell("describe", cell.kind.word, name)
    found = [re.split(r":|\s{2}", line)[0] for line in text.splitlines() if line and not line.startswith(" ")]
    missing = cell.kind.undescribed.get(cell.engine.name, ())
    assert found == [heading for heading in cell.kind.headings if heading not in missing]
    assert f"case={name}" in text


@verb("explain")
def explain(cell: Cell) -> None:
    """What it is, and its fields."""
    text = cell("explain", cell.kind.word)
    resource = cell.kind.resource
    heads = dict(re.findall(r"^(\w+): +(\S+)$", text, re.MULTILINE))
    assert heads["KIND"] == resource.kind
    assert heads["VERSION"] == resource.version
    assert heads.get("GROUP", "") == resource.group
    assert "<empty>" not in text
    assert "<no description>" not in text
    for field in ("apiVersion", "kind", "metadata"):
        assert re.search(rf"^  {field}\t<", text, re.MULTILINE)


@verb("explain --recursive")
def explain_recursive(cell: Cell) -> None:
    """All fields to the ground."""
    text = cell("explain", cell.kind.word, "--recursive")
    assert re.search(r"^    resourceVersion\t<string>", text, re.MULTILINE)
    assert re.search(r"^      fieldsV1\t<FieldsV1>", text, re.MULTILINE)
    for step in cell.kind.explained[0].split("."):
        assert re.search(rf"^ +{step}\t<", text, re.MULTILINE), step


@verb("explain FIELD")
def explain_field(cell: Cell) -> None:
    """One field; no such field is an error."""
    path, word = cell.kind.explained
    text = cell("explain", f"{cell.kind.word}.{path}")
    assert re.search(rf"^FIELD: {path.rsplit('.', 1)[-1]} <", text, re.MULTILINE)
    assert word in text
    assert 'field "nonsense" does not exist' in cell.refused("explain", f"{cell.kind.word}.nonsense")
