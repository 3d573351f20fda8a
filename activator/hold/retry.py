"""What becomes of a request whose attempt at a pod failed before an answer began."""

from enum import Enum


class Verdict(Enum):
    AGAIN = "again"
    """On another pod, or the same one once more."""
    MAYBE_SENT = "maybe-sent"
    """The pod may have carried it out, and it must not be repeated."""
    UNREACHABLE = "upstream-unreachable"
    """Nothing was sent, and it has been refused for too long."""


def after_failure(*, was_sent: bool, is_repeatable: bool, has_attempts: bool, is_patient: bool) -> Verdict:
    """The verdict. `was_sent`: bytes of it reached the kernel for this pod; `has_attempts`: it was not sent
    too often, nor were others; `is_patient`: refusals of it have not lasted too long.
    """
    if not was_sent:
        return Verdict.AGAIN if is_patient else Verdict.UNREACHABLE
    return Verdict.AGAIN if is_repeatable and has_attempts else Verdict.MAYBE_SENT
