"""A window that doubles with answers and with time, until it is no window any more."""

from hypothesis import given
from hypothesis import strategies as st

from activator.hold.pacing import FIRST_WINDOW, OPEN, STEP, Pace


def test_time_alone_opens_the_window() -> None:
    """Nobody answers, and yet after a quarter of a second nothing is held back."""
    pace = Pace(5.0)
    windows = []
    for step in range(14):
        pace.tick(5.0 + step * STEP + STEP / 2)
        windows.append(pace.window)
    assert windows[:4] == [FIRST_WINDOW, FIRST_WINDOW * 2, FIRST_WINDOW * 4, FIRST_WINDOW * 8]
    assert windows[-1] == 0


def test_a_failure_starts_anew() -> None:
    """Also when the window was open."""
    pace = Pace(0.0)
    pace.tick(10.0)
    assert pace.window == 0
    pace.restart(11.0)
    assert pace.window == FIRST_WINDOW
    pace.tick(11.0 + STEP * 1.5)
    assert pace.window == FIRST_WINDOW * 2


@given(st.lists(st.floats(0, 0.1), max_size=30), st.integers(0, 5))
def test_ticks_are_never_lost_or_counted_twice(gaps: list[float], answers: int) -> None:
    """However often it is told the time, the window depends on the time alone."""
    often, once = Pace(0.0), Pace(0.0)
    now = 0.0
    for gap in gaps:
        now += gap
        often.tick(now)
    once.tick(now)
    for _ in range(answers):
        often.answer()
        once.answer()
    # steps are added up one by one, so a step that ends just now may be seen by one of them only
    exact = {once.window, once.window * 2 if once.window * 2 < OPEN else 0, once.window // 2}
    assert often.window in exact
