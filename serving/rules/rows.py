"""Every rule as a row of one table: which field, what is said, where Knative says it, what refuses it.

``python -m serving.rules.rows <README.md`` writes README with the table as it is now.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from kube.resources import CONFIGURATIONS, SERVICES
from serving.rules.kinds import MAPS, POLICIES, SPECS
from serving.rules.policy import NOTES, POD, Policy
from serving.rules.shape import RULES, Shape

TEMPLATE = "spec.template."
POD_PATH, NOTES_PATH = "spec.template.spec.", "spec.template.metadata.annotations."
"""Where a Service describes its revisions; README writes them as "…" and "@"."""
SCHEMA, RULE, POLICY, EVENT = "schema", "CEL", "policy", "Event"


@dataclass(frozen=True, slots=True)
class Row:
    """``path`` has "[*]" for elements and "{}" for keys; ``where`` says what refuses on a cluster.

    ``kinds`` are those that have the field, or the config map that has the key. ``origin`` is the file of
    Knative's that says the same, "ours" where none does. ``parameter`` is the config map that a policy reads.
    """

    kinds: tuple[str, ...]
    path: str
    message: str
    origin: str
    where: str
    parameter: str = ""
    keys: str = ""

    def is_met_by(self, path: str, message: str) -> bool:
        """Whether a refusal is one of this row."""
        return bool(re.fullmatch(_open(self.path), path)) and bool(re.search(_open(self.message), message))


def _open(template: str) -> str:
    """A template as a regular expression."""
    return ".*".join(re.escape(part) for part in re.split(r"\{\}|\[\*\]", template))


def rows() -> list[Row]:
    """All of them, in the order in which they are asked; one that several kinds share stands once."""
    found: dict[tuple[str, ...], Row] = {}
    for row in (*_of_shapes(), *_of_policies(), *_of_maps()):
        place = (row.path, row.message, row.keys, *(row.kinds if row.path.startswith("data.") else ()))
        known = found.get(place)
        kinds = (*(known.kinds if known else ()), *row.kinds)
        found[place] = Row(
            tuple(dict.fromkeys(kinds)), row.path, row.message, row.origin, row.where, row.parameter, row.keys
        )
    return list(found.values())


def _of_shapes() -> Iterator[Row]:
    for resource, shape in SPECS.items():
        for row in _of_shape(resource.kind, shape, ""):
            has_template = resource in {SERVICES, CONFIGURATIONS}
            is_whole = row.path == "spec" or row.path.startswith(("metadata", TEMPLATE))
            is_pod = not has_template and row.path.startswith("spec.") and not is_whole
            if is_pod and not row.path.startswith("spec.traffic"):
                yield Row(row.kinds, TEMPLATE + row.path, row.message, row.origin, row.where)
            else:
                yield row


def _of_shape(kind: str, shape: Shape, path: str) -> Iterator[Row]:
    for rule in shape.get(RULES, ()):
        at = f"{path}.{rule.path}" if path and rule.path else path + rule.path
        yield Row((kind,), at, rule.message, rule.origin, RULE)
    if "maxItems" in shape:
        yield Row((kind,), path, f"must have at most {shape['maxItems']} items", "ours", SCHEMA)
    if "maxLength" in shape:
        yield Row((kind,), path, f"may not be more than {shape['maxLength']} bytes", "ours", SCHEMA)
    for name, below in shape.get("properties", {}).items():
        yield from _of_shape(kind, below, f"{path}.{name}" if path else name)
    if "items" in shape:
        yield from _of_shape(kind, shape["items"], f"{path}[*]")


def _of_policies() -> Iterator[Row]:
    for policy in POLICIES:
        kinds = tuple(kind.kind for kind in policy.kinds)
        for rule in policy.rules:
            yield Row(
                kinds,
                _base(policy) + rule.path,
                rule.message,
                rule.origin,
                POLICY,
                policy.config,
                rule.keys,
            )


def _base(policy: Policy) -> str:
    if policy.base is POD:
        return "spec.template.spec."
    return "spec.template.metadata.annotations." if policy.base is NOTES else ""


def _of_maps() -> Iterator[Row]:
    for rules in MAPS:
        for rule in rules.rules:
            yield Row((rules.name,), f"data.{rule.key}", rule.message, rules.origin, POLICY)


# the table in README

MARK = "<!-- rules -->\n"
HEAD = "| field | what is said | Knative | refused by |\n|---|---|---|---|\n"
UNREADABLE = (
    ("config-domain `*`", "its value is no YAML", "route/config/domain.go"),
    ("config-images `images.yaml`", "a table that makes no sense", "ours"),
)
"""What only a reader of YAML can tell: the controller or the node tells it, what held before holds."""
_ROW = "| {} | {} | {} | {} |\n"


def table() -> str:
    """All rows in Markdown; fields of which the same is said share a line."""
    unknown = _ROW.format("any other field", 'unknown field "…"', "300-resources", SCHEMA)
    typed = _ROW.format("every field", "must be of type …", "300-resources", SCHEMA)
    return HEAD + typed + unknown + "".join(_lines()) + "".join(_told_later())


def _lines() -> Iterator[str]:
    by_field: dict[str, list[Row]] = {}
    for row in rows():
        for key in row.keys.split(", "):
            by_field.setdefault(_field(row, key), []).append(row)
    shared: dict[tuple[str, str, str], list[str]] = {}
    for field, found in by_field.items():
        said = "; ".join(dict.fromkeys(re.sub(r"'?\{\}'?", "…", row.message) for row in found))
        origin = ", ".join(dict.fromkeys(row.origin for row in found))
        where = ", ".join(dict.fromkeys(filter(None, (each for row in found for each in _where(row)))))
        shared.setdefault((said, origin, where), []).append(field)
    for (said, origin, where), fields in shared.items():
        yield _ROW.format(", ".join(fields), said.replace("|", "\\|"), origin, where)


def _field(row: Row, key: str) -> str:
    """The field for people: indices as "*", fields of all three probes together."""
    if row.path.startswith("data."):
        return f"{row.kinds[0]} `{row.path.removeprefix('data.').replace('{}', '*')}`"
    path = row.path.replace("[{}]", "[*]")
    path = path.removesuffix("{}") + key if key else path.replace("{}", "*")
    path = re.sub(r"(readiness|liveness|startup)Probe\.", "*Probe.", path)
    kind = f"{row.kinds[0]} " if len(row.kinds) == 1 else ""
    return f"{kind}`{path.replace(POD_PATH, '…').replace(NOTES_PATH, '@')}`"


def _where(row: Row) -> tuple[str, str]:
    return row.where, row.parameter


def _told_later() -> Iterator[str]:
    for field, said, origin in UNREADABLE:
        yield _ROW.format(field, said, origin, EVENT)


def written(readme: str) -> str:
    """README with the table as it is now, between its marks."""
    before, _, after = readme.split(MARK)
    return before + MARK + table() + MARK + after


if __name__ == "__main__":
    sys.stdout.write(written(sys.stdin.read()))
