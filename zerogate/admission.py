"""What the API of a laptop refuses: what Knative's rules refuse, and an image table that makes no sense."""

from collections.abc import Mapping

from embedded.node.images import CONFIG_MAP, KEY, ImageTableError, parse_images
from kube.objects import Obj, name, namespace
from kube.resources import CONFIGMAPS, SERVICES, Resource
from serving import validation
from serving.refusals import FieldError, Refused

Configs = Mapping[str, Mapping[str, str]]


def is_ruled(resource: Resource) -> bool:
    """Whether there are rules for the kind at all."""
    return resource == CONFIGMAPS or resource.group == SERVICES.group


def admit(resource: Resource, obj: Obj, old: Obj | None, configs: Configs, system_namespace: str) -> Obj:
    """As `serving.validation.admit`. Raises Refused."""
    if resource == CONFIGMAPS and (namespace(obj), name(obj)) == (system_namespace, CONFIG_MAP):
        _check_images(obj)
    return validation.admit(resource, obj, old, configs, system_namespace=system_namespace)


def _check_images(config_map: Obj) -> None:
    try:
        parse_images(config_map.get("data") or {})
    except ImageTableError as error:
        raise Refused([FieldError(f"data.{KEY}", str(error))]) from error
