"""Config maps and secrets that environments are made of, read when a container starts."""

import base64
from collections.abc import Iterable, Mapping

from embedded.node.environment import CannotStart
from kube.edge.client import ApiError, Client
from kube.objects import Obj
from kube.resources import CONFIGMAPS, SECRETS


async def read_sources(
    client: Client, namespace: str, wanted: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], Mapping[str, str] | None]:
    """The data of each (kind, name), None for those that don't exist. Raises CannotStart."""
    found: dict[tuple[str, str], Mapping[str, str] | None] = {}
    for kind, name in sorted(wanted):
        try:
            obj = await client.get(CONFIGMAPS if kind == "ConfigMap" else SECRETS, namespace, name)
        except ApiError as error:
            if not error.is_not_found:
                text = f"{kind} {name} can't be read: {error.message}"
                raise CannotStart("CreateContainerConfigError", text) from error
            found[kind, name] = None
        else:
            found[kind, name] = _data(kind, obj)
    return found


def _data(kind: str, obj: Obj) -> dict[str, str]:
    data = obj.get("data") or {}
    if kind == "ConfigMap":
        return dict(data)
    return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}
