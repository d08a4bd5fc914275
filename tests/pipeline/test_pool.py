"""Pools of endpoints: the least loaded healthy one, and what happens when one dies."""

from __future__ import annotations

import asyncio
from collections import Counter

from core.base.errors import RateLimitedError, UnreachableError
from core.base.records import ItemStatus, ModelRequest
from core.flow import Rates
from core.pipeline.engine import Engine
from core.pipeline.pool import Lane, Pool
from core.pipeline.routes import Route, Unpriced
from tests.pipeline.test_engine import items, patient
from tests.support.clock import FakeClock
from tests.support.fakes import FakeModel, FakeSearcher, MemoryRecorder, reviews_workload


def pool_of(clock: FakeClock, limits: list[int | None]) -> tuple[Pool, list[FakeModel]]:
    models = [FakeModel("Good [1].") for _ in limits]
    lanes = [
        (Lane(f"gpu{n}", limit=limit, clock=clock), Route(f"gpu{n}", "m", models[n], Unpriced()))
        for n, limit in enumerate(limits)
    ]
    return Pool(lanes, clock=clock), models


def engine_on(pool: Pool, clock: FakeClock, **over: int) -> tuple[Engine, MemoryRecorder]:
    recorder = MemoryRecorder()
    engine = Engine(
        reviews_workload(), pools=lambda _: pool, searcher=FakeSearcher(), recorder=recorder, clock=clock, **over
    )
    return engine, recorder


def test_calls_are_shared_by_the_limits_and_never_pass_them() -> None:
    """Three endpoints of 1, 2 and 4 places are each used up to their own limit, all at once."""

    async def main() -> None:
        clock = FakeClock()
        pool, models = pool_of(clock, [1, 2, 4])
        engine, _ = engine_on(pool, clock, llm_limit=50)
        for model in models:
            model.hold = asyncio.Event()
        running = asyncio.create_task(patient(engine, clock, items(30)))
        for _ in range(40):
            await asyncio.sleep(0)
        await clock.advance(1.0)
        assert [model.in_flight for model in models] == [1, 2, 4]
        for model in models:
            model.hold.set()  # type: ignore[union-attr]
        assert len(await running) == 30
        assert [model.peak for model in models] == [1, 2, 4]
        assert [lane.in_flight for lane in pool.lanes] == [0, 0, 0]
        assert pool.places is not None
        assert pool.places.in_flight == 0

    asyncio.run(main())


def test_a_dead_endpoint_loses_its_calls_to_the_others_and_gets_them_back() -> None:
    """While one of two is down the other does the work and no item is lost; after it returns it is used again."""
    clock = FakeClock()
    pool, models = pool_of(clock, [None, None])
    dies, returns = clock.now + 2, clock.now + 20

    def answer(_: ModelRequest) -> str:
        if dies <= clock.now < returns:
            raise UnreachableError("connection refused")
        return "Good [1]."

    models[0].default = answer
    engine, recorder = engine_on(pool, clock, llm_limit=4)

    async def slowly(model: FakeModel) -> None:
        while True:
            await clock.sleep(0.25)
            hold, model.hold = model.hold, asyncio.Event()
            if hold:
                hold.set()

    async def main() -> list[ItemStatus]:
        beats = [asyncio.create_task(slowly(model)) for model in models]
        results = await patient(engine, clock, items(240))
        for beat in beats:
            beat.cancel()
        return [result.status for result in results]

    statuses = asyncio.run(main())
    assert Counter(statuses) == {ItemStatus.DONE: 240}
    late = [a for a in recorder.begun if a.endpoint == "gpu0" and a.started_at > returns]
    assert len(late) > 20
    assert engine.halted is None


def test_an_item_keeps_to_one_endpoint_where_that_costs_nothing() -> None:
    """Among equally loaded endpoints an item's calls go to the same one, and items are spread over all."""
    clock = FakeClock()
    pool, _ = pool_of(clock, [8, 8, 8])
    picks = {f"r{n}": {pool.pick(f"r{n}") for _ in range(5)} for n in range(60)}
    assert all(len(lanes) == 1 for lanes in picks.values())
    assert len({lane for lanes in picks.values() for lane in lanes}) == 3


def test_an_endpoint_that_answers_more_at_once_gets_more() -> None:
    """Without limits it counts how fast calls are done one after the other, not how long each takes."""
    pool, _ = pool_of(FakeClock(), [None, None])
    small, large = pool.lanes
    for lane, seats in ((small, 2), (large, 8)):
        lane.in_flight = seats
        lane.answered(0.3)
    taken: Counter[str] = Counter()
    small.in_flight = large.in_flight = 0
    for n in range(20):
        picked = pool.pick(f"r{n}")
        assert picked is not None
        picked.in_flight += 1
        taken[picked.name] += 1
    assert taken["gpu1"] >= 3 * taken["gpu0"] > 0


def test_a_new_endpoint_is_tried_like_the_fastest() -> None:
    """One that has answered nothing yet is neither flooded nor left out."""
    pool, _ = pool_of(FakeClock(), [None, None])
    known, new = pool.lanes
    known.in_flight = 4
    known.answered(0.4)
    for n in range(12):
        picked = pool.pick(f"r{n}")
        assert picked is not None
        picked.in_flight += 1
    assert abs(known.in_flight - new.in_flight) <= 1


BARE = RateLimitedError("slow down")
FULL = RateLimitedError("the queue is full", retry_after=1.0)
FULL.busy = True


def rejected(lane: Lane, clock: FakeClock, error: RateLimitedError, others: int) -> None:
    """Six calls are rejected while so many others are in flight."""
    started = clock.now
    clock.now += 0.01
    for _ in range(6):
        lane.in_flight = others + 1
        lane.rejected(error, started)
    lane.in_flight = others


def test_a_cascade_without_a_word_of_a_quota_limits_what_is_in_flight() -> None:
    """Nothing is held: the next call leaves as soon as another is back."""
    for error in (BARE, FULL):
        clock = FakeClock()
        lane = Lane("gpu", clock=clock)
        rejected(lane, clock, error, 12)
        assert (lane.limit, lane.full, lane.rates.opens_in) == (12, True, 0.0)
        lane.in_flight -= 1
        assert not lane.full


def test_a_quota_that_is_known_or_told_holds_the_calls_instead() -> None:
    """A quota's rejections say how fast, not how many at once; only words of the crowd are stronger."""
    clock = FakeClock()
    known = Lane("gpu", clock=clock, rates=Rates(rpm=600, clock=clock))
    told = Lane("gpu", clock=clock)
    rejected(known, clock, BARE, 12)
    rejected(told, clock, RateLimitedError("slow down", retry_after=7.0), 12)
    for lane in (known, told):
        assert lane.limit is None
        assert lane.rates.opens_in > 0
    spoken = Lane("gpu", clock=clock, rates=Rates(rpm=600, clock=clock))
    rejected(spoken, clock, FULL, 12)
    assert (spoken.limit, spoken.rates.opens_in) == (12, 0.0)
