"""What the benches share: a searcher of known latency over made-up sentences, and recorded runs of the engine."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from core.base.allocation import Allocation
from core.base.records import Evidence, Item, Message, NodeResult, Query
from core.base.workload import Stage
from core.base.workload_files import load_workload
from core.flow import Budget
from core.models import HttpTransport, OpenAIModel
from core.pipeline.allocations import Allocations
from core.pipeline.control import Commands
from core.pipeline.driver import Order, RunDriver
from core.pipeline.engine import Engine
from core.pipeline.plan import expand
from core.pipeline.pool import Lane, Pool, Pools
from core.pipeline.prompts import Inputs, render
from core.pipeline.routes import Route, Unpriced
from core.store import Store

ROOT = Path(__file__).parents[1]
RUN = "bench"
WORKLOAD = ROOT / "data" / "workloads" / "restaurant-reviews.toml"
SUBJECTS = ("The soup", "Our waiter", "The bill", "A lunch set", "The noodles", "The host", "Dessert", "The wine list")
VERDICTS = ("was better than expected", "took forty minutes", "cost far too much", "came cold", "was the best in town")


def sentence(rng: random.Random) -> str:
    """A made-up review sentence."""
    return f"{rng.choice(SUBJECTS)} {rng.choice(VERDICTS)} on visit {rng.randrange(90)}."


class SamePrompts:
    """The prompts that the engine sends, for the skeleton: both give the server the same work."""

    def __init__(self) -> None:
        self._workload = load_workload(WORKLOAD)
        self._item = Item("r", "Restaurant r000001")
        nodes = expand(self._workload, self._item).nodes
        self._nodes = {node.parts[0].id if node.parts else "": node for node in nodes if node.stage.kind == "llm"}

    def __call__(self, part: str, found: list[list[str]], texts: list[str]) -> tuple[Message, ...]:
        """The messages for an aspect's sentences, or for all of them and the aspects' summaries ('')."""
        parts = [part] if part else [name for name in self._nodes if name]
        evidence = {name: self._evidence(rows) for name, rows in zip(parts, found, strict=True)}
        told = {name: NodeResult("", "r", "aspect_summary", name, t) for name, t in zip(parts, texts, strict=False)}
        inputs = Inputs(evidence, {} if part else {"aspect_summary": told})
        return render(self._workload, self._nodes[part], self._item, inputs, fence="bench")

    def _evidence(self, rows: list[str]) -> tuple[Evidence, ...]:
        return tuple(Evidence(f"r{n}", text, 1.0) for n, text in enumerate(rows))


class PacedSearcher:
    """Answers every query with eight sentences after a lognormal wait: median `median_s`, a heavy tail."""

    def __init__(self, median_s: float, seed: int = 1) -> None:
        self.median_s = median_s
        self._rng = random.Random(seed)

    def _wait(self) -> float:
        return self.median_s * self._rng.lognormvariate(0.0, 0.5) if self.median_s else 0.0

    async def search(self, item_id: str, queries: Sequence[Query]) -> list[list[Evidence]]:
        """One wait for the whole batch, as one request to Qdrant is."""
        await asyncio.sleep(self._wait())
        return [
            [Evidence(f"{item_id}-{q.part}-{n}", sentence(self._rng), 1.0 - n / 10) for n in range(8)] for q in queries
        ]

    async def plain(self, _key: str) -> list[str]:
        """The skeleton's search: one aspect, one wait."""
        await asyncio.sleep(self._wait())
        return [sentence(self._rng) for _ in range(8)]

    async def aclose(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True)
class Place:
    """An endpoint: where it listens, and the most calls in flight there (None: only the run's limit)."""

    url: str
    limit: int | None = None


class Places:
    """Pools over endpoints that serve every model, as a run's connections open them. One transport for all."""

    def __init__(self, *places: Place, stream: bool = False) -> None:
        self.transport = HttpTransport()
        self.lanes = [Lane(f"bench-{n}", limit=place.limit) for n, place in enumerate(places)]
        self._clients = [OpenAIModel(place.url, transport=self.transport) for place in places]
        self._stream = stream
        self._pools: dict[str, Pool] = {}

    def __call__(self, model: str) -> Pool:
        """The pool of a model."""
        found = self._pools.get(model)
        if found is None:
            pairs = zip(self.lanes, self._clients, strict=True)
            routes = [(lane, Route(lane.name, model, client, Unpriced(), self._stream)) for lane, client in pairs]
            found = self._pools[model] = Pool(routes)
        return found

    async def aclose(self) -> None:
        """Close the connections."""
        await self.transport.aclose()


