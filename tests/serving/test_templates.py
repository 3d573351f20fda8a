"""The part of Go's templates that config maps may use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.templates import TemplateError, Values, namespace_problem, parse_template

FIELDS = ("Name", "Namespace", "Domain", "Annotations", "Labels")
VALUES = Values(
    {"Name": "hello", "Namespace": "shop", "Domain": "example.com"}, {"team": "red"}, {"sub": "eu"}
)


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("{{.Name}}.{{.Namespace}}.{{.Domain}}", "hello.shop.example.com"),
        ("{{ .Name }}.{{.Namespace}}.fixed.org", "hello.shop.fixed.org"),
        ("{{.Name}}.{{.Namespace}}.{{.Annotations.sub}}.{{.Domain}}", "hello.shop.eu.example.com"),
        ('{{.Name}}.{{.Namespace}}.{{index .Labels "team"}}.{{.Domain}}', "hello.shop.red.example.com"),
    ],
)
def test_a_template_is_filled(text: str, rendered: str) -> None:
    assert parse_template(text, FIELDS).render(VALUES) == rendered


@pytest.mark.parametrize(
    "text",
    [
        "{{.Nmae}}",
        "{{if .Name}}x{{end}}",
        "{{.Name",
        "Name}}",
        "{{.Labels}}",
        "{{.Name.x}}",
        "{{printf .Name}}",
    ],
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(TemplateError):
        parse_template(text, FIELDS)


def test_a_missing_label_is_named() -> None:
    with pytest.raises(TemplateError, match="label 'tier' is missing"):
        parse_template("{{.Labels.tier}}", FIELDS).render(VALUES)


@pytest.mark.parametrize(
    ("text", "is_safe"),
    [
        ("{{.Name}}.{{.Namespace}}.{{.Domain}}", True),
        ("{{.Namespace}}.{{.Name}}.{{.Domain}}", True),
        ("app-{{.Name}}.{{.Namespace}}.{{.Domain}}", True),
        ("{{.Name}}.apps.{{.Namespace}}.{{.Domain}}", True),
        ("{{.Name}}.{{.Domain}}", False),
        ("{{.Name}}-{{.Namespace}}.{{.Domain}}", False),
        ("{{.Name}}.{{.Namespace}}{{.Domain}}", False),
        ("{{.Name}}.{{.Namespace}}-x.{{.Domain}}", False),
        ("{{.Annotations.sub}}.{{.Namespace}}.{{.Domain}}", False),
        ("{{.Name}}.{{.Domain}}.{{.Namespace}}", False),
    ],
)
def test_a_template_must_keep_namespaces_apart(text: str, is_safe: bool) -> None:
    assert (namespace_problem(parse_template(text, FIELDS)) == "") is is_safe


labels = st.from_regex(r"[a-c](-?[a-c]){0,2}", fullmatch=True)
pieces = st.sampled_from(["{{.Name}}", "{{.Namespace}}", "{{.Domain}}", ".", "-", "a", "{{.Labels.x}}"])


@given(
    text=st.lists(pieces, min_size=1, max_size=6).map("".join),
    one=st.tuples(labels, labels, st.sampled_from(["b.c", "c", "a.b.c"]), st.sampled_from(["a", "a.b"])),
    other=st.tuples(labels, labels, st.sampled_from(["b.c", "c", "a.b.c"]), st.sampled_from(["a", "a.b"])),
)
def test_no_accepted_template_gives_one_host_to_two_namespaces(
    text: str, one: tuple[str, str, str, str], other: tuple[str, str, str, str]
) -> None:
    template = parse_template(text, FIELDS)
    hosts = [
        template.render(Values({"Name": name, "Namespace": home, "Domain": domain}, {"x": label}))
        for name, home, domain, label in (one, other)
    ]
    if namespace_problem(template) == "" and one[1] != other[1]:
        assert hosts[0] != hosts[1]
