"""Heads of HTTP/1.1 messages: read strictly, and rewritten for the other side (RFC 9110, 9112).

A head is matched as a whole by one regular expression that knows nothing but the strict grammar, so
whatever two parsers could read in two ways is no head here. The few headers that mean something to a proxy
are then found by a second one; all others are passed on as the very bytes that came, in their order, case
and number.
"""

import re
from typing import NoReturn

CHUNKED = -1
UNTIL_CLOSE = -2
"""`body` of a head: its Content-Length, or one of these."""

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"))
"""Methods that may be repeated when an attempt broke off (RFC 9110 9.2.2)."""
_SLASH = ord("/")

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_FIELDS = rb"(?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+\r\n)*+"
_REQUEST = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e\x80-\xff]++) HTTP/1\.([01])\r\n" + _FIELDS + rb"\r\n")
_ANSWER = re.compile(
    rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*+)?\r\n" + _FIELDS + rb"\r\n"
)
_TRAILERS = re.compile(_FIELDS)

_HOP_BY_HOP = rb"connection|keep-alive|proxy-connection|te|transfer-encoding|upgrade"
_FORWARDED = rb"forwarded|x-forwarded-[^:]*"
_OURS = rb"k-[^:]*|knative-serving-[^:]*|zerogate-[^:]*"
_IN_REQUEST = rb"\n(host|content-length|expect|proxy-authorization|" + _HOP_BY_HOP + rb"|" + _OURS + rb"|"
_VALUE = rb"):[\t ]*+([^\r]*)\r"
_SPECIAL_IN_REQUEST = re.compile(_IN_REQUEST + _FORWARDED + _VALUE)
_SPECIAL_BY_TRUSTED = re.compile(
    _IN_REQUEST + rb"x-forwarded-for|x-forwarded-host|x-forwarded-proto" + _VALUE
)
_SPECIAL_IN_ANSWER = re.compile(rb"\n(content-length|" + _HOP_BY_HOP + rb"|zerogate-[^:]*" + _VALUE)
_STAY_IN_REQUEST = frozenset(
    (b"host", b"content-length", b"transfer-encoding", b"expect", b"x-forwarded-host", b"x-forwarded-proto")
)
_STAY_IN_ANSWER = frozenset((b"content-length",))
_CONNECTION = frozenset((b"connection",))
_ONCE = frozenset((b"host", b"content-length", b"transfer-encoding"))
_FORBIDDEN_TRAILER = re.compile(
    rb"(?:content-length|host|trailer|content-encoding|content-type|content-range|authorization|set-cookie|"
    + _HOP_BY_HOP
    + rb"|"
    + _FORWARDED
    + rb"|"
    + _OURS
    + rb"):"
)

_HOST = re.compile(rb"(?:[a-z0-9._~!$&'()*+;=%-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.IGNORECASE)
_ABSOLUTE = re.compile(rb"https?://([^/?#]*)([^#]*)", re.IGNORECASE)
_LENGTH = re.compile(rb"[0-9]{1,18}")
_BARE_NEWLINE = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\x00")
_START = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?: |\Z)")
_NEVER_NAMED = frozenset((b"host", b"content-length", b"transfer-encoding", b"connection"))


class Malformed(Exception):  # noqa: N818 - a fault of the other side, not of ours
    """What came is no HTTP/1.1, or could be read in two ways."""


class BadRequest(Malformed):
    """What the client sent is refused. The text says why, in words that may be sent back."""


class BadAnswer(Malformed):
    """What the pod sent can't be passed on."""


class RequestHead:
    """A request's head, ready to be passed on.

    `host` in lower case; `body`: see `CHUNKED`; `kept`: the parts of the head to pass on, without the empty
    line; `expects`: whether the client waits for a 100; `believed`: what a trusted proxy said in Forwarded
    headers, by name.
    """

    __slots__ = ("believed", "body", "expects", "host", "keeps_alive", "kept", "method", "minor")

    method: bytes
    minor: int
    host: bytes
    body: int
    expects: bool
    keeps_alive: bool
    believed: dict[bytes, bytes] | None
    kept: list[bytes]


class AnswerHead:
    """A pod's head, ready to be passed on. `body`: see `CHUNKED`; `kept`: as in `RequestHead`."""

    __slots__ = ("body", "keeps_alive", "kept", "minor", "status")

    status: int
    minor: int
    body: int
    keeps_alive: bool
    kept: list[bytes]


