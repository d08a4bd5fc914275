"""What the ledger costs: begin and settle of model calls by 64 concurrent tasks, beside bare SQLite.

    python bench/ledger.py [--pairs 200000] [--tasks 64]

Prints one JSON line. CPU is that of the whole process (event loop, writer thread, roll-ups); the baseline writes the
same rows with `sqlite3.executemany`, a thousand to a transaction. Every seventh call finishes an item.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from core.base.records import Attempt, Evidence, ItemStatus, NodeResult, Outcome, RunStatus, Settlement, Usage
from core.store import ItemDone, Store

RUN = "run-bench"
CALLS_PER_ITEM = 7
TEXT = "The staff were quick and kind, though two guests waited long for the bill on a Friday evening. " * 3
EVIDENCE = tuple(Evidence(f"v{n}", "The soup was hot and the staff kind.", 0.5, n) for n in range(4))


def attempt(number: int) -> Attempt:
    return Attempt(
        run_id=RUN,
        item_id=f"r{number // CALLS_PER_ITEM}",
        stage="aspect_summary",
        parts=(f"p{number % CALLS_PER_ITEM}",),
        input_hash="0123456789abcdef",
        number=1,
        resource="llm",
        endpoint="practice",
        model="practice-8b",
        max_tokens=160,
        temperature=0.0,
        started_at=time.time(),
        queue_s=0.002,
        reserved_usd=Decimal("0.0004"),
    )


SETTLEMENT = Settlement("ok", Outcome.SUCCESS, 0.8, 0.1, Usage(900, 120), Decimal("0.000213"), status=200)


def result(a: Attempt) -> NodeResult:
    return NodeResult(
        RUN, a.item_id, a.stage, a.parts[0], TEXT, evidence=EVIDENCE, model=a.model, cost_usd=SETTLEMENT.cost_usd
    )


async def work(store: Store, numbers: Any) -> None:
    ledger = store.ledger
    for number in numbers:
        a = attempt(number)
        done = None
        if number % CALLS_PER_ITEM == CALLS_PER_ITEM - 1:
            done = ItemDone(RUN, a.item_id, ItemStatus.DONE, 1.0)
        attempt_id = await ledger.begin(a)
        await ledger.settle(attempt_id, a, SETTLEMENT, (result(a),), done)


async def run(store: Store, pairs: int, tasks: int) -> None:
    numbers = iter(range(pairs))
    async with asyncio.TaskGroup() as group:
        for _ in range(tasks):
            group.create_task(work(store, numbers))


def ours(folder: Path, pairs: int, tasks: int) -> tuple[float, float]:
    with Store.open(folder / "ours.db") as store:
        store.runs.create(RUN, "bench", "restaurant", [f"r{n}" for n in range(pairs // 7 + 1)], {}, None, "bench")
        store.runs.set_status(RUN, RunStatus.RUNNING)
        wall, cpu = time.perf_counter(), time.process_time()
        asyncio.run(run(store, pairs, tasks))
        store.runs.set_status(RUN, RunStatus.FINISHED)
        return time.perf_counter() - wall, time.process_time() - cpu


def bare(folder: Path, pairs: int) -> tuple[float, float]:
    """The same attempts and results from ready-made tuples: an insert, an update and an insert each."""
    db = sqlite3.connect(folder / "bare.db", isolation_level=None)
    db.executescript(
        """PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
        CREATE TABLE attempts (id INTEGER PRIMARY KEY, run_id, item_id, stage, parts, input_hash, number, resource,
            endpoint, model, calls, max_tokens, temperature, started_at, queue_s, reserved, state, service_s, ttft_s,
            tokens_in, tokens_out, cost);
        CREATE TABLE results (n INTEGER PRIMARY KEY, run_id, item_id, stage, part, status, text, model, cost, used);"""
    )
    wall, cpu = time.perf_counter(), time.process_time()
    for first in range(0, pairs, 1000):
        rows = range(first, min(pairs, first + 1000))
        db.execute("BEGIN")
        db.executemany(
            f"INSERT INTO attempts VALUES ({', '.join('?' * 16)}, 'started', NULL, NULL, NULL, NULL, NULL)",
            [
                (n, RUN, f"r{n // 7}", "aspect_summary", '["p1"]', "0123456789abcdef", 1, "llm", "practice", "8b", 1,
                 160, 0.0, 1.0, 0.002, 400000)
                for n in rows
            ],
        )  # fmt: skip
        db.executemany(
            "UPDATE attempts SET state = ?, service_s = ?, ttft_s = ?, tokens_in = ?, tokens_out = ?, cost = ? "
            "WHERE id = ?",
            [("ok", 0.8, 0.1, 900, 120, 213000, n) for n in rows],
        )
        db.executemany(
            "INSERT INTO results (run_id, item_id, stage, part, status, text, model, cost, used) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(RUN, f"r{n // 7}", "aspect_summary", "p1", "done", TEXT, "8b", 213000, '[["v1",0]]') for n in rows],
        )
        db.execute("COMMIT")
    db.close()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=200_000)
    parser.add_argument("--tasks", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = ours(Path(folder), options.pairs, options.tasks)
        bare_wall, bare_cpu = bare(Path(folder), options.pairs)
    print(
        json.dumps(
            {
                "pairs": options.pairs,
                "tasks": options.tasks,
                "pairs_per_s": round(options.pairs / wall),
                "cpu_us_per_pair": round(cpu / options.pairs * 1e6, 1),
                "bare_pairs_per_s": round(options.pairs / bare_wall),
                "bare_cpu_us_per_pair": round(bare_cpu / options.pairs * 1e6, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
