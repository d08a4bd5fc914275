"""Launching runs on the runtime: preflight, the run's row, and the engine that drives it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from typing import Any

from core.base.allocation import Allocation, allocation
from core.base.errors import ConfigError, RunError, UnknownError
from core.base.records import ItemStatus, Query, RunStatus, Searcher
from core.base.settings import Settings
from core.base.views import RunView
from core.base.workload import Stage, Workload
from core.base.workload_files import find_workload
from core.connections import Connections, PracticeServers
from core.flow import Budget, check_limit
from core.pipeline.allocations import Allocations
from core.pipeline.control import Commands
from core.pipeline.driver import Order, RunDriver
from core.pipeline.engine import Engine
from core.runtime import Runtime
from core.store import Store

CLOSED = "The program was closed."
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Launch:
    """A run to be: checked input, nothing written yet. model '' means: whatever the server offers first.

    ConfigError or UnknownError for what no run can be given.
    """

    workload: Workload
    items: tuple[str, ...]
    who: str
    llm_limit: int
    search_limit: int
    model: str
    stage_models: Mapping[str, str] = field(default_factory=dict)
    window: int = 0
    budget: Decimal | None = None

    def __post_init__(self) -> None:
        check_limit(self.llm_limit, "llm")
        check_limit(self.search_limit, "search")
        if self.window < 0:
            msg = f"The window is {self.window}; it must be 0 (found from the limits) or more items."
            raise ConfigError(msg)
        if self.budget is not None and not (self.budget.is_finite() and self.budget >= 0):
            msg = f"The budget is {self.budget}; it must be an amount in US dollars of 0 or more."
            raise ConfigError(msg)
        known = [stage.id for stage in self.workload.stages if stage.kind == "llm"]
        for stage in self.stage_models:
            if stage not in known:
                msg = f"There is no model stage {stage!r}; the stages are {', '.join(known)}."
                raise UnknownError(msg)


@dataclass(slots=True)
class Live:
    """A run that this process owns; `future` ends with it."""

    future: concurrent.futures.Future[RunView]
    driver: RunDriver | None = None


class Launcher:
    """Owns the runtime and the runs of this process."""

    def __init__(self, settings: Settings, store: Store, runtime: Runtime, env: Mapping[str, str]) -> None:
        self._settings = settings
        self._store = store
        self._runtime = runtime
        self._env = env
        self._practice = PracticeServers()
        self._live: dict[str, Live] = {}
        self._door = threading.Lock()
        self._closing = False
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    def __repr__(self) -> str:
        return f"<Launcher {len(self._live)} live runs>"

    def start(self, launch: Launch) -> str:
        """Preflight, write, launch; the run's id."""
        self._needs_items(launch)
        run_id = time.strftime("%m%d-%H%M%S-", time.gmtime()) + secrets.token_hex(2)
        self._begin(run_id, launch, resumed=False)
        return run_id

    def _needs_items(self, launch: Launch) -> None:
        if not launch.items:
            msg = f"Nothing to do: no items of workload {launch.workload.id!r} were selected. Import some first."
            raise RunError(msg)

    def preflight(self, launch: Launch) -> None:
        """Check all that a start checks; nothing is written."""
        self._needs_items(launch)
        self._runtime.call(self._check(launch))

    async def _check(self, launch: Launch) -> None:
        async with self.connections() as connections:
            await self._searcher(connections, launch.workload)
            await self._allocations(connections, launch)

    def connections(self) -> Connections:
        """Connections to everything that the settings name, not open yet."""
        return Connections(self._settings, self._env, self._practice)

    def resume(self, run: RunView, *, who: str, retry_failed: bool, changes: Mapping[str, Any]) -> None:
        """Launch a run again that no process owns."""
        if run.owner_alive:
            msg = f"Run {run.id} is being worked on by {run.owner}; watch it with: show {run.id}"
            raise RunError(msg)
        if run.status is RunStatus.CANCELLED:
            msg = f"Run {run.id} was cancelled; start a new one."
            raise RunError(msg)
        launch = replace(self._relaunch(run, who), **changes)
        self._begin(run.id, launch, resumed=True, retry=[ItemStatus.FAILED] if retry_failed else [])

    def _relaunch(self, run: RunView, who: str) -> Launch:
        settings = run.settings
        budget = settings.get("budget_usd")
        return Launch(
            workload=find_workload(run.workload, self._settings.workloads),
            items=(),
            who=who,
            llm_limit=run.llm_limit or self._settings.llm_limit,  # 0: its process ended before it began
            search_limit=run.search_limit or self._settings.search_limit,
            model=str(settings.get("model", self._settings.model)),
            stage_models=dict(settings.get("stage_models", {})),
            window=int(settings.get("window", 0)),
            budget=None if budget is None else Decimal(str(budget)),
        )

    def _begin(self, run_id: str, launch: Launch, *, resumed: bool, retry: Sequence[ItemStatus] = ()) -> None:
        """Start the run's task and wait until its preflight is through; its error is the caller's."""
        ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        with self._door:
            self._admit(run_id)
            live = Live(self._runtime.submit(self._run(run_id, launch, ready, resumed=resumed, retry=retry)))
            self._live[run_id] = live
        live.future.add_done_callback(lambda done: self._ended(run_id, live, done, ready))
        ready.result()

    def _admit(self, run_id: str) -> None:
        """RunError when closing, or where the run is at work here already: its lease would not tell the two apart."""
        if self._closing:
            msg = "The service is being closed: it begins no runs any more."
            raise RunError(msg)
        if self.owns(run_id):
            msg = f"Run {run_id} is being worked on by this process already; watch it with: show {run_id}"
            raise RunError(msg)

    def _ended(
        self,
        run_id: str,
        live: Live,
        done: concurrent.futures.Future[RunView],
        ready: concurrent.futures.Future[None],
    ) -> None:
        """Let go of a run that is over; an error that nobody waits for any more is at least in the log."""
        with self._door:
            if self._live.get(run_id) is live:
                del self._live[run_id]
        if ready.done() and not done.cancelled() and (error := done.exception()) is not None:
            log.error("run %s was left without a last word", run_id, exc_info=error)
        _pass_on(done, ready)

    async def _run(
        self,
        run_id: str,
        launch: Launch,
        ready: concurrent.futures.Future[None],
        *,
        resumed: bool,
        retry: Sequence[ItemStatus],
    ) -> RunView:
        async with self.connections() as connections:
            searcher = await self._searcher(connections, launch.workload)
            allocations = await self._allocations(connections, launch)
            write = self._rewrite if resumed else self._write
            await asyncio.to_thread(write, run_id, launch, allocations)
            if retry:
                await asyncio.to_thread(self._store.runs.requeue, run_id, retry)
            before = await asyncio.to_thread(self._store.runs.view, run_id)
            engine = self._engine(before, launch, connections, searcher, allocations)
            driver = RunDriver(
                self._store,
                Order(run_id, self._owner, resumed),
                engine,
                Commands(self._store, run_id, allocations),
            )
            self._hand_over(run_id, driver)
            return await driver.drive(lambda: _set(ready))

    def _hand_over(self, run_id: str, driver: RunDriver) -> None:
        """From here on `stop` reaches the run; one that was on its way while the service closed is told now."""
        with self._door:
            self._live[run_id].driver = driver
        if self._closing:
            driver.engine.stop(RunStatus.INTERRUPTED, CLOSED)

    async def _searcher(self, connections: Connections, workload: Workload) -> Searcher | None:
        """A searcher that has answered once where the workload searches: loading the embedder is not the first item's
        latency."""
        queries = workload_queries(workload)
        if not any(stage.kind == "search" for stage in workload.stages):
            return None
        searcher = await connections.searcher()
        await searcher.search("", queries)
        return searcher

    async def _allocations(self, connections: Connections, launch: Launch) -> Allocations:
        """Resolve every model stage and make its models ready; '' becomes what the server offers."""
        names: dict[str, str] = {}

        def resolve(stage: Stage) -> Allocation:
            found = allocation(launch.workload, stage, self._settings, launch.stage_models, model=launch.model)
            return found.renamed(names)

        for stage in launch.workload.stages:
            if stage.kind == "llm":
                for model in resolve(stage).chain:
                    names[model] = await connections.prepare(model)
        return Allocations(resolve)

    def _engine(
        self,
        before: RunView,
        launch: Launch,
        connections: Connections,
        searcher: Searcher | None,
        allocations: Allocations,
    ) -> Engine:
        return Engine(
            launch.workload,
            pools=connections.pool,
            allocate=allocations,
            searcher=searcher,
            search_limit=launch.search_limit,
            llm_limit=launch.llm_limit,
            window=launch.window,
            recorder=self._store.ledger,
            budget=Budget(launch.budget, settled=before.cost_usd or Decimal(0)),
            run_id=before.id,
            worked_s=before.wall_s,
            search_timeout_s=self._settings.search.timeout_s,
        )

    def _write(self, run_id: str, launch: Launch, allocations: Allocations) -> None:
        """The run's row and its items."""
        workload, settings = launch.workload, self._kept(launch, allocations)
        self._store.runs.create(
            run_id, workload.id, workload.item_kind, launch.items, settings, launch.budget, launch.who
        )

    def _rewrite(self, run_id: str, launch: Launch, allocations: Allocations) -> None:
        """What a resume changed stays changed for the next one."""
        self._store.runs.set_settings(run_id, self._kept(launch, allocations))

    def _kept(self, launch: Launch, allocations: Allocations) -> dict[str, Any]:
        """What a resume needs to know of a launch."""
        return {
            "item_kind": launch.workload.item_kind,
            "model": launch.model,
            "stage_models": dict(launch.stage_models),
            "stages": {s.id: asdict(allocations(s)) for s in launch.workload.stages if s.kind == "llm"},
            "window": launch.window,
            "budget_usd": None if launch.budget is None else str(launch.budget),
            "search": self._settings.search.backend,
            "connections": given_connections(self._settings),
        }

    def wait(self, run_id: str, timeout: float | None) -> None:
        """Wait for the end of a run that this process owns; others are not waited for."""
        live = self._live.get(run_id)
        if live is not None:
            concurrent.futures.wait([live.future], timeout)

    def owns(self, run_id: str) -> bool:
        """Whether a run is being worked on here."""
        live = self._live.get(run_id)
        return live is not None and not live.future.done()

    def stop(self, run_id: str, reason: str, *, at_once: bool = False) -> None:
        """Admit no more to a run of this process; what is in flight finishes, or is cancelled."""
        live = self._live.get(run_id)
        if live is not None and live.driver is not None and self.owns(run_id):
            self._runtime.call(_stop(live.driver, reason, at_once=at_once))

    def close(self, timeout_s: float) -> None:
        """Drain the runs for so long, then cancel what is left, stop the practice servers and the thread."""
        with self._door:
            self._closing = True
            left = dict(self._live)
        for run_id in left:
            self.stop(run_id, CLOSED)
        concurrent.futures.wait([live.future for live in left.values()], timeout_s)
        self._runtime.close()
        self._practice.close()


def workload_queries(workload: Workload) -> tuple[Query, ...]:
    """The queries that the workload's file fixes."""
    return tuple(part.query for kind in workload.parts.values() for part in kind.values if part.query)


def given_connections(settings: Settings) -> dict[str, str]:
    """The addresses a run was started with, so that resuming needs no options; none that carries a password."""
    search = settings.search
    given = {"llm_url": settings.llm_url, "qdrant_url": search.url, "collection": search.collection}
    return {name: value for name, value in given.items() if value and "@" not in value}


async def _stop(driver: RunDriver, reason: str, *, at_once: bool) -> None:
    end = driver.engine.abort if at_once else driver.engine.stop
    end(RunStatus.INTERRUPTED, reason)


def _set(ready: concurrent.futures.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _pass_on(done: concurrent.futures.Future[Any], ready: concurrent.futures.Future[None]) -> None:
    """A run that ended before it was ready: its error is the answer to whoever waits."""
    if not ready.done():
        error = None if done.cancelled() else done.exception()
        ready.set_exception(error or RunError("The run was cancelled before it began."))
