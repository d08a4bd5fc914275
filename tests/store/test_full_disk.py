"""The disk takes no more: results are kept beside the database and taken in at the next open."""

from __future__ import annotations

import asyncio
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from core.base.errors import StoreError, StoreFullError
from core.base.records import RunStatus
from core.store import Store
from core.store.spill import Spill
from core.store.statuses import Standing
from tests.store.kitchen import (
    OK,
    RUN,
    assert_reconciles,
    call,
    complete,
    counters,
    done,
    found,
    in_another_process,
    start_run,
    text,
)

LONG = "Good soup. " * 2000


def fill(store: Store) -> None:
    """Let the database grow no further."""

    def job(db: sqlite3.Connection) -> None:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages}")

    store._writer.run(job)


def settle_into_full_disk(store: Store, owner: str = "") -> None:
    """Three calls are sent; then the disk is full when their answers come."""
    start_run(store)
    if owner:
        store.runs.acquire_lease(RUN, owner)

    async def work() -> list[object]:
        attempts = [call(f"r{n}") for n in range(3)]
        ids = [await store.ledger.begin(attempt) for attempt in attempts]
        await asyncio.to_thread(fill, store)
        endings = [
            store.ledger.settle(attempt_id, attempt, OK, [text(attempt.item_id, words=LONG)], done(attempt.item_id))
            for attempt_id, attempt in zip(ids, attempts, strict=True)
        ]
        return await asyncio.gather(*endings, return_exceptions=True)

    assert {type(answer) for answer in asyncio.run(work())} == {StoreFullError}


@pytest.fixture
def full(path: Path) -> Path:
    """A database whose disk was full when three results came."""
    with Store.open(path) as store:
        settle_into_full_disk(store)
        assert store.failed.is_set()
    return path


def test_callers_are_told_why_and_what_to_do(path: Path) -> None:
    """The error names the file and says that the disk is full; no further call can begin."""
    with Store.open(path) as store:
        settle_into_full_disk(store)
        with pytest.raises(StoreFullError, match=r"brigade\.db: the disk is full .* resume"):
            asyncio.run(store.ledger.begin(call()))


def test_reading_goes_on(path: Path) -> None:
    """What is in the database can still be looked at."""
    with Store.open(path) as store:
        settle_into_full_disk(store)
        assert counters(store)["pending"] == 3
        assert len(store.reports.attempts(RUN)) == 3


def test_no_result_is_lost(full: Path) -> None:
    """The next open has every text, cost and item that the full disk had refused."""
    with Store.open(full) as store:
        assert [result.text for result in store.reports.results(RUN)] == [LONG] * 3
        assert counters(store)["done"] == 3
        assert store.runs.view(RUN).cost_usd == Decimal("0.006")
        assert store.runs.orphan(RUN) == 0
        assert_reconciles(store)
    assert not Spill(full).waiting()


def test_taking_in_happens_once(full: Path) -> None:
    """If the spill is still there after it was taken in (a crash between the two), nothing counts twice."""
    spill = Spill(full)
    kept = spill.path.read_bytes()
    Store.open(full).close()
    spill.path.write_bytes(kept)
    with Store.open(full) as store:
        assert len(store.reports.results(RUN)) == 3
        assert store.runs.view(RUN).cost_usd == Decimal("0.006")
        assert_reconciles(store)


def test_a_crash_while_taking_in_is_made_good(full: Path) -> None:
    """A spill that was set aside and never finished is taken in by the next open."""
    spill = Spill(full)
    spill.path.rename(spill._taking)
    with Store.open(full) as store:
        assert counters(store)["done"] == 3


def test_a_line_that_was_cut_off_costs_only_its_own_call(full: Path) -> None:
    """Half a line at the end is skipped; that call is an orphan, the others are taken in."""
    spill = Spill(full)
    spill.path.write_bytes(spill.path.read_bytes()[:-100])
    with Store.open(full) as store:
        assert counters(store)["done"] == 2
        assert store.runs.orphan(RUN) == 1
        assert_reconciles(store)


def test_a_line_that_cannot_be_applied_does_not_keep_the_store_shut(full: Path) -> None:
    """A foreign line is put aside with a warning, and the rest is taken in."""
    spill = Spill(full)
    spill.path.write_bytes(b'{"results": [["wrong"]], "attempt": null, "item": null}\n[]\n' + spill.path.read_bytes())
    with Store.open(full) as store:
        assert counters(store)["done"] == 3


def test_results_without_a_call_are_kept_too(path: Path) -> None:
    """What `save` was given survives a full disk."""
    with Store.open(path) as store:
        start_run(store)
        fill(store)
        with pytest.raises(StoreFullError):
            asyncio.run(store.ledger.save([found(), text("r1", words=LONG)], done("r1")))
    with Store.open(path) as store:
        assert len(store.reports.results(RUN)) == 2
        assert counters(store)["done"] == 1


