"""How a call's time grows with the calls in flight: what is found from known laws, and what is not claimed."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import pytest

from core.base.views import Level
from core.tuning.speed import Speed, fit
from tests.tuning.seen import seen


def measured(law: Callable[[float], float], *numbers: float, factor: float = 1.0) -> tuple[Level, ...]:
    return tuple(Level(n, 100, factor * law(n)) for n in numbers)


def test_a_batching_servers_line_is_found() -> None:
    """From 1 + 0.02 n at five levels, for two kinds of calls of which one takes twice as long, gamma is 0.02."""
    levels = (2.0, 4.0, 8.0, 16.0, 32.0)
    one = seen("aspect_summary", 1.0, levels=measured(lambda n: 1 + 0.02 * n, *levels))
    two = seen("total_summary", 2.0, levels=measured(lambda n: 1 + 0.02 * n, *levels, factor=2.0))
    speed = fit([one, two])
    assert speed.gamma == pytest.approx(0.02, rel=0.1)
    assert speed.seats == inf
    assert speed.known


def test_a_servers_seats_are_found() -> None:
    """Eight seats, calls beyond them waiting: as long as with eight in flight up to there, then in proportion."""
    speed = fit([seen("total_summary", 1.0, levels=measured(lambda n: max(1.0, n / 8), 2.0, 4.0, 8.0, 16.0, 32.0))])
    assert speed.slowdown(32) / speed.slowdown(4) == pytest.approx(4, rel=0.15)
    assert speed.slowdown(8) / speed.slowdown(2) == pytest.approx(1, rel=0.15)


def test_noise_at_the_highest_level_is_no_seat_count() -> None:
    """Two kinds measured at 4 and at about 8, a little apart: nothing says that the server has eight seats."""
    aspects = seen("aspect_summary", 1.0, levels=(Level(4.0, 219, 0.156), Level(7.9, 229, 0.183)))
    totals = seen("total_summary", 1.0, levels=(Level(4.0, 71, 0.667), Level(7.8, 77, 0.769)))
    speed = fit([aspects, totals])
    assert speed.seats == inf
    assert speed.gamma == pytest.approx(0.05, rel=0.2)


def test_a_latency_that_does_not_grow_stays() -> None:
    """An API that takes the same time at any load has gamma 0."""
    speed = fit([seen("total_summary", 1.0, levels=measured(lambda _: 1.0, 1.0, 8.0, 64.0))])
    assert speed.slowdown(64) == pytest.approx(speed.slowdown(1))


def test_one_level_tells_nothing_of_growth() -> None:
    """Measured at sixteen only: nothing is known of 64, nor of 4; around sixteen it is covered."""
    speed = fit([seen("total_summary", 1.0, levels=measured(lambda _: 1.0, 15.0, 16.0))])
    assert not speed.known
    assert [speed.covers(n) for n in (4, 16, 64)] == [False, True, False]


def test_what_lies_beyond_is_bounded_on_both_sides() -> None:
    """Beyond 32 the hopeful reading takes no longer than at 32, the other has no more throughput than there."""
    known = Speed(0.02, highest=32.0, known=True)
    flat, full = (Speed(0.02, highest=32.0, known=True, beyond=way) for way in (0.0, 1.0))
    assert flat.slowdown(64) == known.slowdown(32) < known.slowdown(64) < full.slowdown(64)
    assert 64 / full.slowdown(64) == pytest.approx(32 / known.slowdown(32))


def test_without_measurements_there_is_no_claim() -> None:
    """No levels, or levels with hardly any calls: an unknown speed."""
    assert not fit([]).known
    assert not fit([seen("total_summary", 1.0, levels=(Level(1.0, 1, 1.0), Level(64.0, 2, 9.0)))]).known
