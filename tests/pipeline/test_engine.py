"""The engine: order, isolation of failures, commands, money, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from core.base.errors import (
    BrokenReplyError,
    ContextTooLongError,
    MalformedError,
    ModelError,
    RateLimitedError,
    RefusedError,
    RejectedError,
    SearchUnavailableError,
    ServerFaultError,
    StoreFullError,
    UnreachableError,
)
from core.base.records import Item, ItemStatus, ModelRequest, RunStatus
from core.pipeline.engine import Engine, ItemResult
from core.pipeline.feed import Work
from core.pipeline.routes import Route
from tests.support.clock import FakeClock, settle
from tests.support.fakes import (
    FakeModel,
    FakeSearcher,
    FlatPrice,
    MemoryRecorder,
    cards_workload,
    reviews_workload,
)


def items(count: int) -> list[Item]:
    return [Item(f"r{n:03}", f"Restaurant {n}") for n in range(count)]


def cards(count: int) -> Item:
    return Item("reading", "A reading", "reading", {"cards": [{"id": f"c{n}", "meaning": "m"} for n in range(count)]})


async def collect(engine: Engine, work: Iterable[Item]) -> list[ItemResult]:
    async with engine:
        return [result async for result in engine.run(list(work))]


async def patient(engine: Engine, clock: FakeClock, work: Iterable[Item], seconds: float = 300.0) -> list[ItemResult]:
    """Collect while a hand-moved clock runs on until the run is through."""
    running = asyncio.create_task(collect(engine, work))
    for _ in range(int(seconds)):
        await clock.advance(1.0)
        if running.done():
            break
    return await asyncio.wait_for(running, 5)


def build(**over: Any) -> tuple[Engine, FakeModel, FakeSearcher, MemoryRecorder]:
    model, searcher, recorder = FakeModel(), FakeSearcher(), MemoryRecorder()
    given: dict[str, Any] = {"model": model, "searcher": searcher, "recorder": recorder}
    engine = Engine(over.pop("workload", None) or reviews_workload(), **(given | over))
    return engine, model, searcher, recorder


def assert_nothing_left(engine: Engine, recorder: MemoryRecorder) -> None:
    assert {g.name: g.in_flight for g in engine.gates.values()} == {"search": 0, "llm": 0}
    assert recorder.open_attempts() == 0
    assert engine.context.budget.reserved == 0


def test_every_item_is_searched_once_and_summarised_four_times() -> None:
    """Each of 20 restaurants costs one batched search, three aspect calls and one total, each result once."""
    engine, model, searcher, recorder = build()
    results = asyncio.run(collect(engine, items(20)))
    assert {r.status for r in results} == {ItemStatus.DONE}
    assert len(searcher.asked) == 20
    assert len(model.requests) == 80
    keys = [(r.item_id, r.stage, r.part) for r in recorder.results]
    assert len(keys) == len(set(keys)) == 20 * 7
    assert results[0].text("total_summary") == "A fine place."
    assert_nothing_left(engine, recorder)


def test_the_attempt_is_in_the_ledger_before_the_call_is_sent() -> None:
    """When the model sees a request, its attempt has been committed."""
    engine, model, _, recorder = build()
    seen: list[int] = []
    model.default = lambda _: str(seen.append(recorder.open_attempts()))
    asyncio.run(collect(engine, items(2)))
    assert min(seen) >= 1


def test_the_oldest_item_goes_first_and_no_stage_waits_for_another() -> None:
    """With one model permit the first restaurant is complete within five calls, and totals come in order."""
    engine, _, _, recorder = build(llm_limit=1)
    asyncio.run(collect(engine, items(8)))
    order = [(a.item_id, a.stage) for a in recorder.begun if a.resource == "llm"]
    assert ("r000", "total_summary") in order[:5]
    assert [item for item, stage in order if stage == "total_summary"] == [f"r{n:03}" for n in range(8)]


def test_an_aspect_does_not_wait_for_other_items_searches() -> None:
    """While one restaurant's search hangs, all the others finish."""
    engine, _, searcher, _ = build(search_limit=2)

    async def main() -> list[str]:
        searcher.hold["r000"] = asyncio.Event()
        done: list[str] = []
        async with engine:
            async for result in engine.run(items(6)):
                done.append(result.item.id)
                if len(done) == 5:
                    searcher.hold["r000"].set()
        return done

    done = asyncio.run(main())
    assert done[-1] == "r000"
    assert len(done) == 6


