"""What a launch needs before its run begins: a searcher that answers, models that are served, an engine of both."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from core.base.allocation import Allocation, allocation
from core.base.records import Query, Searcher
from core.base.settings import Settings
from core.base.views import RunView
from core.base.workload import Stage, Workload
from core.connections import Connections
from core.flow import Budget
from core.launch import Launch
from core.pipeline.allocations import Allocations
from core.pipeline.engine import Engine
from core.store import Store


@dataclass(frozen=True, slots=True)
class Assembly:
    """A launch whose preflight is through, on connections that are open."""

    launch: Launch
    settings: Settings
    connections: Connections
    searcher: Searcher | None
    allocations: Allocations

    @classmethod
    async def of(cls, launch: Launch, settings: Settings, connections: Connections) -> Assembly:
        """Try everything the run will need; what is missing is an error that says what to do."""
        searcher = await _searcher(connections, launch.workload)
        return cls(launch, settings, connections, searcher, await _allocations(connections, launch, settings))

    def engine(self, store: Store, before: RunView) -> Engine:
        """The engine of the run; `before` is what earlier sessions left of it."""
        launch = self.launch
        return Engine(
            launch.workload,
            pools=self.connections.pool,
            allocate=self.allocations,
            searcher=self.searcher,
            search_limit=launch.search_limit,
            llm_limit=launch.llm_limit,
            window=launch.window,
            recorder=store.ledger,
            budget=Budget(launch.budget, settled=before.cost_usd or Decimal(0)),
            run_id=before.id,
            worked_s=before.wall_s,
            search_timeout_s=self.settings.search.timeout_s,
        )


async def _searcher(connections: Connections, workload: Workload) -> Searcher | None:
    """A searcher that has answered once where the workload searches: loading the embedder is not the first item's
    latency."""
    queries = workload_queries(workload)
    if not any(stage.kind == "search" for stage in workload.stages):
        return None
    searcher = await connections.searcher()
    await searcher.search("", queries)
    return searcher


def workload_queries(workload: Workload) -> tuple[Query, ...]:
    """The queries that the workload's file fixes."""
    return tuple(part.query for kind in workload.parts.values() for part in kind.values if part.query)


async def _allocations(connections: Connections, launch: Launch, settings: Settings) -> Allocations:
    """Resolve every model stage and make its models ready; '' becomes what the server offers."""
    names: dict[str, str] = {}

    def resolve(stage: Stage) -> Allocation:
        return allocation(launch.workload, stage, settings, launch.stage_models, model=launch.model).renamed(names)

    for stage in launch.workload.stages:
        if stage.kind == "llm":
            for model in resolve(stage).chain:
                names[model] = await connections.prepare(model)
    return Allocations(resolve)
