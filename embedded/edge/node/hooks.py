"""preStop: what a container wants done before it is asked to end."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from embedded.edge.node.probes import Answer, Surroundings, ask
from embedded.node.probing import Probe
from kube.objects import Obj

_FINE = Answer(is_fine=True)


async def run_pre_stop(
    hook: Obj, probe: Probe, surroundings: Surroundings, exited: asyncio.Future[int]
) -> Answer:
    """Run the hook until it is through, or until the process is gone anyway, which is fine as well.

    `probe` is the hook's command or request, read as a probe's.
    """
    act: Coroutine[Any, Any, Answer]
    if "sleep" in hook:
        act = asyncio.sleep(float(hook["sleep"].get("seconds") or 0), _FINE)
    else:
        act = ask(probe, surroundings)
    task = asyncio.create_task(act)
    try:
        either: set[asyncio.Future[Any]] = {task, exited}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        task.cancel()
    return task.result() if task.done() else _FINE
