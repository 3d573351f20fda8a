"""Deadlines that are swept are met, whenever they are set and moved."""

from hypothesis import given
from hypothesis import strategies as st

from activator.hold.deadlines import FAR, NEVER, Deadlines


class Item:
    def __init__(self, due: float) -> None:
        self.due = due

    def expired(self, now: float) -> None:
        self.due = NEVER


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.one_of(st.none(), st.floats(0, 5)), st.floats(0.001, 0.3)),
        max_size=60,
    )
)
def test_each_deadline_is_found_in_the_first_sweep_after_it(
    steps: list[tuple[int, float | None, float]],
) -> None:
    """Items get deadlines, lose them and get others, as assignments; no sweep finds one too early or late."""
    deadlines = Deadlines()
    items = [Item(NEVER) for _ in range(5)]
    for item in items:
        deadlines.add(item)
    now = 0.0
    for which, after, gap in steps:
        item = items[which]
        item.due = NEVER if after is None else now + after
        if item.due < deadlines.horizon:
            deadlines.hurry(item)
        now += gap
        expected = {id(each) for each in items if each.due <= now}
        found = deadlines.sweep(now)
        assert {id(each) for each in found} == expected
        for each in found:
            each.expired(now)
    deadlines.discard(items[0])
    items[0].due = 0.0
    late = now + FAR * 2
    assert {id(each) for each in deadlines.sweep(late)} == {
        id(each) for each in items[1:] if each.due <= late
    }


def test_an_empty_one_is_calm() -> None:
    """Nothing soon, nothing to hurry for."""
    deadlines = Deadlines()
    assert deadlines.sweep(1.0) == []
    assert not deadlines.is_any_soon
    assert len(deadlines) == 0
