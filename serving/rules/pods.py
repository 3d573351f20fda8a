"""A revision's pod: its fields, how its containers go together, its volumes."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kube.objects import Obj
from kube.quantity import parse_quantity
from kube.resources import CONFIGURATIONS, REVISIONS, SERVICES
from serving.config_features import EMPTY_DIR
from serving.reading import mapping, mappings
from serving.rules.containers import (
    RESERVED_WHERE_SERVED,
    container,
    dns_label,
    has_port,
    subdomain,
)
from serving.rules.policy import POD, SAME_DESCRIPTION, Offence, Policy, PolicyRule, Subject, first
from serving.rules.probes import K8S
from serving.rules.rule import Rule, need
from serving.rules.shape import (
    FLAG,
    INT32,
    INT64,
    INT_OR_TEXT,
    TEXT,
    Shape,
    listed,
    record,
    ruled,
    said,
    short,
)

MADE = (SERVICES, CONFIGURATIONS, REVISIONS)
"""The kinds that describe a revision."""
REVISION_FIELDS = (
    "containerConcurrency",
    "timeoutSeconds",
    "responseStartTimeoutSeconds",
    "idleTimeoutSeconds",
)
VOLUME_SOURCES = ("secret", "configMap", "projected", "emptyDir")
PROBES = ("readinessProbe", "livenessProbe", "startupProbe")
MOST_CONTAINERS = 10
MOST_VOLUMES = 100
Find = Callable[[Subject], Iterable[Offence]]
UNKNOWN_FIELD = "must not set the field: it is not part of a revision"
NEEDS_CONTAINER = "give one container with an image"


def revision_spec() -> Shape:
    """The spec of a revision, and of a template."""
    shape = record(
        containers=listed(container(), most=MOST_CONTAINERS),
        volumes=listed(_volume(), most=MOST_VOLUMES),
        serviceAccountName=ruled(short(253), subdomain("invalid value {}: no name of a ServiceAccount", K8S)),
        imagePullSecrets=listed(record(name=TEXT)),
        enableServiceLinks=FLAG,
        automountServiceAccountToken=FLAG,
        containerConcurrency=said("Requests in flight in one pod at most; 0 is no limit.", INT64),
        timeoutSeconds=said("How long a request may take in all.", INT64),
        responseStartTimeoutSeconds=said("How long until its first byte is answered.", INT64),
        idleTimeoutSeconds=said("How long nothing may be sent either way.", INT64),
    )
    one_serves = Rule(
        "containers",
        "exactly one of several containers must have a port: the one that serves",
        K8S,
        lambda spec: serving_index(mappings(spec.get("containers"))) >= 0 or not spec.get("containers"),
        "!has(self.containers) || size(self.containers) < 2 || "
        "self.containers.exists_one(one, has(one.ports) && size(one.ports) > 0)",
    )
    return ruled(shape, one_serves, unknown=UNKNOWN_FIELD)


def serving_index(containers: list[Obj]) -> int:
    """Which container serves: the only one, else the one with a port; -1 when that isn't clear."""
    with_ports = [index for index, each in enumerate(containers) if has_port(each)]
    if len(containers) == 1:
        return 0
    return with_ports[0] if len(with_ports) == 1 else -1


def _volume() -> Shape:
    items = listed(record(key=TEXT, path=TEXT, mode=INT32))
    source = record(
        configMap=record(name=TEXT, items=items, optional=FLAG),
        secret=record(name=TEXT, items=items, optional=FLAG),
        serviceAccountToken=record(audience=TEXT, expirationSeconds=INT64, path=TEXT),
    )
    shape = record(
        name=ruled(
            short(253), dns_label("invalid value {}: must be lower-case letters, digits and '-'", K8S)
        ),
        secret=record(secretName=TEXT, items=items, defaultMode=INT32, optional=FLAG),
        configMap=record(name=TEXT, items=items, defaultMode=INT32, optional=FLAG),
        projected=record(sources=listed(source), defaultMode=INT32),
        emptyDir=said(f"Switched by {EMPTY_DIR}.", record(medium=TEXT, sizeLimit=INT_OR_TEXT)),
    )
    known = ", ".join(VOLUME_SOURCES)
    count = f"[{', '.join(f'has(self.{each})' for each in VOLUME_SOURCES)}].filter(is, is).size()"
    one = Rule(
        "",
        f"needs exactly one of {known}",
        K8S,
        lambda volume: sum(each in volume for each in VOLUME_SOURCES) == 1 or _is_foreign(volume),
        f"{count} == 1",
    )
    return ruled(
        shape, need("name", "name the volume", K8S), one, unknown=f"must not set the field: use {known}"
    )


