"""What a run's limits were is written while it works: each change with its reason, each endpoint second by second."""

from __future__ import annotations

import asyncio

from core.base.views import LimitChangeView
from core.pipeline.controller import Moved
from core.pipeline.engine import Engine
from core.store import Store


class LimitLog:
    """Keeps a run's limits in the store. `started_at`: wall seconds of the run's start, from which its time counts."""

    def __init__(self, store: Store, run_id: str, engine: Engine) -> None:
        self.started_at = engine.clock.wall()
        self._store = store
        self._run_id = run_id
        self._engine = engine
        self._shown = (0, 0)
        engine.tuner.tell = self._moved

    def __repr__(self) -> str:
        return f"<LimitLog {self._run_id}>"

    async def recall(self) -> None:
        """Let auto begin where an earlier session found its limits good."""
        self._engine.tuner.remember(await asyncio.to_thread(self._store.limit_changes.last_good, self._run_id))

    async def sample(self, since_start: float) -> None:
        """Write what the endpoints did, and the limits in force where they changed."""
        self._store.lanes.post(self._run_id, self._engine.tuner.llm.samples(since_start))
        await self.show()

    async def show(self) -> None:
        """Keep the limits in force in the run's row."""
        limits = self._engine.gates["search"].limit, self._engine.gates["llm"].limit
        if limits != self._shown:
            self._shown = limits
            await asyncio.to_thread(self._store.runs.set_limits, self._run_id, *limits)

    def _moved(self, moved: Moved) -> None:
        """Record a change of a limit; nobody waits for it."""
        whose = self._run_id, max(0.0, moved.at - self.started_at), moved.at, moved.resource, moved.endpoint
        change = moved.change
        what = change.old, change.new, change.reason, change.phase
        self._store.limit_changes.post(LimitChangeView(*whose, *what, moved.who))
