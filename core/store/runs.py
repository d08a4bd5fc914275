"""Runs: created with their items in one transaction, owned through a lease, resumed from what is on record."""

from __future__ import annotations

import builtins
import sqlite3
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import orjson

from core.base.clock import Clock
from core.base.errors import RunError
from core.base.records import Item, ItemStatus, NodeResult, RunStatus
from core.base.views import RunView
from core.store import leases, resume
from core.store.codec import mapping
from core.store.connection import Readers
from core.store.leases import Lease
from core.store.money import to_nano
from core.store.rollups import Rollups
from core.store.run_views import list_runs, view_run
from core.store.statuses import WORKING, Standing, Statuses, must_exist
from core.store.writer import Writer

_INSERT = """INSERT INTO runs (id, workload, item_kind, who, created_at, settings, budget_nano, selected, pending)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_ITEMS = "INSERT INTO run_items (run_id, position, item_id) SELECT ?, key, value FROM json_each(?)"


class Runs:
    """The table of runs. Reading methods are cheap; writing ones return once durable."""

    def __init__(self, readers: Readers, writer: Writer, rollups: Rollups, statuses: Statuses, clock: Clock) -> None:
        self._readers = readers
        self._writer = writer
        self._rollups = rollups
        self._statuses = statuses
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Runs {self._readers!r}>"

    def create(
        self,
        run_id: str,
        workload: str,
        item_kind: str,
        item_ids: Sequence[str],
        settings: Mapping[str, Any],
        budget: Decimal | None,
        who: str,
    ) -> None:
        """A run and its items, pending and in the order given (each once); RunError when the id is taken."""
        ids = [*dict.fromkeys(item_ids)]
        now, count = self._clock.wall(), len(ids)
        row = (run_id, workload, item_kind, who, now, mapping(settings), to_nano(budget), count, count)
        items = orjson.dumps(ids).decode()

        def job(db: sqlite3.Connection) -> None:
            if db.execute("SELECT 1 FROM runs WHERE id = ?", (run_id,)).fetchone():
                msg = f"There is a run {run_id!r} already; choose another id, or resume that one."
                raise RunError(msg)
            db.execute(_INSERT, row)
            db.execute(_ITEMS, (run_id, items))

        self._writer.run(job)

    def view(self, run_id: str) -> RunView:
        """A run; `last` is the newest. UnknownError names the last five."""
        return view_run(self._readers, run_id, self._clock.wall())

    def list(self, limit: int = 50, offset: int = 0, workload: str | None = None) -> list[RunView]:
        """Runs, newest first."""
        return list_runs(self._readers, limit, offset, workload, self._clock.wall())

    def set_status(self, run_id: str, status: RunStatus, reason: str = "", *, lease: Lease | None = None) -> None:
        """Say where a run stands. With a lease, RunError when it is no longer the run's.

        StoreFullError where the database takes no more; how a run ended is then kept beside it, and seen all the same.
        """
        self._writer.write_now(self._statuses, Standing(run_id, RunStatus(status), reason, self._clock.wall(), lease))
        if status not in WORKING:
            self._writer.write_now(self._rollups, None)

    def remark(self, run_id: str, reason: str) -> None:
        """Say something of a run that is at work ('': nothing any more); where it stands otherwise, that stays."""
        sql = "UPDATE runs SET reason = ? WHERE id = ? AND status = 'running'"
        self._writer.run(lambda db: db.execute(sql, (reason, run_id)))

    def set_measures(self, run_id: str, measures: Mapping[str, Any]) -> None:
        """What only the engine knows of a run (CPU, memory, peaks)."""
        self._update(run_id, "measures = ?", mapping(measures))

    def set_settings(self, run_id: str, settings: Mapping[str, Any]) -> None:
        """What the run is launched with from now on, whoever resumes it."""
        self._update(run_id, "settings = ?", mapping(settings))

    def set_limits(self, run_id: str, search_limit: int, llm_limit: int) -> None:
        """The limits in force."""
        self._update(run_id, "search_limit = ?, llm_limit = ?", search_limit, llm_limit)

    def acquire_lease(self, run_id: str, owner: str, ttl_s: float = 15.0) -> Lease:
        """The right to write to a run. RunError names a living owner; from a dead one it is taken over."""
        now = self._clock.wall()

        def job(db: sqlite3.Connection) -> Lease:
            must_exist(db, run_id)
            return leases.acquire(db, run_id, owner, ttl_s, now)

        return self._writer.run(job)

    def renew_lease(self, lease: Lease) -> bool:
        """Prolong a lease; False when the run was taken over."""
        return self._writer.run(lambda db: leases.renew(db, lease, self._clock.wall()))

    def release_lease(self, lease: Lease) -> None:
        """Give a lease back; nothing happens when the run was taken over."""
        self._writer.run(lambda db: leases.release(db, lease, self._clock.wall()))

    def pending_page(self, run_id: str, after_position: int, limit: int) -> builtins.list[tuple[int, Item]]:
        """Items still pending, in order, with their positions."""
        return resume.pending_page(self._readers, run_id, after_position, limit)

    def item_ids(self, run_id: str, statuses: Sequence[ItemStatus]) -> builtins.list[str]:
        """The items in one of these statuses, in the run's order."""
        return resume.item_ids(self._readers, run_id, statuses)

    def requeue(self, run_id: str, statuses: Sequence[ItemStatus]) -> int:
        """Make items of these statuses pending again; how many."""
        return self._writer.run(lambda db: resume.requeue(db, run_id, statuses))

    def node_results(self, run_id: str, item_ids: Sequence[str]) -> dict[str, builtins.list[NodeResult]]:
        """What is done already of these items, with evidence: nothing of it needs to be done again."""
        return resume.node_results(self._readers, run_id, item_ids)

    def orphan(self, run_id: str) -> int:
        """Close attempts without an end as `orphaned`, at their reserved cost, and rebuild the run's sums; how many."""
        count = self._writer.run(lambda db: resume.orphan(db, run_id))
        self._writer.write_now(self._rollups, run_id)
        return count

    def _update(self, run_id: str, assignments: str, *values: Any) -> None:
        sql = f"UPDATE runs SET {assignments} WHERE id = ?"  # noqa: S608 - callers pass constants

        def job(db: sqlite3.Connection) -> None:
            if db.execute(sql, (*values, run_id)).rowcount == 0:
                must_exist(db, run_id)

        self._writer.run(job)
