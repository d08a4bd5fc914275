"""What a launch needs before its run begins: a searcher that answers, models that are served, an engine of both."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from core.base.allocation import Layers, max_concurrent
from core.base.records import Query, Searcher
from core.base.views import RunView
from core.base.workload import Workload
from core.connections import Connections
from core.directions import Directions, Notices, Told
from core.flow import Budget
from core.launch import Launch
from core.pipeline.allocations import Allocations
from core.pipeline.controller import Algorithm, knee
from core.pipeline.engine import Engine
from core.store import Store


@dataclass(frozen=True, slots=True)
class Assembly:
    """A launch whose preflight is through, on connections that are open."""

    launch: Launch
    connections: Connections
    searcher: Searcher | None
    directions: Directions

    @classmethod
    async def of(cls, launch: Launch, connections: Connections, notices: Notices, told: Told) -> Assembly:
        """Try everything the run will need; what is missing is an error that says what to do."""
        searcher = await _searcher(connections, launch.workload)
        return cls(launch, connections, searcher, await _directions(connections, launch, notices, told))

    @property
    def allocations(self) -> Allocations:
        """What the run's stages use."""
        return self.directions.allocations

    def engine(self, store: Store, before: RunView, algorithm: Algorithm = knee) -> Engine:
        """The engine of the run; `before` is what earlier sessions left of it, `algorithm` what sizes it in auto."""
        launch = self.launch
        engine = Engine(
            launch.workload,
            pools=self.connections.pool,
            allocate=self.allocations,
            searcher=self.searcher,
            search_limit=launch.sizings["search"],
            llm_limit=launch.sizings["llm"],
            algorithm=algorithm,
            window=launch.window,
            recorder=store.ledger,
            budget=Budget(launch.budget, settled=before.cost_usd or Decimal(0)),
            run_id=before.id,
            worked_s=before.wall_s,
            reuse=launch.reuse,
            max_rss_mb=self.connections.settings.max_rss_mb,
            cache=store.cache if launch.cache else None,
            endgame=launch.sweep is None,
            search_timeout_s=self.connections.settings.search.timeout_s,
        )
        engine.cap(max_concurrent(self.directions.layers))
        return engine


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


async def _directions(connections: Connections, launch: Launch, notices: Notices, told: Told) -> Directions:
    """Resolve every model stage and make its models ready; '' becomes what the server offers."""
    layers = Layers(launch.workload, connections.settings, told.sound_allocation(), launch.model)
    directions = Directions(notices, told, layers, launch.overrides, connections)
    for stage in launch.workload.stages:
        if stage.kind == "llm":
            for model in directions.allocations.wanted(stage).chain:
                await directions.allocations.make_ready(model)
            directions.allocations(stage)
    return directions
