"""What is taken and what is refused when an object is created or changed.

`admit` fills in defaults, then asks every rule in `rules/`; all refusals come together. It is the whole of
our admission: the embedded API server calls it, and nothing else of ours refuses an object.
"""

import copy
from collections.abc import Mapping

from kube.objects import Obj, annotations, name, namespace
from kube.resources import CONFIGMAPS, CONFIGURATIONS, REVISIONS, ROUTES, SERVICES, Resource
from serving.config_autoscaler import ConfigError
from serving.config_defaults import DefaultsConfig
from serving.configs import PARSERS, Configs, parse_configs
from serving.reading import mapping
from serving.refusals import Errors, FieldError, Refused, under
from serving.rules.defaults import fill_in
from serving.rules.metadata import check_object
from serving.rules.revisions import (
    check_annotations,
    check_revision_update,
    check_spec,
    check_template,
    check_template_update,
)
from serving.rules.traffic import check_traffic

__all__ = ["FieldError", "Refused", "admit"]

SYSTEM_NAMESPACE = "zerogate-system"
OURS = (SERVICES, CONFIGURATIONS, REVISIONS, ROUTES)


def admit(
    resource: Resource,
    obj: Obj,
    old: Obj | None,
    configs: Mapping[str, Mapping[str, str]],
    *,
    system_namespace: str = SYSTEM_NAMESPACE,
) -> Obj:
    """A copy of ``obj`` with its defaults. Raises Refused.

    ``configs`` has the data of the config maps in the system namespace by name. Objects of other kinds, and
    those on their way out, are returned as they are.
    """
    if mapping(obj.get("metadata")).get("deletionTimestamp"):
        return obj
    if resource == CONFIGMAPS:
        if namespace(obj) == system_namespace:
            _raise(_config_map(obj))
        return obj
    if resource not in OURS:
        return obj
    parsed = parse_configs(configs)
    obj = copy.deepcopy(obj)
    fill_in(resource, obj, parsed.defaults)
    if old is not None:
        _keep_former_defaults(resource, obj, old, parsed.defaults)
    if old is None or _is_changed(obj, old):
        _raise(_check(resource, obj, old, parsed))
    return obj


def _keep_former_defaults(resource: Resource, obj: Obj, old: Obj, config: DefaultsConfig) -> None:
    """Let what differs from the former object in nothing but defaults stay as it was.

    Otherwise a change of config-defaults would make a new revision of every Service that is next labelled.
    """
    former = copy.deepcopy(old)
    fill_in(resource, former, config)
    spec, was = mapping(obj.get("spec")), mapping(old.get("spec"))
    if resource == REVISIONS and obj.get("spec") == former.get("spec"):
        obj["spec"] = copy.deepcopy(was)
    elif "template" in spec and spec["template"] == mapping(former.get("spec")).get("template"):
        spec["template"] = copy.deepcopy(was["template"])


def _raise(errors: Errors) -> None:
    """Raise Refused when there is anything to say; the same refusal is said once."""
    found = list(dict.fromkeys(errors))
    if found:
        raise Refused(found)


def _is_changed(obj: Obj, old: Obj) -> bool:
    """Whether anything is new that a rule looks at.

    An object that was taken once stays writable otherwise, even when the config maps became stricter since.
    """
    return any(
        _looked_at(obj, field) != _looked_at(old, field) for field in ("spec", "labels", "annotations")
    )


def _looked_at(obj: Obj, field: str) -> Obj:
    return mapping(obj.get("spec") if field == "spec" else mapping(obj.get("metadata")).get(field))


def _check(resource: Resource, obj: Obj, old: Obj | None, configs: Configs) -> Errors:
    spec, former = mapping(obj.get("spec")), mapping((old or {}).get("spec"))
    if resource == REVISIONS:
        yield from under("metadata.annotations", check_annotations(annotations(obj), configs))
        yield from under("spec", check_spec(spec, configs))
        if old is not None:
            yield from check_revision_update(old, obj)
        return
    yield from check_object(obj)
    if resource in {SERVICES, CONFIGURATIONS}:
        yield from _check_template(obj, spec, former, configs)
    if resource in {SERVICES, ROUTES}:
        yield from under("spec", check_traffic(obj, spec, configs.network, is_service=resource == SERVICES))


def _check_template(obj: Obj, spec: Obj, former: Obj, configs: Configs) -> Errors:
    template = mapping(spec.get("template"))
    if not template:
        yield FieldError("spec.template", "missing field: describe the container to run")
        return
    yield from under("spec.template", check_template(name(obj), template, configs))
    if former:
        yield from under("spec.template", check_template_update(mapping(former.get("template")), template))


def _config_map(obj: Obj) -> Errors:
    parse = PARSERS.get(name(obj))
    if parse is None:
        return
    try:
        parse({str(key): str(value) for key, value in mapping(obj.get("data")).items()})
    except ConfigError as error:
        yield FieldError(f"data.{error.key}", error.message)
