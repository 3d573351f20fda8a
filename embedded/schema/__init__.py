"""Types of objects: which fields they have, what is wrong with them, what is filled in.

Reading order: `types` (one node of a schema), `builtin` with `merge_keys` and schemas.json (Kubernetes' own
kinds), `custom` (kinds from definitions), `registry` (kind → type), `fields` (unknown fields), `check` (wrong
values), `naming`, `rules`, `configs`, `services`, `pods`, `limits` (what Kubernetes refuses beyond types),
`defaults`.

Admitted here: what follows from an object and its kind's schema alone.
"""

from embedded.schema.check import type_errors
from embedded.schema.defaults import apply_defaults
from embedded.schema.fields import prune, unknown_fields
from embedded.schema.registry import Schemas
from embedded.schema.types import ANY, FieldProblem, TypeSchema, copy_json

__all__ = [
    "ANY",
    "FieldProblem",
    "Schemas",
    "TypeSchema",
    "apply_defaults",
    "copy_json",
    "prune",
    "type_errors",
    "unknown_fields",
]
