"""The small parts that watch: for cascades, walls, changed servers, late answers, queues and outages."""

from __future__ import annotations

import random

import pytest

from core.base.records import Outcome
from core.flow.limits import Gauges, KneeLimit, Point, Sample
from core.flow.limits.cascade import Cascade
from core.flow.limits.cusum import Cusum
from core.flow.limits.queueing import Queueing
from core.flow.limits.recovery import Recovery
from core.flow.limits.slo import SloGuard
from core.flow.limits.wall import Wall


def _point(latency: float, error: float = 0.01) -> Point:
    return Point(16, 0, 16 / latency, latency, 2 * latency, 16, 0.0, error, 16.0)


def _rejection(at: float, in_flight: int = 16, busy: bool = True) -> Sample:
    return Sample(at, at + 0.03, Outcome.OVERLOAD, in_flight, busy=busy)


def test_five_rejections_close_together_are_a_cascade() -> None:
    """The fifth makes it one; the room is one below the fewest in flight at which a call was rejected."""
    cascade = Cascade()
    assert [cascade.hit(_rejection(n, 13 + n)) for n in range(5)] == [False] * 4 + [True]
    assert cascade.room == 12
    assert cascade.events == 1


def test_strays_among_answers_are_none() -> None:
    """3 % of stray rejections in 5,000 calls make no cascade."""
    dice, cascade = random.Random(4), Cascade()
    for n in range(5_000):
        cascade.sent(16)
        stray = dice.random() < 0.03
        hit = cascade.hit(_rejection(n) if stray else Sample(n, n + 1, Outcome.SUCCESS, 16))
        assert not hit


def test_a_burst_with_strays_is_none() -> None:
    """Five strays among sixty calls sent at once come before any answer: fewer than one in ten."""
    cascade = Cascade()
    for n in range(60):
        cascade.sent(n + 1)
    assert not any(cascade.hit(_rejection(0.1 * n)) for n in range(5))


def test_a_wall_is_tried_again_later_and_later() -> None:
    """It is known for 90 s, then for one and a half times as long."""
    wall = Wall()
    assert wall.hit(0.0, 12) == 12
    assert (wall.at(89.0), wall.at(90.0)) == (12, None)
    wall.hit(100.0, 12)
    assert (wall.at(234.0), wall.at(235.0)) == (12, None)


@pytest.mark.parametrize(("factor", "word"), [(1.5, "slower"), (0.6, "faster")])
def test_a_server_that_has_changed_is_noticed(factor: float, word: str) -> None:
    """Half as slow again, or much faster, is an alarm at once or at the second measurement."""
    cusum = Cusum(_point(2.0))
    alarms = [cusum.add(_point(2.0 * factor)) for _ in range(2)]
    assert any(alarm and word in alarm for alarm in alarms)


def test_noise_is_no_change() -> None:
    """A thousand measurements of 10 % scatter around the same latency: hardly an alarm."""
    dice, alarms = random.Random(5), 0
    cusum = Cusum(_point(2.0, 0.1))
    for _ in range(1_000):
        if cusum.add(_point(2.0 * dice.lognormvariate(0, 0.1), 0.1)):
            alarms, cusum = alarms + 1, Cusum(_point(2.0, 0.1))
    assert alarms <= 3


def test_late_answers_beyond_chance_call_for_a_cut_once() -> None:
    """Every eighth late is beyond 5 % and two sigma; the calls that were under way then do not count again."""
    guard = SloGuard(2.0)
    calls = [(float(n), n + (3.0 if n % 8 == 0 else 1.0)) for n in range(60)]
    assert sum(guard.late(*call) is not None for call in calls) == 1
    guard.since(200.0)
    assert guard.late(199.0, 210.0) is None
    assert "0 of 0" in repr(guard)


def test_one_in_twenty_is_within_the_target() -> None:
    """Exactly the share that may be late is no reason to cut."""
    guard = SloGuard(2.0)
    assert all(guard.late(float(n), n + (3.0 if n % 20 == 0 else 1.0)) is None for n in range(1_000))


def test_a_queue_must_stay_and_preemptions_go_on() -> None:
    """Three readings in a row count, fewer do not."""
    queueing = Queueing()
    assert [queueing.add(Gauges(n, 4.0, 0.0)) for n in range(3)] == [0.0, 0.0, 4.0]
    queueing.reset()
    assert [queueing.add(Gauges(n, 0.0, n * 1.0)) for n in range(5)] == [0.0, 0.0, 0.0, 1.0, 1.0]


def test_recovery_triples_by_the_second_to_nine_tenths() -> None:
    """4, 12, 36 .. 90 of 100, one a second; a relapse does not forget the hundred."""
    recovery = Recovery()
    recovery.down(100)
    recovery.down(1)
    limits = [recovery.up(10.0)]
    for second in range(11, 15):
        limits.append(recovery.next(float(second), limits[-1]) or 0)
        assert recovery.next(second + 0.5, limits[-1]) is None
    assert limits == [4, 12, 36, 90, 90]
    assert recovery.end() == 100


def test_the_way_back_is_told_step_by_step() -> None:
    """An outage: down to 1, then up by the second to what it was, each with its sentence."""
    limit = KneeLimit(start=64)
    changes = [limit.down(1.0), limit.up(30.0)] + [limit.tick(30.0 + second, 4, 9) for second in range(1, 8)]
    told = [(change.old, change.new) for change in changes if change]
    assert told == [(64, 1), (1, 4), (4, 12), (12, 36), (36, 58), (58, 64)]
    assert all(change.reason for change in changes if change)
