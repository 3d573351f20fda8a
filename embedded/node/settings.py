"""What the user or the program around it decides about a node agent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from embedded.node.backoff import BackoffRule
from embedded.node.capacity import Capacity


@dataclass(frozen=True, slots=True)
class LogEndpoint:
    """Where a real API server fetches logs, and the file of the authority whose certificates may."""

    host: str
    port: int
    client_authority: Path


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Where and how pods become processes. Durations are seconds, sizes bytes.

    `folder` keeps logs and run records; `working_folder` is what a relative `workingDir` is relative to. A
    scheduler binds every pending pod to itself: right where this is the only node, wrong on a real cluster.
    `capacity` None means the machine's own, `log_endpoint` None that nobody asks the node for logs. `words`
    may stand in the image table's commands as `{word}`.
    """

    folder: Path
    working_folder: Path
    name: str = "zerogate-node"
    system_namespace: str = "zerogate-system"
    is_scheduler: bool = True
    allows_raw_command: bool = True
    capacity: Capacity | None = None
    log_endpoint: LogEndpoint | None = None
    words: Mapping[str, str] = field(default_factory=dict)
    backoff: BackoffRule = field(default_factory=BackoffRule)
    heartbeat: float = 10.0
    stop_grace: float = 3.0
    wrong_port_after: float = 5.0
    code_look: float = 0.5
    image_back_off_after: float = 0.5
    config_retry: float = 2.0
    log_limit: int = 10 * 2**20