def test_limits_hold_and_a_raise_is_felt_at_once() -> None:
    """No more calls are in flight than the limit; raised from 2 to 5 exactly three more start."""
    engine, model, _, recorder = build(llm_limit=2)

    async def main() -> None:
        model.hold = asyncio.Event()
        running = asyncio.create_task(collect(engine, items(10)))
        await settle(200)
        assert model.in_flight == 2
        engine.resize("llm", 5)
        await settle(50)
        assert model.in_flight == 5
        engine.resize("llm", 1)
        model.hold.set()
        assert len(await running) == 10

    asyncio.run(main())
    assert model.peak == 5
    assert_nothing_left(engine, recorder)


def test_a_failed_item_leaves_its_neighbours_alone() -> None:
    """One restaurant whose model calls fail for good is failed with its reason; the nineteen others are done."""

    def answer(request: ModelRequest) -> str:
        if "Restaurant 7" in request.messages[-1].content:
            raise ModelError("the dog ate it")
        return "Good [1]."

    engine, model, _, recorder = build()
    model.default = answer
    results = {r.item.id: r for r in asyncio.run(collect(engine, items(20)))}
    assert results["r007"].status is ItemStatus.FAILED
    assert "the dog ate it" in (results["r007"].error or "")
    assert sum(r.status is ItemStatus.DONE for r in results.values()) == 19
    assert_nothing_left(engine, recorder)


def test_a_bug_fails_the_item_and_not_the_run() -> None:
    """An unexpected exception from a model client is that item's failure only."""
    engine, model, _, recorder = build(llm_limit=1)
    model.enqueue(RuntimeError("a bug"))
    results = asyncio.run(collect(engine, items(5)))
    assert sorted(r.status for r in results).count(ItemStatus.FAILED) == 1
    assert engine.halted is None
    assert {g.in_flight for g in engine.gates.values()} == {0}
    assert len(recorder.items) == 5


@pytest.mark.parametrize("fault", [ServerFaultError("500", status=500), BrokenReplyError("reset"), MalformedError("?")])
def test_a_passing_fault_is_retried(fault: ModelError) -> None:
    """A server fault, a broken reply and an answer that does not parse each cost one more attempt, not the item."""
    clock = FakeClock()
    engine, model, _, recorder = build(clock=clock)
    model.enqueue(fault)
    results = asyncio.run(patient(engine, clock, items(3)))
    assert {r.status for r in results} == {ItemStatus.DONE}
    assert len(model.requests) == 13
    assert max(a.number for a in recorder.begun) == 2
    assert engine.context.counters.retries == 1


def test_a_call_that_waits_to_retry_holds_no_permit() -> None:
    """While a failed call backs off, another item's call uses the only permit."""
    clock = FakeClock()
    engine, model, _, _ = build(clock=clock, llm_limit=1)
    model.enqueue(ServerFaultError("500", status=500))

    async def main() -> None:
        running = asyncio.create_task(collect(engine, items(2)))
        await settle(300)
        assert len(model.requests) >= 5
        assert engine.gates["llm"].in_flight == 0
        while not running.done():
            await clock.advance(1.0)

    asyncio.run(main())


def test_three_faults_are_enough() -> None:
    """A call that fails three times fails its item; it is not tried a fourth time."""

    def answer(request: ModelRequest) -> str:
        if "All of" in request.messages[-1].content:
            raise ServerFaultError("the server says 500", status=500)
        return "Good [1]."

    clock = FakeClock()
    engine, model, _, recorder = build(clock=clock)
    model.default = answer
    results = asyncio.run(patient(engine, clock, items(1)))
    assert results[0].status is ItemStatus.FAILED
    assert "500" in (results[0].error or "")
    assert len(model.requests) == 6
    assert {s.state for _, s in recorder.settled if s.error} == {"failed"}


