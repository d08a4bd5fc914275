"""Roll-ups: slices, totals, and that every way of making them gives the same."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.base.records import Outcome, RunStatus, Settlement, Usage
from core.store import Store
from tests.store.kitchen import FAILED, OK, RUN, assert_reconciles, call, complete, done, finish_call, flush, start_run
from tests.support.clock import FakeClock


def served(seconds: float, **changes: Any) -> Settlement:
    fields: dict[str, Any] = {"usage": Usage(10, 5), "cost_usd": Decimal("0.001")} | changes
    return Settlement("ok", Outcome.SUCCESS, seconds, **fields)


def stored(store: Store) -> list[tuple[Any, ...]]:
    rows = store._readers.all("SELECT * FROM rollups ORDER BY run_id, width, slice, stage, resource, model")
    return [tuple(row) for row in rows]


def test_stages_count_what_happened(store: Store) -> None:
    """Attempts of every state, calls of successful ones, retries, tokens, money, and service time of all."""
    start_run(store)
    finish_call(store, call(calls=3), OK)
    finish_call(store, call(number=2), FAILED)
    finish_call(store, call(number=3), Settlement("rate_limited", Outcome.OVERLOAD, 0.1, status=429))
    finish_call(store, call(), Settlement("cancelled", Outcome.IGNORED, 0.2))
    flush(store)
    (stage,) = store.reports.stages(RUN)
    assert (stage.stage, stage.resource, stage.model) == ("aspect_summary", "llm", "small")
    assert (stage.attempts, stage.calls, stage.ok, stage.failed) == (4, 3, 1, 1)
    assert (stage.rate_limited, stage.retries) == (1, 2)
    assert (stage.input_tokens, stage.output_tokens, stage.cost_usd) == (100, 20, Decimal("0.002"))
    assert stage.service_s == pytest.approx(1.8)
    assert stage.p50_s == pytest.approx(1.0, rel=0.01)
    assert stage.ttft_p95_s == pytest.approx(0.2, rel=0.01)
    assert stage.queue_p50_s == pytest.approx(0.01, rel=0.01)


def test_a_stage_without_successes_has_no_quantiles(store: Store) -> None:
    """None, rather than a number made of failures."""
    start_run(store)
    finish_call(store, call(), FAILED)
    flush(store)
    (stage,) = store.reports.stages(RUN)
    assert (stage.p50_s, stage.ttft_p50_s, stage.cost_usd) == (None, None, Decimal(0))


def test_models_and_stages_are_apart(store: Store) -> None:
    """A row for each, in the order of their first use."""
    start_run(store)
    for stage, model in (("search", ""), ("aspect_summary", "small"), ("aspect_summary", "large"), ("search", "")):
        finish_call(store, call(stage=stage, model=model), OK)
        flush(store)
    assert [(s.stage, s.model, s.ok) for s in store.reports.stages(RUN)] == [
        ("search", "", 2), ("aspect_summary", "small", 1), ("aspect_summary", "large", 1),
    ]  # fmt: skip


def test_a_call_belongs_to_the_slice_it_ended_in(store: Store) -> None:
    """Started in the first second and served for five, it counts five seconds after the run began."""
    start_run(store)
    finish_call(store, call(started_at=1_001.0), served(3.0))
    finish_call(store, call(started_at=1_001.0), served(5.0))
    finish_call(store, call(started_at=1_063.0), served(1.0))
    flush(store)
    assert [(b.t, b.ok) for b in store.reports.buckets(RUN)] == [(0.0, 1), (5.0, 1), (60.0, 1)]
    assert [(b.t, b.width_s, b.ok) for b in store.reports.buckets(RUN, 60)] == [(0.0, 60.0, 2), (60.0, 60.0, 1)]
    assert [(b.t, b.ok) for b in store.reports.buckets(RUN, 30.0)] == [(0.0, 2), (60.0, 1)]
    assert [(b.t, b.ok) for b in store.reports.buckets(RUN, 120)] == [(0.0, 3)]


def test_wider_buckets_merge_sketches(store: Store) -> None:
    """The 95th percentile of a minute is that of its calls, not a mean of slices' percentiles."""
    start_run(store)

    async def hundred() -> None:
        times = [(1_000.0 + n / 2, 0.1 + n / 100) for n in range(100)]
        await asyncio.gather(*(complete(store, call(started_at=at), served(seconds)) for at, seconds in times))

    asyncio.run(hundred())
    flush(store)
    (bucket,) = store.reports.buckets(RUN, 60)
    assert bucket.p95_s == pytest.approx(1.04, rel=0.02)
    assert bucket.p50_s == pytest.approx(0.59, rel=0.02)


