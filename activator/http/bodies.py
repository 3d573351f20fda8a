"""Bodies of HTTP/1.1 messages: where they end, and what is in them (RFC 9112 6, 7).

A reader is fed what comes and hands back what of it is content; a chunked body is taken apart and put
together anew, so that what the other side reads was understood here.
"""

import re
from collections.abc import Callable
from typing import Protocol

from activator.http.http1 import CHUNKED, trailers

MAX_CHUNK_LINE = 256
"""Bytes of the line before a chunk; no known program sends extensions at all."""
MAX_EXTENSIONS = 16 << 10
"""Bytes of such extensions in one body."""
MAX_TRAILERS = 16 << 10

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15}+)(;[\t\x20-\x7e\x80-\xff]*+)?")
_BROKEN = re.compile(rb"\n|\r.")


class BadBody(ValueError):  # noqa: N818 - a fault of the other side, not of ours
    """The bytes are no body of the announced kind."""


class Body(Protocol):
    """A reader: `feed` returns content and how many bytes it used; `is_done` when all of it was seen."""

    is_done: bool
    trailers: bytes

    def feed(self, data: bytes) -> tuple[bytes, int]: ...


class LengthBody:
    """A body of known length."""

    __slots__ = ("is_done", "left", "trailers")

    def __init__(self, length: int) -> None:
        self.left = length
        self.is_done = not length
        self.trailers = b""

    def feed(self, data: bytes) -> tuple[bytes, int]:
        size = len(data)
        if size < self.left:
            self.left -= size
            return data, size
        used, self.left, self.is_done = self.left, 0, True
        return (data if used == size else data[:used]), used


class UntilCloseBody:
    """A body that ends with its connection; only an answer has one."""

    __slots__ = ("is_done", "trailers")

    def __init__(self) -> None:
        self.is_done = False
        self.trailers = b""

    def feed(self, data: bytes) -> tuple[bytes, int]:
        return data, len(data)


NO_BODY = LengthBody(0)


class ChunkedBody:
    """A body in chunks. BadBody when a size, a line end or a trailer is malformed or too long."""

    __slots__ = ("_extensions", "_left", "_rest", "_step", "is_done", "trailers")

    def __init__(self) -> None:
        self.is_done = False
        self.trailers = b""
        """Trailer fields to pass on, each with its line end."""
        self._step: Callable[[bytes, int, list[bytes]], int] = self._size
        self._left = 0
        self._rest = b""
        self._extensions = 0

    def feed(self, data: bytes) -> tuple[bytes, int]:
        before = len(self._rest)
        if before:
            data = self._rest + data
            self._rest = b""
        content: list[bytes] = []
        at = 0
        end = len(data)
        while not self.is_done:
            reached = self._step(data, at, content)
            if reached < 0:
                self._rest = data[at:]
                at = end
                break
            at = reached
        return (content[0] if len(content) == 1 else b"".join(content)), at - before

    # Each step reads one element at `at` and returns where the next one begins; -1 when it is not all there.

    def _size(self, data: bytes, at: int, _content: list[bytes]) -> int:
        end = data.find(b"\r\n", at, at + MAX_CHUNK_LINE + 2)
        if end < 0:
            if len(data) - at > MAX_CHUNK_LINE or _BROKEN.search(data, at):
                raise BadBody("malformed or overlong chunk size")
            return -1
        line = _CHUNK_LINE.fullmatch(data, at, end)
        if line is None:
            raise BadBody("malformed chunk size")
        self._extensions += len(line[2] or b"")
        if self._extensions > MAX_EXTENSIONS:
            raise BadBody("too many chunk extensions")
        self._left = int(line[1], 16)
        self._step = self._data if self._left else self._trailers
        return end + 2

    def _data(self, data: bytes, at: int, content: list[bytes]) -> int:
        end = min(at + self._left, len(data))
        if end == at:
            return -1
        content.append(data[at:end])
        self._left -= end - at
        if not self._left:
            self._step = self._data_end
        return end

    def _data_end(self, data: bytes, at: int, _content: list[bytes]) -> int:
        if data[at : at + 2] != b"\r\n":
            if data[at : at + 2] not in (b"", b"\r"):
                raise BadBody("a chunk longer than its size")
            return -1
        self._step = self._size
        return at + 2

    def _trailers(self, data: bytes, at: int, _content: list[bytes]) -> int:
        if data.startswith(b"\r\n", at):
            self.is_done = True
            return at + 2
        end = data.find(b"\r\n\r\n", at, at + MAX_TRAILERS + 4)
        if end < 0:
            if len(data) - at > MAX_TRAILERS:
                raise BadBody("trailers too long")
            return -1
        try:
            self.trailers = trailers(data[at : end + 2])
        except ValueError as error:
            raise BadBody(str(error)) from None
        self.is_done = True
        return end + 4


def reader(body: int) -> Body:
    """The reader of a body as its head announces it."""
    if body >= 0:
        return LengthBody(body)
    return ChunkedBody() if body == CHUNKED else UntilCloseBody()


def chunk(content: bytes) -> bytes:
    """One chunk; nothing for no content, since an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(content), content) if content else b""


def last_chunk(trailer_lines: bytes = b"") -> bytes:
    """What ends a chunked body."""
    return b"0\r\n%b\r\n" % trailer_lines
