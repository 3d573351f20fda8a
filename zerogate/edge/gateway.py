"""The gateway as `up` sees it: a process of its own, or a part of this one; asked over a Unix socket."""

import asyncio
from pathlib import Path
from typing import Protocol

import aiohttp

from activator.edge.program import Program

_ASKED_WITHIN = aiohttp.ClientTimeout(2.0)


class Gateway(Protocol):
    """`run` ends after `stop`, when what was in flight is answered."""

    async def run(self) -> None: ...

    def stop(self) -> None:
        """Begin to drain."""
        ...

    async def ended(self) -> None:
        """Return when it is gone."""
        ...

    def kill(self) -> None:
        """End it now."""
        ...


class InThisProcess:
    """The gateway among everything else: for debugging."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Serve until drained."""
        try:
            await self._program.run()
        finally:
            self._ended.set()

    def stop(self) -> None:
        """Begin to drain."""
        self._program.stop()

    async def ended(self) -> None:
        """Return when drained."""
        await self._ended.wait()

    def kill(self) -> None:
        """It ends with its process."""


async def ask(socket: Path, path: str, token: str) -> tuple[int, bytes]:
    """Status and body of an admin page of the gateway; status 0 while it can't be reached."""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(socket)), timeout=_ASKED_WITHIN
            ) as session,
            session.get(f"http://gateway{path}", headers=headers) as answer,
        ):
            return answer.status, await answer.read()
    except (aiohttp.ClientError, OSError, TimeoutError):
        return 0, b""
