"""A revision's spec as a whole, its template in a Service or Configuration, and what may not change."""

from collections.abc import Mapping

from kube.objects import Obj, name
from serving.config_defaults import DefaultsConfig
from serving.configs import Configs
from serving.reading import is_whole, mapping
from serving.refusals import Errors, FieldError, under
from serving.rules import autoscaling
from serving.rules.metadata import check_template_annotations, check_template_name
from serving.rules.pods import check_pod


def check_template(parent: str, template: Obj, configs: Configs) -> Errors:
    """``spec.template`` of a Service or Configuration named ``parent``; paths relative to the template."""
    meta = mapping(template.get("metadata"))
    yield from under("metadata", check_template_name(parent, str(meta.get("name") or "")))
    yield from under("metadata.annotations", check_annotations(mapping(meta.get("annotations")), configs))
    yield from under("spec", check_spec(mapping(template.get("spec")), configs))


def check_annotations(values: Mapping[str, str], configs: Configs) -> Errors:
    """Annotations of a revision or its template; paths are annotation keys."""
    texts = {key: str(value) for key, value in values.items()}
    yield from autoscaling.check(texts, configs.autoscaler)
    yield from check_template_annotations(texts)


def check_spec(spec: Obj, configs: Configs) -> Errors:
    """A revision's spec, paths relative to it."""
    yield from check_pod(spec, configs.features)
    yield from _concurrency(spec.get("containerConcurrency"), configs.defaults)
    yield from _timeouts(spec, configs.defaults)


def _concurrency(value: object, config: DefaultsConfig) -> Errors:
    lowest, highest = 0 if config.allow_unlimited_concurrency else 1, config.max_container_concurrency
    if value is not None and not (isinstance(value, int) and is_whole(value) and lowest <= value <= highest):
        yield FieldError(
            "containerConcurrency", f"{value!r} is out of bounds: must be from {lowest} to {highest}"
        )


def _timeouts(spec: Obj, config: DefaultsConfig) -> Errors:
    total = spec.get("timeoutSeconds")
    highest = config.max_revision_timeout
    if total is not None and not (is_whole(total) and 0 <= total <= highest):
        problem = f"{total!r} is out of bounds: must be from 0 to {highest}"
        yield FieldError("timeoutSeconds", f"{problem}, the max-revision-timeout-seconds of config-defaults")
        return
    limit = total or config.revision_timeout
    for field in ("responseStartTimeoutSeconds", "idleTimeoutSeconds"):
        value = spec.get(field)
        if value is not None and not (is_whole(value) and 0 <= value <= limit):
            yield FieldError(
                field, f"{value!r} is out of bounds: must be from 0 to {limit}, the timeoutSeconds"
            )


def check_template_update(old: Obj, new: Obj) -> Errors:
    """A named template needs a new name when anything else of it changes; paths relative to the template."""
    named = str(mapping(new.get("metadata")).get("name") or "")
    if named and named == mapping(old.get("metadata")).get("name") and old != new:
        problem = (
            f"saw changes without a name change: revisions never change, so choose another than {named!r}"
        )
        yield FieldError("metadata.name", problem)


def check_revision_update(old: Obj, new: Obj) -> Errors:
    """A Revision's spec is for ever."""
    if mapping(old.get("spec")) != mapping(new.get("spec")):
        problem = (
            f"immutable fields changed: change the Service or Configuration that made {name(new)!r} instead"
        )
        yield FieldError("spec", problem)
