"""What a change did: comparable stretches before and after it, and the figures of each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.tuning_views import Window
from core.store.window_reads import Change
from core.tuning.effects import effects, spans


def window(begin: float, end: float, rate: float) -> Window:
    return Window(begin, end, rate, 100 * rate, rate / 4, 1.0, 2.0, 0, None)


def change(t: float, old: int, new: int, resource: str = "llm") -> Change:
    return Change(t, resource, "", old, new, "why", "", "kim")


def test_both_stretches_are_equally_long_and_leave_the_settling_out() -> None:
    """Changed at 62 s in a run of 100 s with 6 s of settling: 70 to 100 s against 30 to 60 s."""
    assert spans([62.0], 100.0, 6.0) == [((30.0, 60.0), (70.0, 100.0))]


def test_no_stretch_is_longer_than_a_minute() -> None:
    """In a long run the minute before is compared with the minute after."""
    assert spans([600.0], 2000.0, 2.0) == [((540.0, 600.0), (605.0, 665.0))]


def test_another_change_nearby_shortens_both() -> None:
    """Changes at 50 and 70 s: the stretches between them end with the later and begin after the earlier one."""
    first, second = spans([50.0, 70.0], 200.0, 3.0)
    assert first == ((35.0, 50.0), (55.0, 70.0))
    assert second == ((55.0, 70.0), (75.0, 90.0))


def test_where_there_is_no_room_nothing_is_claimed() -> None:
    """Right at the start, right before the end, or two seconds after another change nothing can be compared."""
    assert spans([1.0], 100.0, 2.0) == [None]
    assert spans([98.0], 100.0, 2.0) == [None]
    assert spans([50.0, 52.0], 100.0, 2.0)[0] is None


@given(times=st.lists(st.floats(0, 500), max_size=8, unique=True), end=st.floats(0, 600), settle_s=st.floats(0.1, 30))
def test_stretches_never_hold_a_change_nor_its_settling(times: list[float], end: float, settle_s: float) -> None:
    """Whatever the changes: equal lengths of whole slices, within the run, and no change inside or shortly before."""
    times.sort()
    for at, around in zip(times, spans(times, end, settle_s), strict=True):
        if around is None:
            continue
        (a, b), (c, d) = around
        assert b - a == d - c > 0
        assert {x % 5 for x in (a, b, c, d)} == {0}
        assert 0 <= a < b <= at < at + settle_s <= c < d <= max(end, 0)
        for other in times:
            for begin, stop in around:
                assert not begin - settle_s < other < stop


def test_the_gain_is_calls_per_second_after_over_before() -> None:
    """Ten calls a second before and fourteen after are 40 % more."""
    rates = {True: 10.0, False: 14.0}
    (found,) = effects([change(60, 16, 32)], lambda _, a, b: window(a, b, rates[b <= 60]), 200.0, 2.0)
    assert found.gain == pytest.approx(0.4)
    assert (found.old, found.new, found.who, found.reason) == (16, 32, "kim", "why")
    assert found.before is not None
    assert found.after is not None
    assert found.before.end <= 60 < found.after.begin


def test_changes_of_another_resource_do_not_get_in_the_way() -> None:
    """A change of the search limit shortly after does not shorten what is said of the model limit."""
    changes = [change(60, 16, 32), change(64, 8, 4, "search")]
    found = effects(changes, lambda _, a, b: window(a, b, 1.0), 200.0, 2.0)
    assert [(e.resource, e.before is not None) for e in found] == [("llm", True), ("search", True)]


def test_a_change_without_room_has_no_gain() -> None:
    """Too close to the end: the change is told, its effect is not."""
    (found,) = effects([change(99, 16, 32)], lambda _, a, b: window(a, b, 1.0), 100.0, 2.0)
    assert (found.before, found.after, found.gain) == (None, None, None)
