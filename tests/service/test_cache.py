"""The cache of answers: opt-in, keyed by all that determines an answer, bounded, and no attempt in the ledger."""

from __future__ import annotations

import asyncio
from pathlib import Path

from core.base.records import ModelReply, Usage
from core.service import Service
from core.store import Store
from core.store.cache import LONGEST_S, Cache
from tests.service.conftest import RESTAURANTS, WORKLOAD, Open, Server
from tests.service.test_reuse import asked, done, texts
from tests.support.clock import FakeClock

CALLS = 4 * RESTAURANTS


def run(service: Service, *, cache: bool = True) -> str:
    return done(service, service.start(WORKLOAD, "all", who="tester", llm_limit=8, cache=cache))


def test_what_was_asked_before_costs_nothing(opened: Open, steady: Server) -> None:
    """A second run with the cache sends no model call: same texts, citations and evidence, no cost, marked `cached`."""
    service = opened(steady.endpoint)
    first = run(service)
    before = steady.log()
    second = run(service)
    assert steady.since(before)["calls"] == 0
    assert asked(service, second) == {"search": RESTAURANTS}
    was, now = texts(service, first), texts(service, second)
    for key, result in now.items():
        assert (result.text, result.citations, result.evidence) == (
            was[key].text,
            was[key].citations,
            was[key].evidence,
        )
        assert ("cached" in result.flags) is (key[0] != "search")
        assert not result.cost_usd
    told = service.measures(second)
    assert (told["cached"], told["calls"]["llm"], told["cost_usd"]) == (CALLS, 0, 0)
    assert service.run(second).settings["cache"] is True


def test_the_cache_is_opt_in(opened: Open, steady: Server) -> None:
    """A run that did not ask for it neither fills nor uses it."""
    service = opened(steady.endpoint)
    run(service, cache=False)
    assert service.store.cache.size().answers == 0
    run(service)
    assert service.store.cache.size().answers == CALLS
    before = steady.log()
    run(service, cache=False)
    assert steady.since(before)["calls"] == CALLS


def test_another_temperature_is_another_question(opened: Open) -> None:
    """Only the totals are asked anew; cleared, everything is."""
    service = opened()
    run(service)
    warm = opened(env={"RESTAURANT_REVIEWS_TOTAL_SUMMARY_TEMPERATURE": "0.7"})
    assert asked(warm, run(warm)) == {"search": RESTAURANTS, "total_summary": RESTAURANTS}
    assert service.store.cache.clear() == CALLS + RESTAURANTS
    assert asked(service, run(service)).total() == RESTAURANTS + CALLS


def test_the_cache_is_bounded_in_number_and_age(tmp_path: Path) -> None:
    """The oldest answers beyond the most go, and none of more than thirty days is given."""
    clock = FakeClock()
    with Store.open(tmp_path / "b.db", clock=clock) as store:
        cache = Cache(store._readers, store._writer, clock, most=10)
        for n in range(35):
            clock.now += 1
            cache.keep(f"k{n}", ModelReply(f"text {n}", Usage(1, 1)))
            store._writer.run(lambda db: None)
        assert cache.size().answers <= 20
        assert asyncio.run(cache.get("k0")) is None
        assert asyncio.run(cache.get("k34")) == ModelReply("text 34", Usage(1, 1))
        clock.now += LONGEST_S + 1
        assert asyncio.run(cache.get("k34")) is None
