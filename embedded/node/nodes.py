"""The Node object that the agent registers, and the status it keeps telling."""

from dataclasses import dataclass

from embedded.node.capacity import Capacity
from embedded.node.settings import NodeSettings
from kube.objects import Obj, condition, format_time
from kube.resources import NODES

PROCESS_NODE_LABEL = "zerogate.dev/process-node"


@dataclass(frozen=True, slots=True)
class Machine:
    """What a Node tells of the computer it is."""

    hostname: str
    kernel: str
    system: str
    architecture: str
    boot_id: str
    capacity: Capacity


def node_object(settings: NodeSettings, machine: Machine) -> Obj:
    """The Node without its status. Where another scheduler decides, a taint keeps ordinary pods away."""
    taint = {"key": PROCESS_NODE_LABEL, "value": "true", "effect": "NoSchedule"}
    return {
        "apiVersion": NODES.api_version,
        "kind": NODES.kind,
        "metadata": {
            "name": settings.name,
            "labels": {
                "kubernetes.io/hostname": settings.name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": machine.architecture,
                PROCESS_NODE_LABEL: "true",
            },
        },
        "spec": {} if settings.is_scheduler else {"taints": [taint]},
    }


def node_status(machine: Machine, settings: NodeSettings, before: Obj, version: str, now: float) -> Obj:
    """The Node's status; each heartbeat renews the conditions' times. `before` is the status told last."""
    capacity = (settings.capacity or machine.capacity).as_resources()
    verdicts = [
        ("MemoryPressure", "False", "AgentHasSufficientMemory", "the node agent does not watch memory"),
        ("DiskPressure", "False", "AgentHasNoDiskPressure", "the node agent does not watch disks"),
        ("PIDPressure", "False", "AgentHasSufficientPID", "the node agent does not watch processes"),
        ("Ready", "True", "AgentReady", "the node agent is posting ready status"),
    ]
    endpoint = settings.log_endpoint
    return {
        "daemonEndpoints": {"kubeletEndpoint": {"Port": endpoint.port}} if endpoint else {},
        "capacity": capacity,
        "allocatable": capacity,
        "conditions": [_condition(before, verdict, now) for verdict in verdicts],
        "addresses": [
            {"type": "InternalIP", "address": "127.0.0.1"},
            {"type": "Hostname", "address": machine.hostname},
        ],
        "nodeInfo": {
            "architecture": machine.architecture,
            "bootID": machine.boot_id,
            "containerRuntimeVersion": "process://1",
            "kernelVersion": machine.kernel,
            "kubeProxyVersion": "",
            "kubeletVersion": f"zerogate-{version}",
            "machineID": "",
            "operatingSystem": "linux",
            "osImage": machine.system,
            "systemUUID": "",
        },
    }


def _condition(before: Obj, verdict: tuple[str, str, str, str], now: float) -> Obj:
    type_, status, reason, message = verdict
    old = condition({"status": before}, type_) or {}
    stamp = old.get("lastTransitionTime") if old.get("status") == status else None
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "lastHeartbeatTime": format_time(now),
        "lastTransitionTime": stamp or format_time(now),
    }
