"""What fits on a node: the sum of its pods' requests against what it has to give."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kube.objects import Obj
from kube.quantity import parse_quantity


@dataclass(frozen=True, slots=True)
class Capacity:
    """CPU in cores, memory in bytes, a number of pods."""

    cpu: float
    memory: float
    pods: int

    def as_resources(self) -> dict[str, str]:
        """As a Node's status spells it."""
        return {
            "cpu": f"{round(self.cpu * 1000)}m" if self.cpu % 1 else str(int(self.cpu)),
            "memory": f"{int(self.memory // 1024)}Ki",
            "pods": str(self.pods),
        }


def requests_of(pod: Obj) -> Capacity:
    """What the pod asks for. A quantity that makes no sense counts as none: the API refused it before."""
    containers = pod["spec"].get("containers") or ()
    return Capacity(
        sum(_request(each, "cpu") for each in containers),
        sum(_request(each, "memory") for each in containers),
        1,
    )


def _request(container: Obj, resource: str) -> float:
    resources = container.get("resources") or {}
    asked = (resources.get("requests") or {}).get(resource)
    if asked is None:
        asked = (resources.get("limits") or {}).get(resource, 0)
    try:
        return parse_quantity(asked)
    except ValueError:
        return 0.0


def misfits(labels: Mapping[str, str], wanted: Obj) -> list[str]:
    """Why the pod would not have this node, in the scheduler's words; empty when it may go there."""
    asked = wanted["spec"].get("nodeSelector") or {}
    fits = all(labels.get(key) == value for key, value in asked.items())
    return [] if fits else ["node(s) didn't match Pod's node affinity/selector"]


def shortages(total: Capacity, pods: Iterable[Obj], wanted: Obj) -> list[str]:
    """What lacks for `wanted` beside `pods`, in the scheduler's words; empty when it fits."""
    used = [requests_of(pod) for pod in pods]
    ask = requests_of(wanted)
    found = []
    if len(used) + 1 > total.pods:
        found.append("Too many pods")
    # Rounding must not keep out what fits exactly; nobody lacks what it asks none of.
    if ask.cpu and sum(each.cpu for each in used) + ask.cpu > total.cpu + 1e-6:
        found.append("Insufficient cpu")
    if ask.memory and sum(each.memory for each in used) + ask.memory > total.memory + 1:
        found.append("Insufficient memory")
    return found
