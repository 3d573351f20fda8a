"""What the pods of one node share."""

import asyncio
from dataclasses import dataclass
from typing import Literal

from embedded.edge.node.imagetable import Images
from embedded.edge.node.linux.machine import Ports
from embedded.edge.node.linux.records import Records
from embedded.node.launch import Host
from embedded.node.settings import NodeSettings
from kube.edge.client import Client
from kube.edge.events import EventRecorder
from kube.objects import Obj

REPORT_DELAY = 0.25
"""Seconds that Events are put off: their writes must not stand in the way of a cold start's."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """The tools of a node agent."""

    settings: NodeSettings
    host: Host
    client: Client
    recorder: EventRecorder
    images: Images
    records: Records
    ports: Ports

    def report(self, pod: Obj, type_: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Tell of a pod in an Event, a moment later."""
        involved = {"apiVersion": "v1", "kind": "Pod", **pod}
        asyncio.get_running_loop().call_later(
            REPORT_DELAY, self.recorder.emit, involved, type_, reason, message
        )