def test_a_cascade_of_rejections_closes_the_endpoint_for_all_and_burns_no_attempt() -> None:
    """Once it is plain that 429s are no accident nothing is sent until Retry-After, then everything finishes."""
    clock = FakeClock()
    engine, model, _, recorder = build(clock=clock, llm_limit=4)
    model.enqueue(*[RateLimitedError("slow down", retry_after=7.0) for _ in range(8)])

    async def main() -> None:
        running = asyncio.create_task(collect(engine, items(5)))
        await settle(300)
        sent = len(model.requests)
        assert sent <= 8
        await clock.advance(6.9)
        assert len(model.requests) == sent
        for _ in range(200):
            await clock.advance(1.0)
        assert {r.status for r in await running} == {ItemStatus.DONE}

    asyncio.run(main())
    assert engine.context.counters.rate_limited == 8
    assert {s.state for _, s in recorder.settled if s.error} == {"rate_limited"}


def test_a_rejected_key_pauses_the_run_at_once() -> None:
    """A 401 stops admission; what was in flight is all that was wasted, and no item is failed by it."""
    engine, model, _, recorder = build(llm_limit=3)
    model.default = RejectedError("401: the key is wrong", status=401)
    results = asyncio.run(collect(engine, items(30)))
    assert results == []
    assert engine.halted is not None
    assert engine.halted.status is RunStatus.PAUSED
    assert "key is wrong" in engine.halted.reason
    assert len(model.requests) <= 3
    assert_nothing_left(engine, recorder)


def test_an_unreachable_server_pauses_rather_than_fails() -> None:
    """When nobody has answered for a minute and a half, the run pauses with the reason and the items stay pending."""
    clock = FakeClock()
    engine, model, _, recorder = build(clock=clock)
    model.default = UnreachableError("cannot connect to 127.0.0.1:9")
    assert asyncio.run(patient(engine, clock, items(4))) == []
    assert engine.halted is not None
    assert "cannot connect" in engine.halted.reason
    assert recorder.items == []


def test_a_refusal_is_not_retried_and_the_total_goes_on() -> None:
    """One refused aspect is marked refused after one call; the total is written from the others."""
    engine, model, _, recorder = build(llm_limit=1)
    model.enqueue(RefusedError("content filter"))
    results = asyncio.run(collect(engine, items(1)))
    assert results[0].status is ItemStatus.DONE
    assert len(model.requests) == 4
    assert [r.part for r in recorder.results if r.status == "refused"] == ["service"]


def test_a_context_too_long_is_trimmed_once() -> None:
    """The second try carries less evidence and its result says so."""
    engine, model, _, recorder = build(llm_limit=1)
    model.enqueue(ContextTooLongError("too long"))
    results = asyncio.run(collect(engine, items(1)))
    assert results[0].status is ItemStatus.DONE
    first, second = (
        r for r in model.requests if "service" in r.messages[-1].content and "[1]" in r.messages[-1].content
    )
    assert len(second.messages[-1].content) < len(first.messages[-1].content)
    assert any("trimmed" in r.flags for r in recorder.results)


def test_a_fallback_takes_over_and_is_flagged() -> None:
    """When the first model of the chain gives up, the second answers; the result names it and is flagged."""
    good, bad = FakeModel(), FakeModel(ModelError("no"))
    routes = {"": Route("a", "big", bad, FlatPrice()), "small": Route("b", "small", good, FlatPrice())}
    workload = reviews_workload(fallback=("small",))
    engine, _, _, recorder = build(workload=workload, model=None, route=routes.__getitem__)
    bad.enqueue(*["Fine [1]."] * 3)
    results = asyncio.run(collect(engine, items(1)))
    total = next(r for r in recorder.results if r.stage == "total_summary")
    assert results[0].status is ItemStatus.DONE
    assert (total.model, total.flags[0]) == ("small", "fallback")
    assert engine.context.counters.fallbacks == 1


def test_no_evidence_costs_nothing_and_the_total_goes_on() -> None:
    """An aspect that nobody speaks of is not asked of the model; with none at all the item has no reviews."""
    engine, model, searcher, recorder = build()
    searcher.empty = {"price"}
    assert asyncio.run(collect(engine, items(1)))[0].status is ItemStatus.DONE
    assert len(model.requests) == 3
    assert [r.part for r in recorder.results if r.status == "no_evidence" and r.stage == "aspect_summary"] == ["price"]

    engine, model, searcher, _ = build()
    searcher.empty = {"price", "service", "food"}
    assert asyncio.run(collect(engine, items(1)))[0].status is ItemStatus.NO_REVIEWS
    assert model.requests == []