def _is_foreign(volume: Any) -> bool:
    """Whether it has another source, which is said of that field."""
    return bool(set(volume) - {*VOLUME_SOURCES, "name"})


# one part against another


def _containers(subject: Subject) -> list[Obj]:
    return mappings(subject.pod.get("containers"))


def _volumes(subject: Subject) -> list[Obj]:
    return mappings(subject.pod.get("volumes"))


def _mounts(subject: Subject) -> Iterator[tuple[int, int, Obj]]:
    for index, each in enumerate(_containers(subject)):
        for place, mount in enumerate(mappings(each.get("volumeMounts"))):
            yield index, place, mount


def _doubled(entries: list[Obj]) -> Iterator[tuple[int, str]]:
    names = [each.get("name") for each in entries]
    for index, name in enumerate(names):
        if name and name in names[:index]:
            yield index, name


def _doubled_container(subject: Subject) -> Iterator[Offence]:
    return (((index,), (name,)) for index, name in _doubled(_containers(subject)))


def _doubled_volume(subject: Subject) -> Iterator[Offence]:
    return (((index,), (name,)) for index, name in _doubled(_volumes(subject)))


def _unmounted(subject: Subject) -> Iterator[Offence]:
    mounted = {mount.get("name") for _, _, mount in _mounts(subject)}
    for index, volume in enumerate(_volumes(subject)):
        if volume.get("name") not in mounted:
            yield (index,), (volume.get("name"),)


def _lost(subject: Subject) -> Iterator[Offence]:
    names = {volume.get("name") for volume in _volumes(subject)}
    for index, place, mount in _mounts(subject):
        if mount.get("name") not in names:
            yield (index, place), (mount.get("name", ""),)


def _same_path(subject: Subject) -> Iterator[Offence]:
    seen: set[tuple[int, str]] = set()
    for index, place, mount in _mounts(subject):
        if (index, mount["mountPath"]) in seen:
            yield (index, place), (mount["mountPath"],)
        seen.add((index, mount["mountPath"]))


def _written(subject: Subject) -> Iterator[Offence]:
    fixed = {volume.get("name") for volume in _volumes(subject) if "emptyDir" not in volume}
    for index, place, mount in _mounts(subject):
        if mount.get("readOnly") is False and mount.get("name") in fixed:
            yield (index, place), ()


def _port_variable(subject: Subject) -> Iterator[Offence]:
    serving = serving_index(_containers(subject))
    for place, variable in enumerate(mappings(_containers(subject)[serving].get("env"))):
        if variable.get("name") == RESERVED_WHERE_SERVED:
            yield (serving, place), ()


def _probed_beside(kind: str) -> PolicyRule:
    def find(subject: Subject) -> Iterator[Offence]:
        serving = serving_index(_containers(subject))
        for index, each in enumerate(_containers(subject)):
            if index != serving and each.get(kind) is not None:
                yield (index,), ()

    where = first(f"!(has(one.ports) && size(one.ports) > 0) && has(one.{kind})", _C, "one")
    return PolicyRule(
        f"containers[{{}}].{kind}",
        "must not set the field: only the container that serves may have probes",
        K8S,
        find,
        f"size({_C}) == 1 || {where} < 0",
        (where,),
    )


def _quantities(subject: Subject, bound: str) -> Iterator[tuple[int, str, Any]]:
    for index, each in enumerate(_containers(subject)):
        for resource, value in mapping(mapping(each.get("resources")).get(bound)).items():
            yield index, resource, value


def _number(value: Any) -> float | None:
    try:
        return parse_quantity(value)
    except ValueError:
        return None


