"""``config-defaults``: what a revision gets that doesn't say (Knative, pkg/apis/config/defaults.go)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from serving.config_autoscaler import ConfigError
from serving.config_values import Reader
from serving.templates import Template, TemplateError, parse_template

RESOURCES = ("cpu", "memory", "ephemeral-storage")
NAME_FIELDS = ("Name", "Namespace", "Annotations", "Labels")
PLAIN_NAME = Template("user-container", ("user-container",))


@dataclass(frozen=True, slots=True)
class DefaultsConfig:
    """Seconds, 0 of an optional timeout is off; ``enable_service_links`` None leaves it to Kubernetes."""

    revision_timeout: int = 300
    max_revision_timeout: int = 600
    response_start_timeout: int = 300
    idle_timeout: int = 0
    container_concurrency: int = 0
    max_container_concurrency: int = 1000
    allow_unlimited_concurrency: bool = True
    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    container_name: Template = PLAIN_NAME
    enable_service_links: bool | None = False


def parse(data: Mapping[str, str]) -> DefaultsConfig:
    """Raises ConfigError."""
    reader = Reader(data)
    timeout = reader.whole("revision-timeout-seconds", 300)
    config = DefaultsConfig(
        revision_timeout=timeout,
        max_revision_timeout=reader.whole("max-revision-timeout-seconds", 600),
        response_start_timeout=reader.whole("revision-response-start-timeout-seconds", timeout),
        idle_timeout=reader.whole("revision-idle-timeout-seconds", 0),
        container_concurrency=reader.whole("container-concurrency", 0),
        max_container_concurrency=reader.whole("container-concurrency-max-limit", 1000, lowest=1),
        allow_unlimited_concurrency=reader.flag("allow-container-concurrency-zero", default=True),
        requests=_resources(reader, "request"),
        limits=_resources(reader, "limit"),
        container_name=_container_name(reader),
        enable_service_links=_service_links(reader),
    )
    _check(config)
    return config


def _check(config: DefaultsConfig) -> None:
    timeout = config.revision_timeout
    if timeout > config.max_revision_timeout:
        problem = f"{timeout} is more than max-revision-timeout-seconds, {config.max_revision_timeout}"
        raise ConfigError("revision-timeout-seconds", problem)
    for key, value in (
        ("revision-response-start-timeout-seconds", config.response_start_timeout),
        ("revision-idle-timeout-seconds", config.idle_timeout),
    ):
        if value > timeout:
            raise ConfigError(key, f"{value} is more than revision-timeout-seconds, {timeout}")
    if config.container_concurrency > config.max_container_concurrency:
        problem = f"is more than container-concurrency-max-limit, {config.max_container_concurrency}"
        raise ConfigError("container-concurrency", f"{config.container_concurrency} {problem}")
    if config.container_concurrency == 0 and not config.allow_unlimited_concurrency:
        raise ConfigError("container-concurrency", "0 is excluded by allow-container-concurrency-zero")


def _resources(reader: Reader, bound: str) -> dict[str, str]:
    found = {each: reader.quantity(f"revision-{each}-{bound}") for each in RESOURCES}
    return {each: value for each, value in found.items() if value}


def _container_name(reader: Reader) -> Template:
    try:
        return parse_template(reader.text("container-name-template", PLAIN_NAME.text), NAME_FIELDS)
    except TemplateError as error:
        raise ConfigError("container-name-template", str(error)) from None


def _service_links(reader: Reader) -> bool | None:
    return {"true": True, "false": False}.get(reader.text("enable-service-links", "false").lower())
