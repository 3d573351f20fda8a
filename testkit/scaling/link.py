"""A leader at the autoscaler's end of the link that records the messages it receives."""

import asyncio

from autoscaler.edge.link import Peer
from autoscaler.messages import Hello, Message

TOKEN = "secret"
HELLO = Hello("a", "uid", 1)


class Listening:
    """A leader that writes down what it is told."""

    epoch = 7
    identity = "me"

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []
        self.peers: list[Peer] = []
        self.news = asyncio.Event()

    def opened(self, peer: Peer, hello: Hello) -> None:
        assert hello.activator == peer.name
        self.peers.append(peer)
        self._note("opened", peer.name)

    def received(self, peer: Peer, message: Message) -> None:
        self._note(peer.name, message)

    def closed(self, peer: Peer) -> None:
        self._note("closed", peer.name)

    async def hears(self, count: int) -> list[tuple[str, object]]:
        async with asyncio.timeout(60):
            while len(self.told) < count:
                self.news.clear()
                await self.news.wait()
        return self.told

    def _note(self, what: str, of: object) -> None:
        self.told.append((what, of))
        self.news.set()
