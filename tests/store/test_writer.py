"""The writer: group commit, isolation of bad writes, callers that go away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from core.base.errors import RunError, StoreError, StoreFullError
from core.store import Store
from core.store.statements import Bulk
from core.store.writer import Work
from tests.store.kitchen import OK, RUN, add_items, assert_reconciles, call, complete, finish_call, start_run


class Blocker(Work):
    """Work that keeps the writer busy until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.go_on = threading.Event()

    def apply(self, db: Any, payloads: Sequence[Any]) -> Sequence[Any]:
        self.entered.set()
        assert self.go_on.wait(10)
        return payloads


def block(store: Store) -> Blocker:
    """Keep the writer busy, so that what is queued next shares one batch."""
    blocker = Blocker()
    store._writer.post(blocker, None)
    assert blocker.entered.wait(10)
    return blocker


def commits(store: Store) -> list[str]:
    """A list that grows by each COMMIT."""
    seen: list[str] = []
    trace = lambda sql: seen.append(sql) if sql == "COMMIT" else None  # noqa: E731
    store._writer.run(lambda db: db.set_trace_callback(trace))
    seen.clear()
    return seen


def test_concurrent_calls_share_transactions(store: Store) -> None:
    """Two hundred calls begun at once take a handful of commits, each with an id of its own."""
    start_run(store)
    seen = commits(store)

    async def begin_all() -> list[int]:
        return await asyncio.gather(*(store.ledger.begin(call()) for _ in range(200)))

    ids = asyncio.run(begin_all())
    assert sorted(ids) == list(range(1, 201))
    assert len(seen) < 20


def test_an_idle_writer_commits_without_waiting_for_company(store: Store) -> None:
    """A lone synchronous write is one commit of its own."""
    seen = commits(store)
    add_items(store)
    assert len(seen) == 1


def test_a_bad_write_does_not_poison_its_batch(store: Store) -> None:
    """Of three endings in one batch, the one of an attempt that is not open fails alone."""
    start_run(store)

    async def settle_three() -> list[object]:
        first, second = await store.ledger.begin(call()), await store.ledger.begin(call("r1"))
        blocker = block(store)
        endings = [
            asyncio.ensure_future(store.ledger.settle(attempt_id, call(), OK)) for attempt_id in (first, 999, second)
        ]
        await asyncio.sleep(0)
        blocker.go_on.set()
        return await asyncio.gather(*endings, return_exceptions=True)

    good, bad, also_good = asyncio.run(settle_three())
    assert good is None
    assert also_good is None
    assert isinstance(bad, StoreError)
    assert "Attempt 999 is not open" in str(bad)
    assert not store.failed.is_set()
    assert_reconciles(store)


def test_a_value_that_sqlite_cannot_store_fails_alone(store: Store) -> None:
    """A text that is no Unicode is a StoreError for its caller only."""
    start_run(store)

    async def begin_two() -> list[object]:
        blocker = block(store)
        calls = [asyncio.ensure_future(store.ledger.begin(call(model=model))) for model in ("small", "\ud800")]
        await asyncio.sleep(0)
        blocker.go_on.set()
        return await asyncio.gather(*calls, return_exceptions=True)

    good, bad = asyncio.run(begin_two())
    assert isinstance(good, int)
    assert isinstance(bad, StoreError)


def test_our_own_errors_come_through_as_they_are(store: Store) -> None:
    """What a job raises on purpose reaches its caller unchanged."""
    start_run(store)
    with pytest.raises(RunError, match="already"):
        start_run(store)


def test_a_call_of_an_unknown_run_is_refused(store: Store) -> None:
    """No attempt can be on record for a run that is not."""
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        asyncio.run(store.ledger.begin(call(run_id="nobody")))


def test_a_caller_cancelled_while_it_begins_leaves_no_open_attempt(store: Store) -> None:
    """The call was never sent, so its attempt ends as cancelled and cannot be taken for an orphan."""
    start_run(store)

    async def cancel_midway() -> None:
        blocker = block(store)
        beginning = asyncio.ensure_future(store.ledger.begin(call()))
        await asyncio.sleep(0)
        beginning.cancel()
        await asyncio.gather(beginning, return_exceptions=True)
        blocker.go_on.set()
        await store.ledger.begin(call("r1"))

    asyncio.run(cancel_midway())
    store._writer.run(lambda db: None)
    assert [attempt.state for attempt in store.reports.attempts(RUN)] == ["started", "cancelled"]
    assert_reconciles(store)


def test_a_loop_that_is_gone_does_not_stop_the_writer(store: Store) -> None:
    """Answers for a closed event loop are dropped, and the next caller is served."""
    start_run(store)
    loop = asyncio.new_event_loop()
    blocker = block(store)
    waiting = loop.create_task(store.ledger.begin(call()))
    loop.run_until_complete(asyncio.sleep(0))
    waiting.cancel()
    loop.run_until_complete(asyncio.gather(waiting, return_exceptions=True))
    loop.close()
    blocker.go_on.set()
    assert finish_call(store, call("r1")) > 0


def test_two_loops_and_a_thread_are_served_together(store: Store) -> None:
    """Callers of several threads, with loops of their own, each get their own answer."""
    start_run(store)
    ids: list[int] = []

    def one_loop() -> None:
        async def some() -> list[int]:
            return await asyncio.gather(*(complete(store, call()) for _ in range(20)))

        ids.extend(asyncio.run(some()))

    threads = [threading.Thread(target=one_loop) for _ in range(3)]
    for thread in threads:
        thread.start()
    add_items(store)
    for thread in threads:
        thread.join(20)
    assert sorted(ids) == list(range(1, 61))


def test_a_bug_in_the_writer_leaves_nobody_waiting(store: Store) -> None:
    """If bookkeeping after a commit breaks, the store is failed and later callers get an error, not silence."""

    class Broken(Work):
        def apply(self, db: Any, payloads: Sequence[Any]) -> Sequence[Any]:
            return payloads

        def committed(self, payloads: Sequence[Any], answers: Sequence[Any]) -> None:
            raise RuntimeError("bookkeeping")

    assert store._writer.write_now(Broken(), "answer") == "answer"
    assert store.failed.wait(10)
    with pytest.raises(StoreFullError, match="bookkeeping"):
        add_items(store)


def test_closing_commits_what_is_queued(path: Path) -> None:
    """Writes that nobody waits for are on disk after close."""
    store = Store.open(path)
    start_run(store)
    blocker = block(store)
    store._writer.post(store._writer._jobs, lambda db: db.execute("UPDATE runs SET reason = 'late'"))
    threading.Timer(0.005, blocker.go_on.set).start()
    store.close()
    with Store.open(path) as again:
        assert again.runs.view(RUN).reason == "late"


@pytest.mark.parametrize("count", [0, 1, 7, 8, 63, 64, 65, 200])
def test_rows_in_bulk_are_the_same_rows(store: Store, count: int) -> None:
    """However many rows, each is written once."""
    insert = Bulk("INSERT INTO settings (key, value) VALUES", 2)
    rows = [(f"key{n}", str(n)) for n in range(count)]
    assert store._writer.run(lambda db: insert.run(db, rows)) == count
    assert store.settings.all("key") == dict(sorted(rows))
