"""Whatever clients and pods do to each other, every request ends once, and nothing is left behind."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Any

import pytest

from activator.settings import ProxySettings
from testkit.proxy.harness import GET, Client, Pod, Proxy, Request, ok, on_uvloop, post, reset, until

LARGE = b"x" * 200_000
REQUESTS = [
    GET,
    GET,
    post(b"small"),
    post(b"again", method=b"PUT"),
    post(LARGE, method=b"PUT"),
    post(LARGE),
    b"nonsense\r\n\r\n",
]


def moody(dice: random.Random) -> Callable[..., Any]:
    """A pod that answers, late, large, in part or not at all."""

    async def behave(request: Request) -> None:
        mood = dice.random()
        if mood < 0.3:
            await asyncio.sleep(dice.random() * 0.03)
        if mood < 0.75:
            await request.reply(ok(LARGE if mood < 0.1 else b"fine"))
        elif mood < 0.8:
            await request.reply(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n"
            )
        elif mood < 0.85:
            await request.reply(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            request.reset()
        elif mood < 0.9:
            await request.reply(b"what?\r\n\r\n")
        elif mood < 0.95:
            request.reset()
        else:
            request.writer.close()

    return behave


async def use(proxy: Proxy, dice: random.Random, statuses: list[int]) -> None:
    """A client that asks, and sometimes leaves: before, during or after the answer."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
        client = Client(*await asyncio.open_connection(*proxy.listener.address))
        try:
            for _ in range(dice.randrange(1, 5)):
                client.send(dice.choice(REQUESTS))
                async with asyncio.timeout(dice.choice([0.001, 0.01, 120, 120, 120])):
                    statuses.append((await client.answer()).status)
        finally:
            ends: list[Callable[[], None]] = [
                client.hang_up,
                client.writer.close,
                lambda: reset(client.writer),
            ]
            dice.choice(ends)()


@pytest.mark.parametrize("seed", range(4))
@on_uvloop
async def test_every_request_ends_exactly_once(seed: int) -> None:
    """Clients come and leave, pods come, refuse and go; in the end every count is at zero (`Proxy` looks)."""
    dice = random.Random(seed)
    limit = dice.choice([0, 1, 3])
    settings = ProxySettings(unreachable_after=60.0, linger=0.1)  # no deadline costs an answer
    async with Proxy(
        settings=settings, container_concurrency=limit, timeout=120.0, progress_deadline=120.0
    ) as proxy:
        statuses: list[int] = []
        users = [asyncio.create_task(use(proxy, dice, statuses)) for _ in range(60)]
        pods = []
        for n in range(12):
            await asyncio.sleep(0.02)
            users += [asyncio.create_task(use(proxy, dice, statuses)) for _ in range(10)]
            pods.append(await proxy.ready(moody(dice), uid=f"pod-{n}"))
            if n % 3 == 2:
                leaving = pods.pop(dice.randrange(len(pods)))
                events: list[Callable[[Pod], Any]] = [
                    proxy.gone,
                    lambda pod: proxy.dispatcher.cordon(proxy.revision, pod.uid),
                ]
                dice.choice(events)(leaving)
                leaving.refuse_from_now()
        await asyncio.gather(*users)
        assert statuses.count(200) > 50
        await until(lambda: proxy.entered == proxy.left)
        assert proxy.entered == proxy.revision.counts.requests
