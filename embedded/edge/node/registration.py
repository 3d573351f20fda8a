"""The node's object in the API: created if it is missing, its status kept fresh."""

import asyncio
import logging
import time
from importlib import metadata

from embedded.edge.node.workshop import Workshop
from embedded.node.nodes import Machine, node_object, node_status
from kube.edge.client import ApiError
from kube.objects import Obj
from kube.resources import NODES

log = logging.getLogger("zerogate.node")

_RETRY = 1.0


async def keep_registered(shop: Workshop, machine: Machine) -> None:
    """Tell the node's status with every heartbeat until cancelled; refusals are tried again."""
    settings, client = shop.settings, shop.client
    told: Obj = {}
    while True:
        told = node_status(machine, settings, told, _version(), time.time())
        try:
            await client.patch(NODES, "", settings.name, {"status": told}, kind="merge", subresource="status")
        except ApiError as error:
            if not error.is_not_found:
                log.warning("the node's heartbeat was refused: %s", error)
                await asyncio.sleep(_RETRY)
            elif await _create(shop, node_object(settings, machine)):
                continue
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
