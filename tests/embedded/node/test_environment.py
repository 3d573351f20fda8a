"""Variables in words and values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.node.environment import expand


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("$(B)", "$(B)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A ${A}", "$A ${A}"),
        ("$(A", "$(A"),
    ],
)
def test_variables_expand_as_in_kubernetes(text: str, expected: str) -> None:
    """Unknown names stay; two dollars are one."""
    assert expand(text, {"A": "1"}) == expected


@given(st.text())
def test_texts_without_a_dollar_stay(text: str) -> None:
    """Expansion touches nothing else."""
    plain = text.replace("$", "")
    assert expand(plain, {"A": "1"}) == plain
