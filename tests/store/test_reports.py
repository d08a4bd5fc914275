"""What pages read: results, requests, gates, measures, history."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from core.base.errors import UnknownError
from core.base.records import Citation, Evidence, ItemStatus, Outcome, Review, RunStatus, Settlement, Usage
from core.store import Store
from tests.store.kitchen import (
    FAILED,
    OK,
    RUN,
    add_items,
    call,
    complete,
    done,
    finish_call,
    found,
    gate,
    start_run,
    text,
)

SOUP = Evidence("v1", "The soup was hot.", 0.9, 2, "Ann", 5.0)
STAFF = Evidence("v2", "The staff were kind.", 0.8, 0)


def test_a_text_shows_the_sentences_it_used(store: Store) -> None:
    """Stored once with the search, joined when read: of its own part first, of any part for the total."""
    add_items(store)
    start_run(store)
    aspect = text(evidence=[SOUP], citations=(Citation(0, 4, ("v1",)),))
    total = text(part="", words="All in all good.", evidence=[STAFF, SOUP])
    asyncio.run(store.ledger.save([found(evidence=[SOUP, STAFF]), aspect, total]))
    search, summary, whole = store.reports.results(RUN, "r0")
    assert search.evidence == (SOUP, STAFF)
    assert (summary.evidence, summary.citations) == ((SOUP,), aspect.citations)
    assert whole.evidence == (STAFF, SOUP)
    assert summary.item_name == "Restaurant 0"
    stored = store._readers.value("SELECT sum(length(evidence)) FROM results WHERE text <> ''")
    assert stored is None


def test_evidence_without_a_search_is_looked_up_in_the_reviews(store: Store) -> None:
    """An existing index has no search on record; the imported review stands in, or at least its id."""
    store.catalogue.put_reviews([Review("r0", "Restaurant 0", "v1", "The soup was hot. We loved it.", author="Ann")])
    start_run(store)
    asyncio.run(store.ledger.save([text(evidence=[SOUP, STAFF])]))
    (result,) = store.reports.results(RUN)
    assert [(e.review_id, e.text, e.author) for e in result.evidence] == [
        ("v1", "The soup was hot. We loved it.", "Ann"), ("v2", "", None),
    ]  # fmt: skip


def test_results_come_by_item_position(store: Store) -> None:
    """Whatever finished first; filtered by item and stage, and in pages."""
    add_items(store)
    start_run(store)
    for item in ("r2", "r0", "r1"):
        asyncio.run(store.ledger.save([found(item), text(item)]))
    assert [r.item_id for r in store.reports.results(RUN, stage="search")] == ["r0", "r1", "r2"]
    assert [r.stage for r in store.reports.results(RUN, "r1")] == ["search", "aspect_summary"]
    assert [r.item_id for r in store.reports.results(RUN, limit=2, offset=3)] == ["r1", "r2"]


def test_an_export_streams_all_results_in_order(store: Store) -> None:
    """A thousand items come page by page, complete and in position order."""
    start_run(store, items=1000)
    asyncio.run(store.ledger.save([text(f"r{n}", words=str(n)) for n in reversed(range(1000))]))
    assert [result.text for result in store.reports.iter_results(RUN)] == [str(n) for n in range(1000)]


def test_a_timeline_is_one_items_requests_in_order(store: Store) -> None:
    """By the time they were sent, seconds since the run began."""
    start_run(store)
    finish_call(store, call(started_at=1_004.0))
    finish_call(store, call("r1"))
    finish_call(store, call(started_at=1_002.5, number=2), FAILED)
    assert [(a.t, a.state, a.number) for a in store.reports.timeline(RUN, "r0")] == [
        (2.5, "failed", 2), (4.0, "ok", 1),
    ]  # fmt: skip


def test_requests_are_listed_newest_first(store: Store) -> None:
    """All states in one order, with paging, or one state; errors apart."""
    start_run(store)
    for n, state in enumerate(["ok", "failed", "ok", "rate_limited", "refused", "cancelled"]):
        finish_call(store, call(number=n), Settlement(state, Outcome.IGNORED, 0.1))
    assert [a.number for a in store.reports.attempts(RUN)] == [5, 4, 3, 2, 1, 0]
    assert [a.number for a in store.reports.attempts(RUN, limit=2, offset=1)] == [4, 3]
    assert [a.number for a in store.reports.attempts(RUN, state="ok")] == [2, 0]
    assert [a.state for a in store.reports.last_errors(RUN, 2)] == ["refused", "rate_limited"]


def test_the_dearest_items_come_first(store: Store) -> None:
    """Every paid request of a finished item counts, failed ones too."""
    add_items(store)
    start_run(store)
    finish_call(store, call("r0"), OK, [], done("r0"))
    paid_failure = Settlement("failed", Outcome.OVERLOAD, 1.0, cost_usd=Decimal("0.5"))
    finish_call(store, call("r1"), paid_failure)
    finish_call(store, call("r1"), OK, [], done("r1"))
    asyncio.run(store.ledger.save((), done("r2")))
    assert store.reports.cost_by_item(RUN) == [
        ("r1", "Restaurant 1", Decimal("0.502")), ("r0", "Restaurant 0", Decimal("0.002")),
    ]  # fmt: skip


def test_measures_are_the_figures_of_the_run(store: Store) -> None:
    """Calls per resource, tokens, money, time saved and when results came, ready for JSON."""
    start_run(store, items=4)
    finish_call(store, call(resource="search", stage="search", calls=3), Settlement("ok", Outcome.SUCCESS, 0.5))
    finish_call(store, call(number=2), OK)
    asyncio.run(store.ledger.sample(RUN, [gate(1.0, peak=7), gate(1.0, "search", peak=2)]))
    for n, at in enumerate([9.0, 1.0, 4.0]):
        asyncio.run(store.ledger.save((), done(f"r{n}", at=at)))
    asyncio.run(store.ledger.save((), done("r3", ItemStatus.FAILED, at=0.5)))
    store.runs.set_status(RUN, RunStatus.FINISHED)
    measures = store.reports.measures("last")
    assert measures["calls"] == {"search": 3, "llm": 1}
    assert measures["tokens"] == {"input": 100, "output": 20}
    assert (measures["cost_usd"], measures["retries"], measures["rate_limited"]) == (0.002, 1, 0)
    assert (measures["service_s"], measures["time_saved_s"]) == (1.5, 1.5)
    assert (measures["first_result_s"], measures["median_result_s"]) == (1.0, 4.0)
    assert measures["peak"] == {"search": 2, "llm": 7}


def test_an_empty_run_has_measures_too(store: Store) -> None:
    """Zeros and None, no error."""
    start_run(store)
    measures = store.reports.measures(RUN)
    assert (measures["first_result_s"], measures["cost_usd"], measures["calls"]) == (None, 0.0, {"search": 0, "llm": 0})


def test_samples_are_thinned_by_averaging(store: Store) -> None:
    """Few points come as they are; many become averages that keep the peak and the shape."""
    start_run(store)
    asyncio.run(store.ledger.sample(RUN, [gate(float(t), limit=t) for t in range(1, 5)]))
    store._writer.run(lambda db: None)
    assert [s.limit for s in store.reports.samples(RUN)] == [1, 2, 3, 4]
    many = [gate(5.0 + t, full_share=t / 1000, peak=t) for t in range(1000)]
    asyncio.run(store.ledger.sample(RUN, many))
    store._writer.run(lambda db: None)
    thinned = store.reports.samples(RUN, max_points=50)
    assert len(thinned) <= 50
    assert thinned[-1].peak == 999
    shares = [s.full_share for s in thinned[1:]]
    assert shares == sorted(shares)
    assert store.reports.samples(RUN, max_points=1)[0].peak == 999


def test_a_run_without_samples_has_none(store: Store) -> None:
    """No rows, no error."""
    start_run(store)
    assert store.reports.samples(RUN) == ()


def test_history_is_of_finished_runs_of_the_workload(store: Store) -> None:
    """Means and percentiles per request; running runs and other workloads don't count."""
    for run_id in ("a", "b", "c"):
        start_run(store, run_id=run_id)
        for n in range(1, 11):
            ending = Settlement("ok", Outcome.SUCCESS, float(n), usage=Usage(100, n), cost_usd=Decimal(n))
            finish_call(store, call(run_id=run_id), ending)
        finish_call(store, call(run_id=run_id), FAILED)
    store.runs.set_status("a", RunStatus.FINISHED)
    store.runs.set_status("b", RunStatus.FINISHED)
    (past,) = store.reports.history("restaurant-reviews")
    assert (past.stage, past.resource, past.model, past.runs, past.requests) == (
        "aspect_summary", "llm", "small", 2, 20,
    )  # fmt: skip
    assert (past.service_s, past.service_p10_s, past.service_p90_s) == (5.5, 2.0, 9.0)
    assert (past.input_tokens, past.output_tokens) == (100, 5.5)
    assert (past.cost_usd, past.cost_p10_usd, past.cost_p90_usd) == (Decimal("5.5"), 2, 9)
    assert store.reports.history("celtic-cross") == []


