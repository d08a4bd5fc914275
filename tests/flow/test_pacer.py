"""Pacing: one event per cascade, none for strays, the pace from what was accepted."""

from __future__ import annotations

import pytest

from core.flow.pacer import Pace, Pacer


def _calls(pacer: Pacer, since: float, seconds: float, per_second: float) -> float:
    """Accepted and answered calls, evenly; the time afterwards."""
    for n in range(round(seconds * per_second)):
        pacer.take(since + n / per_second)
        pacer.answered()
    return since + seconds


def _cascade(pacer: Pacer, now: float, calls: int = 20, cool_down: float | None = 2.0) -> list[tuple[str, str] | None]:
    for _ in range(calls):
        pacer.take(now)
    events = []
    for _ in range(calls):
        events.append(pacer.rejected(now, now + 0.05, cool_down))
        pacer.withdraw(now)
    return events


def test_one_stray_in_thirty_changes_nothing() -> None:
    """Two thousand calls with every thirtieth rejected: no event, no wait."""
    pacer, now = Pacer(0.0), 0.0
    for n in range(2_000):
        now += 0.1
        pacer.take(now)
        if n % 30 == 29:
            assert pacer.rejected(now, now, 5.0) is None
            pacer.withdraw(now)
        else:
            pacer.answered()
    assert (pacer.events, pacer.wait(now)) == (0, 0.0)


def test_a_cascade_is_one_event() -> None:
    """Twenty calls rejected together: one of them tells of the event, and the longest wait holds, not the sum."""
    pacer = Pacer(0.0)
    now = _calls(pacer, 0.0, 60, 10)
    events = [event for event in _cascade(pacer, now) if event]
    assert len(events) == 1
    assert pacer.events == 1
    assert "one after the other" in events[0][1]
    assert pacer.wait(now + 0.05) == pytest.approx(2.0)
    assert pacer.rejected(now, now + 0.1, 4.0) is None
    assert pacer.wait(now + 0.1) == pytest.approx(4.0)


def test_the_pace_is_97_percent_of_what_was_accepted() -> None:
    """Ten a second for a minute, then a cascade: 9.7 a second after the cool-down, 1.5 % more after ten seconds."""
    pacer = Pacer(0.0)
    now = _calls(pacer, 0.0, 60, 10)
    _cascade(pacer, now)
    now += 2.1
    pacer.wait(now)
    assert pacer.pace is not None
    assert pacer.pace.rate(now) == pytest.approx(9.7, rel=0.02)
    assert pacer.pace.rate(now + 10) == pytest.approx(9.7 * 1.015, rel=0.02)


def test_the_pace_admits_at_its_rate_with_a_burst_of_two() -> None:
    """A thousand eager callers in a minute: no more than the pace and two at once."""
    pacer = Pacer(0.0)
    now = _calls(pacer, 0.0, 60, 10)
    _cascade(pacer, now)
    now = since = now + 2.1
    admitted: list[float] = []
    while now < since + 60:
        wait = pacer.wait(now)
        if wait > 0:
            now += wait
        else:
            pacer.take(now)
            pacer.answered()
            admitted.append(now)
    assert 9.7 * 60 * 0.98 <= len(admitted) <= 9.7 * 1.09 * 60
    assert max(sum(at <= other < at + 0.5 for other in admitted) for at in admitted[:100]) <= 0.5 * 10 + 2


def test_a_pace_that_holds_nobody_back_is_lifted() -> None:
    """A pace that has risen far above the two calls a second asked for is dropped: waiting costs nothing again."""
    pacer = Pacer(0.0)
    now = _calls(pacer, 0.0, 60, 10)
    _cascade(pacer, now)
    now += 2.1
    for _ in range(1_000):
        now += 0.5
        if pacer.wait(now) <= 0:
            pacer.take(now)
            pacer.answered()
    assert pacer.pace is None
    assert not pacer.active


def test_a_rise_far_above_a_poor_measurement_is_quick_and_above_a_firm_one_slow() -> None:
    """Ten times the first guess is reached within half a minute; 5 % above a firm measurement takes most of one."""
    guess, firm = Pace(1.0, 0.0, 3.0, firm=False), Pace(1.0, 0.0, 60.0)
    assert guess.rate(0.0) == firm.rate(0.0) == pytest.approx(0.97)
    assert guess.rate(30.0) > 10
    assert firm.rate(50.0) < 1.05 < firm.rate(60.0)
