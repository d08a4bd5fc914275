"""What holds for any sequence of calls, answers, rejections, bounds and outages whatever."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.base.records import Outcome
from core.flow.limits import AimdLimit, Gauges, KneeLimit, Limit, LimitChange, Sample, SweepLimit

MAKERS: list[Callable[[], Limit]] = [
    lambda: KneeLimit(8, 2, 100),
    lambda: KneeLimit(8, 2, 100, slo_p95_s=2.0),
    lambda: AimdLimit(8, 2, 100, step=3.0),
    lambda: SweepLimit(start=8, floor=2, ceiling=100),
]
STEP = st.tuples(
    st.sampled_from(["send"] * 6 + ["answer"] * 8 + ["reject", "fail", "tick", "bound", "down", "up", "gauges"]),
    st.floats(0.0, 3.0),
    st.integers(1, 60),
)


class _Play:
    """Calls in the order that a gate would send them, and the changes that come of it."""

    def __init__(self, limit: Limit, used: float = 1.0) -> None:
        self.limit, self.used = limit, used
        self.at = 0.0
        self.flying: list[tuple[float, int]] = []
        self.floor, self.ceiling = 2, 100
        self.changes: list[tuple[float, LimitChange]] = []

    def step(self, kind: str, wait: float, number: int) -> None:
        self.at += wait
        before = self.limit.limit
        change = getattr(self, f"_{kind}")(number)
        assert self.floor <= self.limit.limit <= self.ceiling
        if change is None:
            assert self.limit.limit == before
        else:
            assert (change.old, change.new) == (before, self.limit.limit)
            assert change.old != change.new
            assert change.reason
            self.changes.append((self.at, change))

    def _send(self, number: int) -> None:
        for _ in range(number):
            if len(self.flying) < max(1, int(self.used * self.limit.limit)):
                self.at += 1e-4
                self.flying.append((self.at, len(self.flying) + 1))
                self.limit.started(self.at, len(self.flying))

    def _end(self, outcome: Outcome, number: int, busy: bool = False) -> LimitChange | None:
        if not self.flying:
            return None
        started, in_flight = self.flying.pop(number % len(self.flying))
        self.at += 1e-4
        return self.limit.ended(Sample(started, self.at, outcome, in_flight, 100, number, busy=busy))

    def _answer(self, number: int) -> LimitChange | None:
        return self._end(Outcome.SUCCESS, number)

    def _reject(self, number: int) -> LimitChange | None:
        return self._end(Outcome.OVERLOAD, number, busy=True)

    def _fail(self, number: int) -> LimitChange | None:
        return self._end(Outcome.IGNORED, number)

    def _tick(self, number: int) -> LimitChange | None:
        return self.limit.tick(self.at, len(self.flying), number % 3)

    def _bound(self, number: int) -> LimitChange | None:
        self.floor, self.ceiling = 1 + number % 4, 4 + number
        return self.limit.bound(self.at, self.floor, self.ceiling)

    def _down(self, number: int) -> LimitChange | None:
        return self.limit.down(self.at)

    def _up(self, number: int) -> LimitChange | None:
        return self.limit.up(self.at)

    def _gauges(self, number: int) -> LimitChange | None:
        return self.limit.gauges(Gauges(self.at, number % 3, number))


@pytest.mark.parametrize("maker", MAKERS)
@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=400))
def test_the_limit_is_always_within_bounds_and_says_why(
    maker: Callable[[], Limit], steps: list[tuple[str, float, int]]
) -> None:
    """Whatever happens, the limit is within floor and ceiling, and each change is told once with its reason."""
    play = _Play(maker())
    for step in steps:
        play.step(*step)


@pytest.mark.parametrize("maker", MAKERS[:3])
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["send", "answer", "tick"]), st.floats(0.0, 3.0), st.integers(1, 60))))
def test_it_never_grows_while_under_used(maker: Callable[[], Limit], steps: list[tuple[str, float, int]]) -> None:
    """With at most two thirds of the limit in flight, from the first call on, nothing makes it grow."""
    play = _Play(maker(), used=0.66)
    for step in steps * 4:
        play.step(*step)
    assert all(change.new < change.old for _, change in play.changes)


@settings(max_examples=60, deadline=None)
@given(st.integers(6, 100), st.permutations(range(100)), st.booleans())
def test_never_two_cuts_for_one_cascade(rejected: int, order: list[int], aimd: bool) -> None:
    """Of a hundred calls under way together any number is rejected, in any order: at most one cut."""
    limit: Limit = AimdLimit(100) if aimd else KneeLimit(100)
    for number in range(100):
        limit.started(number * 1e-3, number + 1)
    cuts = 0
    for place, number in enumerate(order):
        outcome = Outcome.OVERLOAD if place < rejected else Outcome.SUCCESS
        sample = Sample(number * 1e-3, 1 + place * 1e-3, outcome, number + 1, 100, 50, busy=True)
        change = limit.ended(sample)
        cuts += change is not None and "rejected" in change.reason and change.new < change.old
    assert cuts == 1 if rejected >= 10 else cuts <= 1
