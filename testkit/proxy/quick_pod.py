"""A pod in a process of its own that answers at once and remembers in which order requests came.

`python -m testkit.proxy.quick_pod` prints its port once it listens; when its standard input ends it prints
the numbers that stood in the requests' paths, and ends.
"""

import asyncio
import json
import sys
from typing import Any

import uvloop

from testkit.proxy.harness import ok

ORDER: list[Any] = []
ANSWER = ok()


class Quick(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        ORDER.append(int(data[5 : data.index(b" ", 5)]))
        self.transport.write(ANSWER)


def say(what: Any) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Quick, "127.0.0.1", 0, backlog=1024)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    say(server.sockets[0].getsockname()[1])
    await reader.read()
    say(json.dumps(ORDER))


if __name__ == "__main__":
    uvloop.run(main())
