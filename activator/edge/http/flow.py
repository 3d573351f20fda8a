"""Flow control of one connection: who has stopped whom, idempotent in both directions."""

import asyncio


class Flow:
    """Whether we read from a transport, and whether it wants more from us."""

    __slots__ = ("_transport", "is_reading", "is_writable")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.is_reading = True
        self.is_writable = True

    def pause_reading(self) -> None:
        if self.is_reading:
            self.is_reading = False
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self.is_reading:
            self.is_reading = True
            if not self._transport.is_closing():
                self._transport.resume_reading()
