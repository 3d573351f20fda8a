"""One part of a pod against another: containers, volumes and mounts; and what `config-features` switches."""

from collections.abc import Iterator
from typing import Any

from kube.objects import Obj
from serving.config_features import EMPTY_DIR
from serving.reading import mappings
from serving.rules.containers import RESERVED_WHERE_SERVED
from serving.rules.pods import MADE, serving_index
from serving.rules.policy import POD, SAME_DESCRIPTION, Offence, Policy, PolicyRule, Subject, first
from serving.rules.probes import K8S
from serving.rules.quantities import CONTAINERS, Find, above_limit, negative, no_quantity

PROBES = ("readinessProbe", "livenessProbe", "startupProbe")


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


_C = CONTAINERS
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
        *(no_quantity(bound) for bound in ("requests", "limits")),
        *(negative(bound) for bound in ("requests", "limits")),
        above_limit(),
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