def _no_quantity(bound: str) -> PolicyRule:
    def find(subject: Subject) -> Iterator[Offence]:
        for index, resource, value in _quantities(subject, bound):
            if _number(value) is None:
                yield (index, resource), (value,)

    bad = f"!isQuantity(string(one.resources.{bound}[key]))"
    return _of_resources(bound, "invalid value '{}': must be a quantity like 100m or 64Mi", find, bad)


def _negative(bound: str) -> PolicyRule:
    def find(subject: Subject) -> Iterator[Offence]:
        for index, resource, value in _quantities(subject, bound):
            if (_number(value) or 0) < 0:
                yield (index, resource), (value,)

    text = f"string(one.resources.{bound}[key])"
    bad = f"isQuantity({text}) && quantity({text}).isLessThan(quantity('0'))"
    return _of_resources(bound, "invalid value '{}': must be at least 0", find, bad)


def _above_limit() -> PolicyRule:
    def find(subject: Subject) -> Iterator[Offence]:
        limits = {(index, key): _number(value) for index, key, value in _quantities(subject, "limits")}
        for index, resource, value in _quantities(subject, "requests"):
            wanted, limit = _number(value), limits.get((index, resource))
            if wanted is not None and limit is not None and wanted > limit:
                yield (index, resource), (value, resource)

    asked, limit = "string(one.resources.requests[key])", "string(one.resources.limits[key])"
    bad = (
        f"has(one.resources.limits) && key in one.resources.limits && isQuantity({asked}) && "
        f"isQuantity({limit}) && quantity({asked}).isGreaterThan(quantity({limit}))"
    )
    message = "{} must be less than or equal to the {} limit"
    return _of_resources("requests", message, find, bad, tells_resource=True)


def _of_resources(
    bound: str, message: str, find: Find, bad: str, *, tells_resource: bool = False
) -> PolicyRule:
    """``bad`` of the resource ``key`` of the container ``one``."""
    there = f"has(one.resources) && has(one.resources.{bound})"
    name = f"{bound}{len(bad)}"  # unlike those of the other rules about resources
    keys = f"variables.{name}"
    index = f"{keys}.map(keys, size(keys) > 0).indexOf(true)"
    key = f"{keys}.filter(keys, size(keys) > 0)[0][0]"
    value = f"{_C}[{index}].resources.{bound}[{key}]"
    return PolicyRule(
        f"containers[{{}}].resources.{bound}.{{}}",
        message,
        K8S,
        find,
        f"{keys}.all(keys, size(keys) == 0)",
        (index, key),
        (value, key) if tells_resource else (value,),
        ((name, f"{_C}.map(one, {there} ? one.resources.{bound}.filter(key, {bad}) : [])"),),
    )


def _of_mounts(field: str, message: str, find: Find, bad: str, *, tells: str = "") -> PolicyRule:
    """``bad`` of the mount ``mount`` of the container ``one``; ``tells`` is what is shown of it."""
    name = f"mounts{field.title()}"
    marks = f"variables.{name}"
    index = f"{marks}.map(marks, true in marks).indexOf(true)"
    place = f"{marks}.filter(marks, true in marks)[0].lastIndexOf(true)"
    return PolicyRule(
        f"containers[{{}}].volumeMounts[{{}}].{field}",
        message,
        K8S,
        find,
        f"!{marks}.exists(marks, true in marks)",
        (index, place),
        (f"[{_C}[{index}].volumeMounts[{place}]].map(mount, {tells})[0]",) if tells else (),
        ((name, f"{_C}.map(one, has(one.volumeMounts) ? one.volumeMounts.map(mount, {bad}) : [])"),),
    )


_C = "variables.containers"
_V = "variables.volumes"
_SAME = "has({one}.name) && {all}.filter(other, has(other.name) && other.name == {one}.name).size() > 1"
_PORT = f"(has(entry.name) && entry.name == '{RESERVED_WHERE_SERVED}')"
_SERVING = f"(size({_C}) == 1 ? 0 : {first('has(one.ports) && size(one.ports) > 0', _C, 'one')})"
_SERVING_ENV = "(has(variables.serving.env) ? variables.serving.env : [])"


