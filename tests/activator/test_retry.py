"""What is repeated, and what must not be."""

import pytest

from activator.hold.retry import Verdict, after_failure


@pytest.mark.parametrize(
    ("was_sent", "is_repeatable", "has_attempts", "is_patient", "verdict"),
    [
        (False, False, True, True, Verdict.AGAIN),
        (False, False, False, True, Verdict.AGAIN),
        (False, True, True, False, Verdict.UNREACHABLE),
        (True, True, True, True, Verdict.AGAIN),
        (True, True, True, False, Verdict.AGAIN),
        (True, True, False, True, Verdict.MAYBE_SENT),
        (True, False, True, True, Verdict.MAYBE_SENT),
    ],
)
def test_verdicts(
    was_sent: bool, is_repeatable: bool, has_attempts: bool, is_patient: bool, verdict: Verdict
) -> None:
    """What was not sent goes again while there is patience; what was sent only if it may and can be
    repeated.
    """
    assert verdict is after_failure(
        was_sent=was_sent, is_repeatable=is_repeatable, has_attempts=has_attempts, is_patient=is_patient
    )
