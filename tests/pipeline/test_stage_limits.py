"""A stage's own most of calls in flight, beside the run's limit and the workload's, changed while the run goes on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from core.base.allocation import Allocation
from core.base.errors import RateLimitedError
from core.base.records import ItemStatus, ModelReply, ModelRequest, RunStatus, Usage
from core.base.workload import Stage
from core.pipeline.engine import Engine
from core.pipeline.pool import Lane, Pool
from core.pipeline.routes import Route, Unpriced
from tests.pipeline.test_engine import items, patient
from tests.support.clock import FakeClock, settle
from tests.support.fakes import FakeSearcher, MemoryRecorder, reviews_workload

ASPECT, TOTAL = "aspect_summary", "total_summary"


class StagedModel:
    """Takes a second for every call and knows how many of each stage are in flight; `fail` may reject a call."""

    def __init__(self, clock: FakeClock, fail: Callable[[int], bool] = lambda _: False) -> None:
        self.clock = clock
        self.fail = fail
        self.calls = 0
        self.in_flight: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()
        self.together = 0

    async def complete(self, request: ModelRequest) -> ModelReply:
        stage = TOTAL if request.messages[-1].content.startswith("All of") else ASPECT
        self.calls += 1
        number = self.calls
        self.in_flight[stage] += 1
        self.peak[stage] = max(self.peak[stage], self.in_flight[stage])
        self.together = max(self.together, self.in_flight.total())
        try:
            await self.clock.sleep(1.0)
            if self.fail(number):
                raise RateLimitedError("slow down", retry_after=2.0)
            return ModelReply("Good [1].", Usage(100, 20))
        finally:
            self.in_flight[stage] -= 1

    async def aclose(self) -> None:
        return None


class Kitchen:
    """An engine on a hand-moved clock whose stages have limits of their own."""

    def __init__(self, most: dict[str, int], *, limit: int | None = None, llm_limit: int = 12, rpm: int | None = None):
        self.clock = FakeClock()
        self.most = most
        self.model = StagedModel(self.clock)
        self.recorder = MemoryRecorder()
        lane = Lane("gpu", limit=limit, clock=self.clock)
        if rpm:
            lane.rates.retune(rpm, None)
        self.pool = Pool([(lane, Route("gpu", "m", self.model, Unpriced()))], clock=self.clock)
        self.engine = Engine(
            reviews_workload(),
            pools=lambda _: self.pool,
            allocate=self.allocate,
            searcher=FakeSearcher(),
            recorder=self.recorder,
            llm_limit=llm_limit,
            clock=self.clock,
        )

    def allocate(self, stage: Stage) -> Allocation:
        return Allocation("m", stage.max_tokens, max_concurrent=self.most.get(stage.id))

    async def finish(self, count: int) -> None:
        results = await patient(self.engine, self.clock, items(count))
        assert [result.status for result in results] == [ItemStatus.DONE] * count
        gates = (*self.engine.gates.values(), *self.engine.context.stage_gates.values(), self.pool.places)
        assert [gate.in_flight for gate in gates] == [0] * len(gates)


def test_a_stage_never_passes_its_own_limit_and_others_go_on() -> None:
    """With two aspects at most, there are two in flight, and totals run beside them up to the run's limit."""
    kitchen = Kitchen({ASPECT: 2})
    asyncio.run(kitchen.finish(12))
    assert kitchen.model.peak[ASPECT] == 2
    assert kitchen.model.peak[TOTAL] >= 1
    assert kitchen.model.together > 2


def test_a_stage_that_waits_for_its_own_limit_holds_none_of_the_runs_permits() -> None:
    """The only permit of one stage is held up; the others use the run's two permits all the while."""

    async def main() -> None:
        kitchen = Kitchen({TOTAL: 1}, llm_limit=2)
        running = asyncio.create_task(kitchen.finish(6))
        await kitchen.clock.advance(3.5)
        gate = kitchen.engine.gates["llm"]
        assert gate.in_flight == 2
        assert kitchen.model.in_flight.total() == 2, "every permit is with a call that is in flight"
        await running
        assert kitchen.model.peak[TOTAL] == 1

    asyncio.run(main())


def test_raising_wakes_and_lowering_lets_finish() -> None:
    """Raised from one to three, three are in flight at once; lowered to two, those finish and then two are."""

    async def main() -> None:
        kitchen = Kitchen({ASPECT: 1})
        running = asyncio.create_task(kitchen.finish(10))
        await kitchen.clock.advance(2.5)
        assert kitchen.model.peak[ASPECT] == 1
        kitchen.most[ASPECT] = 3
        kitchen.engine.reallocate()
        await settle()
        assert kitchen.model.in_flight[ASPECT] == 3
        kitchen.most[ASPECT] = 2
        kitchen.engine.reallocate()
        await settle()
        assert kitchen.model.in_flight[ASPECT] == 3
        kitchen.model.peak.clear()
        await kitchen.clock.advance(2.5)
        assert kitchen.model.peak[ASPECT] <= 2
        del kitchen.most[ASPECT]
        kitchen.engine.reallocate()
        await kitchen.clock.advance(1.1)
        assert kitchen.model.in_flight[ASPECT] > 3
        await running

    asyncio.run(main())


@pytest.mark.parametrize("limit", [None, 3])
def test_no_two_waits_hold_each_other_up(limit: int | None) -> None:
    """Stage limits, an endpoint's places, the run's permits and a quota with rejections, all scarce: all is done."""
    kitchen = Kitchen({ASPECT: 2, TOTAL: 1}, limit=limit, llm_limit=2, rpm=90)
    kitchen.model.fail = lambda number: number % 7 == 0
    asyncio.run(kitchen.finish(10))
    assert kitchen.model.peak[ASPECT] <= 2
    assert kitchen.model.peak[TOTAL] <= 1


def test_a_halted_run_wakes_who_waits_for_a_stage() -> None:
    """Nobody waits for a stage's permit for ever when the run is stopped."""

    async def main() -> None:
        kitchen = Kitchen({ASPECT: 1})
        running = asyncio.create_task(patient(kitchen.engine, kitchen.clock, items(8)))
        await kitchen.clock.advance(0.5)
        assert kitchen.engine.context.stage_gates[ASPECT].waiting > 0
        kitchen.engine.stop(RunStatus.INTERRUPTED, "enough")
        assert await running == []
        assert kitchen.recorder.open_attempts() == 0

    asyncio.run(main())


def test_the_workloads_most_follows_and_gives_the_runs_limit_back() -> None:
    """Capped at three the run has three in flight whatever its limit is set to; lifted, the limit last set holds."""

    async def main() -> None:
        kitchen = Kitchen({}, llm_limit=8)
        gate = kitchen.engine.gates["llm"]
        kitchen.engine.cap(3)
        running = asyncio.create_task(kitchen.finish(12))
        await kitchen.clock.advance(2.5)
        assert (gate.limit, kitchen.model.together) == (3, 3)
        kitchen.engine.resize("llm", 6)
        assert gate.limit == 3
        kitchen.engine.cap(None)
        assert gate.limit == 6
        await kitchen.clock.advance(1.5)
        assert kitchen.model.together == 6
        await running

    asyncio.run(main())
