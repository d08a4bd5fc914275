"""What happens when a run's process holds more memory than it may: no new items, and a word about it."""

from __future__ import annotations

import asyncio
import logging

from core.pipeline.engine import Engine
from core.pipeline.memory import rss_mb
from core.store import Store

log = logging.getLogger(__name__)


class MemoryGuard:
    """Holds new items back above the engine's `max_rss_mb`; the run's reason says so for as long as it lasts."""

    def __init__(self, store: Store, run_id: str, engine: Engine) -> None:
        self._store = store
        self._run_id = run_id
        self._engine = engine

    def __repr__(self) -> str:
        return f"<MemoryGuard {self._run_id}, {self._engine.max_rss_mb} MB at most>"

    async def mind(self) -> None:
        """Look once: hold back above the limit, go on below it."""
        most, held, before = self._engine.max_rss_mb, rss_mb(), self._engine.context.held_back
        full = bool(most) and held > most
        self._engine.context.held_back = full
        said = f"Memory is short: {held:.0f} MB of {most} MB are held. No new items begin until some are through."
        if full and not before:
            log.warning("run %s: %s", self._run_id, said)
        if full or before:  # each time while it lasts: a pause and a resume in between have words of their own
            await asyncio.to_thread(self._store.runs.remark, self._run_id, said if full else "")