def test_the_spill_has_disk_of_its_own(path: Path) -> None:
    """A ballast is held while there is room, let go when the disk is full, and held again after the next open."""
    ballast = Spill(path)._ballast
    with Store.open(path) as store:
        assert ballast.stat().st_size == 1 << 20
        settle_into_full_disk(store)
        assert not ballast.exists()
    Store.open(path).close()
    assert ballast.exists()


def test_a_spill_beside_a_damaged_database_is_not_taken_in(full: Path) -> None:
    """The file is checked first; the spill stays for the database that can be recovered."""
    data = bytearray(full.read_bytes())
    data[8192:20480] = b"\xff" * 12288
    full.write_bytes(data)
    with pytest.raises(StoreError, match="damaged"):
        Store.open(full)
    assert Spill(full).waiting()


def test_a_file_size_limit_of_the_system_is_a_full_disk(path: Path) -> None:
    """When the operating system refuses to let the file grow, begun calls fail and finished ones are kept."""
    code = """
import asyncio, resource, sys
from core.base.errors import StoreFullError
from core.store import Store
from tests.store.kitchen import *
store = Store.open(sys.argv[1])
start_run(store)
async def work():
    attempt_id = await store.ledger.begin(call())
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    try:
        while True:
            await complete(store, call("r1"), OK, [text("r1", words="x" * 5000)])
    except StoreFullError:
        pass
    try:
        await store.ledger.settle(attempt_id, call(), OK, [text(words="Kept.")])
    except StoreFullError:
        print("refused", flush=True)
asyncio.run(work())
store.close()
"""
    died = in_another_process(code, path)
    assert died.stdout.strip() == "refused", died.stderr
    with Store.open(path) as store:
        assert "Kept." in [result.text for result in store.reports.results(RUN, "r0")]


def test_room_again_is_noticed_at_the_next_open_only(path: Path) -> None:
    """A store that failed stays failed, so that nothing is written out of order."""
    with Store.open(path) as store:
        settle_into_full_disk(store)
        with pytest.raises(StoreFullError):
            asyncio.run(complete(store, call()))
    with Store.open(path) as store:
        asyncio.run(complete(store, call()))
        assert not store.failed.is_set()


def test_how_a_run_ended_is_kept_and_seen_at_once(path: Path) -> None:
    """What the run's row cannot be told stands beside the database: read here and now, and taken in by the next open.

    The lease that could not be given back is nobody's.
    """
    with Store.open(path) as store:
        settle_into_full_disk(store, owner="here:1:a")
        assert (store.runs.view(RUN).status, store.runs.view(RUN).owner_alive) == (RunStatus.RUNNING, True)
        with pytest.raises(StoreFullError):
            store.runs.set_status(RUN, RunStatus.PAUSED, "The disk is full.")
        for seen in (store.runs.view(RUN), store.runs.list()[0]):
            assert (seen.status, seen.reason, seen.owner_alive) == (RunStatus.PAUSED, "The disk is full.", False)
    with Store.open(path) as store:
        again = store.runs.view(RUN)
        assert (again.status, again.reason, again.owner) == (RunStatus.PAUSED, "The disk is full.", "")
        assert_reconciles(store)
    assert not Spill(path).waiting()


def test_a_run_that_went_on_since_is_not_told_its_old_end(path: Path) -> None:
    """An end that was kept before the run was taken up again says nothing of it."""
    with Store.open(path) as store:
        start_run(store)
        began = store.runs.view(RUN).started_at
        assert began is not None
        Spill(path).keep_standings([Standing(RUN, RunStatus.PAUSED, "Long ago.", began - 60)])
        assert store.runs.view(RUN).status is RunStatus.RUNNING
    with Store.open(path) as store:
        assert store.runs.view(RUN).reason == ""


def test_a_disk_that_is_still_full_can_be_read(full: Path) -> None:
    """What cannot be taken in yet stays where it is; reading works, and writing says why it does not."""
    kept = Spill(full).path.read_bytes()
    code = """
import resource, sys
from core.base.errors import StoreFullError
from core.store import Store
from tests.store.kitchen import *
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
with Store.open(sys.argv[1]) as store:
    print(store.failed.is_set(), store.runs.view(RUN).selected)
    try:
        store.runs.set_settings(RUN, {})
    except StoreFullError as error:
        print("then resume" in str(error))
"""
    told = in_another_process(code, full)
    assert told.stdout.split() == ["True", "3", "True"], told.stderr
    assert Spill(full)._taking.read_bytes() == kept
    with Store.open(full) as store:
        assert counters(store)["done"] == 3
