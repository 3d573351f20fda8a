"""What exactly is started for a container: words, environment, folder.

The environment, later wins: what every process needs of the agent's own (PATH, HOME, LANG), the image table's
env, the container's envFrom and env, then HOSTNAME (the pod's name) and, for the container that serves, PORT.
"""

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from embedded.node.images import ImageTable, how_to_add
from kube.objects import Obj, annotations, labels, name, namespace, uid
from serving.targets import SERVING_PORT_NAMES

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER")
"""Of the agent's own environment. VIRTUAL_ENV, PYTHON… and secrets of the shell stay outside."""
_BASE = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/", "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
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


@dataclass(frozen=True, slots=True)
class Host:
    """The machine that containers run on, as far as they notice."""

    words: Mapping[str, str]
    working_folder: str
    environment: Mapping[str, str] = field(repr=False)
    node: str
    system_namespace: str
    allows_raw_command: bool


@dataclass(frozen=True, slots=True)
class Launch:
    """A process to start."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    folder: str


@dataclass(frozen=True, slots=True)
class Serving:
    """The container that serves requests and the port its manifest names (0: none is declared)."""

    container: str
    port: int


def serving_container(pod: Obj) -> Serving:
    """Which container gets PORT: the one with a port named for it, else with any TCP port, else the first."""
    containers = pod["spec"].get("containers") or []
    ports = [
        (each["name"], port)
        for each in containers
        for port in each.get("ports") or ()
        if (port.get("protocol") or "TCP") == "TCP"
    ]
    named = [(owner, port) for owner, port in ports if port.get("name") in SERVING_PORT_NAMES]
    for owner, port in named or ports:
        return Serving(owner, int(port.get("containerPort") or 0))
    return Serving(containers[0]["name"] if containers else "", 0)


def sources_of(container: Obj) -> set[tuple[str, str]]:
    """The config maps and secrets that the container's environment reads."""
    found = set()
    for entry in container.get("env") or ():
        chosen = entry.get("valueFrom") or {}
        found |= {("ConfigMap", chosen[part]["name"]) for part in ("configMapKeyRef",) if part in chosen}
        found |= {("Secret", chosen[part]["name"]) for part in ("secretKeyRef",) if part in chosen}
    for entry in container.get("envFrom") or ():
        found |= {("ConfigMap", entry[part]["name"]) for part in ("configMapRef",) if part in entry}
        found |= {("Secret", entry[part]["name"]) for part in ("secretRef",) if part in entry}
    return found


def launch_of(  # noqa: PLR0913 - a container is started from its pod, the table, the host and what env names
    pod: Obj, container: Obj, table: ImageTable, host: Host, *, port: int, sources: Sources
) -> Launch:
    """Decide what to start. `port` is the pod's own one, 0 for a container that does not serve.

    Raises CannotStart: ErrImagePull for an unknown image, CreateContainerConfigError for what env lacks.
    """
    if pod["spec"].get("initContainers"):
        raise CannotStart("CreateContainerConfigError", "initContainers are not supported on process nodes")
    image = table.find(container.get("image") or "")
    own = container.get("command") or []
    how = how_to_add(container.get("image") or "", host.system_namespace)
    if own and not host.allows_raw_command:
        raise CannotStart("CreateContainerConfigError", f"this node starts images of its table only: {how}")
    if not own and image is None:
        raise CannotStart("ErrImagePull", how)
    env = dict(_BASE) | {part: host.environment[part] for part in INHERITED if part in host.environment}
    env |= dict(image.env) if image is not None else {}
    forced = {"HOSTNAME": name(pod)} | ({"PORT": str(port)} if port else {})
    env |= forced
    env = container_env(env, pod, container, host, sources) | forced
    words = own or (image.command_for(host.words) if image is not None else ())
    argv = [*words, *(container.get("args") or ())]
    folder = container.get("workingDir") or (image.working_dir if image is not None else "")
    return Launch(
        tuple(expand(str(word), env) for word in argv),
        env,
        posixpath.normpath(posixpath.join(host.working_folder, folder)),
    )


def container_env(
    env: Mapping[str, str], pod: Obj, container: Obj, host: Host, sources: Sources
) -> dict[str, str]:
    """`env` with the container's envFrom and env on top. Raises CannotStart."""
    found = dict(env)
    for entry in container.get("envFrom") or ():
        for part, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if part in entry:
                data = _source(kind, entry[part], sources)
                found |= {f"{entry.get('prefix') or ''}{key}": value for key, value in data.items()}
    for entry in container.get("env") or ():
        value = _env_value(entry, pod, host, sources, found)
        if value is not None:
            found[entry["name"]] = value
    return found


def _env_value(entry: Obj, pod: Obj, host: Host, sources: Sources, env: Mapping[str, str]) -> str | None:
    chosen = entry.get("valueFrom")
    if not chosen:
        return expand(str(entry.get("value") or ""), env)
    for part, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
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
        return _field(chosen["fieldRef"].get("fieldPath") or "", pod, host)
    text = f"env {entry['name']}: valueFrom {'/'.join(chosen)} is not supported on process nodes"
    raise CannotStart("CreateContainerConfigError", text)


def _source(kind: str, reference: Obj, sources: Sources) -> Mapping[str, str]:
    data = sources.get((kind, reference["name"]))
    if data is None and not reference.get("optional"):
        raise CannotStart("CreateContainerConfigError", f'{kind.lower()} "{reference["name"]}" not found')
    return data or {}


def _field(path: str, pod: Obj, host: Host) -> str:
    """The downward API, as far as it makes sense for a process."""
    spec = pod["spec"]
    fields = {
        "metadata.name": name(pod),
        "metadata.namespace": namespace(pod),
        "metadata.uid": uid(pod),
        "spec.nodeName": host.node,
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


def unsupported(pod: Obj) -> list[str]:
    """Parts of the pod that a process node passes over, named for a warning."""
    mounts: Iterable[str] = (
        f"volumeMount {mount.get('mountPath')} of container {each['name']}"
        for each in pod["spec"].get("containers") or ()
        for mount in each.get("volumeMounts") or ()
        if not str(mount.get("mountPath")).startswith("/var/run/secrets/kubernetes.io")
    )
    return list(mounts)