@dataclass(frozen=True)
class Load:
    """What is asked of the engine: restaurants, limits, the median search, other models to fall back to,
    a budget (US dollars)."""

    items: int
    search_limit: int
    llm_limit: int | str
    search_s: float
    fallback: tuple[str, ...] = ()
    budget: Decimal | None = None

    def allocate(self, stage: Stage) -> Allocation:
        """The same models for every stage."""
        return Allocation("practice-small", stage.max_tokens, stage.temperature, self.fallback)


@dataclass
class Ran:
    """A run of the engine and what the benches read of it; times are seconds. `failed` counts model calls that did."""

    wall_s: float
    cpu_s: float
    calls: int
    finished: list[float]
    model_s: float
    search_s: float
    longest_chain_s: float
    rss_mb: float
    lost: int
    failed: int


async def run_engine(
    url: str, items: int, *, search_limit: int, llm_limit: int, search_s: float, stream: bool = False
) -> Ran:
    """The real engine over HTTP with everything recorded in a fresh database; nothing may be lost."""
    ran = await run_places(Places(Place(url), stream=stream), Load(items, search_limit, llm_limit, search_s))
    assert not ran.lost, ran
    return ran


async def run_places(places: Places, load: Load) -> Ran:
    """A run against these endpoints, recorded in a fresh database."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / "bench.db")
        try:
            return await record_run(store, places, load)
        finally:
            await places.aclose()
            store.close()


async def record_run(store: Store, pools: Pools, load: Load) -> Ran:
    """A run of the sample workload over made-up restaurants, driven as the service drives it."""
    ids = create_run(store, load.items)
    engine = Engine(
        load_workload(WORKLOAD),
        pools=pools,
        allocate=load.allocate,
        searcher=PacedSearcher(load.search_s),
        search_limit=load.search_limit,
        llm_limit=load.llm_limit,
        recorder=store.ledger,
        budget=Budget(load.budget),
        run_id=RUN,
    )
    driver = RunDriver(store, Order(RUN, "bench"), engine, Commands(store, RUN, Allocations(load.allocate)))
    began, cpu = time.monotonic(), time.process_time()
    view = await driver.drive()
    wall, cpu_s = time.monotonic() - began, time.process_time() - cpu
    return _read(store, wall, cpu_s, float(view.measures["rss_mb"]), len(ids) - view.done)


def create_run(store: Store, items: int) -> list[str]:
    """The run and so many made-up restaurants in the database; their ids."""
    ids = [f"r{n:06}" for n in range(items)]
    for start in range(0, items, 1000):
        store.catalogue.put_items([Item(i, f"Restaurant {i}") for i in ids[start : start + 1000]])
    workload = load_workload(WORKLOAD)
    store.runs.create(RUN, workload.id, workload.item_kind, ids, {}, None, "bench")
    return ids


def _read(store: Store, wall: float, cpu: float, rss_mb: float, lost: int) -> Ran:
    stages = store.reports.stages(RUN)
    rows = store.catalogue.items("restaurant", run_id=RUN, limit=100_000).rows
    service = {r: sum(s.service_s for s in stages if s.resource == r) for r in ("llm", "search")}
    return Ran(
        wall_s=wall,
        cpu_s=cpu,
        calls=sum(s.calls for s in stages),
        finished=sorted(row.finished_s or 0.0 for row in rows),
        model_s=service["llm"],
        search_s=service["search"],
        longest_chain_s=max(_chain(store, row.id) for row in (rows[0], rows[len(rows) // 2], rows[-1])),
        rss_mb=rss_mb,
        lost=lost,
        failed=sum(s.attempts - s.ok for s in stages if s.resource == "llm"),
    )


def _chain(store: Store, item: str) -> float:
    """The longest chain of one item's own service times."""
    slowest: dict[str, float] = {}
    for attempt in store.reports.timeline(RUN, item):
        slowest[attempt.stage] = max(slowest.get(attempt.stage, 0.0), attempt.service_s or 0.0)
    return sum(slowest.values())


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return sorted(values)[len(values) // 2]
