"""The head of a request: what it means to us, and what of it a pod gets."""

import re
from dataclasses import dataclass, replace

from activator.http.http1 import (
    CHUNKED,
    FIELDS,
    TOKEN,
    BadRequest,
    drop,
    framing,
    is_host,
    length_in,
    named_in,
    refuse,
    remember,
    without,
)

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"))
"""Methods that may be repeated when an attempt broke off (RFC 9110 9.2.2)."""
BODY_IS_MEANINGLESS = frozenset((b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"TRACE"))
"""Methods that give the body of a request no meaning (RFC 9110 9.3), so that many servers do not read it."""

_HEAD = re.compile(rb"(" + TOKEN + rb") ([\x21-\x7e]++) HTTP/1\.([01])\r\n" + FIELDS + rb"\r\n").fullmatch
_COMMON = (
    rb"\n(host:[^\r]*+|c(?:onnection:[^\r]*+|ontent[-_]length:)"
    rb"|t(?:ransfer(?:-encoding:[^\r]*+|_encoding:)|e:)|expect:[^\r]*+"
    rb"|k(?:eep[-_]alive:|native(?:-serving-tag:[^\r]*+|[-_][^:]*+:)|[-_][^:]*+:)"
    rb"|proxy(?:[-_](?:connection|authorization))?:|upgrade:[^\r]*+|zerogate[-_][^:]*+:|forwarded:"
)
_SPECIAL = re.compile(_COMMON + rb"|x[-_]forwarded[-_][^:]*+:)").findall
"""Lines of which the value matters whole, of the others up to the colon: those are dropped, or read
elsewhere. It is written as a tree of letters because it is tried on every line.

A server that makes variables of headers (CGI, WSGI) reads `X_Forwarded_For` as `X-Forwarded-For`. A name with
`_` is therefore dropped if the name with `-` is one that we read or write, and is never read itself.
"""
_SPECIAL_BY_TRUSTED = re.compile(
    _COMMON.replace(rb"|forwarded:", rb"|forwarded:[^\r]*+")
    + rb"|x(?:-forwarded-(?:(?:for|host|proto):[^\r]*+|[^:_]*+_[^:]*+:)"
    rb"|-forwarded_[^:]*+:|_forwarded[-_][^:]*+:))"
).findall
"""From a trusted proxy other `X-Forwarded-*` headers stay, but not those with `_`: it may pass on what its
client said.
"""
_STAY = frozenset((b"host", b"content-length", b"transfer-encoding", b"expect"))
_STAY_IF_BELIEVED = frozenset((b"forwarded", b"x-forwarded-host", b"x-forwarded-proto"))
_ONCE = frozenset((b"host", b"content-length", b"transfer-encoding"))
_ABSOLUTE = re.compile(rb"https?://([^/?#]*+)([^#]*+)", re.IGNORECASE)
_SLASH = ord("/")
_LENGTH = 1


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the special headers of a request say together.

    `host` in lower case; `body`: 0, CHUNKED, or `_LENGTH` when there is a Content-Length to be read;
    `expects`: the client waits for a 100; `dropped`: see `http1.without`; `named`: headers that Connection
    names; `believed`: what a trusted proxy said in X-Forwarded-* headers, by name; `upgrade`: the protocol
    that the client would switch to, in lower case; `tag`: the tag of a Route that it names, in lower case.
    """

    host: bytes
    body: int
    expects: bool
    keeps_alive: bool
    is_modern: bool
    dropped: tuple[bytes, ...]
    named: frozenset[bytes]
    believed: dict[bytes, bytes] | None
    upgrade: bytes = b""
    tag: bytes = b""


class RequestHead:
    """A request's head. `body`: see `http1.CHUNKED`; `kept`: what to pass on, without the empty line."""

    __slots__ = ("body", "kept", "means", "method")

    method: bytes
    means: Meaning
    body: int
    kept: bytes


_meanings: dict[tuple[bytes, ...], Meaning] = {}


