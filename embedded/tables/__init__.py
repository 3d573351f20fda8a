"""Objects as kubectl's tables.

Reading order: `table` below, `columns` (what a column is), `ages`, `kinds` and `pods` (columns of the
built-in kinds), `custom` (columns that definitions ask for) with `jsonpath`.

Admitted here: what turns an object into cells.
"""

from typing import Literal

from embedded.tables.columns import AGE, NAME, Column
from embedded.tables.custom import columns as custom_columns
from embedded.tables.kinds import COLUMNS
from kube.objects import Obj
from kube.resources import Resource

_META = "meta.k8s.io/v1"


def columns_of(resource: Resource, crd: Obj | None) -> tuple[Column, ...]:
    """A kind's columns; name and age where nothing else is known."""
    if crd is not None:
        return custom_columns(crd, resource.version)
    return COLUMNS.get((resource.group, resource.kind), (NAME, AGE))


def table(
    resource: Resource,
    objects: list[Obj],
    now: float,
    crd: Obj | None,
    include: Literal["Metadata", "Object", "None"],
) -> Obj:
    """`meta.k8s.io/v1 Table` of the objects, all columns included; `metadata` is the caller's to fill.

    `crd` is the definition of a custom resource; `include` is how much of its object each row carries.
    """
    columns = columns_of(resource, crd)
    rows = [
        {"cells": [column.cell(obj, now) for column in columns], "object": _part(obj, include)}
        for obj in objects
    ]
    return {
        "kind": "Table",
        "apiVersion": _META,
        "metadata": {},
        "columnDefinitions": [column.definition() for column in columns],
        "rows": rows,
    }


def _part(obj: Obj, include: str) -> Obj | None:
    if include == "None":
        return None
    if include == "Object":
        return obj
    return {"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": obj["metadata"]}
