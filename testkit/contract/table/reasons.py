"""Why a cell has no test: true on both engines."""

from collections.abc import Iterable

from testkit.contract.table.kinds import KINDS

_ALL = tuple(kind.name for kind in KINDS)
_KNATIVE = ("ksvc", "configuration", "revision", "route")
_WITH_PODS = ("Deployment", "ReplicaSet", "Pod")


def _but(*names: str) -> tuple[str, ...]:
    return tuple(name for name in _ALL if name not in names)


def _rows(names: Iterable[str], verbs: Iterable[str], why: str) -> dict[tuple[str, str], str]:
    return {(name, verb): why for name in names for verb in verbs}


_ROLLOUTS = ("status", "restart", "undo", "history", "pause", "resume")
_LOGS = ("logs", "logs -c", "logs --tail", "logs -f", "logs --previous")

NOT_OFFERED: dict[tuple[str, str], str] = {
    **_rows(
        _but("Deployment"), [f"rollout {word}" for word in _ROLLOUTS],
        "kubectl knows rollouts of Deployments, DaemonSets and StatefulSets alone",
    ),
    **_rows(
        _but(*_WITH_PODS, "Service"), _LOGS, "kubectl finds no pods behind this kind",
    ),
    **_rows(
        ["Service"], _LOGS, "kubectl looks for its pods by the selector, as for those of a ReplicaSet",
    ),
    **_rows(["ReplicaSet", "Deployment"], ["logs --previous", "logs -f"], "as for the pod that it leads to"),
    **_rows(
        _but(*_WITH_PODS), ["set image", "set env"],
        "kubectl sets images and variables of Kubernetes' own kinds with containers alone",
    ),
    **_rows(["Pod"], ["set env"], "variables of a running pod can't be changed"),
    **_rows(
        _but(*_WITH_PODS, "Service"), ["expose"],
        "kubectl exposes what has a selector or labels of pods, and refuses the other kinds itself",
    ),
    **_rows(
        ["ReplicaSet", "ConfigMap", "Secret", "Namespace", "Event", "Service"],
        ["wait --for=condition"],
        "the kind has no condition that somebody sets on a sound object of it",
    ),
    **_rows(
        ["Namespace", "Node"], ["delete --all"],
        "would take the engine's own namespaces and node away",
    ),
}  # fmt: skip
