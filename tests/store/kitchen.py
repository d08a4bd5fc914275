"""Ready-made runs, calls and results for the store's tests."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.base.records import (
    Attempt,
    Evidence,
    Item,
    ItemStatus,
    NodeResult,
    Outcome,
    RunStatus,
    Settlement,
    Usage,
)
from core.base.views import GateSample
from core.store import ItemDone, Store

ROOT = Path(__file__).parents[2]
RUN = "run-1"
OK = Settlement("ok", Outcome.SUCCESS, 1.0, 0.2, Usage(100, 20), Decimal("0.002"), status=200)
FAILED = Settlement("failed", Outcome.OVERLOAD, 0.5, error="503 from the server", status=503)


def start_run(store: Store, items: int = 3, run_id: str = RUN, **settings: Any) -> None:
    """A running run over r0, r1, ..."""
    ids = [f"r{n}" for n in range(items)]
    store.runs.create(run_id, "restaurant-reviews", "restaurant", ids, settings, Decimal(5), "ann")
    store.runs.set_status(run_id, RunStatus.RUNNING)


def add_items(store: Store, count: int = 3) -> None:
    """r0, r1, ... in the catalogue."""
    store.catalogue.put_items([Item(f"r{n}", f"Restaurant {n}", fields={"city": "Seoul"}) for n in range(count)])


def call(item: str = "r0", **changes: Any) -> Attempt:
    """A model call that is about to be sent."""
    fields: dict[str, Any] = {
        "run_id": RUN,
        "item_id": item,
        "stage": "aspect_summary",
        "parts": ("food",),
        "input_hash": "abc",
        "number": 1,
        "resource": "llm",
        "endpoint": "practice",
        "model": "small",
        "started_at": 1_001.0,
        "queue_s": 0.01,
        "reserved_usd": Decimal("0.01"),
    }
    return Attempt(**fields | changes)


def text(item: str = "r0", part: str = "food", words: str = "Good soup.", **changes: Any) -> NodeResult:
    """A summary of an aspect."""
    return NodeResult(changes.pop("run_id", RUN), item, "aspect_summary", part, words, **changes)


def found(item: str = "r0", part: str = "food", evidence: Sequence[Evidence] = ()) -> NodeResult:
    """What a search came to."""
    status = "done" if evidence else "no_evidence"
    return NodeResult(RUN, item, "search", part, "", status, evidence=tuple(evidence))


def done(item: str = "r0", status: ItemStatus = ItemStatus.DONE, at: float = 2.0, run_id: str = RUN) -> ItemDone:
    """An item that came to its end."""
    return ItemDone(run_id, item, status, at)


async def complete(
    store: Store,
    attempt: Attempt,
    settlement: Settlement = OK,
    results: Sequence[NodeResult] = (),
    item: ItemDone | None = None,
) -> int:
    """Begin and settle; the attempt's id."""
    attempt_id = await store.ledger.begin(attempt)
    await store.ledger.settle(attempt_id, attempt, settlement, results, item)
    return attempt_id


def finish_call(store: Store, attempt: Attempt, *args: Any) -> int:
    """The same for tests that are not coroutines."""
    return asyncio.run(complete(store, attempt, *args))


def gate(t: float, resource: str = "llm", **changes: float) -> GateSample:
    """What a gate did in the second before t."""
    fields: dict[str, float] = {"limit": 8, "in_flight": 4, "waiting": 1, "in_flight_avg": 4.0, "full_share": 0.5}
    return GateSample(t=t, resource=resource, **(fields | {"peak": 6} | changes))  # type: ignore[arg-type]


def flush(store: Store) -> None:
    """Have the roll-ups written now rather than within a second."""
    store._writer.write_now(store.runs._rollups, None)


def counters(store: Store, run_id: str = RUN) -> dict[str, int]:
    """A run's counters."""
    view = store.runs.view(run_id)
    names = ("selected", "done", "failed", "refused", "no_reviews", "pending")
    return {name: getattr(view, name) for name in names}


def assert_reconciles(store: Store, run_id: str = RUN) -> None:
    """selected = done + failed + refused + no_reviews + pending, and money and roll-ups equal the ledger's."""
    count = counters(store, run_id)
    assert count.pop("selected") == sum(count.values())
    read = store._readers.value
    spent = read("SELECT coalesce(sum(cost_nano), 0) FROM attempts WHERE run_id = ?", run_id)
    assert read("SELECT cost_nano FROM runs WHERE id = ?", run_id) == spent
    flush(store)
    folded = read("SELECT coalesce(sum(cost_nano), 0) FROM rollups WHERE run_id = ? AND width = 0", run_id)
    assert folded == spent
    settled = read("SELECT count(*) FROM attempts WHERE run_id = ? AND state <> 'started'", run_id)
    assert sum(stage.attempts for stage in store.reports.stages(run_id)) == settled


def in_another_process(code: str, *args: object) -> subprocess.CompletedProcess[str]:
    """Run code that may kill itself; `sys.argv` has the arguments."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, args)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
