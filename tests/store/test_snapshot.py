"""The snapshot of a live run: rates, gates, what is left, and how little it reads."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable

import pytest

from core.base.records import ItemStatus, RunStatus
from core.store import Store
from tests.store.kitchen import OK, RUN, call, complete, done, flush, gate, start_run
from tests.support.clock import FakeClock


def work(store: Store, clock: FakeClock, seconds: int) -> None:
    """Two items a second, each with three calls."""

    async def one_second(second: int) -> None:
        for item in (f"r{2 * second}", f"r{2 * second + 1}"):
            for part in ("service", "price", "food"):
                ending = done(item) if part == "food" else None
                await complete(store, call(item, parts=(part,), started_at=clock.now - 1), OK, (), ending)

    for second in range(seconds):
        clock.now += 1
        asyncio.run(one_second(second))
    flush(store)


def test_rates_are_over_the_last_seconds(store: Store, clock: FakeClock) -> None:
    """Two items, six calls and a hundred and twenty tokens a second, and the rest in good time."""
    start_run(store, items=200)
    work(store, clock, 30)
    snapshot = store.reports.snapshot(RUN)
    assert snapshot.items_per_s == pytest.approx(2, rel=0.15)
    assert snapshot.calls_per_s["llm"] == pytest.approx(6, rel=0.15)
    assert snapshot.tokens_per_s == pytest.approx(120, rel=0.15)
    assert snapshot.eta_s == pytest.approx(70, rel=0.15)
    assert snapshot.stages[0].ok == 180


def test_a_run_that_stalls_shows_it(store: Store, clock: FakeClock) -> None:
    """After twenty seconds without an end, nothing moves and the time left is unknown."""
    start_run(store, items=200)
    work(store, clock, 10)
    clock.now += 20
    snapshot = store.reports.snapshot(RUN)
    assert (snapshot.items_per_s, snapshot.calls_per_s, snapshot.eta_s) == (0.0, {}, None)


def test_a_run_that_is_over_has_no_rates(store: Store, clock: FakeClock) -> None:
    """Rates are those of work under way."""
    start_run(store, items=20)
    work(store, clock, 10)
    store.runs.set_status(RUN, RunStatus.FINISHED)
    snapshot = store.reports.snapshot("last")
    assert (snapshot.items_per_s, snapshot.calls_per_s, snapshot.tokens_per_s) == (0.0, {}, 0.0)


def test_gates_are_as_last_seen_and_the_fullest_is_named(store: Store) -> None:
    """The latest sample of each, the peak over the run, and shares of time weighted by its length."""
    start_run(store)
    asyncio.run(store.ledger.sample(RUN, [gate(1.0, full_share=0.0, peak=9), gate(1.0, "search", full_share=0.1)]))
    asyncio.run(store.ledger.sample(RUN, [gate(4.0, full_share=1.0, peak=3), gate(4.0, "search", full_share=0.1)]))
    store._writer.run(lambda db: None)
    snapshot = store.reports.snapshot(RUN)
    assert {name: (g.t, g.peak) for name, g in snapshot.gates.items()} == {"llm": (4.0, 9), "search": (4.0, 6)}
    assert snapshot.bottleneck == ("llm", 0.75, pytest.approx(0.1))


def test_a_gap_between_samples_counts_five_seconds_at_most(store: Store) -> None:
    """A sample speaks for the time since the last one, not for a night in between."""
    start_run(store)
    for t, share in ((1.0, 1.0), (40_000.0, 0.0), (1.5, 1.0)):
        asyncio.run(store.ledger.sample(RUN, [gate(t, full_share=share)]))
    store._writer.run(lambda db: None)
    assert store.reports.snapshot(RUN).bottleneck == ("llm", pytest.approx(6 / 11), 0.0)


def test_before_the_first_sample_there_is_no_bottleneck(store: Store) -> None:
    """None, and no gates."""
    start_run(store)
    snapshot = store.reports.snapshot(RUN)
    assert (snapshot.bottleneck, snapshot.gates) == (None, {})


def test_commands_are_part_of_it(store: Store) -> None:
    """Newest first."""
    start_run(store)
    for new in ("8", "16"):
        store.controls.send(RUN, "llm_limit", new, who="ann")
    assert [c.new for c in store.reports.snapshot(RUN).controls] == ["16", "8"]


def fill_ledger(attempts: int) -> Callable[[sqlite3.Connection], None]:
    """A long run's attempts, made by SQLite itself."""

    def job(db: sqlite3.Connection) -> None:
        db.execute(
            """WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?)
            INSERT INTO attempts (id, run_id, item_id, stage, parts, input_hash, number, resource, endpoint, model,
                calls, started_at, queue_s, state, service_s, input_tokens, output_tokens, cost_nano)
            SELECT n, 'run-1', 'r' || (n / 7), 'stage ' || (n % 3), '["a"]', 'h', 1, 'llm', 'e', 'm', 1,
                1000 + n / 200.0, 0.01, 'ok', 0.5 + (n % 1000) / 1000.0, 900, 100, 1000 FROM c""",
            (attempts,),
        )

    return job


def count_steps(store: Store, read: Callable[[], object]) -> int:
    """How many hundreds of steps SQLite's virtual machine takes on the readers' side."""
    store.runs.list()
    hundreds = [0]

    def tick() -> int:
        hundreds[0] += 1
        return 0

    (db,) = store._readers._idle
    db.set_progress_handler(tick, 100)
    read()
    db.set_progress_handler(None, 0)
    return hundreds[0]


def test_a_long_run_is_read_in_few_rows(store: Store, clock: FakeClock) -> None:
    """Over a hundred thousand attempts, a snapshot takes SQLite no more than a few thousand steps, and neither
    stages, errors nor a page of requests read the ledger through."""
    start_run(store, items=20_000)
    store._writer.run(fill_ledger(100_000))
    store.runs.orphan(RUN)
    clock.now = 1_500.0
    assert sum(stage.ok for stage in store.reports.stages(RUN)) == 100_000
    reports = store.reports
    for read, hundreds in (
        (lambda: reports.snapshot(RUN), 50),
        (lambda: reports.stages(RUN), 20),
        (lambda: reports.last_errors(RUN), 20),
        (lambda: reports.attempts(RUN), 300),
        (lambda: reports.timeline(RUN, "r77"), 50),
        (lambda: reports.buckets(RUN), 400),
        (lambda: reports.buckets(RUN, 60), 50),
        (lambda: reports.cost_by_item(RUN), 20),
    ):
        assert count_steps(store, read) < hundreds


def test_items_of_every_ending_count_as_progress(store: Store, clock: FakeClock) -> None:
    """Failed, refused and empty items bring the end nearer too."""
    start_run(store, items=8)
    clock.now += 4
    for n, status in enumerate((ItemStatus.FAILED, ItemStatus.REFUSED, ItemStatus.NO_REVIEWS, ItemStatus.DONE)):
        asyncio.run(store.ledger.save((), done(f"r{n}", status)))
    flush(store)
    snapshot = store.reports.snapshot(RUN)
    assert (snapshot.items_per_s, snapshot.eta_s) == (1.0, 4.0)