def read_request(head: bytes, *, trusts_peer: bool = False) -> RequestHead:
    """Read a head that ends with its empty line. With `trusts_peer` its Forwarded headers count.
    BadRequest.
    """
    line = _HEAD(head)
    if line is None:
        refuse(head)
    method, target, version = line.groups()
    low = head.lower()
    if trusts_peer or version == b"0":
        lines = tuple((_SPECIAL_BY_TRUSTED if trusts_peer else _SPECIAL)(low))
        means = _mean(lines, is_modern=version == b"1", trusts_peer=trusts_peer)
    else:
        lines = tuple(_SPECIAL(low))
        means = _meanings.get(lines) or _remember(lines)
    request = RequestHead()
    request.method = method
    request.means = means
    request.body = length_in(low, BadRequest) if means.body == _LENGTH else means.body
    request.kept = without(head, low, means.dropped)
    if means.named:
        request.kept = drop(request.kept, means.named)
    if not means.is_modern:
        request.kept = request.kept.replace(b" HTTP/1.0\r\n", b" HTTP/1.1\r\n", 1)
    if target[0] != _SLASH or method == b"CONNECT":
        _settle_target(request, target)
    return request


def _remember(lines: tuple[bytes, ...]) -> Meaning:
    means = _mean(lines, is_modern=True, trusts_peer=False)
    remember(_meanings, lines, means)
    return means


def _mean(lines: tuple[bytes, ...], *, is_modern: bool, trusts_peer: bool) -> Meaning:
    """Work out what these lines, in lower case, mean together."""
    found: dict[bytes, list[bytes]] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        value = framing(value) if name == b"transfer-encoding" else value.strip(b" \t")
        found.setdefault(name, []).append(value)
    for name in _ONCE:
        if len(found.get(name, ())) > 1:
            raise BadRequest("more than one " + name.decode())
    if b"host" not in found:
        raise BadRequest("no Host")
    tokens, named = named_in(found.get(b"connection", ()))
    stays = _STAY if is_modern else _STAY - {b"expect"}
    if trusts_peer:
        stays |= _STAY_IF_BELIEVED
    names = [line.partition(b":")[0] for line in lines]
    tags = found.get(b"knative-serving-tag", ())
    return Meaning(
        host=found[b"host"][0],
        body=_body(found, is_modern=is_modern),
        expects=is_modern and found.get(b"expect") == [b"100-continue"],
        keeps_alive=b"close" not in tokens and (is_modern or b"keep-alive" in tokens),
        is_modern=is_modern,
        dropped=tuple(b"\n" + name + b":" for name in names if name not in stays),
        named=named,
        believed={name: b", ".join(values) for name, values in found.items()} if trusts_peer else None,
        upgrade=_upgrade(found, tokens) if is_modern else b"",
        tag=tags[0] if len(tags) == 1 else b"",
    )


def _body(found: dict[bytes, list[bytes]], *, is_modern: bool) -> int:
    coding = found.get(b"transfer-encoding")
    if coding is None:
        return _LENGTH if b"content-length" in found else 0
    if b"content-length" in found:
        raise BadRequest("both Content-Length and Transfer-Encoding")
    if not is_modern:
        raise BadRequest("Transfer-Encoding in HTTP/1.0")
    if coding != [b"chunked"]:
        raise BadRequest("a Transfer-Encoding other than chunked")
    return CHUNKED


def _upgrade(found: dict[bytes, list[bytes]], tokens: frozenset[bytes]) -> bytes:
    """The one protocol that Upgrade names, where Connection names Upgrade; a choice of several is none."""
    protocols = found.get(b"upgrade", [])
    is_meant = b"upgrade" in tokens and len(protocols) == 1 and b"," not in protocols[0]
    return protocols[0] if is_meant else b""


def _settle_target(request: RequestHead, target: bytes) -> None:
    """Turn an absolute target into the form that servers expect; refuse one that does not fit the method."""
    method, host = request.method, request.means.host
    if target == b"*" and method == b"OPTIONS":
        return
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or method == b"CONNECT":
        raise BadRequest("a target that is no path")
    authority, path = absolute.groups()
    if not is_host(host):
        raise BadRequest("malformed Host")
    if method == b"OPTIONS" and not path:
        path = b"*"
    elif not path.startswith(b"/"):
        path = b"/" + path
    before = len(method) + 1
    request.kept = request.kept[:before] + path + request.kept[before + len(target) :]
    if authority.lower() != host:
        _replace_host(request, authority)


def _replace_host(request: RequestHead, authority: bytes) -> None:
    """The host of an absolute target counts, and Host is written anew from it (RFC 9112 3.2.2)."""
    kept = request.kept
    start = kept.lower().find(b"\nhost:") + 1
    request.kept = kept[:start] + b"Host: " + authority + kept[kept.find(b"\r", start) :]
    request.means = replace(request.means, host=authority.lower())
