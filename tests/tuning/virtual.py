"""The real engine on a loop whose time jumps from event to event, against the practice servers' laws, and its store."""

from __future__ import annotations

import asyncio
import json
import random
import selectors
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.base.allocation import Allocation
from core.base.records import Evidence, Item, ItemStatus, ModelReply, ModelRequest, Query, RunStatus, Usage
from core.base.workload import Stage, Workload
from core.pipeline.engine import Engine, ItemResult
from core.pipeline.pool import Lane, Pool
from core.pipeline.routes import Route
from core.practice.batch import Batch
from core.practice.laws import Fixed, Job, Law
from core.practice.presets import Preset
from core.store import ItemDone, Store
from tests.support.fakes import MemoryRecorder

WALL = 1_700_000_000.0


class _Jump(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Waits for nothing: time is moved on by what the loop would have waited."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout:
            self.now += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop in which waiting takes no time."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now


class LoopClock:
    """The time of the running loop."""

    def wall(self) -> float:
        return WALL + self.monotonic()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class LawModel:
    """A model whose speed is that of a practice server's law; answers vary in length as texts do."""

    def __init__(self, preset: Preset, seed: int = 1, mean_tokens: float = 90.0) -> None:
        self._rng = random.Random(seed)
        self._law: Law = Fixed(preset) if preset.law == "fixed" else Batch(preset, 0.0)
        self._mean_tokens = mean_tokens
        self._alarm: asyncio.TimerHandle | None = None

    async def complete(self, request: ModelRequest) -> ModelReply:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        output = max(8, min(request.max_tokens, round(self._mean_tokens * self._rng.lognormvariate(0.0, 0.4))))
        prompt = 300 + self._rng.randrange(400)
        job = Job(prompt, output, lambda tokens: done.done() or tokens < output or done.set_result(None))
        self._law.submit(job, loop.time())
        self._plan()
        await done
        return ModelReply(self._text(request), Usage(prompt, output))

    def _text(self, request: ModelRequest) -> str:
        if not request.json:
            return "A fine place [1]."
        rows = [json.loads(line) for line in request.messages[-1].content.splitlines() if line.startswith("{")]
        return json.dumps({"results": [{"id": row["id"], "text": "A card."} for row in rows if "id" in row]})

    def _plan(self) -> None:
        loop = asyncio.get_running_loop()
        if self._alarm is not None:
            self._alarm.cancel()
        at = self._law.next_at
        self._alarm = None if at is None else loop.call_at(at, self._ring)

    def _ring(self) -> None:
        self._law.advance(asyncio.get_running_loop().time() + 1e-9)
        self._plan()

    async def aclose(self) -> None:
        return None


class SlowSearcher:
    """Finds three sentences per query after a lognormal wait."""

    def __init__(self, median_s: float = 0.05, seed: int = 1) -> None:
        self._median_s = median_s
        self._rng = random.Random(seed)

    async def search(self, item_id: str, queries: Sequence[Query]) -> list[list[Evidence]]:
        await asyncio.sleep(self._median_s * self._rng.lognormvariate(0.0, 0.5))
        return [[Evidence(f"{item_id}-{n}", f"It was {n}.", 1.0 - n / 10) for n in range(3)] for _ in queries]

    async def aclose(self) -> None:
        return None


@dataclass(frozen=True)
class PerToken:
    """USD per million tokens, in and out."""

    price_in: Decimal = Decimal("0.15")
    price_out: Decimal = Decimal("0.60")

    def ceiling(self, model: str, input_tokens: int, max_tokens: int) -> Decimal | None:
        return self.cost(model, Usage(input_tokens, max_tokens))

    def cost(self, model: str, usage: Usage) -> Decimal | None:
        return (self.price_in * usage.input_tokens + self.price_out * usage.output_tokens) / 1_000_000


@dataclass(frozen=True)
class Measured:
    """What a run of the engine came to."""

    duration_s: float
    cost_usd: Decimal
    recorder: MemoryRecorder
    peak: dict[str, int]


def measure(
    workload: Workload,
    items: Sequence[Item],
    preset: Preset,
    *,
    llm_limit: int,
    search_limit: int = 8,
    seed: int = 1,
    seats: Sequence[int] = (),
) -> Measured:
    """Run the engine over the items on virtual time; `seats`: a limit per endpoint, each with a server of its own."""
    recorder = MemoryRecorder()
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_measure(workload, items, preset, recorder, llm_limit, search_limit, seed, seats))


async def _measure(
    workload: Workload,
    items: Sequence[Item],
    preset: Preset,
    recorder: MemoryRecorder,
    llm_limit: int,
    search_limit: int,
    seed: int,
    seats: Sequence[int],
) -> Measured:
    clock = LoopClock()
    lanes = [
        (Lane(name, limit=limit, clock=clock), Route(name, "small", LawModel(preset, seed + n), PerToken()))
        for n, (name, limit) in enumerate(
            [("gpu", None)] if not seats else [(f"gpu{i}", s) for i, s in enumerate(seats)]
        )
    ]
    pool = Pool(lanes, clock=clock)
    engine = Engine(
        workload,
        pools=lambda _: pool,
        allocate=_small,
        searcher=SlowSearcher(seed=seed),
        search_limit=search_limit,
        llm_limit=llm_limit,
        recorder=recorder,
        clock=clock,
    )
    results: list[ItemResult] = []
    async with engine:
        results = [result async for result in engine.run(list(items))]
    assert {r.status for r in results} == {ItemStatus.DONE}, [r.error for r in results if r.error][:1]
    cost = sum((s.cost_usd or Decimal(0) for _, s in recorder.settled), Decimal(0))
    peak = {name: gate.peak for name, gate in engine.gates.items()}
    return Measured(max(r.finished_s for r in results), cost, recorder, peak)


def _small(stage: Stage) -> Allocation:
    return Allocation("small", stage.max_tokens, stage.temperature)


def keep(path: Path, workload: Workload, items: Sequence[Item], measured: Measured, run_id: str) -> None:
    """Put a measured run into a store, as if it had been recorded there; it is finished."""
    with Store.open(path) as store:
        store.catalogue.put_items(list(items))
        ids = [item.id for item in items]
        store.runs.create(run_id, workload.id, workload.item_kind, ids, {}, None, "test")
        asyncio.run(_write(store, run_id, measured.recorder))
        store.runs.set_status(run_id, RunStatus.FINISHED, "")


async def _write(store: Store, run_id: str, recorder: MemoryRecorder) -> None:
    async def one(attempt: Any, settlement: Any) -> None:
        mine = replace(attempt, run_id=run_id)
        await store.ledger.settle(await store.ledger.begin(mine), mine, settlement)

    async with asyncio.TaskGroup() as group:
        for attempt, settlement in recorder.settled:
            group.create_task(one(attempt, settlement))
    results = [replace(result, run_id=run_id) for result in recorder.results]
    await store.ledger.save(results)
    for item in recorder.items:
        await store.ledger.save((), ItemDone(run_id, item.item_id, item.status, item.finished_s, item.error))
