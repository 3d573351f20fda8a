"""What Kubernetes refuses in its Services."""

from collections.abc import Iterator

from embedded.schema import naming
from embedded.schema.rules import in_range, named, one_of, port, unique
from embedded.schema.types import FieldProblem
from kube.objects import Obj


def service_spec(spec: Obj) -> Iterator[FieldProblem]:
    """The problems of a Service's spec."""
    ports, kind = spec.get("ports") or [], spec.get("type") or "ClusterIP"
    yield from one_of(kind, "spec.type", "ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
    if not ports and kind != "ExternalName" and spec.get("clusterIP") != "None":
        yield FieldProblem("spec.ports", "Required value")
    if kind == "ExternalName" and not spec.get("externalName"):
        yield FieldProblem("spec.externalName", "Required value")
    for index, each in enumerate(ports):
        yield from _port(each, f"spec.ports[{index}]", is_alone=len(ports) == 1)
    yield from unique(
        (f"spec.ports[{index}].name", each["name"]) for index, each in enumerate(ports) if each.get("name")
    )
    for key in spec.get("selector") or ():
        yield from named(key, "spec.selector", naming.qualified)


def _port(each: Obj, path: str, *, is_alone: bool) -> Iterator[FieldProblem]:
    if each.get("name"):
        yield from named(each["name"], f"{path}.name", naming.label)
    elif not is_alone:
        yield FieldProblem(f"{path}.name", "Required value")
    number = each.get("port") or 0
    yield from in_range(number, f"{path}.port", 1, 65535)
    yield from one_of(each.get("protocol", "TCP"), f"{path}.protocol", "SCTP", "TCP", "UDP")
    yield from port(each.get("targetPort", number), f"{path}.targetPort")
