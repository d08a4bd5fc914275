"""The engine: a sliding window of items, oldest first, no barrier between stages nor between pages.

    async with Engine(workload, model=model, searcher=searcher, llm_limit=32) as engine:
        async for result in engine.run(items):
            print(result.item.name, result.text("total_summary"))

A crew of workers walks the window; every call waits at its gate ordered by its item's place, so whole items
finish early, memory stays flat and the model gate never idles while work is ready.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from types import TracebackType

from core.base.allocation import Allocation
from core.base.clock import SYSTEM_CLOCK, Clock
from core.base.errors import UsageError
from core.base.records import Model, RunStatus, Searcher
from core.base.workload import Stage, Workload
from core.flow import UNLIMITED, Budget, Gate
from core.pipeline.context import Cache, Context, Halt, Recorder, Unrecorded
from core.pipeline.controller import Algorithm, knee
from core.pipeline.crew import Crew
from core.pipeline.feed import Feed, Items
from core.pipeline.item_run import ItemResult
from core.pipeline.pool import Pool, Pools, single
from core.pipeline.reuse import Reuse
from core.pipeline.routes import Route, Unpriced
from core.pipeline.sizing import Sizing, Wanted
from core.pipeline.tuner import Tuner


class Engine:
    """Runs a workload over items. Give it a `model` (one client for every stage), a `route` (a client per name) or
    `pools` (several endpoints per name)."""

    def __init__(
        self,
        workload: Workload,
        *,
        model: Model | None = None,
        route: Callable[[str], Route] | None = None,
        pools: Pools | None = None,
        allocate: Callable[[Stage], Allocation] | None = None,
        searcher: Searcher | None = None,
        search_limit: Wanted | Sizing = 8,
        llm_limit: Wanted | Sizing = 16,
        algorithm: Algorithm = knee,
        window: int = 0,
        recorder: Recorder | None = None,
        budget: Budget | None = None,
        run_id: str = "",
        search_timeout_s: float = 10.0,
        worked_s: float = 0.0,
        reuse: Reuse | None = None,
        cache: Cache | None = None,
        max_rss_mb: int = 0,
        endgame: bool = True,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.clock = clock
        self._window = window
        self.crew: Crew | None = None
        self._reuse = reuse
        self.max_rss_mb = max_rss_mb
        self._worked_s = worked_s
        self._began = clock.monotonic()
        search, llm = _sizing("search", search_limit), _sizing("llm", llm_limit)
        gates = {side.resource: Gate(side.resource, side.begin, clock=clock) for side in (search, llm)}
        self.tuner = Tuner(gates, llm, search, clock, resized=self._hire, algorithm=algorithm)
        self._pools = pools or single(route or _only(model), clock)
        self.context = Context(
            run_id=run_id or f"run-{secrets.token_hex(4)}",
            workload=workload,
            searcher=searcher,
            pool=self._pool,
            allocate=allocate or _as_the_workload_says,
            gates=gates,
            recorder=recorder or Unrecorded(),
            clock=clock,
            budget=budget or Budget(),
            search_timeout_s=search_timeout_s,
            cache=cache,
            endgame=endgame,
            searches=self.tuner.search,
            stage_gates={s.id: Gate(s.id, UNLIMITED, clock=clock) for s in workload.stages if s.kind == "llm"},
        )
        self.reallocate()

    def __repr__(self) -> str:
        gates = ", ".join(map(repr, self.gates.values()))
        return f"<Engine {self.context.run_id}: {gates}, {self.crew!r}>"

    async def __aenter__(self) -> Engine:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for gate in (*self.gates.values(), *self.context.stage_gates.values()):
            gate.shut()

    @property
    def gates(self) -> Mapping[str, Gate]:
        """The gates by resource: `search` and `llm`."""
        return self.context.gates

    @property
    def halted(self) -> Halt | None:
        """Why the run stopped before its items were through; None while or when all is well."""
        return self.context.halted

    @property
    def window(self) -> int:
        """Most items in flight: as given, or twice what the limits can hold so that no gate idles."""
        return self._window or 2 * (self.gates["llm"].limit + self.gates["search"].limit)

    def elapsed(self) -> float:
        """Seconds of work on the run: this session's, and what earlier ones left (`worked_s`)."""
        return self._worked_s + self.clock.monotonic() - self._began

    async def run(self, items: Items) -> AsyncIterator[ItemResult]:
        """Results in the order in which items finish. Leaving the loop early cancels what is in flight."""
        self._began = self.clock.monotonic()
        self.crew = Crew(self.context, Feed(items), lambda: self.window, self.elapsed, self._reuse)
        tuning = asyncio.create_task(self.tuner.attend(), name=f"{self.context.run_id} tuning")
        try:
            async with aclosing(self.crew.results()) as results:
                async for result in results:
                    yield result
        finally:
            tuning.cancel()
            await asyncio.gather(tuning, return_exceptions=True)

    def _hire(self) -> None:
        """The window has grown: there may be room for more workers."""
        if self.crew is not None:
            self.crew.hire()

    def resize(self, resource: str, limit: Wanted, *, who: str = "operator", reason: str = "") -> None:
        """Change a limit while running, to a number or to `auto`; model calls stay within the workload's own most."""
        self.tuner.set(resource, limit, who=who, reason=reason)

    def cap(self, most: int | None) -> None:
        """The workload's own most of model calls in flight; None lifts it, and the limit is what it was set to."""
        self.tuner.llm.cap(most)

    def _pool(self, model: str) -> Pool:
        """The endpoints of a model, which are in use from now on."""
        pool = self._pools(model)
        self.tuner.llm.use(pool)
        return pool

    def reallocate(self) -> None:
        """Give every model stage the places that its allocation has now."""
        for stage_id, gate in self.context.stage_gates.items():
            limit = self.context.allocate(self.context.workload.stage(stage_id)).max_concurrent or UNLIMITED
            if limit != gate.limit:
                gate.resize(limit)

    def pause(self) -> None:
        """Send nothing new until `resume`; what is in flight finishes."""
        for gate in self.gates.values():
            gate.pause()

    def resume(self) -> None:
        """Go on after `pause`."""
        for gate in self.gates.values():
            gate.resume()

    def stop(self, status: RunStatus, reason: str) -> None:
        """Admit no more and let what is in flight finish; `run` then ends."""
        self.context.halt(status, reason)

    def abort(self, status: RunStatus, reason: str) -> None:
        """Admit no more and cancel what is in flight; its cost is kept as reserved."""
        self.context.halt(status, reason)
        if self.crew is not None:
            self.crew.cancel()


def _sizing(resource: str, limit: Wanted | Sizing) -> Sizing:
    return limit if isinstance(limit, Sizing) else Sizing(resource, limit)


def _as_the_workload_says(stage: Stage) -> Allocation:
    return Allocation(stage.model or "", stage.max_tokens, stage.temperature, stage.fallback)


def _only(model: Model | None) -> Callable[[str], Route]:
    def route(name: str) -> Route:
        if model is None:
            msg = f"No model client for {name!r}. Pass model=... or route=... to the engine."
            raise UsageError(msg)
        return Route("local", name, model, Unpriced())

    return route
