"""What is taken and what is refused when an object is created or changed.

`admit` fills in what the schema says, then asks every rule in `rules/`: first those of the schema, then the
policies, which rely on it. It is the check of the embedded API; a cluster's API server is given the same
rules as custom resource definitions (`crds`) and admission policies (`policies`).
"""

from collections.abc import Iterator, Mapping

from kube.objects import Obj, name, namespace
from kube.resources import CONFIGMAPS, Resource
from serving.config_autoscaler import ConfigError
from serving.configs import PARSERS, Configs, parse_configs
from serving.reading import mapping
from serving.refusals import Errors, FieldError, Refused
from serving.rules.kinds import POLICIES, SPECS
from serving.rules.policy import Subject
from serving.rules.shape import completed, problems

__all__ = ["FieldError", "Refused", "admit", "refusals"]

SYSTEM_NAMESPACE = "zerogate-system"


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
    if resource not in SPECS:
        return obj
    obj = {**obj, "spec": completed(SPECS[resource]["properties"]["spec"], obj.get("spec", {}))}
    if old is None or _seen(obj) != _seen(old):
        _raise(refusals(resource, obj, old, parse_configs(configs)))
    return obj


def refusals(resource: Resource, obj: Obj, old: Obj | None, configs: Configs) -> Errors:
    """What is wrong with an object of ours, or with its change.

    What an update leaves as it was is not looked at: an object that was taken once stays writable, even when
    the config maps became stricter since.
    """
    found = list(problems(SPECS[resource], _seen(obj), _seen(old) if old else None))
    yield from found
    if not found:
        subject = Subject(resource, obj, configs)
        for policy in POLICIES:
            yield from policy.errors(subject, old)


def _seen(obj: Obj) -> Obj:
    """What rules look at."""
    wanted = ("name", "labels", "annotations")
    meta = {field: value for field, value in mapping(obj.get("metadata")).items() if field in wanted}
    return {"metadata": meta, "spec": obj.get("spec")}


def _raise(errors: Errors) -> None:
    """Raise Refused when there is anything to say; the same refusal is said once."""
    found = list(dict.fromkeys(errors))
    if found:
        raise Refused(found)


def _config_map(obj: Obj) -> Iterator[FieldError]:
    parse = PARSERS.get(name(obj))
    if parse is None:
        return
    try:
        parse({str(key): str(value) for key, value in mapping(obj.get("data")).items()})
    except ConfigError as error:
        yield FieldError(f"data.{error.key}", error.message)
