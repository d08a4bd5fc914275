"""One run in the store and the engine that works on it: lease, items by page, commands, gauges, how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from core.base.errors import BrigadeError, StoreError, StoreFullError
from core.base.records import NodeResult, RunStatus
from core.base.views import ControlView, RunView
from core.pipeline.claims import Claims
from core.pipeline.constraints import LOOK_S, Constraints
from core.pipeline.control import Commands, Effect
from core.pipeline.engine import Engine
from core.pipeline.feed import Work
from core.pipeline.limit_log import LimitLog
from core.pipeline.memory import peak_rss_mb
from core.pipeline.memory_guard import MemoryGuard
from core.store import Lease, Store

log = logging.getLogger(__name__)

PAGE = 200
POLL_S = 0.1
SAMPLE_S = 1.0
RENEW_S = 4.0


@dataclass(frozen=True, slots=True)
class Order:
    """What to drive: the run, its owner string, and whether an earlier session may have left results.

    parent: the run from which nodes may be taken over; only: the items to do, all that are pending where it is None.
    """

    run_id: str
    owner: str
    resumed: bool = False
    parent: str = ""
    only: frozenset[str] | None = None


class Directions(Protocol):
    """What a run follows besides its commands: `look` reads (blocking), `follow` obeys on the loop."""

    def look(self) -> Any: ...
    def follow(self, engine: Engine, told: Any) -> None: ...
    async def aclose(self) -> None: ...


class RunDriver:
    """Drives one run from lease to last status. `engine` is there once `drive` is under way."""

    def __init__(
        self, store: Store, order: Order, engine: Engine, commands: Commands, directions: Directions | None = None
    ) -> None:
        self.store = store
        self.order = order
        self.engine = engine
        self.commands = commands
        self.directions = directions
        self._in_turn = asyncio.Lock()
        self._cpu0 = time.process_time()
        self._constraints = Constraints(engine, store.ledger.commits)
        self._claims = Claims(store, order.run_id, order.owner, engine.tuner.llm, engine.clock)
        self._limits = LimitLog(store, order.run_id, engine)
        self._memory = MemoryGuard(store, order.run_id, engine)
        self._lease: Lease | None = None
        self._obeyed = 0
        self._started_at = engine.clock.wall()

    def __repr__(self) -> str:
        return f"<RunDriver {self.order.run_id} {self.engine!r}>"

    async def drive(self, ready: Callable[[], None] = lambda: None) -> RunView:
        """Work through the run; every way it can end is a status with a reason in the store."""
        run_id = self.order.run_id
        self._lease = await asyncio.to_thread(self.store.runs.acquire_lease, run_id, self.order.owner)
        try:
            await self._open()
            ready()
            status, reason = await self._supervised()
            await self._close(status, reason)
        except StoreFullError as error:
            return await self._unrecorded(error)
        finally:
            with contextlib.suppress(BrigadeError):  # they run out by themselves
                await self._claims.release()
            with contextlib.suppress(StoreFullError):  # it runs out too
                await asyncio.to_thread(self.store.runs.release_lease, self._lease)
        return await asyncio.to_thread(self.store.runs.view, run_id)

    async def _unrecorded(self, error: StoreFullError) -> RunView:
        """How a run ends that can write its end no more: it is kept beside the database, as what calls came to is."""
        runs, run_id = self.store.runs, self.order.run_id
        with contextlib.suppress(StoreFullError):
            await asyncio.to_thread(runs.set_status, run_id, RunStatus.PAUSED, str(error))
        return await asyncio.to_thread(runs.view, run_id)

    async def _open(self) -> None:
        runs, run_id = self.store.runs, self.order.run_id
        if self.order.resumed:
            await asyncio.to_thread(runs.orphan, run_id)
            await self._limits.recall()
        self._obeyed = await asyncio.to_thread(self.commands.skip_old)  # before anybody is told that the run is on
        await self._limits.show()
        await asyncio.to_thread(runs.set_status, run_id, RunStatus.RUNNING)
        view = await asyncio.to_thread(runs.view, run_id)
        self._limits.started_at = self._started_at = view.started_at or self.engine.clock.wall()
        self.engine.context.budget.settled = view.cost_usd or Decimal(0)  # with what orphans may have cost

    async def _supervised(self) -> tuple[RunStatus, str]:
        """Run the engine with its attendants; a crash of any of them is a status too."""
        attending = (self._obey, self._measure, self._watch, self._claims.attend)
        attendants = [asyncio.create_task(work()) for work in attending]
        for task in attendants:
            task.add_done_callback(self._left_alone)
        try:
            await self._work()
        except asyncio.CancelledError:
            return RunStatus.INTERRUPTED, "The process that owned the run was stopped."
        except Exception as error:  # noqa: BLE001 - every way to end is a status
            return self._broken(error)
        finally:
            for task in attendants:
                task.cancel()
            await asyncio.gather(*attendants, return_exceptions=True)
            if self.directions is not None:
                await self.directions.aclose()
        halted = self.engine.halted
        return (halted.status, halted.reason) if halted else await self._through()

    async def _through(self) -> tuple[RunStatus, str]:
        """How a run ends whose engine has done all it was given."""
        left = (await asyncio.to_thread(self.store.runs.view, self.order.run_id)).pending
        if self.order.only is None or not left:
            return RunStatus.FINISHED, ""
        return RunStatus.PAUSED, f"The chosen items are through. Still pending: {left}; resume the run to go on."

    def _left_alone(self, attendant: asyncio.Task[None]) -> None:
        """Without one of its attendants nobody obeys commands or keeps the lease: the run drains and ends."""
        if not attendant.cancelled() and isinstance(error := attendant.exception(), Exception):
            self.engine.stop(*self._broken(_innermost(error)))

    def _broken(self, error: Exception) -> tuple[RunStatus, str]:
        """How a run ends whose machinery broke."""
        if isinstance(error, StoreError):
            return RunStatus.PAUSED, str(error)
        log.error("run %s crashed", self.order.run_id, exc_info=error)
        return RunStatus.CRASHED, f"{type(error).__name__}: {error}"

    async def _work(self) -> None:
        async with self.engine as engine:
            async for _ in engine.run(self._pages()):
                pass

    async def _pages(self) -> AsyncIterator[Work]:
        runs, run_id, position = self.store.runs, self.order.run_id, -1
        while page := await asyncio.to_thread(runs.pending_page, run_id, position, PAGE):
            ids = [item.id for _, item in page]
            prior = await self._done_by(run_id if self.order.resumed else "", ids)
            inherited = await self._done_by(self.order.parent, ids)
            for position, item in page:
                if self.order.only is None or item.id in self.order.only:
                    yield Work(item, position, prior.get(item.id, ()), inherited=inherited.get(item.id, ()))

    async def _done_by(self, run_id: str, ids: list[str]) -> Mapping[str, list[NodeResult]]:
        """What a run has done of these items."""
        return await asyncio.to_thread(self.store.runs.node_results, run_id, ids) if run_id else {}

    async def _obey(self) -> None:
        """Look for commands and changed settings ten times a second, so that any is obeyed within 250 ms.

        A command that needs a server's answer is waited for beside the others.
        """
        async with asyncio.TaskGroup() as waiting:
            while True:
                controls, told = await asyncio.to_thread(self._look)
                if self.directions is not None:
                    self.directions.follow(self.engine, told)
                for control in controls:
                    self._obeyed = control.id
                    effect = self.commands.apply(self.engine, control)
                    if effect.ready is None:
                        await self._answer(control, effect)
                    else:
                        waiting.create_task(self._when_ready(control, effect, effect.ready))
                await self.engine.clock.sleep(POLL_S)

    def _look(self) -> tuple[list[ControlView], Any]:
        controls = self.store.controls.pending(self.order.run_id, self._obeyed)
        return controls, self.directions.look() if self.directions else None

    async def _when_ready(self, control: ControlView, effect: Effect, ready: Coroutine[Any, Any, None]) -> None:
        try:
            await ready
        except BrigadeError as error:
            effect = Effect(f"refused: {error}")
        await self._answer(control, effect)

    async def _answer(self, control: ControlView, effect: Effect) -> None:
        """Write what came of a command, one after the other: some read what they change."""
        async with self._in_turn:
            await asyncio.to_thread(self.commands.write, control, effect)

    async def _measure(self) -> None:
        """Write what the gates did each second and keep the lease; losing it ends the run here."""
        renewed = self.engine.clock.monotonic()
        while True:
            await self.engine.clock.sleep(SAMPLE_S)
            await self._memory.mind()
            await self._sample()
            if self.engine.clock.monotonic() - renewed >= RENEW_S:
                renewed = self.engine.clock.monotonic()
                if self._lease and not await asyncio.to_thread(self.store.runs.renew_lease, self._lease):
                    self.engine.abort(RunStatus.INTERRUPTED, "Another process took the run over.")

    async def _watch(self) -> None:
        """Look ten times a second what the run waits for."""
        while True:
            await self.engine.clock.sleep(LOOK_S)
            self._constraints.look()

    async def _sample(self) -> None:
        now = self.engine.clock.wall() - self._started_at
        samples = [gate.sample(now) for gate in self.engine.gates.values()]
        await self.store.ledger.sample(self.order.run_id, samples)
        await self._limits.sample(now)
        self.store.ledger.constrain(self.order.run_id, now, self._constraints.take())

    async def _close(self, status: RunStatus, reason: str) -> None:
        """Write how the run ended; where another process has taken it over, that is no longer ours to say."""
        run_id = self.order.run_id
        if self._lease and not await asyncio.to_thread(self.store.runs.renew_lease, self._lease):
            return
        with contextlib.suppress(BrigadeError):
            await self._sample()
            before = (await asyncio.to_thread(self.store.runs.view, run_id)).measures
            await asyncio.to_thread(self.store.runs.set_measures, run_id, self._measures(before))
        await asyncio.to_thread(self.store.runs.set_status, run_id, status, reason)
        await asyncio.to_thread(self._turn_away)

    def _turn_away(self) -> None:
        """Answer the commands that came too late, so that nobody waits for them (blocking)."""
        for control in self.store.controls.pending(self.order.run_id, 0):
            self.store.controls.applied(control.id, "refused: the run ended before it could be obeyed")

    def _measures(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """What only this process knows, added to what earlier sessions of the run left."""
        counters, gates = self.engine.context.counters, self.engine.gates
        commits = self.store.ledger.commits
        peak = before.get("peak", {})
        return {
            "wall_s": self.engine.elapsed(),
            "cpu_s": before.get("cpu_s", 0.0) + time.process_time() - self._cpu0,
            "retries": before.get("retries", 0) + counters.retries,
            "rate_limited": before.get("rate_limited", 0) + counters.rate_limited,
            "fallbacks": before.get("fallbacks", 0) + counters.fallbacks,
            "second_pass": before.get("second_pass", 0) + counters.second_pass,
            "peak": {name: max(peak.get(name, 0), gate.peak) for name, gate in gates.items()},
            "limit": {name: gate.limit for name, gate in gates.items()},
            "commit_s": commits.seconds / max(1, commits.count),
            "rss_mb": max(before.get("rss_mb", 0.0), peak_rss_mb()),
        }


def _innermost(error: Exception) -> Exception:
    """What broke a group of tasks, rather than the group."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