def test_a_search_is_tried_three_times_then_the_item_fails() -> None:
    """Two passing failures cost nothing but time; a third fails the item and only it."""
    clock = FakeClock()
    engine, _, searcher, _ = build(clock=clock)
    searcher.enqueue(*[SearchUnavailableError("down")] * 2)
    assert asyncio.run(patient(engine, clock, items(1)))[0].status is ItemStatus.DONE
    engine, _, searcher, _ = build(clock=clock)
    searcher.enqueue(*[SearchUnavailableError("qdrant is down")] * 3)
    result = asyncio.run(patient(engine, clock, items(1)))[0]
    assert (result.status, "qdrant is down" in (result.error or "")) == (ItemStatus.FAILED, True)


def test_a_dead_search_backend_pauses_the_run() -> None:
    """Five searches given up in a row pause the run: thousands of items are not failed one by one."""
    clock = FakeClock()
    engine, _, searcher, recorder = build(clock=clock, search_limit=1)
    searcher.enqueue(*[SearchUnavailableError("down")] * 1000)
    asyncio.run(patient(engine, clock, items(100)))
    assert engine.halted is not None
    assert engine.halted.status is RunStatus.PAUSED
    assert len(recorder.items) < 20


def test_the_budget_is_never_passed_at_admission() -> None:
    """With a cent a call and ten cents, ten calls are made, then the run says that its budget is reached."""
    model = FakeModel()
    route = Route("a", "m", model, FlatPrice())
    engine, _, _, recorder = build(model=None, route=lambda _: route)
    engine.context.budget.limit = Decimal("0.10")
    asyncio.run(collect(engine, items(20)))
    assert engine.halted is not None
    assert engine.halted.status is RunStatus.BUDGET
    assert len(model.requests) == 10
    assert sum(s.cost_usd or 0 for _, s in recorder.settled) == Decimal("0.10")
    assert_nothing_left(engine, recorder)


def test_ten_cards_are_four_calls_and_a_malformed_batch_is_split() -> None:
    """Batches 3-3-3-1; the one that comes back as prose twice is asked card by card."""

    def answer(request: ModelRequest) -> str:
        text = request.messages[-1].content
        if not request.json:
            return "A reading."
        ids = [f"c{n}" for n in range(10) if f'"c{n}"' in text]
        if "c3" in ids:
            return "Well, let me think"
        return json.dumps({"results": [{"id": i, "text": f"about {i}"} for i in ids]})

    clock = FakeClock()
    engine, model, _, recorder = build(workload=cards_workload(), searcher=None, clock=clock)
    model.default = answer
    results = asyncio.run(patient(engine, clock, [cards(10)]))
    assert results[0].status is ItemStatus.DONE
    assert len([r for r in recorder.results if r.stage == "card"]) == 10
    batches = [a.parts for a in recorder.begun if a.stage == "card"]
    assert batches.count(("c3", "c4", "c5")) == 2
    assert {("c3",), ("c4",), ("c5",), ("c9",)} <= set(batches)


def test_pause_sends_nothing_new_and_resume_goes_on() -> None:
    """After pause the calls in flight finish and no other is sent until resume."""
    engine, model, _, _ = build(llm_limit=2)

    async def main() -> int:
        model.hold = asyncio.Event()
        running = asyncio.create_task(collect(engine, items(5)))
        await settle(200)
        engine.pause()
        model.hold.set()
        await settle(200)
        sent = len(model.requests)
        engine.resume()
        assert len(await running) == 5
        return sent

    assert asyncio.run(main()) == 2


def test_abort_leaves_no_permit_task_or_open_attempt() -> None:
    """Cancelling in mid-flight settles every attempt as cancelled and returns every permit."""
    engine, model, _, recorder = build(llm_limit=6)

    async def main() -> None:
        model.hold = asyncio.Event()
        running = asyncio.create_task(collect(engine, items(10)))
        await settle(200)
        assert model.in_flight == 6
        engine.abort(RunStatus.CANCELLED, "enough")
        assert await running == []
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())
    assert [s.state for _, s in recorder.settled].count("cancelled") == 6
    assert_nothing_left(engine, recorder)


