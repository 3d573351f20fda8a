"""``config-network``: how hosts are written (Knative's networking, pkg/config/config.go)."""

from collections.abc import Mapping
from dataclasses import dataclass

from serving.config_autoscaler import ConfigError
from serving.config_values import Reader
from serving.templates import Template, TemplateError, Values, namespace_problem, parse_template

DOMAIN_TEMPLATE = "{{.Name}}.{{.Namespace}}.{{.Domain}}"
TAG_TEMPLATE = "{{.Tag}}-{{.Name}}"
DOMAIN_FIELDS = ("Name", "Namespace", "Domain", "Annotations", "Labels")
TAG_FIELDS = ("Tag", "Name")
NOT_SUPPORTED: Mapping[str, tuple[str, str]] = {
    "external-domain-tls": ("disabled", "end TLS in front of the gateway"),
    "auto-tls": ("disabled", "end TLS in front of the gateway"),
    "cluster-local-domain-tls": ("disabled", "end TLS in front of the gateway"),
    "system-internal-tls": ("disabled", "pods are spoken to in plain HTTP"),
    "http-protocol": ("enabled", "redirect in front of the gateway"),
}
"""Keys with one supported value → that value, and what to do instead."""


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """``scheme`` is what status URLs begin with; it changes nothing on the wire."""

    domain_template: Template
    tag_template: Template
    scheme: str = "http"

    def host(self, values: Values) -> str:
        """The host of a Route; ``values.fields`` has Name, Namespace, Domain. Raises TemplateError."""
        return self.domain_template.render(values).lower()

    def tag_name(self, tag: str, name: str) -> str:
        """What stands for the Route's name in the host of a tag."""
        return self.tag_template.render(Values({"Tag": tag, "Name": name}))


def parse(data: Mapping[str, str]) -> NetworkConfig:
    """Raises ConfigError, also for a template that can give one host to two namespaces."""
    reader = Reader(data)
    for key, (only, remedy) in NOT_SUPPORTED.items():
        if reader.text(key, only).lower() != only:
            raise ConfigError(key, f"only {only!r} is supported; {remedy}")
    reader.whole("rollout-duration", 0)
    return NetworkConfig(
        domain_template=_domain_template(reader),
        tag_template=_tag_template(reader),
        scheme=reader.text("default-external-scheme", "http", choices=("http", "https")),
    )


def _domain_template(reader: Reader) -> Template:
    key = "domain-template"
    try:
        template = parse_template(reader.text(key, DOMAIN_TEMPLATE), DOMAIN_FIELDS)
    except TemplateError as error:
        raise ConfigError(key, str(error)) from None
    if "/" in template.text:
        raise ConfigError(key, "must give a host without a path")
    if "Name" not in template.fields():
        raise ConfigError(key, "must contain {{.Name}}")
    problem = namespace_problem(template)
    if problem:
        raise ConfigError(key, problem)
    return template


def _tag_template(reader: Reader) -> Template:
    key = "tag-template"
    try:
        template = parse_template(reader.text(key, TAG_TEMPLATE), TAG_FIELDS)
    except TemplateError as error:
        raise ConfigError(key, str(error)) from None
    if "Tag" not in template.fields():
        raise ConfigError(key, "must contain {{.Tag}}")
    if any(isinstance(part, str) and ("." in part or "/" in part) for part in template.parts):
        raise ConfigError(key, "must give one DNS label, so it may contain no dot")
    return template