def _named_twice(kind: str, message: str, items: str, find: Any) -> PolicyRule:
    bad = _SAME.format(one="one", all=items)
    return PolicyRule(
        f"{kind}[{{}}].name",
        message,
        K8S,
        find,
        f"!{items}.exists(one, {bad})",
        (f"{items}.map(one, {bad}).lastIndexOf(true)",),
        (f"{items}.filter(one, {bad})[0].name",),
    )


_UNMOUNTED = (
    f"!{_C}.exists(box, has(box.volumeMounts) && "
    "box.volumeMounts.exists(mount, has(mount.name) && mount.name == one.name))"
)

PODS = Policy(
    name="pods",
    kinds=MADE,
    base=POD,
    looked_at=lambda subject: subject.described,
    untouched=SAME_DESCRIPTION,
    variables=(
        ("containers", "variables.pod.containers"),
        ("volumes", "(has(variables.pod.volumes) ? variables.pod.volumes : [])"),
        ("serving", f"{_C}[{_SERVING}]"),
    ),
    rules=(
        _named_twice("containers", "'{}' is the name of another container too", _C, _doubled_container),
        _named_twice("volumes", "duplicate volume name '{}'", _V, _doubled_volume),
        PolicyRule(
            "volumes[{}].name",
            "volume with name '{}' not mounted; mount it or remove it",
            K8S,
            _unmounted,
            f"!{_V}.exists(one, {_UNMOUNTED})",
            (first(_UNMOUNTED, _V, "one"),),
            (f"{_V}.filter(one, {_UNMOUNTED})[0].name",),
        ),
        _of_mounts(
            "name",
            "volume with name '{}' not found; declare it in spec.volumes",
            _lost,
            f"!has(mount.name) || !{_V}.exists(volume, volume.name == mount.name)",
            tells="has(mount.name) ? mount.name : ''",
        ),
        _of_mounts(
            "mountPath",
            "'{}' must be unique",
            _same_path,
            "one.volumeMounts.filter(other, other.mountPath == mount.mountPath).size() > 1",
            tells="mount.mountPath",
        ),
        _of_mounts(
            "readOnly",
            "must be true: only emptyDir volumes can be written",
            _written,
            "has(mount.readOnly) && !mount.readOnly && has(mount.name) && "
            f"{_V}.exists(volume, volume.name == mount.name && !has(volume.emptyDir))",
        ),
        PolicyRule(
            "containers[{}].env[{}].name",
            "'PORT' is a reserved environment variable; it is set for you",
            K8S,
            _port_variable,
            f"!{_SERVING_ENV}.exists(entry, {_PORT})",
            (_SERVING, first(_PORT, _SERVING_ENV, "entry")),
        ),
        *(_probed_beside(kind) for kind in PROBES),
        *(_no_quantity(bound) for bound in ("requests", "limits")),
        *(_negative(bound) for bound in ("requests", "limits")),
        _above_limit(),
    ),
)


def _several(subject: Subject) -> Iterator[Offence]:
    if len(_containers(subject)) > 1 and not subject.configs.features.multi_container:
        yield (), ()


def _empty_dirs(subject: Subject) -> Iterator[Offence]:
    if not subject.configs.features.empty_dir:
        for index, volume in enumerate(_volumes(subject)):
            if "emptyDir" in volume:
                yield (index,), ()


def _is_off(key: str) -> str:
    value = f"params.data['{key}'].trim().lowerAscii()"
    return f"(has(params.data) && '{key}' in params.data && {value} == 'disabled')"


FEATURES = Policy(
    name="features",
    kinds=MADE,
    base=POD,
    looked_at=lambda subject: subject.described,
    untouched=SAME_DESCRIPTION,
    variables=(("volumes", "(has(variables.pod.volumes) ? variables.pod.volumes : [])"),),
    config="config-features",
    rules=(
        PolicyRule(
            "containers",
            "more than one container: multi-container is disabled in config-features",
            "features.go",
            _several,
            f"size(variables.pod.containers) < 2 || !{_is_off('multi-container')}",
        ),
        PolicyRule(
            "volumes[{}].emptyDir",
            "must not set the field: disabled in config-features",
            "features.go",
            _empty_dirs,
            f"!{_V}.exists(one, has(one.emptyDir)) || !{_is_off(EMPTY_DIR)}",
            (first("has(one.emptyDir)", _V, "one"),),
        ),
    ),
)
