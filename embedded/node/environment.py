"""What a process finds in its environment.

Later wins: what every process needs of the agent's own (PATH, HOME, LANG), the image table's env, the
container's envFrom and env; last, what `launch` forces.
"""

import re
from collections.abc import Mapping

from kube.objects import Obj, annotations, labels, name, namespace, uid

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER")
"""Of the agent's own environment. VIRTUAL_ENV, PYTHON… and secrets of the shell stay outside."""
_BASE = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/", "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
_REFERENCES = {"configMapRef": "ConfigMap", "secretRef": "Secret"}
_KEY_REFERENCES = {"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"}
_VARIABLE = re.compile(r"\$(?:\$|\(([^()$]+)\))")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")

Sources = Mapping[tuple[str, str], Mapping[str, str] | None]
"""("ConfigMap" or "Secret", name) → its data as text, None when it does not exist."""


class CannotStart(Exception):  # noqa: N818 - it names what happened, and nobody need be at fault
    """The container can't be started as things are; `reason` is the waiting state's."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def sources_of(container: Obj) -> set[tuple[str, str]]:
    """The config maps and secrets that the container's environment reads."""
    chosen = [entry.get("valueFrom") or {} for entry in container.get("env") or ()]
    return {
        (kind, each[part]["name"])
        for each in [*chosen, *(container.get("envFrom") or ())]
        for part, kind in (_KEY_REFERENCES | _REFERENCES).items()
        if part in each
    }


def base_env(own: Mapping[str, str]) -> dict[str, str]:
    """What every process gets; `own` is the agent's own environment."""
    return _BASE | {part: own[part] for part in INHERITED if part in own}


def container_env(
    env: Mapping[str, str], pod: Obj, container: Obj, node: str, sources: Sources
) -> dict[str, str]:
    """`env` with the container's envFrom and env on top. Raises CannotStart."""
    found = dict(env)
    for entry in container.get("envFrom") or ():
        for part, kind in _REFERENCES.items():
            if part in entry:
                data = _source(kind, entry[part], sources)
                found |= {f"{entry.get('prefix') or ''}{key}": value for key, value in data.items()}
    for entry in container.get("env") or ():
        value = _env_value(entry, pod, node, sources, found)
        if value is not None:
            found[entry["name"]] = value
    return found


def _env_value(entry: Obj, pod: Obj, node: str, sources: Sources, env: Mapping[str, str]) -> str | None:
    chosen = entry.get("valueFrom")
    if not chosen:
        return expand(str(entry.get("value") or ""), env)
    for part, kind in _KEY_REFERENCES.items():
        if part in chosen:
            reference = chosen[part]
            data = _source(kind, reference, sources)
            if reference["key"] in data:
                return data[reference["key"]]
            if reference.get("optional"):
                return None
            text = f"couldn't find key {reference['key']} in {kind} {reference['name']}"
            raise CannotStart("CreateContainerConfigError", text)
    if "fieldRef" in chosen:
        return _field(chosen["fieldRef"].get("fieldPath") or "", pod, node)
    text = f"env {entry['name']}: valueFrom {'/'.join(chosen)} is not supported on process nodes"
    raise CannotStart("CreateContainerConfigError", text)


def _source(kind: str, reference: Obj, sources: Sources) -> Mapping[str, str]:
    data = sources.get((kind, reference["name"]))
    if data is None and not reference.get("optional"):
        raise CannotStart("CreateContainerConfigError", f'{kind.lower()} "{reference["name"]}" not found')
    return data or {}


def _field(path: str, pod: Obj, node: str) -> str:
    """The downward API, as far as it makes sense for a process."""
    spec = pod["spec"]
    fields = {
        "metadata.name": name(pod),
        "metadata.namespace": namespace(pod),
        "metadata.uid": uid(pod),
        "spec.nodeName": node,
        "spec.serviceAccountName": spec.get("serviceAccountName") or "default",
        "status.podIP": "127.0.0.1",
        "status.podIPs": "127.0.0.1",
        "status.hostIP": "127.0.0.1",
        "status.hostIPs": "127.0.0.1",
    }
    if path in fields:
        return fields[path]
    match = _SUBSCRIPT.fullmatch(path)
    if match is None:
        raise CannotStart(
            "CreateContainerConfigError", f"fieldRef {path!r} is not supported on process nodes"
        )
    return (labels(pod) if match[1] == "labels" else annotations(pod)).get(match[2], "")


def expand(text: str, env: Mapping[str, str]) -> str:
    """Put variables in as Kubernetes does: `$(NAME)`; `$$` is a dollar; unknown names stay as they are."""

    def value(match: re.Match[str]) -> str:
        return "$" if match[1] is None else env.get(match[1], match[0])

    return _VARIABLE.sub(value, text)
