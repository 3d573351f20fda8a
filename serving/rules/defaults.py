"""What is filled in where an object is silent (Knative, pkg/apis/serving/v1/*_defaults.go).

Each function changes the object it is given, the caller's own copy; done twice it changes nothing more.
"""

from kube.objects import Obj, annotations, labels, name, namespace
from kube.resources import CONFIGURATIONS, REVISIONS, ROUTES, SERVICES, Resource
from serving.config_defaults import PLAIN_NAME, DefaultsConfig
from serving.reading import mapping, mappings
from serving.rules.pods import serving_index
from serving.templates import TemplateError, Values


def fill_in(resource: Resource, obj: Obj, config: DefaultsConfig) -> None:
    """All defaults of one of our kinds."""
    spec = obj.setdefault("spec", {})
    if not isinstance(spec, dict):
        return
    if resource in {SERVICES, CONFIGURATIONS}:
        template = spec.get("template")
        if isinstance(template, dict) and isinstance(template.get("spec"), dict):
            fill_in_revision(obj, template["spec"], config)
    if resource == REVISIONS:
        fill_in_revision(obj, spec, config)
    if resource == SERVICES and not spec.get("traffic"):
        spec["traffic"] = [{"latestRevision": True, "percent": 100}]
    if resource in {SERVICES, ROUTES}:
        for entry in mappings(spec.get("traffic")):
            entry.setdefault("latestRevision", not entry.get("revisionName"))
            entry.setdefault("percent", 0)


def fill_in_revision(obj: Obj, spec: Obj, config: DefaultsConfig) -> None:
    """A revision's spec; ``obj`` is whose name the container's name template may use."""
    spec["timeoutSeconds"] = timeout = spec.get("timeoutSeconds") or config.revision_timeout
    for field, value in (
        ("responseStartTimeoutSeconds", config.response_start_timeout),
        ("idleTimeoutSeconds", config.idle_timeout),
    ):
        if spec.get(field) is None and value and isinstance(timeout, int) and value < timeout:
            spec[field] = value
    if spec.get("containerConcurrency") is None:
        spec["containerConcurrency"] = config.container_concurrency
    if spec.get("enableServiceLinks") is None and config.enable_service_links is not None:
        spec["enableServiceLinks"] = config.enable_service_links
    containers = mappings(spec.get("containers"))
    _names(obj, containers, config)
    written = {str(each.get("name")) for each in mappings(spec.get("volumes")) if "emptyDir" in each}
    serving = serving_index(containers)
    for index, container in enumerate(containers):
        _resources(container, config)
        for mount in mappings(container.get("volumeMounts")):
            if mount.get("name") not in written:
                mount.setdefault("readOnly", True)
        if index == serving:
            _readiness(container)
        if isinstance(container.get("livenessProbe"), dict):
            _counts(container["livenessProbe"])


def _names(obj: Obj, containers: list[Obj], config: DefaultsConfig) -> None:
    nameless = [each for each in containers if not each.get("name")]
    values = Values({"Name": name(obj), "Namespace": namespace(obj)}, labels(obj), annotations(obj))
    try:
        stem = config.container_name.render(values)
    except TemplateError:
        stem = PLAIN_NAME.text
    for index, container in enumerate(nameless):
        container["name"] = stem if len(containers) == 1 else f"{stem}-{index}"


def _resources(container: Obj, config: DefaultsConfig) -> None:
    for bound, values in (("requests", config.requests), ("limits", config.limits)):
        if values:
            given = mapping(mapping(container.get("resources")).get(bound))
            container.setdefault("resources", {})[bound] = {**values, **given}


def _readiness(container: Obj) -> None:
    probe = container.setdefault("readinessProbe", {})
    if not isinstance(probe, dict):
        return
    if not any(each in probe for each in ("httpGet", "exec", "grpc")):
        probe.setdefault("tcpSocket", {"port": 0})
    _counts(probe)


def _counts(probe: Obj) -> None:
    probe["successThreshold"] = probe.get("successThreshold") or 1
    if probe.get("periodSeconds"):
        probe["failureThreshold"] = probe.get("failureThreshold") or 3
        probe["timeoutSeconds"] = probe.get("timeoutSeconds") or 1
