"""A pod that counts the requests it has at once, and answers each with the most that it ever had.

A request is over when it is answered, or when whoever sent it is gone. Its work takes `$WORK` seconds.
"""

import asyncio
import contextlib
import os
from typing import Any

WORK = float(os.environ.get("WORK", "0.02"))


class Pod:
    now = most = served = 0

    async def serve(self, reader: Any, writer: Any) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
                await reader.readexactly(size)
                if not await self.work(reader):
                    break
                body = b"%d" % self.most
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                await writer.drain()
        writer.close()

    async def work(self, reader: Any) -> bool:
        """Whether whoever asked is still there."""
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            async with asyncio.timeout(WORK):
                await reader.read(1)  # nothing comes but the end
        except TimeoutError:
            return True
        finally:
            self.now -= 1
        return False


async def main() -> None:
    server = await asyncio.start_server(Pod().serve, "127.0.0.1", int(os.environ["PORT"]), backlog=1024)
    await server.serve_forever()


asyncio.run(main())