def read_request(head: bytes, *, trusts_peer: bool = False) -> RequestHead:
    """Read a head that ends with its empty line. With `trusts_peer` its Forwarded headers are kept."""
    line = _REQUEST.fullmatch(head)
    if line is None:
        refuse(head)
    request = RequestHead()
    request.method, target, version = line.groups()
    minor = request.minor = 1 if version == b"1" else 0
    special = _SPECIAL_BY_TRUSTED if trusts_peer else _SPECIAL_IN_REQUEST
    found, kept = _scan(head, special, _STAY_IN_REQUEST, BadRequest)
    request.kept = kept
    host = found.get(b"host")
    if host is None:
        raise BadRequest("no Host")
    request.host = host.rstrip()
    request.believed = found if trusts_peer else None
    named = found.get(b"connection")
    if named is None:
        request.keeps_alive = minor == 1
    else:
        request.keeps_alive = named == b"keep-alive" or _name(kept, named, keeps_alive=minor == 1)
    request.expects = False
    if len(found) > 2 or named is None:
        _read_rarer(request, found)
    else:
        request.body = 0
    if not minor:
        _modernise(kept, found)
    if target[0] != _SLASH or request.method == b"CONNECT":
        _settle_target(request, target)
    return request


def is_host(host: bytes) -> bool:
    """Whether this may stand in a Host header: a name or address and perhaps a port, nothing else."""
    return _HOST.fullmatch(host) is not None


def read_answer(head: bytes, *, method: bytes) -> AnswerHead:
    """Read the head of a pod's answer to a request with this method."""
    line = _ANSWER.fullmatch(head)
    if line is None:
        raise BadAnswer("malformed head")
    answer = AnswerHead()
    version, status = line.groups()
    minor = answer.minor = 1 if version == b"1" else 0
    answer.status = int(status)
    found, kept = _scan(head, _SPECIAL_IN_ANSWER, _STAY_IN_ANSWER, BadAnswer)
    answer.kept = kept
    named = found.get(b"connection")
    if named is None:
        answer.keeps_alive = minor == 1
    else:
        answer.keeps_alive = named == b"keep-alive" or _name(kept, named, keeps_alive=minor == 1)
    answer.body = _answer_body(answer, found, method)
    if not minor:
        kept[0] = b"HTTP/1.1" + kept[0][8:]
    return answer


def check_unfinished(data: bytes, checked: int = 0) -> None:
    """Refuse a head at once that can't become one any more. `checked` bytes of it were found good before."""
    if _BARE_NEWLINE.search(data, max(checked - 1, 0)):
        raise BadRequest("line ends, NUL or carriage returns where none may be")
    if not checked and not _START.match(data):
        raise BadRequest("no request line")


def trailers(lines: bytes) -> bytes:
    """The trailer fields to pass on. `lines` are whole lines without the empty one; ValueError: malformed."""
    if not _TRAILERS.fullmatch(lines):
        raise ValueError("malformed trailers")
    return b"".join(
        line for line in lines.splitlines(keepends=True) if not _FORBIDDEN_TRAILER.match(line.lower())
    )


def refuse(head: bytes) -> NoReturn:
    """Say what is wrong with a head that did not match."""
    line, _, fields = head.partition(b"\r\n")
    if _BARE_NEWLINE.search(head):
        raise BadRequest("line ends, NUL or carriage returns where none may be")
    if not re.fullmatch(_TOKEN + rb" [\x21-\x7e\x80-\xff]+ HTTP/1\.[01]", line):
        raise BadRequest("malformed request line or unknown version")
    if re.search(rb"(?:^|\r\n)[ \t]", fields):
        raise BadRequest("folded header")
    if re.search(rb"(?:^|\r\n)[^:\r]*[ \t]+:", fields):
        raise BadRequest("space before the colon of a header")
    raise BadRequest("malformed header")


def _scan(
    head: bytes, special: re.Pattern[bytes], stay: frozenset[bytes], error: type[Malformed]
) -> tuple[dict[bytes, bytes], list[bytes]]:
    """The special headers by name, in lower case, and the parts of the head that stay."""
    low = head.lower()
    listed = special.findall(low)
    found: dict[bytes, bytes] = dict(listed)
    if len(found) != len(listed):
        found = _merge(listed, error)
    elif found.keys() <= stay:
        return found, [head[:-2]]
    elif found.get(b"connection") == b"keep-alive" and found.keys() - stay == _CONNECTION:
        start = (
            low.find(b"\nconnection:") + 1
        )  # by far the most frequent one to take out, so it has a short way
        return found, [head[:start], head[head.find(b"\n", start) + 1 : -2]]
    kept = []
    at = 0
    for header in special.finditer(low):
        if header[1] not in stay:
            start = header.start() + 1
            kept.append(head[at:start])
            at = header.end() + 1
    kept.append(head[at:-2])
    return found, kept


