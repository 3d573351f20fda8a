"""The node agent's settings, and the Node object it registers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from embedded.node.backoff import BackoffRule
from embedded.node.capacity import Capacity
from kube.objects import Obj, condition, format_time
from kube.resources import NODES

PROCESS_NODE_LABEL = "zerogate.dev/process-node"


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Where and how pods become processes. Durations are seconds, sizes bytes.

    `folder` keeps logs and run records; `working_folder` is what a relative `workingDir` is relative to. A
    scheduler binds every pending pod to itself: right where this is the only node, wrong on a real cluster.
    `capacity` None means the machine's own. `words` may stand in the image table's commands as `{word}`.
    """

    folder: Path
    working_folder: Path
    name: str = "zerogate-node"
    system_namespace: str = "zerogate-system"
    is_scheduler: bool = True
    allows_raw_command: bool = True
    capacity: Capacity | None = None
    words: Mapping[str, str] = field(default_factory=dict)
    backoff: BackoffRule = field(default_factory=BackoffRule)
    heartbeat: float = 10.0
    stop_grace: float = 3.0
    wrong_port_after: float = 5.0
    image_back_off_after: float = 0.5
    config_retry: float = 2.0
    log_limit: int = 10 * 2**20


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
    return {
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
