"""The node's object in the API: created if it is missing, its status kept fresh."""

import asyncio
import logging
import random
from importlib import metadata

from embedded.edge.node.workshop import Workshop
from embedded.node.nodes import Machine, node_object, node_status
from kube.edge.client import ApiError
from kube.edge.clock import unix_now
from kube.objects import Obj
from kube.resources import NODES
from kube.retry import Pauses

log = logging.getLogger("zerogate.node")


async def keep_registered(shop: Workshop, machine: Machine) -> None:
    """Tell the node's status with every heartbeat until cancelled.

    One that was refused, or not answered until the next is due, is soon followed by another: Kubernetes takes
    a node for lost, and all its pods for unready, after 50 s without.
    """
    settings, client = shop.settings, shop.client
    told: Obj = {}
    pauses = Pauses(first=min(1.0, settings.heartbeat))
    while True:
        told = node_status(machine, settings, told, _version(), unix_now())
        asked = 0.0
        try:
            async with asyncio.timeout(settings.heartbeat):
                await client.patch(
                    NODES, "", settings.name, {"status": told}, kind="merge", subresource="status"
                )
        except (ApiError, TimeoutError) as error:
            if isinstance(error, ApiError):
                asked = error.retry_after
                if error.is_not_found and await _create(shop, node_object(settings, machine)):
                    continue
            log.warning("the node's heartbeat was refused: %s", str(error) or "no answer")
            await asyncio.sleep(pauses.ended(0.0, random.random(), asked=asked))
        else:
            pauses.failures = 0
            await asyncio.sleep(settings.heartbeat)


async def _create(shop: Workshop, node: Obj) -> bool:
    """Whether the node exists afterwards."""
    try:
        await shop.client.create(NODES, node)
    except ApiError as error:
        log.warning("the node can't be registered: %s", error)
        return error.is_already_exists
    return True


def _version() -> str:
    try:
        return metadata.version("zerogate")
    except metadata.PackageNotFoundError:
        return "unknown"
