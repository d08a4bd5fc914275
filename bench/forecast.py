"""Forecast against measured, over real HTTP: three workloads, other items, other limits than those fitted to.

One practice server of simulated speed. Each workload runs at two limits over some items; then a run over other items at
a limit between them, and one at the higher, are forecast and measured. Everything is recorded in a database, whose
history is all that the forecast knows.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._world import PacedSearcher
from core.base.allocation import Allocation
from core.base.records import Item, Usage
from core.base.workload import Stage, Workload
from core.base.workload_files import find_workload
from core.models import HttpTransport, OpenAIModel
from core.pipeline.allocations import Allocations
from core.pipeline.control import Commands
from core.pipeline.driver import Order, RunDriver
from core.pipeline.engine import Engine
from core.pipeline.routes import Route
from core.practice import PracticeProcess
from core.store import Store
from core.tuning.forecast import forecast
from core.tuning.proposal import Proposal

MODEL = "practice-small"
FITTED, TOLD = (4, 24), (12, 24)
SIZES = {"restaurant-reviews": (40, 160), "celtic-cross": (25, 90), "horoscope": (25, 90)}


@dataclass(frozen=True)
class PerToken:
    """USD per million tokens, in and out."""

    price_in: Decimal = Decimal("0.15")
    price_out: Decimal = Decimal("0.60")

    def ceiling(self, model: str, input_tokens: int, max_tokens: int) -> Decimal:
        return self.cost(model, Usage(input_tokens, max_tokens))

    def cost(self, model: str, usage: Usage) -> Decimal:
        return (self.price_in * usage.input_tokens + self.price_out * usage.output_tokens) / 1_000_000


def some_items(workload: Workload, count: int, seed: int) -> list[Item]:
    """Items of the workload's kind, other ones for every seed."""
    rng = random.Random(seed)
    return [Item(f"{seed}-{n}", f"Item {seed}-{n}", workload.item_kind, _fields(workload, rng)) for n in range(count)]


def _fields(workload: Workload, rng: random.Random) -> dict[str, object]:
    if workload.item_kind == "reading":
        cards = [{"id": f"c{n}", "position": f"p{n}", "card": "The Star"} for n in range(rng.choice((3, 5, 10)))]
        return {"cards": cards}
    if workload.item_kind == "day":
        return {"signs": [{"id": f"s{n}", "name": f"sign {n}"} for n in range(12)]}
    return {}


async def run(
    store: Store, url: str, workload: Workload, items: list[Item], limit: int, seed: int
) -> tuple[float, Decimal]:
    """A recorded run over HTTP: seconds and USD."""
    run_id = f"{workload.id}-{limit}-{seed}"
    store.catalogue.put_items(items)
    store.runs.create(run_id, workload.id, workload.item_kind, [i.id for i in items], {}, None, "bench")
    transport = HttpTransport()
    route = Route("practice", MODEL, OpenAIModel(url, transport=transport), PerToken(), stream=False)
    engine = Engine(
        workload,
        route=lambda _: route,
        allocate=_plain,
        searcher=PacedSearcher(0.05, seed),
        search_limit=8,
        llm_limit=limit,
        recorder=store.ledger,
        run_id=run_id,
    )
    driver = RunDriver(store, Order(run_id, "bench"), engine, Commands(store, run_id, Allocations(_plain)))
    try:
        view = await driver.drive()
    finally:
        await transport.aclose()
    assert view.done == len(items), view
    return float(view.measures["wall_s"]), view.cost_usd or Decimal(0)


def _plain(stage: Stage) -> Allocation:
    return Allocation(MODEL, stage.max_tokens, stage.temperature)


async def one(store: Store, url: str, name: str) -> list[dict[str, object]]:
    """Fit on two runs, then tell and measure two others."""
    workload, (few, many) = find_workload(name), SIZES[name]
    for seed, limit in enumerate(FITTED):
        await run(store, url, workload, some_items(workload, few, seed), limit, seed)
    known, items = store.reports.history(workload.id), some_items(workload, many, 99)
    rows = []
    for limit in TOLD:
        began = time.perf_counter()
        told = forecast(Proposal(workload, many, items, limit, 8), known)
        spent = time.perf_counter() - began
        wall_s, usd = await run(store, url, workload, items, limit, 99)
        assert told.duration_s is not None
        assert told.cost_usd is not None
        rows.append(
            {
                "workload": name,
                "limit": limit,
                "forecast_s": [round(s, 2) for s in told.duration_s],
                "measured_s": round(wall_s, 2),
                "duration_error": round(wall_s / told.duration_s[1] - 1, 3),
                "cost_error": round(float(usd / told.cost_usd[1]) - 1, 3),
                "forecasting_s": round(spent, 3),
            }
        )
    return rows


def long_forecast_s(store: Store) -> float:
    """Seconds to forecast ten thousand restaurants with 64 calls in flight."""
    workload = find_workload("restaurant-reviews")
    began = time.perf_counter()
    forecast(Proposal(workload, 10_000, some_items(workload, 1, 0), 64, 8), store.reports.history(workload.id))
    return time.perf_counter() - began


async def main() -> None:
    """All workloads on one server."""
    server = PracticeProcess("single-gpu-8b")
    try:
        with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "bench.db") as store:
            rows = [row for name in SIZES for row in await one(store, server.url, name)]
            ten_thousand = long_forecast_s(store)
    finally:
        server.stop()
    figures = {
        "bench": "forecast",
        "runs": rows,
        "worst_duration_error": max(abs(float(str(row["duration_error"]))) for row in rows),
        "worst_cost_error": max(abs(float(str(row["cost_error"]))) for row in rows),
        "forecasting_10000_items_s": round(ten_thousand, 2),
        "must": {"worst_duration_error": 0.10, "worst_cost_error": 0.05, "forecasting_10000_items_s": 2.0},
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
