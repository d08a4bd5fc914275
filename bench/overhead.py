"""CPU per call of what keeps a run safe: ledger, budget, quotas, breakers and a pool, over the bare engine.

Bare is the same engine over the same HTTP client and server, with one endpoint of no limit and nothing recorded; on is
everything: recorded in SQLite and driven as the service does it, two endpoints with limits, quotas that hold nobody up,
a budget. A restaurant has seven calls, three of them searches; the server has no latency. In turn, three times each;
the least of each counts, for a busy machine only adds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._world import WORKLOAD, Load, PacedSearcher, Place, Places, run_places
from core.base.records import Item, ItemStatus
from core.base.workload_files import load_workload
from core.flow import Budget, Rates
from core.pipeline.engine import Engine
from core.practice import PracticeProcess
from core.runtime import loop_factory

ITEMS, CALLS, LIMIT, ROUNDS, QUOTA = 500, 7, 64, 3, 1e9
LOAD = Load(ITEMS, 8, LIMIT, 0.0, budget=Decimal(1_000_000))


async def bare(url: str) -> float:
    """CPU milliseconds per call without any of it."""
    places = Places(Place(url))
    engine = Engine(
        load_workload(WORKLOAD),
        pools=places,
        allocate=LOAD.allocate,
        searcher=PacedSearcher(0.0),
        search_limit=LOAD.search_limit,
        llm_limit=LIMIT,
        budget=Budget(),
    )
    began = time.process_time()
    async with engine:
        ended = [ran.status async for ran in engine.run([Item(f"r{n:06}", f"Restaurant {n}") for n in range(ITEMS)])]
    cpu = time.process_time() - began
    await places.aclose()
    assert set(ended) == {ItemStatus.DONE}, ended
    return 1000 * cpu / (ITEMS * CALLS)


async def on(url: str) -> float:
    """The same with everything."""
    places = Places(Place(url, LIMIT // 2), Place(url, LIMIT // 2))
    for lane in places.lanes:
        lane.rates = Rates(QUOTA, QUOTA, name=lane.name)
    ran = await run_places(places, LOAD)
    assert not ran.lost, ran
    return 1000 * ran.cpu_s / (ITEMS * CALLS)


async def main() -> None:
    """In turn, after a warm-up of both."""
    with PracticeProcess("zero", answers="brief") as server:
        await bare(server.url)
        pairs = [(await bare(server.url), await on(server.url)) for _ in range(ROUNDS)]
    without, having = (min(side) for side in zip(*pairs, strict=True))
    figures = {
        "bench": "overhead",
        "bare_cpu_ms_per_call": round(without, 3),
        "cpu_ms_per_call": round(having, 3),
        "overhead_ms": round(having - without, 3),
        "over_bare": round(having / without, 2),
        "must": {"overhead_ms": "<= 0.3"},
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main())