def _merge(listed: list[tuple[bytes, bytes]], error: type[Malformed]) -> dict[bytes, bytes]:
    """Headers by name when some come more than once: as one list, or refused where that makes no sense."""
    found: dict[bytes, bytes] = {}
    for name, value in listed:
        if name not in found:
            found[name] = value
        elif name in _ONCE:
            raise error("more than one " + name.decode())
        else:
            found[name] += b", " + value
    return found


def _read_rarer(request: RequestHead, found: dict[bytes, bytes]) -> None:
    """Body and expectation: what is there when more than Host and Connection is."""
    length = found.get(b"content-length")
    coding = found.get(b"transfer-encoding")
    request.body = 0
    if length is not None or coding is not None:
        request.body = _request_body(length, coding, request.minor)
    expects = found.get(b"expect")
    request.expects = expects is not None and request.minor == 1 and expects.rstrip() == b"100-continue"


def _modernise(kept: list[bytes], found: dict[bytes, bytes]) -> None:
    """We speak HTTP/1.1 to pods, also for a client that does not."""
    kept[0] = kept[0].replace(b" HTTP/1.0\r\n", b" HTTP/1.1\r\n", 1)
    if b"expect" in found:
        _drop(kept, {b"expect"})


def _request_body(length: bytes | None, coding: bytes | None, minor: int) -> int:
    if coding is not None:
        if length is not None:
            raise BadRequest("both Content-Length and Transfer-Encoding")
        if minor == 0:
            raise BadRequest("Transfer-Encoding in HTTP/1.0")
        if coding.rstrip() != b"chunked":
            raise BadRequest("a Transfer-Encoding other than chunked")
        return CHUNKED
    if length is None or not _LENGTH.fullmatch(length.rstrip()):
        raise BadRequest("malformed Content-Length")
    return int(length)


def _answer_body(answer: AnswerHead, found: dict[bytes, bytes], method: bytes) -> int:
    status = answer.status
    length = found.get(b"content-length")
    size = UNTIL_CLOSE
    if length is not None:
        if not _LENGTH.fullmatch(length.rstrip()):
            raise BadAnswer("malformed Content-Length")
        size = int(length)
    coding = found.get(b"transfer-encoding")
    if coding is not None:
        if length is not None:
            raise BadAnswer("both Content-Length and Transfer-Encoding")
        if answer.minor == 0 or coding.rstrip() != b"chunked":
            raise BadAnswer("a Transfer-Encoding other than chunked")
        size = CHUNKED
    if status < 200 or status == 204:
        if length is not None:
            _drop(answer.kept, {b"content-length"})
        return 0
    return 0 if status == 304 or method == b"HEAD" else size


def _name(kept: list[bytes], named: bytes, *, keeps_alive: bool) -> bool:
    """Obey a Connection header: take out what it names; whether the connection persists."""
    tokens = {token.strip() for token in named.split(b",")}
    names = tokens - _NEVER_NAMED - {b"", b"close", b"keep-alive", b"upgrade"}
    if names:
        _drop(kept, names)
    return b"close" not in tokens and (keeps_alive or b"keep-alive" in tokens)


def _drop(kept: list[bytes], names: set[bytes]) -> None:
    lines = b"".join(kept).splitlines(keepends=True)
    kept[:] = [lines[0], *(line for line in lines[1:] if line.partition(b":")[0].lower() not in names)]


def _settle_target(request: RequestHead, target: bytes) -> None:
    """Turn an absolute target into the form that servers expect; refuse those that don't fit the method."""
    method = request.method
    if target == b"*" and method == b"OPTIONS":
        return
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or method == b"CONNECT":
        raise BadRequest("a target that is no path")
    authority, path = absolute.groups()
    if authority.lower() != request.host:
        raise BadRequest("a target that names another host than Host")
    if not path.startswith(b"/"):
        path = b"/" + path
    if method == b"OPTIONS" and target.lower().removesuffix(b"/").endswith(request.host):
        path = b"*"
    line = request.kept[0]
    request.kept[0] = line.replace(target, path, 1)
