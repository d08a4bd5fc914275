"""The second pass: what failed by bad luck is tried once more at the end; what is broken is not."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest

from core.base.errors import (
    BrokenReplyError,
    ContextTooLongError,
    MalformedError,
    ModelError,
    RateLimitedError,
    SearchUnavailableError,
    ServerFaultError,
)
from core.base.records import ItemStatus, ModelRequest, RunStatus
from core.flow import Backoff
from tests.pipeline.test_engine import assert_nothing_left, build, collect, items, patient
from tests.support.clock import FakeClock

Answer = Callable[[ModelRequest], str]


def failing(name: str, times: int, error: ModelError) -> Answer:
    """The total of one restaurant fails so often, everything else is answered."""
    left = [times]

    def answer(request: ModelRequest) -> str:
        if f"All of {name}" in request.messages[-1].content and left[0]:
            left[0] -= 1
            raise error
        return "Good [1]."

    return answer


def unlucky(seed: int) -> Answer:
    """5 % 500s, 3 % 429s, 2 % resets and 1 % garbage."""
    rng = random.Random(seed)
    faults: list[tuple[float, Callable[[], ModelError]]] = [
        (0.05, lambda: ServerFaultError("kitchen fire", status=500)),
        (0.03, lambda: RateLimitedError("slow down", retry_after=0.1)),
        (0.02, lambda: BrokenReplyError("reset by peer")),
        (0.01, lambda: MalformedError("not JSON")),
    ]

    def answer(_: ModelRequest) -> str:
        drawn = rng.random()
        for share, fault in faults:
            drawn -= share
            if drawn < 0:
                raise fault()
        return "Good [1]."

    return answer


def test_an_item_that_ran_out_of_tries_gets_a_fresh_set_at_the_end() -> None:
    """Three faults of one total: it is asked a fourth time once no new items are left; its aspects are not."""
    clock = FakeClock()
    engine, model, searcher, recorder = build(clock=clock, window=1)
    model.default = failing("Restaurant 0", 3, ServerFaultError("500", status=500))
    results = asyncio.run(patient(engine, clock, items(6)))
    assert {r.status for r in results} == {ItemStatus.DONE}
    assert [r.item.id for r in results][-1] == "r000", "after everything else"
    assert len(model.requests) == 6 * 4 + 3
    assert len(searcher.asked) == 6
    assert Counter((i.item_id, i.status) for i in recorder.items)["r000", ItemStatus.DONE] == 1
    assert engine.context.counters.second_pass == 1
    assert_nothing_left(engine, recorder)


def test_there_is_no_third_pass() -> None:
    """A total that always fails costs twice its tries, and the item is failed with the last reason."""
    clock = FakeClock()
    engine, model, _, recorder = build(clock=clock)
    model.default = failing("Restaurant 0", 1000, MalformedError("gibberish"))
    results = {r.item.id: r for r in asyncio.run(patient(engine, clock, items(6)))}
    assert results["r000"].status is ItemStatus.FAILED
    assert "gibberish" in (results["r000"].error or "")
    assert len(model.requests) == 5 * 4 + 3 + 2 * 2
    assert sum(i.item_id == "r000" for i in recorder.items) == 1
    assert_nothing_left(engine, recorder)


@pytest.mark.parametrize("error", [ContextTooLongError("too long", status=400), ModelError("the dog ate it")])
def test_what_will_not_pass_is_not_tried_again(error: ModelError) -> None:
    """A prompt that is too long even trimmed, or an error without hope, fails its item in the first pass."""
    clock = FakeClock()
    engine, model, _, _ = build(clock=clock)
    model.default = failing("Restaurant 0", 1000, error)
    results = {r.item.id: r.status for r in asyncio.run(patient(engine, clock, items(6)))}
    assert results["r000"] is ItemStatus.FAILED
    assert engine.context.counters.second_pass == 0


def test_where_most_items_fail_nothing_is_tried_again() -> None:
    """Totals that are all garbage are asked for twice each, as without a second pass."""
    clock = FakeClock()
    engine, model, _, recorder = build(clock=clock, window=1)
    model.default = failing("Restaurant", 10_000, MalformedError("gibberish"))
    results = asyncio.run(patient(engine, clock, items(30)))
    assert {r.status for r in results} == {ItemStatus.FAILED}
    assert len(results) == len(recorder.items) == 30
    assert engine.context.counters.second_pass == 0
    assert len(model.requests) == 30 * (3 + 2)
    assert_nothing_left(engine, recorder)


def test_a_lost_search_has_a_second_pass_too() -> None:
    """Three failures of one search: it is done at the end, and so are its texts."""
    clock = FakeClock()
    engine, _, searcher, recorder = build(clock=clock, search_limit=1)
    searcher.enqueue(*[SearchUnavailableError("away")] * 3)
    results = asyncio.run(patient(engine, clock, items(6)))
    assert {r.status for r in results} == {ItemStatus.DONE}
    assert_nothing_left(engine, recorder)


def test_what_waits_for_its_second_pass_is_pending_when_the_run_halts() -> None:
    """The run is stopped before the second pass: the item has come to no end, so whoever resumes does it."""
    clock = FakeClock()
    engine, model, _, recorder = build(clock=clock, window=1)
    first = failing("Restaurant 0", 1000, MalformedError("gibberish"))

    def answer(request: ModelRequest) -> str:
        if "All of Restaurant 5:" in request.messages[-1].content:
            engine.stop(RunStatus.INTERRUPTED, "enough")
        return first(request)

    model.default = answer
    asyncio.run(patient(engine, clock, items(6)))
    assert "r000" not in {i.item_id for i in recorder.items}
    assert engine.halted is not None
    assert_nothing_left(engine, recorder)


@pytest.mark.parametrize("seed", range(5))
def test_three_hundred_items_under_faults_on_a_single_model_are_all_done(seed: int) -> None:
    """At 5 % 500s, 3 % 429s, 2 % resets and 1 % garbage nothing is lost, each result is accepted once."""
    clock = FakeClock()
    engine, model, searcher, recorder = build(clock=clock)
    engine.context.backoff = Backoff(rng=random.Random(seed))
    model.default = unlucky(seed)
    results = asyncio.run(patient(engine, clock, items(300), seconds=3000))
    assert Counter(r.status for r in results) == {ItemStatus.DONE: 300}
    kept = Counter((r.item_id, r.stage, r.part) for r in recorder.results if r.status == "done")
    assert (len(kept), max(kept.values())) == (300 * 7, 1)
    assert len(searcher.asked) == 300
    accepted = Counter((a.item_id, a.parts) for a, s in recorder.settled if s.state == "ok" and a.resource == "llm")
    assert max(accepted.values()) == 1
    assert_nothing_left(engine, recorder)


def test_one_of_two_is_still_worth_it() -> None:
    """Half of the items is not most of them."""
    engine, model, _, _ = build()
    model.default = failing("Restaurant 0", 1, MalformedError("gibberish"))
    assert {r.status for r in asyncio.run(collect(engine, items(2)))} == {ItemStatus.DONE}