def test_flushing_often_is_flushing_once(store: Store, path: Path) -> None:
    """Two hundred flushes leave the same rows as one, and as a rebuild from the ledger."""
    start_run(store)
    for n in range(40):
        finish_call(store, call(f"r{n % 3}", started_at=1_000.0 + n), served(0.1 * n), [], done(f"r{n % 3}"))
        flush(store)
    often = stored(store)
    store._writer.run(lambda db: db.execute("DELETE FROM rollups").rowcount)
    store.runs.orphan(RUN)
    assert [row[:12] for row in stored(store)] == [row[:12] for row in often]
    assert_reconciles(store)


@pytest.mark.parametrize("lost", ["width = 5 AND slice >= 6", "width = 5 AND slice = 2", "width > 5", "width = 0"])
def test_a_rebuild_sums_anew_only_what_is_missing(store: Store, lost: str) -> None:
    """Whichever slices are gone, of the end or of the middle, what is there afterwards is what was there before."""
    start_run(store)
    for n in range(40):
        finish_call(store, call(f"r{n % 3}", started_at=1_000.0 + n), served(0.1 * (n % 7)), [], done(f"r{n % 3}"))
    flush(store)
    whole = stored(store)
    store._writer.run(lambda db: db.execute(f"DELETE FROM rollups WHERE {lost}").rowcount)
    store._writer.run(lambda db: db.execute("UPDATE rollups SET attempts = attempts - 1 WHERE width = 0").rowcount)
    store.runs.orphan(RUN)
    assert stored(store) == whole
    assert_reconciles(store)


def test_two_processes_may_serve_one_run(store: Store, path: Path) -> None:
    """Each adds to the same slices; neither overwrites the other's."""
    start_run(store)
    with Store.open(path, clock=FakeClock()) as other:
        for _ in range(3):
            finish_call(store, call(), served(1.0))
            finish_call(other, call("r1"), served(2.0))
            flush(store)
            flush(other)
    (stage,) = store.reports.stages(RUN)
    assert (stage.ok, stage.service_s) == (6, 9.0)
    assert_reconciles(store)


def test_finishing_a_run_writes_what_is_open(store: Store) -> None:
    """As soon as the status is final, so are the stages."""
    start_run(store)
    finish_call(store, call())
    store.runs.set_status(RUN, RunStatus.FINISHED)
    assert [stage.ok for stage in store.reports.stages(RUN)] == [1]


def test_orphans_count_at_their_reserved_cost(store: Store) -> None:
    """They may have been paid for, so that a budget must count them."""
    start_run(store)
    asyncio.run(store.ledger.begin(call()))
    asyncio.run(store.ledger.begin(call(reserved_usd=None)))
    finish_call(store, call())
    assert store.runs.orphan(RUN) == 2
    assert store.runs.view(RUN).cost_usd == Decimal("0.012")
    (stage,) = store.reports.stages(RUN)
    assert (stage.attempts, stage.ok, stage.failed) == (3, 1, 0)
    assert_reconciles(store)


def test_resuming_a_clean_run_rebuilds_nothing(store: Store) -> None:
    """When nothing fell behind, the roll-ups are left as they are."""
    start_run(store)
    finish_call(store, call())
    flush(store)
    store._writer.run(lambda db: db.execute("UPDATE rollups SET input_tokens = 777").rowcount)
    assert store.runs.orphan(RUN) == 0
    assert [stage.input_tokens for stage in store.reports.stages(RUN)] == [777]


def test_a_failed_flush_is_tried_again(store: Store) -> None:
    """Sums whose transaction was undone are not lost."""
    start_run(store)
    finish_call(store, call())

    def break_once(db: Any) -> None:
        db.execute("CREATE TEMP TRIGGER broken BEFORE INSERT ON main.rollups BEGIN SELECT RAISE(ABORT, 'no'); END")

    store._writer.run(break_once)
    with pytest.raises(Exception, match="no"):
        flush(store)
    store._writer.run(lambda db: db.execute("DROP TRIGGER temp.broken").rowcount)
    assert_reconciles(store)
    assert [stage.ok for stage in store.reports.stages(RUN)] == [1]
