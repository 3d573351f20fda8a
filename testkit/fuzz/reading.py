"""Other readers than ours: llhttp for requests, a few plain lines for answers."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httptools

MALFORMED = (400, 408, 431)
"""Our answers to what is no request; the connection ends with them."""
_ANSWER = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])[^\r\n]*\r\n((?:[^:\r\n]+:[^\r\n]*\r\n)*)\r\n")
_SIZE = re.compile(rb"([0-9A-Fa-f]+)[^\r\n]*\r\n")
_TRAILERS = re.compile(rb"(?:[^:\r\n]+:[^\r\n]*\r\n)*\r\n")


@dataclass
class Message:
    """A request as llhttp reads it."""

    method: bytes = b""
    url: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    def value(self, name: bytes) -> bytes:
        return next((value for key, value in self.headers if key.lower() == name), b"")


class Requests:
    """What llhttp, as strict as it is, reads from a connection: `whole` requests, the
    `methods` of all heads, the first `error`.

    `broken` is what was read when that came, which may be too strict: about trailers that we only drop.
    `on_head(message)` and `on_whole(message)` are called as they are read. `is_foreign`: it does not know a
    method, so what it says from there on means nothing. `is_over`: what comes from now on is no request.
    """

    def __init__(
        self, on_head: Callable[..., Any] | None = None, on_whole: Callable[..., Any] | None = None
    ) -> None:
        self.whole: list[Message] = []
        self.broken: list[Message] = []
        self.methods: list[bytes] = []
        self.error: Exception | None = None
        self.is_foreign = False
        self.is_over = False
        self._on_head = on_head
        self._on_whole = on_whole
        self._message = Message()
        self._parser = httptools.HttpRequestParser(self)

    def feed(self, data: bytes) -> None:
        if self.error is not None or self.is_over:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._parser = httptools.HttpRequestParser(self)
            rest = data[upgrade.args[0] :]
            if rest:
                self.feed(rest)
        except httptools.HttpParserError as error:
            self.error = error
            self.is_foreign = isinstance(error, httptools.HttpParserInvalidMethodError)
            self.broken.append(self._message)

    # -- called by llhttp --

    def on_message_begin(self) -> None:
        self._message = Message()

    def on_url(self, url: bytes) -> None:
        self._message.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._message.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._message.method = self._parser.get_method()
        self.methods.append(self._message.method)
        if self._on_head is not None:
            self._on_head(self._message)

    def on_body(self, body: bytes) -> None:
        self._message.body += body

    def on_message_complete(self) -> None:
        self.whole.append(self._message)
        if self._on_whole is not None:
            self._on_whole(self._message)


@dataclass
class Answer:
    """An answer as a client reads it. `is_whole`: it ended where it said that it would."""

    status: int
    lines: bytes
    body: bytes = b""
    is_whole: bool = False
    is_until_close: bool = False

    @property
    def is_ours(self) -> bool:
        return b"\r\nZerogate-Reason:" in b"\r\n" + self.lines

    def values(self, name: bytes) -> list[bytes]:
        found = [line.partition(b":") for line in self.lines.split(b"\r\n")]
        return [value.strip().lower() for key, _, value in found if key.lower() == name]


def read_answers(
    data: bytearray | bytes, methods: list[bytes], ended: str, most: int = 1 << 30
) -> tuple[list[Answer], int, Any]:
    """The final answers that a client reads: to requests with these methods, on a connection that `ended`
    ("", "fin", "reset"); no more than `most`. Returns them, the number of interim ones, and what followed a
    101. ValueError: no HTTP.
    """
    found: list[Answer] = []
    interim = at = 0
    coming = iter(methods)
    method = next(coming, b"")
    while at < len(data) and len(found) < most:
        head = _ANSWER.match(data, at)
        if head is None:
            if b"\r\n\r\n" in data[at:] or ended == "fin":
                raise ValueError(f"no answer: {bytes(data[at:])!r}")
            break
        answer = Answer(int(head[1]), head[2])
        at = head.end()
        if answer.status == 101:
            answer.is_whole = True
            return [*found, answer], interim, data[at:]
        if answer.status < 200:
            interim += 1
            continue
        if answer.is_ours and answer.status in MALFORMED:  # the last one, to what was perhaps no HEAD
            answer.is_whole = True
            at = len(data)
        else:
            at = _read_body(answer, data, at, method, ended)
        found.append(answer)
        method = next(coming, b"")
    return found, interim, b""


def _read_body(answer: Answer, data: bytearray | bytes, at: int, method: bytes, ended: str) -> int:
    """Read what belongs to the answer; returns where it ends."""
    lengths = answer.values(b"content-length")
    codings = answer.values(b"transfer-encoding")
    if len(lengths) + len(codings) > 1:
        raise ValueError(f"two framings: {answer.lines!r}")
    if method == b"HEAD" or answer.status in (204, 304):
        answer.is_whole = True
        return at
    if codings:
        return _read_chunks(answer, data, at)
    if lengths:
        end = at + int(lengths[0])
        answer.body = bytes(data[at:end])
        answer.is_whole = end <= len(data)
        return min(end, len(data))
    answer.is_until_close = True
    answer.body = bytes(data[at:])
    answer.is_whole = ended == "fin"
    return len(data)


def _read_chunks(answer: Answer, data: bytearray | bytes, at: int) -> int:
    while True:
        line = _SIZE.match(data, at)
        if line is None:
            if b"\r\n" in data[at:]:
                raise ValueError(f"no chunk: {bytes(data[at:])!r}")
            return len(data)
        size = int(line[1], 16)
        at = line.end()
        if not size:
            break
        answer.body += data[at : at + size]
        at += size
        if data[at : at + 2] != b"\r\n":
            if len(data) >= at + 2:
                raise ValueError("a chunk longer than it said")
            return len(data)
        at += 2
    trailers = _TRAILERS.match(data, at)
    answer.is_whole = trailers is not None
    return len(data) if trailers is None else trailers.end()
