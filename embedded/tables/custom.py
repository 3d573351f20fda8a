"""The columns that a custom resource's definition asks for (`additionalPrinterColumns`)."""

import json
from typing import Any

from embedded.tables.ages import age
from embedded.tables.columns import AGE, NAME, Cell, Column
from embedded.tables.jsonpath import BadPath, Path, parse
from kube.objects import Obj


def columns(crd: Obj, version: str) -> tuple[Column, ...]:
    """Name and the columns asked for; name and age where nothing is asked for."""
    asked: list[Obj] = []
    for entry in crd.get("spec", {}).get("versions") or ():
        if entry.get("name") == version:
            asked = entry.get("additionalPrinterColumns") or []
    return (NAME, *map(_column, asked)) if asked else (NAME, AGE)


def _column(asked: Obj) -> Column:
    type_ = asked.get("type", "string")
    return Column(
        asked.get("name", ""),
        _cell(asked.get("jsonPath", ""), type_),
        type_,
        asked.get("format", ""),
        asked.get("priority", 0),
        asked.get("description", ""),
    )


def _cell(text: str, type_: str) -> Cell:
    try:
        path = parse(text)
    except BadPath:  # a definition with such a path is refused; an empty column beats no table
        path = Path((lambda _: iter(()),))

    def cell(obj: Obj, now: float) -> Any:
        found = [value for value in path.find(obj) if value is not None]
        if not found:
            return None
        if type_ == "date":
            return age(found[0], now) if isinstance(found[0], str) else "<invalid>"
        if type_ == "string":
            return " ".join(map(_text, found))
        return _typed(found[0], type_)

    return cell


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _typed(value: Any, type_: str) -> Any:
    """A number or a truth value as it is; anything else in such a column is shown as nothing."""
    fits = {"boolean": bool, "integer": int, "number": int | float}.get(type_, object)
    if isinstance(value, bool) and type_ != "boolean":
        return None
    return value if isinstance(value, fits) else None
