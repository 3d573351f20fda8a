"""A revision's pod: which fields it may have, how its containers go together, its volumes."""

from kube.names import is_dns1123_label, is_dns1123_subdomain
from kube.objects import Obj
from serving.config_features import FeaturesConfig
from serving.reading import mapping, mappings
from serving.refusals import Errors, FieldError, under
from serving.rules.containers import check_container

REVISION_FIELDS = (
    "containerConcurrency",
    "timeoutSeconds",
    "responseStartTimeoutSeconds",
    "idleTimeoutSeconds",
)
POD_FIELDS = (
    "containers",
    "volumes",
    "serviceAccountName",
    "imagePullSecrets",
    "enableServiceLinks",
    "automountServiceAccountToken",
)
VOLUME_SOURCES = ("secret", "configMap", "projected", "emptyDir")


def check_pod(spec: Obj, features: FeaturesConfig) -> Errors:
    """A revision's spec as far as it describes a pod; paths relative to it."""
    for field in sorted(set(spec) - {*POD_FIELDS, *REVISION_FIELDS}):
        yield FieldError(field, "must not set the field: it is not part of a revision")
    account = spec.get("serviceAccountName")
    if account and not is_dns1123_subdomain(str(account)):
        yield FieldError("serviceAccountName", f"invalid value {account!r}: no name of a ServiceAccount")
    volumes = mappings(spec.get("volumes"))
    yield from under("volumes", _volumes(volumes, spec, features))
    yield from under("containers", _containers(spec, features))


def serving_index(containers: list[Obj]) -> int:
    """Which container serves: the only one, else the one with a port; -1 when that isn't clear."""
    with_ports = [index for index, each in enumerate(containers) if each.get("ports")]
    if len(containers) == 1:
        return 0
    return with_ports[0] if len(with_ports) == 1 else -1


def _containers(spec: Obj, features: FeaturesConfig) -> Errors:
    containers = mappings(spec.get("containers"))
    if not containers:
        yield FieldError("", "missing field: give one container with an image")
        return
    serving = serving_index(containers)
    if len(containers) > 1 and not features.multi_container:
        yield FieldError("", "more than one container: multi-container is disabled in config-features")
    elif serving < 0:
        yield FieldError("", "exactly one of several containers must have a port: the one that serves")
    names: set[object] = set()
    volumes = {str(each.get("name")): each for each in mappings(spec.get("volumes"))}
    for index, each in enumerate(containers):
        if each.get("name") and each["name"] in names:
            yield FieldError(f"[{index}].name", f"{each['name']!r} is the name of another container too")
        names.add(each.get("name"))
        is_serving = index == serving or serving < 0
        yield from under(f"[{index}]", check_container(each, volumes, is_serving=is_serving))


def _volumes(volumes: list[Obj], spec: Obj, features: FeaturesConfig) -> Errors:
    mounted = {
        mount.get("name")
        for container in mappings(spec.get("containers"))
        for mount in mappings(container.get("volumeMounts"))
    }
    names: set[object] = set()
    for index, volume in enumerate(volumes):
        name = volume.get("name")
        if not isinstance(name, str) or not is_dns1123_label(name):
            yield FieldError(
                f"[{index}].name", f"invalid value {name!r}: must be lower-case letters, digits and '-'"
            )
        elif name in names:
            yield FieldError(f"[{index}].name", f"duplicate volume name {name!r}")
        elif name not in mounted:
            yield FieldError(
                f"[{index}].name", f"volume with name {name!r} not mounted; mount it or remove it"
            )
        names.add(name)
        yield from under(f"[{index}]", _volume(mapping(volume), features))


def _volume(volume: Obj, features: FeaturesConfig) -> Errors:
    sources = [each for each in volume if each != "name"]
    for source in sorted(set(sources) - set(VOLUME_SOURCES)):
        yield FieldError(source, f"must not set the field: use {', '.join(VOLUME_SOURCES)}")
    known = [each for each in sources if each in VOLUME_SOURCES]
    if len(known) != 1 and not set(sources) - set(VOLUME_SOURCES):
        yield FieldError("", f"needs exactly one of {', '.join(VOLUME_SOURCES)}")
    if "emptyDir" in volume and not features.empty_dir:
        yield FieldError("emptyDir", "must not set the field: disabled in config-features")
