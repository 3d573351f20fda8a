"""What the activator answers by itself: one line a reason, as plain text or as a problem document (RFC
9457).
"""

import json
import re
from dataclasses import dataclass, replace
from http import HTTPStatus

from kube.text import escaped

_WANTS_JSON = re.compile(rb"\naccept:[^\r]*application/(?:[a-z0-9.+-]*\+)?json", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reply: status, reason token for programs, sentence for people, seconds of Retry-After (0: none).

    `detail` is its cause for the log, where there is one beyond the reason.
    """

    status: int
    reason: str
    text: str
    retry_after: int = 0
    detail: str = ""

    def because(self, detail: str) -> "Refusal":
        """The same with a detail that the client may see; a pod may have written it."""
        if not detail:
            return self
        detail = escaped(detail)
        return replace(self, text=f"{self.text.removesuffix('.')}: {detail}", detail=detail)

    def known_as(self, detail: str) -> "Refusal":
        """The same with a detail that the log may see, and the client may not."""
        return replace(self, detail=escaped(detail))

    def after(self, seconds: int) -> "Refusal":
        """The same with a Retry-After."""
        return replace(self, retry_after=seconds)


NO_ROUTE = Refusal(404, "no-route", "No service answers to this host.")
BAD_REQUEST = Refusal(400, "bad-request", "The request is malformed")
HEAD_TOO_LARGE = Refusal(431, "head-too-large", "The head of the request is too large.")
HEAD_TIMEOUT = Refusal(408, "head-timeout", "The head of the request took too long to arrive.")
QUEUE_FULL = Refusal(503, "queue-full", "Too many requests are waiting for this service.")
CANNOT_START = Refusal(503, "cannot-start", "The service cannot be started")
ACTIVATION_TIMEOUT = Refusal(504, "activation-timeout", "The service did not come up in time.")
UPSTREAM_UNREACHABLE = Refusal(502, "upstream-unreachable", "The service could not be reached.")
MAYBE_SENT = Refusal(
    502,
    "maybe-sent",
    "The connection to the service broke after the request was sent; it may have been carried out.",
)
BAD_ANSWER = Refusal(502, "bad-answer", "The service sent a malformed answer.")
TOTAL_TIMEOUT = Refusal(504, "total-timeout", "The service did not answer in time.")
RESPONSE_START_TIMEOUT = Refusal(
    504, "response-start-timeout", "The service did not begin to answer in time."
)
IDLE_TIMEOUT = Refusal(504, "idle-timeout", "The service was silent for too long.")


def wants_json(head: bytes) -> bool:
    """Whether the Accept of this request head names a JSON type."""
    return _WANTS_JSON.search(head) is not None


def render(refusal: Refusal, *, date: bytes, as_json: bool, close: bool, without_body: bool = False) -> bytes:
    """The whole answer. `date`: its header line; `close`: the connection ends with it; `without_body`: it
    answers a HEAD request.
    """
    phrase = HTTPStatus(refusal.status).phrase
    if as_json:
        problem = {
            "type": "about:blank",
            "title": phrase,
            "status": refusal.status,
            "detail": refusal.text,
            "reason": refusal.reason,
        }
        kind, body = "application/problem+json", json.dumps(problem).encode() + b"\n"
    else:
        kind, body = "text/plain; charset=utf-8", refusal.text.encode() + b"\n"
    lines = [
        f"HTTP/1.1 {refusal.status} {phrase}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        f"Zerogate-Reason: {refusal.reason}",
        "Cache-Control: no-store",
    ]
    if refusal.retry_after:
        lines.append(f"Retry-After: {refusal.retry_after}")
    if close:
        lines.append("Connection: close")
    head = "\r\n".join([*lines, ""]).encode() + date + b"\r\n"
    return head if without_body else head + body
