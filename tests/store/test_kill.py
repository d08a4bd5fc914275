"""SIGKILL at any moment, again and again: the run still ends with every result once."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from core.base.records import RunStatus
from core.store import Store
from tests.store.kitchen import ROOT, RUN, assert_reconciles, counters, start_run

ITEMS = 60
WORKER = """
import asyncio, os, socket, sys
from core.base.records import RunStatus
from core.store import Store
from tests.store.kitchen import *

store = Store.open(sys.argv[1])
lease = store.runs.acquire_lease(RUN, f"{socket.gethostname()}:{os.getpid()}:worker")
store.runs.orphan(RUN)
store.runs.set_status(RUN, RunStatus.RUNNING, lease=lease)

async def work(item, have):
    for part in ("service", "price", "food"):
        if part not in have:
            attempt = call(item, parts=(part,))
            attempt_id = await store.ledger.begin(attempt)
            await store.ledger.settle(attempt_id, attempt, OK, [text(item, part)])
    await store.ledger.save((), done(item))

async def main():
    items = [item.id for _, item in store.runs.pending_page(RUN, -1, 1000)]
    known = store.runs.node_results(RUN, items)
    for first in range(0, len(items), 8):
        async with asyncio.TaskGroup() as group:
            for item in items[first : first + 8]:
                group.create_task(work(item, {result.part for result in known.get(item, [])}))
        print("on", flush=True)

asyncio.run(main())
store.runs.set_status(RUN, RunStatus.FINISHED, lease=lease)
store.runs.release_lease(lease)
store.close()
"""


def work_until_killed(path: Path, lines: int) -> bool:
    """Let a worker print so many lines, then kill it; whether it had finished before."""
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, path], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        for _ in range(lines):
            if not worker.stdout.readline():
                break
        worker.kill()
        worker.communicate()
    with Store.open(path) as store:
        store.runs.orphan(RUN)
        assert_reconciles(store)
        return store.runs.view(RUN).status is RunStatus.FINISHED


def test_a_run_outlives_its_processes(path: Path) -> None:
    """Killed after one to three rounds each time, taken over each time; calls repeated are at most the orphans."""
    rng = random.Random(3)
    with Store.open(path) as store:
        start_run(store, items=ITEMS)
    kills = 0
    while not work_until_killed(path, rng.randint(1, 3)):
        kills += 1
        assert kills < 20
    assert kills >= 2
    with Store.open(path) as store:
        assert counters(store)["done"] == ITEMS
        assert len(store.reports.results(RUN)) == 3 * ITEMS
        attempts = store.reports.attempts(RUN, limit=1000)
        orphans = sum(attempt.state == "orphaned" for attempt in attempts)
        assert len(attempts) - 3 * ITEMS == orphans <= 8 * kills
