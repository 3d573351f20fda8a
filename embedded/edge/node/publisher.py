"""What the API is told of one pod, whenever something changed.

A cold start waits for this: two writes make the pod's address known (node and port in the first, status with
the address in the second).
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from embedded.edge.node.workshop import Workshop
from embedded.node.containers import Container
from embedded.node.pod_status import PORT_ANNOTATION, pod_status
from kube.edge.client import ApiError
from kube.edge.clock import unix_now
from kube.objects import Obj, annotations, condition, is_deleting, is_newer, key, name, namespace, uid
from kube.resources import PODS

log = logging.getLogger("zerogate.node")

FIRST_BACK_OFF = 0.05
MAX_BACK_OFF = 5.0


class Publisher:
    """Writes what `containers` are in. `pod` is the pod as it was seen last; `port` is set before `run`.

    `on_read` hears of the pod when it was read anew, after a write was refused. Whether a pod is ready is the
    node's to say: what another one wrote over that is written anew (Kubernetes' node controller calls all
    pods unready while it does not hear of their node, and leaves it at that).
    """

    def __init__(
        self, shop: Workshop, pod: Obj, containers: Sequence[Container], on_read: Callable[[Obj], None]
    ) -> None:
        self.pod = pod
        self.port = 0
        self._shop = shop
        self._containers = containers
        self._on_read = on_read
        self._told: Obj = pod.get("status") or {}
        self._answer: Obj = pod
        self._dirty = asyncio.Event()

    def changed(self) -> None:
        """There is something to tell."""
        self._dirty.set()

    def seen(self, pod: Obj) -> None:
        """The pod as the API has it now."""
        self.pod = pod
        if self._is_overruled():
            self._dirty.set()

    def _is_overruled(self) -> bool:
        """Whether the pod was seen with another verdict than ours, written after it."""
        return (
            is_newer(self.pod, self._answer)
            and not is_deleting(self.pod)
            and _verdicts(self.pod) != _verdicts({"status": self._told})
        )

    async def run(self) -> None:
        """Write until cancelled."""
        back_off = FIRST_BACK_OFF
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            try:
                await self._claim()
                await self.tell()
                back_off = FIRST_BACK_OFF
            except ApiError as error:
                if error.is_not_found:
                    continue
                level = logging.DEBUG if error.is_conflict else logging.WARNING
                log.log(level, "pod %s can't be updated (%s); trying again", "/".join(key(self.pod)), error)
                await asyncio.sleep(back_off)
                back_off = min(back_off * 2, MAX_BACK_OFF)
                await self._read()
                self._dirty.set()

    async def _claim(self) -> None:
        """Bind the pod to this node and publish its port, in one write, if that is not so yet."""
        node, port = self._shop.settings.name, str(self.port)
        bound = self.pod["spec"].get("nodeName")
        if bound == node and annotations(self.pod).get(PORT_ANNOTATION) == port:
            return
        meta: Obj = {"uid": uid(self.pod), "annotations": {PORT_ANNOTATION: port}}
        patch: Obj = {"metadata": meta}
        if bound != node:
            # Only if nobody else bound it since it was read.
            meta["resourceVersion"] = self.pod["metadata"]["resourceVersion"]
            patch["spec"] = {"nodeName": node}
        answer = await self._shop.client.patch(PODS, *key(self.pod), patch, kind="merge")
        if not is_deleting(self.pod):
            self.pod = answer
        if bound != node:
            text = f"Successfully assigned {namespace(self.pod)}/{name(self.pod)} to {node}"
            self._shop.report(self.pod, "Normal", "Scheduled", text)

    async def tell(self) -> None:
        """Write the status now, if it is another than was told last. Raises ApiError."""
        if self._is_overruled():
            self._told = self.pod.get("status") or {}
        status = pod_status(self.pod, self._containers, self._told, unix_now())
        if status == self._told:
            return
        patch = {"metadata": {"uid": uid(self.pod)}, "status": status}
        self._answer = await self._shop.client.patch(
            PODS, *key(self.pod), patch, kind="merge", subresource="status"
        )
        self._told = status

    async def _read(self) -> None:
        try:
            pod = await self._shop.client.get(PODS, *key(self.pod))
        except ApiError:
            return
        self._on_read(pod)


def _verdicts(pod: Obj) -> list[str | None]:
    return [(condition(pod, type_) or {}).get("status") for type_ in ("Ready", "ContainersReady")]
