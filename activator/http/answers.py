"""The head of a pod's answer: what it means to us, and what of it the client gets."""

import re
from dataclasses import dataclass

from activator.http.http1 import (
    CHUNKED,
    FIELDS,
    UNTIL_CLOSE,
    BadAnswer,
    drop,
    framing,
    has_bad_line_end,
    length_in,
    named_in,
    remember,
    without,
)

_HEAD = re.compile(
    rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*+)?\r\n" + FIELDS + rb"\r\n"
).fullmatch
_FIRST_LINES = re.compile(
    rb"HTTP/1\.[01] [1-5][0-9][0-9](?: [\t\x20-\x7e\x80-\xff]*+)?\r\n" + FIELDS
).fullmatch
_FIELD_LINES = re.compile(FIELDS).fullmatch
_BEGINNING = b"HTTP/1.1 200 "
_STATUS = re.compile(rb"HTTP/1\.[01] [1-5][0-9][0-9][ \r]").fullmatch
_SPECIAL = re.compile(
    rb"\n(c(?:onnection:[^\r]*+|ontent-length:)|t(?:ransfer-encoding:[^\r]*+|e:)|keep-alive:|proxy-connection:"
    rb"|upgrade:|zerogate-[^:]*+:)"
).findall
"""As in `requests`: values where they matter, else up to the colon."""
_OURS = re.compile(rb"(?i)(?<=\n)zerogate-[^:\r\n]*+:[^\r\n]*+\r\n").findall
_RETURN = ord("\r")
_LENGTH = 1


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the special headers say together: as `requests.Meaning`, but `body` may be UNTIL_CLOSE."""

    body: int
    keeps_alive: bool
    dropped: tuple[bytes, ...]
    named: frozenset[bytes]
    has_ours: bool


class AnswerHead:
    """A pod's head. `body`: see `http1.CHUNKED`; `kept`: what to pass on, without the empty line; `has_ours`:
    there are Zerogate-* lines in it, which are not passed on; `may_be_followed`: it must have no body, but a
    faulty server may send one all the same, perhaps later than the head.
    """

    __slots__ = ("body", "has_ours", "keeps_alive", "kept", "may_be_followed", "status")

    status: int
    body: int
    keeps_alive: bool
    kept: bytes
    has_ours: bool
    may_be_followed: bool


_meanings: dict[tuple[bytes, ...], Meaning] = {}


def read_answer(head: bytes, method: bytes) -> AnswerHead:
    """Read the head, up to its empty line, of an answer to a request with this method. BadAnswer."""
    line = _HEAD(head)
    if line is None:
        raise BadAnswer("malformed head")
    low = head.lower()
    lines = tuple(_SPECIAL(low))
    version, number = line.groups()
    answer = AnswerHead()
    answer.status = status = int(number)
    is_modern = version == b"1"
    means = (_meanings.get(lines) or _remember(lines)) if is_modern else _mean(lines, is_modern=False)
    answer.keeps_alive = means.keeps_alive
    answer.has_ours = means.has_ours
    answer.body = length_in(low, BadAnswer) if means.body == _LENGTH else means.body
    answer.may_be_followed = False
    answer.kept = without(head, low, means.dropped)
    if means.named:
        answer.kept = drop(answer.kept, means.named)
    if not is_modern:
        answer.kept = b"HTTP/1.1" + answer.kept[8:]
    if head[12] == _RETURN:  # the space before an empty reason is often forgotten, and must be there
        answer.kept = answer.kept[:12] + b" " + answer.kept[12:]
    if method == b"HEAD" or status < 200 or status in (204, 205, 304):
        _empty(answer, is_head=method == b"HEAD")
    return answer


def check_begun(data: bytes, checked: int) -> None:
    """Refuse a head whose empty line has not come yet if it can't become a valid one. `checked` bytes of it
    were found valid before. BadAnswer.
    """
    if checked < len(_BEGINNING) and not _STATUS(data[: len(_BEGINNING)] + _BEGINNING[len(data) :]):
        raise BadAnswer("malformed head")
    if has_bad_line_end(data, checked):
        raise BadAnswer("malformed head")
    start = data.rfind(b"\n", 0, checked) + 1
    end = data.rfind(b"\n", start) + 1
    if end and not (_FIELD_LINES if start else _FIRST_LINES)(data, start, end):
        raise BadAnswer("malformed head")


def _empty(answer: AnswerHead, *, is_head: bool) -> None:
    """The answer has no body, whatever its headers say; some must not speak of one (RFC 9110 8.6). A 205 must
    have none, but ends where its headers say so (RFC 9112 6.3).
    """
    answer.may_be_followed = is_head or answer.body not in (0, UNTIL_CLOSE)
    if answer.status == 205 and not is_head:
        return
    answer.body = 0
    if answer.status < 200 or answer.status == 204:
        answer.kept = drop(answer.kept, frozenset((b"content-length",)))


def _remember(lines: tuple[bytes, ...]) -> Meaning:
    means = _mean(lines, is_modern=True)
    remember(_meanings, lines, means)
    return means


def _mean(lines: tuple[bytes, ...], *, is_modern: bool) -> Meaning:
    """Work out what these lines, in lower case, mean together."""
    names = [line.partition(b":")[0] for line in lines]
    if names.count(b"content-length") > 1:
        raise BadAnswer("more than one Content-Length")
    body = _LENGTH if b"content-length" in names else UNTIL_CLOSE
    codings = [framing(line.partition(b":")[2]) for line in lines if line.startswith(b"transfer-encoding:")]
    if codings:
        if body == _LENGTH:
            raise BadAnswer("both Content-Length and Transfer-Encoding")
        if not is_modern or codings != [b"chunked"]:
            raise BadAnswer("a Transfer-Encoding other than chunked")
        body = CHUNKED
    tokens, named = named_in(line.partition(b":")[2] for line in lines if line.startswith(b"connection:"))
    return Meaning(
        body=body,
        keeps_alive=b"close" not in tokens and (is_modern or b"keep-alive" in tokens),
        dropped=tuple(b"\n" + name + b":" for name in names if name != b"content-length"),
        named=named,
        has_ours=any(name.startswith(b"zerogate-") for name in names),
    )


def our_lines(head: bytes) -> bytes:
    """The Zerogate-* lines of a head, which count where another activator wrote them."""
    return b"".join(_OURS(head))
