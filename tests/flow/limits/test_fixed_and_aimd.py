"""The operator's hand, and the limit that only rejections stop."""

from __future__ import annotations

import pytest

from core.base.errors import ConfigError
from core.base.records import Outcome
from core.flow.limits import AimdLimit, FixedLimit, KneeLimit, Limit, LimitChange, Sample, SweepLimit


def _answer(limit: Limit, at: float, in_flight: int | None = None) -> LimitChange | None:
    return limit.ended(Sample(at, at + 1, Outcome.SUCCESS, in_flight or limit.limit, 10, 10))


@pytest.mark.parametrize("limit", [FixedLimit(16), AimdLimit(), KneeLimit(), SweepLimit()])
def test_all_are_limits(limit: Limit) -> None:
    """Each obeys bounds at once, says why, and shows itself."""
    change = limit.bound(0.0, 1, 2)
    assert change == LimitChange(change.old, 2, "The operator allows 1 to 2.", change.phase) if change else False
    assert limit.limit == 2
    assert type(limit).__name__ in repr(limit)


def test_the_hand_sets_and_nothing_else_does() -> None:
    """What the operator set stays, whatever happens; a reason is kept with the change."""
    limit = FixedLimit(8)
    limit.started(0.0, 1)
    assert limit.ended(Sample(0.0, 9.0, Outcome.OVERLOAD, 8, busy=True)) is None
    assert limit.tick(1.0, 8, 5) is None
    assert limit.down(2.0) is None
    assert limit.up(3.0) is None
    assert limit.set(4.0, 20, "more seats") == LimitChange(8, 20, "more seats", "fixed")
    assert limit.set(5.0, 20, "again") is None
    assert limit.limit == 20


def test_bounds_hold_the_hand_and_let_it_go_again() -> None:
    """A narrower bound clamps what was set; a wider one brings it back."""
    limit = FixedLimit(50)
    assert limit.bound(0.0, 1, 10) is not None
    assert limit.limit == 10
    limit.set(1.0, 60, "much")
    assert limit.limit == 10
    limit.bound(2.0, 1, 100)
    assert limit.limit == 60


@pytest.mark.parametrize("wrong", [0, -1, True])
def test_a_limit_is_a_number_of_at_least_one(wrong: int) -> None:
    """Zero, less, or no number is refused with what it was."""
    with pytest.raises(ConfigError, match=f"{wrong}"):
        FixedLimit(wrong)
    with pytest.raises(ConfigError):
        FixedLimit(3).set(0.0, wrong, "why")


def test_bounds_the_wrong_way_round_are_refused() -> None:
    """A floor above the ceiling is an error that names both."""
    with pytest.raises(ConfigError, match="floor 5 is above the ceiling 3"):
        KneeLimit(floor=5, ceiling=3)
    with pytest.raises(ConfigError, match="slo_p95_s is 0"):
        KneeLimit(slo_p95_s=0)
    with pytest.raises(ConfigError, match="cut is 1"):
        AimdLimit(cut=1.0)


def test_aimd_grows_by_one_for_a_limit_of_answers() -> None:
    """Ten answers of ten in use make eleven."""
    limit = AimdLimit(10)
    changes = [_answer(limit, float(n)) for n in range(10)]
    assert [change for change in changes if change] == [
        LimitChange(10, 11, "10 were in use and none was rejected.", "grow")
    ]


def test_aimd_does_not_grow_while_under_used() -> None:
    """Answers of calls that ran with fewer than three quarters in flight count for nothing."""
    limit = AimdLimit(10)
    assert all(_answer(limit, float(n), 7) is None for n in range(100))


def test_aimd_returns_with_half_after_an_outage() -> None:
    """Down to one, then half of what was in force, however often the breaker opens on the way."""
    limit = AimdLimit(40)
    limit.down(1.0)
    assert limit.limit == 1
    limit.down(2.0)
    limit.up(3.0)
    assert limit.limit == 20
