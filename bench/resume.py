"""Resuming a run of 100,000 done nodes after its process died: seconds until the first new model call is sent.

The run is written through the ledger itself by a process that then dies at once, with calls still open: 20,000
restaurants of five nodes (one search, three aspects, a total), and a hundred that are left. Another opens the database
and resumes; the clock runs from opening it to the first request. The same with 100 done nodes is beside it.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._world import RUN, WORKLOAD, Load, PacedSearcher, create_run
from core.base.records import (
    Attempt,
    Evidence,
    ItemStatus,
    ModelReply,
    ModelRequest,
    NodeResult,
    Outcome,
    RunStatus,
    Settlement,
    Usage,
)
from core.base.workload_files import load_workload
from core.models import HttpTransport, OpenAIModel
from core.pipeline.allocations import Allocations
from core.pipeline.control import Commands
from core.pipeline.driver import Order, RunDriver
from core.pipeline.engine import Engine
from core.pipeline.routes import Route, Unpriced
from core.practice import PracticeProcess
from core.store import ItemDone, Store

MANY, FEW, LEFT, OPEN, TASKS = 20_000, 20, 100, 16, 64
NODES = 5
TEXT = "The staff were quick and kind, though two guests waited long for the bill on a Friday evening. " * 2
EVIDENCE = tuple(Evidence(f"v{n}", "The soup was hot and the staff kind.", 0.5, n) for n in range(4))
ASPECTS = ("service", "price", "food")
SETTLED = Settlement("ok", Outcome.SUCCESS, 0.8, 0.1, Usage(900, 120), status=200)
BLANK = Attempt(
    run_id=RUN,
    item_id="",
    stage="search",
    parts=ASPECTS,
    input_hash="0123456789abcdef",
    number=1,
    resource="search",
    endpoint="bench",
    model="",
    max_tokens=None,
    temperature=None,
    started_at=0.0,
    queue_s=0.002,
)


@dataclass(frozen=True)
class Done:
    """A node that is done: its attempt and its results."""

    attempt: Attempt
    results: tuple[NodeResult, ...]


def nodes(item: str) -> Iterator[Done]:
    """The five of one restaurant."""
    now = time.time()
    found = tuple(NodeResult(RUN, item, "search", part, "", evidence=EVIDENCE) for part in ASPECTS)
    yield Done(replace(BLANK, item_id=item, started_at=now), found)
    model = replace(BLANK, item_id=item, started_at=now, resource="llm", model="practice-small", max_tokens=160)
    for part in ASPECTS:
        written = NodeResult(RUN, item, "aspect_summary", part, TEXT, evidence=EVIDENCE, model=model.model)
        yield Done(replace(model, stage="aspect_summary", parts=(part,)), (written,))
    total = NodeResult(RUN, item, "total_summary", "", TEXT, model=model.model)
    yield Done(replace(model, stage="total_summary", parts=()), (total,))


async def write(store: Store, items: Iterator[str]) -> None:
    """Record restaurants as done, node by node."""
    for item in items:
        for done in nodes(item):
            last = done.attempt.stage == "total_summary"
            number = await store.ledger.begin(done.attempt)
            end = ItemDone(RUN, item, ItemStatus.DONE, 1.0) if last else None
            await store.ledger.settle(number, done.attempt, SETTLED, done.results, end)


async def work(store: Store, ids: list[str]) -> None:
    """Many at once, then calls that never end."""
    done, left = iter(ids[:-LEFT]), ids[-LEFT:]
    async with asyncio.TaskGroup() as group:
        for _ in range(TASKS):
            group.create_task(write(store, done))
    for item in left[:OPEN]:
        await store.ledger.begin(next(nodes(item)).attempt)


def build(path: Path, items: int) -> None:
    """Write the run and die."""
    store = Store.open(path)
    ids = create_run(store, items + LEFT)
    store.runs.set_status(RUN, RunStatus.RUNNING)
    asyncio.run(work(store, ids))
    os._exit(0)


class First:
    """The client, and when it was first asked."""

    def __init__(self, client: OpenAIModel) -> None:
        self._client = client
        self.at = 0.0

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Note the time and ask."""
        self.at = self.at or time.monotonic()
        return await self._client.complete(request)

    async def aclose(self) -> None:
        """Close it."""
        await self._client.aclose()


async def resume(path: Path, url: str, items: int) -> float:
    """Seconds from opening the database to the first call; the run is finished all the same."""
    transport = HttpTransport()
    first = First(OpenAIModel(url, transport=transport))
    load = Load(items, 8, 16, 0.0)
    began = time.monotonic()
    with Store.open(path) as store:
        engine = Engine(
            load_workload(WORKLOAD),
            route=lambda name: Route("bench", name, first, Unpriced(), stream=False),
            allocate=load.allocate,
            searcher=PacedSearcher(0.0),
            recorder=store.ledger,
            run_id=RUN,
        )
        order = Order(RUN, "bench", resumed=True)
        view = await RunDriver(store, order, engine, Commands(store, RUN, Allocations(load.allocate))).drive()
        assert view.done == items + LEFT, view
        orphans = sum(stage.attempts - stage.ok for stage in store.reports.stages(RUN))
    await transport.aclose()
    assert orphans == OPEN, orphans
    return first.at - began


def measure(url: str, items: int) -> float:
    """Build a run, and resume it in this process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.db"
        subprocess.run([sys.executable, __file__, str(path), str(items)], check=True)
        return asyncio.run(resume(path, url, items))


def main() -> None:
    """Few, then many."""
    with PracticeProcess("zero", answers="brief") as server:
        few, many = measure(server.url, FEW), measure(server.url, MANY)
    figures = {
        "bench": "resume",
        "done_nodes": [FEW * NODES, MANY * NODES],
        "first_call_s": {FEW * NODES: round(few, 3), MANY * NODES: round(many, 3)},
        "over_few": round(many / few, 1),
        "must": {f"first_call_s.{MANY * NODES}": "<= 2.0"},
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        build(Path(sys.argv[1]), int(sys.argv[2]))
    else:
        main()