def test_stop_lets_what_is_in_flight_finish() -> None:
    """A drain loses no reply: calls in flight are settled as ok and their items stay pending or done."""
    engine, model, _, recorder = build(llm_limit=4)

    async def main() -> None:
        model.hold = asyncio.Event()
        running = asyncio.create_task(collect(engine, items(10)))
        await settle(200)
        engine.stop(RunStatus.INTERRUPTED, "SIGTERM")
        await settle(10)
        model.hold.set()
        await running

    asyncio.run(main())
    assert [s.state for a, s in recorder.settled if a.resource == "llm"] == ["ok"] * 4
    assert_nothing_left(engine, recorder)


def test_leaving_the_loop_early_cancels_the_rest() -> None:
    """A caller that breaks out of `run` leaves no task behind."""
    engine, _, _, recorder = build(llm_limit=2)

    async def main() -> None:
        async with engine:
            run = engine.run(items(50))
            async for _ in run:
                break
            await run.aclose()
        await settle()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())
    assert {g.in_flight for g in engine.gates.values()} == {0}
    assert recorder.open_attempts() == 0


def test_what_is_done_is_not_done_again() -> None:
    """With the results of an earlier session a restaurant costs only the calls that are missing."""
    engine, _, _, recorder = build()
    asyncio.run(collect(engine, items(1)))
    prior = [r for r in recorder.results if r.part != "food" or r.stage == "search"]
    prior = [r for r in prior if r.stage != "total_summary"]
    again, model, searcher, _ = build()

    async def work() -> Any:
        yield Work(items(1)[0], 0, prior)

    async def main() -> list[ItemResult]:
        async with again:
            return [r async for r in again.run(work())]

    results = asyncio.run(main())
    assert results[0].status is ItemStatus.DONE
    assert (len(model.requests), searcher.asked) == (2, [])


def test_a_full_disk_stops_paid_calls_at_once() -> None:
    """When the ledger cannot record, no call is sent and the run pauses with the reason."""
    engine, model, _, recorder = build()
    recorder.fail_with = StoreFullError("the disk is full")
    asyncio.run(collect(engine, items(20)))
    assert engine.halted is not None
    assert "disk is full" in engine.halted.reason
    assert model.requests == []


def test_the_window_bounds_the_items_in_flight() -> None:
    """With a window of 3 never more than three restaurants are begun and unfinished."""
    engine, model, searcher, recorder = build(window=3, llm_limit=50, search_limit=50)
    open_items: list[int] = []
    model.default = lambda _: str(open_items.append(len(searcher.asked) - len(recorder.items)))
    asyncio.run(collect(engine, items(30)))
    assert max(open_items) == 3
    assert len(model.requests) == 120


def test_a_bad_item_fails_by_itself() -> None:
    """A reading without its list of cards is failed with the field's name; the next reading is done."""
    engine, model, _, _ = build(workload=cards_workload(batch=1), searcher=None)
    model.default = "Text."
    bad = Item("bad", "Bad", "reading", {})
    results = {r.item.id: r for r in asyncio.run(collect(engine, [bad, cards(2)]))}
    assert results["bad"].status is ItemStatus.FAILED
    assert "cards" in (results["bad"].error or "")
    assert results["reading"].status is ItemStatus.DONE


def test_an_outage_is_waited_out() -> None:
    """A server that is down for half a minute costs half a minute: no item, and one probe at a time."""
    clock = FakeClock()
    engine, model, _, _ = build(clock=clock)
    back = clock.now + 30

    def answer(_: ModelRequest) -> str:
        if clock.now < back:
            raise UnreachableError("connection refused")
        return "Good [1]."

    model.default = answer
    results = asyncio.run(patient(engine, clock, items(6)))
    assert {r.status for r in results} == {ItemStatus.DONE}
    assert engine.halted is None
    assert len(model.requests) < 24 + 16 + 10
    assert clock.now < back + 45


def test_a_stray_rejection_slows_nobody() -> None:
    """One 429 with Retry-After makes its own call wait; all others go on."""
    clock = FakeClock()
    engine, model, _, recorder = build(clock=clock, llm_limit=2)
    model.enqueue(RateLimitedError("one moment", retry_after=5.0))

    async def main() -> None:
        running = asyncio.create_task(collect(engine, items(5)))
        await settle(600)
        assert len(recorder.items) == 4
        while not running.done():
            await clock.advance(1.0)
        assert {r.status for r in running.result()} == {ItemStatus.DONE}

    asyncio.run(main())
