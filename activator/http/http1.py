"""The grammar of HTTP/1.1 heads, and how they are rewritten for the other side (RFC 9110, 9112).

A head is matched as a whole by one regular expression that knows nothing but the strict grammar, so
whatever two parsers could read in two ways is no head here. Regular expressions read bytes of strangers:
their repetitions are possessive or end at a byte that they cannot contain, so that no input makes them
backtrack. The few headers that mean something to a proxy
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
_VALUE = rb"[\t\x20-\x7e\x80-\xff]*+"
FIELDS = rb"(?:" + TOKEN + rb":" + _VALUE + rb"\r\n)*+"

_FIELDS = re.compile(FIELDS)
_FIELD = re.compile(TOKEN + rb":" + _VALUE)
_TOKEN = re.compile(TOKEN)
_TARGET = re.compile(rb"[\x21-\x7e]++")
_VERSIONS = (b"HTTP/1.1", b"HTTP/1.0")
_SPACES = (b" ", b"\t")
_NEWLINE = "line ends, NUL or carriage returns where none may be"
_TLS_RECORD = b"\x16\x03"
_TLS = "a TLS handshake on a port for plain HTTP"
_FORBIDDEN_TRAILER = re.compile(
    rb"(?:content[-_](?:length|encoding|type|range)|transfer[-_]encoding|host|connection|trailer|authorization"
    rb"|set[-_]cookie|keep[-_]alive|proxy(?:[-_](?:connection|authorization))?|te|upgrade|expect|forwarded"
    rb"|x[-_]forwarded[-_][^:]*+|(?:k|knative|zerogate)[-_][^:]*+):"
)
_HOST = re.compile(rb"(?:[a-z0-9._~!$&'()*+;=%-]++|\[[0-9a-f:.]++\])(?::[0-9]{0,5})?", re.IGNORECASE)
_BARE_NEWLINE = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\x00")
_START = re.compile(TOKEN + rb"(?: |\Z)")
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
    """Whether this may stand in a Host header: a name or address and perhaps a port, nothing else. The port
    may be empty behind its colon (RFC 3986 3.2.3).
    """
    return _HOST.fullmatch(host) is not None


def has_bad_line_end(data: bytes, checked: int) -> bool:
    """Whether there is a line end other than CRLF, a lone CR, or NUL. `checked` bytes had none before."""
    return _BARE_NEWLINE.search(data, max(checked - 1, 0)) is not None


def check_unfinished(data: bytes, checked: int = 0) -> None:
    """Refuse a head at once that can't become one any more. `checked` bytes of it were found good before."""
    if has_bad_line_end(data, checked):
        raise BadRequest(_TLS if data.startswith(_TLS_RECORD) else _NEWLINE)
    # Without a space in them, the bytes checked before are the beginning of the method.
    if data.find(b" ", 0, checked) < 0 and not _START.match(data, max(checked - 1, 0)):
        raise BadRequest(_TLS if data.startswith(_TLS_RECORD) else "no request line")


def refuse(head: bytes) -> NoReturn:
    """Say what is wrong with the head of a request that did not match."""
    if head.startswith(_TLS_RECORD):
        raise BadRequest(_TLS)
    if _BARE_NEWLINE.search(head):
        raise BadRequest(_NEWLINE)
    line, _, fields = head.partition(b"\r\n")
    _check_request_line(line)
    raise BadRequest(_fault_of(fields))


def _check_request_line(line: bytes) -> None:
    if not line.isascii():
        raise BadRequest("bytes beyond ASCII in the request line: percent-encode them (RFC 3986 2.1)")
    method, _, rest = line.partition(b" ")
    target, space, version = rest.rpartition(b" ")
    if not _TOKEN.fullmatch(method):
        raise BadRequest("malformed method in the request line")
    if not space and version.startswith(b"HTTP/"):
        raise BadRequest("no target in the request line")
    if not space or not version.startswith(b"HTTP/"):
        raise BadRequest("no HTTP version at the end of the request line")
    if version not in _VERSIONS:
        raise BadRequest("unknown version: this is a server for HTTP/1.1 and HTTP/1.0")
    if b" " in target:
        raise BadRequest("a space in the request target: percent-encode it as %20")
    if not _TARGET.fullmatch(target):
        raise BadRequest("malformed request target")


def _fault_of(fields: bytes) -> str:
    """What is wrong with the first header line that is no field. One pass over the lines."""
    for line in fields.split(b"\r\n"):
        if _FIELD.fullmatch(line):
            continue
        if line[:1] in _SPACES:
            return "folded header"
        name, colon, _ = line.partition(b":")
        if not colon:
            return "a header without a colon"
        if name[-1:] in _SPACES:
            return "space before the colon of a header"
        return "malformed header" if _TOKEN.fullmatch(name) else "malformed name of a header"
    return "malformed header"


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
