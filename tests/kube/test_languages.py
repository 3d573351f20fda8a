"""Kubernetes' small languages: names, quantities, durations, selectors, times."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube import duration, names, objects, quantity, selectors


@pytest.mark.parametrize(
    ("parent", "suffix", "child"),
    [
        ("hello", "-00001", "hello-00001"),
        ("a" * 57, "-00001", "a" * 57 + "-00001"),
        ("a" * 58, "-00001", "a" * 25 + "dc2f2f2462a0d72358b2f99389458606" + "-00001"),
    ],
)
def test_a_childs_name_is_the_parents_until_63_characters_then_a_digest(
    parent: str, suffix: str, child: str
) -> None:
    """Knative's rule keeps short names readable and long ones apart."""
    assert names.child_name(parent, suffix) == child


@pytest.mark.parametrize(
    ("one", "other", "is_newer"),
    [
        ("10", "9", True),
        ("9", "10", False),
        ("9", "9", False),
        ("b", "a", True),
        ("a", "a", False),
        (None, "1", True),
    ],
)
def test_versions_are_numbers_where_both_are(one: str | None, other: str, is_newer: bool) -> None:
    """Which of two comes later; what is no number is only the same or not."""
    first, second = ({"metadata": {"resourceVersion": each}} for each in (one, other))
    assert objects.is_newer(first, second) == is_newer


@given(st.text("abcxyz-019", min_size=1, max_size=120), st.text("abcxyz-019", max_size=90))
def test_a_childs_name_always_fits_a_label(parent: str, suffix: str) -> None:
    """No parent and suffix make a name beyond 63 characters."""
    assert len(names.child_name(parent, suffix)) <= 63


def test_two_long_parents_have_different_children() -> None:
    """The digest is of the parent, so a shared beginning is no clash."""
    assert names.child_name("x" * 70 + "a", "-1") != names.child_name("x" * 70 + "b", "-1")


@pytest.mark.parametrize(
    ("text", "is_label"),
    [
        ("hello", True),
        ("hello-1", True),
        ("1hello", False),
        ("-a", False),
        ("a-", False),
        ("A", False),
        ("", False),
    ],
)
def test_a_dns_1035_label_starts_with_a_letter(text: str, is_label: bool) -> None:
    assert names.is_dns1035_label(text) is is_label


def test_a_random_suffix_has_no_vowels() -> None:
    """Names that Kubernetes makes never spell a word."""
    assert not set(names.random_suffix(random.Random(1), 500)) & set("aeiou013")


@pytest.mark.parametrize(
    ("text", "value"),
    [("100m", 0.1), ("64Mi", 67108864), ("1e3", 1000), (2, 2), ("1.5Gi", 1610612736), ("0", 0), (".5", 0.5)],
)
def test_a_quantity_is_a_number(text: int | str, value: float) -> None:
    assert quantity.parse_quantity(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "abc", "1Q", "1 Mi", "--1", "1mm"])
def test_what_is_no_quantity_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        quantity.parse_quantity(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60s", 60),
        ("1m30s", 90),
        ("300ms", 0.3),
        ("1h", 3600),
        ("0", 0),
        ("-2s", -2),
        ("1.5s", 1.5),
        ("10us", 1e-5),
    ],
)
def test_a_duration_is_seconds(text: str, seconds: float) -> None:
    assert duration.parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "1x", "1m 3s", "m1", "1s-"])
def test_what_is_no_duration_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        duration.parse_duration(text)


@given(st.integers(0, 10**9))
def test_a_duration_survives_writing_and_reading(millis: int) -> None:
    """format then parse is the identity on whole milliseconds."""
    assert duration.parse_duration(duration.format_duration(millis / 1000)) == pytest.approx(millis / 1000)


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ("", {}, True),
        ("a=b", {"a": "b"}, True),
        ("a==b", {"a": "c"}, False),
        ("a!=b", {}, True),
        ("a!=b", {"a": "b"}, False),
        ("a in (b, c),d", {"a": "c", "d": ""}, True),
        ("a in (b,c)", {}, False),
        ("a notin (b,c)", {}, True),
        ("a notin (b,c)", {"a": "b"}, False),
        ("!a", {"a": "x"}, False),
        ("!a", {}, True),
        ("a", {}, False),
        ("zerogate.dev/scale=true", {"zerogate.dev/scale": "true"}, True),
    ],
)
def test_a_label_selector_matches_as_kubernetes_does(
    text: str, labels: dict[str, str], matches: bool
) -> None:
    assert selectors.parse_label_selector(text).matches(labels) is matches


@pytest.mark.parametrize("text", ["a=b=c", "a in b", "(a)", "a in (b"])
def test_a_selector_that_makes_no_sense_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="unable to parse"):
        selectors.parse_label_selector(text)


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("metadata.name=x", True),
        ("metadata.name!=x", False),
        ("spec.nodeName=", True),
        ("spec.flag=true,metadata.name=x", True),
        ("spec.flag=false", False),
    ],
)
def test_a_field_selector_reads_dotted_paths(text: str, matches: bool) -> None:
    obj = {"metadata": {"name": "x"}, "spec": {"flag": True}}
    assert selectors.parse_field_selector(text).matches(obj) is matches


@given(st.integers(0, 4 * 10**9))
def test_a_time_survives_writing_and_reading(seconds: int) -> None:
    assert objects.parse_time(objects.format_time(seconds)) == seconds
    assert objects.parse_time(objects.format_micro_time(seconds + 0.25)) == seconds + 0.25
