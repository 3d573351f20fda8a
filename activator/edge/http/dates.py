"""The Date of responses (RFC 9110 6.6.1), made once a second."""

from collections.abc import Callable
from email.utils import formatdate


class Dates:
    """`clock` is the wall clock. It may be set, forward or back: the line is that of the moment."""

    __slots__ = ("_clock", "_line", "_second")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._second = -1
        self._line = b""

    def line(self) -> bytes:
        """The header line for a response of now, with its end."""
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._line = f"Date: {formatdate(second, usegmt=True)}\r\n".encode()
        return self._line
