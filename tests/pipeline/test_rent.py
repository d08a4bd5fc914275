"""A machine paid for by the hour: its calls' shares add up to the time in which it worked."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from decimal import Decimal

import pytest

from core.base.errors import BrokenReplyError, ServerFaultError
from core.base.records import ModelReply, ModelRequest, RunStatus, Usage
from core.pipeline.engine import Engine
from core.pipeline.rent import Meter
from core.pipeline.routes import Route, Unpriced
from tests.pipeline.test_engine import items, patient
from tests.support.clock import FakeClock
from tests.support.fakes import FakeSearcher, FlatPrice, MemoryRecorder, reviews_workload

# 1.80 USD an hour: 0.0005 USD a second.
RENT = Decimal("1.80") / 3600


def shares(calls: Sequence[tuple[float, float]]) -> list[float]:
    """The shares of calls that begin and end at those seconds."""
    clock, meter = FakeClock(0.0), Meter()
    opened = [meter.call(clock) for _ in calls]
    found = [0.0] * len(calls)
    taken = {}
    # At one and the same moment it makes no difference who goes first.
    events = [(begin, n, True) for n, (begin, _) in enumerate(calls)]
    for at, n, begins in sorted(events + [(end, n, False) for n, (_, end) in enumerate(calls)], key=lambda e: e[0]):
        clock.now = at
        if begins:
            taken[n] = opened[n].__enter__()
        else:
            opened[n].__exit__(None, None, None)
            found[n] = taken[n].seconds
    assert meter.in_flight == 0
    return found


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([(0, 10)], [10]),
        ([(0, 10), (20, 25)], [10, 5]),
        ([(0, 10), (0, 10)], [5, 5]),
        # 0-4 one alone, 4-10 both, 10-12 the other alone: 4 + 3 and 3 + 2.
        ([(0, 10), (4, 12)], [7, 5]),
        # One long call under two short ones: 2 + 1 + 1 + 0.5 x 4 ... each second in equal parts.
        ([(0, 10), (2, 4), (2, 6)], [2 + 2 / 3 + 1 + 4, 2 / 3, 2 / 3 + 1]),
    ],
)
def test_each_moment_is_paid_for_in_equal_parts(calls: list[tuple[float, float]], expected: list[float]) -> None:
    """Worked out by hand."""
    assert shares(calls) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(20))
def test_shares_add_up_to_the_time_at_work(seed: int) -> None:
    """However calls overlap: the sum of their shares is the length of the union of their times."""
    rng = random.Random(seed)
    calls = [(begin := rng.uniform(0, 100), begin + rng.expovariate(1 / rng.choice([0.1, 3, 20]))) for _ in range(60)]
    union, until = 0.0, 0.0
    for begin, end in sorted(calls):
        union += max(0.0, end - max(begin, until))
        until = max(until, end)
    assert sum(shares(calls)) == pytest.approx(union)


class SlowModel:
    """Takes a random time for each call; some fail."""

    def __init__(self, clock: FakeClock, *, failing: float = 0.0) -> None:
        self.clock = clock
        self.failing = failing
        self.rng = random.Random(3)
        self.in_flight = 0
        self.busy = 0.0
        self.since = 0.0

    async def complete(self, request: ModelRequest) -> ModelReply:
        if not self.in_flight:
            self.since = self.clock.monotonic()
        self.in_flight += 1
        try:
            await self.clock.sleep(self.rng.uniform(0.5, 6.0))
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self.busy += self.clock.monotonic() - self.since
        if self.rng.random() < self.failing:
            raise ServerFaultError("no") if self.rng.random() < 0.5 else BrokenReplyError("cut")
        return ModelReply("A fine place [1].", Usage(100, 20))

    async def aclose(self) -> None:
        return None


def rented(clock: FakeClock, model: SlowModel, limit: int) -> tuple[Engine, MemoryRecorder]:
    route = Route("gpu", "m", model, Unpriced(), rent=RENT)
    recorder = MemoryRecorder()
    engine = Engine(
        reviews_workload(),
        route=lambda _: route,
        searcher=FakeSearcher(),
        recorder=recorder,
        clock=clock,
        llm_limit=limit,
    )
    return engine, recorder


@pytest.mark.parametrize("failing", [0.0, 0.1])
@pytest.mark.parametrize("limit", [1, 7, 40])
def test_a_runs_costs_are_the_machines_hours(limit: int, failing: float) -> None:
    """The calls of a run, failed ones too, cost what the machine's time at work does: within 0.01 %."""
    clock = FakeClock()
    model = SlowModel(clock, failing=failing)
    engine, recorder = rented(clock, model, limit)
    asyncio.run(patient(engine, clock, items(25), seconds=2_000))
    calls = [settlement for attempt, settlement in recorder.settled if attempt.resource == "llm"]
    assert len(calls) >= 100
    assert all(settlement.cost_usd is not None for settlement in calls)
    total = sum(settlement.cost_usd or 0 for settlement in calls)
    assert float(total) == pytest.approx(float(RENT) * model.busy, rel=1e-4)
    assert engine.context.budget.settled == total
    assert engine.context.budget.reserved == 0


def test_what_is_set_aside_is_a_call_s_part_of_its_deadline() -> None:
    """The first call reserves its whole deadline (60 s: 3 cents), the tenth a tenth of it, whatever its tokens."""
    clock = FakeClock()
    engine, recorder = rented(clock, SlowModel(clock), 10)
    asyncio.run(patient(engine, clock, items(5), seconds=500))
    reserved = [attempt.reserved_usd for attempt in recorder.begun if attempt.resource == "llm"]
    assert reserved[0] == Decimal("0.03")
    assert min(r for r in reserved if r is not None) == Decimal("0.003")


def test_the_budget_holds_for_rented_machines() -> None:
    """A run on a budget of five cents stops there, having spent no more."""
    clock = FakeClock()
    model = SlowModel(clock)
    engine, _ = rented(clock, model, 4)
    engine.context.budget.limit = Decimal("0.05")
    asyncio.run(patient(engine, clock, items(50), seconds=2_000))
    assert engine.halted is not None
    assert engine.halted.status is RunStatus.BUDGET
    assert Decimal(0) < engine.context.budget.settled <= Decimal("0.05")
    assert float(engine.context.budget.settled) == pytest.approx(float(RENT) * model.busy, rel=1e-4)


def test_tokens_are_priced_where_nothing_is_rented() -> None:
    """Without a rent the pricing says what a call may and did cost; a call without usage has no known cost."""
    route = Route("a", "m", SlowModel(FakeClock()), FlatPrice())
    assert route.ceiling(10, 10, 60.0) == route.cost(Usage(1, 1), 3.0) == Decimal("0.01")
    assert route.cost(None, 3.0) is None
