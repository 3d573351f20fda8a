"""The grammar of HTTP/1.1 heads, and how they are rewritten for the other side (RFC 9110, 9112).

A head is matched as a whole by one regular expression that knows nothing but the strict grammar, so
whatever two parsers could read in two ways is no head here. The few headers that mean something to a proxy
are found by a second one; what they mean together is worked out once for each combination and remembered.
All other headers are passed on as the very bytes that came, in their order, case and number.
"""

import re
from collections.abc import Iterable
from typing import NoReturn, TypeVar

CHUNKED = -1
UNTIL_CLOSE = -2
"""`body` of a head: its Content-Length, or one of these."""
MAX_REMEMBERED = 16384
"""Combinations of special headers that are remembered, of each kind of head: one for each host at least."""
MAX_REMEMBERED_LINES = 8
MAX_REMEMBERED_BYTES = 384
"""A combination of more lines or names, or of longer lines, is not remembered: all together take less than
64 MiB, whatever clients send.
"""

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
FIELDS = rb"(?:" + TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+\r\n)*+"

_FIELDS = re.compile(FIELDS)
_REQUEST_LINE = re.compile(TOKEN + rb" [\x21-\x7e]+ HTTP/1\.[01]")
_FORBIDDEN_TRAILER = re.compile(
    rb"(?:content-length|transfer-encoding|host|connection|trailer|content-encoding|content-type|content-range"
    rb"|authorization|set-cookie|keep-alive|proxy-connection|te|upgrade|forwarded|x-forwarded-[^:]*"
    rb"|k-[^:]*|knative-serving-[^:]*|zerogate-[^:]*):"
)
_HOST = re.compile(rb"(?:[a-z0-9._~!$&'()*+;=%-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.IGNORECASE)
_BARE_NEWLINE = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\x00")
_START = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?: |\Z)")
_NEVER_NAMED = frozenset(
    (
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"connection",
        b"",
        b"close",
        b"keep-alive",
        b"upgrade",
    )
)


Meaning = TypeVar("Meaning")


class Malformed(Exception):  # noqa: N818 - a fault of the other side, not of ours
    """What came is no HTTP/1.1, or could be read in two ways. The text says why, in words for the client."""


class BadRequest(Malformed):
    """What the client sent is refused."""


class BadAnswer(Malformed):
    """What the pod sent can't be passed on."""


def remember(meanings: dict[tuple[bytes, ...], Meaning], lines: tuple[bytes, ...], means: Meaning) -> None:
    """Spare the next head with these lines the work, within bounds."""
    together = b"".join(lines)
    if len(together) > MAX_REMEMBERED_BYTES or len(lines) + together.count(b",") > MAX_REMEMBERED_LINES:
        return
    if len(meanings) >= MAX_REMEMBERED:
        meanings.clear()
    meanings[lines] = means


def is_host(host: bytes) -> bool:
    """Whether this may stand in a Host header: a name or address and perhaps a port, nothing else."""
    return _HOST.fullmatch(host) is not None


def has_bad_line_end(data: bytes, checked: int) -> bool:
    """Whether there is a line end other than CRLF, a lone CR, or NUL. `checked` bytes had none before."""
    return _BARE_NEWLINE.search(data, max(checked - 1, 0)) is not None


def check_unfinished(data: bytes, checked: int = 0) -> None:
    """Refuse a head at once that can't become one any more. `checked` bytes of it were found good before."""
    if has_bad_line_end(data, checked):
        raise BadRequest("line ends, NUL or carriage returns where none may be")
    if data.find(b" ", 0, checked) < 0 and not _START.match(data):
        raise BadRequest("no request line")


def refuse(head: bytes) -> NoReturn:
    """Say what is wrong with the head of a request that did not match."""
    line, _, fields = head.partition(b"\r\n")
    if _BARE_NEWLINE.search(head):
        raise BadRequest("line ends, NUL or carriage returns where none may be")
    if not _REQUEST_LINE.fullmatch(line):
        raise BadRequest("malformed request line or unknown version")
    if re.search(rb"(?:^|\r\n)[ \t]", fields):
        raise BadRequest("folded header")
    if re.search(rb"(?:^|\r\n)[^:\r]*[ \t]+:", fields):
        raise BadRequest("space before the colon of a header")
    raise BadRequest("malformed header")


def trailers(lines: bytes) -> bytes:
    """The trailer fields to pass on. `lines` are whole lines without the empty one; ValueError: malformed."""
    if not _FIELDS.fullmatch(lines):
        raise ValueError("malformed trailers")
    return b"".join(
        line for line in lines.splitlines(keepends=True) if not _FORBIDDEN_TRAILER.match(line.lower())
    )


def length_in(low: bytes, error: type[Malformed]) -> int:
    """The Content-Length of a head in lower case that has exactly one."""
    start = low.find(b"\ncontent-length:") + 16
    value = framing(low[start : low.find(b"\r", start)])
    if not value.isdigit() or len(value) > 18:
        raise error("malformed Content-Length")
    return int(value)


def framing(value: bytes) -> bytes:
    """The value of a header that says where a body ends, without the white space around it. A tab behind it
    stays: grammar allows it, but llhttp, alone among servers, refuses it.
    """
    return value.lstrip(b" \t").rstrip(b" ")


def without(head: bytes, low: bytes, dropped: tuple[bytes, ...]) -> bytes:
    r"""A head without its final empty line and these headers.

    `low` is the head in lower case, `dropped` the beginnings of the lines to leave out, as `b"\nname:"`,
    in the order in which they come.
    """
    if not dropped:
        return head[:-2]
    start = low.find(dropped[0]) + 1
    at = low.find(b"\n", start) + 1
    if len(dropped) == 1:
        return head[:start] + head[at:-2]
    kept = [head[:start]]
    for beginning in dropped[1:]:
        start = low.find(beginning, at - 1) + 1
        kept.append(head[at:start])
        at = low.find(b"\n", start) + 1
    kept.append(head[at:-2])
    return b"".join(kept)


def named_in(connection: Iterable[bytes]) -> tuple[frozenset[bytes], frozenset[bytes]]:
    """What Connection headers (in lower case) list: all of it, and the headers that they name."""
    tokens = frozenset(token.strip(b" \t") for value in connection for token in value.split(b","))
    return tokens, tokens - _NEVER_NAMED


def drop(kept: bytes, names: frozenset[bytes]) -> bytes:
    """Leave out every header of these names, in lower case."""
    first, *lines = kept.splitlines(keepends=True)
    return b"".join([first, *[line for line in lines if line.partition(b":")[0].lower() not in names]])