def test_history_of_unpriced_calls_has_no_price(store: Store) -> None:
    """None rather than zero."""
    start_run(store)
    finish_call(store, call(), Settlement("ok", Outcome.SUCCESS, 1.0, usage=Usage(1, 1)))
    store.runs.set_status(RUN, RunStatus.FINISHED)
    (past,) = store.reports.history("restaurant-reviews")
    assert (past.cost_usd, past.cost_p10_usd, past.cost_p90_usd) == (None, None, None)


def test_every_report_of_an_unknown_run_says_so(store: Store) -> None:
    """UnknownError, not an empty page."""
    reports = store.reports
    for read in (reports.stages, reports.buckets, reports.samples, reports.snapshot, reports.results,
                 reports.iter_results, reports.attempts, reports.last_errors, reports.cost_by_item,
                 reports.measures):  # fmt: skip
        with pytest.raises(UnknownError):
            read("x")


def test_costs_are_the_stages(store: Store) -> None:
    """Under the name that the costs page asks by."""
    start_run(store)
    asyncio.run(complete(store, call()))
    store.runs.set_status(RUN, RunStatus.FINISHED)
    assert store.reports.costs(RUN) == store.reports.stages(RUN)
    assert store.reports.costs(RUN)[0].cost_usd == Decimal("0.002")
