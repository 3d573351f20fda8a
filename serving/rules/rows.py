"""Every rule as a row of one table: which field, what is said, where Knative says it, what refuses it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kube.resources import CONFIGURATIONS, SERVICES
from serving.rules.configmaps import MAPS
from serving.rules.kinds import POLICIES, SPECS
from serving.rules.policy import NOTES, POD, Policy
from serving.rules.shape import RULES, Shape

TEMPLATE = "spec.template."
SCHEMA, RULE, POLICY, EVENT, CONDITION = "schema", "rule", "policy", "event", "condition"


@dataclass(frozen=True, slots=True)
class Row:
    """``path`` has "[*]" for elements and "{}" for keys; ``where`` says what refuses on a cluster.

    ``kinds`` are those that have the field; "" with a ``config`` map is that map.
    """

    kinds: tuple[str, ...]
    path: str
    message: str
    origin: str
    where: str
    parameter: str = ""

    def is_met_by(self, path: str, message: str) -> bool:
        """Whether a refusal is one of this row."""
        return bool(re.fullmatch(_open(self.path), path)) and bool(re.search(_open(self.message), message))


def _open(template: str) -> str:
    """A template as a regular expression."""
    return ".*".join(re.escape(part) for part in re.split(r"\{\}|\[\*\]", template))


def rows() -> list[Row]:
    """All of them, in the order in which they are asked; one that several kinds share stands once."""
    found: dict[tuple[str, str], Row] = {}
    for row in (*_of_shapes(), *_of_policies(), *_of_maps()):
        known = found.get((row.path, row.message))
        kinds = (*(known.kinds if known else ()), *row.kinds)
        found[row.path, row.message] = Row(
            tuple(dict.fromkeys(kinds)), row.path, row.message, row.origin, row.where, row.parameter
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
            yield Row(kinds, _base(policy) + rule.path, rule.message, rule.origin, POLICY, policy.config)


def _base(policy: Policy) -> str:
    if policy.base is POD:
        return "spec.template.spec."
    return "spec.template.metadata.annotations." if policy.base is NOTES else ""


def _of_maps() -> Iterator[Row]:
    for rules in MAPS:
        for rule in rules.rules:
            yield Row((rules.name,), f"data.{rule.key}", rule.message, rules.origin, POLICY)
