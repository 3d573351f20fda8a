"""A client that counts what became of each request: no retries, nothing hidden."""

import asyncio
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Self


@dataclass
class Outcome:
    """What the requests of a load came to."""

    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0

    @property
    def good(self) -> int:
        """Answers 200."""
        return self.answers["200"]


class Load:
    """Clients in a thread of their own, each sending one request after the other until it is stopped.

    Half of them keep their connection, half open one per request; every third request is a POST.
    """

    def __init__(self, door: str, host: str, clients: int) -> None:
        """`door` is where the gateway listens, ADDRESS:PORT."""
        self.outcome = Outcome()
        self._door = door.split(":")
        self._host = host
        self._clients = clients
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._is_over.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "a request hangs: no answer within a minute"

    async def _run(self) -> None:
        await asyncio.gather(*(self._client(number) for number in range(self._clients)))

    async def _client(self, number: int) -> None:
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        keeps = number % 2 == 0
        sent = number
        while not self._is_over.is_set():
            sent += 1
            began = asyncio.get_running_loop().time()
            try:
                if connection is None:
                    connection = await asyncio.open_connection(*self._door)
                status, is_closed = await asyncio.wait_for(
                    self._exchange(*connection, is_post=sent % 3 == 0, keeps=keeps), 45
                )
                self.outcome.answers[status] += 1
                if status != "200":
                    self.outcome.failures.append(status)
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                self.outcome.failures.append(repr(error))
                is_closed = True
            self.outcome.slowest = max(self.outcome.slowest, asyncio.get_running_loop().time() - began)
            if connection is not None and (is_closed or not keeps):
                connection[1].close()
                connection = None
        if connection is not None:
            connection[1].close()

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_post: bool, keeps: bool
    ) -> tuple[str, bool]:
        """One request; its status, and whether the other side closes the connection."""
        body = b"x" * 1000 if is_post else b""
        head = [f"{'POST' if is_post else 'GET'} / HTTP/1.1", f"Host: {self._host}"]
        if is_post:
            head.append(f"Content-Length: {len(body)}")
        if not keeps:
            head.append("Connection: close")
        writer.write("\r\n".join([*head, "", ""]).encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in answer[1:] if line)
        await reader.readexactly(int(fields["content-length"]))
        return answer[0].split(" ")[1], fields.get("connection") == "close"


async def _burst(door: str, host: str, count: int, deadline: float) -> Outcome:
    outcome = Outcome()
    single = Load(door, host, 0)

    async def one() -> None:
        try:
            reader, writer = await asyncio.open_connection(*single._door)
            status, _ = await asyncio.wait_for(
                single._exchange(reader, writer, is_post=False, keeps=False), deadline
            )
            outcome.answers[status] += 1
            writer.close()
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            outcome.failures.append(repr(error))

    await asyncio.gather(*(one() for _ in range(count)))
    return outcome


def burst(door: str, host: str, count: int, deadline: float = 60.0) -> Outcome:
    """`count` requests at once, each on a connection of its own."""
    return asyncio.run(_burst(door, host, count, deadline))
