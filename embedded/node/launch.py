"""What exactly is started for a container: words, environment, folder.

Its environment is `environment`'s matter, but for HOSTNAME (the pod's name) and, for the container that
serves, PORT: these nobody can change.
"""

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from embedded.node.environment import CannotStart, Sources, base_env, container_env, expand
from embedded.node.images import ImageTable, how_to_add
from kube.objects import Obj, name
from serving.targets import SERVING_PORT_NAMES


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
    env = base_env(host.environment) | (dict(image.env) if image is not None else {})
    forced = {"HOSTNAME": name(pod)} | ({"PORT": str(port)} if port else {})
    env = container_env(env | forced, pod, container, host.node, sources) | forced
    words = own or (image.command_for(host.words) if image is not None else ())
    argv = [*words, *(container.get("args") or ())]
    folder = container.get("workingDir") or (image.working_dir if image is not None else "")
    return Launch(
        tuple(expand(str(word), env) for word in argv),
        env,
        posixpath.normpath(posixpath.join(host.working_folder, folder)),
    )


def unsupported(pod: Obj) -> list[str]:
    """Parts of the pod that a process node passes over, named for a warning."""
    mounts: Iterable[str] = (
        f"volumeMount {mount.get('mountPath')} of container {each['name']}"
        for each in pod["spec"].get("containers") or ()
        for mount in each.get("volumeMounts") or ()
        if not str(mount.get("mountPath")).startswith("/var/run/secrets/kubernetes.io")
    )
    return list(mounts)
