"""`config-domain`, `config-domain-claims`, `config-network`: which hosts there are."""

from serving.config_network import DOMAIN_TEMPLATE, NOT_SUPPORTED
from serving.rules.configmaps.rule import (
    DATA,
    MAP_FIELDS,
    SUBDOMAIN,
    WHOLE,
    ConfigMapRules,
    among,
    check,
    entries,
    if_given,
    name,
    of,
    place,
    template,
    text,
    value,
    wholes,
)
from serving.rules.containers import DNS_LABEL
from serving.rules.rule import pattern

_SELECTOR = 'leave the value empty, or write "selector: {label: value}"'
_NO_SELECTOR = r"(?s)^\s*(?:[^:{]*[^:{\s][^:{]*|.*\bselector:[ \t]*(?:[^\s{#&][^\n]*|\n\s*-\s.*))$"
DOMAIN = ConfigMapRules(
    "config-domain",
    "route/config/domain.go",
    (
        entries(f"(size(key) > 253 || !key.matches({pattern(SUBDOMAIN)}))", "is no domain name"),
        entries(
            f"{DATA}[key].matches(r'{_NO_SELECTOR}') && !{DATA}[key].trim().startsWith('#')",
            f"its value is not understood; {_SELECTOR}",
        ),
    ),
)
CLAIMS = ConfigMapRules(
    "config-domain-claims",
    "ours",
    (
        entries(f"(size(key) > 253 || !key.lowerAscii().matches({pattern(SUBDOMAIN)}))", "is no host name"),
        entries(
            f"(size({DATA}[key].trim()) > 63 || !{DATA}[key].trim().matches({pattern(DNS_LABEL)}))",
            "'{}' is no namespace; the value is the namespace that may have the host",
            f"{DATA}[KEY]",
        ),
    ),
)


_HOST, _TAG = "domain-template", "tag-template"
_DOMAIN_FIELDS = ("Name", "Namespace", "Domain", *MAP_FIELDS)
_FIELD = r"\{{\{{-?\s*\.{}\s*-?\}}\}}"
_APART = rf"^(?:(?:[^{{}}]|{_FIELD.format('Name')})*\.)?{_FIELD.format('Namespace')}(?:\.|$)"
NETWORK = ConfigMapRules(
    "config-network",
    "networking/config.go",
    (
        *(
            check(
                key,
                f"only '{only}' is supported; {remedy}",
                if_given(key, f"{text(key)}.lowerAscii() == '{only}'"),
            )
            for key, (only, remedy) in NOT_SUPPORTED.items()
        ),
        *wholes(["rollout-duration"]),
        *(
            check(
                key,
                f"is not understood; use {', '.join(map(place, fields))}",
                if_given(key, f"{text(key)}.matches({pattern(template(fields))})"),
            )
            for key, fields in ((_HOST, _DOMAIN_FIELDS), (_TAG, ("Tag", "Name")))
        ),
        check(_HOST, "must give a host without a path", f"!{of(_HOST)}.contains('/')"),
        check(_HOST, "must contain {{.Name}}", f"{of(_HOST)}.matches(r'{_FIELD.format('Name')}')"),
        check(
            _HOST,
            "could give one host to two namespaces; let {{.Namespace}} stand between dots, "
            "with nothing but text and {{.Name}} before it",
            f"{of(_HOST)}.matches(r'{_APART}')",
        ),
        check(_TAG, "must contain {{.Tag}}", f"{of(_TAG)}.matches(r'{_FIELD.format('Tag')}')"),
        check(
            _TAG,
            "must give one DNS label, so it may contain no dot",
            f"!{of(_TAG)}.replace('.Tag', '').replace('.Name', '').matches('[./]')",
        ),
        *among(("default-external-scheme",), ("http", "https"), "is none of http, https", can_be_blank=False),
    ),
    (
        (name(_HOST), f"{DATA}[?'{_HOST}'].orValue('{DOMAIN_TEMPLATE}').trim()"),
        (name(_TAG), f"{DATA}[?'{_TAG}'].orValue('{{{{.Tag}}}}-{{{{.Name}}}}').trim()"),
        value("rollout-duration", WHOLE, "int", "0"),
    ),
)
