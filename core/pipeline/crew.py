"""The crew: a fixed number of workers that take items through their plans, oldest first, within a window."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace

from core.base.errors import UsageError
from core.base.records import Item, ItemStatus, NodeResult
from core.flow import StoppedError
from core.pipeline.context import Context
from core.pipeline.feed import Feed, Work
from core.pipeline.item_run import ItemResult, ItemRun, RunNode
from core.pipeline.nodes import NodeRunner
from core.pipeline.plan import expand
from core.pipeline.ranking import OldestFirst
from core.pipeline.reuse import Reuse, TakeOver
from core.pipeline.second_pass import SecondPass
from core.store import ItemDone

ROOM_S = 0.1
MOST_UNREAD = 1024


class Crew:
    """Works through a feed. `window` says how many workers there may be now, `elapsed` the run's seconds so far."""

    def __init__(
        self,
        context: Context,
        feed: Feed,
        window: Callable[[], int],
        elapsed: Callable[[], float],
        reuse: Reuse | None = None,
    ) -> None:
        self.busy = 0
        self._context = context
        self._feed = feed
        self._window = window
        self._elapsed = elapsed
        self._reuse = reuse
        self._rank = OldestFirst(context, feed)
        self._runner = NodeRunner(context)
        self._last_runner = NodeRunner(context, last_chance=True)
        self._second = SecondPass()
        self._group: asyncio.TaskGroup | None = None
        self._workers: set[asyncio.Task[None]] = set()
        self._out: asyncio.Queue[ItemResult | None] = asyncio.Queue(maxsize=MOST_UNREAD)

    def __repr__(self) -> str:
        return f"<Crew {len(self._workers)}/{self._window()}, {self.busy} at work>"

    async def results(self) -> AsyncGenerator[ItemResult, None]:
        """Results in the order in which items finish. Closing it early cancels what is in flight."""
        working = asyncio.create_task(self._work_through(), name=f"{self._context.run_id} crew")
        try:
            while (result := await self._out.get()) is not None:
                yield result
            await _unwrapped(working)
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def _work_through(self) -> None:
        """Work until nothing is left, then say so to whoever takes the results. Nobody does once this is cancelled,
        and where results were left unread there would never be room to say it."""
        try:
            await self._all_hands()
        except Exception:
            await self._out.put(None)
            raise
        await self._out.put(None)

    async def _all_hands(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self.hire()
        finally:
            self._group = None

    def hire(self) -> None:
        """Fill the crew up to the window while there are items to take."""
        if self._group is None or self._feed.exhausted or self._context.halted is not None:
            return
        while len(self._workers) < self._window():
            worker = self._group.create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    def cancel(self) -> None:
        """Cancel what is in flight."""
        for worker in self._workers:
            worker.cancel()

    async def _work(self) -> None:
        while self._context.halted is None and not self._one_too_many():
            await self._room()
            self.busy += 1
            try:
                work = await self._next()
                if work is None:
                    return
                await self._process(work)
            finally:
                self.busy -= 1

    async def _room(self) -> None:
        """Wait while memory is short; an item goes on alone all the same, for otherwise nothing might ever change."""
        while self._context.held_back and self.busy and self._context.halted is None:
            await self._context.clock.sleep(ROOM_S)

    def _one_too_many(self) -> bool:
        """Whether this worker leaves because the window has shrunk; it is counted out at once: not all may leave."""
        here = asyncio.current_task()
        if here is None or len(self._workers) <= self._window():
            return False
        self._workers.discard(here)
        return True

    async def _next(self) -> Work | None:
        """A new item, or where there is none an old one for its second pass."""
        fresh = await self._feed.take()
        if fresh is not None:
            return fresh
        while self._context.halted is None and (aside := self._second.take()) is not None:
            work, run = aside
            if self._second.worthwhile(self._feed.taken):
                self._context.counters.second_pass += 1
                return replace(work, prior=run.kept(), again=True)
            await self._finish(run.item, run.results, *run.verdict())
        return None

    async def _process(self, work: Work) -> None:
        try:
            run = ItemRun(work.item, work.order, expand(self._context.workload, work.item), work.prior)
        except UsageError as error:
            await self._finish(work.item, {}, ItemStatus.FAILED, str(error))
            return
        await run.run(self._node_runner(work), self._rank)
        if not (run.stopped or self._second.keeps(work, run)):
            await self._finish(run.item, run.results, *run.verdict())

    def _node_runner(self, work: Work) -> RunNode:
        runner = self._last_runner if work.again else self._runner
        if self._reuse is None or not work.inherited:
            return runner.run
        return TakeOver(runner, self._reuse, work.inherited)

    async def _finish(
        self, item: Item, results: Mapping[str, Mapping[str, NodeResult]], status: ItemStatus, error: str | None
    ) -> None:
        finished = self._elapsed()
        done = ItemDone(self._context.run_id, item.id, status, finished, error)
        try:
            await self._runner.save((), done)
        except StoppedError:
            return
        await self._out.put(ItemResult(item, status, results, finished, error))


async def _unwrapped(crew: asyncio.Task[None]) -> None:
    """Wait for the crew; what broke it comes out as itself rather than inside a group."""
    try:
        await crew
    except ExceptionGroup as group:
        raise group.exceptions[0] from group
