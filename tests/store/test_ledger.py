"""The ledger: what one call leaves behind, and that nothing counts twice."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from core.base.errors import StoreError
from core.base.records import Citation, Evidence, ItemStatus, NodeResult, Outcome, Settlement, Usage
from core.store import Store
from tests.store.kitchen import (
    FAILED,
    OK,
    RUN,
    assert_reconciles,
    call,
    complete,
    counters,
    done,
    finish_call,
    found,
    start_run,
    text,
)


def test_a_begun_call_is_on_record_before_it_is_sent(store: Store) -> None:
    """Another connection sees the attempt as started as soon as begin returns."""
    start_run(store)
    attempt_id = asyncio.run(store.ledger.begin(call()))
    (seen,) = store.reports.attempts(RUN)
    assert (seen.id, seen.state, seen.parts, seen.t) == (attempt_id, "started", ("food",), 1.0)
    assert seen.service_s is None


def test_a_settled_call_keeps_everything_about_it(store: Store) -> None:
    """State, times, tokens, cost and status are those of the settlement."""
    start_run(store)
    finish_call(store, call())
    (seen,) = store.reports.attempts(RUN)
    assert (seen.state, seen.service_s, seen.ttft_s, seen.status) == ("ok", 1.0, 0.2, 200)
    assert (seen.input_tokens, seen.output_tokens, seen.cost_usd) == (100, 20, Decimal("0.002"))


def test_what_was_only_known_after_sending_replaces_what_was_thought_before(store: Store) -> None:
    """The endpoint, model and queue wait of the settled attempt win over those of its beginning."""
    start_run(store)

    async def settle_elsewhere() -> None:
        attempt_id = await store.ledger.begin(call())
        after = call(endpoint="second", model="large", queue_s=0.5)
        await store.ledger.settle(attempt_id, after, OK)

    asyncio.run(settle_elsewhere())
    (seen,) = store.reports.attempts(RUN)
    assert (seen.endpoint, seen.model, seen.queue_s) == ("second", "large", 0.5)


def test_result_cost_and_progress_come_together(store: Store) -> None:
    """One settlement writes the text, charges the run and moves the item."""
    start_run(store)
    finish_call(store, call(), OK, [text()], done())
    assert [r.text for r in store.reports.results(RUN)] == ["Good soup."]
    assert store.runs.view(RUN).cost_usd == Decimal("0.002")
    assert counters(store)["done"] == 1
    assert_reconciles(store)


def test_a_call_cannot_be_settled_twice(store: Store) -> None:
    """The second settlement is an error, and neither its cost nor its result counts."""
    start_run(store)
    attempt_id = finish_call(store, call())
    with pytest.raises(StoreError, match="not open"):
        asyncio.run(store.ledger.settle(attempt_id, call(), OK, [text(words="Again.")]))
    assert store.reports.results(RUN) == []
    assert store.runs.view(RUN).cost_usd == Decimal("0.002")
    assert_reconciles(store)


def test_the_first_accepted_result_stands(store: Store) -> None:
    """A second result for the same run, item, stage and part is ignored."""
    start_run(store)
    finish_call(store, call(), OK, [text(words="First.")])
    finish_call(store, call(), OK, [text(words="Second.")])
    assert [r.text for r in store.reports.results(RUN)] == ["First."]


def test_a_failed_result_gives_way(store: Store) -> None:
    """A later success replaces a failure, and a later failure does not replace a success."""
    start_run(store)
    failure = text(words="", status="failed", error="no answer")
    for result in (failure, text(words="At last."), failure):
        asyncio.run(store.ledger.save([result]))
    (kept,) = store.reports.results(RUN)
    assert (kept.text, kept.status, kept.error) == ("At last.", "done", None)


def test_the_same_result_twice_in_one_batch_counts_once(store: Store) -> None:
    """Uniqueness holds inside a transaction too."""
    start_run(store)
    asyncio.run(store.ledger.save([text(words="One."), text(words="Two.")]))
    assert [r.text for r in store.reports.results(RUN)] == ["One."]


def test_an_item_moves_from_pending_once(store: Store) -> None:
    """Whatever is said of an item later, the counters have it once."""
    start_run(store)
    for status in (ItemStatus.DONE, ItemStatus.FAILED, ItemStatus.DONE, ItemStatus.PENDING):
        asyncio.run(store.ledger.save((), done("r0", status)))
    assert counters(store) == {"selected": 3, "done": 1, "failed": 0, "refused": 0, "no_reviews": 0, "pending": 2}


def test_an_item_that_was_not_chosen_is_not_counted(store: Store) -> None:
    """An unknown item of the run changes no counter."""
    start_run(store)
    asyncio.run(store.ledger.save((), done("stranger")))
    assert counters(store)["pending"] == 3


@pytest.mark.parametrize("status", [ItemStatus.DONE, ItemStatus.FAILED, ItemStatus.REFUSED, ItemStatus.NO_REVIEWS])
def test_every_ending_of_an_item_has_its_counter(store: Store, status: ItemStatus) -> None:
    """Done, failed, refused and no_reviews are counted apart, and the sum stays what was selected."""
    start_run(store)
    asyncio.run(store.ledger.save((), done("r1", status)))
    assert counters(store)[status.value] == 1
    assert_reconciles(store)


def test_money_is_exact(store: Store) -> None:
    """A thousand calls at a tenth of a cent and a nano-dollar are exactly a dollar and a thousand nano-dollars."""
    start_run(store)
    cost = Settlement("ok", Outcome.SUCCESS, 1.0, usage=Usage(1, 1), cost_usd=Decimal("0.001000001"))

    async def thousand() -> None:
        await asyncio.gather(*(complete(store, call(), cost) for _ in range(1000)))

    asyncio.run(thousand())
    assert store.runs.view(RUN).cost_usd == Decimal("1.000001")
    assert_reconciles(store)


def test_an_unknown_price_is_not_zero(store: Store) -> None:
    """A run whose calls have no price costs None; with some priced, the known part and the number of the others."""
    start_run(store)
    unpriced = Settlement("ok", Outcome.SUCCESS, 1.0, usage=Usage(1, 1))
    finish_call(store, call(), unpriced)
    view = store.runs.view(RUN)
    assert (view.cost_usd, view.unpriced_calls) == (None, 1)
    finish_call(store, call(), OK)
    view = store.runs.view(RUN)
    assert (view.cost_usd, view.unpriced_calls) == (Decimal("0.002"), 1)


def test_searches_and_failures_need_no_price(store: Store) -> None:
    """A search, and a call that used no tokens, are not unpriced: the run costs nothing so far."""
    start_run(store)
    finish_call(store, call(resource="search", stage="search"), Settlement("ok", Outcome.SUCCESS, 0.1))
    finish_call(store, call(), FAILED)
    view = store.runs.view(RUN)
    assert (view.cost_usd, view.unpriced_calls) == (Decimal(0), 0)


def test_results_come_back_as_they_were(store: Store) -> None:
    """Korean text, flags, citations, model, cost and error survive the columns."""
    start_run(store)
    sentence = Evidence("v1", "국물이 진하다.", 0.75, 2, "민지", 4.5, "2025-01-01")
    result = NodeResult(
        RUN, "r0", "aspect_summary", "food", "국물이 진해요.", evidence=(sentence,), model="small", input_hash="h",
        citations=(Citation(0, 8, ("v1", "v2")),), flags=("truncated",), cost_usd=Decimal("0.5"),
    )  # fmt: skip
    asyncio.run(store.ledger.save([found(evidence=[sentence]), result]))
    search, summary = store.runs.node_results(RUN, ["r0"])["r0"]
    assert search == found(evidence=[sentence])
    assert summary == result
