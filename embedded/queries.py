"""Values in the query of a request, as Go reads them."""

from collections.abc import Mapping


def is_true(query: Mapping[str, str], name: str) -> bool:
    """A boolean of a query, as Go reads it; the bare name is true as well."""
    value = query.get(name)
    return value is not None and value.lower() not in {"false", "0", "f"}


def whole_number(query: Mapping[str, str], name: str) -> int | None:
    """A number ≥ 0 of a query. Raises ValueError."""
    text = query.get(name, "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{name}: {text!r} is no whole number")
    return int(text)
